"""A run's terminal and pipes in another process: `cockpit attach`, and what `cockpit run` shows."""

import asyncio
import contextlib
import os
import pty
import re
import signal
import sys
import termios

import pytest

from cockpit.cli.detach import DetachKey
from cockpit.engine import birth, frames
from cockpit.engine.modes import Modes
from tests.engine.yard import Heard, Yard, until

OWNER = (
    "import sys; from pathlib import Path; from cockpit.cli.attachment import attach;"
    "sys.exit(attach(Path(sys.argv[1]), owner=sys.argv[2] == 'True'))"
)

DRAWS = """import os, signal, time
def draw(*_):
    size = os.get_terminal_size()
    os.write(1, b"<%d %d>" % (size.lines, size.columns))
signal.signal(signal.SIGWINCH, draw)
"""


@pytest.fixture
async def yard(monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", "")
    yard = Yard()
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


def command(yard, run, owner=True):
    from cockpit.engine import records

    return [sys.executable, "-c", OWNER, str(records.socket_of(run)), str(owner)]


async def piped(yard, run, text=b"", owner=True, **more):
    process = await asyncio.create_subprocess_exec(
        *command(yard, run, owner),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        **more,
    )
    output, errors = await asyncio.wait_for(process.communicate(text), 30)
    return process.returncode, output, errors


class Screen:
    """A person's terminal with a program in it."""

    def __init__(self, argv, rows=24, columns=80):
        self.output = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)
        birth.resize(self.master, rows, columns)
        os.set_blocking(self.master, False)
        self.code = None

    async def until(self, text):
        await until(lambda: text in self.read())

    def read(self):
        with contextlib.suppress(OSError):
            self.output += os.read(self.master, 65536)
        return self.output

    def type(self, data):
        os.write(self.master, data)

    async def end(self):
        await until(self.has_changed)
        self.read()
        return os.waitstatus_to_exitcode(self.status)

    def has_changed(self):
        self.read()
        pid, self.status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        return pid != 0

    def modes(self):
        return termios.tcgetattr(self.master)

    def close(self):
        os.close(self.master)


async def test_pipes_are_passed_on_unchanged(yard):
    rein = await yard.spawn(["sh", "-c", "cat; echo err >&2; exit 9"], awaited=True)
    text = bytes(range(256)) * 4_000
    assert await piped(yard, rein.run, text) == (9, text, b"err\n")


async def test_an_end_before_anybody_attached_is_shown_in_full(yard):
    rein = await yard.spawn(["sh", "-c", "echo out; exit 3"], stdin="null", awaited=True)
    await asyncio.wait_for(asyncio.shield(rein.ended), 10)
    assert await piped(yard, rein.run) == (3, b"out\n", b"")


