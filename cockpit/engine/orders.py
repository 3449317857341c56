"""What the operator asks of governed runs, over the socket."""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from cockpit.core.fleet import Run
from cockpit.engine.api import Answer, RequestError
from cockpit.engine.approvals import Approvals, Decision
from cockpit.engine.caps import Caps
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.governance import Governance, GovernError
from cockpit.engine.scopes import Scopes
from cockpit.engine.wanted import Wanted


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What governance refuses, as the answer to a request."""
    try:
        yield
    except (GovernError, ValueError) as error:
        raise RequestError(str(error)) from error


class Orders:
    """Reads the requests and hands them to those who can do them."""

    def __init__(
        self,
        *,
        governance: Governance,
        approvals: Approvals,
        scopes: Scopes,
        caps: Caps,
        chronicle: Chronicle,
    ) -> None:
        self._governance = governance
        self._approvals = approvals
        self._scopes = scopes
        self._caps = caps
        self._fleet, self._now = chronicle.fleet, chronicle.now

    def answers(self) -> dict[str, Answer]:
        """By the name of the request."""
        return {
            "begin": self._begin,
            "pause": self._pause,
            "resume": self._resume,
            "say": self._say,
            "answer": self._answer,
            "approve": self._approve,
            "caps": self._scope_table,
            "cap": self._cap,
        }

    async def _begin(self, request: dict[str, Any]) -> bytes:
        asked = {name: value for name, value in request.items() if name not in ("id", "do")}
        with _refusals():
            wanted = msgspec.convert(asked, Wanted, strict=False)
            return msgspec.json.encode(await self._governance.begin(wanted))

    async def begin(self, wanted: Wanted) -> str:
        """Starts a run for the engine itself; its id.

        Raises:
            ValueError: when it cannot be started, or no new run may begin.
        """
        try:
            return str((await self._governance.begin(wanted))["run"])
        except GovernError as error:
            raise ValueError(str(error)) from error

    async def _pause(self, request: dict[str, Any]) -> bytes:
        for run in self._runs(request):
            with _refusals():
                self._governance.pause(run)
        return b"null"

    async def _resume(self, request: dict[str, Any]) -> bytes:
        for run in self._runs(request):
            with _refusals():
                await self._governance.resume(run)
        return b"null"

    async def _say(self, request: dict[str, Any]) -> bytes:
        text = str(request.get("text") or "").strip()
        if not text:
            raise RequestError("say needs a text")
        run = self._named_run(request.get("run"))
        with _refusals():
            return msgspec.json.encode(await self._governance.say(run, text))

    async def _answer(self, request: dict[str, Any]) -> bytes:
        run, tool = self._named_run(request.get("run")), str(request.get("tool") or "")
        with _refusals():
            self._governance.answer(run, tool, allowed=request.get("allowed") is True)
        return b"null"

    async def _scope_table(self, _: dict[str, Any]) -> bytes:
        return msgspec.json.encode(self._scopes.table(self._fleet().runs.values(), self._now()))

    async def _cap(self, request: dict[str, Any]) -> bytes:
        nano = request.get("money")
        if nano is not None and (not isinstance(nano, int) or nano < 0):
            raise RequestError("cap needs money in nano-dollars, or null")
        with _refusals():
            scope = self._scopes.named(str(request.get("scope") or ""))
        self._caps.cap_scope(scope, nano)
        return msgspec.json.encode(scope)

    async def _approve(self, request: dict[str, Any]) -> bytes:
        run = self._named_run(request.get("run"))
        call, name = str(request.get("call") or ""), str(request.get("tool") or "")
        directory = str(request.get("cwd") or run.project)
        decision: Decision = await self._approvals.decide(
            run, call or name, name, request.get("input"), directory
        )
        return msgspec.json.encode({"allow": decision.allow, "reason": decision.reason})

    def _named_run(self, name: object) -> Run:
        run = self._fleet().runs.get(str(name))
        if run is None:
            raise RequestError(f"no run {name!r}: cockpit ps lists them")
        return run

    def _runs(self, request: dict[str, Any]) -> list[Run]:
        names = request.get("runs")
        if not isinstance(names, list):
            raise RequestError(f'{request.get("do")} needs "runs": [ids]')
        return [self._named_run(name) for name in names]
