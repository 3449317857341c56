"""Which process serves which run.

Pure functions of what was found. A process that will be signalled is never guessed: where the
evidence allows two answers there is none, and the evidence says why.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import PurePath

from msgspec import Struct

from cockpit.agents.adapter import Live
from cockpit.core.fleet import Run
from cockpit.engine.found import Found
from cockpit.engine.tree import Target

RESUMES = ("resume", "--resume", "-r", "--continue", "-c", "--session", "-s")
FORKS = ("fork", "--fork", "--fork-session")

START_SLACK_MS = 1_500
"""Clocks of the kernel and of an agent may differ by so much."""


class Match(Struct, frozen=True):
    """The process of a run, or None; `evidence` says in either case how we know."""

    found: Found | None
    evidence: str


def target(run: Run, found: Found) -> Target:
    """What `stop` needs to know to end this run."""
    return Target(run.id, found.roots, run.agent, run.session, found.daemons)


def match_runs(
    found: Sequence[Found],
    runs: Iterable[Run],
    registries: Mapping[str, Sequence[Live]],
    standing: Mapping[str, Match] | None = None,
    opened: Callable[[int], Collection[str]] = lambda _: (),
) -> dict[str, Match]:
    """The process of every run that may have one.

    `registries` are the agents' own lists by agent name, `standing` the matches of the last time:
    a process that serves a run goes on serving it until one of better evidence comes. `opened`
    tells which files a process keeps open. Sub-agents live in their parent's process and are not
    listed.
    """
    book = _Matching(found, [run for run in runs if run.parent is None])
    book.by_registry(registries)
    book.by_open_transcript(opened)
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
        self.of_session = {(run.agent, run.session): run for run in runs if run.session}
        self.matches: dict[str, Match] = {}

    def _run(self, agent: str, session: str) -> Run | None:
        run = self.of_session.get((agent, session))
        return run if run is not None and run.id not in self.matches else None

    def _take(self, run: Run, each: Found, evidence: str) -> None:
        self.free.pop(each.process.identity, None)
        self.matches[run.id] = Match(each, evidence)

    def _leave(self, run: Run, reason: str) -> None:
        self.matches[run.id] = Match(None, f"{reason}: not guessed")

    def by_registry(self, registries: Mapping[str, Sequence[Live]]) -> None:
        """The agent itself says which of its processes serves a session."""
        for agent, lives in registries.items():
            for live in lives:
                run, each = self._run(agent, live.session), self._registered(agent, live)
                if run is not None and each is not None:
                    self._take(run, each, f"{agent}'s own list of live sessions")

    def _registered(self, agent: str, live: Live) -> Found | None:
        for each in self.free.values():
            if each.agent == agent and _born_as(each, live):
                return each
        return None

    def by_environment(self) -> None:
        """The agent signed the environment of its tools with the session."""
        claims = Counter((each.agent, name) for each in self.all for name in each.sessions)
        for each in list(self.free.values()):
            for session in each.sessions:
                run = self._run(each.agent, session)
                if run is None:
                    continue
                if len(each.sessions) > 1:
                    self._leave(run, f"process {each.process.pid} serves several sessions")
                elif claims[each.agent, session] == 1:
                    self._take(run, each, "the session named in its tools' environment")

    def by_open_transcript(self, opened: Callable[[int], Collection[str]]) -> None:
        """The process keeps the run's own transcript open (Codex does).

        A server of several runs has several open: it is given to one only while no other works.
        """
        owners = Counter(run.source for run in self.runs)
        own = {PurePath(run.source).name: run for run in self.runs if owners[run.source] == 1}
        for each in list(self.free.values()):
            files = {PurePath(path).name: path for path in opened(each.process.pid)}
            runs = [own[name] for name in files if name in own and own[name].agent == each.agent]
            self._divide(each, [run for run in runs if _open_in(run, files)])

    def _divide(self, each: Found, runs: list[Run]) -> None:
        busy = [run for run in runs if run.phase in ("working", "asking")] if runs[1:] else runs
        for run in runs:
            if run.id in self.matches:
                continue
            if busy == [run]:
                self._take(run, each, "keeps the transcript open")
            else:
                self._leave(run, f"process {each.process.pid} has several transcripts open")

    def by_command_line(self) -> None:
        """The session was named when the agent was started."""
        named = [(each, name) for each in self.free.values() for name in sessions_named(each)]
        claims = Counter((each.agent, name) for each, name in named)
        for each, name in named:
            run = self._run(each.agent, name)
            if run is not None and claims[each.agent, name] == 1:
                self._take(run, each, "the session named on its command line")

    def by_standing(self, standing: Mapping[str, Match]) -> None:
        """What was known stays known while the process lives."""
        for run in self.runs:
            last = standing.get(run.id)
            if last is not None and last.found is not None and run.id not in self.matches:
                each = self.free.get(last.found.process.identity)
                if each is not None:
                    self._take(run, each, last.evidence)

    def by_directory(self) -> None:
        """Agent, directory and times leave one answer, on both sides."""
        candidates = self._candidates()
        wanted = Counter(each.process.identity for able in candidates.values() for each in able)
        for run in self.runs:
            able = candidates.get(run.id, [])
            identity = able[0].process.identity if able else (0, 0)
            if len(able) == 1 and wanted[identity] == 1 and identity in self.free:
                self._take(run, able[0], f"the only {run.agent} in {run.project}")
            elif able:
                self._say_why(run, able)

    def _candidates(self) -> dict[str, list[Found]]:
        """Who could serve each run left over.

        A process that serves another run is one of them, where a person at its terminal may have
        turned it to this one.
        """
        able = [
            each for each in self.all if each.process.identity in self.free or each.process.terminal
        ]
        agents = {each.agent for each in able}
        runs = [run for run in self.runs if run.agent in agents and run.id not in self.matches]
        found = {run.id: [each for each in able if could_serve(each, run)] for run in runs}
        return {run: each for run, each in found.items() if each}

    def _say_why(self, run: Run, able: list[Found]) -> None:
        pids = ", ".join(str(each.process.pid) for each in able)
        if len(able) == 1:
            self._leave(run, f"process {pids} could serve this run or another in {run.project}")
        else:
            self._leave(run, f"processes {pids} in {run.project} could all be it")


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


def sessions_named(found: Found) -> list[str]:
    """Words of the command line that may name a session; none when it starts a copy of one."""
    words = found.process.argv[1:]
    if any(word in words for word in FORKS):
        return []
    return [word.partition("=")[2] or word for word in words]


def _open_in(run: Run, files: Mapping[str, str]) -> bool:
    name = PurePath(run.source).name
    return files[name] == run.source or (run.session != "" and run.session in name)


def _born_as(found: Found, live: Live) -> bool:
    return any(
        pid == live.pid and (not live.created or abs(born - live.created) <= START_SLACK_MS)
        for pid, born in found.roots
    )
