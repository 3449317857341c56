"""Evidence of governed runs: their workspace at start and end, what they did in between, and how it went.

Nothing here holds a run up. The workspace is looked at in a thread while the agent starts, and what
was changed in the meantime is told; the story is read when the run is over.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import tzinfo
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents.registry import MODULES
from cockpit.architect import tools
from cockpit.architect.operations import operations
from cockpit.core import events as e
from cockpit.core.fleet import Run
from cockpit.core.redaction import Redactor, known_secrets
from cockpit.core.text import clean, one_line
from cockpit.core.trace import Fetch, Step, Trace, Tree, World
from cockpit.engine.fetches import prints_the_body
from cockpit.engine.reins import Ended
from cockpit.engine.retention import Retention
from cockpit.engine.testimony import (
    VALUE_LIMIT,
    date,
    heard_steps,
    joined,
    outcome,
    variables,
    zone_name,
)
from cockpit.engine.traces import trace_of
from cockpit.engine.wanted import Wanted
from cockpit.engine.workspace import CHANGED, Workspaces, is_known
from cockpit.gateway.governed import Governed
from cockpit.gateway.wire.dialect import DialectName
from cockpit.gateway.wire.tool_calls import ToolCall, tool_calls
from cockpit.journal import evidence, paths, traces
from cockpit.journal.blobs import BlobStore
from cockpit.journal.evidence import Evidence, Row
from cockpit.journal.keeping import EvidenceSettings
from cockpit.journal.store import Journal

STORY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""A transcript is found and joined to its run a moment after the run's end."""
CLOSE_SECONDS = 5.0
LATE = "the run changed its workspace before that had been looked at"
GONE_ON = "the run went on after an end: what happened to its workspace in between is not known"
KEPT_ENVIRONMENT = ("HOME", "USER", "LANG", "LC_ALL", "TZ", "SHELL")

Result = TypeVar("Result")
Story = Callable[[str], "tuple[list[e.Event], str, str] | None"]
"""Of a governed run: all its events under their found ids, and that id and agent; read in a thread."""

log = logging.getLogger(__name__)


class _Live(Struct, eq=False):
    """A run at work: when it began, and what was seen of it on the wire."""

    run: str
    agent: str
    wish: Wanted
    governed: Governed
    redactor: Redactor
    began: int
    began_ns: int
    looked_ns: int = 0
    before: Tree = Tree()
    known: Row | None = None
    heard: dict[str, tuple[ToolCall, int]] = {}


