"""Governed runs in the report of spend: once and exactly, whatever the order of things."""

import shutil
import sqlite3
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.call import Call, Source
from cockpit.core.spending import CHOICES, UNKNOWN, Only
from cockpit.core.tokens import Tokens
from cockpit.journal import calls
from cockpit.journal.calls import Hold, Settlement
from cockpit.journal.index import Index
from cockpit.journal.left_out import left_out
from cockpit.journal.owner import this_process
from cockpit.journal.purse import Amount
from cockpit.journal.spend import spend
from cockpit.journal.store import Journal
from cockpit.journal.wire_books import WireBooks
from cockpit.journal.wired import FOR_EVER, SLACK_MS
from tests.journal.books import Clock, bill, hold, opened

RUN = "run-abcdefgh"
PLACES = {
    "main": ("claude-code/s", None),
    "side": ("claude-code/s/x", "claude-code/s"),
    "named": ("claude-code/s/workflow", None),
    "deep": ("claude-code/y", "claude-code/s/x"),
    "fork": ("claude-code/f", None),
    "other": ("claude-code/o", None),
}
FAMILY = ("main", "side", "named", "deep")
T0 = 1_795_300_000_000
HOUR, DAY = 3_600_000, 86_400_000
LAST = 1 << 62


def source(place):
    run, parent = PLACES[place]
    return Source("claude-code", f"/{place}.jsonl", "lines", run, run.split("/")[1], parent)


def told(at, place="main", tokens=7, id_=""):
    run = PLACES[place][0]
    return Call(id=id_ or f"msg_{at}", run=run, at=at, model="m", tokens=Tokens(output=tokens))


def price(call):
    return call.tokens.total * 1_000_003


def settled(at, nano, *, run=RUN, seq=1, call="", billing="money", adjusts="", **more):
    """A row as the ledger writes it."""
    asked = Hold(call=call or f"call-{seq}", run=run, scopes=("fleet",), billing=billing)
    more.setdefault("tokens", Tokens(output=11))
    figures = Settlement(nano=nano, ended=at, **more)
    return calls.ADJUST, {
        **calls.hold_row(asked, Amount(), 0, this_process()), **calls.bill_values(figures, seq),
        "state": "settled", "adjusts": adjusts or None,
    }  # fmt: skip


def governed(at=T0, run=RUN, **more):
    return e.RunGoverned(
        run=run, at=at, agent=more.get("agent", "claude-code"), name=more.get("name", ""),
        project=more.get("project", "/src/p"), token="t", purse="",
    )  # fmt: skip


def began(at, run=RUN):
    return e.ProcessFound(run=run, at=at, pid=1, created=1, authority="wire")


def ended(at, run=RUN):
    return e.RunEnded(run=run, at=at)


def linked(at, place="main", run=RUN):
    return e.SessionLinked(run=run, at=at, found=PLACES[place][0])


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A journal of this version, to be copied: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("empty") / "journal.db"
    Journal(path).close()
    return path


@pytest.fixture
def machine(empty, tmp_path):
    machine = Machine(empty, tmp_path)
    yield machine
    machine.close()


class Machine:
    """An index and a journal beside each other."""

    def __init__(self, empty, directory):
        self.path = directory / "journal.db"
        shutil.copy(empty, self.path)
        self.journal = Journal(self.path)
        self.index = Index.open(directory / "index.db")

    def close(self):
        self.journal.close()
        self.index.close()

    def write(self, *happened):
        """Events, and rows of the ledger."""
        story = [each for each in happened if isinstance(each, e.Event)]
        if story:
            self.journal.append(*story).result(10)
        self.journal.write([each for each in happened if isinstance(each, tuple)]).result(10)

    def transcript(self, place, *lines, modified=1):
        self.index.book(source(place), lines, price, modified)

    def report(self, by="run", since=0, until=LAST, zone=UTC, only=()):
        with WireBooks.reading(self.path) as wire:
            return spend(self.index, by, since, until, zone, only, wire)

    def counted(self, since):
        wire = WireBooks.open(self.path)
        elsewhere = left_out(self.index, wire.spans(), wire.messages(since), since, FOR_EVER)
        quarters = self.index.spent_by_quarter(since, elsewhere)
        for quarter, nano in wire.spent_by_quarter(since).items():
            quarters[quarter] = quarters.get(quarter, 0) + nano
        wire.close()
        return quarters


def figures(report):
    return {row.key: (row.spent.nano, row.spent.calls) for row in report.rows}


def test_governed_then_continued_outside_then_forked(machine):
    machine.write(governed(name="port"), began(T0), settled(T0 + 10, 555, message="msg_a"))
    machine.write(linked(T0 + 20), ended(T0 + 1000))
    later = T0 + 1000 + SLACK_MS
    through, after = told(T0 + 9, id_="msg_a"), told(later, id_="msg_b")
    machine.transcript("main", through, after)
    copies = [replace(call, run=PLACES["fork"][0]) for call in (through, after)]
    machine.transcript("fork", *copies, told(later + HOUR, "fork"))
    assert figures(machine.report()) == {
        RUN: (555, 1),
        "claude-code/s": (price(after), 1),
        "claude-code/f": (price(after), 1),
    }
    assert machine.report().rows[-1].name == "port"


