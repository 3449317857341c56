"""Which processes of the table are agents at work. Pure functions of the table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from cockpit.agents.adapter import Adapter, ProcessMark
from cockpit.engine.processes import Identity, Process
from cockpit.engine.tree import SESSION_MARKS

INTERPRETERS = ("node", "nodejs", "bun", "deno", "MainThread", "python", "pypy")
TAKES_VALUE = ("-r", "--require", "--import", "--loader", "--experimental-loader", "-X", "-W")


class Found(Struct, frozen=True):
    """An agent at work: the process that does the work, and the wrappers above it, outermost first.

    `cwd` is the worker's, or a wrapper's where the worker hides it. `sessions` are what its
    children carry in their environment, `daemons` are servants of several runs of this agent.
    """

    agent: str
    process: Process
    wrappers: tuple[Process, ...] = ()
    cwd: str = ""
    sessions: tuple[str, ...] = ()
    daemons: tuple[Identity, ...] = ()

    @property
    def roots(self) -> tuple[Identity, ...]:
        """The processes a stop begins at, outermost first."""
        return tuple(row.identity for row in (*self.wrappers, self.process))


def agents(processes: Mapping[int, Process], adapters: Iterable[Adapter]) -> list[Found]:
    """Every agent at work, oldest first; daemons, cockpit itself and dead processes left out."""
    marks = [(adapter.name, adapter.process) for adapter in adapters]
    names = frozenset(name for _, mark in marks for name in mark.names)
    named: dict[Identity, str] = {}
    daemons: dict[Identity, str] = {}
    for row in processes.values():
        if row.alive and (_base(row) in names or _is_interpreted(row)) and not is_cockpit(row):
            agent, mark = next((pair for pair in marks if resembles(row, pair[1])), ("", None))
            if mark is not None and not is_left_out(row, mark):
                named[row.identity] = agent
            elif agent and row.sid == row.pid:
                daemons[row.identity] = agent
    wrappers = _wrappers(named, processes)
    workers = {identity: agent for identity, agent in named.items() if identity not in wrappers}
    sessions = _sessions(processes, workers)
    rows = sorted((processes[pid] for pid, _ in workers), key=lambda row: (row.created, row.pid))
    return [_found(row, named, processes, sessions, daemons) for row in rows]


def resembles(row: Process, mark: ProcessMark) -> bool:
    """Whether a process looks as the mark says, be it a run or one that is to be left out."""
    if _base(row) in mark.names:
        return True
    script = script_of(row).replace("/.bin/", "/bin/")
    return script != "" and (
        script.endswith(mark.scripts) or (_is_interpreted(row) and row.name in mark.names)
    )


def is_left_out(row: Process, mark: ProcessMark) -> bool:
    """Whether its first arguments say that it belongs to the agent and is no run."""
    return any(argument in mark.leave for argument in row.argv[1:4])


def script_of(row: Process) -> str:
    """The program an interpreter runs (`-m module` for a module), empty for anything else."""
    if not _is_interpreted(row):
        return ""
    arguments = iter(row.argv[1:])
    for argument in arguments:
        if argument == "-m":
            return f"-m {next(arguments, '')}"
        if argument in TAKES_VALUE:
            next(arguments, "")
        elif not argument.startswith("-"):
            return argument
    return ""


def is_cockpit(row: Process) -> bool:
    """Whether this is cockpit's own engine, screen or command line."""
    script = script_of(row) or _base(row)
    return script == "-m cockpit" or script.rpartition("/")[2] == "cockpit"


def _base(row: Process) -> str:
    return row.argv[0].rpartition("/")[2] if row.argv else ""


def _is_interpreted(row: Process) -> bool:
    return _base(row).startswith(INTERPRETERS)


def _wrappers(named: Mapping[Identity, str], processes: Mapping[int, Process]) -> set[Identity]:
    """Interpreters with the same agent as a direct child, which does the work in their place.

    A native agent wraps nobody: its like-named child is a fork that has not yet become a tool.
    """
    found: set[Identity] = set()
    for identity, agent in named.items():
        parent = processes.get(processes[identity[0]].ppid)
        if parent is not None and _is_interpreted(parent) and named.get(parent.identity) == agent:
            found.add(parent.identity)
    return found


def _found(
    row: Process,
    named: Mapping[Identity, str],
    processes: Mapping[int, Process],
    sessions: Mapping[Identity, tuple[str, ...]],
    daemons: Mapping[Identity, str],
) -> Found:
    agent = named[row.identity]
    wrappers: list[Process] = []
    above = processes.get(row.ppid)
    while above is not None and named.get(above.identity) == agent and _is_interpreted(above):
        wrappers.insert(0, above)
        above = processes.get(above.ppid)
    cwd = next((each.cwd for each in (row, *reversed(wrappers)) if each.cwd), "")
    if not cwd and above is not None and above.pid > 1:
        cwd = above.cwd
    servants = tuple(identity for identity, of in daemons.items() if of == agent)
    return Found(agent, row, tuple(wrappers), cwd, sessions.get(row.identity, ()), servants)


def _sessions(
    processes: Mapping[int, Process], workers: Mapping[Identity, str]
) -> dict[Identity, tuple[str, ...]]:
    """What the children of each worker carry, unless the worker itself was born with it."""
    found: dict[Identity, set[str]] = defaultdict(set)
    for row in processes.values():
        for name, value in row.marks:
            agent = SESSION_MARKS.get(name)
            home = next((each for each in reversed(row.line) if workers.get(each) == agent), None)
            worker = processes.get(home[0]) if home is not None else None
            if home is not None and worker is not None and (name, value) not in worker.marks:
                found[home].add(value)
    return {home: tuple(sorted(values)) for home, values in found.items()}
