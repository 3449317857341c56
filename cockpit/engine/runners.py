"""Every run that has a runner: started, kept alive by a lease, adopted or swept, and booked at its end."""

import asyncio
import logging
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Future
from typing import Any, NamedTuple

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import (
    Authority,
    Event,
    ProcessFound,
    RunEnded,
    RunStopped,
    StopFailed,
    StopRequested,
)
from cockpit.core.text import one_line
from cockpit.engine import cgroups, frames, kernel, records, sweep
from cockpit.engine.lookout import Lookout
from cockpit.engine.processes import created
from cockpit.engine.records import Record
from cockpit.engine.reins import Ended, Hear, Rein, SpawnError, Spec, connect
from cockpit.engine.stop import stop
from cockpit.engine.stops import Held
from cockpit.engine.tree import Target, Tree

BEAT_SECONDS = 5.0
BIRTH_SECONDS = 20.0
GONE_SECONDS = 2.0
PART_SECONDS = 1.0
"""So long the engine waits at its end for runners that are about to go."""
LOOK_SECONDS = 0.01
RUNNER = ("-m", "cockpit.engine.runner")
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "TMPDIR")
"""What a runner needs of our own environment. The agent's is in its spec, and only there."""

log = logging.getLogger(__name__)


class _Lost(NamedTuple):
    """A run whose runner is gone; `fallen`: while we lived, so that its orphans are our children."""

    record: Record
    fallen: bool


