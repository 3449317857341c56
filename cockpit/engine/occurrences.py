"""What happens when a task is due: the script does it, or the agent, and the one is compared with the other.

A script that gives up is quarantined, the agent does this occurrence, and its run teaches the repair.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect import life as lives
from cockpit.architect.phrases import fitted, options, phrased
from cockpit.architect.repair import is_learning
from cockpit.architect.result import Judged, Said, judged, limit_ms
from cockpit.architect.savings import baseline
from cockpit.core.script import EXIT_DONE, Script
from cockpit.core.shelf import Cost, CostOf, Entry, Given, Kind, Life, ScriptRun, Wish
from cockpit.core.text import one_line
from cockpit.core.trace import Trace
from cockpit.engine import schedule
from cockpit.engine.making import Evidence, Making, paid
from cockpit.engine.scripts import ScriptError, Scripts

Purpose = Literal["due", "audit"]

log = logging.getLogger(__name__)


class Beside(Struct, frozen=True):
    """A script's run in the world that an agent's run began in, and where the two then differ."""

    said: Said
    differences: tuple[str, ...] = ()
    comparable: bool = True
    """Whether there was a world to run it in, and something to hold it."""


class Act(Protocol):
    """A run that is over, and whose files may not be in the workspace yet."""

    said: Said
    changed: bool
    """Whether it did anything; of a commit nobody can tell."""

    def look(self, path: str) -> bytes | None:
        """A file of the workspace as the run left it."""
        ...

    def keep(self) -> str:
        """Puts what it wrote into the workspace; why it could not, empty when it did."""
        ...


class Bench(Protocol):
    """Where scripts run; slow, called in threads."""

    @property
    def held(self) -> str:
        """What holds a script: `sandlock`, `bubblewrap`; empty where nothing does."""
        ...

    def act(
        self,
        script: Script,
        workspace: Path,
        date: str,
        limit_ms: int,
        *,
        dry: bool,
        arguments: tuple[str, ...] = (),
    ) -> Act:
        """Runs it on the workspace; `dry` must leave nothing of it."""
        ...

    def beside(self, script: Script, trace: Trace, limit_ms: int) -> Beside:
        """Runs it in a copy of the world that the agent's run began in; nothing of it stays."""
        ...


class Turn(Struct, frozen=True):
    """What the agent does in place of a script, or beside it: why, for which day and which values."""

    purpose: Purpose
    day: str = ""
    given: Given = ()


