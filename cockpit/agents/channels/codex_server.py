"""Codex's app-server in the place of `codex exec` (0.169.0).

An interrupted turn leaves its background terminals running: they are cleaned up after it. What is
printed is what `codex exec` prints: the final message, and on standard error the course of the work.
"""

import asyncio
import contextlib
import os
from pathlib import Path

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

END_SECONDS = 5.0
RULE = "-" * 8


class CodexServer:
    """The channel."""

    name: Kind = "app-server"
    session = None
    heeds_signals = False

    def __init__(self, plan: Plan, child: Child, printer: Printer) -> None:
        self._plan = plan
        self._child = child
        self._printer = printer
        self._rpc = Rpc(child, self._notified, self._asked)
        self._thread = self._turn = ""
        self._last = self._error = ""
        self._used = 0
        self._is_interrupted = False
        self._words: dict[str, Delivery] = {}
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work(self) -> int:
        listening = asyncio.create_task(self._rpc.listen())
        listening.add_done_callback(lambda _: self._ended("the agent has ended"))
        try:
            await self._open()
            await self._rpc.call("turn/start", threadId=self._thread, input=self._input())
            status = await self._over
        except ChannelError as error:
            status = self._error = str(error)
        finally:
            await self._child.end(END_SECONDS)
        await listening
        return self._printed(status)

    async def say(self, text: str) -> Delivery:
        if not self._turn:
            raise ChannelError("no turn is under way")
        name = f"cockpit-{len(self._words)}"
        delivered = self._words[name] = delivery()
        steer = self._rpc.call(
            "turn/steer", threadId=self._thread, expectedTurnId=self._turn,
            clientUserMessageId=name, input=[_text(text)],
        )  # fmt: skip
        await acknowledged(asyncio.ensure_future(steer))
        return delivered

    async def interrupt(self) -> None:
        self._child.is_disturbed = True
        if self._over.done():
            return
        if not self._turn:
            raise ChannelError("no turn is under way")
        self._is_interrupted = True
        try:
            await acknowledged(asyncio.ensure_future(self._interrupt()))
        finally:
            self._ended("interrupted")

    async def _interrupt(self) -> None:
        thread = self._thread
        await self._rpc.call("turn/interrupt", threadId=thread, turnId=self._turn)
        await self._rpc.call("thread/backgroundTerminals/clean", threadId=thread)

    # --- the beginning

    async def _open(self) -> None:
        """A thread, new or resumed.

        Raises:
            UnusableError: when there is none; nothing was asked of a model by then.
        """
        settings = dict(self._plan.settings)
        folder = os.path.abspath(settings.pop("cwd", "."))  # noqa: PTH100 - links stay
        if not settings.pop("anywhere", False) and not _is_repository(Path(folder)):
            raise UnusableError("codex exec says best where it may not work")
        resumed = settings.pop("resume", "")
        options = {"cwd": folder, "approvalPolicy": "never", **settings}
        options.pop("last_message_file", None), options.pop("images", None)
        try:
            await self._rpc.call(
                "initialize",
                clientInfo={"name": "cockpit", "title": "cockpit", "version": "1"},
                capabilities={"experimentalApi": True},
            )
            self._rpc.notify("initialized")
            if resumed:
                options = {"threadId": resumed, "excludeTurns": True, **options}
            method = "thread/resume" if resumed else "thread/start"
            opened = await self._rpc.call(method, **options)
            self._thread = str(opened["thread"]["id"])
        except (ChannelError, KeyError, TypeError) as error:
            raise UnusableError(str(error)) from error
        self._head(opened)

    def _input(self) -> list[Params]:
        images = [
            {"type": "localImage", "path": path} for path in self._plan.settings.get("images", ())
        ]
        return [*images, _text(self._plan.prompt)]

    # --- what it says

    def _notified(self, method: str, params: Params) -> None:
        if params.get("threadId") != self._thread:  # a sub-agent's
            return
        match method, params:
            case "turn/started", {"turn": {"id": str(turn)}}:
                self._turn = turn
            case "item/started", {"item": dict(item)}:
                self._started(item)
            case "item/completed", {"item": dict(item)}:
                self._completed(item)
            case "thread/tokenUsage/updated", {"tokenUsage": {"total": dict(total)}}:
                self._used = _blended(total)
            case "error", {"error": {"message": str(text)}}:
                self._printer.tell(f"ERROR: {text}")
            case "turn/completed", {"turn": {"id": self._turn, "status": str(status)} as turn}:
                failure = turn.get("error")
                self._error = str(failure.get("message", "")) if isinstance(failure, dict) else ""
                if not self._is_interrupted:
                    self._ended(status)

    async def _asked(self, method: str, params: Params) -> object:
        """`codex exec` never asks: whatever is not allowed without a question is not allowed."""
        if method in ("item/commandExecution/requestApproval", "item/fileChange/requestApproval"):
            return {"decision": "decline"}
        raise ChannelError("nobody answers this here")

    def _started(self, item: Params) -> None:
        if item.get("type") == "commandExecution":
            self._printer.tell(f"exec\n{item.get('command')} in {item.get('cwd')}")
        delivered = self._words.get(str(item.get("clientId")))
        if delivered is not None and not delivered.done():
            delivered.set_result(now_ms())

    def _completed(self, item: Params) -> None:
        match item:
            case {"type": "agentMessage", "text": str(text)}:
                self._last = text
                self._printer.tell(f"codex\n{text}")
            case {"type": "commandExecution", "status": str(status)}:
                self._printer.tell(_ran(item, status))
            case {"type": "fileChange", "changes": list(changes)}:
                paths = [str(each.get("path")) for each in changes if isinstance(each, dict)]
                self._printer.tell("\n".join(["file update", *paths]))
            case {"type": "mcpToolCall", "server": str(server), "tool": str(tool)}:
                self._printer.tell(f"tool {server}.{tool} {item.get('status')}")

    def _ended(self, status: str) -> None:
        self._turn = ""
        if not self._over.done():
            self._over.set_result(status)
        for delivered in self._words.values():
            if not delivered.done():
                delivered.set_exception(ChannelError("the turn is over"))

    # --- what is printed

    def _head(self, opened: Params) -> None:
        lines = [
            f"OpenAI Codex by its app-server\n{RULE}",
            f"workdir: {opened.get('cwd')}",
            f"model: {opened.get('model')}",
            f"provider: {opened.get('modelProvider')}",
            f"approval: {opened.get('approvalPolicy')}",
            f"sandbox: {_sandbox(opened.get('sandbox'))}",
            f"session id: {self._thread}\n{RULE}",
            f"user\n{self._plan.prompt}",
        ]
        self._printer.tell("\n".join(lines))

    def _printed(self, status: str) -> int:
        if status != "completed":
            self._printer.tell(f"ERROR: {self._error or status}")
            return 1
        self._printer.tell(f"tokens used\n{self._used:,}")
        if not self._printer.shows_both:
            self._printer.say(f"{self._last}\n")
        kept = self._plan.settings.get("last_message_file")
        if kept:
            with contextlib.suppress(OSError):
                Path(kept).write_text(self._last)
        return 0


def _text(text: str) -> Params:
    return {"type": "text", "text": text, "text_elements": []}


def _is_repository(folder: Path) -> bool:
    return any((place / ".git").exists() for place in (folder, *folder.parents))


def _blended(total: Params) -> int:
    """Tokens that were not read from the cache, as Codex counts them for people."""
    numbers = (total.get("inputTokens"), total.get("cachedInputTokens"), total.get("outputTokens"))
    read, cached, written = (each if isinstance(each, int) else 0 for each in numbers)
    return max(0, read - cached) + written


def _ran(item: Params, status: str) -> str:
    took = f"in {item.get('durationMs') or 0}ms:"
    how = "succeeded" if status == "completed" else f"exited {item.get('exitCode')}"
    return f" {how} {took}\n{item.get('aggregatedOutput') or ''}"


def _sandbox(policy: object) -> object:
    return policy.get("type") if isinstance(policy, dict) else policy
