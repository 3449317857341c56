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
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from hashlib import blake2b

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import astuple, replace

from cockpit.core.price import Mark
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.journal import calls
from cockpit.journal.calls import Booked, Hold, Settlement, State
from cockpit.journal.owner import Owner, is_alive, own, this_process
from cockpit.journal.purse import (
    NOTHING,
    SOFT_PERCENT,
    WORK_PERCENT,
    Allowance,
    Amount,
    Balance,
    Busy,
    Cap,
    Exhausted,
    Lane,
    Price,
    Purse,
    biggest_output,
    counted,
    is_amount,
    named,
    over_share,
    room_later,
    room_now,
    used_sentence,
)
from cockpit.journal.store import Journal, Statement

__all__ = (
    "Amount", "Balance", "Booked", "Busy", "Cap", "Exhausted", "Granted", "Hold", "Ledger",
    "OpenHold", "Outcome", "Recovered", "Settlement", "call_id",
)  # fmt: skip

AGING_MS = 1_000
"""A call that has waited so long is no longer overtaken by smaller ones."""
CHECKPOINT_TOKENS = 512
"""Output that may pass between two checkpoints: a crash presumes that it did."""


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


class _Claim(Struct, frozen=True, eq=False):
    """A hold on its way: what it asks for, in which purses, and since when."""

    hold: Hold
    price: Price
    asked: int
    least: int
    lane: Lane
    purses: tuple[Purse, ...]
    inside: Allowance | None
    since: int
    promise: str = ""
    """The scope for which an allowance is asked; empty for a call."""

    def amount(self, output: int) -> Amount:
        return counted(self.price(output), self.hold.billing)


class _Held(Struct, eq=False):
    """A hold that has been taken in memory. `amount` counts in the purses, `worst` is on the row."""

    hold: Hold
    state: State
    amount: Amount
    worst: Amount
    output: int
    slack: Amount
    purses: tuple[Purse, ...]
    inside: Allowance | None = None
    allowance: Allowance | None = None
    owner: Owner | None = None
    """Whose row this is, when it was found at the start."""
    observed: Settlement | None = None


