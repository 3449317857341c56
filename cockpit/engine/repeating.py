"""Repeated tasks for the screens and the shelf: looked for beside the engine, anew every night."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Lock
from typing import Any

import msgspec

from cockpit.core.script import Task
from cockpit.engine.api import Answer
from cockpit.engine.looking import LookError, look

FRESH_MS = 30_000
"""Who asks again so soon gets the same answer, unless a run has left new evidence."""
NIGHT_HOUR = 3

log = logging.getLogger(__name__)


class Repeating:
    """Belongs to the engine's event loop; `known` may be called in any thread."""

    def __init__(self, zone: tzinfo | None, now: Callable[[], int]) -> None:
        self._zone = zone
        self._now = now
        self._found: list[Task] = []
        self._looked = 0
        self._stale = True
        self._lock = Lock()
        self._nightly: asyncio.Task[None] | None = None

    def start(self) -> None:
        """From now on all runs are compared anew every night."""
        self._nightly = asyncio.create_task(self._every_night())

    async def close(self) -> None:
        if self._nightly is not None:
            self._nightly.cancel()
            await asyncio.gather(self._nightly, return_exceptions=True)

    def witnessed(self) -> None:
        """There is new evidence: the next answer looks once more."""
        self._stale = True

    def known(self) -> list[Task]:
        """The tasks, by a look that is fresh enough; slow when it is not."""
        with self._lock:
            now = self._now()
            if self._stale or not 0 <= now - self._looked < FRESH_MS:
                self._look(anew=False)
            return self._found

    def _look(self, *, anew: bool) -> None:
        self._stale = False
        try:
            self._found = look(self._now(), anew=anew)
        except LookError as error:
            log.warning("tasks that repeat could not be looked for: %s", error)
        self._looked = self._now()

    def answers(self) -> dict[str, Answer]:
        """The request `tasks`."""
        return {"tasks": self._answer}

    async def _answer(self, _: dict[str, Any]) -> bytes:
        return msgspec.json.encode(await asyncio.to_thread(self.known))

    async def _every_night(self) -> None:
        while True:
            await asyncio.sleep(_until_night(self._now(), self._zone))
            await asyncio.to_thread(self._anew)

    def _anew(self) -> None:
        with self._lock:
            self._look(anew=True)


def _until_night(now: int, zone: tzinfo | None) -> float:
    """Seconds until the next night in the operator's zone, at least a minute."""
    here = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    night = here.replace(hour=NIGHT_HOUR, minute=30, second=0, microsecond=0)
    night = night if night > here else night + timedelta(days=1)
    return max(60.0, (night - here).total_seconds())
