"""What found runs spend counts against the day's and the month's cap."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from cockpit.core.money import NANO
from cockpit.engine.api import RequestError
from cockpit.engine.elsewhere import RECOUNT_MS, Elsewhere
from cockpit.engine.scopes import Scopes
from cockpit.journal.ledger import Ledger
from cockpit.journal.settings import Settings
from cockpit.journal.store import Journal

DAY, MONTH = "day:2026-11-22", "month:2026-11"


def at(day, month=11, hour=12):
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def ledger(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    yield Ledger(journal, lambda: at(22))
    journal.close()


def outside(ledger, scope):
    return ledger.balance(scope).outside.nano


async def counted(elsewhere, now, today):
    """Two ticks, a second apart, with time for the thread between them."""
    elsewhere.tick(now, lambda _: today)
    await asyncio.sleep(0.05)
    elsewhere.tick(now + 1000, lambda _: today)


async def test_the_months_earlier_days_count_too(ledger):
    asked = []

    def spent(since, until):
        asked.append((since, until))
        return 40 * NANO

    elsewhere = Elsewhere(Scopes(Settings(), ledger, UTC), spent)
    await counted(elsewhere, at(22), 2 * NANO)
    assert outside(ledger, DAY) == 2 * NANO
    assert outside(ledger, MONTH) == 42 * NANO
    assert asked == [(at(1, hour=0), at(22, hour=0))]
    await counted(elsewhere, at(22) + RECOUNT_MS, 3 * NANO)
    assert outside(ledger, MONTH) == 43 * NANO
    assert len(asked) == 2


async def test_a_new_month_begins_with_nothing(ledger):
    elsewhere = Elsewhere(Scopes(Settings(), ledger, UTC), lambda *_: 40 * NANO)
    await counted(elsewhere, at(30), 0)
    elsewhere.tick(at(1, month=12), lambda _: NANO)
    assert outside(ledger, "month:2026-12") == NANO


async def test_a_count_that_ends_after_its_month_is_dropped(ledger):
    began, go_on = threading.Event(), threading.Event()

    def spent(*_):
        began.set()
        go_on.wait(5)
        return 40 * NANO

    elsewhere = Elsewhere(Scopes(Settings(), ledger, UTC), spent)
    elsewhere.tick(at(30, hour=23), lambda _: 0)
    await asyncio.to_thread(began.wait, 5)
    elsewhere.tick(at(1, month=12), lambda _: NANO)
    go_on.set()
    await elsewhere._counting
    elsewhere.tick(at(1, month=12) + 1000, lambda _: NANO)
    assert outside(ledger, "month:2026-12") == NANO


async def test_books_that_cannot_be_read_leave_the_last_count(ledger):
    def spent(*_):
        if broken:
            raise RequestError("nothing is in the books yet")
        return 40 * NANO

    broken = False
    elsewhere = Elsewhere(Scopes(Settings(), ledger, UTC), spent)
    await counted(elsewhere, at(22), 0)
    broken = True
    await counted(elsewhere, at(22) + RECOUNT_MS, 0)
    assert outside(ledger, MONTH) == 40 * NANO
