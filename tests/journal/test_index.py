import stat
from contextlib import closing
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cockpit.core.call import Call, Cursor, Source, as_told
from cockpit.core.price import Rates, cost
from cockpit.core.spending import CHOICES
from cockpit.core.tokens import Tokens
from cockpit.journal.index import Index, IndexBusyError
from cockpit.journal.kinds import Kind
from cockpit.journal.rows import merge
from cockpit.journal.spend import spend

MAIN = Source(agent="claude-code", path="/a.jsonl", form="lines", run="claude-code/a", session="a")
FORK = Source(agent="claude-code", path="/b.jsonl", form="lines", run="claude-code/b", session="b")
SIDE = Source(
    agent="claude-code",
    path="/c.jsonl",
    form="lines",
    run="claude-code/a/x",
    session="a",
    parent="claude-code/a",
)
T0 = 1_795_000_000_000


def call(number=0, run=MAIN.run, **more):
    more.setdefault("tokens", Tokens(1, 2, 3, 4, 5))
    return Call(id=f"msg_{number}", run=run, at=T0 + number, model="m", **more)


def price(one: Call) -> int | None:
    return None if one.model == "unknown" else one.tokens.total * 1000


@pytest.fixture
def index(tmp_path):
    opened = Index.open(tmp_path / "cache" / "index.db")
    yield opened
    opened.close()


def total(index):
    return spend(index, "agent", 0, 1 << 62, UTC).total


def test_a_call_is_counted_once_whoever_tells_of_it(index):
    assert len(index.book(MAIN, [call(), call()], price)) == 1
    assert index.book(MAIN, [call()], price) == []
    assert index.book(FORK, [call(run=FORK.run)], price) == []
    assert total(index).calls == 1
    assert total(index).tokens == Tokens(1, 2, 3, 4, 5)


def test_a_growing_call_adds_only_the_difference(index):
    index.book(MAIN, [call(tokens=Tokens(output=10))], price)
    (booked,) = index.book(MAIN, [call(tokens=Tokens(output=25))], price)
    assert (booked.added, booked.nano, booked.revision) == (Tokens(output=15), 15_000, True)
    assert index.book(MAIN, [call(tokens=Tokens(output=3))], price) == []
    assert total(index).nano == 25_000


def test_the_older_file_owns_a_call_and_a_parent_before_its_sub_agent(index):
    index.book(FORK, [call(run=FORK.run)], price, modified=200)
    index.book(MAIN, [call()], price, modified=100)
    assert [booked.call.id for booked in index.calls_of(FORK.run)] == []
    assert len(list(index.calls_of(MAIN.run))) == 1
    index.book(SIDE, [call(run=SIDE.run)], price, modified=1)
    assert len(list(index.calls_of(MAIN.run))) == 1


def test_unpriced_is_counted_and_never_zero(index):
    index.book(MAIN, [call(), replace(call(1), model="unknown")], price)
    assert (total(index).calls, total(index).unpriced_calls) == (2, 1)


def test_reprice_when_prices_changed(index):
    index.book(MAIN, [call()], price)
    assert index.reprice("v1", price) == 0
    assert index.reprice("v1", lambda _: 7) == 0
    assert index.reprice("v2", lambda _: 7) == 1
    assert total(index).nano == 7


def test_cursor_and_calls_commit_together(index, tmp_path):
    index.book(MAIN, [call()], price)
    index.advance(MAIN, Cursor(1, 2, 3, 4, 5, b"head", b"memory"), 2, anew=True)
    other = Index.open(tmp_path / "cache" / "index.db", read_only=True)
    assert (other.cursors(), total(other).calls) == ({}, 0)
    index.commit()
    assert other.cursors()[MAIN.path] == Cursor(1, 2, 3, 4, 5, b"head", b"memory")
    assert (total(other).calls, other.bad_lines()) == (1, 2)
    other.close()


def test_bad_lines_of_a_file_read_anew_are_not_counted_twice(index):
    index.advance(MAIN, Cursor(), 2, anew=True)
    index.advance(MAIN, Cursor(), 1, anew=False)
    assert index.bad_lines_of(MAIN.path) == 3
    index.advance(MAIN, Cursor(), 2, anew=True)
    assert index.bad_lines_of(MAIN.path) == 2


def test_one_writer_at_a_time(index, tmp_path):
    with pytest.raises(IndexBusyError):
        Index.open(tmp_path / "cache" / "index.db")


def test_a_damaged_index_is_made_anew(tmp_path):
    path = tmp_path / "index.db"
    path.write_bytes(b"this is no database" * 1000)
    index = Index.open(path)
    index.book(MAIN, [call()], price)
    assert total(index).calls == 1
    index.close()


def test_files_are_private(index, tmp_path):
    assert stat.S_IMODE((tmp_path / "cache" / "index.db").stat().st_mode) == 0o600


