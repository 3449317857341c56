"""One way out and back: the request to the provider, the answer to the client, the bill."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict

from cockpit.core import events as e
from cockpit.core.text import one_line
from cockpit.gateway import sentences
from cockpit.gateway.booking import Checkpoints, Sent, settle
from cockpit.gateway.credentials import scrubbed
from cockpit.gateway.governed import Note
from cockpit.gateway.limits import Window, windows
from cockpit.gateway.passage import GoneError, Passage
from cockpit.gateway.upstream import address, cut, incoming, sever, without_dummy
from cockpit.gateway.wire.dialect import Meter

if TYPE_CHECKING:
    from cockpit.gateway.door import Door

KEPT_OF_AN_ERROR = 16_384
_MAY_REPEAT_THE_PROMPT = frozenset((400, 413, 422))
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class Errand:
    """Carries one request out and its answer back; bytes pass as they come."""

    def __init__(
        self, door: "Door", passage: Passage, path: str, query: str, headers: CIMultiDict[str]
    ) -> None:
        self._door = door
        self._passage = passage
        self._url = address(passage.upstream, path, without_dummy(query))
        self._headers = headers
        self._error = b""
        self._booked = False

    async def free(self) -> web.StreamResponse:
        """A request that costs nothing: passed on and forgotten."""
        passage = self._passage
        try:
            response = await self._sent(passage.body)
        except aiohttp.ClientError as error:
            provider = passage.upstream.provider
            return await passage.put_off(sentences.unreachable(provider, error))
        try:
            await self._begin(response)
            await self._pass_on(response)
        except aiohttp.ClientError:
            return passage.hang_up()
        except (asyncio.CancelledError, GoneError):
            cut(response)
            raise
        return await self._ended()

    async def paid(self, sent: Sent) -> web.StreamResponse:
        """A request whose hold is in the books: when this returns or raises, so is its bill."""
        try:
            return await self._paid(sent)
        finally:
            if not self._booked:  # something broke that nobody foresaw: the worst is presumed
                self._unanswered(sent)

    async def _paid(self, sent: Sent) -> web.StreamResponse:
        asked, governed = sent.asked, sent.governed
        notes = governed.take_notes(offers_tools=asked.composition.tools > 0)
        body = self._prepared(sent, notes)
        self._leaving(sent)
        try:
            response = await self._sent(body)
        except _NEVER_LEFT as error:
            governed.give_back(notes)
            self._release(sent)
            return await self._lost(sent, sentences.unreachable(sent.upstream.provider, error))
        except aiohttp.ClientError:
            governed.give_back(notes)
            self._unanswered(sent)
            return await self._lost(sent, sentences.lost(sent.upstream.provider))
        except asyncio.CancelledError:
            governed.give_back(notes)
            self._unanswered(sent)
            raise
        if not 200 <= response.status < 300:
            governed.give_back(notes)
            return await self._failed(sent, response)
        self._delivered(notes)
        return await self._carried(sent, response)

    def _prepared(self, sent: Sent, notes: list[Note]) -> bytes:
        """The body to send. Where nothing is paid a limit is set only if less was granted."""
        asked, most = sent.asked, sent.granted.max_output
        lowered = asked.max_output is not None or most < sent.wanted
        paid = sent.billing == "money" and not sent.worst.free
        note = "\n\n".join(one.text for one in notes)
        return self._passage.dialect.prepared(
            self._passage.body, max_output=most if lowered or paid else None, note=note
        )

    def _leaving(self, sent: Sent) -> None:
        governed, asked, call = sent.governed, sent.asked, sent.granted.call
        self._door.happened(
            e.CallStarted(run=governed.run, at=sent.requested, call=call, model=asked.model)
        )
        if governed.heard is not None:
            governed.heard(asked.dialect, self._passage.body)

    async def _sent(self, body: bytes) -> aiohttp.ClientResponse:
        method = self._passage.request.method
        response = await self._door.outside.send(method, self._url, self._headers, body)
        self._passage.open.cut = partial(sever, response)
        self._measured(windows(response.headers, self._door.clock()))
        return response

    def _measured(self, shares: Mapping[str, Window]) -> None:
        governed = self._passage.governed
        for name, window in shares.items():
            if governed.windows.get(name) != window:
                governed.windows[name] = window
                told = e.WindowMeasured(
                    run=governed.run, at=self._door.clock(), window=name,
                    percent=round(window.share * 100, 1), resets=window.resets,
                )  # fmt: skip
                self._door.happened(told)

    def _unanswered(self, sent: Sent) -> None:
        """The bytes left and nothing came back: the provider may have read and answered them."""
        meter = self._meter(200, "")
        self._settle(sent, meter, broken=True)

    def _meter(self, status: int, content_type: str) -> Meter:
        passage = self._passage
        return passage.dialect.meter(passage.asked, status, content_type)

    def _release(self, sent: Sent) -> None:
        self._booked = True
        self._door.ledger.release(sent.granted.call)

    def _settle(self, sent: Sent, meter: Meter, *, broken: bool) -> None:
        self._booked = True
        door, metered = self._door, meter.result(cut=broken)
        for event in settle(door.ledger, door.book, sent, metered, door.clock()):
            door.happened(event)

    async def _lost(self, sent: Sent, sentence: str) -> web.StreamResponse:
        self._call_failed(sent, 0, sentence)
        return await self._passage.put_off(sentence)

    def _call_failed(self, sent: Sent, status: int, message: str) -> None:
        run, now = sent.governed.run, self._door.clock()
        self._door.happened(e.CallFailed(run=run, at=now, status=status, message=message))

    def _delivered(self, notes: list[Note]) -> None:
        now, run = self._door.clock(), self._passage.governed.run
        for note in notes:
            if not note.delivered.done():
                note.delivered.set_result(now)
            self._door.happened(
                e.RunSteered(run=run, at=now, text=note.text, channel="gateway", delivered=now)
            )

    async def _failed(self, sent: Sent, response: aiohttp.ClientResponse) -> web.StreamResponse:
        """The provider's error costs nothing and goes to the client as it came."""
        passage = self._passage
        self._release(sent)
        already_open = passage.answer is not None
        try:
            if already_open:
                self._error = await response.content.read(KEPT_OF_AN_ERROR)
                cut(response)
            else:
                await self._begin(response)
                await self._pass_on(response, keep=True)
        except aiohttp.ClientError:
            passage.hang_up()
        except (asyncio.CancelledError, GoneError):
            cut(response)
            raise
        finally:
            message = self._message(response.status)
            self._call_failed(sent, response.status, message)
        if already_open:
            return await passage.refuse(f"provider error {response.status} {message}".strip())
        return await self._ended()

    def _message(self, status: int) -> str:
        """What the provider said of its error; its kind only where it may repeat the prompt."""
        try:
            body = msgspec.json.decode(self._error, type=dict[str, object])
        except msgspec.MsgspecError:
            return ""
        error = body.get("error")
        told = error if isinstance(error, dict) else {"message": error}
        names = ("type", "code") if status in _MAY_REPEAT_THE_PROMPT else ("type", "message")
        text = ": ".join(str(told[name]) for name in names if told.get(name))
        return one_line(scrubbed(text, self._headers))

    async def _carried(self, sent: Sent, response: aiohttp.ClientResponse) -> web.StreamResponse:
        meter = self._meter(response.status, response.headers.get("content-type", ""))
        try:
            await self._begin(response)
            await self._metered(sent, response, meter)
        except aiohttp.ClientError:
            self._settle(sent, meter, broken=True)
            self._call_failed(sent, 0, sentences.broken_off(sent.upstream.provider))
            return self._passage.hang_up()
        except BaseException:
            cut(response)
            self._settle(sent, meter, broken=True)
            raise
        self._settle(sent, meter, broken=False)
        return await self._ended()

    async def _begin(self, response: aiohttp.ClientResponse) -> None:
        """Opens the client's answer; its length is kept where nothing may be taken out of it."""
        length = None if self._passage.asked.stream else response.content_length
        await self._passage.begin(response.status, incoming(response.headers), length)

    async def _metered(self, sent: Sent, response: aiohttp.ClientResponse, meter: Meter) -> None:
        door, write, feed = self._door, self._passage.write, meter.feed
        checkpoints = Checkpoints(door.ledger, sent, meter, asyncio.get_running_loop().time)
        async for chunk in response.content.iter_any():
            if sent.first_byte is None:
                sent.first_byte = door.clock()
            if passed := feed(chunk):
                await write(passed)
            checkpoints.look()
        if rest := meter.rest():
            await write(rest)

    async def _pass_on(self, response: aiohttp.ClientResponse, *, keep: bool = False) -> None:
        async for chunk in response.content.iter_any():
            if keep and len(self._error) < KEPT_OF_AN_ERROR:
                self._error += chunk
            await self._passage.write(chunk)

    async def _ended(self) -> web.StreamResponse:
        answer = self._passage.answer
        if answer is None:
            raise RuntimeError("the answer has not begun")
        await answer.write_eof()
        return answer
