"""The parent of the demo agents: it imports each SDK once and forks the agents that use it.

Standard input carries one JSON `Birth` a line; standard output tells of each start and end. When
standard input closes, all agents are ended, and what the demo wrote is removed: also when whoever
started the demo was killed.
"""

import importlib
import os
import selectors
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

import msgspec
from msgspec import Struct

from cockpit.demo import worker
from cockpit.demo.naming import rename_process
from cockpit.demo.plan import COMMANDS, SDKS, Place, Plan

GRACE_S = 2.0
POLL_S = 0.02
ROOM = " " * 160
"""Padding among the arguments, so that a child's longer command line fits."""


class Birth(Struct, frozen=True):
    """An agent to start."""

    plan: Plan
    place: Place


class Notice(Struct, frozen=True, omit_defaults=True):
    """An agent started, or ended with an exit code (negative: by that signal)."""

    name: str
    pid: int
    ended: bool = False
    code: int = 0


class Nursery:
    """The living agents by pid, and the pipe whose closing ends them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.living: dict[int, str] = {}
        self.lifeline, self._held = os.pipe()

    def start(self, birth: Birth) -> None:
        if birth.plan.agent in SDKS:
            importlib.import_module(SDKS[birth.plan.agent])
        pid = os.fork()
        if pid == 0:
            self._become(birth)
        self.living[pid] = birth.plan.name
        self._tell(Notice(birth.plan.name, pid))

    def _become(self, birth: Birth) -> None:
        """In the child: shed what belongs to the parent, work, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            os.close(self._held)
            os.setsid()
            _redirect(self.root / "logs" / f"{birth.plan.name}.log")
            os.chdir(birth.place.workspace)
            os.environ["HOME"] = birth.place.home
            rename_process(COMMANDS[birth.plan.agent], "demo", birth.plan.name)
            code = worker.live(birth.plan, birth.place, self.lifeline)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def reap(self) -> None:
        """Collect the agents that have ended, so that none lingers as a zombie."""
        while self.living:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self.living.pop(pid, "")
            self._tell(Notice(name, pid, True, os.waitstatus_to_exitcode(status)))

    def end(self) -> None:
        """End every agent with its group, and the demo's engine; then remove all that was written."""
        from cockpit.demo.governing import end_engine

        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in list(self.living):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, number)
            self._wait(GRACE_S)
        if Path(os.environ.get("COCKPIT_HOME", "/")).is_relative_to(self.root):
            end_engine()
        shutil.rmtree(self.root, ignore_errors=True)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.living and time.monotonic() < deadline:
            time.sleep(POLL_S)
            self.reap()

    def _tell(self, notice: Notice) -> None:
        with suppress(BrokenPipeError):
            os.write(1, msgspec.json.encode(notice) + b"\n")


def _redirect(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(written, 1)
    os.dup2(written, 2)


def births(nursery: Nursery) -> None:
    """Start what standard input asks for and reap what ends, until it closes."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(wake)
    selector = selectors.DefaultSelector()
    for source in (0, woken):
        selector.register(source, selectors.EVENT_READ)
    waiting = b""
    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 65536)
            if key.fd == woken:
                nursery.reap()
            elif not data:
                return
            else:
                *lines, waiting = (waiting + data).split(b"\n")
                for line in lines:
                    nursery.start(msgspec.json.decode(line, type=Birth))


def _nothing(number: int, frame: FrameType | None) -> None:
    """SIGCHLD only has to wake the selector."""


def main() -> None:
    nursery = Nursery(Path(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            births(nursery)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        nursery.end()


if __name__ == "__main__":
    main()