def test_days_are_those_of_the_zone_asked_for(index):
    midnight = 1_794_960_000_000  # 2026-11-18 00:00 UTC
    for number, at in enumerate((midnight - 1, midnight)):
        index.book(MAIN, [replace(call(number), at=at)], price)
    assert [row.key for row in spend(index, "day", 0, 1 << 62, UTC).rows] == [
        "2026-11-17",
        "2026-11-18",
    ]
    tokyo = spend(index, "day", 0, 1 << 62, ZoneInfo("Asia/Tokyo"))
    assert [row.key for row in tokyo.rows] == ["2026-11-18"]
    kathmandu = spend(index, "day", midnight, 1 << 62, ZoneInfo("Asia/Kathmandu"))
    assert kathmandu.total.calls == 1


calls = st.builds(
    lambda number, figures, tools, exact: call(
        number, tokens=Tokens(*figures), tools=tuple(tools), mark="exact" if exact else "estimated"
    ),
    st.integers(0, 8),
    st.tuples(*[st.integers(0, 10**6)] * 6),
    st.lists(st.sampled_from(["Bash", "Read", "Edit"]), unique=True, max_size=3),
    st.booleans(),
)


def test_history_enters_in_large_batches_as_it_is_booked(index):
    """Statements of many rows, and what is left over; again, and what is known already."""
    told = [call(number) for number in range(130)]
    for known in (told[:1], told, told[60:]):
        index.enter(MAIN, map(as_told, known), price)
        index.commit()
        index.enter(FORK, map(as_told, known), price)
    index.commit()
    assert (total(index).calls, total(index).nano) == (130, 130 * 15_000)
    assert len(list(index.calls_of(MAIN.run))) == 130


class OneList:
    """One list of prices for every call, at any time and for any prompt."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates

    def __call__(self, one: Call) -> int:
        return cost(one.tokens, self.rates)

    def steady(self, _kind: Kind) -> tuple[Rates, int]:
        return self.rates, 1 << 62


rates = st.tuples(*[st.integers(0, 10**8)] * 5).flatmap(
    lambda figures: st.sampled_from([1, 10, 500, 1000]).map(
        lambda unit: Rates(*(figure * unit for figure in figures))
    )
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.integers(0, 1 << 50)] * 6), min_size=1, max_size=5), rates)
def test_a_batch_is_priced_to_the_nano_dollar(tmp_path_factory, figures, rates):
    with closing(Index.open(tmp_path_factory.mktemp("index") / "index.db")) as index:
        prices = OneList(rates)
        told = [call(number, tokens=Tokens(*of)) for number, of in enumerate(figures)]
        within = [one for one in told if prices(one) < 1 << 63]
        index.enter(MAIN, map(as_told, within), prices)
        index.commit()
        booked = {one.call.at: one.nano for one in index.calls_of(MAIN.run)}
        assert booked == {one.at: prices(one) for one in within}


def test_agents_and_unseen_tools_of_history(index):
    other = replace(MAIN, agent="codex", path="/o.jsonl", run="codex/o", session="o")
    unseen = [call(number, tools=None) for number in range(3)]
    index.enter(MAIN, map(as_told, unseen[:2]), price)
    index.enter(other, [as_told(replace(unseen[2], run=other.run))], price)
    index.commit()
    rows = spend(index, "agent", 0, 1 << 62, UTC).rows
    assert [(row.key, row.spent.calls) for row in rows] == [("claude-code", 2), ("codex", 1)]
    assert index.without_tools() == {MAIN.run, other.run}
    index.add_tools({"msg_0": ("Bash",), "msg_1": (), "msg_2": ("Read",)})
    assert index.without_tools() == set()
    tools = spend(index, "tool", 0, 1 << 62, UTC).rows
    assert {row.key for row in tools} == {"Bash", "(no tool)", "Read"}


@settings(deadline=None)
@given(st.lists(calls, max_size=25), st.integers(1, 5))
def test_any_telling_gives_the_same_books(tmp_path_factory, told, parts):
    """However calls are cut into batches and repeated, each id counts its largest figures once."""
    largest: dict[str, Call] = {}
    for one in told:
        largest[one.id] = merge(largest[one.id], one) if one.id in largest else one
    index = Index.open(tmp_path_factory.mktemp("index") / "index.db")
    added = Tokens()
    for part in range(parts):
        for booked in index.book(MAIN, told[part::parts], price):
            added = added + booked.added
    expected = sum((one.tokens for one in largest.values()), Tokens())
    assert added == expected
    for by in CHOICES:
        report = spend(index, by, 0, 1 << 62, UTC)
        assert report.total.tokens == expected
        assert report.total.nano == expected.total * 1000
        assert report.total.calls == len(largest)
        assert sum((row.spent for row in report.rows), type(report.total)()) == report.total
    index.close()