class _Waiter(Struct, eq=False):
    claim: _Claim
    answer: "asyncio.Future[_Held | Exhausted]"
    scope: str


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
        self._purses: dict[str, Purse] = {}
        self._held: dict[str, _Held] = {}
        self._allowances: dict[str, Allowance] = {}
        self._waiters: list[_Waiter] = []
        self._pumping = False
        self._seq = 0
        self._adjusting = asyncio.Lock()
        self._load()

    def close(self) -> None:
        """Lets another process own the ledger; holds stay as they are in the rows."""
        self._disown()

    # --- caps and balances

    def cap(self, scope: str, cap: Cap | None) -> None:
        """Caps a scope, or frees it. Below what is spent: nothing more is granted, nothing breaks.

        A cap that is no plausible figure counts as zero.
        """
        self._purse(scope).cap = (
            None if cap is None else Cap(_figure(cap.nano), _figure(cap.tokens))
        )
        self._wake()

    def outside(self, scope: str, spent: Amount) -> None:
        """Tells what runs that are not governed have spent in a scope, altogether."""
        self._purse(scope).outside = spent if is_amount(spent) else NOTHING
        self._wake()

    def balance(self, scope: str) -> Balance:
        purse = self._purses.get(scope)
        return Balance() if purse is None else purse.balance()

    def open_holds(self) -> tuple[OpenHold, ...]:
        return tuple(
            OpenHold(
                held.hold.call, held.hold.run, held.hold.scopes, held.state, held.amount,
                held.hold.requested,
            )
            for held in self._held.values()
        )  # fmt: skip

    def waiting(self) -> tuple[tuple[str, str], ...]:
        """Calls that wait for others to settle, and the scope that is in their way."""
        return tuple((waiter.claim.hold.call, waiter.scope) for waiter in self._waiters)

    def may_begin(self, *scopes: str) -> str:
        """Why no new run may begin under these scopes; empty when it may."""
        for purse in map(self._purse, scopes):
            percent = SOFT_PERCENT if purse.shared else 100
            if over_share(purse, Amount(1, 1), percent):
                return f"{named(purse.scope)} has used {percent} % of its cap: no new run begins"
        return ""

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
        return await self._hold(hold, lambda _: amount, 0, 0, "work", into or hold.call)

    async def dispatch(self, call: str) -> bool:
        """The allowance is about to be used, from here on a crash presumes it spent; durable."""
        held = self._held.get(call)
        if held is None:
            return False
        held.state = "dispatched"
        await asyncio.shield(_wrapped(self._write([calls.update(calls.DISPATCH, call, {})])))
        return True

    def checkpoint(self, call: str, tokens: Tokens, nano: int) -> None:
        """What a call under way has used so far; a crash presumes this and a little more."""
        held = self._held.get(call)
        if held is None or not is_amount(Amount(nano, tokens.total)):
            return
        seen = Amount(nano, tokens.total)
        presumed = seen.largest(_smaller(seen + held.slack, held.worst))
        more = max(0, min(CHECKPOINT_TOKENS, presumed.tokens - seen.tokens))
        tokens = tokens + Tokens(output=more)
        held.observed = Settlement(tokens=tokens, nano=presumed.nano)
        self._regrow(held, held.amount.largest(counted(seen, held.hold.billing)))
        values = {**tokens.by_class(), "nano": presumed.nano, "checkpoint": self._now()}
        self._write([calls.update(calls.CHECKPOINT, call, values)])

    # --- settling

    def settle(self, call: str, bill: Settlement) -> Outcome:
        """Replaces the hold by the bill, however high. Done twice, the second changes nothing."""
        held = self._held.get(call)
        if held is None:
            return Outcome(first=False)
        bill = self._complete(held, bill)
        self._drop(held)
        actual = Amount(bill.nano or 0, bill.tokens.total)
        spent = counted(actual, held.hold.billing)
        self._spend(held, spent)
        self._seq += 1
        values = calls.bill_values(bill, self._seq)
        durable = self._write(
            [calls.update(calls.SETTLE, call, values), *calls.spent(held.hold.scopes, spent)]
        )
        overrun = max(0, spent.nano - counted(held.worst, held.hold.billing).nano)
        return Outcome(True, overrun, self._seq, durable)

    def release(self, call: str) -> bool:
        """Gives the hold back: nothing was spent. False when there is no such hold."""
        held = self._held.get(call)
        if held is None:
            return False
        self._drop(held)
        self._write([calls.update(calls.RELEASE, call, {"ended": self._now()})])
        return True

    async def adjust(self, call: str, bill: Settlement) -> bool:
        """Corrects a settled call by what became known later, in a row of its own.

        False when the call was never settled, or when its books say so already.
        """
        async with self._adjusting:
            await _wrapped(self._write([]))
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
        for purse in map(self._purse, first.scopes):
            purse.settled += amount
        self._wake()
        await _wrapped(self._write([change, *calls.spent(first.scopes, amount, 0)]))
        return True

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
        found = [held for held in self._held.values() if held.owner is not None]
        return [self._recovered(held) for held in found if self._is_gone(held.owner)]

    def _is_gone(self, owner: Owner | None) -> bool:
        # A row of this very process belongs to a ledger that was closed before this one was opened.
        return owner is None or owner == self._owner or not is_alive(owner)

    def _recovered(self, held: _Held) -> Recovered:
        hold = held.hold
        if held.state == "open":
            self.release(hold.call)
            return Recovered(hold.call, hold.run, hold.scopes, None, held.amount)
        bill = _presumed(held, "its engine died") if held.observed is None else held.observed
        self.settle(hold.call, bill)
        amount = Amount(bill.nano or 0, bill.tokens.total)
        return Recovered(hold.call, hold.run, hold.scopes, bill.mark, amount, bill.tokens)

    def _load(self) -> None:
        with self._journal.engine.connect() as connection:
            for scope, (settled, number) in calls.balances_of(connection).items():
                self._purses[scope] = Purse(scope, settled, number)
            self._seq = calls.last_seq(connection)
            rows = calls.unsettled(connection)
        for row in rows:
            held = self._found(row)
            self._take(held)

    def _found(self, row: calls.Unsettled) -> _Held:
        hold, worst = row.hold, row.amount
        return _Held(
            hold, row.state, counted(worst, hold.billing), worst, row.max_output, NOTHING,
            tuple(map(self._purse, hold.scopes)), owner=row.owner, observed=row.observed,
        )  # fmt: skip

    # --- deciding

    async def _hold(
        self, hold: Hold, price: Price, asked: int, least: int, lane: Lane, promise: str
    ) -> Granted | Exhausted:
        if refusal := self._implausible(hold, price, asked, least):
            return refusal
        claim = _Claim(
            hold, price, asked, least, lane, tuple(map(self._purse, hold.scopes)),
            self._allowance_of(hold.scopes), self._now(), promise,
        )  # fmt: skip
        decided = self._decide(claim, {}) if not self._waiters else None
        if decided is None or isinstance(decided, Busy):
            decided = await self._wait(claim, "" if decided is None else decided.scope)
        return decided if isinstance(decided, Exhausted) else await self._durable(decided)

    def _implausible(self, hold: Hold, price: Price, asked: int, least: int) -> Exhausted | None:
        if hold.call in self._held:
            return Exhausted("", f"the call {hold.call} is under way already", "twice")
        if not (is_amount(price(asked)) and is_amount(price(least))):
            return Exhausted("", f"no plausible price is known for {hold.model}", "price")
        return None

    def _decide(self, claim: _Claim, queued: dict[str, Amount]) -> _Held | Busy | Exhausted:
        least = claim.amount(claim.least)
        if claim.lane == "work":
            for purse in claim.purses:
                if purse.shared and over_share(purse, least, WORK_PERCENT):
                    return _exhausted(purse, least)
        room = room_now(claim.purses, claim.inside, claim.lane, queued)
        if scope := room.lacking(least):
            later = room_later(claim.purses, claim.inside, claim.lane).lacking(least)
            return _exhausted(self._purse(later), least) if later else Busy(scope)
        output = claim.asked
        if room.lacking(claim.amount(output)):
            output = biggest_output(claim.price, claim.hold.billing, room, claim.least, output)
        return self._granted(claim, output)

    def _granted(self, claim: _Claim, output: int) -> _Held:
        price, worst = claim.price, claim.price(output)
        slack = price(min(output, CHECKPOINT_TOKENS)) - price(0)
        held = _Held(
            claim.hold, "open" if claim.promise else "dispatched",
            counted(worst, claim.hold.billing), worst, output, slack, claim.purses, claim.inside,
        )  # fmt: skip
        if claim.promise:
            promised = Allowance(claim.promise, held.amount, claim.purses, claim.inside)
            held.allowance = self._allowances[claim.promise] = promised
        self._take(held)
        return held

    async def _durable(self, held: _Held) -> Granted | Exhausted:
        row = calls.hold_row(held.hold, held.worst, held.output, self._owner)
        row |= {"state": held.state}
        if held.allowance is not None:
            row |= {"allowance": held.allowance.scope}
        written = self._write([(calls.HOLD, row)], patient=False)
        try:
            await asyncio.shield(_wrapped(written))
        except asyncio.CancelledError:
            _wrapped(written).add_done_callback(lambda done: self._abandoned(held, done))
            raise
        except Exception as error:
            self._drop(held)
            return _unwritten(held.hold, error)
        return Granted(held.hold.call, held.output, held.amount)

    def _abandoned(self, held: _Held, written: "asyncio.Future[int]") -> None:
        """Nobody waits for the hold any more, and nothing was sent."""
        if written.cancelled() or written.exception() is None:
            self.release(held.hold.call)
        else:
            self._drop(held)

    # --- waiting

    async def _wait(self, claim: _Claim, scope: str) -> _Held | Exhausted:
        waiter = _Waiter(claim, asyncio.get_running_loop().create_future(), scope)
        self._waiters.append(waiter)
        self._wake()
        try:
            return await waiter.answer
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif waiter.answer.done() and not waiter.answer.cancelled():
                answer = waiter.answer.result()
                if isinstance(answer, _Held):
                    self._drop(answer)
            self._wake()
            raise

    def _wake(self) -> None:
        """Looks at the waiting once this turn of the loop is over, however often it is asked."""
        if self._waiters and not self._pumping:
            self._pumping = True
            self._waiters[0].answer.get_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        now, kept, queued = self._now(), [], dict[str, Amount]()
        for waiter in self._waiters:
            if waiter.answer.done():
                continue
            answer = self._answer(waiter, queued)
            if isinstance(answer, Busy):
                waiter.scope = answer.scope
                kept.append(waiter)
                if now - waiter.claim.since >= AGING_MS:
                    _queue(queued, waiter)
            elif answer is not None:
                waiter.answer.set_result(answer)
        self._waiters = kept

    def _answer(
        self, waiter: _Waiter, queued: dict[str, Amount]
    ) -> _Held | Busy | Exhausted | None:
        hold = waiter.claim.hold
        if hold.call in self._held:
            return Exhausted("", f"the call {hold.call} is under way already", "twice")
        try:
            return self._decide(waiter.claim, queued)
        except Exception as error:  # a price that fails must fail its own call only
            waiter.answer.set_exception(error)
            return None

    # --- figures

    def _purse(self, scope: str) -> Purse:
        purse = self._purses.get(scope)
        if purse is None:
            purse = self._purses[scope] = Purse(scope)
        return purse

    def _allowance_of(self, scopes: Iterable[str]) -> Allowance | None:
        """The nearest promise that the call may draw on."""
        found = None
        for scope in scopes:
            found = self._allowances.get(scope, found)
        return found

    def _take(self, held: _Held) -> None:
        self._held[held.hold.call] = held
        for purse in held.purses:
            purse.held += held.amount
        if held.inside is not None:
            held.inside.draw(held.amount)

    def _regrow(self, held: _Held, amount: Amount) -> None:
        """The hold turned out too small before its end."""
        if amount == held.amount or held.allowance is not None:
            return
        for purse in held.purses:
            purse.held += amount - held.amount
        if held.inside is not None:
            held.inside.draw(amount - held.amount)
        held.amount = amount

    def _drop(self, held: _Held) -> None:
        self._held.pop(held.hold.call, None)
        if held.allowance is not None:
            with suppress(KeyError):
                del self._allowances[held.allowance.scope]
            held.allowance.close()
        else:
            for purse in held.purses:
                purse.held -= held.amount
            if held.inside is not None:
                held.inside.draw(NOTHING - held.amount)
        self._wake()

    def _spend(self, held: _Held, spent: Amount) -> None:
        for purse in held.purses:
            purse.settled += spent
            purse.calls += 1
        if held.inside is not None:
            held.inside.spend(spent)

    def _complete(self, held: _Held, bill: Settlement) -> Settlement:
        """The bill, or what must be presumed where it says nothing that can be booked."""
        if not _is_plausible(bill):
            bill = _presumed(held, bill.reason or "no plausible bill")
        return replace(bill, model=bill.model or held.hold.model, ended=bill.ended or self._now())

    def _write(self, statements: list[Statement], *, patient: bool = True) -> "Future[int]":
        return self._journal.write(statements, patient=patient)


