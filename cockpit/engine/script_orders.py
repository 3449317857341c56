"""What the operator asks of the shelf, over the socket: the requests `scripts` and `script`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from cockpit.architect import life as lives
from cockpit.architect.phrases import fitted
from cockpit.architect.savings import savings
from cockpit.core.script import Script, Stage
from cockpit.core.shelf import (
    Entry,
    Given,
    Life,
    Schedule,
    ScriptRun,
    Sheet,
    ShelfRow,
    body_of,
    difference,
    matrix_of,
)
from cockpit.engine import schedule
from cockpit.engine.api import Answer, RequestError
from cockpit.engine.making import Making
from cockpit.engine.occurrences import Occurrences
from cockpit.engine.scripts import ScriptError, Scripts
from cockpit.journal.shelf import last_approved

SOURCE_LIMIT = 512 * 1024
RUNS_SHOWN = 50
BY = "operator"

_SCHEDULABLE: frozenset[Stage] = frozenset({"approved", "shadow", "active", "quarantined"})


class ScriptOrders:
    """Reads the requests and hands them to those who can do them. `held` names the sandbox."""

    def __init__(
        self,
        *,
        scripts: Scripts,
        making: Making,
        occurrences: Occurrences,
        held: Callable[[], str],
        now: Callable[[], int],
    ) -> None:
        self._scripts = scripts
        self._making = making
        self._occurrences = occurrences
        self._held = held
        self._now = now

    def answers(self) -> dict[str, Answer]:
        """By the name of the request."""
        return {"scripts": self._rows, "script": self._script}

    async def _rows(self, _: dict[str, Any]) -> bytes:
        rows = [await self._row(entry) for entry in self._scripts]
        return msgspec.json.encode(rows)

    async def _script(self, request: dict[str, Any]) -> bytes:
        actions: dict[str, Callable[[dict[str, Any]], Awaitable[object]]] = {
            "show": self._show,
            "build": self._build,
            "verify": self._verify,
            "approve": self._approve,
            "shadow": self._shadow,
            "refuse": self._refuse,
            "retire": self._retire,
            "run": self._run,
            "schedule": self._schedule,
        }
        action = actions.get(str(request.get("action")))
        if action is None:
            raise RequestError(f"script needs an action: {', '.join(actions)}")
        try:
            return msgspec.json.encode(await action(request))
        except (ScriptError, lives.NotNowError) as error:
            raise RequestError(str(error)) from error

    # --- looking

    async def _show(self, request: dict[str, Any]) -> Sheet:
        return await self._sheet(self._entry(request))

    async def _sheet(self, entry: Entry) -> Sheet:
        store, name = self._scripts.store, entry.name
        script = await self._scripts.script(entry.life.content)
        trials, said, runs, costs = await asyncio.to_thread(
            lambda: (
                store.trials(script.content), store.decisions(name), store.runs(name),
                store.costs(name),
            )
        )  # fmt: skip
        approved = last_approved(said, script.content)
        before = await asyncio.to_thread(store.script, approved) if approved else None
        return Sheet(
            row=await self._row(entry),
            script=script,
            body=body_of(script),
            matrix=matrix_of(script, trials),
            approved=approved,
            difference=difference(before, script) if before is not None else "",
            decisions=said,
            runs=runs[-RUNS_SHOWN:],
            costs=costs,
        )

    async def _row(self, entry: Entry) -> ShelfRow:
        life, store = entry.life, self._scripts.store
        script, runs, costs, held = await asyncio.to_thread(
            lambda: (
                store.script(life.content), store.runs(entry.name), store.costs(entry.name),
                self._held(),
            )
        )  # fmt: skip
        return ShelfRow(
            name=entry.name,
            task=entry.task,
            purpose=script.purpose if script else "",
            stage=life.stage,
            content=life.content,
            tier=script.tier if script else 0,
            project=entry.wish.project if entry.wish else "",
            workspace=entry.workspace,
            agent=entry.wish.agent if entry.wish else "",
            reason=life.reason,
            needs=needs(life, script),
            agreeing=life.agreeing,
            agreements=lives.agreements(life),
            unattended=life.unattended,
            schedule=entry.schedule,
            proposed=entry.proposed,
            next=self._next(entry),
            running=self._scripts.is_busy(entry.name),
            sandbox=held,
            last=runs[-1] if runs else None,
            savings=savings(runs, costs, entry.paid.values()),
            month_nano=entry.month_nano,
            changed=entry.changed,
            inputs=script.inputs if script else (),
        )

    def _next(self, entry: Entry) -> int:
        when = entry.schedule
        return schedule.coming(when, entry.fired, self._now()) if when is not None else 0

    def _entry(self, request: dict[str, Any]) -> Entry:
        return self._scripts.entry(str(request.get("name") or ""))

    # --- making

    async def _build(self, request: dict[str, Any]) -> object:
        return await self._making.build(str(request.get("task") or ""), BY)

    async def _verify(self, request: dict[str, Any]) -> Sheet:
        entry = self._entry(request)
        source = request.get("source")
        async with self._free(entry):
            entry = self._scripts.entry(entry.name)
            if isinstance(source, str) and source:
                if len(source) > SOURCE_LIMIT:
                    raise ScriptError(f"a script of more than {SOURCE_LIMIT:,} characters is none")
                entry = await self._making.amend(entry, source, BY)
            else:
                entry = await self._making.prove(entry)
        return await self._sheet(entry)

    def _free(self, entry: Entry) -> asyncio.Lock:
        if self._scripts.is_busy(entry.name):
            raise ScriptError(f"{entry.name} is at work already")
        return self._scripts.lock(entry.name)

    # --- deciding

    async def _approve(self, request: dict[str, Any]) -> ShelfRow:
        entry = self._entry(request)
        async with self._free(entry):
            entry = self._scripts.entry(entry.name)
            trials = await asyncio.to_thread(self._scripts.store.trials, entry.life.content)
            await self._scripts.script(entry.life.content)
            after = lives.approved(entry.life, str(request.get("content") or ""), trials)
            return await self._row(await self._scripts.decided(entry, after, "approve", BY))

    async def _shadow(self, request: dict[str, Any]) -> ShelfRow:
        entry = self._entry(request)
        async with self._free(entry):
            entry = self._scripts.entry(entry.name)
            _same(entry, request)
            trials = await asyncio.to_thread(self._scripts.store.trials, entry.life.content)
            after = lives.watched(entry.life, trials)
            return await self._row(await self._scripts.decided(entry, after, "shadow", BY))

    async def _refuse(self, request: dict[str, Any]) -> ShelfRow:
        return await self._ended(request, "refuse", "refused")

    async def _retire(self, request: dict[str, Any]) -> ShelfRow:
        return await self._ended(request, "retire", "retired by the operator")

    async def _ended(self, request: dict[str, Any], decision: Any, word: str) -> ShelfRow:  # noqa: ANN401
        entry = self._entry(request)
        async with self._free(entry):
            entry = self._scripts.entry(entry.name)
            reason = str(request.get("reason") or "").strip()[:1000]
            after = lives.retired(entry.life, f"{word}: {reason}" if reason else word)
            entry = replace(entry, schedule=None)
            return await self._row(await self._scripts.decided(entry, after, decision, BY, reason))

    # --- running

    async def _run(self, request: dict[str, Any]) -> ScriptRun | None:
        entry, now = self._entry(request), self._now()
        date, yes = _date(request.get("date")), request.get("yes") is True
        given = _given(request.get("given") or {})
        if request.get("dry") is True:
            return await self._occurrences.dry(entry.name, now, yes=yes, date=date, given=given)
        if request.get("scheduled") is True:
            await self._occurrences.occur(entry.name, now)
            return None
        return await self._occurrences.act(entry.name, now, yes=yes, date=date, given=given)

    async def _schedule(self, request: dict[str, Any]) -> ShelfRow:
        entry = self._entry(request)
        wanted = _wanted(request)
        async with self._free(entry):
            entry = self._scripts.entry(entry.name)
            after = entry.life
            if wanted is not None:
                if after.stage not in _SCHEDULABLE:
                    raise ScriptError(f"{entry.name} is {after.stage}: approve it first")
                await self._told_enough(entry, wanted)
                after = lives.unattended(after)
            entry = replace(entry, life=after, schedule=wanted, fired=self._now())
            return await self._row(await self._scripts.put(entry, by=BY))

    async def _told_enough(self, entry: Entry, wanted: Schedule) -> None:
        """A script with inputs has a schedule only for values of theirs."""
        script = await self._scripts.script(entry.life.content)
        for given in wanted.given or ((),):
            try:
                fitted(script, dict(given))
            except ValueError as error:
                line = f'cockpit script schedule {entry.name} "{wanted.cron}"'
                said = "".join(f" {one.option} …" for one in script.inputs)
                raise ScriptError(f"{entry.name} has no schedule: {error}; {line}{said}") from error


def needs(life: Life, script: Script | None) -> str:
    """What the script waits for, in words; empty when it needs nothing."""
    if script is None:
        return "its content is damaged: build it again"
    left = lives.agreements(life) - life.agreeing
    match life.stage:
        case "compiled":
            return f"a proof: {life.reason or 'no gate was tried'}"
        case "verified":
            return f"your review: {life.reason}" if life.reason else "your review"
        case "approved" | "shadow" if left > 0:
            runs = "run" if left == 1 else "runs"
            also = "" if life.approved == life.content else ", and your approval"
            return f"{left} more {runs} of the agent to agree with{also}"
        case "shadow":
            return "your approval"
        case "quarantined":
            return f"the agent's next run: {life.reason}"
        case "repairing":
            return "its repair"
    return ""


def _same(entry: Entry, request: dict[str, Any]) -> None:
    looked_at = str(request.get("content") or "")
    if looked_at != entry.life.content:
        raise ScriptError(
            f"what you looked at ({looked_at[:12]}) is not what is on the shelf"
            f" ({entry.life.content[:12]}): look again"
        )


def _date(told: object) -> str:
    if not told:
        return ""
    from datetime import date

    try:
        return date.fromisoformat(str(told)).isoformat()
    except ValueError:
        raise ScriptError(f"{told!r} is no date: write it as 2026-11-23") from None


def _given(told: object) -> Given:
    """The values of inputs as they were asked for."""
    try:
        return tuple(msgspec.convert(told, dict[str, str]).items())
    except msgspec.ValidationError as error:
        raise ScriptError(f"given: {error}") from error


def _wanted(request: dict[str, Any]) -> Schedule | None:
    """The schedule that is asked for, checked; None ends the one there is."""
    if not request.get("cron"):
        return None
    given = {
        name: request[name] for name in Schedule.__struct_fields__ if request.get(name) is not None
    }
    try:
        wanted = msgspec.convert(given, Schedule)
        schedule.check(wanted)
    except (msgspec.ValidationError, ValueError) as error:
        raise ScriptError(str(error)) from error
    return wanted
