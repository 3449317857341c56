"""Which processes are agents, and which run each of them serves.

Pure functions of the process table. A process that will be signalled is never guessed: where the
evidence allows two answers there is none, and the evidence says why.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from msgspec import Struct

from cockpit.agents.adapter import Adapter, Live, ProcessMark
from cockpit.core.fleet import Run
from cockpit.engine.processes import Identity, Process
from cockpit.engine.tree import SESSION_MARKS, Target

INTERPRETERS = ("node", "nodejs", "bun", "deno", "MainThread", "python", "pypy")
TAKES_VALUE = ("-r", "--require", "--import", "--loader", "--experimental-loader", "-X", "-W")
RESUMES = ("resume", "--resume", "-r", "--continue", "-c", "--session", "-s")
FORKS = ("fork", "--fork", "--fork-session")

START_SLACK_MS = 1_500
"""Clocks of the kernel and of an agent may differ by so much."""
REGISTRY_SLACK_MS = 60_000
"""An agent registers itself so long after its birth at most."""


class Found(Struct, frozen=True):
    """An agent at work: the process that does the work, and the wrappers above it, outermost first.

    `cwd` is the worker's, or a wrapper's where the worker hides it. `sessions` are what its
    children carry in their environment.
    """

    agent: str
    process: Process
    wrappers: tuple[Process, ...] = ()
    cwd: str = ""
    sessions: tuple[str, ...] = ()

    @property
    def roots(self) -> tuple[Identity, ...]:
        """The processes a stop begins at, outermost first."""
        return tuple(row.identity for row in (*self.wrappers, self.process))


class Match(Struct, frozen=True):
    """The process of a run, or None; `evidence` says in either case how we know."""

    found: Found | None
    evidence: str


def target(run: Run, found: Found) -> Target:
    """What `stop` needs to know to end this run."""
    return Target(run=run.id, roots=found.roots, agent=run.agent, session=run.session)


# --- recognising


def agents(processes: Mapping[int, Process], adapters: Iterable[Adapter]) -> list[Found]:
    """Every agent at work, oldest first; daemons, cockpit itself and dead processes left out."""
    marks = [(adapter.name, adapter.process) for adapter in adapters]
    named: dict[Identity, str] = {}
    for row in processes.values():
        agent = next((name for name, mark in marks if matches(row, mark)), "")
        if agent and row.alive and not is_cockpit(row):
            named[row.identity] = agent
    workers = [row for row in processes.values() if _works(row, named, processes)]
    sessions = _sessions(processes, {row.identity: named[row.identity] for row in workers})
    workers.sort(key=lambda row: (row.created, row.pid))
    return [_found(row, named, processes, sessions) for row in workers]


def matches(row: Process, mark: ProcessMark) -> bool:
    """Whether a process looks as the mark says."""
    if any(argument in mark.leave for argument in row.argv[1:]) or row.argv[:1] == ():
        return False
    if PurePath(row.argv[0]).name in mark.names:
        return row.argv[0] not in mark.leave
    script = script_of(row).replace("/.bin/", "/bin/")
    return script != "" and (
        script.endswith(mark.scripts) or (_is_interpreted(row) and row.name in mark.names)
    )


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
    script = script_of(row) or (row.argv[0] if row.argv else "")
    return script == "-m cockpit" or PurePath(script).name == "cockpit"


def _is_interpreted(row: Process) -> bool:
    return bool(row.argv) and PurePath(row.argv[0]).name.startswith(INTERPRETERS)


def _works(row: Process, named: Mapping[Identity, str], processes: Mapping[int, Process]) -> bool:
    """A wrapper has the agent as its direct child; what remains does the work."""
    agent = named.get(row.identity)
    return agent is not None and not any(
        child.ppid == row.pid and _wraps(row, child) and named.get(child.identity) == agent
        for child in processes.values()
    )


def _wraps(parent: Process, child: Process) -> bool:
    """A native agent never wraps itself: its like-named child is a fork that has not yet become a tool."""
    return _is_interpreted(parent) and child.pid != parent.pid


def _found(
    row: Process,
    named: Mapping[Identity, str],
    processes: Mapping[int, Process],
    sessions: Mapping[Identity, tuple[str, ...]],
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
    return Found(agent, row, tuple(wrappers), cwd, sessions.get(row.identity, ()))


def _sessions(
    processes: Mapping[int, Process], workers: Mapping[Identity, str]
) -> dict[Identity, tuple[str, ...]]:
    """What the children of each worker carry, unless the worker itself was born with it."""
    found: dict[Identity, set[str]] = defaultdict(set)
    for row in processes.values():
        for name, value in row.marks:
            agent = SESSION_MARKS.get(name)
            home = next((each for each in reversed(row.line) if workers.get(each) == agent), None)
            if home is not None and (name, value) not in processes[home[0]].marks:
                found[home].add(value)
    return {home: tuple(sorted(values)) for home, values in found.items()}


# --- matching


def match_runs(
    found: Sequence[Found],
    runs: Iterable[Run],
    registries: Mapping[str, Sequence[Live]],
    standing: Mapping[str, Identity] | None = None,
) -> dict[str, Match]:
    """The process of every run that may have one.

    `registries` are the agents' own lists by agent name, `standing` the matches of the last time:
    a process that serves a run goes on serving it until one of better evidence comes. Sub-agents
    live in their parent's process and are not listed.
    """
    book = _Matching(found, [run for run in runs if run.parent is None])
    book.by_registry(registries)
    book.by_environment()
    book.by_command_line()
    book.by_standing(standing or {})
    book.by_directory()
    return book.matches


class _Matching:
    def __init__(self, found: Sequence[Found], runs: list[Run]) -> None:
        self.free = {each.process.identity: each for each in found}
        self.all = list(found)
        self.runs = runs
        self.matches: dict[str, Match] = {}

    def _open(self) -> list[Run]:
        return [run for run in self.runs if run.id not in self.matches]

    def _take(self, run: Run, each: Found, evidence: str) -> None:
        self.free.pop(each.process.identity, None)
        self.matches[run.id] = Match(each, evidence)

    def by_registry(self, registries: Mapping[str, Sequence[Live]]) -> None:
        """The agent itself says which of its processes serves a session."""
        by_session = {
            (agent, live.session): live for agent, lives in registries.items() for live in lives
        }
        for run in self._open():
            live = by_session.get((run.agent, run.session))
            each = self._registered(run.agent, live) if live is not None else None
            if each is not None:
                self._take(run, each, f"{run.agent}'s own list of live sessions")

    def _registered(self, agent: str, live: Live) -> Found | None:
        for each in self.free.values():
            pids = {pid for pid, _ in each.roots}
            if each.agent == agent and live.pid in pids and _born_as(each, live):
                return each
        return None

    def by_environment(self) -> None:
        """The agent signed the environment of its tools with the session."""
        for run in self._open():
            each = self._single([e for e in self._of(run) if run.session in e.sessions])
            if each is None:
                continue
            if len(each.sessions) > 1:
                self._leave(run, f"process {each.process.pid} serves several sessions")
            else:
                self._take(run, each, "the session named in its tools' environment")

    def by_command_line(self) -> None:
        """The session was named when the agent was started."""
        for run in self._open():
            named = [e for e in self._of(run) if run.session and _names(e, run.session)]
            if (each := self._single(named)) is not None:
                self._take(run, each, "the session named on its command line")

    def by_standing(self, standing: Mapping[str, Identity]) -> None:
        """What was known stays known while the process lives."""
        for run in self._open():
            each = self.free.get(standing.get(run.id, (0, 0)))
            if each is not None and each.agent == run.agent:
                self._take(run, each, "the only agent there when it was found")

    def by_directory(self) -> None:
        """Agent, directory and times leave one answer, on both sides."""
        progress = True
        while progress:
            progress = False
            for run in self._open():
                able = [each for each in self._of(run) if could_serve(each, run)]
                rivals = [other for other in self._open() if able and could_serve(able[0], other)]
                if len(able) == 1 and rivals == [run]:
                    self._take(run, able[0], f"the only {run.agent} in {run.project}")
                    progress = True
        for run in self._open():
            self._say_why(run)

    def _say_why(self, run: Run) -> None:
        pids = [each.process.pid for each in self._of(run) if could_serve(each, run)]
        listed = ", ".join(map(str, pids))
        if len(pids) == 1:
            self._leave(run, f"process {listed} could serve this run or another in {run.project}")
        elif pids:
            self._leave(run, f"processes {listed} in {run.project} could all be it")

    def _leave(self, run: Run, reason: str) -> None:
        self.matches[run.id] = Match(None, f"{reason}: not guessed")

    def _of(self, run: Run) -> list[Found]:
        return [each for each in self.free.values() if each.agent == run.agent]

    @staticmethod
    def _single(found: list[Found]) -> Found | None:
        return found[0] if len(found) == 1 else None


def could_serve(found: Found, run: Run) -> bool:
    """Whether directory and times allow that this process serves this run.

    It works in the run's project and was born before the run's first event; or it was told to
    resume something and the run went on after its birth.
    """
    if found.agent != run.agent or not run.project or run.phase == "ended":
        return False
    if run.project not in (found.cwd, *found.process.argv[1:]):
        return False
    born = found.process.created - START_SLACK_MS
    if born <= run.started:
        return True
    arguments = found.process.argv[1:]
    return born <= run.last_event and any(word in arguments for word in RESUMES)


def _names(found: Found, session: str) -> bool:
    words = [word.partition("=")[2] or word for word in found.process.argv[1:]]
    return session in words and not any(word in found.process.argv for word in FORKS)


def _born_as(found: Found, live: Live) -> bool:
    if not live.created:
        return True
    late = live.created - found.process.created
    return -START_SLACK_MS <= late <= REGISTRY_SLACK_MS