def test_a_fork_that_owns_the_copies_hides_nothing_and_doubles_nothing(machine):
    """Of two parentless files the older one owns a call: here the fork, its origin was continued."""
    machine.write(governed(), began(T0), settled(T0 + 10, 555, message="msg_a"))
    machine.write(linked(T0 + 20), ended(T0 + 1000))
    through = told(T0 + 9, id_="msg_a")
    machine.transcript("fork", replace(through, run=PLACES["fork"][0]), modified=1)
    machine.transcript("main", through, modified=2)
    assert figures(machine.report()) == {RUN: (555, 1)}


def test_sub_agents_count_with_their_family(machine):
    machine.write(governed(), began(T0), linked(T0), settled(T0 + 1, 9))
    for place in FAMILY:
        machine.transcript(place, told(T0 + 1, place, id_=place))
    machine.transcript("other", told(T0 + 1, "other", id_="other"))
    assert figures(machine.report()) == {RUN: (9, 1), "claude-code/o": (price(told(1)), 1)}


def test_before_the_link_is_known_a_message_id_is_enough(machine):
    machine.transcript("main", told(T0 + 1, id_="msg_a"))
    machine.write(governed(), began(T0), settled(T0 + 2, 9, message="msg_a"))
    assert machine.report().total.nano == 9
    machine.write(linked(T0 + 5))
    assert machine.report().total.nano == 9


def test_names_agents_models_projects_and_tools(machine):
    machine.index.describe("claude-code/s", "claude-code", name="fix the tests")
    machine.write(
        governed(project="/src/a"), linked(T0), settled(T0, 5, model="opus"),
        governed(run="run-2", agent="codex", name="mine"),
        settled(T0, 3, run="run-2", seq=2), settled(T0, 2, run="nobody", seq=3),
    )  # fmt: skip
    assert {row.key: row.name for row in machine.report().rows} == {
        RUN: "fix the tests", "run-2": "mine", "nobody": "nobody",
    }  # fmt: skip
    assert figures(machine.report("agent")) == {
        "claude-code": (5, 1), "codex": (3, 1), UNKNOWN: (2, 1),
    }  # fmt: skip
    assert figures(machine.report("model")) == {"opus": (5, 1), UNKNOWN: (5, 2)}
    assert figures(machine.report("project")) == {
        "/src/a": (5, 1), "/src/p": (3, 1), UNKNOWN: (2, 1),
    }  # fmt: skip
    assert figures(machine.report("tool")) == {UNKNOWN: (10, 3)}
    codex = [Only("agent", "codex"), Only("project", "/src/p")]
    assert figures(machine.report("day", only=codex)) == {"2026-11-21": (3, 1)}
    assert figures(machine.report("run", only=[Only("model", "opus")])) == {RUN: (5, 1)}


def test_a_run_begun_again_keeps_its_name(machine):
    machine.write(governed(name="mine", project="/a"), governed(T0 + 5, project="/b"))
    machine.write(settled(T0, 1))
    assert [row.name for row in machine.report().rows] == ["mine"]
    assert figures(machine.report("project")) == {"/b": (1, 1)}


def test_days_are_those_of_the_end(machine):
    midnight = T0 - T0 % DAY + DAY
    machine.write(settled(midnight - 1, 1), settled(midnight, 2, seq=2))
    assert figures(machine.report("day")) == {"2026-11-21": (1, 1), "2026-11-22": (2, 1)}
    tokyo = ZoneInfo("Asia/Tokyo")
    assert figures(machine.report("day", zone=tokyo)) == {"2026-11-22": (3, 2)}
    assert machine.report(since=midnight).total.nano == 2
    assert machine.report(until=midnight).total.nano == 1


def test_what_a_subscription_paid_is_told_apart(machine):
    machine.write(
        settled(T0, 70, billing="subscription", mark="estimated"),
        settled(T0, 30, seq=2, mark="presumed"), settled(T0, 5, seq=3),
    )  # fmt: skip
    total = machine.report().total
    assert (total.nano, total.estimated_nano, total.subscription_nano) == (35, 30, 70)
    assert (total.calls, total.unpriced_calls, total.tokens) == (3, 0, Tokens(output=33))
    assert sum(machine.counted(T0 - DAY).values()) == 35


