"""How one model call is answered: refused, whole or streamed, as a mishap has it."""

import asyncio
import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from cockpit.core.tokens import Tokens
from cockpit.demo.account import Account
from cockpit.demo.cache import BadBreakpointsError
from cockpit.demo.conversation import FOUND_TOKENS, Answer, Conversation, Reply
from cockpit.demo.dialects import Body, Dialect
from cockpit.demo.exchange import BadRequestError, Exchange, first_byte_ms, limited
from cockpit.demo.mishaps import Mishap, befallen, without_usage
from cockpit.demo.scripts import Script

PAGE = b"<!doctype html><title>Sign in</title><p>Sign in to this network first.</p>\n"
MESSAGE = "this failure was planned"


class Answering:
    """Answers model calls for one account; `begun` is called when the first words are sent."""

    def __init__(self, account: Account, begun: Callable[[Exchange], None]) -> None:
        self.account = account
        self._begun = begun

    async def refuse(
        self, exchange: Exchange, dialect: Dialect, mishap: Mishap
    ) -> web.StreamResponse | None:
        """The answer when nothing is served at all, None when something is."""
        exchange.ended_by = mishap.kind
        match mishap.kind:
            case "status":
                exchange.status = mishap.status
                return json_response(
                    dialect.error(mishap.status, MESSAGE), mishap.status, mishap.headers
                )
            case "html":
                return web.Response(body=PAGE, content_type="text/html")
            case "slow":
                await asyncio.sleep(mishap.ms / 1000)
        return None

    async def answer(
        self,
        exchange: Exchange,
        dialect: Dialect,
        body: Body,
        conversation: Conversation,
        script: Script,
        mishap: Mishap | None,
    ) -> web.StreamResponse:
        """What the script says, on the wire.

        Raises:
            BadRequestError: for what the provider refuses.
        """
        answer, cut = limited(script(conversation), conversation)
        if conversation.limit == 0 and conversation.stream:
            raise BadRequestError("max_tokens: 0 cannot be used with streaming.")
        exchange.reply = reply = self._billed(exchange, dialect, body, answer, cut)
        await asyncio.sleep(first_byte_ms(body, answer) / 1000)
        if conversation.stream:
            return await self._stream(exchange, dialect, body, reply, mishap)
        exchange.writes()
        await asyncio.sleep(reply.tokens.output / answer.tokens_per_s)
        exchange.output = reply.tokens.output
        return await self._whole(exchange, dialect.whole(body, reply), mishap)

    def _billed(
        self, exchange: Exchange, dialect: Dialect, body: Body, answer: Answer, cut: bool
    ) -> Reply:
        visible = exchange.at + answer.first_byte_ms
        try:
            prompt = dialect.bill(body, self.account, exchange.at, visible)
        except BadBreakpointsError as error:
            raise BadRequestError(str(error)) from error
        output = 0 if body.get("max_tokens") == 0 else answer.output
        lifetimes = self.account.lifetimes_s()
        wires = ("5m", "1h") if exchange.name == "anthropic" else ("30m", "12h")
        return Reply(
            id=dialect.new_id(),
            model=str(body["model"]),
            created=exchange.at,
            answer=answer,
            call_ids=tuple(dialect.new_call_id() for _ in answer.calls),
            tokens=prompt
            + Tokens(
                input=answer.searches * FOUND_TOKENS,
                output=output,
                reasoning=min(answer.reasoning, output),
            ),
            lifetimes_s=(lifetimes[wires[0]], lifetimes[wires[1]]),
            cut=cut,
        )

    async def _whole(
        self, exchange: Exchange, answer: Body, mishap: Mishap | None
    ) -> web.StreamResponse:
        kind = mishap.kind if mishap else ""
        if kind in ("no-usage", "late-usage"):
            answer = without_usage(answer)
        if kind in ("cut", "truncate"):
            return await self._half(exchange, msgspec.json.encode(answer))
        if kind == "mislabelled":
            return web.Response(body=msgspec.json.encode(answer), content_type="text/plain")
        return json_response(answer, headers=self._headers())

    async def _half(self, exchange: Exchange, data: bytes) -> web.StreamResponse:
        """The model wrote all of it, the connection broke on the way."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(data)
        await response.prepare(exchange.request)
        await response.write(data[: len(data) // 2])
        hang_up(exchange.request)
        return response

    async def _stream(
        self,
        exchange: Exchange,
        dialect: Dialect,
        body: Body,
        reply: Reply,
        mishap: Mishap | None,
    ) -> web.StreamResponse:
        labelled = dialect.CONTENT_TYPE
        chunks = dialect.stream(body, reply)
        if mishap is not None:
            chunks = befallen(chunks, mishap, dialect.broken(mishap.status, MESSAGE))
            labelled = "text/plain" if mishap.kind == "mislabelled" else labelled
        exchange.broken_off = mishap is not None and mishap.kind in ("cut", "truncate", "error")
        response = web.StreamResponse(headers={"Content-Type": labelled, **self._headers()})
        await response.prepare(exchange.request)
        started, stall = time.monotonic(), _stall(mishap)
        for chunk in chunks:
            if stall is not None and chunk.output > stall.after:
                await asyncio.sleep(stall.ms / 1000)
                stall = None
            due = started + chunk.output / reply.answer.tokens_per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await response.write(chunk.data)
            exchange.output = max(exchange.output, chunk.output)
            self._begun(exchange)
        if mishap is not None and mishap.kind == "cut":
            hang_up(exchange.request)
            return response
        await response.write_eof()
        return response

    def _headers(self) -> dict[str, str]:
        lifetimes = self.account.lifetimes_s()
        told = ", ".join(f"{name}={seconds:g}s" for name, seconds in lifetimes.items())
        return {"x-demo-cache-lifetimes": told}


def _stall(mishap: Mishap | None) -> Mishap | None:
    return mishap if mishap is not None and mishap.kind == "stall" else None


def hang_up(request: web.Request) -> None:
    """Close the connection in the middle of what is being said; what was written still arrives."""
    if request.transport is not None:
        request.transport.close()


def json_response(
    body: Body, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        content_type="application/json",
        headers=headers,
    )
