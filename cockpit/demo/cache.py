"""Prefix caches as providers document them, with the time as an argument.

A prompt is a list of blocks in the order the provider hashes them; an entry is the digest of all
blocks up to one position. Nothing is ever read that was not written by an earlier request, and
nothing is read after its lifetime: where a provider says "at least", these caches keep exactly
that long.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from cockpit.core.tokens import Tokens

Lifetime = Literal["short", "long"]
"""5 minutes or 1 hour at Anthropic, 30 minutes or 12 hours at OpenAI."""

MINUTE = 60_000
HOUR = 60 * MINUTE
LOOKBACK = 20


class Block(Struct, frozen=True):
    """One piece of a prompt.

    `mark` is a breakpoint that the request set; `ends_message` tells that OpenAI may put its own
    breakpoint here, `opening` that the block belongs to the initial developer messages.
    """

    content: str
    tokens: int
    mark: Lifetime | None = None
    ends_message: bool = False
    opening: bool = False


class Position(Struct, frozen=True):
    """The prompt up to and including one block: what a cache entry stands for."""

    digest: str
    tokens: int
    block: Block


class Entry(Struct, frozen=True):
    """A stored prefix: readable from the first byte of the answer that wrote it until it expires."""

    visible_from: int
    expires: int
    lifetime_ms: int

    def readable(self, now: int) -> bool:
        return self.visible_from <= now < self.expires


class Lifetimes(Struct, frozen=True):
    """How long a short and a long entry live after the start of the last request that used them."""

    short: int
    long: int

    def of(self, lifetime: Lifetime) -> int:
        return self.long if lifetime == "long" else self.short

    def divided_by(self, scale: float) -> "Lifetimes":
        return Lifetimes(round(self.short / scale), round(self.long / scale))


ANTHROPIC = Lifetimes(5 * MINUTE, HOUR)
OPENAI = Lifetimes(30 * MINUTE, 12 * HOUR)
GEMINI = Lifetimes(5 * MINUTE, HOUR)
"""Google promises no lifetime for what it caches by itself; this is the demo's own choice."""


class BadBreakpointsError(ValueError):
    """The request sets breakpoints the provider refuses with HTTP 400."""


def positions(key: str, blocks: Iterable[Block]) -> list[Position]:
    """The chain of prefixes; `key` holds what separates caches: model, effort, tool choice."""
    chain = hashlib.blake2b(key.encode(), digest_size=16)
    total, found = 0, []
    for block in blocks:
        chain.update(b"\0" + block.content.encode())
        total += block.tokens
        found.append(Position(chain.hexdigest(), total, block))
    return found


class PrefixCache:
    """The stored prefixes of one provider account."""

    def __init__(self, lifetimes: Lifetimes) -> None:
        self.lifetimes = lifetimes
        self._entries: dict[str, Entry] = {}

    def holds(self, position: Position, now: int) -> bool:
        entry = self._entries.get(position.digest)
        return entry is not None and entry.readable(now)

    def expires(self, position: Position) -> int | None:
        """When the entry at this position dies, if there ever was one."""
        entry = self._entries.get(position.digest)
        return None if entry is None else entry.expires

    def refresh(self, position: Position, now: int) -> None:
        """Restart the entry's lifetime at the start of the request that reads it, free of charge."""
        entry = self._entries[position.digest]
        self._entries[position.digest] = Entry(
            entry.visible_from, now + entry.lifetime_ms, entry.lifetime_ms
        )

    def write(self, position: Position, lifetime: Lifetime, now: int, visible_from: int) -> None:
        """Store a prefix; one that a parallel request is already writing shows as early as theirs."""
        kept_ms = self.lifetimes.of(lifetime)
        before = self._entries.get(position.digest)
        if before is not None and now < before.expires:
            visible_from = min(visible_from, before.visible_from)
        self._entries[position.digest] = Entry(visible_from, now + kept_ms, kept_ms)

    def sweep(self, now: int) -> None:
        """Forget what has expired."""
        self._entries = {key: entry for key, entry in self._entries.items() if now < entry.expires}


def anthropic_request(
    cache: PrefixCache,
    prefix: Sequence[Position],
    *,
    now: int,
    first_byte: int,
    minimum: int,
) -> Tokens:
    """Bill the prompt of one Messages request and store what it marks.

    `first_byte` is the time from which later requests see what this one writes; prefixes shorter
    than `minimum` tokens are silently not cached. Rules: at most 4 breakpoints, long before short,
    lookback of 20 positions per breakpoint, mixed lifetimes billed A/B/C.

    Raises:
        BadBreakpointsError: when the request would be refused.
    """
    marked = [at for at, position in enumerate(prefix) if position.block.mark]
    _refuse_bad_marks([prefix[at].block.mark for at in marked])
    marked = [at for at in marked if prefix[at].tokens >= minimum]
    hit = _looked_back(cache, prefix, marked, now)
    read = 0 if hit is None else prefix[hit].tokens
    if hit is not None:
        cache.refresh(prefix[hit], now)
    fresh = [prefix[at] for at in marked if prefix[at].tokens > read]
    for position in fresh:
        cache.write(position, position.block.mark or "short", now, first_byte)
    long = max((p.tokens for p in fresh if p.block.mark == "long"), default=read)
    last = max((p.tokens for p in fresh), default=read)
    total = prefix[-1].tokens if prefix else 0
    return Tokens(
        input=total - last,
        cache_write_5m=last - long,
        cache_write_1h=long - read,
        cache_read=read,
    )


