"""JSON-RPC in lines, as Codex's app-server (which leaves `jsonrpc` out) and ACP speak it.

The official ACP package for Python would do for one of the two, and costs every run two seconds of
CPU at its start (pydantic models, 0.12.1).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cockpit.agents.channels.channel import ChannelError
from cockpit.agents.channels.child import Child, Message

NO_SUCH_METHOD = -32601
WAITING_LIMIT = 256
"""An agent that asks more at once than that is not asked for: the rest is refused."""

Params = dict[str, Any]
Notified = Callable[[str, Params], None]
Asked = Callable[[str, Params], Awaitable[object]]
"""Answers a request of the agent's; a `ChannelError` refuses it."""


class Rpc:
    """Both directions over one agent's pipes."""

    def __init__(self, child: Child, notified: Notified, asked: Asked, version: str = "") -> None:
        self._child = child
        self._notified = notified
        self._asked = asked
        self._head: Message = {"jsonrpc": version} if version else {}
        self._count = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._over = ""

    async def listen(self) -> None:
        """Until the agent closes its output; then nobody waits for an answer any more."""
        try:
            async for message in self._child.messages():
                self._heard(message)
        finally:
            self._over = "the agent has ended"
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ChannelError(self._over))
            for task in self._answering:
                task.cancel()

    async def call(self, method: str, **params: object) -> Any:  # noqa: ANN401 (any JSON)
        """The agent's answer.

        Raises:
            ChannelError: when it refuses, or ends.
        """
        self._count += 1
        name = self._count
        future = self._waiting[name] = asyncio.get_running_loop().create_future()
        said = {**self._head, "id": name, "method": method, "params": params}
        if self._over or not self._child.write(said):
            future.set_exception(ChannelError(self._over or "the agent does not listen"))
        try:
            return await future
        finally:
            del self._waiting[name]

    def notify(self, method: str, **params: object) -> None:
        """Tells the agent what needs no answer."""
        self._child.write({**self._head, "method": method, "params": params})

    def _heard(self, message: Message) -> None:
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        match message:
            case {"method": str(method), "id": int() | str() as name}:
                self._answer(name, method, params)
            case {"method": str(method)}:
                self._notified(method, params)
            case {"id": int(name)}:
                self._settle(self._waiting.get(name), message)

    def _settle(self, future: "asyncio.Future[Any] | None", message: Message) -> None:
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        else:
            told = error if isinstance(error, dict) else {"message": error}
            code = told.get("code")
            failure = ChannelError(str(told.get("message")), code if isinstance(code, int) else 0)
            future.set_exception(failure)

    def _answer(self, name: int | str, method: str, params: Params) -> None:
        async def answer() -> None:
            try:
                said: Message = {"result": await self._asked(method, params)}
            except ChannelError as error:
                said = {"error": {"code": NO_SUCH_METHOD, "message": str(error)}}
            self._child.write({**self._head, "id": name, **said})

        if len(self._answering) >= WAITING_LIMIT:
            said = {"error": {"code": NO_SUCH_METHOD, "message": "too many questions at once"}}
            self._child.write({**self._head, "id": name, **said})
            return
        task = asyncio.create_task(answer())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
