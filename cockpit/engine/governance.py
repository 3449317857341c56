"""Runs that cockpit starts: each behind the gateway, below a runner, paid from a purse of its own."""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from cockpit.agents.launch.recipe import Launch, Recipe
from cockpit.agents.launch.registry import recipe
from cockpit.core import events as e
from cockpit.core.fleet import Run, usage
from cockpit.engine import beginnings, drivers, records, wanted
from cockpit.engine.approvals import Approvals
from cockpit.engine.caps import Caps
from cockpit.engine.chronicle import Chronicle
from cockpit.engine.evidence import Witness
from cockpit.engine.histories import Histories
from cockpit.engine.reins import Ended, SpawnError
from cockpit.engine.runners import Runners
from cockpit.engine.salvage import salvage
from cockpit.engine.scopes import Scopes
from cockpit.engine.stop import Mode
from cockpit.engine.stops import Held
from cockpit.engine.wanted import Wanted
from cockpit.gateway.app import Gateway
from cockpit.gateway.governed import Governed, new_token
from cockpit.gateway.keys import Keys
from cockpit.gateway.providers import Upstream, upstreams
from cockpit.gateway.wire.dialect import DialectName
from cockpit.journal import paths
from cockpit.journal.ledger import Ledger
from cockpit.journal.settings import Settings

ASKS = (sys.executable, "-P", "-m", "cockpit.cli.hook")
LEAVE_SECONDS = 1.5
"""So long an agent that was interrupted by its own protocol may take to leave by itself."""

log = logging.getLogger(__name__)


class GovernError(Exception):
    """What the operator asked for cannot be done; the text says why."""


class _Started(Struct, frozen=True):
    """How a run was started, to start it once more; it holds secrets and stays in memory."""

    wish: Wanted
    maker: Recipe


