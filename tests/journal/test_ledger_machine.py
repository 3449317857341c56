"""The ledger against a model of it that keeps no running totals, through any order of events."""

import asyncio
import functools
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cockpit.core.tokens import Tokens
from cockpit.journal.ledger import Amount, Cap, Exhausted, Ledger, Settlement
from cockpit.journal.store import Journal
from tests.journal.books import Clock, hold, price, scopes

RUNS = ("a", "b", "c")
STAGES = {run: f"stage:{run}/s" for run in RUNS}
SCOPES = sorted({scope for run in RUNS for scope in scopes(run, STAGES[run])})
LANES = ("work", "verify", "salvage")
outputs = st.integers(0, 2_000)
caps = st.builds(Cap, st.none() | st.integers(0, 120_000), st.none() | st.integers(0, 5_000))


asked_calls = st.tuples(
    st.sampled_from(RUNS), st.booleans(), outputs, st.integers(0, 100), st.sampled_from(LANES)
)


@functools.cache
def empty_journal():
    """Migrating takes far longer than all that follows."""
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "journal.db"
        Journal(path).close()
        return path.read_bytes()


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        (Path(self.home.name) / "journal.db").write_bytes(empty_journal())
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.number = 0
        self.holds = {}  # call -> (scopes, Amount, the promise it draws on)
        self.promises = {}  # call -> (scope, scopes, Amount)
        self.drawn = Counter()
        self.spent = Counter()
        self.caps = {}
        self.waiting = {}  # call -> task
        self.open()

    def open(self):
        self.journal = Journal(Path(self.home.name) / "journal.db")
        self.ledger = Ledger(self.journal, self.clock)

    def shut(self):
        for task in self.waiting.values():
            task.cancel()
        self.run(*self.waiting.values())
        self.waiting.clear()
        self.settled_rows()
        self.journal.close()
        self.ledger.close()

    def teardown(self):
        self.shut()
        self.loop.close()
        self.home.cleanup()

    def run(self, *tasks):
        async def all_of_them():
            return await asyncio.gather(*tasks, return_exceptions=True)

        return self.loop.run_until_complete(all_of_them())

    def settled_rows(self):
        while {each.call for each in self.ledger.open_holds()} - {*self.holds, *self.promises}:
            self.run(asyncio.sleep(0))  # what was cancelled while it was written is given back
        self.journal.append().result(10)

    def new(self, task, call):
        """Lets the loop run until every call has its answer or waits for another's."""
        self.waiting[call] = task
        self.loop.run_until_complete(self.quiet())

    async def quiet(self):
        while True:
            await asyncio.sleep(0)
            stuck = dict(self.ledger.waiting())
            if "" in stuck.values() or self.ledger._queue._waking:
                continue
            answered = [call for call in self.waiting if call not in stuck]
            for call in answered:
                self.answer(call, await self.waiting.pop(call))
            if not answered:
                return

    def answer(self, call, answer):
        if isinstance(answer, Exhausted):
            return
        held = {each.call: each for each in self.ledger.open_holds()}[call]
        if call not in self.promises:
            self.holds[call] = (held.scopes, answer.amount, self.promise_of(held.scopes))
        inside = self.promise_of(held.scopes) if call not in self.promises else None
        self.within_caps(held.scopes, answer.amount, inside)

    def promise_of(self, of):
        return next((name for name, each in self.promises.items() if each[0] in of), None)

    def within_caps(self, of, asked, inside):
        """What a promise has left was put aside before its call came, perhaps under a higher cap."""
        for scope in of:
            cap, used = self.caps.get(scope) or Cap(), self.ledger.balance(scope).used
            for unit in ("nano", "tokens"):
                most, left = getattr(cap, unit), 0
                if inside is not None and scope in self.promises[inside][1]:
                    left = self.undrawn(inside, unit)
                if most is not None and getattr(asked, unit):
                    assert getattr(used, unit) - left <= most, scope

    def call(self, run, staged):
        self.number += 1
        return hold(f"c{self.number}", run, *([STAGES[run]] if staged else []))

    @initialize(fleet=caps, run=caps)
    def capped(self, fleet, run):
        self.cap("fleet", fleet)
        self.cap("run:a", run)

    @rule(calls=st.lists(asked_calls, min_size=1, max_size=4))
    def place(self, calls):
        for run, staged, asked, least, lane in calls:
            asking = self.call(run, staged)
            placing = self.ledger.place(asking, price, asked, least, lane)
            self.new(self.loop.create_task(placing), asking.call)

    @rule(run=st.sampled_from(RUNS), nano=st.integers(0, 60_000), tokens=st.integers(0, 3_000))
    def promise(self, run, nano, tokens):
        if any(each[0] == STAGES[run] for each in self.promises.values()):
            return
        asking = self.call(run, staged=False)
        self.promises[asking.call] = (STAGES[run], asking.scopes, Amount(nano, tokens))
        allowing = self.ledger.allow(asking, Amount(nano, tokens), STAGES[run])
        self.new(self.loop.create_task(allowing), asking.call)
        if asking.call not in {each.call for each in self.ledger.open_holds()}:
            self.cancel(asking.call)
            self.promises.pop(asking.call)

    @rule(data=st.data())
    @precondition(lambda self: self.waiting)
    def cancel_one(self, data):
        self.cancel(data.draw(st.sampled_from(sorted(self.waiting))))

    def cancel(self, call):
        if task := self.waiting.pop(call, None):
            task.cancel()
            self.run(task)
        self.loop.run_until_complete(self.quiet())

    @rule(data=st.data(), output=outputs, correct=st.booleans())
    @precondition(lambda self: self.holds)
    def settle(self, data, output, correct):
        call = data.draw(st.sampled_from(sorted(self.holds)))
        of, amount, promise = self.holds.pop(call)
        nano = 1_000 + 25 * output
        outcome = self.ledger.settle(
            call, Settlement(tokens=Tokens(input=100, output=output), nano=nano)
        )
        assert outcome.first
        assert outcome.overrun_nano == max(0, nano - amount.nano)
        spent = Amount(nano, 100 + output)
        self.book(of, spent)
        self.drawn[promise, "nano"] += spent.nano
        self.drawn[promise, "tokens"] += spent.tokens
        assert not self.ledger.settle(call, Settlement(nano=1)).first
        self.loop.run_until_complete(self.quiet())  # a correction may cross a cap, a grant may not
        if correct:
            better = Settlement(tokens=Tokens(input=100, output=output + 7), nano=nano + 3)
            assert self.loop.run_until_complete(self.ledger.adjust(call, better))
            self.book(of, Amount(3, 7))
        self.loop.run_until_complete(self.quiet())

    def book(self, of, amount):
        for scope in of:
            self.spent[scope, "nano"] += amount.nano
            self.spent[scope, "tokens"] += amount.tokens

    @rule(data=st.data())
    @precondition(lambda self: self.holds or self.promises)
    def release(self, data):
        call = data.draw(st.sampled_from(sorted({*self.holds, *self.promises})))
        self.holds.pop(call, None)
        self.promises.pop(call, None)
        assert self.ledger.release(call)
        assert not self.ledger.release(call)
        self.loop.run_until_complete(self.quiet())

    @rule(scope=st.sampled_from(SCOPES), cap=st.none() | caps)
    def cap(self, scope, cap):
        self.caps[scope] = cap
        self.ledger.cap(scope, cap)
        self.loop.run_until_complete(self.quiet())

    @rule(scope=st.sampled_from(SCOPES), nano=st.integers(0, 50_000), tokens=st.integers(0, 999))
    def outside(self, scope, nano, tokens):
        self.ledger.outside(scope, Amount(nano, tokens))
        self.loop.run_until_complete(self.quiet())

    @rule(milliseconds=st.sampled_from([-3_600_000, 1, 5_000, 86_400_000]))
    def time_goes_by(self, milliseconds):
        self.clock.at += milliseconds

    @rule()
    def reopen(self):
        """What memory says and what the rows say is one and the same."""
        self.shut()
        before = {scope: self.ledger.balance(scope).settled for scope in SCOPES}
        self.open()
        assert {scope: self.ledger.balance(scope).settled for scope in SCOPES} == before
        assert {each.call for each in self.ledger.open_holds()} == {*self.holds, *self.promises}
        recovered = self.ledger.recover()
        assert self.ledger.recover() == []
        assert self.ledger.open_holds() == ()
        assert {each.call for each in recovered} == {*self.holds, *self.promises}
        for each in recovered:
            assert each.mark == (None if each.call in self.promises else "presumed")
            if each.mark:
                assert each.amount == self.holds[each.call][1]
                self.book(each.scopes, each.amount)
        self.holds.clear()
        self.promises.clear()
        for scope, cap in self.caps.items():
            self.ledger.cap(scope, cap)

    @invariant()
    def the_tree_is_consistent(self):
        for scope in SCOPES:
            balance = self.ledger.balance(scope)
            assert balance.held == Amount(self.held(scope, "nano"), self.held(scope, "tokens"))
            assert balance.settled.nano == self.spent[scope, "nano"]
            assert balance.settled.tokens == self.spent[scope, "tokens"]

    def held(self, scope, unit):
        """Calls under way, and of every promise what nobody has drawn yet."""
        total = sum(getattr(each[1], unit) for each in self.holds.values() if scope in each[0])
        for name, (_, of, _) in self.promises.items():
            total += self.undrawn(name, unit) if scope in of else 0
        return total

    def undrawn(self, name, unit):
        """What nobody has drawn of a promise yet."""
        drawn = self.drawn[name, unit] + sum(
            getattr(each[1], unit) for each in self.holds.values() if each[2] == name
        )
        return max(0, getattr(self.promises[name][2], unit) - drawn)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLedger.pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning")]
