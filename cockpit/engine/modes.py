"""Which modes an agent set on its terminal, so that they can be undone when it is left or dies."""

import re

_MODE = re.compile(rb"\x1b\[(?:\?([\d;]{1,64})([hl])|([<>=])(\d{0,4})(?:;\d{0,4})?u)")
_UNFINISHED = 80
_USUALLY_ON = frozenset({7, 25})
_LAST = (1049, 1047, 47)
"""The other screen is left last: what comes before must still concern it."""


class Modes:
    """Follows a stream of output. Knows DEC private modes and kitty's stack of keyboard modes."""

    def __init__(self) -> None:
        self._changed: dict[int, bool] = {}
        self._keyboards = 0
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes in output, cut anywhere."""
        text = self._rest + data
        end = 0
        for match in _MODE.finditer(text):
            end = match.end()
            self._take(match)
        start = text.rfind(b"\x1b[", max(end, len(text) - _UNFINISHED))
        self._rest = text[start:] if start >= 0 else text[-1:] if text.endswith(b"\x1b") else b""

    def _take(self, match: "re.Match[bytes]") -> None:
        numbers, switch, keyboard, count = match.groups()
        if keyboard == b">":
            self._keyboards += 1
        elif keyboard == b"<":
            self._keyboards = max(0, self._keyboards - int(count or 1))
        for number in (numbers or b"").split(b";"):
            if number:
                self._set(int(number), switch == b"h")

    def _set(self, number: int, on: bool) -> None:
        if on == (number in _USUALLY_ON):
            self._changed.pop(number, None)
        else:
            self._changed[number] = on

    def undo(self) -> bytes:
        """What puts the terminal back as it was."""
        keyboards = b"\x1b[<%du" % self._keyboards if self._keyboards else b""
        return keyboards + b"\x1b[0m" + self._switched(back=True)

    def redo(self) -> bytes:
        """What puts a fresh terminal into the modes set so far."""
        return self._switched(back=False) + b"\x1b[>1u" * self._keyboards

    def _switched(self, *, back: bool) -> bytes:
        numbers = sorted(self._changed, key=lambda number: (number in _LAST) == back)
        return b"".join(
            b"\x1b[?%d%c" % (number, b"h"[0] if self._changed[number] != back else b"l"[0])
            for number in numbers
        )