class Governance:
    """Begins, ends and goes on with governed runs. Belongs to the engine's event loop.

    `governed` holds the runs that the door lets in, by id.
    """

    def __init__(
        self,
        *,
        governed: dict[str, Governed],
        settings: Settings,
        ledger: Ledger,
        gateway: Gateway,
        runners: Runners,
        approvals: Approvals,
        scopes: Scopes,
        caps: Caps,
        histories: Histories,
        witness: Witness,
        chronicle: Chronicle,
        named: Callable[[str, str], None],
    ) -> None:
        self._governed = governed
        self._settings = settings
        self._ledger = ledger
        self._gateway = gateway
        self._runners = runners
        self._approvals = approvals
        self._scopes = scopes
        self._caps = caps
        self._histories = histories
        self._witness = witness
        self._record, self._fleet, self._now = chronicle.record, chronicle.fleet, chronicle.now
        self._named = named
        self._started: dict[str, _Started] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sessions: dict[str, str] = {}

    # --- beginning

    async def begin(self, wish: Wanted) -> dict[str, object]:
        """Starts a run; it is on record and capped before its first instruction.

        Raises:
            GovernError: when it cannot be started, or no new run may begin.
        """
        try:
            wish.check()
            maker = wish.recipe()
            refusal = self._ledger.may_begin(*self._scopes.above(wish.project, self._now()))
            if refusal:
                raise GovernError(refusal)
            run = self._task_of(maker.agent, wish.command) or wanted.new_run()
            return await self._begin(run, wish, maker)
        except (ValueError, SpawnError, OSError) as error:
            raise GovernError(str(error)) from error

    def _task_of(self, agent: str, command: Iterable[str]) -> str | None:
        """The newest ended run that the command names a session of: its caps and counters are the task's."""
        words = set(command)
        found = [
            run
            for run in self._fleet().runs.values()
            if run.governed and run.agent == agent and words & _sessions_of(run)
        ]
        ended = [run for run in found if self._runners.rein(run.id) is None]
        return max(ended, key=lambda run: run.started).id if ended else None

    def goes_on_with(self, run: str, task: str) -> None:
        """The run is paid from the task's purse, within its budget unless another was asked for."""
        runs, governed = self._fleet().runs, self._governed.get(run)
        known, earlier = runs[run], runs.get(task)
        is_own = known.purse == _own_purse(run)
        if earlier is None or not is_own or earlier.purse == known.purse:
            return
        at, used = self._now(), usage(earlier, self._now())
        self._record(
            e.RunContinued(
                run=run, at=at, task=task, purse=earlier.purse, money=used.money,
                tokens=used.tokens, time_ms=used.time_ms, turns=used.turns,
            )
        )  # fmt: skip
        if known.budget_by != "operator" and earlier.budget is not None:
            by = earlier.budget_by
            self._record(e.BudgetSet(run=run, at=at, budget=earlier.budget, by=by))
        if task not in self._governed and (earlier.deferred or earlier.halted):
            self._record(e.RunResumed(run=task, at=at, channel=run))
        self._ledger.carry(known.purse, earlier.purse)
        self._caps.apply(run, self._fleet().runs[run].budget)
        if governed is not None:
            governed.scopes = self._paying(run, known.project)

    async def _begin(self, run: str, wish: Wanted, maker: Recipe) -> dict[str, object]:
        token, digest = new_token()
        launched = wanted.launch(wish, maker, run, self._gateway.run_url(token), ASKS)
        ways = wanted.ways(wish, launched, self._settings.providers)
        plan = wanted.channel(wish, launched)
        governed = self._at_the_door(run, maker, digest, wish.project, ways, wish.environment)
        self._record(
            e.RunGoverned(
                run=run, at=self._now(), agent=maker.agent, name=_called(wish, maker),
                project=wish.project, token=digest, purse=self._purse(run),
                upstreams=wanted.choices(wish, launched), channel=plan.kind if plan else "",
            )
        )  # fmt: skip
        self._started[run] = _Started(wish, maker)
        beginnings.keep(run, wish, maker, launched.session)
        self._let_in(governed)
        self._cap(run, wish, maker.agent)
        self._witness.begin(run, maker.agent, wish, governed)
        await self._spawn(run, wish, launched)
        if plan is not None and plan.kind == "acp":
            self._soon(self._until_named(run))
        elif launched.session:
            self._named(run, launched.session)
        return {
            "run": run,
            "agent": maker.agent,
            "socket": str(records.socket_of(run)),
            "wires": list(launched.wires),
        }

    def _cap(self, run: str, wish: Wanted, agent: str) -> None:
        """What was asked for; else what the task has already; else what is usual for the agent."""
        known = self._fleet().runs[run].budget
        budget = wish.budget or known or self._settings.budget_for(agent)
        by = "operator" if wish.budget is not None else "settings"
        if budget is not None and budget != known:
            self._record(e.BudgetSet(run=run, at=self._now(), budget=budget, by=by))
        self._caps.apply(run, budget)

    async def _spawn(self, run: str, wish: Wanted, launched: Launch) -> None:
        try:
            await self._runners.spawn(wanted.spec(wish, run, launched))
        except SpawnError as error:
            self._close(run)
            self._record(e.RunEnded(run=run, at=self._now(), outcome=f"not started: {error}"))
            raise

    def _at_the_door(
        self,
        run: str,
        maker: Recipe,
        digest: str,
        project: str,
        ways: Mapping[DialectName, Upstream],
        environment: Mapping[str, str],
    ) -> Governed:
        return Governed(
            run=run,
            agent=maker.agent,
            token_hash=digest,
            upstreams=ways,
            scopes=self._paying(run, project),
            patience_s=maker.patience_s,
            keys=Keys(paths.config(), environment),
        )

    def _paying(self, run: str, project: str) -> tuple[str, ...]:
        return (*self._scopes.above(project, self._now()), self._purse(run))

    def _purse(self, run: str) -> str:
        known = self._fleet().runs.get(run)
        return (known.purse if known else "") or _own_purse(run)

    def _let_in(self, governed: Governed) -> None:
        self._governed[governed.run] = governed
        self._gateway.admit(governed)

    def turn(self) -> None:
        """The calendar turned: calls to come are paid from the new day's scopes."""
        for governed in self._governed.values():
            project = self._fleet().runs[governed.run].project
            governed.scopes = self._paying(governed.run, project)

    # --- after a restart

    def restore(self, runs: Iterable[Run]) -> None:
        """The runs of a former engine, before their runners are adopted: their tokens open again."""
        for run in runs:
            self._take_back_questions(run)
            if not run.process_gone:
                begun = self._histories.begun(run.id)
                ways = upstreams(begun.upstreams, self._settings.providers, os.environ)
                governed = self._at_the_door(
                    run.id, recipe(run.agent), begun.token, run.project, ways, os.environ
                )
                if run.paused:
                    governed.pause()
                if run.deferred or run.halted:
                    governed.refuse(f"cockpit: {run.deferred or run.halted}")
                self._let_in(governed)
            self._caps.apply(run.id, run.budget)

    def _take_back_questions(self, run: Run) -> None:
        """Whoever waited for an answer heard the former engine go, and took that for a no."""
        for asked in run.approvals:
            self._record(
                e.ApprovalAnswered(
                    run=run.id, at=self._now(), tool=asked.tool, allowed=False,
                    by="the end of the engine",
                )
            )  # fmt: skip

    # --- ending

    async def ended(self, run: str, how: Ended) -> None:
        """The agent's tree is empty: its token dies, what it left is saved."""
        self._close(run)
        self._witness.ended(run, how)
        known = self._fleet().runs.get(run)
        if known is None or not (known.stopping or known.deferred or known.halted):
            return
        place = await salvage(run, known.project, how.tail)
        if place is not None:
            text = f"what it left is in {place}"
            self._record(e.NoticeGiven(run=run, at=self._now(), text=text))

    def lost(self, run: str) -> None:
        """Its engine died before the agent began, or before anybody saw the end: nothing is kept."""
        self._close(run)
        records.forget(run)

    def forget(self, run: str) -> None:
        """The run left the screen: nobody starts it again."""
        self._started.pop(run, None)
        self._sessions.pop(run, None)
        beginnings.forget(run)

    def tidy(self) -> None:
        """Removes what is left on disk of runs that nobody remembers."""
        beginnings.tidy(self._histories.runs())
        for place in wanted.scratch_of("-").parent.glob("*"):
            if self._runners.held(place.name) is None:
                shutil.rmtree(place, ignore_errors=True)

    def _close(self, run: str) -> None:
        self._approvals.deny_all(run, "its end")
        governed = self._governed.pop(run, None)
        if governed is not None:
            governed.refuse("cockpit: the run has ended")
            governed.close_streams("cockpit: the run has ended")
            self._gateway.dismiss(governed)
        shutil.rmtree(wanted.scratch_of(run), ignore_errors=True)

    def held(self, run: str) -> Held | None:
        """What a stop needs; before any signal the door is shut and every stream closed."""
        known = self._runners.held(run)
        if known is None:
            return None

        async def first(mode: Mode) -> None:
            self.shut(run, "cockpit: stopped by the operator")
            if mode == "stop":
                await self._interrupt(run)

        return Held(known.target, known.hand, first)

    async def _interrupt(self, run: str) -> None:
        """By the agent's own protocol; whoever does not confirm that at once is signalled."""
        channel, rein = self._fleet().runs[run].channel, self._runners.rein(run)
        if not channel or rein is None:
            return
        try:
            at = await drivers.interrupted(records.channel_of(run))
        except drivers.DriverError as error:
            log.info("%s was not interrupted by %s: %s", run, channel, error)
            return
        self._record(e.StopClimbed(run=run, at=at, rung="interrupt", channel=channel))
        await asyncio.wait((rein.ended,), timeout=LEAVE_SECONDS)

    def shut(self, run: str, sentence: str) -> None:
        """No further call, no open stream, no tool call that waits for a yes."""
        governed = self._governed.get(run)
        if governed is not None:
            governed.refuse(sentence)
            governed.close_streams(sentence)
        self._approvals.deny_all(run, "the stop")

    # --- the operator's hand

    def pause(self, run: Run) -> None:
        """Holds the run's next call.

        Raises:
            GovernError: when no call of it passes here.
        """
        self._live(run).pause()
        if not run.paused:
            self._record(e.RunPaused(run=run.id, at=self._now(), channel="gateway"))

    async def resume(self, run: Run) -> None:
        """Lets it go on; a deferred run whose agent has ended is started where it was.

        Raises:
            GovernError: when it cannot.
        """
        governed = self._governed.get(run.id)
        if governed is None and run.governed and (run.deferred or run.halted):
            await self._start_again(run)
            return
        governed = self._live(run)
        governed.resume()
        governed.admit_again()
        self._record(e.RunResumed(run=run.id, at=self._now(), channel="gateway"))

    async def _start_again(self, run: Run) -> None:
        session = (
            self._sessions.get(run.id)
            or run.session
            or next(iter(run.sessions), "").rpartition("/")[2]
        )
        wish = self._again(run, session)
        if wish is None:
            raise GovernError(
                f"{run.id} has ended and cannot be started again from here: use its agent's own"
                f" resume behind cockpit run ({session or 'no session is known'})"
            )
        self._record(e.RunResumed(run=run.id, at=self._now(), channel="new process"))
        try:
            await self._begin(run.id, wish, wish.recipe())
        except (ValueError, SpawnError, OSError) as error:
            raise GovernError(str(error)) from error

    def _again(self, run: Run, session: str) -> Wanted | None:
        """How the run goes on: by its session; from the beginning where no call was ever let out."""
        started = self._started.get(run.id)
        if started is None:
            kept = beginnings.read(run.id)
            session = session or (kept.session if kept else "")
            return kept.again(session) if kept and session else None
        wish = replace(started.wish, agent=started.maker.agent, budget=None)
        if not run.calls and not wish.input:
            return wish
        argv = started.maker.resume(wish.command, session, beginnings.GO_ON) if session else None
        return replace(wish, command=argv, input=False) if argv else None

    async def say(self, run: Run, text: str) -> str:
        """The channel that takes the operator's word.

        While calls are held the gateway is the nearest: its note goes with the next one to leave.

        Raises:
            GovernError: when there is none.
        """
        governed = self._live(run)
        if run.channel and not governed.paused and await self._say_to_agent(run, text):
            return run.channel
        rein, at = self._runners.rein(run.id), self._now()
        if run.phase == "waiting" and rein is not None and self._has_terminal(run.id):
            rein.write(text.replace("\n", " ").encode() + b"\r")
            channel, delivered = "terminal", at
        else:
            governed.say(text)
            channel, delivered = "gateway", 0
        self._record(
            e.RunSteered(run=run.id, at=at, text=text, channel=channel, delivered=delivered)
        )
        return channel

    def _has_terminal(self, run: str) -> bool:
        started = self._started.get(run) or beginnings.read(run)
        return started is not None and started.wish.terminal is not None

    async def _say_to_agent(self, run: Run, text: str) -> bool:
        """Whether the agent took the word by its own protocol."""
        try:
            line = await drivers.Line.open(records.channel_of(run.id), do="say", text=text)
            at = await line.told("taken", drivers.TAKEN_SECONDS)
        except drivers.DriverError as error:
            log.info("%s takes no word by %s: %s", run.id, run.channel, error)
            return False
        self._record(e.RunSteered(run=run.id, at=at, text=text, channel=run.channel))
        self._soon(self._until_delivered(run, text, line))
        return True

    async def _until_named(self, run: str) -> None:
        """An agent that names its session itself tells its driver."""
        session = await drivers.session(records.channel_of(run))
        if session and run in self._governed:
            self._sessions[run] = session
            self._named(run, session)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_delivered(self, run: Run, text: str, line: drivers.Line) -> None:
        """Tells when the model got it; what the agent drops goes by the gateway while that is open."""
        channel, delivered = run.channel, 0
        try:
            delivered = await line.told("delivered")
        except drivers.DriverError:
            governed = self._governed.get(run.id)
            if governed is None or governed.refused:
                return
            governed.say(text)
            channel = "gateway"
        finally:
            line.close()
        at = self._now()
        self._record(
            e.RunSteered(run=run.id, at=at, text=text, channel=channel, delivered=delivered)
        )

    def answer(self, run: Run, tool: str, *, allowed: bool) -> None:
        """Decides on what waits.

        Raises:
            GovernError: when nobody waits for this any more.
        """
        if not self._approvals.answer(run.id, tool, allowed=allowed, by="operator"):
            raise GovernError(f"{run.id} does not wait for an answer to {tool!r}")

    def _live(self, run: Run) -> Governed:
        governed = self._governed.get(run.id)
        if governed is None:
            why = "has ended" if run.governed else "was not started by cockpit run"
            raise GovernError(f"{run.id} {why}: none of its calls pass the gateway")
        return governed


def _own_purse(run: str) -> str:
    return f"run:{run}"


def _sessions_of(run: Run) -> set[str]:
    """As the agent calls them."""
    return {run.session, *(found.rpartition("/")[2] for found in run.sessions)} - {""}


def _called(wish: Wanted, maker: Recipe) -> str:
    """The operator's name for it; a program without transcripts is called like its command."""
    return wish.name or ("" if maker.agent != "generic" else Path(wish.command[0]).name)
