"""OpenCode's server in the place of `opencode run` (1.18.33): a session over HTTP, its events as SSE.

What is printed is what `opencode run` prints where nobody looks at a terminal: text on standard
output, tools on standard error.
"""

import asyncio
import contextlib
import os
import re
import secrets
from typing import Any

import aiohttp
import msgspec

from cockpit.agents.channels.channel import (
    ChannelError,
    Delivery,
    UnusableError,
    acknowledged,
    delivery,
    now_ms,
)
from cockpit.agents.channels.child import LINE_LIMIT, Child
from cockpit.agents.channels.plan import Kind, Plan
from cockpit.agents.channels.printing import Printer

READY_SECONDS = 60.0
LINGER_SECONDS = 3.0
"""So long after the end a word that was taken in its last moment may still begin another turn."""
END_SECONDS = 3.0
USER = "opencode"
PASSWORD = "OPENCODE_SERVER_PASSWORD"
_LISTENS = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
CHOICES = ("model", "agent", "variant")
DENIED = ("question", "plan_enter", "plan_exit")
"""What `opencode run` denies its sessions."""

Table = dict[str, Any]


class _Word:
    """The operator's word: a message of the session once it is in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.message = ""
        self.delivered: Delivery = delivery()


class OpenCodeServer:
    """The channel; its child was started with the environment of `prepare`."""

    name: Kind = "serve"
    session = None
    heeds_signals = False

    def __init__(self, plan: Plan, child: Child, printer: Printer) -> None:
        self._plan = plan
        self._child = child
        self._printer = printer
        self._session = ""
        self._error = ""
        self._is_at_work = False
        self._words: list[_Word] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._replying: asyncio.Future[object] | None = None
        self._http: aiohttp.ClientSession | None = None

    async def work(self) -> int:
        url, reading = await self._listening()
        reading.add_done_callback(lambda _: self._ended())
        password = os.environ[PASSWORD]
        head = {"Authorization": aiohttp.encode_basic_auth(USER, password)}
        try:
            async with aiohttp.ClientSession(url, headers=head, read_bufsize=LINE_LIMIT) as http:
                self._http = http
                await self._converse(http)
        finally:
            self._is_at_work = False
            await self._child.finish(END_SECONDS)
            await reading
        if self._error:
            self._printer.tell(f"\x1b[91m\x1b[1mError: \x1b[0m{self._error}")
        return 1 if self._error else 0

    async def say(self, text: str) -> Delivery:
        if not self._is_at_work:
            raise ChannelError("no turn is under way")
        word = _Word(text)
        self._words.append(word)
        try:
            await acknowledged(asyncio.ensure_future(self._prompt(text)))
        except ChannelError:
            self._words.remove(word)
            raise
        return word.delivered

    async def interrupt(self) -> None:
        self._child.is_disturbed = True
        if self._over.done():
            return
        if not self._is_at_work:
            raise ChannelError("no turn is under way")
        await acknowledged(asyncio.ensure_future(self._post(f"/session/{self._session}/abort")))
        self._error = self._error or "interrupted"
        self._ended()

    # --- the server

    async def _listening(self) -> "tuple[str, asyncio.Task[None]]":
        """Where it listens, and the task that reads on; nothing was asked of a model by then."""
        lines = self._child.lines()

        async def address() -> str:
            async for line in lines:
                if found := _LISTENS.search(line):
                    return found[1].decode()
            raise UnusableError("the server ended")

        async def rest() -> None:
            async for _ in lines:
                pass

        try:
            url = await asyncio.wait_for(address(), READY_SECONDS)
        except TimeoutError:
            raise UnusableError("the server does not listen") from None
        return url, asyncio.create_task(rest())

    async def _converse(self, http: aiohttp.ClientSession) -> None:
        try:
            self._session = await self._open()
            events = await http.get("/event", timeout=aiohttp.ClientTimeout(total=None))
        except (ChannelError, aiohttp.ClientError) as error:
            raise UnusableError(str(error)) from error
        self._is_at_work = True
        listening = asyncio.create_task(self._listen(events))
        listening.add_done_callback(lambda _: self._ended())
        try:
            await self._prompt(self._plan.prompt)
            await self._over
        except ChannelError as error:
            self._error = str(error)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _open(self) -> str:
        settings = self._plan.settings
        if known := settings.get("session"):
            await self._request("GET", f"/session/{known}")
            return str(known)
        rules = [{"permission": name, "pattern": "*", "action": "deny"} for name in DENIED]
        said = {"permission": rules}
        if settings.get("title"):
            said["title"] = settings["title"]
        made = await self._post("/session", said)
        return str(made["id"]) if isinstance(made, dict) else ""

    async def _prompt(self, text: str) -> None:
        settings = self._plan.settings
        chosen = {name: settings[name] for name in CHOICES if name in settings}
        said = {**chosen, "parts": [{"type": "text", "text": text}]}
        await self._post(f"/session/{self._session}/prompt_async", said)

    async def _post(self, path: str, said: Table | None = None) -> object:
        return await self._request("POST", path, {} if said is None else said)

    async def _request(self, method: str, path: str, said: Table | None = None) -> object:
        if self._http is None:
            raise ChannelError("its server is not there")
        try:
            async with self._http.request(method, path, json=said) as answer:
                data = await answer.read()
        except aiohttp.ClientError as error:
            raise ChannelError(f"its server: {error}") from error
        if answer.status >= 300:
            raise ChannelError(f"its server answers {answer.status}")
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(data)
        return None

    # --- what it tells

    async def _listen(self, events: aiohttp.ClientResponse) -> None:
        try:
            async for line in events.content:
                if line.startswith(b"data:"):
                    self._read(line[5:])
        except (aiohttp.ClientError, ValueError, OSError) as error:
            self._error = self._error or f"its server: {error}"

    def _read(self, data: bytes) -> None:
        with contextlib.suppress(msgspec.DecodeError):
            event = msgspec.json.decode(data)
            if isinstance(event, dict) and isinstance(event.get("properties"), dict):
                self._heard(str(event.get("type")), event["properties"])

    def _heard(self, kind: str, told: Table) -> None:
        part, info = told.get("part"), told.get("info")
        if kind == "permission.asked":
            self._reject(told)
        elif self._session not in (told.get("sessionID"), _of(part), _of(info)):
            return
        elif kind == "message.part.updated" and isinstance(part, dict):
            self._part(part)
        elif kind == "message.updated" and isinstance(info, dict):
            self._message(info)
        elif kind == "session.error":
            self._error = _reason(told.get("error"))
        elif kind == "session.idle":
            self._idle()

    def _part(self, part: Table) -> None:
        match part:
            case {"type": "text", "text": str(text), "messageID": str(message)}:
                if isinstance(part.get("time"), dict) and part["time"].get("end"):
                    self._printer.say(f"{text}\n")
                self._is_word(text, message)
            case {"type": "tool", "tool": str(tool), "state": {"status": "completed"} as state}:
                self._printer.tell(_ran(tool, state))
            case {"type": "tool", "tool": str(tool), "state": {"status": "error"} as state}:
                self._printer.tell(f"{tool} failed: {state.get('error')}")

    def _is_word(self, text: str, message: str) -> None:
        for word in self._words:
            if not word.message and word.text == text:
                word.message = message
                return

    def _message(self, info: Table) -> None:
        """An answer tells which word it is the answer to: the model has it, and all before it."""
        if info.get("role") != "assistant":
            return
        for word in self._words:
            known = word.message and str(info.get("parentID", "")) >= word.message
            if known and not word.delivered.done():
                word.delivered.set_result(now_ms())

    def _reject(self, told: Table) -> None:
        """As `opencode run` does with what its rules want asked."""
        path = f"/permission/{told.get('id')}/reply"
        word = "once" if self._plan.settings.get("auto") else "reject"
        self._replying = asyncio.ensure_future(self._post(path, {"reply": word}))
        self._replying.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _idle(self) -> None:
        if any(not word.delivered.done() for word in self._words):
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._ended)
        else:
            self._ended()

    def _ended(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
        for word in self._words:
            if not word.delivered.done():
                word.delivered.set_exception(ChannelError("the session is over"))


def prepare() -> dict[str, str]:
    """The server's environment: it answers nobody who does not know this run's password."""
    os.environ[PASSWORD] = secrets.token_urlsafe(24)
    os.environ.pop("OPENCODE_SERVER_USERNAME", None)
    return dict(os.environ)


def _of(thing: object) -> object:
    return thing.get("sessionID") if isinstance(thing, dict) else None


def _reason(error: object) -> str:
    if not isinstance(error, dict):
        return "the session failed"
    data = error.get("data")
    text = data.get("message") if isinstance(data, dict) else ""
    return str(text or error.get("name") or "the session failed")


def _ran(tool: str, state: Table) -> str:
    given, output = state.get("input"), str(state.get("output") or "")
    command = given.get("command") if isinstance(given, dict) else None
    if tool == "bash":
        return f"$ {command}\n{output}"
    return f"{tool} {state.get('title') or ''}"
