"""One demo agent: it talks to the provider, really does what the model asks, and keeps a transcript.

The transcript starts before the SDK is imported, so that a run shows at once. SIGINT and SIGTERM
end it in order; so does losing the process that started it. One that cockpit governs takes the
options of `claude` that its recipe uses, and belongs to its runner.
"""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import msgspec

from cockpit.demo import ending, permission, toolset
from cockpit.demo.clients import open_client
from cockpit.demo.naming import rename_process
from cockpit.demo.plan import COMMANDS, Place, Plan
from cockpit.demo.scripts import continued_after
from cockpit.demo.toolset import SUB_AGENT, TOOLS, run_tool
from cockpit.demo.transcripts import open_transcript
from cockpit.demo.transcripts.claude import ClaudeTranscript
from cockpit.demo.turns import Asked, Client, Outcome, RefusedError, Transcript, Turn

LAST_WORDS_S = 2.0


class Session:
    """A model, its tools and a transcript, working until the model asks for nothing more."""

    def __init__(self, plan: Plan, place: Place, transcript: Transcript, client: Client) -> None:
        self.plan, self.place = plan, place
        self.transcript, self.client = transcript, client
        self.busy = False
        self.steps = self.context = 0

    def work(self, text: str, done: int = 0) -> Turn:
        """One turn of the agent: a prompt, and model calls until one asks for no tool.

        `done` are steps of the work that were made before.
        """
        self.busy, self.steps = True, done
        self.transcript.prompt(text)
        self._tell(f"{text}\n{continued_after(done)}" if done else text)
        turn = self._ask()
        while turn.calls:
            outcomes = [self._run(call) for call in turn.calls]
            self.transcript.outcomes(outcomes)
            self.steps += len(outcomes)
            if self.context > self.plan.compact_at:
                self._compact(f"{text}\n{continued_after(self.steps)}")
            else:
                self.client.report(outcomes)
            turn = self._ask()
        self.transcript.idle(turn)
        self.busy = False
        return turn

    def _ask(self) -> Turn:
        turn = self.client.ask()
        self.context = self.client.prompt_tokens(turn)
        self.transcript.turn(turn)
        _say(turn.text)
        return turn

    def _tell(self, text: str) -> None:
        if self.context > self.plan.compact_at:
            self._compact(text)
        else:
            self.client.hear(text)

    def _compact(self, text: str) -> None:
        self.transcript.compacted(self.context)
        self.client.forget(text)
        self.context = 0

    def _run(self, call: Asked) -> Outcome:
        if call.name == SUB_AGENT.name:
            return delegate(self.plan, self.place, call)
        asked = toolset.now()
        denied = permission.refusal(call, self.place.workspace)
        if denied:
            return Outcome(call, 1, denied, asked, toolset.now())
        return run_tool(call, Path(self.place.workspace))

    def interrupted(self) -> None:
        if self.busy:
            self.transcript.interrupted(self.client.partial)


def delegate(plan: Plan, place: Place, call: Asked) -> Outcome:
    """Run a sub-agent to its end, with its own transcript beside its parent's."""
    started = toolset.now()
    transcript = ClaudeTranscript(plan, place, agent=f"a{uuid4().hex[:16]}")
    description = str(call.arguments.get("description", ""))
    transcript.described(call.id, description)
    client = open_client(plan, place, system_prompt(place), TOOLS[plan.agent], script="review")
    session = Session(plan, place, transcript, client)
    try:
        turn = session.work(str(call.arguments.get("prompt", "")))
        transcript.described(call.id, description, finished=True)
    except (KeyboardInterrupt, SystemExit):
        ending.heard()
        session.interrupted()
        raise
    finally:
        transcript.close()
    return Outcome(call, 0, turn.text, started, toolset.now())


def system_prompt(place: Place) -> str:
    """Who the agent is, and the project's handbook, as agents carry their project's instructions."""
    handbook = Path(place.workspace, "HANDBOOK.md").read_text()
    return f"You are a coding agent at work in {place.workspace}.\n\n{handbook}"


def run(plan: Plan, place: Place, resumed: str = "") -> None:
    """Work on the task, then wait for the next tick or for the operator.

    `resumed` is what the operator says to a session that goes on.
    """
    transcript = open_transcript(plan, place)
    tools = [*TOOLS[plan.agent], SUB_AGENT] if plan.script == "lead" else TOOLS[plan.agent]
    try:
        client = open_client(plan, place, system_prompt(place), tools)
        session = Session(plan, place, transcript, client)
        try:
            session.work(resumed or plan.task, _steps(transcript) if resumed else 0)
            while plan.wake_s is not None:
                time.sleep(plan.wake_s)
                session.work(plan.wake_prompt)
            if not plan.once:
                threading.Event().wait()
        except (KeyboardInterrupt, SystemExit):
            ending.heard()
            session.interrupted()
            raise
        except RefusedError as refused:
            if isinstance(transcript, ClaudeTranscript):
                transcript.refused(refused)
            sys.exit(str(refused))
    finally:
        transcript.close()


def _steps(transcript: Transcript) -> int:
    return transcript.steps() if isinstance(transcript, ClaudeTranscript) else 0


def end_with(lifeline: int) -> None:
    """End this process when the other end of a pipe closes: whoever started it is gone."""

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LAST_WORDS_S)
        os._exit(ending.TERMINATED)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _say(text: str) -> None:
    """To whoever is attached, or to the log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def live(plan: Plan, place: Place, lifeline: int | None, resumed: str = "") -> int:
    """Run to the end; the exit code is that of the real agents: 0 after SIGINT, 143 after SIGTERM."""
    ending.heed()
    if lifeline is not None:
        end_with(lifeline)
    try:
        run(plan, place, resumed)
    except KeyboardInterrupt:
        return 0
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        _say(str(end.code))
        return 1
    finally:
        ending.heard()
    return 0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m cockpit.demo.worker", description=__doc__)
    parser.add_argument("--plan", required=True, help="a Plan as JSON")
    parser.add_argument("--place", required=True, help="a Place as JSON")
    parser.add_argument("--session-id", help="in the place of the plan's")
    parser.add_argument("--resume", help="the plan's session: it goes on")
    parser.add_argument("--settings", help="hooks are in there; this agent asks the engine itself")
    parser.add_argument("-p", "--print", action="store_true", help="without a terminal")
    parser.add_argument("prompt", nargs="?", default="", help="with --resume: what to go on with")
    options = parser.parse_args(arguments)
    plan = msgspec.json.decode(options.plan, type=Plan)
    place = msgspec.json.decode(options.place, type=Place)
    if not plan.governed:
        sys.exit(live(plan, place, sys.stdin.fileno()))
    if options.session_id:
        plan = msgspec.structs.replace(plan, session=options.session_id)
    rename_process(COMMANDS[plan.agent], "demo", plan.name)
    sys.exit(live(plan, place, None, options.prompt if options.resume else ""))


if __name__ == "__main__":
    main()
