"""Spend by run, agent, model, project, day or tool, from the usage index."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from cockpit.core.spending import UNKNOWN, By, Only, Spent, SpentReport, SpentRow
from cockpit.core.tokens import Tokens
from cockpit.journal.index import Index, IndexedRun

NO_TOOL = "(no tool)"
QUARTER_MS = 900_000
LATEST = 253_370_764_800_000
"""The year 9999: agents have written later times, and calendars end there."""

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

_PARTS = {
    "agent": "AND run IN (SELECT number FROM runs WHERE agent = ?)",
    "project": "AND run IN (SELECT number FROM runs"
    f" WHERE coalesce(nullif(project, ''), '{UNKNOWN}') = ?)",
    "model": f"AND kind IN (SELECT kind FROM kinds WHERE coalesce(nullif(model, ''), '{UNKNOWN}') = ?)",
}


def spend(
    index: Index, by: By, since: int, until: int, zone: tzinfo | None, only: Sequence[Only] = ()
) -> SpentReport:
    """Groups the calls of [since, until) milliseconds; days are those of `zone`, or the machine's.

    `only` keeps what is of all these parts. Rows come dearest first, days in order. A call's cost
    goes in equal parts to the tools it asked for, so that rows always add up to the total.
    """
    runs = index.runs() if by in ("run", "project", "agent") else {}
    groups: dict[str, Spent] = {}
    parts = " ".join(_PARTS[part.field] for part in only)
    rows = index.query(
        f"SELECT {_GROUPS[by]}, kind, {_SUMS} FROM calls"
        f" WHERE at >= ? AND at < ? {parts} GROUP BY 1, 2",
        (since, until, *(part.key for part in only)),
    )
    for group, kind, *sums in rows:
        nano = int(sums[6])
        estimated = 0 if index.kinds.kind(kind).mark == "exact" else nano
        spent = Spent(Tokens(*sums[:6]), nano, sums[7], sums[8], estimated)
        for key, part in _keys(by, group, spent, runs, index, zone):
            groups[key] = groups.get(key, Spent()) + part
    names = {run.run: run.name for run in runs.values()}
    answer = [SpentRow(key, names.get(key, "") or key, spent) for key, spent in groups.items()]
    answer.sort(key=_order(by))
    total = sum(groups.values(), Spent())
    return SpentReport(total, tuple(answer), index.bad_lines())


def _order(by: By) -> Callable[[SpentRow], Any]:
    if by == "day":
        return lambda row: row.key
    return lambda row: (-row.spent.nano, -row.spent.tokens.total, row.key)


def _keys(
    by: By,
    group: Any,  # noqa: ANN401 (a column)
    spent: Spent,
    runs: dict[int, IndexedRun],
    index: Index,
    zone: tzinfo | None,
) -> Iterable[tuple[str, Spent]]:
    match by:
        case "run":
            return [(runs[group].run, spent)]
        case "agent":
            return [(runs[group].agent, spent)]
        case "project":
            return [(runs[group].project or UNKNOWN, spent)]
        case "model":
            return [(index.kinds.kind(group).model or UNKNOWN, spent)]
        case "day":
            at = min(max(group * QUARTER_MS, 0), LATEST)
            moment = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
            return [(moment.date().isoformat(), spent)]
        case "tool":
            tools = [UNKNOWN] if group is None else list(index.kinds.tools(group))
            return _shared(tools or [NO_TOOL], spent)


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
