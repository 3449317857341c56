"""The stop: a ladder from a polite interrupt to a kill, and a census that proves the end.

Every signal goes to a process named by pid and start time, never by name. A run counts as stopped
only when a look at the whole process table, begun after the last known death, finds nothing of its
tree alive; a zombie is not alive, it only waits for its parent to read its exit code.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Collection
from typing import Literal, Protocol

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import Event, Rung, RunStopped, StopClimbed, StopFailed
from cockpit.engine import kernel
from cockpit.engine.grip import Grip, send_to_group
from cockpit.engine.lookout import Lookout
from cockpit.engine.processes import Identity, Process
from cockpit.engine.tree import Target, Tree, lineage

FIRST_MS = 3_000
"""So long an agent may take to answer its own protocol's interrupt."""
TERMINATE_GRACE_MS = 5_000
"""Agents flush their session on SIGTERM; the slowest seen needs seconds."""
ORPHAN_GRACE_MS = 300
"""Once the agent itself is gone nobody will end its tools: the ladder goes on after this pause."""
KILL_BUDGET_MS = 2_000
HAND_MS = 1_400
"""A hand that needs longer is joined by our own signals."""
LOOK_EVERY_MS = 50
BLIND_LOOK_MS = 15
"""How often to look when a process cannot be waited for and only looking shows its end."""
KILL_LOOK_MS = 20
LINGER_MS = 500
FREEZE_ROUNDS = 8

Mode = Literal["stop", "panic"]
First = Callable[[Mode], Awaitable[object]]
"""What comes before any signal: up to its first await it refuses the run's next call, then it
interrupts by the agent's own protocol, and is done when the agent said so."""

log = logging.getLogger(__name__)


class Hand(Protocol):
    """A means stronger than signals from here: the run's runner, or its control group."""

    async def kill(self, spare: Collection[int]) -> int:
        """Freezes and kills the tree; returns how many it was, once that is done or in vain."""
        ...

    async def release(self) -> None:
        """The tree is empty: ends whatever held it."""
        ...


async def stop(
    target: Target,
    rule: InterruptRule,
    *,
    mode: Mode,
    emit: Callable[[Event], object],
    now: Callable[[], int],
    climb: asyncio.Event | None = None,
    lookout: Lookout | None = None,
    spare: Collection[int] = (),
    first: First | None = None,
    hand: Hand | None = None,
) -> RunStopped | StopFailed:
    """Ends every process of a run and says how that went; `emit` gets a `StopClimbed` per rung.

    `climb`, set by the operator, goes up a rung at once (and is cleared). `panic` begins with the
    kill. `spare` are pids of cockpit's own (engine, screens); this process and its ancestors are
    always spared. Give all stops one `lookout`: they share its looks. `first` comes before the first
    signal (a panic does not wait for it), `hand` takes part in the kill.
    """
    looking = lookout or Lookout()
    ladder = _Ladder(target, rule, emit, now, climb or asyncio.Event(), looking)
    ladder.first, ladder.hand, ladder.spare = first, hand, spare
    try:
        return await ladder.run(mode)
    finally:
        ladder.close()
        if lookout is None:
            looking.close()


