"""The key that leaves a run to itself: ctrl+] twice.

Once is for the agent (a terminal editor may want it), so it is held back until the next key shows
which it was. Terminals send it as one byte, or as an escape sequence where the agent asked for more
exact keys.
"""

import re

HOLD_SECONDS = 0.5
_PRESS = rb"(?:\x1d|\x1b\[93;5(?::[12])?u|\x1b\[27;5;93~)"
_RELEASE = rb"(?:\x1b\[93;\d+:3u|\x1b\[57\d{3};\d+:[123]u)*"
"""Where releases are told, those of ] and of ctrl come between the two."""
_TWICE = re.compile(_PRESS + _RELEASE + _PRESS)
_ONCE = re.compile(_PRESS + _RELEASE + rb"\Z")


class DetachKey:
    """Looks for the key in what is typed."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def holds(self) -> bool:
        """Whether a first press waits: call `release` after `HOLD_SECONDS`."""
        return bool(self._held)

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes to the agent, and whether the run is to be left."""
        typed = self._held + typed
        self._held = b""
        twice = _TWICE.search(typed)
        if twice:
            return typed[: twice.start()], True
        once = _ONCE.search(typed)
        if once:
            self._held = once.group()
            return typed[: once.start()], False
        return typed, False

    def release(self) -> bytes:
        """The first press was alone: it is the agent's."""
        held, self._held = self._held, b""
        return held
