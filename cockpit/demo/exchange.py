"""One request to the provider: what is kept of it while it is answered and after."""

import msgspec
from aiohttp import web
from msgspec import Struct

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.conversation import Answer, Conversation, Reply
from cockpit.demo.dialects import Body


class BadRequestError(ValueError):
    """The request is refused with HTTP 400 in the dialect's own shape."""


class Served(Struct, frozen=True, kw_only=True):
    """One request as it went over the wire. `tokens.output` is what had been sent when it ended."""

    at: int
    ended: int
    dialect: str
    path: str
    id: str = ""
    model: str = ""
    run: str = ""
    tokens: Tokens = NO_TOKENS
    status: int = 200
    cancelled: bool = False


class Exchange:
    """One model request while it is being answered."""

    def __init__(self, request: web.Request, path: str, run: str, name: str, at: int) -> None:
        self.request, self.path, self.run, self.name, self.at = request, path, run, name, at
        self.reply: Reply | None = None
        self.status = 200
        self.output = 0
        self.cancelled = self.streaming = False

    def served(self, ended: int) -> Served:
        reply = self.reply
        return Served(
            at=self.at,
            ended=ended,
            dialect=self.name,
            path=self.path,
            run=self.run,
            id=reply.id if reply else "",
            model=reply.model if reply else "",
            tokens=self._tokens(reply) if reply else NO_TOKENS,
            status=499 if self.cancelled else self.status,
            cancelled=self.cancelled,
        )

    def _tokens(self, reply: Reply) -> Tokens:
        if not self.cancelled:
            return reply.tokens
        sent = min(self.output, reply.tokens.output)
        reasoning = min(reply.tokens.reasoning, sent)
        return msgspec.structs.replace(reply.tokens, output=sent, reasoning=reasoning)


def limited(answer: Answer, conversation: Conversation) -> tuple[Answer, bool]:
    """The answer within the request's limit of output tokens, and whether it had to be cut."""
    limit = conversation.limit
    if limit == 0:
        return Answer(first_byte_ms=answer.first_byte_ms), True
    if not isinstance(limit, int) or limit <= 0 or answer.output <= limit:
        return answer, False
    shorter = Answer(
        text=answer.text[: limit * 4],
        reasoning=0,
        first_byte_ms=answer.first_byte_ms,
        tokens_per_s=answer.tokens_per_s,
    )
    return shorter, True


def first_byte_ms(body: Body, answer: Answer) -> float:
    """A local model also loads and reads its prompt before it answers."""
    timing: dict[str, int] = body.get("_timing") or {}
    return answer.first_byte_ms + sum(timing.values()) / 1_000_000
