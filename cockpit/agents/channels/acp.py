"""The Agent Client Protocol, version 1: `gemini --acp`, `qwen --acp` in the place of `-p`.

The agent asks before its tools; the operator's rules decide, and where none matches the answer is
what the command's own mode would have done. Qwen (0.24) fetches words between its tool calls by a
method of its own; to others a word can only be said at the gateway, for a second prompt would end
the first (Gemini 0.61).
"""

import asyncio
from pathlib import Path
from typing import Any

from cockpit.agents import asking
from cockpit.agents.channels.channel import (
    ChannelError,
    Delivery,
    UnusableError,
    acknowledged,
    delivery,
    now_ms,
)
from cockpit.agents.channels.child import Child
from cockpit.agents.channels.plan import Kind, Plan
from cockpit.agents.channels.printing import Printer
from cockpit.agents.channels.rpc import Params, Rpc

VERSION = 1
END_SECONDS = 5.0
DRAIN = "craft/drainMidTurnQueue"
TOOLS = {"execute": "Bash", "edit": "Edit", "delete": "Delete", "move": "Move", "fetch": "WebFetch"}
"""What the rules call the kinds of tools."""
FIELDS = {"execute": "command", "fetch": "url"}
"""What a tool's title tells, where its input is not given."""


class AgentClient:
    """The channel. Settings: `resume` a session, `mode` to set, `free` allows what no rule asks."""

    name: Kind = "acp"
    heeds_signals = False

    def __init__(self, plan: Plan, child: Child, printer: Printer) -> None:
        self._plan = plan
        self._child = child
        self._printer = printer
        self._rpc = Rpc(child, self._notified, self._asked, "2.0")
        self._drains = bool(plan.settings.get("drains"))
        self._is_at_work = self._is_interrupted = False
        self._ends_with_newline = True
        self._tools: dict[str, Params] = {}
        self._words: list[tuple[str, Delivery]] = []
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
            await self._child.end(END_SECONDS)
            await listening

    async def say(self, text: str) -> Delivery:
        if not self._is_at_work or not self._drains:
            raise ChannelError("this agent takes no word while it works")
        delivered = delivery()
        self._words.append((text, delivered))
        return delivered

    async def interrupt(self) -> None:
        self._child.is_disturbed = True
        if not self._is_at_work:
            raise ChannelError("no turn is under way")
        self._is_interrupted = True
        self._rpc.notify("session/cancel", sessionId=self.session.result())
        await acknowledged(self._over)

    # --- the beginning

    async def _open(self) -> str:
        """The session, new or loaded.

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
            session = str(settings.get("resume", ""))
            if session:
                await self._rpc.call("session/load", sessionId=session, **place)
            else:
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
            return  # a loaded session is told once more before the work begins
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
        match method:
            case "session/request_permission":
                return {"outcome": await self._decided(params)}
            case _ if method == DRAIN and self._drains:
                return {"messages": self._drained(), "hasQueuedPrompt": False}
        raise ChannelError("method not found")

    def _drained(self) -> list[str]:
        words, self._words = self._words, []
        for _, delivered in words:
            delivered.set_result(now_ms())
        return [text for text, _ in words]

    # --- permission

    async def _decided(self, params: Params) -> Params:
        options, call = params.get("options"), params.get("toolCall")
        call = call if isinstance(call, dict) else {}
        known = {**self._tools.get(str(call.get("toolCallId")), {}), **call}
        try:
            allowed, reason = await asyncio.to_thread(_ask, known)
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
        for _, delivered in self._words:
            if not delivered.done():
                delivered.set_exception(ChannelError("the turn is over"))


def _ask(call: Params) -> tuple[bool | None, str]:
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
