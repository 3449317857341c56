"""The real app in a real pseudo-terminal, fed with attacks: what counts are the raw bytes that come out."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest
from hostile import WRITTEN_BY_NOBODY, forbidden
from wcwidth import wcwidth

HERE = Path(__file__).parent
COLUMNS, ROWS = 120, 40


class Picture(pyte.Screen):
    """pyte forgets the rest of a text after a vowel sign without a width, as in `क्षि`: such signs are left out."""

    def draw(self, data: str) -> None:
        super().draw("".join(each for each in data if wcwidth(each) or unicodedata.combining(each)))

    @property
    def display(self) -> list[str]:
        """The lines as text; pyte's own fails on half of a wide character, as the edge of a dialog leaves it."""
        rows = (self.buffer[y] for y in range(self.lines))
        return ["".join(row[x].data for x in range(self.columns)) for row in rows]


class Terminal:
    """A pseudo-terminal with the app behind it: keeps every byte, and the picture they make."""

    def __init__(self, theme: str) -> None:
        self.raw = b""
        self.screen = Picture(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "hostile.py"), theme],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            env={
                name: set_ for name, set_ in os.environ.items() if name not in ("COLUMNS", "LINES")
            }
            | {
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
                "VISUAL": "sed -i 1s/day/DAY/",
                "PYTHONPATH": str(HERE.parents[1]),
            },
        )
        os.close(follower)

    def press(self, keys: str) -> None:
        os.write(self._leader, keys.encode())

    def read(self, seconds: float) -> bool:
        """Whatever comes within this time; False when nothing came, or the app is gone."""
        if not select.select([self._leader], [], [], seconds)[0]:
            return False
        try:
            came = os.read(self._leader, 1 << 16)
        except OSError:
            return False
        self.raw += came
        self._stream.feed(came)
        return bool(came)

    def until(self, holds: Callable[[str], bool], seconds: float = 30) -> None:
        """Read until the picture is as wanted, and then until nothing more comes."""
        deadline = time.monotonic() + seconds
        while not holds(self.picture):
            self.read(0.1)
            assert time.monotonic() < deadline, "\n" + self.picture
            assert self.process.poll() is None, "\n" + self.picture
        while self.read(0.3):
            pass

    @property
    def picture(self) -> str:
        return "\n".join(self.screen.display)

    def is_straight(self, last: int = ROWS - 2) -> bool:
        """Whether the frames at both edges of the screen stand below each other."""
        rows = [self.screen.buffer[y] for y in range(2, last)]
        return {(row[0].data, row[COLUMNS - 1].data) for row in rows} == {("│", "│")}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)


@pytest.fixture(params=["cockpit", "terminal"])
def terminal(request) -> Iterator[Terminal]:
    terminal = Terminal(request.param)
    yield terminal
    terminal.close()


def check(terminal: Terminal) -> None:
    """Nothing of the attack went out, in any encoding."""
    text = terminal.raw.decode("utf-8")  # raises if a raw C1 byte went out
    assert forbidden(text) == set()
    assert [words for words in WRITTEN_BY_NOBODY if words in text] == []


def test_nothing_of_an_attack_reaches_the_terminal(terminal):
    # the main screen: names, agents, models, projects, the focus pane, the feed
    terminal.until(
        lambda picture: "[red]R[/red]" in picture and "asks" in picture and terminal.is_straight(20)
    )
    check(terminal)

    # the run: its transcript, live too, then everything unfolded, then from its beginning
    terminal.press("\r")
    terminal.until(lambda picture: "LIVE [red]R[/red]" in picture)
    check(terminal)
    for keys, shown in (("t", "[bold"), ("g", "[red]R[/red]"), ("\x1b[6~", "│"), ("\x1b[6~", "│")):
        terminal.press(keys)
        terminal.until(lambda picture, shown=shown: shown in picture and terminal.is_straight())
        check(terminal)

    # the tool call that waits, in full
    terminal.press("a")
    terminal.until(lambda picture: "rule: [red]R" in picture and "N deny" in picture)
    check(terminal)
    terminal.press("\x1b")
    terminal.until(lambda picture: "N deny" not in picture)

    # a refusal of the engine, and every run's name in the palette
    terminal.press("\x1b")
    terminal.until(lambda picture: "fleet" in picture and "transcript" not in picture)
    terminal.press("j\r")
    terminal.until(lambda picture: "transcript: [red]R" in picture)
    check(terminal)
    terminal.press(":")
    terminal.until(lambda picture: "Unfold all" in picture)
    terminal.press("red")
    terminal.until(lambda picture: "go to [red]R" in picture)
    check(terminal)

    # what was spent: by agent, by model, and drilled into
    terminal.press("\x1b")
    terminal.until(lambda picture: "go to [red]R" not in picture)
    for keys, shown in (("$", "[agent]"), ("\t", "[model]"), ("\r", "[run]"), ("\x1b", "[model]")):
        terminal.press(keys)
        terminal.until(
            lambda picture, shown=shown: (
                shown in picture and "[red]R" in picture and "days" in picture
            )
        )
        check(terminal)
    assert terminal.process.poll() is None


def test_nothing_of_a_hostile_script_reaches_the_terminal(terminal):
    # tasks: their names, a refusal with its runs side by side, a refusal of the engine
    terminal.until(lambda picture: "[red]R[/red]" in picture and "asks" in picture)
    for keys, shown in (
        ("t", "1 candidate"),
        ("b", "not built: [red]R"),
        ("jj", "exactly"),
        ("\r", "decided at"),
        ("\x1b", "[tasks]"),
        # the shelf: results, savings, schedule, a dry run that is refused
        ("\t", "[shelf]"),
        ("d", "did not run: [red]R"),
        (" ", "schedule"),
        ("\x1b", "[shelf]"),
        # the review: program, values, evidence, facts, difference, the whole source, the question
        ("\r", "cannot be"),
        ("n", "from day"),
        ("G", "999"),
        ("d", "approved last"),
        ("\x1b", "program"),
        ("f", "whole source"),
        ("\t", "\u25b8 evidence"),
        ("\t", "\u25b8 facts"),
        ("a", "CANNOT SEE"),
        ("y", "not approved: [red]R"),
        # the terminal is the editor's for a while, and the engine refuses what came of it
        ("e", "not proven: [red]R"),
        ("\t", "\u25b8 whole source"),
    ):
        terminal.press(keys)
        terminal.until(lambda picture, shown=shown: shown in picture)
        check(terminal)
    assert terminal.process.poll() is None


def test_the_check_sees_what_it_forbids():
    assert forbidden("plain \x1b[0m text") == set()
    assert forbidden("a\u202eb\x9bc\u200bd\x85") == {"\u202e", "\x9b", "\u200b", "\x85"}
