"""The client's side of one request: how long it waits, and what it has been sent."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from aiohttp import web
from multidict import CIMultiDict

from cockpit.gateway.governed import Governed, Open
from cockpit.gateway.providers import Upstream
from cockpit.gateway.wire.dialect import Asked, Dialect, Refusal

KEEP_ALIVE_S = 10.0
LAST_WORD_S = 5.0
COME_BACK_S = 30
LARGEST_BODY = 256 * 1024 * 1024

Result = TypeVar("Result")


class RefusedError(Exception):
    """The request ends here with this sentence; nothing was sent to a provider."""


class TooLongError(Exception):
    """The client bears no longer wait."""


class TooLargeError(Exception):
    """The body is larger than any provider takes."""


class GoneError(Exception):
    """The client closed its connection."""


class Passage:
    """One request at the door. `path` and `query` are as the client wrote them."""

    def __init__(
        self,
        governed: Governed,
        request: web.BaseRequest,
        upstream: Upstream,
        dialect: Dialect,
        asked: Asked,
        body: bytes,
    ) -> None:
        self.governed = governed
        self.request = request
        self.upstream = upstream
        self.dialect = dialect
        self.asked = asked
        self.body = body
        self.open: Open = governed.enter()
        self.answer: web.StreamResponse | None = None
        self._only_signs = False
        self._began = asyncio.get_running_loop().time()

    async def patiently(
        self,
        waiting: Coroutine[Any, Any, Result],
        late: Callable[[Result], None] | None = None,
    ) -> Result:
        """Waits as long as this client bears: silently at first, then with signs of life.

        `late` takes a result that came when nobody waited for it any more.

        Raises:
            TooLongError: when it bears no longer wait.
        """
        task = asyncio.ensure_future(waiting)
        self.open.waits = True
        try:
            await self._wait(task)
            return task.result()
        except BaseException:
            if late is not None:
                task.add_done_callback(_handed_to(late))
            task.cancel()
            raise
        finally:
            self.open.waits = False

    async def _wait(self, task: "asyncio.Future[Any]") -> None:
        left = self.governed.patience_s - (asyncio.get_running_loop().time() - self._began)
        done, _ = await asyncio.wait((task,), timeout=max(0.0, left))
        if done:
            return
        sign = self._sign_of_life()
        if not sign:
            raise TooLongError
        if self.answer is None:
            self._only_signs = True
            await self.begin(200, CIMultiDict({"Content-Type": self._content_type()}))
        while not done:
            await self.write(sign)
            done, _ = await asyncio.wait((task,), timeout=KEEP_ALIVE_S)

    def _sign_of_life(self) -> bytes:
        if not self.governed.keep_alives:
            return b""
        return self.dialect.keep_alive if self.asked.stream else b" "

    def _content_type(self) -> str:
        if not self.asked.stream:
            return "application/json"
        lines = self.dialect.name == "ollama"
        return "application/x-ndjson" if lines else "text/event-stream; charset=utf-8"

    async def begin(
        self, status: int, headers: CIMultiDict[str], length: int | None = None
    ) -> None:
        """Opens the answer, unless it was opened while the call was held.

        Raises:
            GoneError: when the client has left.
        """
        if self.answer is not None:
            return
        self.answer = answer = web.StreamResponse(status=status, headers=headers)
        if length is not None:
            answer.content_length = length
        try:
            await answer.prepare(self.request)
        except ConnectionError:
            raise GoneError from None

    async def write(self, data: bytes) -> None:
        """Raises GoneError when the client has left."""
        if self.answer is None:
            raise RuntimeError("the answer has not begun")
        try:
            await self.answer.write(data)
        except ConnectionError:
            raise GoneError from None
        self._only_signs = self._only_signs and not data.strip()

    async def refuse(self, sentence: str) -> web.StreamResponse:
        """Ends the request for good: by a refusal, or by an error where the answer is open."""
        return await self._end(self.dialect.refusal(sentence, self.governed.agent), sentence)

    async def put_off(self, sentence: str) -> web.StreamResponse:
        """Ends the request so that the client asks again in a while."""
        return await self._end(self.dialect.retry_later(sentence, COME_BACK_S), sentence)

    async def _end(self, refusal: Refusal, sentence: str) -> web.StreamResponse:
        if self.answer is None:
            return answered(refusal)
        if self.asked.stream:
            return await self._finish(self.dialect.broken_off(sentence))
        return await self._finish(refusal.body) if self._only_signs else self.hang_up()

    async def _finish(self, last: bytes) -> web.StreamResponse:
        answer = self.answer or web.StreamResponse()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(LAST_WORD_S):
                await answer.write(last)
                await answer.write_eof()
        return answer

    def hang_up(self) -> web.StreamResponse:
        """Ends the answer as the provider's ended: without its proper end."""
        if self.request.transport is not None:
            self.request.transport.close()
        return self.answer or web.Response(status=502)


def _handed_to(late: Callable[[Result], None]) -> "Callable[[asyncio.Future[Result]], None]":
    def hand(task: "asyncio.Future[Result]") -> None:
        if not task.cancelled() and task.exception() is None:
            late(task.result())

    return hand


def answered(refusal: Refusal, status: int = 0) -> web.Response:
    """A refusal as an answer, with another status if need be."""
    headers: Mapping[str, str] = refusal.headers
    return web.Response(status=status or refusal.status, headers=dict(headers), body=refusal.body)


async def whole_body(request: web.BaseRequest) -> bytes:
    """The request's body.

    Raises:
        TooLargeError: beyond what any provider takes.
    """
    if request.headers.get("expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if (request.content_length or 0) > LARGEST_BODY:
        raise TooLargeError
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > LARGEST_BODY:
            raise TooLargeError
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
