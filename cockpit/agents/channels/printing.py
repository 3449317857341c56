"""What the driver prints in the agent's place."""

import os

from cockpit.core.text import clean

TEXT_LIMIT = 32 * 1024 * 1024


class Printer:
    """Standard output and errors; a terminal gets nothing that it could act on."""

    def __init__(self, output: int = 1, errors: int = 2) -> None:
        self._output = output
        self._errors = errors

    @property
    def shows_both(self) -> bool:
        """Whether one pair of eyes sees both."""
        return os.isatty(self._output) and os.isatty(self._errors)

    def say(self, text: str) -> None:
        """To standard output, as it is."""
        _write(self._output, text)

    def tell(self, text: str) -> None:
        """A line, or several, to standard error."""
        _write(self._errors, text if text.endswith("\n") else f"{text}\n")


def _write(descriptor: int, text: str) -> None:
    told = clean(text, TEXT_LIMIT) if os.isatty(descriptor) else text[:TEXT_LIMIT]
    left = told.encode(errors="replace")
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        return
