"""The ledger's arithmetic: what a scope may spend, has spent and has promised. No disk, no clock."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from cockpit.core.money import dollars
from cockpit.core.text import clean

Billing = Literal["money", "subscription"]
Lane = Literal["work", "verify", "salvage"]

LARGEST = 2**60
"""A larger figure is no amount but a mistake, and would not fit the books."""
SOFT_PERCENT = 80
"""From here on no new run begins in a shared scope."""
WORK_PERCENT = 95
"""From here on a shared scope lets out only calls that verify or salvage."""
LANE_PERCENT = 2
"""Share of a shared cap that holds for work never touch."""


class Amount(Struct, frozen=True):
    """Nano-dollars and tokens."""

    nano: int = 0
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.nano + other.nano, self.tokens + other.tokens)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.nano - other.nano, self.tokens - other.tokens)

    def largest(self, other: "Amount") -> "Amount":
        return Amount(max(self.nano, other.nano), max(self.tokens, other.tokens))


NOTHING = Amount()

Price = Callable[[int], Amount]
"""The worst that a call may cost when it is granted so many output tokens; never falling."""


def is_amount(amount: object) -> bool:
    """Whether both figures are plausible integers: NaN, infinity and negatives are not."""
    return isinstance(amount, Amount) and _is_figure(amount.nano) and _is_figure(amount.tokens)


def _is_figure(figure: object) -> bool:
    return type(figure) is int and 0 <= figure <= LARGEST


def counted(amount: Amount, billing: Billing) -> Amount:
    """What counts against caps: a subscription's dollars are shown, never counted."""
    return amount if billing == "money" else Amount(0, amount.tokens)


class Cap(Struct, frozen=True):
    """The most a scope may spend; None is no cap in that unit."""

    nano: int | None = None
    tokens: int | None = None


class Balance(Struct, frozen=True):
    """A scope's books: settled, held by calls under way, spent by runs that are not governed."""

    settled: Amount = NOTHING
    held: Amount = NOTHING
    outside: Amount = NOTHING
    cap: Cap | None = None
    calls: int = 0

    @property
    def spent(self) -> Amount:
        return self.settled + self.outside

    @property
    def used(self) -> Amount:
        return self.settled + self.outside + self.held


class Purse:
    """One scope's running figures."""

    __slots__ = ("calls", "cap", "held", "outside", "scope", "settled", "shared")

    def __init__(self, scope: str, settled: Amount = NOTHING, calls: int = 0) -> None:
        self.scope = scope
        self.shared = scope == "fleet" or scope.startswith(("month:", "day:"))
        self.settled = settled
        self.calls = calls
        self.held = NOTHING
        self.outside = NOTHING
        self.cap: Cap | None = None

    def balance(self) -> Balance:
        return Balance(self.settled, self.held, self.outside, self.cap, self.calls)


class Allowance:
    """What was promised to somebody who spends it call by call in a scope of his own.

    The scopes above bear the whole promise from the start, so a call inside it asks nothing more
    of them: `left` shrinks by what the call holds and grows again by what it did not need.
    """

    __slots__ = ("above", "amount", "drawn", "purses", "scope", "spent")

    def __init__(
        self, scope: str, amount: Amount, purses: tuple[Purse, ...], above: "Allowance | None"
    ) -> None:
        self.scope = scope
        self.amount = amount
        self.purses = purses
        self.above = above
        self.drawn = NOTHING
        self.spent = NOTHING

    @property
    def left(self) -> Amount:
        return (self.amount - self.drawn).largest(NOTHING)

    def draw(self, more: Amount) -> None:
        """Counts what calls inside hold or have spent; negative when a call needed less."""
        self._change(self.amount, self.drawn + more)

    def spend(self, spent: Amount) -> None:
        """A call inside was settled: its hold was drawn back before."""
        self.draw(spent)
        inside: Allowance | None = self
        while inside is not None:
            inside.spent += spent
            inside = inside.above

    def close(self) -> None:
        """Nothing more is promised; calls under way inside go on."""
        self._change(NOTHING, self.drawn)

    def _change(self, amount: Amount, drawn: Amount) -> None:
        left, committed = self.left, self.amount.largest(self.drawn)
        self.amount, self.drawn = amount, drawn
        for purse in self.purses:
            purse.held += self.left - left
        if self.above is not None:
            self.above.draw(amount.largest(drawn) - committed)


class Exhausted(Struct, frozen=True):
    """No call: `sentence` says why, to be shown as it is.

    `cap`: the scope has spent what it may. `soft`: the little that is left is kept for verifying
    and salvaging. `price`: no plausible price. `twice`: the call's id has been used. `journal`:
    the hold could not be written down.
    """

    scope: str
    sentence: str
    reason: Literal["cap", "soft", "price", "twice", "journal"] = "cap"


