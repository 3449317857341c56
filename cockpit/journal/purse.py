"""The ledger's arithmetic: what a scope may spend, has spent and has promised. No disk, no clock."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Billing = Literal["money", "subscription"]
Lane = Literal["work", "verify", "salvage"]

LARGEST = 2**60
"""A larger figure is no amount but a mistake, and would not fit the books."""


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

    def smallest(self, other: "Amount") -> "Amount":
        return Amount(min(self.nano, other.nano), min(self.tokens, other.tokens))


NOTHING = Amount()

Price = Callable[[int], Amount]
"""The worst that a call may cost when it is granted so many output tokens; never falling."""


def is_amount(amount: object) -> bool:
    """Whether both figures are plausible integers: NaN, infinity and negatives are not."""
    return isinstance(amount, Amount) and _is_figure(amount.nano) and _is_figure(amount.tokens)


def _is_figure(figure: object) -> bool:
    return type(figure) is int and 0 <= figure <= LARGEST


def utf8(scope: str) -> str:
    """The scope as a database can keep it: a path may hold bytes that are no text."""
    return scope if scope.isascii() else scope.encode("utf-8", "replace").decode()


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

    __slots__ = (
        "above", "amount", "bounds_nano", "bounds_tokens", "drawn", "purses", "scope", "spent",
    )  # fmt: skip

    def __init__(
        self, scope: str, amount: Amount, purses: tuple[Purse, ...], above: "Allowance | None"
    ) -> None:
        self.scope = scope
        self.amount = amount
        self.purses = purses
        self.above = above
        self.drawn = NOTHING
        self.spent = NOTHING
        self.bounds_nano, self.bounds_tokens = amount.nano > 0, amount.tokens > 0

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
