"""Repeated tasks over all agents' runs: from evidence where there is some, else from transcripts.

Everything here is slow and runs in threads. What was found is kept (`Findings`): a look reads only
what changed since the last one, and a new run joins the task it is like. Once a day all runs are
compared anew.
"""

import functools
import hashlib
import os
from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock

from msgspec.structs import replace

from cockpit import architect
from cockpit.architect.profile import Profile, profile
from cockpit.architect.repeats import clusters, joined
from cockpit.architect.verdict import COMPILED_RUNS, LEAST_RUNS, Judged, judged, task_of
from cockpit.core.redaction import Redactor, known_secrets
from cockpit.core.script import Task
from cockpit.core.trace import Trace
from cockpit.engine import stories
from cockpit.engine.findings import Findings
from cockpit.engine.library import Library
from cockpit.engine.stories import Family
from cockpit.engine.traces import trace_of
from cockpit.journal import evidence, paths
from cockpit.journal.blobs import BlobStore
from cockpit.journal.evidence import Evidence, Row
from cockpit.journal.index import Index
from cockpit.journal.spend import spend
from cockpit.journal.wire_books import WireBooks

DAY_MS = 86_400_000
LOOKED_BACK_MS = 90 * DAY_MS
RECLUSTERED_MS = DAY_MS
ID_LENGTH = 8
FOREVER = 1 << 62
LEAST_REPEATS = 2