async def test_a_word_of_the_engine_is_an_error_line_of_pipes(yard):
    rein = await yard.spawn(["sh", "-c", "echo ready; cat"], awaited=True)
    process = await asyncio.create_subprocess_exec(
        *command(yard, rein.run), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.stdout.readline()
    rein.say(frames.TELL, text="asks (cap): its money cap is reached")
    assert await process.stderr.readline() == b"cockpit: asks (cap): its money cap is reached\n"
    assert await process.communicate(b"") == (b"", b"")


async def test_a_word_of_the_engine_does_not_disturb_a_terminal(yard):
    rein = await yard.spawn(
        ["sh", "-c", "echo ready; read x; echo over"], size=(24, 80), awaited=True
    )
    screen = Screen(command(yard, rein.run))
    await screen.until(b"ready")
    rein.say(frames.TELL, text="asks")
    screen.type(b"\n")
    await screen.until(b"over")
    assert await screen.end() == 0
    assert b"asks" not in screen.output
    screen.close()


async def test_a_signal_is_passed_on_and_its_code_kept(yard):
    rein = await yard.spawn(["sh", "-c", "echo ready; exec sleep 600"], awaited=True)
    process = await asyncio.create_subprocess_exec(
        *command(yard, rein.run), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 128 + signal.SIGINT


async def test_who_only_looks_does_not_end_the_input(yard):
    heard = Heard()
    rein = await yard.spawn(["cat"], hear=heard)
    task = asyncio.create_task(piped(yard, rein.run, b"look\n", owner=False))
    await heard.until(lambda said: b"look" in said)
    rein.end_input()
    assert await task == (0, b"look\n", b"")


async def test_output_goes_into_a_file(yard, tmp_path):
    rein = await yard.spawn(["sh", "-c", "wc -c; head -c 3000000 /dev/zero"], awaited=True)
    (tmp_path / "in").write_bytes(b"12345")
    with (tmp_path / "in").open("rb") as given, (tmp_path / "out").open("wb") as taken:
        process = await asyncio.create_subprocess_exec(
            *command(yard, rein.run), stdin=given, stdout=taken
        )
        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert (tmp_path / "out").read_bytes() == b"5\n" + bytes(3_000_000)


async def test_in_a_terminal_it_feels_like_the_agent(yard):
    rein = await yard.spawn(
        [sys.executable, "-SEc", DRAWS + "os.write(1, b'said ' + input().encode()); os._exit(6)"],
        size=(24, 80),
        awaited=True,
    )
    screen = Screen(command(yard, rein.run), rows=33, columns=90)
    before = screen.modes()
    await screen.until(b"<33 90>")
    birth.resize(screen.master, 40, 120)
    await screen.until(b"<40 120>")
    screen.type(b"hello\r")
    assert await screen.end() == 6
    assert b"hello\r\nsaid hello" in screen.output
    assert screen.modes() == before
    screen.close()


async def test_the_key_leaves_the_run_to_itself_and_the_terminal_as_it_was(yard):
    rein = await yard.spawn(
        ["sh", "-c", r"printf '\033[?1049h\033[?1000h\033[?25lready'; exec sleep 600"],
        size=(24, 80),
    )
    screen = Screen(command(yard, rein.run))
    before = screen.modes()
    await screen.until(b"ready")
    assert screen.modes() != before
    screen.type(b"\x1d")
    screen.type(b"\x1d")
    assert await screen.end() == 0
    assert screen.modes() == before
    after = screen.output.partition(b"ready")[2]
    for undone in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h"):
        assert undone in after
    assert rein.run.encode() in after
    assert yard.runners.held(rein.run) is not None
    screen.close()
    await yard.stop(rein.run)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
async def test_a_window_that_dies_stops_nothing(yard, number):
    rein = await yard.spawn(["sh", "-c", "echo ready; exec sleep 600"], size=(24, 80))
    screen = Screen(command(yard, rein.run))
    before = screen.modes()
    await screen.until(b"ready")
    os.kill(screen.pid, number)
    await screen.end()
    await until(lambda: screen.modes() == before)
    again = Screen(command(yard, rein.run, owner=False))
    await again.until(b"ready")
    again.type(b"\x03")
    assert await again.end() == 128 + signal.SIGINT
    screen.close()
    again.close()


async def test_a_second_look_at_a_full_screen_is_drawn_anew(yard):
    sleeps = DRAWS + "os.write(1, b'ready')\nwhile True: time.sleep(60)"
    rein = await yard.spawn(
        [sys.executable, "-SEc", sleeps], size=(24, 80), hear=(heard := Heard())
    )
    await heard.until(lambda said: b"ready" in said)
    for drawn in (False, True):
        screen = Screen(command(yard, rein.run))
        await screen.until(b"<24 80>" if drawn else b"ready")
        assert drawn or b"<" not in screen.output
        screen.type(b"\x1d\x1d")
        await screen.end()
        screen.close()
    await yard.stop(rein.run)


async def test_ctrl_z_puts_both_to_rest_and_wakes_both(yard):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGCONT, lambda *_: os.write(1, b'woke'))\n"
        "os.write(1, b'ready'); os.read(0, 1); os.kill(0, signal.SIGSTOP)\n"
        "while True: time.sleep(60)\n"
    )
    rein = await yard.spawn([sys.executable, "-SEc", code], size=(24, 80), awaited=True)
    screen = Screen(command(yard, rein.run))
    before = screen.modes()
    await screen.until(b"ready")
    screen.type(b"\r")
    await until(screen.has_changed)
    assert os.WIFSTOPPED(screen.status)
    assert screen.modes() == before
    os.kill(screen.pid, signal.SIGCONT)
    await screen.until(b"woke")
    assert screen.modes() != before
    screen.type(b"\x1d\x1d")
    assert await screen.end() == 0
    screen.close()
    await yard.stop(rein.run)


@pytest.mark.parametrize(
    "press", [b"\x1d", b"\x1b[93;5u", b"\x1b[27;5;93~", b"\x1b[93;5:1u\x1b[93;5:3u"]
)
def test_the_key_in_every_encoding(press):
    key = DetachKey()
    assert key.feed(b"a" + press) == (b"a", False)
    assert key.holds
    assert key.feed(press) == (b"", True)
    assert key.feed(press) == (b"", False)
    assert key.feed(b"b") == (press + b"b", False)
    assert key.feed(b"x" + press + press) == (b"x", True)
    key.feed(press)
    assert key.release() == press
    assert not key.holds


def test_modes_are_undone_whatever_way_the_stream_was_cut():
    stream = b"text\x1b[?1049h\x1b[?1000;1006hmore\x1b[>1u\x1b[?25l\x1b[?2026h\x1b[?2026l\x1b[?7l"
    for cut in range(len(stream)):
        modes = Modes()
        modes.feed(stream[:cut])
        modes.feed(stream[cut:])
        undone = modes.undo()
        found = set(re.findall(rb"\x1b\[[?<]\d+[hlu]", undone))
        assert found == {
            b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1006l", b"\x1b[<1u", b"\x1b[?25h", b"\x1b[?7h",
        }, cut  # fmt: skip
        assert undone.endswith(b"\x1b[?1049l")
        assert b"\x1b[?1049h" in modes.redo()
        modes.feed(undone)
        assert modes.undo() == Modes().undo()
