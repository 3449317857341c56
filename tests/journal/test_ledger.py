import asyncio

import pytest

from cockpit.core.price import Rates
from cockpit.core.tokens import Tokens
from cockpit.journal import calls, store
from cockpit.journal.ledger import (
    Amount,
    Cap,
    Exhausted,
    Granted,
    Settlement,
    call_id,
)
from cockpit.journal.waiting import AGING_MS
from tests.journal.books import DAY, FLEET, PROJECT, Clock, bill, hold, opened, price, scopes
from tests.journal.earlier import journal_of


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def ledger(path, clock):
    with opened(path, clock) as ledger:
        yield ledger


async def turn():
    """Lets everything that is ready to run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(ledger, number):
    while len(ledger.waiting()) != number or "" in dict(ledger.waiting()).values():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def durable(ledger):
    await asyncio.wrap_future(ledger._journal.append())


async def test_a_hold_counts_in_every_scope_until_the_bill_takes_its_place(ledger):
    granted = await ledger.place(hold("c"), price, 300, 10)
    assert granted == Granted("c", 300, Amount(8_500, 400))
    for scope in scopes():
        assert ledger.balance(scope).held == Amount(8_500, 400)
    outcome = ledger.settle("c", bill(100))
    assert (outcome.first, outcome.overrun_nano) == (True, 0)
    for scope in scopes():
        balance = ledger.balance(scope)
        assert (balance.held, balance.settled) == (Amount(), Amount(3_500, 200))
        assert balance.calls == 1
    assert ledger.open_holds() == ()


async def test_a_granted_hold_is_durable_and_dispatched(ledger, path):
    await ledger.place(hold("c"), price, 300, 10)
    with store.connect(path, read_only=True).connect() as connection:
        (row,) = calls.unsettled(connection)
    assert (row.hold.call, row.state, row.amount) == ("c", "dispatched", Amount(8_500, 400))
    assert row.owner == ledger._owner


@pytest.mark.parametrize("scope", scopes())
async def test_one_scope_without_room_holds_nothing_anywhere(ledger, scope):
    ledger.cap(scope, Cap(1_249))
    refused = await ledger.place(hold(), price, 300, 10)
    assert isinstance(refused, Exhausted)
    assert refused.scope == scope
    assert ledger.open_holds() == ()
    for each in scopes():
        assert ledger.balance(each).held == Amount()


async def test_too_little_room_grants_the_most_output_that_fits(ledger):
    ledger.cap("run:r", Cap(nano=5_049))
    granted = await ledger.place(hold(), price, 300, 10)
    assert granted.max_output == 161
    assert granted.amount.nano <= 5_049 < price(162).nano


async def test_tokens_are_a_cap_of_their_own(ledger):
    ledger.cap("run:r", Cap(nano=10**9, tokens=150))
    granted = await ledger.place(hold("c"), price, 300, 10)
    assert granted.max_output == 50
    ledger.settle("c", bill(50))
    refused = await ledger.place(hold(), price, 300, 10)
    assert "150 of its 150 tokens" in refused.sentence


async def test_a_subscription_counts_tokens_and_its_dollars_are_only_shown(ledger):
    ledger.cap("run:r", Cap(nano=1, tokens=1_000))
    granted = await ledger.place(hold("c", billing="subscription"), price, 300, 10)
    assert granted.amount == Amount(0, 400)
    assert ledger.settle("c", bill(1_000, nano=10**12)).overrun_nano == 0
    assert ledger.balance("run:r").settled == Amount(0, 1_100)
    await durable(ledger)
    assert ledger.books_of("r")[0].bill.nano == 10**12
    assert isinstance(await ledger.place(hold(billing="subscription"), price, 300, 10), Exhausted)


async def test_a_call_that_costs_nothing_is_not_refused_for_want_of_money(ledger):
    ledger.cap("run:r", Cap(nano=0))
    assert isinstance(await ledger.place(hold(), lambda out: Amount(0, out), 9, 1), Granted)


@pytest.mark.parametrize("wrong", [float("nan"), -1, 2.5, 2**61, float("inf"), None, True])
async def test_a_price_that_is_none_is_refused(ledger, wrong):
    refused = await ledger.place(hold(), lambda out: Amount(wrong, out), 9, 1)
    assert refused.reason == "price"
    assert ledger.balance(FLEET).held == Amount()


@pytest.mark.parametrize("wrong", [float("nan"), -1, 2.5, float("-inf")])
async def test_a_cap_that_is_none_lets_nothing_pass(ledger, wrong):
    ledger.cap("run:r", Cap(nano=wrong))
    assert isinstance(await ledger.place(hold(), price, 9, 1), Exhausted)


async def test_an_overrun_is_booked_in_full(ledger):
    ledger.cap("run:r", Cap(nano=3_000))
    await ledger.place(hold("c"), price, 40, 1)
    assert ledger.settle("c", bill(1_000)).overrun_nano == 24_000
    assert ledger.balance("run:r").settled.nano == 26_000
    assert isinstance(await ledger.place(hold(), price, 1, 0), Exhausted)


async def test_a_refusal_names_the_cap_in_its_way(ledger):
    ledger.cap("run:r", Cap(nano=5 * 10**9))
    await ledger.place(hold("c"), price, 100, 1)
    ledger.settle("c", bill(nano=4_870_000_000))
    refused = await ledger.place(hold(), lambda _: Amount(210_000_000, 9), 1, 1)
    sentence = "$4.87 of its $5.00 is spent, and the next call may cost $0.21"
    assert refused == Exhausted("run:r", sentence, "cap")


async def test_settled_twice_released_late_or_never_held_changes_nothing(ledger):
    await ledger.place(hold("c"), price, 40, 1)
    ledger.settle("c", bill(40))
    before = ledger.balance(FLEET)
    assert not ledger.settle("c", bill(400)).first
    assert not ledger.release("c")
    assert not ledger.settle("nobody", bill(400)).first
    assert not ledger.release("nobody")
    ledger.checkpoint("nobody", Tokens(input=1), 1)
    assert ledger.balance(FLEET) == before
    await durable(ledger)
    assert [row.bill.nano for row in ledger.settled_since(0)] == [2_000]


@pytest.mark.parametrize(
    "wrong",
    [
        Settlement(tokens=Tokens(input=1), nano=None),
        Settlement(tokens=Tokens(input=1), nano=-5),
        Settlement(tokens=Tokens(input=-9), nano=5),
        Settlement(tokens=Tokens(input=2**70), nano=5),
        Settlement(tokens=Tokens(input=1), nano=float("nan")),
    ],
    ids=str,
)
async def test_a_bill_that_cannot_be_is_presumed_to_be_the_whole_hold(ledger, wrong):
    await ledger.place(hold("c"), price, 40, 1)
    ledger.settle("c", wrong)
    await durable(ledger)
    (row,) = ledger.settled_since(0)
    assert (row.bill.mark, row.bill.nano, row.bill.tokens.total) == ("presumed", 2_000, 140)


async def test_a_call_id_is_used_once(ledger):
    await ledger.place(hold("c"), price, 40, 1)
    assert (await ledger.place(hold("c"), price, 40, 1)).reason == "twice"
    ledger.settle("c", bill(1))
    assert (await ledger.place(hold("c"), price, 40, 1)).reason == "twice"
    assert ledger.balance(FLEET).held == Amount()
    assert call_id("r", 1, 1) == call_id("r", 1, 1) != call_id("r", 1, 2)


async def test_hostile_texts_are_booked_all_the_same(ledger, path):
    odd = "/p\udcff\x1b[31m"
    odd_scopes = (FLEET, f"project:{odd}")
    await ledger.place(hold("c", run="r", scopes=odd_scopes), price, 40, 1)
    await asyncio.wrap_future(
        ledger.settle("c", bill(40, reason="\udc80\x1b]52;x", message="m\ud800")).durable
    )
    assert ledger.balance(f"project:{odd}").settled.nano == 2_000
    (row,) = ledger.settled_since(0)
    assert row.bill.message == "m"
    assert "\x1b" not in row.bill.reason


# --- waiting


async def test_busy_waits_and_is_woken_by_the_settlement_in_its_way(ledger):
    ledger.cap(PROJECT, Cap(nano=8_600))
    await ledger.place(hold("a"), price, 300, 300)
    second = asyncio.create_task(ledger.place(hold("b"), price, 300, 10))
    await waiting(ledger, 1)
    assert ledger.waiting() == (("b", PROJECT),)
    ledger.settle("a", bill(10))
    granted = await asyncio.wait_for(second, 5)
    assert granted.max_output == (8_600 - 1_250 - 1_000) // 25


async def test_first_come_first_served(ledger):
    ledger.cap(FLEET, Cap(nano=10_000))
    await ledger.place(hold("a"), price, 300, 300)
    done = []

    async def one(name):
        await ledger.place(hold(name), price, 300, 300)
        done.append(name)
        ledger.release(name)

    tasks = [asyncio.create_task(one(f"n{number}")) for number in range(20)]
    await waiting(ledger, 20)
    ledger.release("a")
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert done == [f"n{number}" for number in range(20)]


async def test_the_small_pass_a_large_one_only_until_it_has_waited_long(ledger, clock):
    ledger.cap("run:r", Cap(nano=10_000))
    await ledger.place(hold("a"), price, 200, 200)
    large = asyncio.create_task(ledger.place(hold("large"), price, 300, 300))
    await waiting(ledger, 1)
    assert isinstance(await asyncio.wait_for(ledger.place(hold("s1"), price, 9, 9), 5), Granted)
    clock.at += AGING_MS
    small = asyncio.create_task(ledger.place(hold("s2"), price, 9, 9))
    other = asyncio.create_task(ledger.place(hold("other", run="r2"), price, 9, 9))
    assert isinstance(await asyncio.wait_for(other, 5), Granted)
    await waiting(ledger, 2)
    ledger.release("a")
    assert isinstance(await asyncio.wait_for(large, 5), Granted)
    await turn()
    assert not small.done()
    ledger.release("large")
    assert isinstance(await asyncio.wait_for(small, 5), Granted)


async def test_a_cancelled_waiter_leaves_no_trace(ledger):
    ledger.cap(FLEET, Cap(nano=9_000))
    await ledger.place(hold("a"), price, 300, 300)
    task = asyncio.create_task(ledger.place(hold("b"), price, 300, 300))
    await waiting(ledger, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert ledger.waiting() == ()
    ledger.release("a")
    await durable(ledger)
    assert ledger.balance(FLEET).held == Amount()
    assert [each.call for each in ledger.open_holds()] == []


async def test_cancelled_in_the_moment_of_the_grant_gives_the_hold_back(ledger):
    ledger.cap(FLEET, Cap(nano=9_000))
    await ledger.place(hold("a"), price, 300, 300)
    task = asyncio.create_task(ledger.place(hold("b"), price, 300, 300))
    third = asyncio.create_task(ledger.place(hold("c"), price, 300, 300))
    await waiting(ledger, 2)
    ledger.release("a")
    ledger._queue._serve()
    assert "b" in {each.call for each in ledger.open_holds()}
    task.cancel()
    assert isinstance(await asyncio.wait_for(third, 5), Granted)
    assert {each.call for each in ledger.open_holds()} == {"c"}


async def test_cancelled_while_its_row_is_written_is_released(ledger, path):
    for number in range(20):
        task = asyncio.create_task(ledger.place(hold(f"c{number}"), price, 300, 300))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    while ledger.open_holds():
        await durable(ledger)
    await durable(ledger)
    assert ledger.balance(FLEET).held == Amount()
    with store.connect(path, read_only=True).connect() as connection:
        assert calls.unsettled(connection) == []


async def test_a_price_that_fails_while_waiting_fails_only_its_own_call(ledger):
    ledger.cap(FLEET, Cap(nano=9_000))
    await ledger.place(hold("a"), price, 300, 300)
    broken = False

    def fragile(output):
        if broken:
            raise ZeroDivisionError
        return price(output)

    first = asyncio.create_task(ledger.place(hold("b"), fragile, 300, 300))
    second = asyncio.create_task(ledger.place(hold("c"), price, 300, 300))
    await waiting(ledger, 2)
    broken = True
    ledger.release("a")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(first, 5)
    assert isinstance(await asyncio.wait_for(second, 5), Granted)


# --- caps that change


async def test_lowering_a_cap_below_the_spend_only_ends_the_granting(ledger):
    ledger.cap(FLEET, Cap(nano=20_000))
    await ledger.place(hold("a"), price, 300, 300)
    await ledger.place(hold("b"), price, 300, 300)
    waiter = asyncio.create_task(ledger.place(hold("c"), price, 300, 300))
    await waiting(ledger, 1)
    ledger.settle("a", bill(300))
    ledger.cap(FLEET, Cap(nano=100))
    assert isinstance(await asyncio.wait_for(waiter, 5), Exhausted)
    ledger.cap(FLEET, Cap(nano=0))
    assert isinstance(await ledger.place(hold(), price, 1, 1), Exhausted)
    assert ledger.settle("b", bill(300)).first
    ledger.cap(FLEET, Cap(nano=100_000))
    assert isinstance(await ledger.place(hold(), price, 1, 1), Granted)


async def test_a_raised_cap_lets_the_waiting_go_on(ledger):
    ledger.cap(FLEET, Cap(nano=9_000))
    await ledger.place(hold("a"), price, 300, 300)
    waiter = asyncio.create_task(ledger.place(hold("b"), price, 300, 300))
    await waiting(ledger, 1)
    ledger.cap(FLEET, None)
    assert isinstance(await asyncio.wait_for(waiter, 5), Granted)


async def test_what_others_spent_counts(ledger):
    ledger.cap(DAY, Cap(nano=10_000))
    ledger.outside(DAY, Amount(9_000))
    assert isinstance(await ledger.place(hold(), price, 300, 300), Exhausted)
    ledger.outside(DAY, Amount(0))
    assert isinstance(await ledger.place(hold(), price, 300, 300), Granted)


async def test_the_fleet_is_capped_softly(ledger):
    ledger.cap(FLEET, Cap(nano=1_000_000))
    assert ledger.may_begin(FLEET, PROJECT) == ""
    ledger.outside(FLEET, Amount(799_999))
    assert ledger.may_begin(FLEET, PROJECT) == ""
    ledger.outside(FLEET, Amount(800_000))
    assert ledger.may_begin(FLEET) == "the fleet has used 80 % of its cap: no new run begins"
    assert isinstance(await ledger.place(hold(), price, 100, 100), Granted)
    ledger.outside(FLEET, Amount(950_000))
    refused = await ledger.place(hold(), price, 100, 100)
    assert refused.reason == "soft"
    for lane in ("verify", "salvage"):
        assert isinstance(await ledger.place(hold(), price, 100, 100, lane), Granted)
    ledger.outside(FLEET, Amount(1_000_000))
    refused = await ledger.place(hold(), price, 100, 100, "salvage")
    assert refused.reason == "cap"


async def test_work_never_holds_the_reserve(ledger):
    ledger.cap(FLEET, Cap(nano=1_000_000))
    ledger.outside(FLEET, Amount(900_000))
    granted = await ledger.place(hold("w"), price, 10_000, 10)
    assert granted.amount.nano == 80_000
    assert (await ledger.place(hold("v"), price, 10_000, 10, "verify")).amount.nano == 20_000


async def test_a_run_has_no_reserve(ledger):
    ledger.cap("run:r", Cap(nano=100_000))
    assert (await ledger.place(hold(), price, 10_000, 10)).amount.nano == 100_000


# --- sub-agents, resume, midnight


async def test_twenty_sub_agents_three_deep_stay_within_one_cap(ledger):
    ledger.cap("run:r", Cap(nano=100_000))
    stages = ("stage:r/a", "stage:r/a/b")
    outcomes = await asyncio.gather(
        *(ledger.place(hold(f"s{n}", "r", *stages[: n % 3]), price, 300, 300) for n in range(11))
    )
    assert all(isinstance(each, Granted) for each in outcomes)
    late = [
        asyncio.create_task(ledger.place(hold(f"t{n}", "r", *stages), price, 300, 300))
        for n in range(9)
    ]
    await waiting(ledger, 9)
    for number in range(11):
        ledger.settle(f"s{number}", bill(300))
    outcomes = await asyncio.wait_for(asyncio.gather(*late), 5)
    assert all(isinstance(each, Exhausted) for each in outcomes)
    assert ledger.balance("run:r").settled.nano == 93_500


async def test_a_promise_is_borne_above_from_the_start_and_drawn_from_inside(ledger):
    ledger.cap("run:r", Cap(nano=25_000))
    await ledger.allow(hold("promise"), Amount(20_000), "stage:r/sub")
    assert ledger.balance("run:r").held.nano == 20_000
    granted = await ledger.place(hold("c", "r", "stage:r/sub"), price, 10_000, 10)
    assert granted.amount.nano == 20_000
    assert ledger.balance("run:r").held.nano == 20_000
    ledger.settle("c", bill(200))
    balance = ledger.balance("run:r")
    assert (balance.settled.nano, balance.held.nano) == (6_000, 14_000)
    assert ledger.balance("stage:r/sub").settled.nano == 6_000
    assert ledger.release("promise")
    assert ledger.balance("run:r").held == Amount()


async def test_a_call_that_waited_while_a_promise_was_made_draws_on_it(ledger):
    ledger.cap("run:r", Cap(nano=20_000))
    await ledger.allow(hold("before"), Amount(15_000), "stage:r/other")
    waiting = asyncio.create_task(ledger.place(hold("c", "r", "stage:r/sub"), price, 300, 300))
    await asyncio.sleep(0.01)
    assert [call for call, _ in ledger.waiting()] == ["c"]
    await asyncio.wait_for(ledger.allow(hold("promise"), Amount(5_000), "stage:r/sub"), 5)
    ledger.release("before")
    refused = await asyncio.wait_for(waiting, 5)
    assert refused.sentence == "what the stage r/sub was promised is used up"


async def test_a_child_that_outlives_its_parent_is_still_counted(ledger):
    ledger.cap("run:r", Cap(nano=50_000))
    await ledger.allow(hold("outer"), Amount(40_000), "stage:r/a")
    await ledger.allow(hold("inner", "r", "stage:r/a"), Amount(30_000), "stage:r/a/b")
    await ledger.place(hold("c", "r", "stage:r/a", "stage:r/a/b"), price, 300, 300)
    assert ledger.balance("run:r").held.nano == 40_000
    ledger.release("inner")
    ledger.release("outer")
    assert ledger.balance("run:r").held.nano == 8_500
    ledger.settle("c", bill(400))
    assert ledger.balance("run:r").held == Amount()
    assert ledger.balance("run:r").settled.nano == 11_000


async def test_a_promise_used_up_says_so(ledger):
    await ledger.allow(hold("promise"), Amount(5_000), "stage:r/sub")
    await ledger.place(hold("c", "r", "stage:r/sub"), price, 160, 160)
    ledger.settle("c", bill(160))
    refused = await ledger.place(hold("d", "r", "stage:r/sub"), price, 160, 160)
    assert refused.sentence == "what the stage r/sub was promised is used up"


async def test_one_bill_may_end_a_promise(ledger):
    await ledger.allow(hold("turn"), Amount(5_000))
    assert await ledger.dispatch("turn")
    assert not await ledger.dispatch("nobody")
    assert ledger.settle("turn", bill(300)).overrun_nano == 3_500
    assert ledger.balance("run:r").settled.nano == 8_500
    assert ledger.balance("run:r").held == Amount()


async def test_resume_and_fork_inherit_the_counter(ledger):
    ledger.cap("run:old", Cap(nano=9_000))
    await ledger.place(hold("c", "old"), price, 300, 300)
    ledger.settle("c", bill(300))
    refused = await ledger.place(hold(run="new", scopes=scopes("old")), price, 300, 1)
    assert refused.scope == "run:old"


async def test_a_call_over_midnight_is_settled_in_the_day_that_held_it(ledger, clock):
    await ledger.place(hold("c"), price, 300, 300)
    clock.at += 86_400_000
    ledger.settle("c", bill(300))
    assert ledger.balance(DAY).settled.nano == 8_500
    clock.at -= 2 * 86_400_000
    await ledger.place(hold("d"), price, 300, 300)
    ledger.settle("d", bill(300))
    assert ledger.balance(DAY).settled.nano == 17_000
    assert ledger.balance("day:2026-11-23").calls == 0


# --- what is read back


async def test_a_settled_call_is_read_back_as_event_and_for_the_index(ledger, path):
    rates = Rates(1, 2, 3, 4, 5)
    tokens = Tokens(1, 2, 3, 4, 5, 2)
    await ledger.place(hold("c"), price, 300, 10)
    outcome = ledger.settle(
        "c",
        Settlement(
            tokens=tokens, nano=77, mark="estimated", reason="cut", message="msg_1", model="m-2",
            first_byte=7, ended=9, lifetime_ms=300_000, window=200_000, tier="batch", geo="eu",
            searches=2, rates=rates,
        ),
    )  # fmt: skip
    await asyncio.wrap_future(outcome.durable)
    with store.connect(path, read_only=True).connect() as connection:
        (row,) = calls.settled_since(connection, 0)
        assert calls.settled_since(connection, outcome.seq) == []
        assert calls.books_of(connection, "r") == [row]
        assert calls.books_of(connection, "other") == []
    event = row.event()
    assert (event.run, event.at, event.call, event.model) == ("r", 9, "msg_1", "m-2")
    assert (event.tokens, event.nano, event.mark, event.revision) == (
        tokens,
        77,
        "estimated",
        False,
    )
    assert (event.context, event.requested, event.lifetime_ms) == (15, 5, 300_000)
    assert (event.rates, event.window) == (rates, 200_000)
    told = row.told()
    assert (told.id, told.run, told.provider, told.tier, told.geo) == (
        "msg_1",
        "r",
        "p",
        "batch",
        "eu",
    )
    assert (told.searches, told.tools, told.reason) == (2, None, "cut")


async def test_a_correction_is_a_row_of_its_own_and_done_once(ledger, path):
    await ledger.place(hold("c"), price, 300, 10)
    ledger.settle("c", bill(300, message="msg_1"))
    assert await ledger.adjust("c", bill(100))
    assert not await ledger.adjust("c", bill(100))
    assert not await ledger.adjust("nobody", bill(100))
    assert not await ledger.adjust("c", bill(100, nano=-1))
    assert await ledger.adjust("c", bill(120))
    first, *corrections = ledger.books_of("r")
    assert first.bill.nano == 8_500
    assert [(row.adjusts, row.bill.nano) for row in corrections] == [("c", -5_000), ("c", 500)]
    event = corrections[0].event()
    assert (event.call, event.revision, event.tokens.output) == ("msg_1", True, -200)
    for scope in scopes():
        assert ledger.balance(scope).settled == Amount(4_000, 220)
        assert ledger.balance(scope).calls == 1
    balances = {scope: ledger.balance(scope) for scope in scopes()}
    ledger._journal.close()
    ledger.close()
    with opened(path) as again:
        assert {scope: again.balance(scope) for scope in scopes()} == balances


async def test_a_journal_of_the_first_version_gets_its_ledger(tmp_path):
    import sqlite3

    path = tmp_path / "journal.db"
    kept = """'{"event":"notice_given","run":"r","at":1,"text":"kept"}'"""
    journal_of(
        path, "0001", f"INSERT INTO events (at, run, kind, body) VALUES (1, 'r', 'x', {kept})"
    )
    with opened(path) as ledger:
        assert isinstance(await ledger.place(hold("c"), price, 1, 1), Granted)
        assert [event.text for _, event in ledger._journal.replay()] == ["kept"]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (store.HEAD,)
        ]
