"""The fire in small, over HTTP: what cockpit forecasts and offers is what then comes."""

import pytest

from cockpit.core.forecast import cheapest
from cockpit.prices.book import Book
from tests.bench.fire import ANTHROPIC, Messages, foreseen, night, schedule, switched

MODEL, VENDOR = "claude-opus-5", "anthropic"
HOURS, PREFIX = 2, 100_000


@pytest.fixture(scope="module")
def book():
    return Book.load()


async def fire():
    return await night(schedule(ANTHROPIC[0], HOURS), Messages, PREFIX)


async def test_the_forecast_is_what_comes(book):
    done = await fire()
    said, _, came = foreseen(done, book, MODEL, VENDOR)
    assert (len(done.tokens), done.misses()) == (21, 20)
    assert (said.wakes, said.nano) == (16, came)


@pytest.mark.parametrize("plan", [plan for plan in ANTHROPIC if plan.cure], ids=lambda p: p.cure)
async def test_a_cure_costs_what_was_offered(book, plan):
    said, offered, _ = foreseen(await fire(), book, MODEL, VENDOR)
    (cure,) = [cure for cure in offered if cure.name == plan.cure]
    cured = await night(switched(ANTHROPIC[0], plan, 5, HOURS), Messages, PREFIX)
    *_, came = foreseen(cured, book, MODEL, VENDOR)
    assert abs(cure.nano - came) <= 200  # each call is rounded to a billionth of a dollar
    assert came < said.nano


async def test_the_cure_that_is_shown_keeps_the_session(book):
    _, offered, _ = foreseen(await fire(), book, MODEL, VENDOR)
    assert cheapest(offered).keeps
