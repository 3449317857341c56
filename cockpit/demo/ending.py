"""How a demo agent is told to end: SIGINT and SIGTERM become exceptions, and are not lost.

What a signal handler raises while Python finalises something is swallowed there, and the SDKs
finalise at the end of every answer. So a signal that was not heard is raised once more.
"""

import signal
from types import FrameType

TERMINATED = 128 + signal.SIGTERM
AGAIN_S = 0.5


def heed() -> None:
    """From now on SIGINT raises `KeyboardInterrupt` and SIGTERM `SystemExit`, until `heard`."""
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)


def heard() -> None:
    """The exception arrived: what is done now is not disturbed by another."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler
    ended = KeyboardInterrupt() if number == signal.SIGINT else SystemExit(TERMINATED)

    def again(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler
        raise ended

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
    raise ended
