"""The price book: what a model costs at a moment, at a prompt size, in a tier, at a place.

Unknown is None, never zero. After the first question about a model an answer costs about a
microsecond.
"""

from functools import cached_property
from pathlib import Path

import msgspec

from cockpit.core.blake import blake2b
from cockpit.core.price import Rates
from cockpit.core.price import cost as cost_at
from cockpit.core.tokens import Tokens
from cockpit.prices import base, overlay
from cockpit.prices.entry import ANY_SIZE, Draft, Entry, Layers, Quote, Source
from cockpit.prices.names import Names, provider_ids

CACHED = "prices.json"
"""File in the cache directory with a table newer than the shipped one."""

_RULES = b"rules 1"  # counted up when the code prices the same tables differently
_REMEMBERED = 4096  # ids come from logs, so a hostile one could name any number of models

_ORIGINS: tuple[Source, ...] = ("overlay", "user")
_Asked = tuple[str, str, str, str]
"""Model, provider, tier and geo, as they came."""


class Book:
    """Prices from the compiled table, our overlay and the user's, the later one winning."""

    def __init__(self, table: bytes, ours: bytes, users: bytes = b"", path: Path = Path()) -> None:
        """Raises `OverlayError` for a bad overlay and `msgspec.MsgspecError` for a bad table."""
        self._data = (table, ours, users)
        self._table = base.decode(table)
        overlays = [overlay.parse(ours, overlay.SHIPPED)]
        if users:
            overlays.append(overlay.parse(users, path))
        ids = provider_ids(self._table, overlays)
        overlays[1:] = [overlay.settled(laid, ids, path) for laid in overlays[1:]]
        self._layers: Layers = tuple(zip(_ORIGINS, overlays, strict=False))
        self._names = Names(self._table, overlays, ids)
        self._answers: dict[_Asked, Entry | Quote | None] = {}

    @classmethod
    def load(cls, user_overlay: Path | None = None, cache_dir: Path | None = None) -> "Book":
        """The shipped prices, or newer ones compiled into `cache_dir`; a missing file is no overlay.

        Raises:
            OverlayError: when the user's overlay has a mistake; the text says where.
        """
        users = user_overlay.read_bytes() if user_overlay and user_overlay.exists() else b""
        ours = overlay.SHIPPED.read_bytes()
        path = user_overlay or Path()
        shipped = base.SHIPPED.read_bytes()
        newer = _newer(shipped, cache_dir)
        if newer is not None:
            try:
                return cls(newer, ours, users, path)
            except msgspec.MsgspecError:
                pass  # a damaged cache must not cost the user the shipped prices
        return cls(shipped, ours, users, path)

    @property
    def genai_prices(self) -> str:
        """Version of genai-prices that the table was compiled from."""
        return self._table.genai_prices

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever a price may have: what was priced under another one is priced anew."""
        digest = blake2b(_RULES, digest_size=12)
        for part in self._data:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def quote(
        self,
        model: str,
        provider: str = "",
        *,
        at: int,
        prompt: int = 0,
        tier: str = "",
        geo: str = "",
    ) -> Quote | None:
        """Prices of a request with `prompt` tokens (all classes) at `at` ms; None is unpriced."""
        asked = (model, provider, tier, geo)
        try:
            answer = self._answers[asked]
        except KeyError:
            answer = self._looked_up(asked)
        return answer.quote(at, prompt) if isinstance(answer, Entry) else answer

    def steady(
        self, model: str, provider: str = "", tier: str = "", geo: str = ""
    ) -> tuple[Rates, int] | None:
        """Rates that hold at any time, and the prompt size up to which; None when there are none."""
        asked = (model, provider, tier, geo)
        answer = self._answers[asked] if asked in self._answers else self._looked_up(asked)
        up_to = answer.steady_up_to if isinstance(answer, Entry) else ANY_SIZE
        quote = answer.quote(0, 0) if isinstance(answer, Entry) else answer
        return (quote.rates, up_to) if quote is not None and up_to else None

    def cost(
        self,
        model: str,
        provider: str,
        tokens: Tokens,
        at: int,
        tier: str = "",
        geo: str = "",
        searches: int = 0,
    ) -> int | None:
        """Nano-dollars of a call with its web searches; None when any part of it has no price."""
        quote = self.quote(model, provider, at=at, prompt=tokens.prompt, tier=tier, geo=geo)
        if quote is None:
            return None
        nano = cost_at(tokens, quote.rates)
        if not searches:
            return nano
        return None if quote.search is None else nano + (searches * quote.search + 500) // 1000

    def _looked_up(self, asked: _Asked) -> Entry | Quote | None:
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        model, provider, tier, geo = asked
        found = self._names.find(model, provider)
        entry = Entry(Draft(found, tier, geo, self._layers)) if found else None
        answer = entry.quote(0, 0) if entry and entry.constant else entry
        self._answers[asked] = answer
        return answer


def _newer(shipped: bytes, cache_dir: Path | None) -> bytes | None:
    path = cache_dir / CACHED if cache_dir else None
    if path is None or not path.exists():
        return None
    cached = path.read_bytes()
    return cached if base.version(cached) > base.version(shipped) else None
