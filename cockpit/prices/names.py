"""Which model of which seller an id means: exactly one, or none.

Transcripts and proxies dress ids up with dates, windows, regions, routers and case. Each dress is
known here by name; whatever else is left over means another model, and stays unknown.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from cockpit.prices import base
from cockpit.prices.overlay import Overlay, SuffixRule

LONGEST = 256
"""Longer ids are nobody's."""

_TRANSPARENT = frozenset({"models", "litellm", "litellm_proxy"})
_REGION = r"(?:us|eu|apac|au|jp|ca|us-gov|global)\."
_VENDOR = r"(?:anthropic|amazon|meta|openai|mistral|deepseek|cohere|qwen|moonshot|minimax)\."
_BEDROCK = re.compile(rf"(?:^|/)(?:{_REGION})?{_VENDOR}[a-z]")
_DATE = r"(?:20\d{6}|20\d\d-\d\d-\d\d)"
_COMPACT = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_DATED = re.compile(rf"[-@](?:{_DATE}|latest|default)$")
_TAIL = re.compile(
    rf"(?:[-@:._](?:{_DATE}|\d\d-\d\d(?:\d\d)?|\d{{3,4}}|v\d+(?::\d+)?|latest|preview|default)|:\d)*"
)


class Found(Struct, frozen=True):
    """What an id means. `window` is set where the id itself names one.

    `model` is None where the table does not know it: an overlay may, and a local server's models
    are nobody's business. `assumed` says that the provider named is unknown to us, so the maker
    of the model was taken for the seller; `borrowed` that the seller passes on another's price.
    """

    provider: str
    name: str
    model: base.Model | None = None
    window: int | None = None
    assumed: bool = False
    local: bool = False
    borrowed: bool = False


def matches(clause: base.Clause, text: str) -> bool:
    """Whether a rule takes the id, with nothing around it but dates, versions and routers."""
    length = len(clause.text)
    match clause.op:
        case "^":
            return text.startswith(clause.text) and _tail(clause.text, text[length:])
        case "$":
            return text.endswith(clause.text) and _head(text[:-length])
        case "*":
            before, found, after = text.partition(clause.text)
            return bool(found) and _head(before) and _tail(clause.text, after)
        case _:
            return _combined(clause, text, matches)


def claims(clause: base.Clause, text: str) -> bool:
    """Whether a provider calls the id its own, by the plain meaning of its rule."""
    match clause.op:
        case "^":
            return text.startswith(clause.text)
        case "$":
            return text.endswith(clause.text)
        case "*":
            return clause.text in text
        case _:
            return _combined(clause, text, claims)


def _combined(clause: base.Clause, text: str, inner: Callable[[base.Clause, str], bool]) -> bool:
    match clause.op:
        case "=":
            return text == clause.text
        case "~":
            return re.search(clause.text, text) is not None
        case "|":
            return any(inner(part, text) for part in clause.parts)
        case "&":
            return all(inner(part, text) for part in clause.parts)
    return False


def _head(before: str) -> bool:
    return not before or before[-1] in "/.:"


def _tail(rule: str, after: str) -> bool:
    # A rule that ends in a separator, or speaks of fine-tuned models, expects more on purpose.
    return rule[-1] in "-@:" or rule.startswith("ft:") or _TAIL.fullmatch(after) is not None


