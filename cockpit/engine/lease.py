"""The lease under which an agent runs: without a word from the engine for so long, it is over.

The time is monotonic, so a sleeping machine does not count as silence. When a clock jumped, or this
process itself was kept from looking, a whole period is granted anew: the engine slept too.
"""

import time
from typing import NamedTuple

FROZEN_SECONDS = 5.0
"""Looks come every second; so long without one means that we were stopped or starved."""
JUMP_SECONDS = 2.0


class Clocks(NamedTuple):
    """Seconds of the three clocks at one moment; `boot` goes on while the machine sleeps."""

    monotonic: float
    wall: float
    boot: float


def read_clocks() -> Clocks:
    """The clocks now."""
    monotonic = time.monotonic()
    slept = getattr(time, "CLOCK_BOOTTIME", None)
    return Clocks(monotonic, time.time(), monotonic if slept is None else time.clock_gettime(slept))


class Lease:
    """Runs out `seconds` after the last beat."""

    def __init__(self, seconds: float, now: Clocks) -> None:
        self.seconds = seconds
        self._last = now
        self._until = now.monotonic + seconds

    def beat(self, now: Clocks) -> None:
        """The engine lives."""
        self._until = now.monotonic + self.seconds

    def is_over(self, now: Clocks) -> bool:
        """Whether the silence has lasted too long. Look about once a second."""
        if self._jumped(now):
            self._until = max(self._until, now.monotonic + self.seconds)
        self._last = now
        return now.monotonic >= self._until

    def _jumped(self, now: Clocks) -> bool:
        passed, wall, boot = (after - before for after, before in zip(now, self._last, strict=True))
        return (
            passed > FROZEN_SECONDS
            or abs(wall - passed) > JUMP_SECONDS
            or abs(boot - passed) > JUMP_SECONDS
        )