class Occurrences:
    """Belongs to the engine's event loop. `begin` starts an agent and gives its run's id."""

    def __init__(
        self,
        *,
        scripts: Scripts,
        making: Making,
        evidence: Evidence,
        bench: Bench,
        begin: Callable[[Wish], Awaitable[str]],
        script_of: Callable[[str], Awaitable[str]],
        alive: Callable[[str], bool],
        now: Callable[[], int],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`script_of` names the script whose task an agent's run did; `alive` knows who still works."""
        self._scripts = scripts
        self._making = making
        self._evidence = evidence
        self._bench = bench
        self._begin = begin
        self._script_of = script_of
        self._alive = alive
        self._now = now
        self._pause = pause
        self._awaited: dict[str, tuple[str, Turn]] = {}
        self._queue: dict[str, list[Turn]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- the clock

    async def start(self) -> None:
        """Takes up what a former engine left in the middle of a repair."""
        for entry in self._scripts:
            if entry.life.stage == "repairing":
                after = lives.beyond_repair(entry.life, "the engine ended during the repair")
                await self._scripts.put(replace(entry, life=after), by="repair")

    async def close(self) -> None:
        """Ends what is under way; a script's own process ends with its sandbox."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tick(self) -> None:
        """Once a second: begins what is due."""
        now = self._now()
        for entry in self._scripts:
            when = entry.schedule
            if when is None or when.keeper != "engine" or self._scripts.is_busy(entry.name):
                continue
            found = schedule.due(when, entry.fired, now)
            if found is not None:
                self._go(self._fired(entry.name, found))

    async def _fired(self, name: str, due: schedule.Due) -> None:
        async with self._scripts.lock(name):
            entry = self._scripts.entry(name)
            if due.at <= entry.fired < due.at + schedule.FAR_MS:
                return
            await self._scripts.put(replace(entry, fired=due.at))
        if due.act:
            await self.occur(name, due.at)
        else:
            day = schedule.day_of(entry.schedule, due.at)
            await self._scripts.notice(f"script {name}: its time on {day} was missed and left out")

    async def occur(self, name: str, at: int) -> None:
        """The task is due: the script does it if it is adopted, else the agent does; for all its values."""
        when = self._scripts.entry(name).schedule
        for given in (when.given if when is not None else ()) or ((),):
            await self._due(name, at, given)

    async def _due(self, name: str, at: int, given: Given) -> None:
        entry = self._scripts.entry(name)
        day = schedule.day_of(entry.schedule, at)
        if entry.life.stage == "active":
            audit = Turn("audit", day, given)
            if not (lives.is_audited(entry.life) and await self._asked_agent(entry, audit)):
                await self._acted_or_told(name, at, given)
        elif not await self._asked_agent(entry, Turn("due", day, given)):
            text = f"script {name} is {entry.life.stage} and no agent can be begun: nobody did it"
            await self._scripts.notice(text, "error")

    async def _acted_or_told(self, name: str, at: int, given: Given = ()) -> None:
        try:
            await self.act(name, at, scheduled=True, given=given)
        except ScriptError as error:
            await self._scripts.notice(f"script {name}: {error}", "error")

    async def _asked_agent(self, entry: Entry, turn: Turn) -> str:
        """The run of the agent that does the task now; empty when none can be begun."""
        working = next((run for run in self._working(entry.name) if self._alive(run)), "")
        if working and turn.given not in ((), self._awaited[working][1].given):
            self._queue.setdefault(entry.name, []).append(turn)
            return working
        if working:
            text = (
                f"script {entry.name}: the agent is still at it ({working}); no second one is begun"
            )
            await self._scripts.notice(text, "warning")
            return working
        wish = await self._wish(entry, turn)
        if wish is None:
            return ""
        try:
            run = await self._begin(wish)
        except (ValueError, OSError) as error:
            text = f"script {entry.name}: the agent could not be begun: {error}"
            await self._scripts.notice(text, "error")
            return ""
        self._awaited[run] = (entry.name, turn)
        return run

    async def _wish(self, entry: Entry, turn: Turn) -> Wish | None:
        """How the agent is asked for this day and these values; None where nobody knows how to say them."""
        if entry.wish is None:
            return None
        script = await self._scripts.script(entry.life.content)
        try:
            values, day = fitted(script, dict(turn.given)), date.fromisoformat(turn.day)
        except ValueError:
            return None
        said = [phrased(script, word, values, day) for word in entry.wish.command]
        if script.inputs and not any(said):
            return None
        command = (new or old for new, old in zip(said, entry.wish.command, strict=True))
        return replace(entry.wish, command=tuple(command))

    async def _next(self, name: str) -> None:
        """The agent is free for the next of several values."""
        waiting = self._queue.pop(name, [])
        while waiting:
            turn = waiting.pop(0)
            entry = self._scripts.entry(name)
            if entry.life.stage == "active" and turn.purpose == "due":
                await self._acted_or_told(name, self._now(), turn.given)
            elif await self._asked_agent(entry, turn):
                break
        self._queue.setdefault(name, []).extend(waiting)

    def _working(self, name: str) -> list[str]:
        return [run for run, (script, _) in self._awaited.items() if script == name]

    def _words(self, name: str, script: Script, given: Given) -> tuple[str, ...]:
        try:
            return options(script, fitted(script, dict(given)))
        except ValueError as error:
            asked = "".join(f" {one.option} …" for one in script.inputs)
            raise ScriptError(
                f"{name} was not run: {error}; cockpit script run {name}{asked}"
            ) from error

    # --- the script at work

    async def act(
        self,
        name: str,
        at: int,
        *,
        scheduled: bool = False,
        yes: bool = False,
        date: str = "",
        given: Given = (),
    ) -> ScriptRun:
        """The adopted script does the task, in its workspace, for the values given.

        Raises:
            ScriptError: when it may not, or is at work already.
        """
        if self._scripts.is_busy(name):
            raise ScriptError(f"{name} is at work already")
        async with self._scripts.lock(name):
            entry = self._scripts.entry(name)
            refusal = lives.may_run(entry.life, entry.life.content)
            if refusal:
                raise ScriptError(f"{name} was not run: {refusal}")
            script = await self._allowed(entry, yes=yes)
            words = self._words(name, script, given)
            day = date or schedule.day_of(entry.schedule, at)
            began, verdict, act = await self._attempts(
                entry, script, day, words, scheduled=scheduled
            )
            run = self._run(script, "active", began, act.said, verdict, given)
            if verdict.passed and (scheduled or act.changed):
                run = replace(run, saved_nano=baseline(entry.paid.values()) or 0)
            return await self._after(entry, run, verdict, Turn("due", day, given))

    async def _allowed(self, entry: Entry, *, yes: bool) -> Script:
        """The script out of the store, if something holds it or the operator said yes just now."""
        held = await asyncio.to_thread(lambda: self._bench.held)
        if not held and not yes:
            raise ScriptError(
                "nothing on this machine holds a script (cockpit doctor says why), so it runs only"
                f" after your yes, each time: cockpit script run {entry.name} --yes"
            )
        return await self._scripts.script(entry.life.content)

    async def dry(
        self, name: str, at: int, *, yes: bool = False, date: str = "", given: Given = ()
    ) -> ScriptRun:
        """A run that leaves nothing and counts for nothing, in any stage but the first.

        Raises:
            ScriptError: when it may not.
        """
        async with self._scripts.lock(name):
            entry = self._scripts.entry(name)
            if entry.life.stage == "compiled":
                raise ScriptError(f"{name} was not run: {entry.life.reason or 'no gate passed it'}")
            script = await self._allowed(entry, yes=yes)
            words = self._words(name, script, given)
            day, began = date or schedule.day_of(entry.schedule, at), self._now()
            limit, place = await self._limit(entry), Path(entry.workspace)
            act = await asyncio.to_thread(
                self._bench.act, script, place, day, limit, dry=True, arguments=words
            )
            verdict = judged(script, act.said, None)
            run = self._run(script, "asked", began, act.said, verdict, given)
            await self._scripts.ran(entry, run)
            return run

    async def _attempts(
        self, entry: Entry, script: Script, day: str, words: tuple[str, ...], *, scheduled: bool
    ) -> tuple[int, Judged, Act]:
        """Tried again while a source is not available, unless the operator stands by."""
        limit, place = await self._limit(entry), Path(entry.workspace)
        for wait_ms in (*(lives.RETRIES_MS if scheduled else ()), None):
            began = self._now()
            act = await asyncio.to_thread(
                self._bench.act, script, place, day, limit, dry=False, arguments=words
            )
            verdict = await asyncio.to_thread(_settled, script, act)
            if verdict.ending != "unavailable" or wait_ms is None:
                break
            await self._pause(wait_ms / 1000)
        return began, verdict, act

    async def _limit(self, entry: Entry) -> int:
        past = await asyncio.to_thread(self._scripts.store.runs, entry.name)
        return limit_ms([run.ended - run.began for run in past if run.passed])

    def _run(
        self,
        script: Script,
        kind: Kind,
        began: int,
        said: Said,
        verdict: Judged,
        given: Given = (),
    ) -> ScriptRun:
        return ScriptRun(
            content=script.content, kind=kind, began=began, ended=self._now(),
            exit_code=said.exit_code, passed=verdict.passed, reason=verdict.reason,
            outputs=verdict.outputs, skipped=verdict.skipped, given=given,
        )  # fmt: skip

    async def _after(self, entry: Entry, run: ScriptRun, verdict: Judged, turn: Turn) -> ScriptRun:
        match verdict.ending:
            case "done":
                await self._scripts.ran(replace(entry, life=lives.ran(entry.life)), run)
            case "unavailable":
                await self._scripts.ran(entry, run)
                text = f"script {entry.name}: {verdict.reason}; no agent was asked for this"
                await self._scripts.notice(text, "error")
            case "denied":
                await self._scripts.ran(self._gave_up(entry, verdict), run)
            case _:
                entry = await self._scripts.put(self._gave_up(entry, verdict))
                run = replace(run, beside=await self._asked_agent(entry, turn))
                await self._scripts.ran(entry, run)
        return run

    def _gave_up(self, entry: Entry, verdict: Judged) -> Entry:
        reason = f"{verdict.ending}: {verdict.reason}"
        learning = verdict.ending == "drift" and is_learning(verdict.reason)
        after = lives.drifted(entry.life, reason, self._now(), learning=learning)
        return replace(entry, life=after)

    # --- beside the agent

    def witnessed(self, run: str) -> None:
        """There is new evidence."""
        self._go(self._weighed(run))

    async def _weighed(self, run: str) -> None:
        name, turn = self._awaited.pop(run, ("", Turn("due")))
        name = name or await self._script_of(run)
        if name:
            await self._told(name, run, turn)
            await self._next(name)

    async def _told(self, name: str, run: str, turn: Turn) -> None:
        """What the agent's run means for the script."""
        purpose = turn.purpose
        trace = await asyncio.to_thread(self._evidence.trace, run)
        if trace is not None and trace.outcome == "done" and not trace.distrusted:
            await self._learned(name, trace, purpose)
            return
        entry = self._scripts.entry(name)
        await self._no_help(entry, run, trace)
        undone = trace is None or trace.outcome != "done"
        if purpose == "audit" and undone and entry.life.stage == "active":
            await self._acted_or_told(name, self._now(), turn.given)

    async def _learned(self, name: str, trace: Trace, purpose: Purpose) -> None:
        """The agent did the task: what the script makes of it, and whether that mends the script."""
        async with self._scripts.lock(name):
            entry, run = self._scripts.entry(name), trace.run
            before = entry.life.stage
            if run not in entry.evidence:
                known = {**entry.paid, **paid([trace])}
                entry = replace(entry, evidence=(*entry.evidence, run), paid=known)
                entry = await self._scripts.put(entry)
            if before in lives.WATCHED:
                entry = await self._compared(entry, trace, "shadow")
                if entry.life.stage == "shadow":
                    entry = await self._making.reconsider(entry)
            elif before == "active" and purpose == "audit":
                entry = await self._compared(entry, trace, "audit")
            if entry.life.stage == "quarantined":
                await self._making.repair(entry)

    async def _no_help(self, entry: Entry, run: str, trace: Trace | None) -> None:
        why = "left no evidence" if trace is None else trace.distrusted or f"is {trace.outcome}"
        if entry.life.stage in lives.BY_AGENT:
            text = f"script {entry.name}: the agent's run {run} {why} and teaches nothing"
            await self._scripts.notice(text, "warning")

    async def _compared(self, entry: Entry, trace: Trace, kind: CostOf) -> Entry:
        script = await self._scripts.script(entry.life.content)
        began, limit = self._now(), await self._limit(entry)
        beside = await asyncio.to_thread(self._bench.beside, script, trace, limit)
        if not beside.comparable:
            why = one_line(beside.said.stderr, 200)
            await self._scripts.notice(f"script {entry.name}: nothing to compare: {why}", "warning")
            return entry
        verdict = judged(script, beside.said, None)
        differences = beside.differences if beside.said.exit_code == EXIT_DONE else ()
        run = self._run(
            script, "audit" if kind == "audit" else "shadow", began, beside.said, verdict
        )
        agreed = verdict.passed and not differences
        reason = one_line(differences[0], 300) if differences else run.reason
        run = replace(run, agreed=agreed, reason=reason, beside=trace.run)
        if kind == "audit" and agreed:
            run = replace(run, saved_nano=baseline(entry.paid.values()) or 0)
        costs = [] if trace.nano is None else [Cost(run.ended, kind, trace.nano, trace.run)]
        after = self._weight(entry.life, run, verdict, differences)
        return await self._scripts.ran(replace(entry, life=after), run, *costs)

    def _weight(
        self, life: Life, run: ScriptRun, verdict: Judged, differences: Sequence[str]
    ) -> Life:
        if run.agreed:
            return lives.agreed(lives.ran(life) if life.stage == "active" else life)
        if differences:
            return lives.disagreed(life, f"differs from the agent: {run.reason}", self._now())
        learning = verdict.ending == "drift" and is_learning(verdict.reason)
        reason = f"{verdict.ending}: {run.reason}"
        return lives.drifted(life, reason, self._now(), learning=learning)

    # --- work in the background

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a script's occurrence failed")


def _settled(script: Script, act: Act) -> Judged:
    """What the run came to; only what kept its contract reaches the workspace."""
    verdict = judged(script, act.said, act.look)
    against = act.keep() if verdict.passed else ""
    return replace(verdict, ending="broken", reason=against) if against else verdict
