"""Evidence has an end: what is too old goes, and then the oldest, each with its reason told."""

import asyncio
import logging
from collections.abc import Callable

from cockpit.core.events import Event, NoticeGiven
from cockpit.journal import evidence, paths, traces
from cockpit.journal.blobs import BlobStore
from cockpit.journal.evidence import Evidence, Row
from cockpit.journal.keeping import EvidenceSettings
from cockpit.journal.store import Journal

HOUR_SECONDS = 3_600.0

log = logging.getLogger(__name__)


class Retention:
    """Looks once an hour. Belongs to the engine's event loop."""

    def __init__(
        self,
        *,
        settings: EvidenceSettings,
        journal: Journal,
        blobs: BlobStore,
        record: Callable[[Event], object],
        now: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._blobs = blobs
        self._record = record
        self._now = now

    async def keep_small(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            try:
                await self.let_go()
            except Exception:
                log.exception("old evidence could not be let go; tried again in an hour")
            await asyncio.sleep(HOUR_SECONDS)

    async def let_go(self) -> list[Row]:
        """Removes what must go now; the rows of it."""
        gone = await asyncio.to_thread(self._outlived)
        if gone:
            await asyncio.wrap_future(self._journal.write([traces.kept(row) for row in gone]))
            await asyncio.to_thread(self._sweep)
            text = f"evidence of {len(gone)} runs was let go: {gone[-1].gone}"
            self._record(NoticeGiven(run="", at=self._now(), text=text))
        return gone

    def _outlived(self) -> list[Row]:
        rows = self._rows()
        held = self._blobs.size() if rows else 0
        return evidence.outlived(rows, self._settings, held, self._now())

    def _sweep(self) -> None:
        self._blobs.sweep(evidence.named(self._blobs, self._rows()))

    def _rows(self) -> list[Row]:
        with Evidence.reading(paths.journal_file(), self._blobs) as kept:
            return kept.rows() if kept else []