def _exhausted(purse: Purse, asked: Amount) -> Exhausted:
    sentence = used_sentence(purse, asked)
    if over_share(purse, asked, 100) or not purse.shared:
        return Exhausted(purse.scope, sentence)
    return Exhausted(
        purse.scope, f"{sentence}; what is left is kept to verify and to salvage", "soft"
    )


def _unwritten(hold: Hold, error: BaseException) -> Exhausted:
    if isinstance(error, sa.exc.IntegrityError):
        return Exhausted("", f"the call {hold.call} was made before", "twice")
    reason = getattr(error, "orig", None) or error
    return Exhausted("", f"the hold cannot be written down, so nothing leaves: {reason}", "journal")


def _queue(queued: dict[str, Amount], waiter: _Waiter) -> None:
    """What an aged waiter needs is left alone by those who came later."""
    needed = waiter.claim.amount(waiter.claim.least)
    queued[waiter.scope] = queued.get(waiter.scope, NOTHING) + needed


def _presumed(held: _Held, reason: str) -> Settlement:
    """The whole hold, as if all of the prompt had been cold and all the output granted been said."""
    output = min(held.output, held.worst.tokens)
    return Settlement(
        tokens=Tokens(input=held.worst.tokens - output, output=output), nano=held.worst.nano,
        mark="presumed", reason=reason,
    )  # fmt: skip


def _is_plausible(bill: Settlement) -> bool:
    return (
        bill.nano is not None
        and is_amount(Amount(bill.nano, bill.tokens.total))
        and all(type(figure) is int and figure >= 0 for figure in astuple(bill.tokens))
    )


def _figure(cap: int | None) -> int | None:
    return cap if cap is None or is_amount(Amount(cap)) else 0


def _smaller(one: Amount, other: Amount) -> Amount:
    return Amount(min(one.nano, other.nano), min(one.tokens, other.tokens))


def _wrapped(future: "Future[int]") -> "asyncio.Future[int]":
    return asyncio.wrap_future(future)
