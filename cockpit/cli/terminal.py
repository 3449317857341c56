"""Gives the terminal back whatever becomes of the screen, kill -9 included.

Nothing in a process survives its kill, so a guard of a few hundred kilobytes stands beside the
screen. It waits on a pipe that only the screen holds open, and puts the terminal in order when the
pipe closes without a farewell.
"""

import contextlib
import subprocess
import sys
import termios
from collections.abc import Iterator

RESTORE = (
    r"\033[?2026l"  # end of a synchronised update
    r"\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?1015l\033[?1016l"  # mouse
    r"\033[?2004l\033[?1004l\033[?2048l\033[<u"  # paste, focus, resize notices, kitty's keys
    r"\033[?7h\033[0m\033[?1049l\033[?25h\r"  # wrap, colors, the other screen, the cursor
)
GUARD = """trap '' INT TERM HUP QUIT; read -r farewell || { printf "$2"; stty "$1" <&1; }"""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """While this lasts a guard restores the terminal if this process dies."""
    try:
        before = termios.tcgetattr(sys.stdin.fileno())
        guard = _guard()
    except (termios.error, OSError, subprocess.SubprocessError):
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
        with contextlib.suppress(OSError):  # somebody killed the guard
            guard.communicate(b"well\n")


def _guard() -> "subprocess.Popen[bytes]":
    """A shell in a session of its own, so that no key and no hang-up reaches it."""
    asked = subprocess.run(["stty", "-g"], stdin=sys.stdin, capture_output=True, check=True)
    return subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "cockpit", asked.stdout.strip(), RESTORE],
        stdin=subprocess.PIPE,
        stdout=sys.stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
