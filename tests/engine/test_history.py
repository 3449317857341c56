"""Histories are read in a quicker way than what happens now; the books end up the same."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cockpit.agents.claude_code import ClaudeCode
from cockpit.engine.books import Pricing
from cockpit.engine.library import Library, find_tools, read_on, scan
from cockpit.journal.index import Index
from cockpit.journal.spend import spend
from cockpit.prices.book import Book

HOME = Path(__file__).parent.parent / "fixtures" / "claude_code" / "basic" / "home"
ALWAYS = (0, 1 << 62)


@pytest.fixture
def price():
    return Pricing(Book.load())


@pytest.fixture
def live(tmp_path, price):
    """The index of somebody who watched the runs."""
    index = Index.open(tmp_path / "live.db")
    for place in Library((ClaudeCode(),), HOME, {}).places():
        read_on(place, None, index, price, story=True)
    yield index
    index.close()


@pytest.fixture
def late(tmp_path, price):
    """The index of somebody who came when all was over."""
    index = Index.open(tmp_path / "late.db")
    for _ in scan(Library((ClaudeCode(),), HOME, {}), index, price):
        pass
    yield index
    index.close()


@pytest.mark.parametrize("by", ["agent", "model", "day", "run"])
def test_a_history_is_booked_as_it_would_have_been_live(live, late, by):
    assert spend(late, by, *ALWAYS, ZoneInfo("UTC")) == spend(live, by, *ALWAYS, ZoneInfo("UTC"))


def test_the_tools_of_a_history_are_found_when_they_are_asked_for(live, late):
    watched = spend(live, "tool", *ALWAYS, ZoneInfo("UTC"))
    assert len(watched.rows) > 1
    assert late.without_tools()
    find_tools(Library((ClaudeCode(),), HOME, {}), late)
    assert not late.without_tools()
    assert spend(late, "tool", *ALWAYS, ZoneInfo("UTC")) == watched
