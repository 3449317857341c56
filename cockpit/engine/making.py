"""Scripts out of evidence: built, proven, mended. Slow work is done in threads, decisions in the loop."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect import life, repair
from cockpit.core.budget import Budget
from cockpit.core.script import Refusal, Script, Task, Trial
from cockpit.core.shelf import Built, Cost, Entry, Wish
from cockpit.core.text import one_line
from cockpit.core.trace import Trace
from cockpit.engine.scripts import ScriptError, Scripts
from cockpit.journal import shelf

NAME_LIMIT = 40
NAME_WORDS = 4
PLAIN = frozenset(
    (
        "a", "an", "and", "by", "can", "do", "for", "from", "in", "into", "it", "make", "me", "my",
        "of", "on", "out", "please", "put", "that", "the", "this", "to", "today", "with", "write",
        "you", "your",
    )
)  # fmt: skip
"""Words that say nothing of a task."""
ENOUGH = 3
FINAL = frozenset(("N2", "N4", "N8", "N11"))
"""Refusals that no compiler's success overrules: dialogue, free text, what cannot be undone, secrets."""

log = logging.getLogger(__name__)


class Evidence(Protocol):
    """What is known of runs; all of it is read in threads."""

    def task(self, named: str) -> Task | None:
        """A repeated task by its id, its name or one of its runs."""
        ...

    def trace(self, run: str) -> Trace | None:
        """The evidence of a run; None when there is none, or no longer."""
        ...


class Made(Struct, frozen=True):
    """A script, what it cost in nano-dollars, and why not."""

    script: Script | None = None
    refusal: Refusal | None = None
    nano: int = 0


class Maker(Protocol):
    """Compiles and proves; both are slow and run in threads."""

    def make(self, task: str, traces: Sequence[Trace], most: Budget) -> Made:
        """A script that does what these runs did; `most` is what a model may take for it."""
        ...

    def prove(self, script: Script, traces: Sequence[Trace]) -> tuple[Trial, ...]:
        """Every gate, on every run."""
        ...


