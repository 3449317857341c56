"""Holds in memory: who may have what, decided at once. No disk, no clock, no waiting."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from cockpit.core.tokens import Tokens
from cockpit.journal.calls import Hold, Settlement, State
from cockpit.journal.owner import Owner
from cockpit.journal.purse import (
    NOTHING,
    Allowance,
    Amount,
    Balance,
    Busy,
    Cap,
    Exhausted,
    Lane,
    Price,
    Purse,
    counted,
    is_amount,
    utf8,
)
from cockpit.journal.room import (
    SOFT_PERCENT,
    WORK_PERCENT,
    biggest_output,
    exhausted,
    named,
    over_share,
    room_later,
    room_now,
)

CHECKPOINT_TOKENS = 512
"""Output after which a call under way is checkpointed anew."""
SLACK_TOKENS = 2 * CHECKPOINT_TOKENS
"""Output that a crash presumes beyond the last checkpoint: the next may not have been durable."""


class Claim(Struct, frozen=True, eq=False):
    """A hold on its way: what it asks for, in which purses, and since when."""

    hold: Hold
    price: Price
    asked: int
    least: int
    lane: Lane
    purses: tuple[Purse, ...]
    since: int
    promise: str = ""
    """The scope for which an allowance is asked; empty for a call."""

    def amount(self, output: int) -> Amount:
        return counted(self.price(output), self.hold.billing)


class Held(Struct, eq=False):
    """A hold that was taken. `amount` counts in the purses, `worst` is what the row says."""

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

    def presumed(self, reason: str) -> Settlement:
        """The whole hold, as if the prompt had been cold and all the output granted been said."""
        output = min(self.output, self.worst.tokens)
        return Settlement(
            tokens=Tokens(input=self.worst.tokens - output, output=output),
            nano=self.worst.nano,
            mark="presumed",
            reason=reason,
        )


class Holds:
    """Every purse, and every hold in them."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when there may be more room, or less, than before."""
        self._changed = changed
        self._purses: dict[str, Purse] = {}
        self._allowances: dict[str, Allowance] = {}
        self.held: dict[str, Held] = {}

    def purse(self, scope: str) -> Purse:
        scope = utf8(scope)
        purse = self._purses.get(scope)
        if purse is None:
            purse = self._purses[scope] = Purse(scope)
        return purse

    def purses(self, scopes: Iterable[str]) -> tuple[Purse, ...]:
        return tuple(map(self.purse, scopes))

    def balance(self, scope: str) -> Balance:
        purse = self._purses.get(utf8(scope))
        return Balance() if purse is None else purse.balance()

    def cap(self, scope: str, cap: Cap | None) -> None:
        """Caps a scope, or frees it; a figure that is none counts as zero."""
        if cap is not None:
            cap = Cap(_figure(cap.nano), _figure(cap.tokens))
        self.purse(scope).cap = cap
        self._changed()

    def outside(self, scope: str, spent: Amount) -> None:
        """What is no amount leaves what was known."""
        if is_amount(spent):
            self.purse(scope).outside = spent
            self._changed()

    def may_begin(self, scopes: Iterable[str]) -> str:
        """Why no new run may begin under these scopes; empty when it may."""
        for purse in self.purses(scopes):
            percent = SOFT_PERCENT if purse.shared else 100
            if over_share(purse, Amount(1, 1), percent):
                return f"{named(purse.scope)} has used {percent} % of its cap: no new run begins"
        return ""

    def allowance(self, scopes: Iterable[str]) -> Allowance | None:
        """The nearest promise that a call in these scopes draws on."""
        found = None
        for scope in scopes:
            found = self._allowances.get(scope, found)
        return found

    def decide(self, claim: Claim, queued: dict[str, Amount]) -> Held | Busy | Exhausted:
        """Takes the hold in all its scopes, or in none; `queued` is kept for older claims."""
        least = claim.amount(claim.least)
        if purse := _over_soft(claim, least):
            return exhausted(purse, least, None)
        # Looked up now, not when the call began to wait: a promise may have come or gone since.
        inside = self.allowance(claim.hold.scopes)
        room = room_now(claim.purses, inside, claim.lane, queued)
        if scope := room.lacking(least):
            later = room_later(claim.purses, inside, claim.lane).lacking(least)
            return exhausted(self.purse(later), least, inside) if later else Busy(scope)
        output = claim.asked
        if room.lacking(claim.amount(output)):
            output = biggest_output(claim.price, claim.hold.billing, room, claim.least, output)
        return self._granted(claim, inside, output)

    def _granted(self, claim: Claim, inside: Allowance | None, output: int) -> Held:
        price, worst = claim.price, claim.price(output)
        slack = (price(min(output, SLACK_TOKENS)) - price(0)).largest(NOTHING)
        state: State = "open" if claim.promise else "dispatched"
        amount = counted(worst, claim.hold.billing)
        held = Held(claim.hold, state, amount, worst, output, slack, claim.purses, inside)
        if claim.promise:
            held.allowance = Allowance(claim.promise, amount, claim.purses, inside)
            self._allowances[claim.promise] = held.allowance
        self.take(held)
        return held

    def take(self, held: Held) -> None:
        self.held[held.hold.call] = held
        for purse in held.purses:
            purse.held += held.amount
        if held.inside is not None:
            held.inside.draw(held.amount)

    def grow(self, held: Held, amount: Amount) -> None:
        """The hold turns out too small before its end."""
        more = amount.largest(held.amount) - held.amount
        if more == NOTHING or held.allowance is not None:
            return
        for purse in held.purses:
            purse.held += more
        if held.inside is not None:
            held.inside.draw(more)
        held.amount += more

    def drop(self, held: Held) -> None:
        """Gives the hold back."""
        self.held.pop(held.hold.call, None)
        if held.allowance is not None:
            self._close(held.allowance)
        else:
            for purse in held.purses:
                purse.held -= held.amount
            if held.inside is not None:
                held.inside.draw(NOTHING - held.amount)
        self._changed()

    def _close(self, allowance: Allowance) -> None:
        if self._allowances.get(allowance.scope) is allowance:
            del self._allowances[allowance.scope]
        allowance.close()

    def spend(self, held: Held, spent: Amount) -> None:
        """Books what a dropped hold really cost."""
        for purse in held.purses:
            purse.settled += spent
            purse.calls += 1
        if held.inside is not None:
            held.inside.spend(spent)

    def correct(self, scopes: Iterable[str], difference: Amount) -> None:
        """A call settled long ago cost more, or less."""
        for purse in self.purses(scopes):
            purse.settled += difference
        self._changed()


def _over_soft(claim: Claim, least: Amount) -> Purse | None:
    if claim.lane != "work":
        return None
    over = (p for p in claim.purses if p.shared and over_share(p, least, WORK_PERCENT))
    return next(over, None)


def _figure(cap: int | None) -> int | None:
    return cap if cap is None or is_amount(Amount(cap)) else 0
