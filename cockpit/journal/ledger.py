"""The ledger: no call leaves before every scope above it has put the worst it may cost aside.

One process owns it, and within it one event loop. Balances in memory decide at once; rows, written
by the journal's one writer, make the decision last: a call is granted when its row is durable, and a
row that cannot be written grants nothing. After a crash the rows of the dead are settled by the worst
that may have happened, so the books can only err high.

Scopes are strings from the root to the leaf: `fleet`, `month:2026-11`, `day:2026-11-22`,
`project:/path`, `run:ID`, `stage:ID/name`. A call is settled in the scopes it was held in, whatever
the date by then. Resuming or forking a run inherits its counters by passing its `run:` scope.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from hashlib import blake2b

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import astuple, replace

from cockpit.core.price import Mark
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.journal import calls
from cockpit.journal.calls import Booked, Hold, Settlement, State
from cockpit.journal.holds import CHECKPOINT_TOKENS, SLACK_TOKENS, Claim, Held, Holds
from cockpit.journal.owner import Owner, is_alive, own, this_process
from cockpit.journal.purse import (
    NOTHING,
    Amount,
    Balance,
    Busy,
    Cap,
    Exhausted,
    Lane,
    Price,
    counted,
    is_amount,
    utf8,
)
from cockpit.journal.store import Journal, Statement
from cockpit.journal.waiting import Queue, under_way

__all__ = (
    "CHECKPOINT_TOKENS", "Amount", "Balance", "Booked", "Busy", "Cap", "Exhausted", "Granted",
    "Hold", "Ledger", "OpenHold", "Outcome", "Recovered", "Settlement", "call_id",
)  # fmt: skip


class Granted(Struct, frozen=True):
    """The hold is durable: the call may leave, with at most `max_output` tokens of output."""

    call: str
    max_output: int
    amount: Amount


class Outcome(Struct, frozen=True):
    """What a settlement did. `overrun_nano` is what the call cost beyond its hold, all of it booked.

    `first` is false for a call that was settled or released before, or never held: nothing changed.
    `durable` is done once the row is written.
    """

    first: bool
    overrun_nano: int = 0
    seq: int = 0
    durable: "Future[int] | None" = None


class OpenHold(Struct, frozen=True):
    """A hold that is neither settled nor released."""

    call: str
    run: str
    scopes: tuple[str, ...]
    state: State
    amount: Amount
    requested: int


class Recovered(Struct, frozen=True):
    """What became of a dead owner's hold: `mark` is None where it was given back unspent."""

    call: str
    run: str
    scopes: tuple[str, ...]
    mark: Mark | None
    amount: Amount
    tokens: Tokens = NO_TOKENS


def call_id(run: str, step: int | str, attempt: int) -> str:
    """The id of one attempt of a step of a run: the same three never name two calls."""
    named_ = "\0".join((run, str(step), str(attempt)))
    return blake2b(named_.encode("utf-8", "replace"), digest_size=16).hexdigest()


