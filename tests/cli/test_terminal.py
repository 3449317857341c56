"""The terminal is given back, whatever becomes of the screen: checked in a real pty."""

import contextlib
import re
import signal
import sys
import termios
import time

import pexpect
import psutil
import pytest

from tests.engine.machine import Machine

MODES = ("1000", "1002", "1003", "1006", "1015", "1016", "1049", "2004", "1004", "2048", "2026")


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.end()


def opened(machine) -> pexpect.spawn:
    screen = pexpect.spawn(
        sys.executable, ["-m", "cockpit"], env=machine.environment, dimensions=(40, 120), timeout=30
    )
    screen.before_modes = termios.tcgetattr(screen.fileno())
    screen.expect(re.escape("\x1b[?1049h"))
    screen.raw = screen.before + screen.after
    screen.expect("nothing|cockpit|Looked")
    screen.raw += screen.before + screen.after
    until(lambda: termios.tcgetattr(screen.fileno()) != screen.before_modes)
    return screen


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_given_back(screen):
    """A terminal reads all the while: one that does not keeps the guard from writing."""

    def is_given_back():
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            screen.raw += screen.read_nonblocking(65536, 0.02)
        return termios.tcgetattr(screen.fileno()) == screen.before_modes

    until(is_given_back)


def left_set(screen) -> list[str]:
    """Modes of the terminal that are still on after all that was written to it."""
    try:
        while True:
            screen.raw += screen.read_nonblocking(65536, 10)
    except pexpect.EOF:
        pass
    on = []
    for mode in MODES:
        told = re.findall(rb"\x1b\[\?" + mode.encode() + rb"([hl])", screen.raw)
        if told and told[-1] == b"h":
            on.append(mode)
    cursor = re.findall(rb"\x1b\[\?25([hl])", screen.raw)
    return on + (["no cursor"] if cursor and cursor[-1] == b"l" else [])


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV], ids=lambda n: n.name
)
def test_killed(machine, number):
    screen = opened(machine)
    screen.kill(number)
    until_given_back(screen)
    assert left_set(screen) == []
    screen.close()


def test_quit(machine):
    screen = opened(machine)
    screen.send("q")
    until_given_back(screen)
    assert left_set(screen) == []
    screen.close()
    assert screen.exitstatus == 0


def is_guard(process):
    """An engine that the screen starts is its child for a moment too."""
    try:
        return process.name() == "sh"
    except psutil.NoSuchProcess:
        return False


def test_the_guard_is_small_and_goes_with_the_screen(machine):
    screen = opened(machine)
    (guard,) = (each for each in psutil.Process(screen.pid).children() if is_guard(each))
    assert guard.memory_info().rss < 5 * 1024 * 1024
    guard.kill()
    screen.send("q")
    assert left_set(screen) == []
    screen.close()
    assert screen.exitstatus == 0
