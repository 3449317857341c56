"""How much room the scopes of a call leave, and the sentence for when it is not enough."""

from collections.abc import Iterable, Mapping
from typing import Literal

from cockpit.core.money import dollars
from cockpit.core.text import one_line
from cockpit.journal.purse import (
    NOTHING,
    Allowance,
    Amount,
    Billing,
    Cap,
    Exhausted,
    Lane,
    Price,
    Purse,
    counted,
)

SOFT_PERCENT = 80
"""From here on no new run begins in a shared scope."""
WORK_PERCENT = 95
"""From here on a shared scope lets out only calls that verify or salvage."""
LANE_PERCENT = 2
"""Share of a shared cap that holds for work never touch."""


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
        _narrow_inside(room, inside, inside.left)
    return room


def room_later(purses: Iterable[Purse], inside: Allowance | None, lane: Lane) -> Room:
    """Room once every hold has been given back for nothing: what lacks here is exhausted."""
    room = Room()
    for purse in purses:
        _narrow(room, purse, purse.settled + purse.outside, lane)
    if inside is not None:
        _narrow_inside(room, inside, inside.amount - inside.spent)
    return room


def _narrow_inside(room: Room, inside: Allowance, left: Amount) -> None:
    room.narrow(
        inside.scope,
        left.nano if inside.bounds_nano else None,
        left.tokens if inside.bounds_tokens else None,
    )


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
    kind, _, name = one_line(scope).partition(":")
    if kind == "fleet":
        return "the fleet"
    return f"the {kind}" + (f" {name}" if name else "")


def exhausted(purse: Purse, asked: Amount, inside: Allowance | None) -> Exhausted:
    """The refusal of a call that needs `asked` at the least."""
    if inside is not None and inside.scope == purse.scope:
        return Exhausted(purse.scope, f"what {named(purse.scope)} was promised is used up")
    sentence = used_sentence(purse, asked)
    if over_share(purse, asked, 100) or not purse.shared:
        return Exhausted(purse.scope, sentence)
    kept = f"{sentence}; what is left is kept to verify and to salvage"
    return Exhausted(purse.scope, kept, "soft")


def used_sentence(purse: Purse, asked: Amount) -> str:
    """What was used of the cap that is in the way of `asked`: figures first, for lines get cut."""
    cap, spent = purse.cap or Cap(), purse.settled + purse.outside
    whose = "its" if purse.scope.startswith("run:") else f"{named(purse.scope)}'s"
    in_tokens = cap.tokens is not None and not asked.tokens <= cap.tokens - spent.tokens
    in_money = cap.nano is not None and not asked.nano <= cap.nano - spent.nano
    if cap.nano is not None and (in_money or not in_tokens) and asked.nano:
        return (
            f"{dollars(spent.nano)} of {whose} {dollars(cap.nano)} is spent,"
            f" and the next call may cost {dollars(asked.nano)}"
        )
    return (
        f"{spent.tokens:,} of {whose} {cap.tokens or 0:,} tokens are used,"
        f" and the next call may use {asked.tokens:,}"
    )
