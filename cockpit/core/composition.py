"""What fills a context: the parts of one request, by where they come from."""

from msgspec import Struct


class Composition(Struct, frozen=True, omit_defaults=True):
    """Tokens of one request by origin, estimated from its bytes and scaled to the wire's own count.

    `files` is the part of `tool_results` that a tool read from a file; it is not in `tool_results`
    again. `cached` is how many of all of them were a cache hit, known once the call was metered.
    """

    system: int = 0
    tools: int = 0
    user: int = 0
    assistant: int = 0
    thinking: int = 0
    tool_results: int = 0
    files: int = 0
    media: int = 0
    cached: int = 0

    @property
    def total(self) -> int:
        """All parts together, `cached` not counted again."""
        return sum(self.parts().values())

    def parts(self) -> dict[str, int]:
        """Every part by name, largest first, `cached` left out."""
        named = {name: getattr(self, name) for name in self.__struct_fields__ if name != "cached"}
        return dict(sorted(named.items(), key=lambda part: -part[1]))

    def scaled(self, total: int, cached: int) -> "Composition":
        """The same proportions with `total` tokens, the rounding in the largest part."""
        parts = self.parts()
        whole = sum(parts.values())
        if not whole:
            return Composition(user=total, cached=cached)
        share = {name: tokens * total // whole for name, tokens in parts.items()}
        largest = next(iter(share))
        share[largest] += total - sum(share.values())
        return Composition(**share, cached=cached)
