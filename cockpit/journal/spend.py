"""Spend by run, agent, model, project, day or tool, from the usage index."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, get_args

from msgspec import Struct

from cockpit.core.money import decimal_string
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.journal.index import Index, IndexedRun

By = Literal["run", "agent", "model", "project", "day", "tool"]
CHOICES: tuple[By, ...] = get_args(By)
NO_TOOL = "(no tool)"
QUARTER_MS = 900_000

_SUMS = (
    "sum(input), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(output),"
    " sum(reasoning), total(nano), count(*), count(*) - count(nano)"
)
_GROUPS = {
    "run": "run",
    "project": "run",
    "agent": "run",
    "model": "kind",
    "tool": "toolset",
    "day": f"at / {QUARTER_MS}",
}


class Spent(Struct, frozen=True):
    """What a group of calls cost; money in nano-dollars, `unpriced_calls` have none."""

    tokens: Tokens = NO_TOKENS
    nano: int = 0
    calls: int = 0
    unpriced_calls: int = 0
    estimated_nano: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.tokens + other.tokens,
            self.nano + other.nano,
            self.calls + other.calls,
            self.unpriced_calls + other.unpriced_calls,
            self.estimated_nano + other.estimated_nano,
        )


class Row(Struct, frozen=True):
    """One group: its key, a name for people, and what it spent."""

    key: str
    name: str
    spent: Spent


class Report(Struct, frozen=True):
    """A whole answer; `bad_lines` are those of all transcripts, whatever the time asked for."""

    total: Spent
    rows: tuple[Row, ...]
    bad_lines: int


def spend(index: Index, by: By, since: int, until: int, zone: tzinfo) -> Report:
    """Groups the calls of [since, until) milliseconds; days are those of `zone`.

    Rows come dearest first, days in order. A call's cost goes in equal parts to the tools it asked
    for, so that rows always add up to the total.
    """
    runs = index.runs() if by in ("run", "project", "agent") else {}
    groups: dict[str, Spent] = {}
    rows = index.query(
        f"SELECT {_GROUPS[by]}, kind, {_SUMS} FROM calls WHERE at >= ? AND at < ? GROUP BY 1, 2",
        (since, until),
    )
    for group, kind, *sums in rows:
        nano = int(sums[6])
        estimated = 0 if index.kinds.kind(kind).mark == "exact" else nano
        spent = Spent(Tokens(*sums[:6]), nano, sums[7], sums[8], estimated)
        for key, part in _keys(by, group, spent, runs, index, zone):
            groups[key] = groups.get(key, Spent()) + part
    names = {run.run: run.name for run in runs.values()}
    answer = [Row(key, names.get(key, "") or key, spent) for key, spent in groups.items()]
    answer.sort(key=_order(by))
    total = sum(groups.values(), Spent())
    return Report(total, tuple(answer), index.bad_lines())


def _order(by: By) -> Callable[[Row], Any]:
    if by == "day":
        return lambda row: row.key
    return lambda row: (-row.spent.nano, -row.spent.tokens.total, row.key)


def _keys(
    by: By,
    group: Any,  # noqa: ANN401 (a column)
    spent: Spent,
    runs: dict[int, IndexedRun],
    index: Index,
    zone: tzinfo,
) -> Iterable[tuple[str, Spent]]:
    match by:
        case "run":
            return [(runs[group].run, spent)]
        case "agent":
            return [(runs[group].agent, spent)]
        case "project":
            return [(runs[group].project or "(unknown)", spent)]
        case "model":
            return [(index.kinds.kind(group).model or "(unknown)", spent)]
        case "day":
            moment = datetime.fromtimestamp(group * QUARTER_MS / 1000, UTC).astimezone(zone)
            return [(moment.date().isoformat(), spent)]
        case "tool":
            return _shared(list(index.kinds.tools(group)) or [NO_TOOL], spent)


def _shared(tools: list[str], spent: Spent) -> list[tuple[str, Spent]]:
    """Equal integer parts; what does not divide goes to the first tool. Calls are counted there too."""
    count = len(tools)
    if count == 1:
        return [(tools[0], spent)]
    part = Spent(
        Tokens(*(amount // count for amount in spent.tokens.by_class().values())),
        spent.nano // count,
        0,
        0,
        spent.estimated_nano // count,
    )
    rest = spent
    for _ in tools[1:]:
        rest = Spent(
            rest.tokens - part.tokens, rest.nano - part.nano, rest.calls, rest.unpriced_calls,
            rest.estimated_nano - part.estimated_nano,
        )  # fmt: skip
    return [(tools[0], rest), *((tool, part) for tool in tools[1:])]


def as_json(spent: Spent) -> dict[str, Any]:
    """The documented keys of a group of calls."""
    return {
        "usd": decimal_string(spent.nano),
        "tokens": spent.tokens.by_class(),
        "calls": spent.calls,
        "unpriced_calls": spent.unpriced_calls,
        "estimated_usd": decimal_string(spent.estimated_nano),
    }
