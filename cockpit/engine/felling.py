"""How a runner ends its own tree: as a subreaper it sees everybody, whatever they did to leave."""

import os
import signal
from collections.abc import Callable, Iterator
from typing import Literal

from cockpit.engine import kernel

INTERRUPT_SECONDS = 3.0
ORPHAN_SECONDS = 0.3
TERMINATE_SECONDS = 5.0
FREEZE_ROUNDS = 8
LOOK_SECONDS = 0.05
KILL_SECONDS = 0.01
KILL_BUDGET = 2.0
LOST_SECONDS = 1.0
"""Who survived the kill so long hangs in the kernel: it is looked after, but not in haste."""

First = Literal["interrupt", "terminate", "kill"]
ORDER: dict[First, int] = {"interrupt": 0, "terminate": 1, "kill": 2}


class Felling:
    """One stop, done step by step so that the runner goes on listening meanwhile.

    `step` returns the seconds until the next one, None when nobody is left. `alone` tells whether
    the kernel knows of no child at all, which is the only proof of emptiness; `agent` gives the pid of
    the agent until it is reaped; `spare` and whatever is below them live on.
    """

    def __init__(
        self,
        first: First,
        agent: Callable[[], int | None],
        alone: Callable[[], bool],
        clock: Callable[[], float],
        spare: frozenset[int] = frozenset(),
    ) -> None:
        self.first = first
        self.agent = agent
        self.alone = alone
        self.clock = clock
        self.spare = spare
        self.count = 0
        self._steps = self._fell()

    def step(self) -> float | None:
        """Does what is due; call it again after that many seconds or when a child ended."""
        return next(self._steps, None)

    def left(self) -> list[kernel.Row]:
        """Who of the tree is alive now."""
        return kernel.descendants(os.getpid(), self.spare)

    def _fell(self) -> Iterator[float]:
        if self.first == "interrupt":
            self._interrupt()
            yield from self._wait_for_agent()
        if self.first != "kill":
            told: set[tuple[int, int]] = set()
            yield from self._grace(TERMINATE_SECONDS, lambda: self._terminate(told))
        empty = 0
        killed: set[tuple[int, int]] = set()
        began = self.clock()
        while not self.alone() and empty < 3:
            rows = self._freeze()
            for row in rows:
                kernel.send(row, signal.SIGKILL)
            killed.update((row.pid, row.ticks) for row in rows)
            self.count = len(killed)
            empty = empty + 1 if self.spare and not rows else 0
            yield KILL_SECONDS if self.clock() - began < KILL_BUDGET else LOST_SECONDS

    def _grace(self, seconds: float, act: Callable[[], None] = lambda: None) -> Iterator[float]:
        until = self.clock() + seconds
        while not self._is_over() and self.clock() < until:
            act()
            yield LOOK_SECONDS

    def _wait_for_agent(self) -> Iterator[float]:
        """Once the agent itself is gone nobody will end its tools: then it is a short wait."""
        until = self.clock() + INTERRUPT_SECONDS
        while self.agent() is not None and self.clock() < until:
            yield LOOK_SECONDS
        yield from self._grace(min(ORPHAN_SECONDS, max(0.0, until - self.clock())))

    def _is_over(self) -> bool:
        return self.alone() or bool(self.spare and not self.left())

    def _interrupt(self) -> None:
        """To the agent's group, whose number cannot be another's while the agent is not reaped."""
        agent = self.agent()
        if agent is None:
            return
        try:
            os.killpg(agent, signal.SIGINT)
            os.killpg(agent, signal.SIGCONT)
        except OSError:
            return

    def _terminate(self, told: set[tuple[int, int]]) -> None:
        for row in self.left():
            if (row.pid, row.ticks) not in told:
                told.add((row.pid, row.ticks))
                kernel.send(row, signal.SIGTERM)
                kernel.send(row, signal.SIGCONT)

    def _freeze(self) -> list[kernel.Row]:
        """Stops everybody, so that nobody can bear children who would be missed."""
        frozen: dict[tuple[int, int], kernel.Row] = {}
        for _ in range(FREEZE_ROUNDS):
            moving = [row for row in self.left() if (row.pid, row.ticks) not in frozen]
            if not moving:
                break
            for row in moving:
                kernel.send(row, signal.SIGSTOP)
                frozen[row.pid, row.ticks] = row
        return list(frozen.values())
