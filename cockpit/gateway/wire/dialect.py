"""What the gateway must know of a vendor's wire: the `Dialect` protocol.

A dialect reads and writes bytes; it opens no connection and knows neither prices nor budgets.
Requests and answers are untrusted: anything that cannot be read is metered as unknown, never fatal.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from cockpit.core.composition import Composition
from cockpit.core.price import Mark
from cockpit.core.tokens import NO_TOKENS, Tokens

DialectName = Literal["anthropic", "chat", "responses", "gemini", "ollama"]


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks for.

    `paid` is false for requests that cost nothing (counting, listing, health). `prompt` is a token
    count that can only err high: it prices the hold. `max_output` is what the client itself set,
    None when it set nothing. `lifetime` is the cache lifetime asked for ("5m", "1h", "30m", "12h",
    empty for none). `session` names the client's own session where it tells one. `searches` is how
    many paid server tools it may use, 0 for none. `unseen` is how many tokens of thinking the model
    may use without showing them, as far as the effort asked for tells. `reports_usage` is false when
    the client did not ask for usage on a wire that only sends it on request.
    """

    dialect: DialectName
    path: str
    model: str = ""
    paid: bool = True
    stream: bool = False
    prompt: int = 0
    max_output: int | None = None
    lifetime: str = ""
    tier: str = ""
    geo: str = ""
    session: str = ""
    searches: int = 0
    unseen: int = 0
    reports_usage: bool = True
    composition: Composition = Composition()


class Metered(Struct, frozen=True, kw_only=True):
    """What an answer cost, as far as its wire told.

    `message` is the provider's id. `mark` is `exact` only when the provider's own final count was
    seen; else `estimated`, with the rule in `reason`. `complete` is whether the terminal event
    came. `lifetime_ms` is the cache lifetime in force, None when the wire tells none.
    """

    message: str = ""
    model: str = ""
    tokens: Tokens = NO_TOKENS
    mark: Mark = "exact"
    reason: str = ""
    complete: bool = True
    tier: str = ""
    geo: str = ""
    searches: int = 0
    lifetime_ms: int | None = None


class Meter(Protocol):
    """Reads one answer as it passes."""

    def feed(self, chunk: bytes) -> bytes:
        """Takes a chunk in and gives back what the client is to get, usually the same object."""
        ...

    def rest(self) -> bytes:
        """What was held back and is to be sent after the last chunk; nearly always empty."""
        ...

    @property
    def observed(self) -> Tokens:
        """What is known to have been used so far; the output is an estimate that grows."""
        ...

    def result(self, *, cut: bool) -> Metered:
        """The bill. `cut`: the answer was broken off by us, the client or the network."""
        ...


class Refusal(Struct, frozen=True):
    """An answer that makes the client stop at once and show our sentence."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Dialect(Protocol):
    """One vendor's wire."""

    name: DialectName
    keep_alive: bytes
    """What may be sent into an opened stream while a call is held; empty where nothing may."""

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:
        """What the request asks for; None when this path is not of this dialect.

        `path` has neither the run's prefix nor a query. Never raises on bad input.
        """
        ...

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        """The body to send: an explicit output limit, the usage report asked for, and the note.

        `note` (the operator's word, may be empty) goes behind the last user message or tool result,
        so that the cached prefix stays as it was. The same object when nothing must change.
        """
        ...

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        """A meter for an answer with this status."""
        ...

    def refusal(self, sentence: str, agent: str) -> Refusal:
        """A refusal for good: never a 429 or 5xx, which agents retry; per agent where they differ."""
        ...

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        """An answer after which the client asks again in a while: a pause longer than it bears."""
        ...

    def broken_off(self, sentence: str) -> bytes:
        """The terminal error event of an open stream that was stopped; empty where there is none."""
        ...
