"""Tokens by the classes that are priced differently."""

from msgspec import Struct


class Tokens(Struct, frozen=True, omit_defaults=True):
    """Tokens of one call, or a sum over calls; the five priced classes are disjoint.

    `input` is what was neither read from nor written to a cache. `cache_write_5m` holds writes at
    the provider's default lifetime (5 minutes at Anthropic, 30 minutes at OpenAI since GPT-5.6),
    `cache_write_1h` writes at its long lifetime (1 hour, 12 hours). `reasoning` is the part of
    `output` that was thinking: it is already in `output` and never added to a total.
    """

    input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All tokens the model read: what counts against its context window."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read

    @property
    def total(self) -> int:
        return self.prompt + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.input + other.input,
            self.cache_write_5m + other.cache_write_5m,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.input - other.input,
            self.cache_write_5m - other.cache_write_5m,
            self.cache_write_1h - other.cache_write_1h,
            self.cache_read - other.cache_read,
            self.output - other.output,
            self.reasoning - other.reasoning,
        )

    def largest(self, other: "Tokens") -> "Tokens":
        """Class by class the larger figure: streamed copies of one call only ever grow."""
        return Tokens(
            max(self.input, other.input),
            max(self.cache_write_5m, other.cache_write_5m),
            max(self.cache_write_1h, other.cache_write_1h),
            max(self.cache_read, other.cache_read),
            max(self.output, other.output),
            max(self.reasoning, other.reasoning),
        )

    def by_class(self) -> dict[str, int]:
        """Every class by name, zeros included: the shape every `--json` output uses."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


NO_TOKENS = Tokens()