class Witness:
    """Keeps the evidence of governed runs. Belongs to the engine's event loop, works in one thread."""

    def __init__(
        self,
        *,
        settings: EvidenceSettings,
        journal: Journal,
        zone: tzinfo | None,
        run: Callable[[str], Run | None],
        story: Story,
        record: Callable[[e.Event], object],
        now: Callable[[], int],
        done: Callable[[str], None] = lambda _: None,
        blobs: BlobStore | None = None,
    ) -> None:
        """`done` hears of every run whose evidence is complete."""
        self.settings = settings
        self._journal = journal
        self._blobs = blobs or evidence.store()
        self._workspaces = Workspaces(self._blobs)
        self._zone = zone_name(zone)
        self._run = run
        self._story = story
        self._now = now
        self._done = done
        self._live: dict[str, _Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, "evidence")
        self._closing = asyncio.Event()
        self._bytes: dict[str, int] = {}
        self._retention = Retention(
            settings=settings, journal=journal, blobs=self._blobs, record=record, now=now
        )
        self._small: asyncio.Task[None] | None = None

    # --- a run begins

    def begin(self, run: str, agent: str, wish: Wanted, governed: Governed) -> None:
        """The run is about to start: its workspace is looked at meanwhile."""
        if not self.settings.on or self._closing.is_set():
            return
        secrets = {**known_secrets(os.environ), **known_secrets(wish.environment)}
        live = _Live(run, agent, wish, governed, Redactor(secrets), self._now(), time.time_ns())
        self._live[run] = live
        if agent not in MODULES:
            governed.heard = partial(self._hear, live)
        self._go(self._begun(live))

    async def _begun(self, live: _Live) -> None:
        await self._in_thread(self._look, live)
        if live.known is None:
            await self._keep(self._trace(live), ended=None)

    def _look(self, live: _Live) -> None:
        """The workspace before; of a run that goes on, what was known of it."""
        live.known = self._row(live.run)
        self._bytes[live.run] = live.known.bytes if live.known else 0
        with self._counted(live.run):
            live.before = self._workspaces.take(live.wish.cwd, live.redactor, began=live.began_ns)
        live.looked_ns = time.time_ns()

    def _hear(self, live: _Live, dialect: DialectName, body: bytes) -> None:
        """A request left of an agent without a transcript: the wire alone tells what it did."""
        if not self._closing.is_set():
            self._thread.submit(self._listen, live, dialect, body, self._now())

    def _listen(self, live: _Live, dialect: DialectName, body: bytes, at: int) -> None:
        for call in tool_calls(dialect, body):
            _, asked = live.heard.get(call.id, (call, at))
            live.heard[call.id] = (call, asked)

    # --- a run ends

    def ended(self, run: str, how: Ended) -> None:
        """The run's tree is empty: what it left is looked at, and then what it did."""
        if self.settings.on and not self._closing.is_set():
            self._go(self._closed(run, how, self._live.pop(run, None)))

    async def _closed(self, run: str, how: Ended, live: _Live | None) -> None:
        begun = await self._in_thread(self._left, run, live)
        if begun is None:
            return
        trace = replace(begun, ended=self._now(), outcome=outcome(how, self._run(run)))
        await self._keep(trace, ended=None)
        await self._tell(trace, live)

    def _left(self, run: str, live: _Live | None) -> Trace | None:
        """What is known, with the workspace as it was left."""
        row = self._row(run)
        begun = self._read(row)
        if live is not None and begun is None:
            begun = self._trace(live)
        if begun is None or begun.world is None:
            return begun
        redactor = live.redactor if live else Redactor(known_secrets(os.environ))
        with self._counted(run):
            after = self._workspaces.take(begun.world.root, redactor)
        distrusted = begun.distrusted or (GONE_ON if row is not None and row.ended else "")
        return replace(begun, world=replace(begun.world, after=after), distrusted=distrusted)

    async def _tell(self, trace: Trace, live: _Live | None) -> None:
        """Adds what the run did, as soon as somebody tells it."""
        told = await self._told(trace, live)
        if self._closing.is_set():
            return
        final = await self._in_thread(self._complete, trace, told, live)
        await self._keep(final, ended=final.ended)
        self._done(trace.run)

    async def _told(self, trace: Trace, live: _Live | None) -> Trace | None:
        if trace.agent not in MODULES:
            return None
        redactor = self._redactor(live)
        told = None
        for seconds in STORY_SECONDS:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)
                return None
            told = await self._in_thread(self._retold, trace, redactor)
            if told is not None and told.steps:
                break
        return told

    def _retold(self, trace: Trace, redactor: Redactor) -> Trace | None:
        story = self._story(trace.run)
        if story is None:
            return None
        events, found, agent = story
        return trace_of(events, found, agent, redactor, zone=trace.zone, root=trace.root)

    def _redactor(self, live: _Live | None) -> Redactor:
        known = dict(known_secrets(os.environ))
        if live is not None:
            known |= known_secrets(live.wish.environment)
            known |= live.governed.keys.known() if live.governed.keys else {}
        return Redactor(known)

    def _complete(self, trace: Trace, told: Trace | None, live: _Live | None) -> Trace:
        if told is None and live is not None and live.heard:
            steps = heard_steps(live.heard.values(), self._redactor(live))
            told = replace(trace, steps=steps)
        final = joined(trace, told, self._run(trace.run))
        world = final.world
        if world is None or not (is_known(world.before) and is_known(world.after or Tree())):
            return replace(final, world=None)
        if live is not None and _is_late(final.steps, live):
            final = replace(final, distrusted=final.distrusted or LATE)
        named = variables(final.steps, live.wish.environment) if live else {}
        world = replace(world, environment={**world.environment, **named})
        with self._counted(trace.run):
            world = replace(world, fetches=self._fetches(replace(final, world=world)))
        return replace(final, world=world)

    def _fetches(self, trace: Trace) -> tuple[Fetch, ...]:
        """What the run's own commands got from the web, where all that they printed is the body."""
        try:
            done = operations(trace)
        except (ValueError, RecursionError):
            return ()
        steps = {step.number: step for step in trace.steps}
        return tuple(
            Fetch(
                method="GET", url=one.target, status=200, at=steps[one.step].at,
                body=self._blobs.put(one.output.encode("utf-8", "replace")),
            )
            for one in done
            if one.kind == "get" and not one.opaque and _is_whole(steps[one.step])
        )  # fmt: skip

    # --- keeping

    def _trace(self, live: _Live) -> Trace:
        wish, given = live.wish, live.wish.environment
        environment = {
            **{name: given[name] for name in KEPT_ENVIRONMENT if name in given},
            "PWD": wish.cwd,
            "COCKPIT_DATE": date(live.began, self._zone),
            "COCKPIT_ARGV": json.dumps([clean(word, VALUE_LIMIT) for word in wish.command]),
        }
        task = wish.name or one_line(" ".join(wish.command), VALUE_LIMIT)
        safe = live.redactor
        return Trace(
            run=live.run,
            agent=live.agent,
            began=live.began,
            ended=live.began,
            zone=self._zone,
            root=wish.cwd,
            project=wish.project,
            prompts=(safe.text(task),),
            world=World(root=wish.cwd, before=live.before, environment=safe.value(environment)),
        )

    async def _keep(self, trace: Trace, *, ended: int | None) -> None:
        body = await self._in_thread(self._put, trace)
        row = Row(
            run=trace.run, agent=trace.agent, project=trace.project, began=trace.began,
            ended=ended, bytes=self._bytes.get(trace.run, 0), body=body,
        )  # fmt: skip
        if ended is not None:
            self._bytes.pop(trace.run, None)
        await asyncio.wrap_future(self._journal.write([traces.kept(row)], awaited=False))

    def _put(self, trace: Trace) -> str:
        with self._counted(trace.run):
            return evidence.put(self._blobs, trace)

    @contextmanager
    def _counted(self, run: str) -> Iterator[None]:
        """What is written meanwhile is the run's: all of it happens in one thread."""
        before = self._blobs.added
        yield
        self._bytes[run] = self._bytes.get(run, 0) + self._blobs.added - before

    def _row(self, run: str) -> Row | None:
        with Evidence.reading(paths.journal_file(), self._blobs) as kept:
            return kept.row(run) if kept else None

    def _read(self, row: Row | None) -> Trace | None:
        try:
            return evidence.get(self._blobs, row.body) if row and row.body else None
        except KeyError:
            return None

    # --- the engine's life

    def start(self, live: Iterable[str]) -> None:
        """Takes up what a former engine left: ends of runs that are over, and contents too old."""
        if self.settings.on:
            self._go(self._recover(frozenset(live)))
        self._small = asyncio.create_task(self._retention.keep_small())

    async def _recover(self, live: frozenset[str]) -> None:
        rows = await self._in_thread(self._unfinished)
        for row in rows:
            trace = await self._in_thread(self._read, row) if row.run not in live else None
            if trace is not None:
                run = self._run(row.run)
                ended = max(trace.ended, run.last_event if run else 0)
                await self._tell(replace(trace, ended=ended), None)

    def _unfinished(self) -> list[Row]:
        with Evidence.reading(paths.journal_file(), self._blobs) as kept:
            return [row for row in kept.rows() if row.ended is None and row.body] if kept else []

    async def close(self) -> None:
        """What is being written is finished; whose story was not told yet, the next engine tells."""
        self._closing.set()
        if self._small is not None:
            self._small.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, step: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *arguments)


def _is_late(steps: Sequence[Step], live: _Live) -> bool:
    """Whether the run may itself have changed what was then taken for the world before it."""
    changed = any(told.endswith(CHANGED) for told in live.before.left_out)
    return changed and bool(steps) and steps[0].at * 1_000_000 < live.looked_ns


def _is_whole(step: Step) -> bool:
    command = tools.command(step.arguments)
    return prints_the_body(command if isinstance(command, str) else (command or ("",))[-1])


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Evidence that cannot be kept is no reason to disturb a run."""
    try:
        await work
    except Exception as error:
        log.warning("evidence was lost: %s", error, exc_info=not isinstance(error, OSError))