class Tasks:
    """The tasks of one operator. May be asked from several threads; one look at a time."""

    def __init__(
        self,
        library: Library,
        zone: str,
        *,
        blobs: BlobStore | None = None,
        journal: Path | None = None,
        index: Path | None = None,
        findings: Path | None = None,
        settled_ms: int = 0,
    ) -> None:
        """Transcripts that changed within `settled_ms` are still being written and wait."""
        self._library = library
        self._zone = zone
        self._blobs = blobs or evidence.store()
        self._journal = journal or paths.journal_file()
        self._index = index or paths.index_file()
        self._findings = findings or paths.cache() / "tasks.db"
        self._settled_ms = settled_ms
        self._redactor = Redactor(known_secrets(os.environ))
        self._lock = Lock()
        self._rows: dict[str, Row] = {}
        self._families: dict[str, Family] = {}
        self._profiles: dict[str, Profile] = {}
        self._tasks: list[Task] = []

    # --- what is asked

    def all(self, now: int, *, anew: bool = False) -> list[Task]:
        """Every task that repeats, what is worth most first. `anew` compares all runs once more."""
        with self._lock, Findings.open(self._findings) as findings:
            found = self._look(findings, now)
            self._profiles = {one.run: one for one in found}
            groups = self._grouped(findings, found, now, anew=anew)
            costs = self._costs()
            several = [group for group in groups if len(group) >= LEAST_REPEATS]
            tasks = [self._task(findings, group, costs) for group in several]
            self._tasks = sorted(tasks, key=_worth)
            return self._tasks

    def task(self, named: str) -> Task | None:
        """A task by its id, the beginning of it, or its name, as of the last look."""
        exact = [task for task in self._tasks if named in (task.id, task.name)]
        near = [task for task in self._tasks if task.id.startswith(named)] if named else []
        found = exact or near
        return found[0] if len(found) == 1 or exact else None

    def trace(self, run: str) -> Trace | None:
        """The evidence of a run; of one that left none, what its transcript tells."""
        row = self._rows.get(run) or self._row(run)
        trace = self._kept(row) if row is not None else None
        if trace is None:
            trace = self._told(run)
        if trace is None:
            return None
        cost = self._profiles.get(run)
        return trace if cost is None or trace.nano is not None else replace(trace, nano=cost.nano)

    def _row(self, run: str) -> Row | None:
        with Evidence.reading(self._journal, self._blobs) as kept:
            return kept.row(run) if kept else None

    def profile(self, run: str) -> Profile | None:
        """What is known of a run since the last look."""
        return self._profiles.get(run)

    @property
    def blobs(self) -> BlobStore:
        return self._blobs

    # --- reading

    def _look(self, findings: Findings, now: int) -> list[Profile]:
        """The profiles of all runs of late; what did not change is not read again."""
        with Evidence.reading(self._journal, self._blobs) as kept:
            rows = kept.rows() if kept else []
        self._rows = {row.run: row for row in rows}
        found = [one for row in rows for one in self._of_row(findings, row)]
        linked = self._linked({row.run for row in rows if row.body})
        self._families = stories.families(self._library)
        since, until = now - LOOKED_BACK_MS, now - self._settled_ms
        for family in self._families.values():
            if family.root not in linked and since < family.changed <= max(until, since):
                found += [one for one in self._of_family(findings, family) if one.run not in linked]
        return sorted(
            (one for one in found if one.began > now - LOOKED_BACK_MS), key=lambda one: one.began
        )

    def _linked(self, kept: set[str]) -> set[str]:
        """Runs seen in transcripts whose evidence is that of a governed run."""
        with WireBooks.reading(self._journal) as wire:
            governed = wire.runs() if wire else {}
        return {found for run, known in governed.items() if run in kept for found in known.found}

    def _of_row(self, findings: Findings, row: Row) -> list[Profile]:
        if not row.body or row.ended is None:
            return []
        known = findings.profiles(row.run, row.body)
        if known is None:
            trace = self._kept(row)
            known = [profile(trace)] if trace and (trace.steps or _changed(trace)) else []
            findings.keep_profiles(row.run, row.body, known)
        return known

    def _of_family(self, findings: Findings, family: Family) -> list[Profile]:
        known = findings.profiles(family.root, family.signature)
        if known is None:
            known = [profile(trace) for trace in self._traces(family).values()]
            findings.keep_profiles(family.root, family.signature, known)
        return known

    def _traces(self, family: Family) -> dict[str, Trace]:
        told = stories.told(family)
        found = {
            run: trace_of(events, run, family.agent, self._redactor, zone=self._zone)
            for run, events in told.items()
        }
        return {run: trace for run, trace in found.items() if trace and trace.prompts}

    def _kept(self, row: Row) -> Trace | None:
        try:
            return evidence.get(self._blobs, row.body) if row.body else None
        except KeyError:
            return None

    def _told(self, run: str) -> Trace | None:
        self._families = self._families or stories.families(self._library)
        family = self._families.get(run)
        every = [family] if family else [
            each for each in self._families.values() if not each.places[0].source.run
        ]  # fmt: skip
        return next((found[run] for each in every if run in (found := self._traces(each))), None)

    # --- grouping

    def _grouped(
        self, findings: Findings, found: Sequence[Profile], now: int, *, anew: bool
    ) -> list[list[Profile]]:
        at, names = findings.groups()
        if anew or not at or not now - RECLUSTERED_MS < at <= now:
            groups = clusters(found)
            findings.keep_groups(now, groups)
            return groups
        by_run = {one.run: one for one in found}
        groups = [[by_run[run] for run in group if run in by_run] for group in names]
        groups = [group for group in groups if group]
        known = {one.run for group in groups for one in group}
        late = [one for one in found if one.run not in known]
        groups = joined(late, groups) if late else groups
        findings.keep_groups(at, groups)
        return groups

    # --- judging

    def _costs(self) -> dict[str, int | None]:
        """What each run cost with its sub-agents (nano), None without a price."""
        try:
            index = Index.open(self._index, read_only=True)
        except FileNotFoundError:
            return {}
        with closing(index), WireBooks.reading(self._journal) as wire:
            report = spend(index, "run", 0, FOREVER, None, wire=wire)
            parents = {known.run: known.parent for known in index.runs().values() if known.parent}
            governed = wire.runs() if wire else {}
        costs: dict[str, int | None] = defaultdict(int)
        for row in report.rows:
            root = parents.get(row.key) or row.key
            spent = row.spent
            before = costs[root]
            priced = spent.unpriced_calls < spent.calls
            amount = spent.nano + spent.subscription_nano
            costs[root] = before + amount if priced and before is not None else None
        for run, known in governed.items():  # the wire's books are the transcripts' too
            costs.update(dict.fromkeys(known.found, costs.get(run)))
        return costs

    def _task(
        self, findings: Findings, group: Sequence[Profile], costs: Mapping[str, int | None]
    ) -> Task:
        group = sorted(group, key=lambda one: (one.began, one.run))
        identity = _identity(group[0].run)
        paid = [costs.get(one.run, one.nano) for one in group]
        return task_of(group, paid, self._judged(findings, identity, group), identity)

    def _judged(self, findings: Findings, identity: str, group: Sequence[Profile]) -> Judged:
        good = [one.run for one in group if one.succeeded][-COMPILED_RUNS:]
        key = hashlib.sha256("\n".join([_compiler(), *good]).encode()).hexdigest()
        known = findings.verdict(key)
        if known is None:
            few = len(good) < LEAST_RUNS
            runs = [one.run for one in group][-LEAST_RUNS:] if few else good
            known = judged(identity, self._every(runs), self._blobs)
            findings.keep_verdict(key, known)
        return known

    def _every(self, runs: Iterable[str]) -> list[Trace]:
        traces = (self.trace(run) for run in runs)
        return [trace for trace in traces if trace is not None]


@functools.cache
def _compiler() -> str:
    """The compiler, as the hash of its files: what another one judged is forgotten."""
    digest = hashlib.sha256()
    for file in sorted(Path(architect.__path__[0]).glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _changed(trace: Trace) -> bool:
    return trace.world is not None and bool(trace.world.changed())


def _identity(run: str) -> str:
    """A task is called after its first run: it keeps its name when more runs come."""
    return "task-" + b32encode(hashlib.sha256(run.encode()).digest()).decode().lower()[:ID_LENGTH]


def _worth(task: Task) -> tuple[int, int, int, str]:
    order = {"candidate": 0, "wait": 1, "no": 2}[task.verdict]
    return order, -(task.month_nano or 0), -len(task.runs), task.id
