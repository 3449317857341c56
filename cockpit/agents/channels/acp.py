"""The Agent Client Protocol, version 1: `gemini --acp` in the place of `gemini -p`.

The agent asks before its tools; the operator's rules decide, and where none matches the answer is
what the command's own mode would have done. A word is for the gateway to say: what a second prompt
does to the first is not agreed upon (it ends it in Gemini 0.61). Qwen (0.24) is not driven this way:
over ACP it makes calls that `qwen -p` does not make.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cockpit.agents import asking
from cockpit.agents.channels.channel import (
    ChannelError,
    Delivery,
    UnusableError,
    acknowledged,
)
from cockpit.agents.channels.child import Child
from cockpit.agents.channels.plan import Kind, Plan
from cockpit.agents.channels.printing import Printer
from cockpit.agents.channels.rpc import Params, Rpc

VERSION = 1
END_SECONDS = 5.0
HASTY_SECONDS = 0.3
"""So long an interrupted agent may take to leave at the end of its input."""
TOOLS = {"execute": "Bash", "edit": "Edit", "delete": "Delete", "move": "Move", "fetch": "WebFetch"}
"""What the rules call the kinds of tools."""
Answer = tuple[bool | None, str]
FIELDS = {"execute": "command", "fetch": "url"}
"""What a tool's title tells, where its input is not given."""


class AgentClient:
    """The channel. Settings: `mode` to set, `free` allows what no rule asks."""

    name: Kind = "acp"
    heeds_signals = False

    def __init__(self, plan: Plan, child: Child, printer: Printer) -> None:
        self._plan = plan
        self._child = child
        self._printer = printer
        self._rpc = Rpc(child, self._notified, self._asked, "2.0")
        self._is_at_work = self._is_interrupted = False
        self._ends_with_newline = True
        self._tools: dict[str, Params] = {}
        self._over: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.session: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work(self) -> int:
        listening = asyncio.create_task(self._rpc.listen())
        try:
            session = await self._open()
            self.session.set_result(session)
            self._is_at_work = True
            prompt = [{"type": "text", "text": self._plan.prompt}]
            done = await self._rpc.call("session/prompt", sessionId=session, prompt=prompt)
            return self._ended(str((done or {}).get("stopReason", "")))
        except ChannelError as error:
            return self._failed(error)
        finally:
            self._settle()
            await self._child.end(HASTY_SECONDS if self._is_interrupted else END_SECONDS)
            await listening

    async def say(self, text: str) -> Delivery:
        raise ChannelError("a second prompt would end the first")

    async def interrupt(self) -> None:
        self._child.is_disturbed = True
        if self._over.done():
            return
        if not self._is_at_work:
            raise ChannelError("no turn is under way")
        self._is_interrupted = True
        self._rpc.notify("session/cancel", sessionId=self.session.result())
        await acknowledged(self._over)

    # --- the beginning

    async def _open(self) -> str:
        """A new session.

        Raises:
            UnusableError: when there is none; nothing was asked of a model by then.
        """
        settings = self._plan.settings
        place: Params = {"cwd": str(Path.cwd()), "mcpServers": []}
        files = {"readTextFile": False, "writeTextFile": False}
        try:
            await self._rpc.call(
                "initialize",
                protocolVersion=VERSION,
                clientCapabilities={"fs": files, "terminal": False},
                clientInfo={"name": "cockpit", "version": "1"},
            )
            session = str((await self._rpc.call("session/new", **place))["sessionId"])
            if mode := settings.get("mode"):
                await self._rpc.call("session/set_mode", sessionId=session, modeId=mode)
        except (ChannelError, KeyError, TypeError) as error:
            raise UnusableError(str(error)) from error
        return session

    # --- what it says

    def _notified(self, method: str, params: Params) -> None:
        update = params.get("update")
        if method != "session/update" or not self._is_at_work or not isinstance(update, dict):
            return
        match update:
            case {"sessionUpdate": "agent_message_chunk", "content": {"text": str(text)}} if text:
                self._printer.say(text)
                self._ends_with_newline = text.endswith("\n")
            case {"sessionUpdate": "tool_call" | "tool_call_update", "toolCallId": str(name)}:
                self._remember(name, update)

    def _remember(self, name: str, update: Params) -> None:
        """A tool call is told in pieces: each adds what it knows."""
        told = {field: each for field, each in update.items() if each not in (None, {}, [])}
        self._tools[name] = {**self._tools.get(name, {}), **told}
        if update.get("status") in ("completed", "failed"):
            title = self._tools.pop(name).get("title", "")
            self._printer.tell(f"{title}: {update['status']}")

    async def _asked(self, method: str, params: Params) -> object:
        if method == "session/request_permission":
            return {"outcome": await self._decided(params)}
        raise ChannelError("method not found")

    # --- permission

    async def _decided(self, params: Params) -> Params:
        options, call = params.get("options"), params.get("toolCall")
        call = call if isinstance(call, dict) else {}
        known = {**self._tools.get(str(call.get("toolCallId")), {}), **call}
        try:
            allowed, reason = await _beside(lambda: _ask(known))
        except asking.AskError as error:
            allowed, reason = False, str(error)
        if allowed is None:
            allowed = bool(self._plan.settings.get("free"))
        elif not allowed:
            self._printer.tell(reason)
        if self._is_interrupted:
            return {"outcome": "cancelled"}
        return _chosen(options, "allow_once" if allowed else "reject_once")

    # --- the end

    def _ended(self, reason: str) -> int:
        if not self._ends_with_newline:
            self._printer.say("\n")
        if reason != "end_turn":
            self._printer.tell(f"ended: {reason}")
        return 0 if reason == "end_turn" else 1

    def _failed(self, error: ChannelError) -> int:
        """Gemini ends with the provider's status as its exit code, of which a byte is left."""
        self._printer.tell(f"Error: {error}")
        return (error.code & 0xFF if self._plan.settings.get("status_is_code") else 1) or 1

    def _settle(self) -> None:
        self._is_at_work = False
        if not self._over.done():
            self._over.set_result(None)