class Making:
    """Belongs to the engine's event loop; whoever calls holds the script's lock, but for `build`."""

    def __init__(
        self,
        *,
        scripts: Scripts,
        evidence: Evidence,
        maker: Maker,
        wish: Callable[[Trace], Wish | None],
        now: Callable[[], int],
    ) -> None:
        self._scripts = scripts
        self._evidence = evidence
        self._maker = maker
        self._wish = wish
        self._now = now

    async def traces(self, runs: Iterable[str]) -> list[Trace]:
        """The evidence of these runs, as far as it is there."""
        found = await asyncio.to_thread(lambda: [self._evidence.trace(run) for run in runs])
        return [trace for trace in found if trace is not None]

    # --- new

    async def build(self, named: str, by: str) -> Built:
        """A script for a repeated task, compiled and proven; or why there is none.

        Raises:
            ScriptError: when there is no such task, or it has a script.
        """
        task = await asyncio.to_thread(self._evidence.task, named)
        if task is None:
            raise ScriptError(f"no repeated task is called {named!r}: cockpit tasks lists them")
        known = self._scripts.of_runs(task.runs)
        if known is not None:
            raise ScriptError(f"{known.name} does that: cockpit script show {known.name}")
        if task.refusal is not None and task.refusal.code in FINAL:
            return Built(refusal=task.refusal)
        traces = repair.speaking(await self.traces(task.runs), ())
        most = repair.synthesis(paid(traces).values())
        made = await asyncio.to_thread(self._maker.make, task.id, traces, most)
        if made.script is None:
            return Built(refusal=made.refusal)
        entry = await self._entered(task, made.script, traces, by)
        if made.nano:
            await self._scripts.paid(entry.name, Cost(self._now(), "synthesis", made.nano))
        async with self._scripts.lock(entry.name):
            await self.prove(entry)
        return Built(entry.name)

    async def _entered(self, task: Task, script: Script, traces: Sequence[Trace], by: str) -> Entry:
        newest = max(traces, key=lambda trace: trace.began)
        entry = Entry(
            name=self._name(task.name or script.purpose),
            task=task.id,
            life=life.compiled(script.content),
            workspace=newest.world.root if newest.world else newest.root,
            wish=self._wish(newest),
            month_nano=task.month_nano,
            proposed=task.cron,
            evidence=task.runs,
            paid=paid(traces),
        )
        return await self._scripts.put(entry, shelf.written(script, self._now()), by=by)

    def _name(self, told: str) -> str:
        words = re.findall(r"[a-z0-9]+", re.sub(r"['\u2019]s\b", "", one_line(told).lower()))
        telling = [word for word in words if word not in PLAIN and not word.isdigit()]
        name = "-".join(telling[:NAME_WORDS])[:NAME_LIMIT].strip("-") or "script"
        candidates = [name, *(f"{name}-{number}" for number in range(2, 1000))]
        return next(each for each in candidates if not self._scripts.taken(each))

    async def amend(self, entry: Entry, source: str, by: str) -> Entry:
        """The operator's own version: another content, to be proven and approved like any."""
        known = await self._scripts.script(entry.life.content)
        script = replace(known, source=source, body=_body(known, source))
        if script.content == known.content:
            return await self.prove(entry)
        return await self.prove(entry, script, by=by)

    # --- proof

    async def prove(self, entry: Entry, script: Script | None = None, by: str = "gates") -> Entry:
        """Puts the script, or another one in its place, through every gate."""
        script = script or await self._scripts.script(entry.life.content)
        traces = repair.speaking(await self.traces(entry.evidence), entry.superseded)
        trials = await asyncio.to_thread(self._maker.prove, script, traces)
        try:
            after = life.verified(entry.life, script.content, trials, self._now())
        except life.NotNowError as error:
            raise ScriptError(f"{entry.name}: {error}") from error
        return await self._scripts.put(
            replace(entry, life=after),
            shelf.written(script, self._now()),
            *shelf.tried(script.content, trials),
            by=by,
        )

    async def reconsider(self, entry: Entry) -> Entry:
        """Once more through the gates, where too few runs could be replayed and there is one more now."""
        trials = await asyncio.to_thread(self._scripts.store.trials, entry.life.content)
        return await self.prove(entry) if any(one.unproven for one in trials) else entry

    # --- repair

    async def repair(self, entry: Entry) -> Entry:
        """The one repair of the day, with the newest evidence; nothing where none is due."""
        if life.may_be_repaired(entry.life, self._now()):
            return entry
        broken = await self._scripts.script(entry.life.content)
        reason, since = entry.life.reason, entry.life.since
        mending = replace(entry, life=life.repairing(entry.life, self._now()))
        entry = await self._scripts.put(mending, by="repair")
        try:
            return await self._mended(entry, broken, reason, since)
        except Exception as error:
            log.exception("the repair of %s failed", entry.name)
            why = f"the repair failed: {one_line(str(error))}"
            return await self._given_up(self._scripts.entry(entry.name), why)

    async def _mended(self, entry: Entry, broken: Script, reason: str, since: int) -> Entry:
        every = await self.traces(entry.evidence)
        made, trials, against = await self._tried(entry.task, every, entry.superseded)
        nano = made.nano
        older = _older(every, since, entry.superseded) if against else ()
        if older and repair.named_source(reason, broken):
            entry = replace(entry, superseded=older)
            made, trials, against = await self._tried(entry.task, every, older)
            nano += made.nano
        if nano:
            await self._scripts.paid(entry.name, Cost(self._now(), "repair", nano))
        if made.script is None or against:
            return await self._given_up(entry, f"{reason}; no repair yet: {against}")
        return await self._applied(entry, broken, made.script, trials, reason)

    async def _tried(
        self, task: str, every: Sequence[Trace], superseded: Sequence[str]
    ) -> tuple[Made, tuple[Trial, ...], str]:
        """A script of what still speaks, what the gates say, and what is against it."""
        traces = repair.speaking(every, superseded)
        made = await asyncio.to_thread(self._maker.make, task, traces, repair.REPAIR)
        if made.script is None:
            return made, (), made.refusal.reason if made.refusal else "nothing compiles"
        trials = await asyncio.to_thread(self._maker.prove, made.script, traces)
        newest = max(traces, key=lambda trace: trace.began).run
        return made, trials, life.why_not(trials) or repair.left_open(trials, newest)

    async def _applied(
        self, entry: Entry, broken: Script, script: Script, trials: Sequence[Trial], reason: str
    ) -> Entry:
        review = repair.review(broken, script, trials)
        after = life.repaired(entry.life, script.content, review)
        entry = await self._scripts.put(
            entry, shelf.written(script, self._now()), *shelf.tried(script.content, trials)
        )
        if review:
            return await self._scripts.put(replace(entry, life=after), by="repair")
        why = f"mends {broken.content[:12]}: {reason}"
        return await self._scripts.decided(entry, after, "repair", "repair", why)

    async def _given_up(self, entry: Entry, why: str) -> Entry:
        after = life.beyond_repair(entry.life, one_line(why, 400))
        return await self._scripts.put(replace(entry, life=after), by="repair")


def _older(every: Sequence[Trace], since: int, superseded: Sequence[str]) -> tuple[str, ...]:
    """What is put aside when the world of before `since` is gone; nothing while too little is left."""
    before = [trace.run for trace in every if trace.began < since]
    older = tuple(dict.fromkeys((*superseded, *before)))
    return older if before and len(repair.speaking(every, older)) >= ENOUGH else ()


def paid(traces: Iterable[Trace]) -> dict[str, int]:
    """What the agent's runs that did the task cost, as far as they have a price."""
    return {
        trace.run: trace.nano
        for trace in traces
        if trace.outcome == "done" and trace.nano is not None
    }


def _body(script: Script, source: str) -> tuple[int, int]:
    """The lines to read of an edited source: its end moves with what was added."""
    first, last = script.body
    if not last:
        return script.body
    return first, max(first, last + source.count("\n") - script.source.count("\n"))
