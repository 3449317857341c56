"""A call as a transcript tells it, where it was told, and how far that was read."""

from typing import Literal

from msgspec import Struct

from cockpit.core.price import Mark
from cockpit.core.tokens import NO_TOKENS, Tokens


class Call(Struct, frozen=True):
    """One model call as a transcript tells it.

    `id` is the provider's message id (or `agent:run:ordinal` where the agent keeps none): the same
    id in two files is one call. `requested` is when the request left, `at` when it was recorded;
    both milliseconds since the epoch. `reason` says why the mark is not exact. `tools` are the
    names of the tools that the answer asked for, None where nobody looked.
    """

    id: str
    run: str
    at: int
    model: str
    tokens: Tokens = NO_TOKENS
    provider: str = ""
    mark: Mark = "exact"
    reason: str = ""
    requested: int = 0
    lifetime_ms: int | None = None
    window: int | None = None
    tier: str = ""
    geo: str = ""
    searches: int = 0
    tools: tuple[str, ...] | None = ()


KindKey = tuple[str, str, str, str, Mark, str, int | None, int | None]
"""Model, provider, tier, geo, mark, reason, lifetime and window of a call."""
Told = tuple[
    bytes, str, int, int, KindKey, int, int, int, int, int, int, int, tuple[str, ...] | None
]
"""A call in a history: id (UTF-8), run, at, requested, kind, the figures of `Tokens` in order,
searches, and tools or None where nobody looked for them. A struct costs four times as much."""


def kind_of(call: Call) -> KindKey:
    """What many calls have in common."""
    return (
        call.model, call.provider, call.tier, call.geo, call.mark, call.reason, call.lifetime_ms,
        call.window,
    )  # fmt: skip


def as_call(told: Told) -> Call:
    """The call that was told."""
    id_, run, at, requested, kind, *figures, searches, tools = told
    model, provider, tier, geo, mark, reason, lifetime_ms, window = kind
    return Call(
        id_.decode("utf-8", "replace"), run, at, model, Tokens(*figures), provider, mark, reason,
        requested, lifetime_ms, window, tier, geo, searches, tools,
    )  # fmt: skip


def as_told(call: Call) -> Told:
    """The call as histories tell it."""
    tokens = call.tokens
    return (
        call.id.encode("utf-8", "replace"), call.run, call.at, call.requested, kind_of(call), tokens.input,
        tokens.cache_write_5m, tokens.cache_write_1h, tokens.cache_read, tokens.output,
        tokens.reasoning, call.searches, call.tools,
    )  # fmt: skip


class Source(Struct, frozen=True):
    """A file in which an agent tells of its runs.

    `lines`: one JSON object a line, appended; `run` is the one run it tells of. `document`: a file
    written anew as a whole. `database`: SQLite, many runs, `run` is empty.
    """

    agent: str
    path: str
    form: Literal["lines", "document", "database"]
    run: str = ""
    session: str = ""
    parent: str | None = None


class Cursor(Struct, frozen=True, array_like=True):
    """How far a source was read: file identity, offset behind the last whole line, and `memory`.

    `memory` is what an adapter must remember between blocks (msgpack), such as the model named
    lines ago; for databases it holds the adapter's own position.
    """

    device: int = 0
    inode: int = 0
    offset: int = 0
    size: int = 0
    modified_ns: int = 0
    head: bytes = b""
    memory: bytes = b""
