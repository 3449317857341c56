"""The driver: stands where the agent's headless command would, and speaks its protocol in its place.

It prints what that command would print and ends with its exit code. The agent is its child, so that
whoever owns the driver's tree owns the agent's. Where the protocol cannot be spoken, and nothing has
begun, the driver becomes the plain command.
"""

import asyncio
import contextlib
import os
import select
import signal
import sys
import tempfile
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from cockpit.agents.channels.channel import Channel, ChannelError, UnusableError
from cockpit.agents.channels.child import Child
from cockpit.agents.channels.ear import listen
from cockpit.agents.channels.plan import Plan
from cockpit.agents.channels.printing import Printer

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
INPUT_SECONDS = 3.0
"""So long a prompt waits for what may be piped in, as Claude Code does itself."""


class Make(Protocol):
    """Makes a channel."""

    def __call__(self, plan: Plan, child: Child, printer: Printer) -> Channel: ...


def main(arguments: list[str] | None = None) -> None:
    """Runs the plan in the file that is named first; never returns."""
    path = (arguments if arguments is not None else sys.argv[1:])[0]
    plan = msgspec.json.decode(Path(path).read_bytes(), type=Plan)
    given = given_to(plan)
    try:
        code = asyncio.run(drive(with_input(plan, given), Printer()))
    except UnusableError:
        become(plan, given)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that wait for an answer have nobody left to tell


def given_to(plan: Plan) -> bytes:
    """What is piped in, where that belongs to the prompt."""
    if not plan.piped or os.isatty(0):
        return b""
    is_patient = plan.piped != "below" or not plan.prompt
    if not is_patient and not select.select([0], [], [], INPUT_SECONDS)[0]:
        return b""
    return sys.stdin.buffer.read()


def with_input(plan: Plan, given: bytes) -> Plan:
    """With what was piped in.

    Raises:
        UnusableError: when there is no prompt: the plain command says so best.
    """
    text = given.decode(errors="replace")
    if not (plan.prompt or text.strip()):
        raise UnusableError("no prompt")
    return replace(plan, prompt=_joined(plan, text))


def _joined(plan: Plan, text: str) -> str:
    if not (plan.prompt and text):
        return plan.prompt or text
    match plan.piped:
        case "tagged":
            ended = text if text.endswith("\n") else f"{text}\n"
            return f"{plan.prompt}\n\n<stdin>\n{ended}</stdin>"
        case "above":
            return f"{text}\n\n{plan.prompt}"
    return f"{plan.prompt}\n{text}"


async def drive(plan: Plan, printer: Printer) -> int:
    """The exit code of the work.

    Raises:
        UnusableError: when the protocol cannot be spoken.
    """
    at_work: list[Channel] = []
    server = await listen(plan.socket, lambda: at_work[0] if at_work else None)
    try:
        try:
            child = await Child.start(plan.argv, env=_environment(plan))
        except OSError as error:
            raise UnusableError(str(error)) from error
        channel = _maker(plan)(plan, child, printer)
        _pass_on(child, channel)
        at_work.append(channel)
        return await channel.work()
    finally:
        server.close()
        with contextlib.suppress(OSError):
            Path(plan.socket).unlink()


def _maker(plan: Plan) -> Make:
    match plan.kind:
        case "stream-json":
            from cockpit.agents.channels.claude_stream import ClaudeStream

            return ClaudeStream
        case "app-server":
            from cockpit.agents.channels.codex_server import CodexServer

            return CodexServer
        case "serve":
            from cockpit.agents.channels.opencode_server import OpenCodeServer

            return OpenCodeServer
        case "acp":
            from cockpit.agents.channels.acp import AgentClient

            return AgentClient


def _environment(plan: Plan) -> dict[str, str] | None:
    if plan.kind != "serve":
        return None
    from cockpit.agents.channels.opencode_server import prepare

    return prepare()


def _pass_on(child: Child, channel: Channel) -> None:
    """Signals go to the agent's group, and we wait for its end; a stop of the job stops both."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    for number in FORWARDED:
        loop.add_signal_handler(number, child.signal, number)

    async def interrupt() -> None:
        """By the protocol; by a signal when that was tried before, or does not do."""
        if child.is_disturbed:
            child.signal(signal.SIGINT)
            return
        try:
            await channel.interrupt()
        except ChannelError:
            child.signal(signal.SIGTERM)

    def rest() -> None:
        child.signal(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)

    if not channel.heeds_signals:
        loop.add_signal_handler(signal.SIGINT, lambda: tasks.add(asyncio.create_task(interrupt())))
    loop.add_signal_handler(signal.SIGTSTP, rest)
    loop.add_signal_handler(signal.SIGCONT, child.signal, signal.SIGCONT)


def become(plan: Plan, given: bytes) -> None:
    """The plain command, in this very process, with the input that was read already."""
    if given:
        with tempfile.TemporaryFile() as again:
            again.write(given)
            again.seek(0)
            os.dup2(again.fileno(), 0)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(plan.plain[0], plan.plain)
    except OSError as error:
        sys.stderr.write(f"{plan.plain[0]}: {error.strerror}\n")
        os._exit(127)
