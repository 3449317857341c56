"""What was spent, in groups: the answer of `cockpit spend`, of the engine and of the spend screen."""

from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from cockpit.core.money import decimal_string, parse_money
from cockpit.core.tokens import NO_TOKENS, Tokens

By = Literal["run", "agent", "model", "project", "day", "tool"]
CHOICES: tuple[By, ...] = get_args(By)
Field = Literal["agent", "model", "project"]
FIELDS: tuple[Field, ...] = get_args(Field)
UNKNOWN = "(unknown)"


class Only(Struct, frozen=True):
    """A part of the books: the calls of one agent, one model or one project."""

    field: Field
    key: str


class Spent(Struct, frozen=True):
    """What a group of calls cost; money in nano-dollars, `unpriced_calls` have none.

    `subscription_nano` is what calls that a subscription paid for would have cost by the token: it
    is nobody's expense and in no other figure, their tokens are in all.
    """

    tokens: Tokens = NO_TOKENS
    nano: int = 0
    calls: int = 0
    unpriced_calls: int = 0
    estimated_nano: int = 0
    subscription_nano: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.tokens + other.tokens,
            self.nano + other.nano,
            self.calls + other.calls,
            self.unpriced_calls + other.unpriced_calls,
            self.estimated_nano + other.estimated_nano,
            self.subscription_nano + other.subscription_nano,
        )


class SpentRow(Struct, frozen=True):
    """One group: its key, a name for people, and what it spent."""

    key: str
    name: str
    spent: Spent


class SpentReport(Struct, frozen=True):
    """A whole answer; `bad_lines` are those of all transcripts, whatever the time asked for."""

    total: Spent = Spent()
    rows: tuple[SpentRow, ...] = ()
    bad_lines: int = 0


def as_builtins(report: SpentReport) -> dict[str, Any]:
    """The documented keys of `cockpit spend --json`: money as decimal strings."""
    total = {**_figures(report.total), "bad_lines": report.bad_lines}
    rows = [{"key": row.key, "name": row.name, **_figures(row.spent)} for row in report.rows]
    return {"total": total, "rows": rows}


def _figures(spent: Spent) -> dict[str, Any]:
    return {
        "usd": decimal_string(spent.nano),
        "tokens": spent.tokens.by_class(),
        "calls": spent.calls,
        "unpriced_calls": spent.unpriced_calls,
        "estimated_usd": decimal_string(spent.estimated_nano),
        "subscription_usd": decimal_string(spent.subscription_nano),
    }


class _Figures(Struct, frozen=True):
    usd: str
    tokens: Tokens
    calls: int
    unpriced_calls: int
    estimated_usd: str
    subscription_usd: str = "0.00"
    key: str = ""
    name: str = ""
    bad_lines: int = 0


class _Answer(Struct, frozen=True):
    total: _Figures
    rows: tuple[_Figures, ...]


def read_report(data: bytes) -> SpentReport:
    """The report that `as_builtins` made, from JSON.

    Raises:
        ValueError: for anything else.
    """
    answer = msgspec.json.decode(data, type=_Answer)
    rows = (SpentRow(row.key, row.name, _spent(row)) for row in answer.rows)
    return SpentReport(_spent(answer.total), tuple(rows), answer.total.bad_lines)


def _spent(told: _Figures) -> Spent:
    return Spent(
        told.tokens,
        parse_money(told.usd),
        told.calls,
        told.unpriced_calls,
        parse_money(told.estimated_usd),
        parse_money(told.subscription_usd),
    )