class Ledger:
    """The one owner of what may be spent.

    Raises:
        LedgerOwnedError: when another process (or an unclosed ledger in this one) owns it.
    """

    def __init__(self, journal: Journal, now: Callable[[], int]) -> None:
        self._journal = journal
        self._now = now
        self._disown = own(journal.path, journal.engine)
        self._owner = this_process()
        self._holds = Holds(lambda: self._queue.wake())
        self._queue = Queue(self._holds, now)
        self._seq = 0
        self._adjusting = asyncio.Lock()
        self._load()

    def close(self) -> None:
        """Lets another process own the ledger: to be done once the journal is closed."""
        self._disown()
        self._disown = lambda: None

    # --- caps and balances

    def cap(self, scope: str, cap: Cap | None) -> None:
        """Caps a scope, or frees it. Below what is spent: nothing more is granted, nothing breaks.

        A figure that is no plausible amount counts as zero.
        """
        self._holds.cap(scope, cap)

    def outside(self, scope: str, spent: Amount) -> None:
        """Tells what runs that are not governed have spent in a scope, altogether."""
        self._holds.outside(scope, spent)

    def balance(self, scope: str) -> Balance:
        return self._holds.balance(scope)

    def open_holds(self) -> tuple[OpenHold, ...]:
        return tuple(
            OpenHold(
                held.hold.call, held.hold.run, held.hold.scopes, held.state, held.amount,
                held.hold.requested,
            )
            for held in self._holds.held.values()
        )  # fmt: skip

    def waiting(self) -> tuple[tuple[str, str], ...]:
        """Calls that wait for others to settle, and the scope that is in their way."""
        return tuple((waiter.claim.hold.call, waiter.scope) for waiter in self._queue.waiters)

    def may_begin(self, *scopes: str) -> str:
        """Why no new run may begin under these scopes; empty when it may."""
        return self._holds.may_begin(scopes)

    # --- holding

    async def place(
        self,
        hold: Hold,
        price: Price,
        asked_output: int,
        least_output: int,
        lane: Lane = "work",
    ) -> Granted | Exhausted:
        """Holds the worst that the call may cost in all its scopes, or in none.

        Where the scopes cannot bear the output asked for they grant the most they can, down to
        `least_output`. Where only other holds are in the way it waits, first come, first served.
        """
        asked = max(asked_output, 0)
        return await self._hold(hold, price, asked, min(max(least_output, 0), asked), lane, "")

    async def allow(self, hold: Hold, amount: Amount, into: str = "") -> Granted | Exhausted:
        """Promises an amount to somebody else: a stage, a sub-agent, a vendor's agent.

        Calls whose scopes name `into` are paid out of it. The row is `open` until `dispatch`; it
        ends by `release` (calls were booked one by one) or by `settle` (one bill for all).
        """
        return await self._hold(hold, lambda _: amount, 0, 0, "work", utf8(into or hold.call))

    async def dispatch(self, call: str) -> bool:
        """The allowance is about to be used, from here on a crash presumes it spent; durable."""
        held = self._holds.held.get(call)
        if held is None:
            return False
        held.state = "dispatched"
        await asyncio.shield(
            asyncio.wrap_future(self._write([calls.update(calls.DISPATCH, call, {})]))
        )
        return True

    def checkpoint(self, call: str, tokens: Tokens, nano: int) -> None:
        """What a call under way has used so far; a crash presumes this and a little more."""
        held = self._holds.held.get(call)
        if held is None or not _is_plausible(Settlement(tokens=tokens, nano=nano)):
            return
        seen = Amount(nano, tokens.total)
        presumed = seen.largest((seen + held.slack).smallest(held.worst))
        more = min(SLACK_TOKENS, presumed.tokens - seen.tokens)
        tokens = tokens + Tokens(output=more)
        self._holds.grow(held, counted(seen, held.hold.billing))
        values = {**tokens.by_class(), "nano": presumed.nano, "checkpoint": self._now()}
        self._write([calls.update(calls.CHECKPOINT, call, values)], awaited=False)

    # --- settling

    def settle(self, call: str, bill: Settlement) -> Outcome:
        """Replaces the hold by the bill, however high. Done twice, the second changes nothing."""
        held = self._holds.held.get(call)
        if held is None:
            return Outcome(first=False)
        bill = self._complete(held, bill)
        spent = counted(Amount(bill.nano or 0, bill.tokens.total), held.hold.billing)
        overrun = max(0, spent.nano - counted(held.worst, held.hold.billing).nano)
        self._holds.drop(held)
        self._holds.spend(held, spent)
        self._seq += 1
        settled = calls.update(calls.SETTLE, call, calls.bill_values(bill, self._seq))
        durable = self._write([settled, *calls.spent(held.hold.scopes, spent)], awaited=False)
        return Outcome(True, overrun, self._seq, durable)

    def _complete(self, held: Held, bill: Settlement) -> Settlement:
        """The bill, or what must be presumed where it says nothing that can be booked."""
        if not _is_plausible(bill):
            presumed = held.presumed(bill.reason or "no plausible bill")
            bill = replace(
                bill,
                tokens=presumed.tokens,
                nano=presumed.nano,
                mark="presumed",
                reason=presumed.reason,
            )
        return replace(bill, model=bill.model or held.hold.model, ended=bill.ended or self._now())

    def release(self, call: str) -> bool:
        """Gives the hold back: nothing was spent. False when there is no such hold."""
        held = self._holds.held.get(call)
        if held is None:
            return False
        self._holds.drop(held)
        self._write([calls.update(calls.RELEASE, call, {"ended": self._now()})], awaited=False)
        return True

    async def adjust(self, call: str, bill: Settlement) -> bool:
        """Corrects a settled call by what became known later, in a row of its own.

        False when the call was never settled, or when its books say so already.
        """
        async with self._adjusting:
            await asyncio.wrap_future(self._write([]))
            with self._journal.engine.connect() as connection:
                rows = calls.booked_for(connection, call)
            if not rows or not _is_plausible(bill):
                return False
            return await self._adjusted(rows, bill)

    async def _adjusted(self, rows: list[Booked], bill: Settlement) -> bool:
        first = rows[0]
        tokens = bill.tokens - sum((row.bill.tokens for row in rows), NO_TOKENS)
        nano = (bill.nano or 0) - sum(row.bill.nano or 0 for row in rows)
        if not nano and tokens == NO_TOKENS:
            return False
        self._seq += 1
        change = calls.adjustment(rows, bill, tokens, nano, self._seq, self._owner)
        amount = counted(Amount(nano, tokens.total), first.billing)
        self._holds.correct(first.scopes, amount)
        await asyncio.wrap_future(self._write([change, *calls.spent(first.scopes, amount, 0)]))
        return True

    def carry(self, scope: str, to: str) -> None:
        """What was spent in `scope` counts in `to` from now on too: they turned out to be one task."""
        spent = self.balance(scope).settled
        if spent != NOTHING:
            self._holds.correct((to,), spent)
            self._write(calls.spent((utf8(to),), spent, 0), awaited=False)

    # --- reading

    def settled_since(self, seq: int) -> list[Booked]:
        """What was booked after row `seq`, as far as it is durable."""
        with self._journal.engine.connect() as connection:
            return calls.settled_since(connection, seq)

    def books_of(self, run: str) -> list[Booked]:
        """Everything booked for a run, as far as it is durable."""
        with self._journal.engine.connect() as connection:
            return calls.books_of(connection, run)

    # --- after a crash

    def recover(self) -> list[Recovered]:
        """Ends the holds of owners that are gone; done again, it finds nothing more to do.

        What never left is released. What may have left is settled: by its last checkpoint
        (`estimated`), else by the whole hold (`presumed`).
        """
        found = [held for held in self._holds.held.values() if held.owner is not None]
        return [self._recovered(held) for held in found if self._is_gone(held.owner)]

    def _is_gone(self, owner: Owner | None) -> bool:
        # A row of this very process belongs to a ledger that was closed before this one was opened.
        return owner is None or owner == self._owner or not is_alive(owner)

    def _recovered(self, held: Held) -> Recovered:
        hold = held.hold
        if held.state == "open":
            self.release(hold.call)
            return Recovered(hold.call, hold.run, hold.scopes, None, held.amount)
        bill = held.presumed("its engine died") if held.observed is None else held.observed
        self.settle(hold.call, bill)
        amount = Amount(bill.nano or 0, bill.tokens.total)
        return Recovered(hold.call, hold.run, hold.scopes, bill.mark, amount, bill.tokens)

    def _load(self) -> None:
        with self._journal.engine.connect() as connection:
            for scope, (settled, number) in calls.balances_of(connection).items():
                purse = self._holds.purse(scope)
                purse.settled, purse.calls = settled, number
            self._seq = calls.last_seq(connection)
            rows = calls.unsettled(connection)
        for row in rows:
            self._holds.take(self._found(row))

    def _found(self, row: calls.Unsettled) -> Held:
        hold, worst = row.hold, row.amount
        return Held(
            hold, row.state, counted(worst, hold.billing), worst, row.max_output, NOTHING,
            self._holds.purses(hold.scopes), owner=row.owner, observed=row.observed,
        )  # fmt: skip

    # --- the way of a hold

    async def _hold(
        self, hold: Hold, price: Price, asked: int, least: int, lane: Lane, promise: str
    ) -> Granted | Exhausted:
        if not hold.scopes:
            raise ValueError("a call without a scope would be nobody's")
        hold = calls.cleaned(hold)
        if hold.call in self._holds.held:
            return under_way(hold.call)
        if not (is_amount(price(asked)) and is_amount(price(least))):
            return Exhausted("", f"no plausible price is known for {hold.model}", "price")
        claim = Claim(
            hold, price, asked, least, lane, self._holds.purses(hold.scopes), self._now(), promise
        )
        decided = Busy("") if self._queue.waiters else self._holds.decide(claim, {})
        if isinstance(decided, Busy):
            decided = await self._queue.wait(claim)
        return decided if isinstance(decided, Exhausted) else await self._durable(decided)

    async def _durable(self, held: Held) -> Granted | Exhausted:
        row = calls.hold_row(held.hold, held.worst, held.output, self._owner)
        row["state"] = held.state
        row["allowance"] = held.allowance.scope if held.allowance is not None else None
        written = self._write([(calls.HOLD, row)], patient=False)
        try:
            await asyncio.shield(asyncio.wrap_future(written))
        except asyncio.CancelledError:
            asyncio.wrap_future(written).add_done_callback(lambda done: self._abandoned(held, done))
            raise
        except Exception as error:
            self._holds.drop(held)
            return _unwritten(held.hold, error)
        return Granted(held.hold.call, held.output, held.amount)

    def _abandoned(self, held: Held, written: "asyncio.Future[int]") -> None:
        """Nobody waits for the hold any more, and nothing was sent."""
        if written.cancelled() or written.exception() is None:
            self.release(held.hold.call)
        else:
            self._holds.drop(held)

    def _write(
        self, statements: list[Statement], *, patient: bool = True, awaited: bool = True
    ) -> "Future[int]":
        return self._journal.write(statements, patient=patient, awaited=awaited)


def _unwritten(hold: Hold, error: BaseException) -> Exhausted:
    if isinstance(error, sa.exc.IntegrityError):
        return Exhausted("", f"the call {hold.call} was made before", "twice")
    reason = getattr(error, "orig", None) or error
    return Exhausted("", f"the hold cannot be written down, so nothing leaves: {reason}", "journal")


def _is_plausible(bill: Settlement) -> bool:
    return (
        bill.nano is not None
        and is_amount(Amount(bill.nano, bill.tokens.total))
        and all(type(figure) is int and figure >= 0 for figure in astuple(bill.tokens))
    )
