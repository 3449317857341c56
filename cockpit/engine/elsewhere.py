"""What runs that nobody governs spent of the day and of the month: it counts against their caps too."""

import asyncio
import logging
from collections.abc import Callable

from cockpit.engine.api import RequestError
from cockpit.engine.scopes import Scopes

log = logging.getLogger(__name__)

RECOUNT_MS = 5 * 60_000


class Elsewhere:
    """Tells the ledger what the whole machine spent.

    Today's spend is at hand; that of the month's earlier days is read from the books in a thread,
    again now and then, because transcripts of those days may still be found.
    """

    def __init__(self, scopes: Scopes, spent: Callable[[int, int], int]) -> None:
        """`spent` reads nano-dollars of a span of milliseconds; raises RequestError without books."""
        self._scopes = scopes
        self._spent = spent
        self._earlier = 0
        self._counted: tuple[int, int] = (0, 0)
        self._counting: asyncio.Task[None] | None = None

    def tick(self, now: int, spent_since: Callable[[int], int]) -> None:
        """`spent_since` counts the last two days from memory."""
        midnight = self._scopes.midnight(now)
        day, at = self._counted
        if day != midnight or now - at >= RECOUNT_MS:
            self._counted = (midnight, now)
            self._count(self._scopes.first_of_month(now), midnight)
        self._scopes.outside(now, spent_since(midnight), self._earlier)

    def _count(self, first: int, midnight: int) -> None:
        if first == midnight:
            self._earlier = 0  # at once: last month's spend must not shut this month's door
        else:
            self._counting = asyncio.create_task(self._read(first, midnight))

    async def _read(self, first: int, midnight: int) -> None:
        try:
            earlier = await asyncio.to_thread(self._spent, first, midnight)
        except RequestError as error:
            log.info("the month was not counted: %s", error)
            return
        if self._counted[0] == midnight:  # else a new day, perhaps a new month, began meanwhile
            self._earlier = earlier
