"""A ledger on a journal of its own, and calls to put into it."""

import itertools
from contextlib import contextmanager

from cockpit.core.tokens import Tokens
from cockpit.journal.ledger import Amount, Hold, Ledger, Settlement
from cockpit.journal.store import Journal

NANO_A_TOKEN = 25
FLEET, MONTH, DAY, PROJECT = "fleet", "month:2026-11", "day:2026-11-22", "project:/p"
_numbers = itertools.count()


class Clock:
    """Wall time as the test wants it."""

    def __init__(self, at=1_795_300_000_000):
        self.at = at

    def __call__(self):
        return self.at


def price(output):
    """A prompt of 100 tokens for 1,000 nano-dollars, and 25 for each token of output."""
    return Amount(1_000 + NANO_A_TOKEN * output, 100 + output)


def scopes(run="r", *leaves):
    return (FLEET, MONTH, DAY, PROJECT, f"run:{run}", *leaves)


def hold(call="", run="r", *leaves, **more):
    more.setdefault("scopes", scopes(run, *leaves))
    return Hold(
        call=call or f"call-{next(_numbers)}", run=run, model="m", provider="p", requested=5,
        prompt=100, **more,
    )  # fmt: skip


def bill(output=0, **more):
    more.setdefault("nano", 1_000 + NANO_A_TOKEN * output)
    return Settlement(tokens=Tokens(input=100, output=output), **more)


@contextmanager
def opened(path, now=None):
    """A ledger; closed in order at the end, as the engine does."""
    journal = Journal(path)
    ledger = Ledger(journal, now or Clock())
    try:
        yield ledger
    finally:
        journal.close()
        ledger.close()
