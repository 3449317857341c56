"""What belongs to a run: its tree of processes, however its children tried to leave it.

Pure functions of the process table. A process belongs when an ancestor it ever had does, when it
lives in a session that was made inside the tree, when it is an orphan in the agent's own group, or
when its environment is signed by the agent. The nearest ancestor decides: what cockpit itself
started is not a run's, even where cockpit was started by that run.
"""

from collections.abc import Collection, Mapping

from msgspec import Struct

from cockpit.engine.processes import Identity, Process, Processes

SESSION_MARKS = {"CLAUDE_CODE_SESSION_ID": "claude-code", "CODEX_THREAD_ID": "codex"}
"""Variables that carry a session, and whose session it is."""
PID_MARKS = {"CLAUDE_PID": "claude-code"}


class Target(Struct, frozen=True):
    """A run that is to be stopped.

    `roots` are its processes, outermost first: wrappers, then the agent that does the work.
    `session` and `agent` let its orphans be found by what they carry in their environment. `apart`
    are daemons that the agent may have started and that serve other runs too: they stay, and of
    their children only those signed with this session go.

    Of a run that has a runner, `owner` is that: whoever was ever below it belongs, itself does not.
    `past` are processes that were seen in the run and may be gone, `sessions` sessions made inside.
    """

    run: str
    roots: tuple[Identity, ...]
    agent: str = ""
    session: str = ""
    apart: tuple[Identity, ...] = ()
    owner: Identity | None = None
    past: tuple[Identity, ...] = ()
    sessions: tuple[int, ...] = ()

    @property
    def is_recorded(self) -> bool:
        """Whether the run's processes were written down at their birth, so that a look is conclusive."""
        return self.owner is not None or bool(self.past)


def lineage(processes: Mapping[int, Process], pid: int) -> list[Process]:
    """The process and its living ancestors, nearest first, up to but without pid 1."""
    line: list[Process] = []
    row = processes.get(pid)
    while row is not None and row.pid > 1 and row not in line:
        line.append(row)
        row = processes.get(row.ppid)
    return line


class Tree:
    """The processes of one target, remembered over many looks: who was ever in it stays in it."""

    def __init__(
        self, target: Target, spare: Collection[Identity], ours: Collection[Identity] = ()
    ) -> None:
        """`spare` never belongs; of `ours` (a part of it) the children do not belong either."""
        self.target = target
        self.members: dict[Identity, Process] = {}
        owner = () if target.owner is None else (target.owner,)
        self._spare = frozenset(spare).union(target.apart, owner)
        self._ours = frozenset(ours)
        self._inside = {*target.roots, *(frozenset(target.past) - self._spare)}
        self._since = min((born for _, born in (*target.roots, *target.past, *owner)), default=0)
        self._sessions: set[int] = set()
        self._foreign: set[int] = set()
        self._groups: set[int] = set()

    def look(self, processes: Processes) -> list[Process]:
        """Takes in a new table; returns the members that are alive, oldest first."""
        self._know_roots(processes)
        self._forget_reused(processes)
        candidates = [row for row in processes.values() if row.created >= self._since]
        while any(self._admitted(candidates, processes)):
            pass
        rows = [row for row in candidates if row.identity in self._inside]
        self.members.update({row.identity: row for row in rows})
        return sorted((row for row in rows if row.alive), key=lambda row: (row.created, row.pid))

    def _know_roots(self, processes: Processes) -> None:
        for pid, born in self.target.roots[:1]:
            root = processes.get(pid)
            if root is not None and root.created == born:
                self._foreign |= {root.sid} - {root.pid}
                self._groups |= {root.pgid} & {root.pid}
                self._sessions |= {root.sid} & {root.pid}
        for identity in self.target.roots:
            row = processes.get(identity[0])
            if row is not None and row.identity == identity:
                self.members[identity] = row

    def _forget_reused(self, processes: Processes) -> None:
        """A session whose number now leads a stranger is not ours any more."""
        for owned in (self._sessions, self._groups):
            for number in list(owned):
                leader = processes.get(number)
                if leader is not None and leader.identity not in self._inside:
                    owned.discard(number)

    def _admitted(self, candidates: list[Process], processes: Processes) -> list[bool]:
        return [self._admit(row, processes) for row in candidates]

    def _admit(self, row: Process, processes: Processes) -> bool:
        """Whether a process was taken in by this call."""
        identity = row.identity
        if identity in self._spare or identity in self._inside:
            return False
        if not self._belongs(row, processes):
            return False
        self._inside.add(identity)
        if self._made_inside(row.sid, processes):
            self._sessions.add(row.sid)
        return True

    def _made_inside(self, sid: int, processes: Processes) -> bool:
        """A member's session is the one the agent was born into, or it was made in the tree."""
        leader = processes.get(sid)
        if leader is not None:
            return leader.identity in self._inside
        if sid in self.target.sessions:
            return True
        return bool(self._foreign or self._sessions) and sid not in self._foreign

    def _belongs(self, row: Process, processes: Processes) -> bool:
        for ancestor in reversed(row.line):
            if ancestor in self._inside or ancestor == self.target.owner:
                return True
            if ancestor in self._ours:
                return ("COCKPIT_RUN", self.target.run) in row.marks
            if ancestor in self.target.apart:
                return signed(row, self.target, processes)
        if row.sid in self._sessions:
            return True
        return self._orphan_of_group(row, processes) or signed(row, self.target, processes)

    def _orphan_of_group(self, row: Process, processes: Processes) -> bool:
        """In the agent's group, with no parent left in the session: not the other end of a pipe."""
        if row.pgid not in self._groups:
            return False
        parent = processes.get(row.ppid)
        return parent is None or parent.sid != row.sid


def signed(row: Process, target: Target, processes: Mapping[int, Process]) -> bool:
    """Whether the environment says that the target's agent started this process.

    Where it names the agent's pid too, that decides while such a process lives: two processes may
    have the same session open.
    """
    marks = dict(row.marks)
    if marks.get("COCKPIT_RUN") == target.run:
        return True
    for name, agent in PID_MARKS.items():
        if agent == target.agent and name in marks:
            home = marks[name]
            if home in {str(pid) for pid, _ in target.roots}:
                return True
            if home.isdecimal() and int(home) in processes:
                return False
    return any(
        agent == target.agent and target.session != "" and marks.get(name) == target.session
        for name, agent in SESSION_MARKS.items()
    )
