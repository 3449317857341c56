"""What happens at a cap: the run defers, halts or asks, and goes on when it is raised."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from cockpit.core import events as e
from cockpit.core.budget import Budget, asks_about, doubled, is_about_cap, is_own
from cockpit.core.fleet import Run, clock_of
from cockpit.engine.approvals import Approvals
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.scopes import Scopes
from cockpit.gateway.governed import AtCap, Governed

_AT_CAP: Mapping[str, AtCap] = {"halt": "halt", "ask": "ask"}


class Caps:
    """Belongs to the engine's event loop. `halt` stops a run for good, `go_on` starts it again."""

    def __init__(
        self,
        *,
        governed: Mapping[str, Governed],
        scopes: Scopes,
        approvals: Approvals,
        chronicle: Chronicle,
        halt: Callable[[Run, str], None],
        go_on: Callable[[Run], Coroutine[Any, Any, None]],
    ) -> None:
        self._governed = governed
        self._scopes = scopes
        self._approvals = approvals
        self._record, self._fleet, self._now = chronicle.record, chronicle.fleet, chronicle.now
        self._halt_run = halt
        self._go_on = go_on
        self._tasks: set[asyncio.Task[None]] = set()

    def apply(self, run: str, budget: Budget | None) -> None:
        """The ledger holds money and tokens; the door does at a cap what the budget says."""
        self._scopes.cap(self._fleet().runs[run].purse, budget)
        governed = self._governed.get(run)
        if governed is not None:
            governed.at_cap = _AT_CAP.get("defer" if budget is None else budget.at_zero, "defer")

    def cap_scope(self, scope: str, nano: int | None) -> None:
        """The operator gave a scope that many runs share another cap."""
        self._record(e.ScopeCapped(run="", at=self._now(), scope=scope, nano=nano))
        self.scope_raised(scope)

    def scope_raised(self, scope: str) -> None:
        """The operator changed a cap that many runs share: those that it deferred go on."""
        for name, run in self._fleet().runs.items():
            self._approvals.answer(name, asks_about(scope), allowed=True, by="a new cap")
            if run.deferred and scope in self._scopes.above(run.project, self._now()):
                self.raised(name)

    def raised(self, name: str) -> None:
        """The operator gave the run another budget: what waited for it goes on."""
        run = self._fleet().runs[name]
        self.apply(name, run.budget)
        for other in self._of_the_same_task(run):
            set_ = e.BudgetSet(run=other, at=self._now(), budget=run.budget, by="operator")
            self._record(set_)
            self._let_go_on(other)
        self._let_go_on(name)

    def _of_the_same_task(self, run: Run) -> list[str]:
        """Other runs at work that are paid from the same purse."""
        runs = self._fleet().runs
        return [name for name in self._governed if name != run.id and runs[name].purse == run.purse]

    def _let_go_on(self, name: str) -> None:
        run = self._fleet().runs[name]
        if self._approvals.answer(name, asks_about(), allowed=True, by="a new budget"):
            return
        governed = self._governed.get(name)
        if clock_of(run, self._now()).share >= 1:
            return
        if run.deferred:
            self._soon(self._go_on(run))
        elif governed is not None and not (run.halted or run.stopping):
            governed.admit_again()

    def expired(self, event: e.ClockExpired) -> None:
        """A clock reached zero."""
        reason, own = f"its {event.ruling} cap is reached", self._fleet().runs[event.run].purse
        match event.action:
            case "deferred":
                self._defer(event.run, reason, own)
            case "halted":
                self._halt(event.run, reason)
            case "asks":
                self._ask(event.run, reason, own)

    def refused(self, event: e.HoldRefused) -> None:
        """The door refused a call that a cap could not bear."""
        governed = self._governed.get(event.run)
        reason, scope = event.reason, event.scope or self._fleet().runs[event.run].purse
        if reason.startswith(_deferred(event.run)):
            reason = reason.removeprefix(_deferred(event.run)).partition(". ")[0]
        match governed.at_cap if governed is not None else "defer":
            case "halt":
                self._halt(event.run, reason)
            case "ask":
                self._ask(event.run, reason, scope)
            case _:
                self._defer(event.run, reason, scope)

    def is_shut(self, name: str) -> bool:
        """Whether the door refuses for a cap that no ledger holds; an agent may end right after that."""
        governed = self._governed.get(name)
        return governed is not None and governed.refused.startswith(_deferred(name))

    def left(self, name: str) -> None:
        """A call has just left; one that would cross a cap on turns is refused from now on."""
        run, governed = self._fleet().runs[name], self._governed.get(name)
        if governed is None or run.budget is None or run.budget.turns is None:
            return
        turns = run.budget.turns
        if (
            run.budget.at_zero != "warn"
            and run.before.turns + run.turns + governed.in_flight >= turns
        ):
            governed.refuse(_sentence(name, f"{turns} of {turns} turns are used"))

    def measured(self, name: str) -> None:
        """The provider told of a plan's window; a call beyond the cap on it is refused."""
        run, governed = self._fleet().runs[name], self._governed.get(name)
        clock = clock_of(run, self._now())
        firm = run.budget is not None and run.budget.at_zero != "warn"
        if governed is not None and firm and clock.ruling == "window" and clock.share >= 1:
            governed.refuse(_sentence(name, f"{clock.used} % of the plan's window is used"))

    def _defer(self, name: str, reason: str, scope: str) -> None:
        governed = self._governed.get(name)
        if governed is not None and not governed.refused:
            governed.refuse(_sentence(name, reason))
        if not self._fleet().runs[name].deferred:
            self._record(e.RunDeferred(run=name, at=self._now(), reason=reason, scope=scope))

    def _halt(self, name: str, reason: str) -> None:
        if not self._fleet().runs[name].halted:
            self._record(e.RunHalted(run=name, at=self._now(), reason=reason))
            self._halt_run(self._fleet().runs[name], reason)

    def _ask(self, name: str, reason: str, scope: str) -> None:
        if not any(is_about_cap(asked.tool) for asked in self._fleet().runs[name].approvals):
            self._soon(self._asked(name, reason, scope))

    async def _asked(self, name: str, reason: str, scope: str) -> None:
        """Holds the run until the operator decides: yes raises the cap by as much as it was.

        `scope` is the one that was in the way.
        """
        governed, before = self._governed.get(name), self._fleet().runs[name].budget
        if governed is None or before is None:
            return
        shared = None if is_own(scope) else self._scopes.cap_of(scope)
        governed.pause()
        text = f"{reason}: yes raises it by as much again, no lets it wait"
        tool = asks_about("" if shared is None else scope)
        decision = await self._approvals.ask(name, tool, "cap", text)
        if not decision.allow:
            self._defer(name, reason, scope)
        elif shared is not None:
            if self._scopes.cap_of(scope) == shared:
                self.cap_scope(scope, 2 * shared)
        elif self._fleet().runs[name].budget == before:
            budget = doubled(before)
            self._record(e.BudgetSet(run=name, at=self._now(), budget=budget, by="operator"))
            self.apply(name, budget)
        governed.resume()
        if decision.allow:
            governed.admit_again()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _deferred(name: str) -> str:
    return f"cockpit: {name} is deferred: "


def _sentence(name: str, reason: str) -> str:
    return (
        f"{_deferred(name)}{reason}. Nothing was sent."
        f" To go on: cockpit budget {name} --money … (or --time, --tokens, --turns)"
    )
