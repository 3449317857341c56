"""History on its way into the index: calls by the ten thousand, held until they are written at once."""

from collections.abc import Callable, Iterable
from math import gcd
from typing import Protocol, runtime_checkable

from msgspec.structs import astuple

from cockpit.core.call import Told
from cockpit.core.price import MILLION, Rates
from cockpit.journal.kinds import Kind
from cockpit.journal.rows import ASKED, AT, KIND, NANO, RUN, Price, Row, Rows, key_of, merge

Steady = tuple[int, int, int, int, int, int, int]
"""Rates, for how many tokens they are, and the prompt size up to which they hold."""
NOT_STEADY: Steady = (0, 0, 0, 0, 0, 1, -1)


@runtime_checkable
class SteadyPrice(Protocol):
    """A `Price` that knows which calls all have the same rates."""

    def steady(self, kind: Kind) -> tuple[Rates, int] | None:
        """Rates of all calls of a kind with prompts of at most so many tokens, if there are such."""
        ...


class Batch:
    """Rows by their keys, each call once."""

    def __init__(self, rows: Rows, price: Price, owner: Callable[[int, int], int]) -> None:
        """`owner` tells which of two runs a call belongs to that both tell of."""
        self.price = price
        self.pending: dict[int, Row] = {}
        self._rows = rows
        self._owner = owner
        self._steady: dict[int, Steady] = {}

    def enter(self, told: Iterable[Told], number_of: Callable[[str], int]) -> None:
        """Takes in calls, `number_of` gives the number of a run."""
        pending, kinds, price = self.pending, self._rows.kinds, self.price
        last_kind, last_run, number, owner = None, None, 0, 0
        for id_, run, at, requested, kind, fresh, five, hour, read, output, reasoning, searches, tools in told:  # fmt: skip
            if kind is not last_kind:
                number, last_kind = kinds.number(kind), kind
                a, b, c, d, e, per, up_to = self._steady.get(number) or self._steady_at(number)
            if run is not last_run:
                owner, last_run = number_of(run), run
            nano: int | None = None
            if not searches and fresh + five + hour + read <= up_to:
                nano = fresh * a + five * b + hour * c + read * d + output * e
                if per > 1:
                    nano = (nano + per // 2) // per
            key = key_of(id_)
            row: Row = (
                key, owner, at, requested, number, kinds.toolset(tools), fresh, five, hour, read, output,
                reasoning, searches, nano,
            )  # fmt: skip
            if nano is None:
                row = (*row[:NANO], price(self._rows.call(row)))
            known = pending.get(key)
            pending[key] = row if known is None else self._merged(known, row)

    def _steady_at(self, kind: int) -> Steady:
        """The rates of a kind in lowest terms: most are whole for a token, and small numbers are quick."""
        price = self.price
        found = (
            price.steady(self._rows.kinds.kind(kind)) if isinstance(price, SteadyPrice) else None
        )
        steady = NOT_STEADY
        if found is not None:
            rates, up_to = found
            a, b, c, d, e = astuple(rates)
            unit = gcd(a, b, c, d, e, MILLION)
            steady = (a // unit, b // unit, c // unit, d // unit, e // unit, MILLION // unit, up_to)
        self._steady[kind] = steady
        return steady

    def _merged(self, one: Row, other: Row) -> Row:
        """Two tellings of a call."""
        owner = self._owner(one[RUN], other[RUN])
        if one[KIND:] == other[KIND:]:
            at = min(one[AT], other[AT]) or one[AT] or other[AT]
            return (one[0], owner, at, one[ASKED] or other[ASKED], *one[KIND:])
        largest = merge(self._rows.call(one), self._rows.call(other))
        return self._rows.row(one[0], owner, largest, self.price(largest))