def _refuse_bad_marks(marks: Sequence[Lifetime | None]) -> None:
    if len(marks) > 4:
        raise BadBreakpointsError(
            f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}."
        )
    if "short" in marks and "long" in marks[marks.index("short") :]:
        raise BadBreakpointsError(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
        )


def _looked_back(
    cache: PrefixCache, prefix: Sequence[Position], marked: Sequence[int], now: int
) -> int | None:
    for breakpoint_at in reversed(marked):
        for at in range(breakpoint_at, max(breakpoint_at - LOOKBACK, -1), -1):
            if cache.holds(prefix[at], now):
                return at
    return None


OPENAI_MINIMUM = 1024


def openai_request(
    cache: PrefixCache,
    prefix: Sequence[Position],
    *,
    now: int,
    first_byte: int,
    lifetime: Lifetime = "short",
    implicit: bool = True,
) -> Tokens:
    """Bill the prompt of one request to GPT-5.6 or later and store its breakpoints.

    Writes: the end of the latest eligible message unless `implicit` is off, and explicit marks,
    at most 4 together. Looked up: these, the first 2 and latest 50 explicit marks, 20 earlier
    message ends and the end of the opening developer messages; never an unmarked longer prefix.
    """
    ends = [at for at, position in enumerate(prefix) if position.block.ends_message]
    explicit = [at for at, position in enumerate(prefix) if position.block.mark]
    automatic = ends[-1:] if implicit else []
    written = sorted({*automatic, *explicit[-(4 - len(automatic)) :]})
    opening = [at for at in ends if prefix[at].block.opening][-1:]
    looked_up = {*written, *explicit[:2], *explicit[-50:], *ends[-LOOKBACK - 1 :], *opening}
    eligible = [at for at in sorted(looked_up) if prefix[at].tokens >= OPENAI_MINIMUM]
    hit = next((at for at in reversed(eligible) if cache.holds(prefix[at], now)), None)
    read = 0 if hit is None else prefix[hit].tokens
    if hit is not None:
        cache.refresh(prefix[hit], now)
    fresh = [prefix[at] for at in written if prefix[at].tokens >= max(OPENAI_MINIMUM, read + 1)]
    for position in fresh:
        cache.write(position, lifetime, now, first_byte)
    wrote = max((position.tokens for position in fresh), default=read) - read
    plain = (prefix[-1].tokens if prefix else 0) - read - wrote
    if lifetime == "long":
        return Tokens(input=plain, cache_write_1h=wrote, cache_read=read)
    return Tokens(input=plain, cache_write_5m=wrote, cache_read=read)


GEMINI_MINIMUM = 1024


def implicit_request(
    cache: PrefixCache, prefix: Sequence[Position], *, now: int, first_byte: int
) -> Tokens:
    """Bill the prompt of one Gemini request: the longest known prefix is read, writing is free."""
    known = [p for p in prefix if p.tokens >= GEMINI_MINIMUM and cache.holds(p, now)]
    for position in known[-1:]:
        cache.refresh(position, now)
    read = known[-1].tokens if known else 0
    for position in prefix:
        if position.tokens > read:
            cache.write(position, "short", now, first_byte)
    return Tokens(input=(prefix[-1].tokens if prefix else 0) - read, cache_read=read)


class Evaluation(Struct, frozen=True):
    """What a local server had to do for a prompt: `cached` tokens it still had, `fresh` it had not."""

    loaded: bool
    cached: int
    fresh: int


class Resident:
    """One model in the memory of a local server, with the prompt of its single slot.

    The lifetime counts from the end of the last request: 0 unloads at once, negative keeps forever.
    """

    def __init__(self) -> None:
        self._prompt: list[Position] = []
        self.expires: int | None = 0

    def begin(self, prefix: list[Position], now: int) -> Evaluation:
        """Evaluate a prompt: everything if the model was unloaded, else what differs from the last."""
        loaded = self.expires is None or now < self.expires
        known = {position.digest for position in self._prompt} if loaded else set()
        cached = max((p.tokens for p in prefix if p.digest in known), default=0)
        self._prompt = prefix
        self.expires = None
        return Evaluation(loaded, cached, (prefix[-1].tokens if prefix else 0) - cached)

    def end(self, now: int, keep_alive_ms: int) -> None:
        """The request is over: from now on the model stays for `keep_alive_ms`."""
        self.expires = None if keep_alive_ms < 0 else now + keep_alive_ms
