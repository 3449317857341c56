"""What a run left when its runner died: found by what was written down, never guessed.

A process counts when it is one that was seen in the tree (by pid and start time), lives in a session
that was made there and that one of those still holds, carries the run's mark in its environment, or is
in the run's control group; and, while the engine lives, when it fell to the engine as an orphan.
"""

import os
from collections.abc import Collection

from cockpit.engine import cgroups, kernel, records
from cockpit.engine.processes import Identity, moment
from cockpit.engine.records import Record
from cockpit.engine.tree import Target


def target(record: Record, orphans: Collection[kernel.Row] = ()) -> Target:
    """What to stop of a run whose runner is dead, or alive and deaf."""
    kin = records.kin(record.run)
    inside = [row for pid in cgroups.members(record.cgroup) if (row := kernel.row(pid))]
    seen = {record.agent, record.owner, *kin.processes}
    seen |= {_identity(row) for row in (*orphans, *inside)}
    sessions = {record.sid, *kin.sessions, *(row.sid for row in orphans)}
    return Target(
        record.run, (record.agent,), past=tuple(sorted(seen)), sessions=tuple(sorted(sessions))
    )


def _identity(row: kernel.Row) -> Identity:
    return (row.pid, moment(row.ticks))


def orphans(known: Collection[int], since: int) -> list[kernel.Row]:
    """Children of this process that it did not start: they fell to it when a runner died.

    The engine's own children live in its session, except runners, whose pids are `known`; no orphan
    is older than its agent, born at the ticks `since`. Those that have ended are taken from the kernel
    here.
    """
    mine = kernel.row(os.getpid()) if kernel.LINUX else None
    if mine is None:
        return []
    rows = [
        row for pid in kernel.children(mine.pid) if pid not in known and (row := kernel.row(pid))
    ]
    fallen = [row for row in rows if row.sid != mine.sid and row.ticks >= since]
    for row in fallen:
        if not row.alive:
            _take(row.pid)
    return [row for row in fallen if row.alive]


def _take(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


class ByGroup:
    """The hand of a run without a runner: its control group, where it has one."""

    def __init__(self, group: str) -> None:
        self._group = group

    async def kill(self, spare: Collection[int]) -> int:
        """Kills everybody inside at once, unless one of them is to be spared."""
        inside = cgroups.members(self._group)
        if not inside or not frozenset(spare).isdisjoint(inside):
            return 0
        cgroups.kill(self._group)
        return len(inside)

    async def release(self) -> None:
        """Nothing holds such a run any more."""
