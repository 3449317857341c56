"""Meters: they let an answer's bytes pass and read them behind its back, a batch at a time."""

from collections.abc import Callable

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.gateway.wire.answer import Answer
from cockpit.gateway.wire.dialect import Asked, Meter, Metered
from cockpit.gateway.wire.framing import Framing
from cockpit.gateway.wire.plain import Plain
from cockpit.gateway.wire.untrusted import decoded, table, word

BATCH = 16 * 1024
"""Bytes that are read together: reading every chunk alone costs several times as much."""
LARGEST_PAYLOAD = 64 * 1024 * 1024
KEPT_OF_AN_ERROR = 64 * 1024


class AnswerMeter:
    """Meters one answer of any wire."""

    def __init__(self, answer: Answer, framing: Framing) -> None:
        self._answer, self._framing, self._plain = answer, framing, Plain()
        self._fresh: list[bytes] = []
        self._waiting = 0
        self._left = b""
        self._due = BATCH

    def feed(self, chunk: bytes) -> bytes:
        self._fresh.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= self._due:
            self._read(last=False)
        return chunk

    def rest(self) -> bytes:
        return b""

    @property
    def observed(self) -> Tokens:
        if self._waiting > max(1, len(self._left)):
            self._read(last=False)
        return self._answer.observed()

    def result(self, *, cut: bool) -> Metered:
        self._read(last=True)
        return self._answer.bill(cut=cut)

    def _read(self, *, last: bool) -> None:
        """Reads what came; the next time when as much came again as was left over.

        So a payload of many megabytes is joined and searched a few times only.
        """
        fresh = b"".join(self._fresh)
        self._fresh, self._waiting = [], 0
        answer = self._answer
        answer.size += len(fresh)
        payloads, self._left = self._framing(self._left + self._plain.feed(fresh), last)
        for payload in payloads:
            answer.take(payload)
        if len(self._left) > LARGEST_PAYLOAD:
            answer.unknown, self._left = answer.unknown + 1, b""
        answer.opaque, answer.left = self._plain.opaque, len(self._left)
        self._due = max(BATCH, len(self._left))


class FreeMeter:
    """Meters answers that cost nothing: lists, counts, health."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def rest(self) -> bytes:
        return b""

    @property
    def observed(self) -> Tokens:
        return NO_TOKENS

    def result(self, *, cut: bool) -> Metered:
        return Metered(model=self._asked.model, complete=not cut)


class ErrorMeter(FreeMeter):
    """Meters an answer with an error status: it costs nothing, and its kind is the reason."""

    def __init__(self, asked: Asked, status: int) -> None:
        super().__init__(asked)
        self._status = status
        self._body = b""

    def feed(self, chunk: bytes) -> bytes:
        if len(self._body) < KEPT_OF_AN_ERROR:
            self._body += chunk
        return chunk

    def result(self, *, cut: bool) -> Metered:  # noqa: ARG002 - a meter
        kind = error_kind(decoded(Plain().feed(self._body)))
        told = f"HTTP {self._status} {kind}".rstrip()
        return Metered(model=self._asked.model, complete=False, reason=f"{told}: nothing was used")


def meter_of(asked: Asked, status: int, answer: Callable[[], Meter]) -> Meter:
    """The meter for an answer with this status; `answer` makes the one that finds a price in it."""
    if not asked.paid:
        return FreeMeter(asked)
    return answer() if 200 <= status < 300 else ErrorMeter(asked, status)


def error_kind(body: object) -> str:
    """The name a wire gives to an error, never its message, which may quote the request."""
    error = table(body).get("error") or table(table(body).get("response")).get("error")
    given = table(error) or table(body)
    names = (word(given.get(name)) for name in ("type", "status", "code"))
    return next((name for name in names if name), "error")