class _Ladder:
    def __init__(
        self,
        target: Target,
        rule: InterruptRule,
        emit: Callable[[Event], object],
        now: Callable[[], int],
        climb: asyncio.Event,
        lookout: Lookout,
    ) -> None:
        self.target = target
        self.rule = rule
        self.emit = emit
        self.now = now
        self.climb = climb
        self.lookout = lookout
        self.first: First | None = None
        self.hand: Hand | None = None
        self.spare: Collection[int] = ()
        self.beside: set[asyncio.Task[object]] = set()
        self.killed = 0
        self.began = now()
        self.tree = Tree(target, ())
        self.alive: list[Process] = []
        self.grips: dict[Identity, Grip] = {}
        self.refused: dict[Identity, str] = {}
        self.waited_for: set[Identity] = set()
        self.quiet = asyncio.Event()

    def close(self) -> None:
        for task in self.beside:
            task.cancel()
        for identity in list(self.grips):
            self._let_go(identity)

    async def run(self, mode: Mode) -> RunStopped | StopFailed:
        firstly = self._beside(self.first(mode)) if self.first is not None else None
        killing = self._killed_by_hand() if mode == "panic" and not self._holds_us() else None
        refusal = self._refusal(await self._protect(self.spare))
        if refusal:
            return self._failed(tuple(pid for pid, _ in self.target.roots), refusal)
        if mode == "stop" and firstly is not None:
            await self._at_most(firstly, FIRST_MS)
        if killing is None:
            await self._look()
        if not self.alive and (stranger := self._stranger()):
            return self._failed((), stranger)
        if mode == "stop":
            await self._politely()
        if killing is not None or self._reachable():
            await self._kill(killing)
        await self._linger()
        return await self._census()

    # --- the means before and beside signals

    def _beside(self, work: Awaitable[object]) -> "asyncio.Task[object]":
        async def carefully() -> None:
            try:
                await work
            except Exception:
                log.exception("a stop of %s goes on without it", self.target.run)

        task: asyncio.Task[object] = asyncio.create_task(carefully())
        self.beside.add(task)
        return task

    def _killed_by_hand(self) -> "asyncio.Task[object] | None":
        if self.hand is None:
            return None
        return self._beside(self._kill_by(self.hand))

    async def _kill_by(self, hand: Hand) -> None:
        self.killed = await hand.kill((*self.spare, os.getpid()))

    def _holds_us(self) -> bool:
        """Whether we run inside the tree: then the whole stop is refused once we have looked."""
        return not {pid for pid, _ in self.target.roots}.isdisjoint(kernel.above(os.getpid()))

    async def _at_most(self, task: "asyncio.Task[object]", limit_ms: int) -> None:
        """Until it is done, the time is over or the operator climbs."""
        climb = asyncio.create_task(self.climb.wait())
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(
                (task, climb), timeout=limit_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
        climb.cancel()
        self.climb.clear()

    # --- who may be signalled

    async def _protect(self, spare: Collection[int]) -> frozenset[Identity]:
        table = await self.lookout.fresh()
        own = {row.identity for pid in (*spare, os.getpid()) if (row := table.get(pid))}
        above = {row.identity for row in lineage(table, os.getpid())}
        first = {row.identity for pid in (0, 1) if (row := table.get(pid))}
        self.tree = Tree(self.target, own | above | first, own)
        return frozenset(own | above | first)

    def _refusal(self, protected: frozenset[Identity]) -> str:
        if not self.target.roots and not self.target.is_recorded:
            return "no process of this run is known"
        if any(pid <= 1 for pid, _ in self.target.roots):
            return "the first process of the machine is never signalled"
        if protected.intersection(self.target.roots):
            return "cockpit itself runs inside this process and does not stop its own ancestors"
        return ""

    def _stranger(self) -> str:
        if self.target.is_recorded:
            return ""
        for pid, born in self.target.roots:
            row = self.lookout.latest.get(pid)
            if row is not None and row.created != born:
                return f"pid {pid} now belongs to another process: nothing was signalled"
        return ""

    def _reachable(self) -> list[Process]:
        return [row for row in self.alive if row.identity in self.grips]

    def _roots_alive(self) -> list[Process]:
        return [row for row in self._reachable() if row.identity in self.target.roots]

    # --- looking

    async def _look(self) -> None:
        rows = self.tree.look(await self.lookout.fresh())
        self.alive = [row for row in rows if self._held(row)]
        if self._reachable():
            self.quiet.clear()
        for identity in self.grips.keys() - {row.identity for row in self.alive}:
            self._let_go(identity)

    def _held(self, row: Process) -> bool:
        """Whether a process is still there; takes hold of it when it may be signalled."""
        if row.uid != os.getuid():
            self.refused[row.identity] = f"belongs to another user (uid {row.uid})"
        elif row.identity not in self.grips:
            try:
                self._hold(row)
            except ProcessLookupError:
                return False
        return True

    def _hold(self, row: Process) -> None:
        grip = self.grips[row.identity] = Grip(row)
        self.waited_for.add(row.identity)
        if grip.descriptor is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(grip.descriptor, self._ended, row.identity)

    def _ended(self, identity: Identity) -> None:
        self._let_go(identity)
        if not self.waited_for:
            self.quiet.set()

    def _let_go(self, identity: Identity) -> None:
        grip = self.grips.pop(identity)
        self.waited_for.discard(identity)
        if grip.descriptor is not None:
            asyncio.get_running_loop().remove_reader(grip.descriptor)
        grip.close()

    # --- waiting

    async def _wait(self, grace_ms: int, orphan_grace_ms: int, number: signal.Signals) -> None:
        """Until nothing is left, the time is over or the operator climbs.

        Who is born meanwhile is given the signal too, if it is one that goes to everybody.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + grace_ms / 1000
        told = {row.identity for row in self.alive}
        while self._reachable() and clock() < deadline and not self.climb.is_set():
            if not self._roots_alive():
                deadline = min(deadline, clock() + orphan_grace_ms / 1000)
                orphan_grace_ms = grace_ms
            await self._pause(min(self._pace(), deadline - clock()))
            await self._look()
            if number == signal.SIGTERM:
                self._send([row for row in self.alive if row.identity not in told], number)
            told.update(row.identity for row in self.alive)
        self.climb.clear()

    def _pace(self) -> float:
        blind = any(grip.descriptor is None for grip in self.grips.values())
        return max(BLIND_LOOK_MS if blind else LOOK_EVERY_MS, 5 * self.lookout.cost_ms) / 1000

    async def _pause(self, seconds: float) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self.quiet, self.climb)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    # --- the rungs

    async def _politely(self) -> None:
        if self._roots_alive():
            number = signal.Signals[self.rule.first]
            self._interrupt(number)
            self._climbed("interrupt")
            await self._wait(self.rule.grace_ms, ORPHAN_GRACE_MS, signal.SIGINT)
        if self._reachable():
            self._send(self.alive, signal.SIGTERM)
            self._send(self.alive, signal.SIGCONT)
            self._climbed("terminate")
            await self._wait(TERMINATE_GRACE_MS, TERMINATE_GRACE_MS, signal.SIGTERM)

    def _interrupt(self, number: signal.Signals) -> None:
        roots = self._roots_alive()
        if not self.rule.group:
            self._send(roots[-1:], number)
            return
        for pgid in {row.pgid for row in roots}:
            ours = [row for row in self.alive if row.pgid == pgid]
            if not self._only_ours(pgid) or not self._to_group(pgid, ours, number):
                self._send(ours, number)
            self._send([row for row in ours if row.state == "T"], signal.SIGCONT)

    def _only_ours(self, pgid: int) -> bool:
        inside = {row.identity for row in self._reachable()}
        group = [row for row in self.lookout.latest.values() if row.pgid == pgid and row.alive]
        return all(row.identity in inside for row in group)

    def _to_group(self, pgid: int, ours: list[Process], number: signal.Signals) -> bool:
        held = [self.grips[row.identity] for row in ours if row.identity in self.grips]
        return send_to_group(pgid, number, held)

    def _send(self, rows: list[Process], number: signal.Signals) -> None:
        for row in rows:
            grip = self.grips.get(row.identity)
            trouble = grip.send(number) if grip is not None else ""
            if trouble:
                self.refused[row.identity] = trouble

    async def _kill(self, killing: "asyncio.Task[object] | None") -> None:
        """Freezes the tree so that nobody can bear children, then kills it, until it is empty."""
        clock = asyncio.get_running_loop().time
        killing = killing or self._killed_by_hand()
        said = killing is not None and self._climbed("kill")
        if killing is not None:
            await self._at_most(killing, HAND_MS)
            await self._look()
        deadline = clock() + KILL_BUDGET_MS / 1000
        while self._reachable() and clock() < deadline:
            await self._freeze()
            self._send(self.alive, signal.SIGKILL)
            if not said:
                said = self._climbed("kill")
            self.climb.clear()
            await self._pause(KILL_LOOK_MS / 1000)
            await self._look()

    async def _linger(self) -> None:
        """What we may not signal often ends by itself once the rest is gone."""
        deadline = asyncio.get_running_loop().time() + LINGER_MS / 1000
        while self.alive and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_EVERY_MS / 1000)
            await self._look()

    async def _freeze(self) -> None:
        frozen: set[Identity] = set()
        for _ in range(FREEZE_ROUNDS):
            moving = [row for row in self._reachable() if row.identity not in frozen]
            if not moving:
                return
            self._send(moving, signal.SIGSTOP)
            frozen.update(row.identity for row in moving)
            await self._look()

    # --- what is said

    def _climbed(self, rung: Rung) -> bool:
        pids = tuple(row.pid for row in self.alive)
        self.emit(StopClimbed(run=self.target.run, at=self.now(), rung=rung, pids=pids))
        return True

    async def _census(self) -> RunStopped | StopFailed:
        self._climbed("census")
        if self.alive:
            reason = "; ".join(f"pid {row.pid} {self._why(row)}" for row in self.alive[:5])
            return self._failed(tuple(row.pid for row in self.alive), reason)
        if self.hand is not None:
            await self.hand.release()
        at = self.now()
        return RunStopped(
            run=self.target.run,
            at=at,
            took_ms=at - self.began,
            processes=max(self.killed, len(self.tree.members)),
        )

    def _why(self, row: Process) -> str:
        if row.identity in self.refused:
            return self.refused[row.identity]
        return "hangs in the kernel (state D)" if row.state == "D" else "survived SIGKILL"

    def _failed(self, pids: tuple[int, ...], reason: str) -> StopFailed:
        return StopFailed(run=self.target.run, at=self.now(), pids=pids, reason=reason)