def test_an_adjustment_counts_in_the_call_that_it_corrects(machine):
    """It has no day and no mark of its own: the newest word on a call is the call's."""
    machine.write(settled(T0, 100, call="c", mark="presumed", model="asked"))
    late = settled(T0 + 3 * DAY, -40, seq=2, call="c+1", adjusts="c", model="served",
                   tokens=Tokens(output=-4))  # fmt: skip
    machine.write(late, settled(T0, 1, seq=3, model="served"))
    assert figures(machine.report("model")) == {"served": (61, 2)}
    assert figures(machine.report("day")) == {"2026-11-21": (61, 2)}
    total = machine.report().total
    assert (total.estimated_nano, total.tokens) == (0, Tokens(output=18))
    assert machine.report(since=T0 + DAY).total.calls == 0
    assert machine.counted(T0 - DAY) == {T0 // 900_000: 61}
    assert machine.counted(T0 + DAY) == {}


async def test_the_rows_of_a_real_ledger(machine, tmp_path):
    """What was released or is still held is nobody's expense."""
    path = tmp_path / "own.db"
    with opened(path, Clock(T0)) as ledger:
        for call in ("paid", "corrected", "released", "held"):
            await ledger.place(hold(call, run=RUN), lambda output: Amount(5, 5), 0, 0)
        ledger.settle("paid", bill(2, message="msg_paid"))
        ledger.settle("corrected", Settlement())
        ledger.release("released")
        assert await ledger.adjust("corrected", bill(1))
        books = ledger.books_of(RUN)
    expected = sum(row.bill.nano for row in books)
    machine.path = path
    machine.transcript("main", told(T0, id_="msg_paid"))
    report = machine.report()
    assert (report.total.nano, report.total.calls) == (expected, 2)
    assert report.total.estimated_nano == 0
    assert sum(machine.counted(T0 - DAY).values()) == expected


def test_without_a_journal_or_with_an_old_one_everything_is_as_before(tmp_path):
    assert WireBooks.open(tmp_path / "none.db") is None
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute("CREATE TABLE events (seq, at, run, kind, body)")
    old.close()
    with WireBooks.reading(tmp_path / "old.db") as wire:
        assert wire is None
    assert not (tmp_path / "none.db").exists()


def test_a_journal_that_cannot_be_read_is_an_error_and_no_zero(tmp_path):
    (tmp_path / "bad.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        WireBooks.open(tmp_path / "bad.db")


def test_a_closed_journal_is_read_without_writing_to_it(machine):
    machine.write(settled(T0, 5))
    machine.journal.close()
    before = machine.path.read_bytes()
    assert machine.report().total.nano == 5
    assert machine.path.read_bytes() == before


class Life:
    """A session that is governed at times, forked at times; what must be paid for it, and when."""

    def __init__(self, has_ids):
        self.has_ids = has_ids
        self.live = not has_ids
        self.happened = [governed(), *([] if has_ids else [began(T0), linked(T0)])]
        self.files = {place: [] for place in PLACES}
        self.paid = []
        self.now = T0

    def step(self, what, place, nano, pause):
        self.now += 2 * SLACK_MS + pause
        match what:
            case "begin" if not self.live:
                self.happened.append(began(self.now))
                self.live = True
            case "end" if self.live:
                self.happened.append(ended(self.now))
                self.live = False
            case "link":
                self.happened.append(linked(self.now))
            case "fork" if self.has_ids:
                copies = [replace(each, run=PLACES["fork"][0]) for each in self.files["main"]]
                self.files["fork"] += copies
            case "call":
                self.call(place, nano)

    def call(self, place, nano):
        line = told(self.now, place, nano % 97)
        self.files[place].append(line)
        if self.live and place in FAMILY:
            message = line.id if self.has_ids else ""
            seq = len(self.happened)
            self.happened.append(settled(self.now + 9, nano, seq=seq, message=message))
            self.paid.append((self.now, nano))
        else:
            self.paid.append((self.now, price(line)))

    def between(self, since, until):
        return [nano for at, nano in self.paid if since <= at < until]


steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "link", "call", "call", "call", "fork"]),
        st.sampled_from(list(PLACES)),
        st.integers(1, 10**12),
        st.sampled_from([0, 1_000, HOUR, 23 * HOUR]),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@example(
    steps=[("call", "deep", 1, 0)], has_ids=False, order=list(PLACES), ages=[1] * 6, cuts=(0, 0)
)
@given(
    steps=steps,
    has_ids=st.booleans(),
    order=st.permutations(list(PLACES)),
    ages=st.lists(st.integers(1, 9), min_size=6, max_size=6),
    cuts=st.tuples(st.integers(0, 10), st.integers(0, 10)),
)
def test_any_life_of_a_session_counts_once(
    empty, tmp_path_factory, steps, has_ids, order, ages, cuts
):
    """Ledger plus what was told of times in which no wire held the books, to the nano-dollar."""
    life = Life(has_ids)
    for step in steps:
        life.step(*step)
    machine = Machine(empty, tmp_path_factory.mktemp("life"))
    machine.write(*life.happened)
    for place, age in zip(order, ages, strict=True):
        machine.transcript(place, *life.files[place], modified=age)
    since, until = (T0 + cut * 12 * HOUR + 500 for cut in sorted(cuts))
    for first, last in ((0, LAST), (since, until)):
        expected = life.between(first, last)
        for by in CHOICES:
            report = machine.report(by, first, last)
            assert (report.total.nano, report.total.calls) == (sum(expected), len(expected)), by
            assert sum((row.spent for row in report.rows), type(report.total)()) == report.total
    assert sum(machine.counted(since).values()) == sum(life.between(since, LAST))
    days = {row.key: row.spent.nano for row in machine.report("day").rows}
    for at, nano in life.paid:
        days[datetime.fromtimestamp(at / 1000, UTC).date().isoformat()] -= nano
    assert not any(days.values())
    machine.close()
