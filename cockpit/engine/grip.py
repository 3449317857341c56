"""A hold on one process, so that no signal can reach another that was given its number.

On Linux a pidfd is opened and the start time compared once behind it: from then on the handle names
that process for ever. Elsewhere, and when descriptors run out, the start time is compared right
before every signal.
"""

import errno
import os
import signal

from cockpit.engine.processes import Process, created

_HAS_PIDFD = hasattr(os, "pidfd_open") and hasattr(signal, "pidfd_send_signal")


class Grip:
    """One process, held. `descriptor` is readable once it ended; None where there is no pidfd."""

    def __init__(self, process: Process) -> None:
        """Takes hold.

        Raises:
            ProcessLookupError: the process is gone, or its pid belongs to another now.
        """
        self.process = process
        self.descriptor = _open(process.pid)
        if created(process.pid) != process.created:
            self.close()
            raise ProcessLookupError(errno.ESRCH, f"process {process.pid} is gone")

    def send(self, number: signal.Signals) -> str:
        """Sends a signal; returns why it could not be sent, empty if it was or nobody is left."""
        try:
            self._send(number)
        except ProcessLookupError:
            return ""
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _send(self, number: signal.Signals) -> None:
        if self.descriptor is not None:
            signal.pidfd_send_signal(self.descriptor, number)
        elif created(self.process.pid) == self.process.created:
            os.kill(self.process.pid, number)

    def close(self) -> None:
        """Lets go. Safe to call twice."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def send_to_group(pgid: int, number: signal.Signals, held: list[Grip]) -> bool:
    """Signals a whole group at one instant, if a process we hold is in it at this moment."""
    if pgid <= 1 or pgid == os.getpgrp() or not any(_is_in(grip, pgid) for grip in held):
        return False
    try:
        os.killpg(pgid, number)
    except OSError:
        return False
    return True


def _is_in(grip: Grip, pgid: int) -> bool:
    try:
        return (
            os.getpgid(grip.process.pid) == pgid
            and created(grip.process.pid) == grip.process.created
        )
    except OSError:
        return False


def _open(pid: int) -> int | None:
    if not _HAS_PIDFD:
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:
        return None