class Names:
    """Resolves ids against one table and its overlays."""

    def __init__(
        self, table: base.Base, overlays: Sequence[Overlay], ids: Mapping[str, str] | None = None
    ) -> None:
        """`ids` are those of `provider_ids`, where they are already known."""
        self._providers = {provider.id: provider for provider in table.providers}
        self._rules = [rule for overlay in overlays for rule in overlay.provider]
        self._suffixes = [rule for overlay in overlays for rule in overlay.suffix]
        self._new = {
            (rule.provider, name.lower())
            for overlay in overlays
            for rule in overlay.model
            if rule.input is not None
            for name in rule.names
        }
        self._ids = provider_ids(table, overlays) if ids is None else ids
        self._local = {rule.id for rule in self._rules if rule.local}
        self._models: dict[str, list[base.Model]] = {}
        self._exact: dict[str, dict[str, int]] = {}

    def find(self, model: str, provider: str = "") -> Found | None:
        """What the id means, or None. An unknown provider counts as none, and is reported."""
        name, window = self._undressed(model.strip().lower())
        if not name or len(name) > LONGEST or any(letter.isspace() for letter in name):
            return None
        seller = self._ids.get(provider.strip().lower(), "")
        assumed = bool(provider.strip()) and not seller and provider.lower() not in _TRANSPARENT
        for candidate, text in self._candidates(seller, name):
            if found := self._at(candidate, text):
                return replace(found, window=window, assumed=assumed)
        return None

    def _undressed(self, name: str) -> tuple[str, int | None]:
        for rule in reversed(self._suffixes):
            if name.endswith(rule.text) and _any(rule, name):
                return name[: -len(rule.text)], rule.window
        return name, None

    def _candidates(self, seller: str, name: str) -> Iterator[tuple[str, str]]:
        """Sellers to ask, and by which id, most literal first."""
        head, slash, rest = name.partition("/")
        if _BEDROCK.search(name) and seller in ("", "anthropic", "aws"):
            yield "aws", name.rpartition("/")[2]
            return
        if seller:
            yield seller, name
            if slash and (head in _TRANSPARENT or self._ids.get(head) == seller):
                yield seller, rest
        elif slash and head in _TRANSPARENT:
            yield from self._candidates("", rest)
        elif slash and head in self._ids:
            yield from self._candidates(self._ids[head], rest)
        else:
            yield from ((owner, name) for owner in self._owners(name))
        if "/models/" in name and seller in ("", "google"):
            yield "google", name.rpartition("/models/")[2]

    def _owners(self, name: str) -> Iterator[str]:
        """Providers that say the id is theirs: those of the overlays first, then the first maker."""
        if ("", name) in self._new:
            yield ""
        for rule in reversed(self._rules):
            if any(fnmatchcase(name, pattern) for pattern in rule.models):
                yield rule.id
        for provider in self._providers.values():
            if provider.claims and claims(provider.claims, name):
                yield provider.id
                return

    def _at(self, provider: str, name: str) -> Found | None:
        if provider in self._local:
            hosted = name.endswith(("-cloud", ":cloud"))  # runs on ollama.com, at its own price
            return None if hosted else Found(provider, name, local=True)
        spellings = (name, _COMPACT.sub(r"-\1-\2-\3", name), _DATED.sub("", name))
        for text in dict.fromkeys(spellings):
            if found := self._known(provider, text):
                return found
        return None

    def _known(self, provider: str, name: str) -> Found | None:
        if model := self._matched(provider, name):
            return Found(provider, name, model)
        if (provider, name) in self._new or ("", name) in self._new:
            return Found(provider, name)
        sellers = self._providers[provider].fallback if provider in self._providers else []
        for seller in sellers:
            if model := self._matched(seller, name):
                return Found(provider, name, model, borrowed=True)
        return None

    def _matched(self, provider: str, name: str) -> base.Model | None:
        """The first model in the seller's order that takes the id, as genai-prices decides."""
        models = self._decoded(provider)
        exact = self._exact[provider].get(name, len(models))
        for model in models[:exact]:
            if any(matches(rule, name) for rule in model.rules):
                return model
        return models[exact] if exact < len(models) else None

    def _decoded(self, provider: str) -> list[base.Model]:
        models = self._models.get(provider)
        if models is None:
            known = self._providers.get(provider)
            models = self._models[provider] = base.models(known) if known else []
            names: dict[str, int] = {}
            for number, model in enumerate(models):
                for name in model.names:
                    names.setdefault(name, number)
            self._exact[provider] = names
        return models


def _any(rule: SuffixRule, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in rule.names)


def provider_ids(table: base.Base, overlays: Sequence[Overlay]) -> dict[str, str]:
    """Every id and alias of a seller, lower case, to its own id; later overlays win."""
    ids = {provider.id: provider.id for provider in table.providers}
    for rule in (rule for overlay in overlays for rule in overlay.provider):
        ids |= dict.fromkeys((rule.id.lower(), *(alias.lower() for alias in rule.aliases)), rule.id)
    return ids