async def _beside(ask: Callable[[], Answer]) -> Answer:
    """In a thread that nobody waits for at the end: a question may never be answered."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer | None, error: Exception | None) -> None:
        if answered.done():
            return
        if answer is not None:
            answered.set_result(answer)
        else:
            answered.set_exception(error or asking.AskError("nobody answered"))

    def work() -> None:
        said: tuple[Answer | None, Exception | None]
        try:
            said = ask(), None
        except Exception as error:  # whatever it is: not allowed
            said = None, asking.AskError(str(error))
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(settle, *said)

    threading.Thread(target=work, daemon=True).start()
    return await answered


def _ask(call: Params) -> Answer:
    kind = str(call.get("kind") or "other")
    return asking.ask(
        TOOLS.get(kind, kind),
        _given(call, kind),
        whose="acp",
        cwd=str(Path.cwd()),
        call=str(call.get("toolCallId", "")),
    )


def _given(call: Params, kind: str) -> Params:
    """The tool's input; where it is not told, what its title and its places say of it."""
    raw = call.get("rawInput")
    if isinstance(raw, dict) and raw:
        return raw
    given: dict[str, Any] = {FIELDS.get(kind, "text"): str(call.get("title", ""))}
    places = call.get("locations")
    paths = [place.get("path") for place in places or () if isinstance(place, dict)]
    return {**given, **({"file_path": str(paths[0])} if paths else {})}


def _chosen(options: object, kind: str) -> Params:
    """The option of that kind; where there is none the question is taken back."""
    for option in options if isinstance(options, list) else ():
        if isinstance(option, dict) and option.get("kind") == kind:
            return {"outcome": "selected", "optionId": option.get("optionId")}
    return {"outcome": "cancelled"}