class Busy(Struct, frozen=True):
    """Only holds of calls under way are in the way in `scope`."""

    scope: str


class Room:
    """The least that any scope of a call can still bear, per unit; None is no bound."""

    __slots__ = ("nano", "nano_scope", "tokens", "tokens_scope")

    def __init__(self) -> None:
        self.nano: int | None = None
        self.tokens: int | None = None
        self.nano_scope = self.tokens_scope = ""

    def narrow(self, scope: str, nano: int | None, tokens: int | None) -> None:
        if nano is not None and (self.nano is None or nano < self.nano):
            self.nano, self.nano_scope = nano, scope
        if tokens is not None and (self.tokens is None or tokens < self.tokens):
            self.tokens, self.tokens_scope = tokens, scope

    def lacking(self, amount: Amount) -> str:
        """The scope that cannot bear the amount, empty when all can.

        A unit of which nothing is asked refuses nothing, however exhausted.
        """
        if amount.nano and self.nano is not None and not amount.nano <= self.nano:
            return self.nano_scope
        if amount.tokens and self.tokens is not None and not amount.tokens <= self.tokens:
            return self.tokens_scope
        return ""


def room_now(
    purses: Iterable[Purse],
    inside: Allowance | None,
    lane: Lane,
    queued: Mapping[str, Amount],
) -> Room:
    """Room beside all holds, and beside what is `queued` by others who came first."""
    room = Room()
    for purse in purses:
        if purse.cap is None:
            continue
        taken = purse.settled + purse.outside + purse.held + queued.get(purse.scope, NOTHING)
        if inside is not None and purse in inside.purses:
            taken -= inside.left
        _narrow(room, purse, taken, lane)
    if inside is not None:
        room.narrow(inside.scope, inside.left.nano, inside.left.tokens)
    return room


def room_later(purses: Iterable[Purse], inside: Allowance | None, lane: Lane) -> Room:
    """Room once every hold has been given back for nothing: what lacks here is exhausted."""
    room = Room()
    for purse in purses:
        _narrow(room, purse, purse.settled + purse.outside, lane)
    if inside is not None:
        left = inside.amount - inside.spent
        room.narrow(inside.scope, left.nano, left.tokens)
    return room


def _narrow(room: Room, purse: Purse, taken: Amount, lane: Lane) -> None:
    if purse.cap is None:
        return
    percent = 100 - LANE_PERCENT if purse.shared and lane == "work" else 100
    nano, tokens = purse.cap.nano, purse.cap.tokens
    room.narrow(
        purse.scope,
        None if nano is None else nano * percent // 100 - taken.nano,
        None if tokens is None else tokens * percent // 100 - taken.tokens,
    )


def over_share(purse: Purse, asked: Amount, percent: int) -> Literal["", "money", "tokens"]:
    """The unit, among those asked for, of whose cap that share is spent; empty when none is."""
    cap, spent = purse.cap or Cap(), purse.settled + purse.outside
    if cap.nano is not None and asked.nano and not spent.nano * 100 < cap.nano * percent:
        return "money"
    if cap.tokens is not None and asked.tokens and not spent.tokens * 100 < cap.tokens * percent:
        return "tokens"
    return ""


def biggest_output(price: Price, billing: Billing, room: Room, least: int, asked: int) -> int:
    """The most output tokens whose price the scopes bear; they bear `least`."""
    fits, fails = least, asked
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if room.lacking(counted(price(middle), billing)):
            fails = middle
        else:
            fits = middle
    return fits


def named(scope: str) -> str:
    """The scope as an operator reads it."""
    kind, _, name = clean(scope, 200).partition(":")
    if kind == "fleet":
        return "the fleet"
    return f"the {kind}" + (f" {name}" if name else "")


def used_sentence(purse: Purse, asked: Amount) -> str:
    """What was used of the cap that is in the way of `asked`, the money first."""
    cap, spent = purse.cap or Cap(), purse.settled + purse.outside
    in_tokens = cap.tokens is not None and not asked.tokens <= cap.tokens - spent.tokens
    in_money = cap.nano is not None and not asked.nano <= cap.nano - spent.nano
    if cap.nano is not None and (in_money or not in_tokens) and asked.nano:
        return (
            f"{named(purse.scope)} has spent {dollars(spent.nano)} of its {dollars(cap.nano)},"
            f" and the next call may cost {dollars(asked.nano)}"
        )
    return (
        f"{named(purse.scope)} has used {spent.tokens:,} of its {cap.tokens or 0:,} tokens,"
        f" and the next call may use {asked.tokens:,}"
    )
