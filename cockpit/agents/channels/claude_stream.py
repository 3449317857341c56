"""Claude Code's stream-json: `claude -p` that goes on listening to its standard input.

What `claude -p` would print is the `result` line's text (2.1.330). Messages carry an id of ours;
`command_lifecycle` says when one was queued and when the model got it.
"""

import asyncio
import re
import uuid
from typing import Any

from cockpit.agents.channels.channel import (
    ChannelError,
    Delivery,
    UnusableError,
    acknowledged,
    delivery,
    now_ms,
)
from cockpit.agents.channels.child import Child, Message
from cockpit.agents.channels.plan import Kind, Plan
from cockpit.agents.channels.printing import Printer

_LIMIT = re.compile(r"\((?:\$)?([0-9.]+)\)\Z")
FAILURES = {
    "error_during_execution": "Execution error",
    "error_max_turns": "Error: Reached max turns",
    "error_max_budget_usd": "Error: Exceeded USD budget",
}


class _Word:
    """The operator's word on its way: taken by the agent, then seen by the model."""

    def __init__(self) -> None:
        self.taken: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.delivered = delivery()


class ClaudeStream:
    """The channel."""

    name: Kind = "stream-json"
    session = None
    heeds_signals = True

    def __init__(self, plan: Plan, child: Child, printer: Printer) -> None:
        self._plan = plan
        self._child = child
        self._printer = printer
        self._words: dict[str, _Word] = {}
        self._interrupts: dict[str, asyncio.Future[object]] = {}
        self._is_at_work = self._has_ended = False

    async def work(self) -> int:
        self._tell(self._plan.prompt, str(uuid.uuid4()))
        heard = False
        async for message in self._child.messages():
            heard = True
            self._heard(message)
        self._over("the agent has ended")
        if not heard and await self._child.failed_at_once():
            raise UnusableError("it said nothing")
        return await self._child.code()

    async def say(self, text: str) -> Delivery:
        name, word = str(uuid.uuid4()), _Word()
        if not self._is_at_work:
            raise ChannelError("the agent takes no word now")
        if not self._tell(text, name):
            raise ChannelError("the agent does not listen")
        self._words[name] = word
        try:
            await acknowledged(word.taken)
        except ChannelError:
            self._ask("cancel_async_message", message_uuid=name)
            raise
        return word.delivered

    async def interrupt(self) -> None:
        self._child.is_disturbed = True
        if self._has_ended:
            return
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._interrupts[self._ask("interrupt")] = done
        await acknowledged(done)

    def _ask(self, what: str, **more: object) -> str:
        name = str(uuid.uuid4())
        request = {"subtype": what, **more}
        self._child.write({"type": "control_request", "request_id": name, "request": request})
        return name

    def _tell(self, text: str, name: str) -> bool:
        content = [{"type": "text", "text": text}]
        said = {"role": "user", "content": content}
        return self._child.write({"type": "user", "uuid": name, "message": said})

    # --- what it says

    def _heard(self, message: Message) -> None:
        match message:
            case {"type": "system", "subtype": "init"}:
                self._is_at_work = True
            case {"type": "result"}:
                self._result(message)
            case {"type": "command_lifecycle", "command_uuid": str(name), "state": str(state)}:
                self._moved(name, state)
            case {"type": "user", "isReplay": True, "uuid": str(name)}:
                self._moved(name, "started")
            case {"type": "control_response", "response": {"request_id": str(name)}}:
                self._confirmed(name)
            case {"type": "control_request", "request_id": str(name)}:
                self._refuse(name)

    def _moved(self, name: str, state: str) -> None:
        word = self._words.get(name)
        if word is None:
            return
        if not word.taken.done():
            word.taken.set_result(None)
        if word.delivered.done():
            return
        if state in ("started", "completed"):
            word.delivered.set_result(now_ms())
        elif state == "cancelled":
            word.delivered.set_exception(ChannelError("the agent dropped it"))

    def _confirmed(self, name: str) -> None:
        waiting = self._interrupts.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _refuse(self, name: str) -> None:
        """Whatever it asks of its host: this is what it hears where there is none."""
        said = {"subtype": "error", "request_id": name, "error": "nobody answers this here"}
        self._child.write({"type": "control_response", "response": said})

    def _result(self, message: dict[str, Any]) -> None:
        """A turn ended; the input stays open while a word waits for the next one."""
        self._printer.say(_told(message))
        if all(word.delivered.done() for word in self._words.values()):
            self._is_at_work, self._has_ended = False, True
            self._child.end_input()

    def _over(self, why: str) -> None:
        for word in self._words.values():
            for future in (word.taken, word.delivered):
                if not future.done():
                    future.set_exception(ChannelError(why))
                    future.exception()
        for waiting in self._interrupts.values():
            if not waiting.done():
                waiting.set_result(None)


def _told(result: dict[str, Any]) -> str:
    """What `claude -p` prints of a result."""
    kind = str(result.get("subtype", ""))
    if kind == "success":
        text = str(result.get("result", ""))
        return text if text.endswith("\n") else f"{text}\n"
    errors = result.get("errors")
    first = str(errors[0]) if isinstance(errors, list) and errors else ""
    said = FAILURES.get(kind, f"Error: {first or kind}")
    limit = _LIMIT.search(first) if kind.startswith("error_max_") else None
    return f"{said} ({limit[1]})" if limit else said
