"""One look at the process table for everybody who waits for one."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from cockpit.engine.processes import Processes, snapshot

SWITCH_SECONDS = 0.000_05


def _impatient(previous: Processes) -> Processes:
    """A snapshot beside threads that compute.

    Each of its hundreds of system calls gives up the interpreter; at the usual 5 ms until it comes
    back, one busy thread makes a look last seconds (measured: 2.7 s instead of 60 ms).
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        return snapshot(previous)
    finally:
        sys.setswitchinterval(usual)


class Lookout:
    """Takes snapshots off the event loop, never two at once; later callers share the next one.

    Belongs to one event loop. `latest` is the last table, `cost_ms` the time it took.
    """

    def __init__(self) -> None:
        self.latest: Processes = {}
        self.cost_ms = 0.0
        self._next: asyncio.Task[Processes] | None = None
        self._looking = asyncio.Lock()
        # A thread of its own: a stop must not queue behind other work of the engine.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lookout")

    async def fresh(self) -> Processes:
        """A table read from start to end after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        return await asyncio.shield(self._next)

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> Processes:
        async with self._looking:
            self._next = None  # whoever asks from here on needs a later look
            began = time.monotonic()
            loop = asyncio.get_running_loop()
            self.latest = await loop.run_in_executor(self._thread, _impatient, self.latest)
            self.cost_ms = (time.monotonic() - began) * 1000
            return self.latest