class Runners:
    """Belongs to the engine's event loop.

    `record` makes an event take effect, its future is done once it is durable. `ended` is told how a
    run ended before its books close, `rule` knows how an agent must be signalled, `spare` gives pids
    of cockpit's own.
    """

    def __init__(
        self,
        *,
        record: Callable[[Event], "Future[int]"],
        now: Callable[[], int],
        lookout: Lookout,
        spare: Callable[[], Collection[int]] = tuple,
        ended: Callable[[str, Ended], Awaitable[None]] | None = None,
        rule: Callable[[str], InterruptRule] = lambda _: InterruptRule(),
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self._record = record
        self._now = now
        self._lookout = lookout
        self._spare = spare
        self._ended = ended
        self._rule = rule
        self._beat_seconds = beat_seconds
        self._reins: dict[str, Rein] = {}
        self._parting: dict[str, Rein] = {}
        self._lost: dict[str, _Lost] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Becomes who orphans fall to; adopts the runners that are there, sweeps after the others.

        Every run is under control again, or being swept, when this returns.
        """
        kernel.become_subreaper()
        await asyncio.gather(*(self._find_again(record) for record in records.every()))
        await asyncio.to_thread(cgroups.tidy)
        self._go(self._keep_alive())

    async def close(self) -> None:
        """Lets go of everything; the runs go on until their leases are over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PART_SECONDS
        while self._parting and loop.time() < deadline:  # noqa: ASYNC110 - each task tells itself
            await asyncio.sleep(LOOK_SECONDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(rein.close() for rein in self._reins.values()))

    def rein(self, run: str) -> Rein | None:
        """The run's runner, while it lives."""
        return self._reins.get(run)

    def held(self, run: str) -> Held | None:
        """What a stop needs to know about a run of ours; None for all others."""
        rein = self._reins.get(run)
        if rein is None or rein.record is None:
            lost = self._lost.get(run)
            return None if lost is None else self._without_runner(lost)
        record = rein.record
        target = Target(run, (record.agent,), owner=record.owner, sessions=(record.sid,))
        return Held(target, hand=rein)

    def _without_runner(self, lost: "_Lost") -> Held:
        """As of now: orphans fall to us only at the very end of their runner."""
        record = lost.record
        orphans = self._orphans(record) if lost.fallen else []
        return Held(sweep.target(record, orphans), hand=sweep.ByGroup(record.cgroup))

    def _orphans(self, record: Record) -> list[kernel.Row]:
        return sweep.orphans(self._known() - {record.runner}, record.ticks)

    def _go(self, work: Any) -> None:  # noqa: ANN401 - any coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- birth

    async def spawn(self, spec: Spec, hear: Hear | None = None) -> Rein:
        """Starts an agent; it runs when this returns, and was on record before it began.

        `hear` gets its output, in addition to whoever is attached.

        Raises:
            SpawnError: when it could not be started; nothing is told of it and nothing left of it.
        """
        if spec.run in self._reins or spec.run in self._lost:
            raise SpawnError(f"{spec.run} runs already")
        while spec.run in self._parting:
            await asyncio.wait((self._parting[spec.run].left,))
        secret = secrets.token_hex(16)
        group = cgroups.make(f"{records.named(spec.run)}-{secret[:8]}")
        rein, child = _start_runner(spec.run, secret)
        rein.hear = hear
        self._children[child.pid] = child
        try:
            await rein.open()
            rein.say(frames.SPEC, **_told(spec, secret, group, watch=hear is not None))
            born = await asyncio.wait_for(asyncio.shield(rein.born), BIRTH_SECONDS)
            await self._put_on_record(rein, spec, born)
        except BaseException as error:
            await self._undo(rein, child, group)
            if not isinstance(error, Exception):
                raise
            raise SpawnError(one_line(str(error)) or "its runner does not answer") from error
        self._go(self._govern(rein))
        rein.say(frames.GO)
        await asyncio.wait_for(asyncio.shield(rein.began), BIRTH_SECONDS)
        return rein

    async def _put_on_record(self, rein: Rein, spec: Spec, born: dict[str, Any]) -> None:
        rein.record = _record_of(spec, rein.secret, born, self._now())
        self._reins[spec.run] = rein
        await asyncio.to_thread(records.write, rein.record)
        await asyncio.wrap_future(self._found(rein.record, "started by cockpit"))

    async def _undo(self, rein: Rein, child: "subprocess.Popen[bytes]", group: str) -> None:
        child.kill()  # whom it bore waits at the gate, and leaves when that closes
        await asyncio.to_thread(child.wait)
        self._children.pop(child.pid, None)  # whoever beats may have seen it end
        self._reins.pop(rein.run, None)
        await rein.close()
        records.forget(rein.run)
        cgroups.remove(group)

    def _found(self, record: Record, evidence: str) -> "Future[int]":
        pid, born = record.agent
        authority: Authority = "wire" if record.authority == "wire" else "process"
        return self._record(
            ProcessFound(
                run=record.run, at=self._now(), pid=pid, created=born,
                authority=authority, evidence=evidence,
            )
        )  # fmt: skip

    # --- life

    async def _keep_alive(self) -> None:
        while True:
            for rein in self._reins.values():
                rein.say(frames.BEAT)
            for pid in [pid for pid, child in self._children.items() if child.poll() is not None]:
                del self._children[pid]
            await asyncio.sleep(self._beat_seconds)

    def _known(self) -> set[int]:
        adopted = {rein.record.runner for rein in self._reins.values() if rein.record is not None}
        return {*self._children, *adopted}

    async def _govern(self, rein: Rein) -> None:
        """Listens to a runner to its end, and closes the books of its run."""
        ended = await rein.ended
        record = rein.record
        if record is None:
            return
        if ended is None:
            await self._lose(record, fallen=True)
        else:
            if rein.has_begun:
                await self._book(record, ended)
            self._parting[record.run] = self._reins.pop(record.run)
            await rein.farewell()
            await asyncio.to_thread(self._forget, record)
            del self._parting[record.run]
        await rein.close()

    # --- the end

    async def _book(self, record: Record, ended: Ended) -> None:
        if self._ended is not None:
            try:
                await self._ended(record.run, ended)
            except Exception:
                log.exception("what %s left could not be saved", record.run)
        done = RunEnded(run=record.run, at=self._now(), outcome=ended.outcome)
        await asyncio.wrap_future(self._record(done))

    def _forget(self, record: Record) -> None:
        self._lost.pop(record.run, None)
        cgroups.remove(record.cgroup)
        records.forget(record.run)

    # --- after a crash

    async def _find_again(self, record: Record) -> None:
        """A runner that answers is governed again; what others left is swept."""
        if not record.is_of_this_boot:
            await self._book(record, Ended(None, "the machine, which was started anew"))
            self._forget(record)
        elif not await self._adopt(record):
            self._go(self._lose(record, fallen=False))

    async def _adopt(self, record: Record) -> bool:
        connection = await asyncio.to_thread(connect, records.socket_of(record.run))
        if connection is None:
            return False
        rein = Rein(record.run, record.secret, connection)
        await rein.open()
        try:
            status = await rein.greet()
        except (SpawnError, TimeoutError):
            status = {}
        if (status.get("runner"), status.get("pid")) != (record.runner, record.pid):
            await rein.close()
            return False
        rein.record = record
        self._reins[record.run] = rein
        self._found(record, "its runner answers")
        self._go(self._govern(rein))
        return True

    async def _lose(self, record: Record, *, fallen: bool) -> None:
        """Its runner is gone, or deaf: stops what is left of the run, then closes its books.

        If it was `fallen` while we lived, its orphans fell to us.
        """
        lost = self._lost[record.run] = _Lost(record, fallen)
        self._reins.pop(record.run, None)
        await self._is_gone(record)
        last = records.end(record.run)
        swept = await self._is_swept(record, self._without_runner(lost).target)
        if fallen:
            self._orphans(record)  # takes the dead from the kernel
        if swept:
            code, by = (last.code, last.by) if last else (None, "the death of its runner")
            await self._book(record, Ended(code, by))
            self._forget(record)

    async def _is_gone(self, record: Record) -> None:
        """Orphans are ours only once their runner has ended; its end of a socket closes before."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GONE_SECONDS
        while loop.time() < deadline:
            child = self._children.get(record.runner)
            if child is not None:
                child.poll()
            row = kernel.row(record.runner)
            if row is None or not row.alive or row.ticks != record.runner_ticks:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_swept(self, record: Record, target: Target) -> bool:
        """Whether nobody is left. A run that cannot be swept stays on record."""
        table = await self._lookout.fresh()
        if not Tree(target, ()).look(table):
            return True
        why = f"the engine: its runner (pid {record.runner}) is gone"
        self._record(StopRequested(run=record.run, at=self._now(), by=why))
        outcome: RunStopped | StopFailed = await stop(
            target,
            self._rule(record.run),
            mode="stop",
            emit=self._record,
            now=self._now,
            lookout=self._lookout,
            spare=self._spare(),
            hand=sweep.ByGroup(record.cgroup),
        )
        self._record(outcome)
        return isinstance(outcome, RunStopped)


def _start_runner(run: str, secret: str) -> "tuple[Rein, subprocess.Popen[bytes]]":
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            [sys.executable, *RUNNER, run],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={name: os.environ[name] for name in KEPT if name in os.environ},
        )
    return Rein(run, secret, ours), child


def _told(spec: Spec, secret: str, group: str, *, watch: bool) -> dict[str, object]:
    rows, columns = spec.size or (0, 0)
    place = records.directory() / spec.run
    return {
        "run": spec.run,
        "argv": list(spec.argv),
        "cwd": spec.cwd,
        "environment": dict(spec.environment),
        "umask": spec.umask,
        "rows": rows,
        "columns": columns,
        "stdin": spec.stdin,
        "files": {str(path): data.decode("latin-1") for path, data in spec.files.items()},
        "socket": f"{place}.sock",
        "tree": f"{place}.tree",
        "end": f"{place}.end",
        "secret": secret,
        "lease": spec.lease,
        "cgroup": group,
        "watch": watch,
        "awaited": spec.awaited,
        "leftovers": spec.leftovers,
    }


def _record_of(spec: Spec, secret: str, born: dict[str, Any], now: int) -> Record:
    return Record(
        run=spec.run,
        secret=secret,
        pid=int(born["pid"]),
        ticks=int(born["ticks"]),
        sid=int(born["sid"]),
        boot=str(born["boot"]),
        runner=int(born["runner"]),
        runner_ticks=int(born["runner_ticks"]),
        cgroup=str(born["cgroup"]),
        authority=spec.authority,
        born=now,
        created=created(int(born["pid"])) or 0,
        runner_created=created(int(born["runner"])) or 0,
    )
