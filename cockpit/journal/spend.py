"""Spend by run, agent, model, project, day or tool: from the usage index, and from the ledger.

The ledger is the truth for governed runs: what transcripts tell of the same calls is left out.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from cockpit.core.spending import UNKNOWN, By, Only, Spent, SpentReport, SpentRow
from cockpit.core.tokens import Tokens
from cockpit.journal.index import Index, IndexedRun
from cockpit.journal.left_out import NOTHING, left_out
from cockpit.journal.wire_books import QUARTER_MS, Settled, WireBooks
from cockpit.journal.wired import GovernedRun

NO_TOOL = "(no tool)"
LATEST = 253_370_764_800_000
"""The year 9999: agents have written later times, and calendars end there."""
_NOBODY = GovernedRun()
_SUMS = (
    "sum(input) AS a, sum(cache_write_5m) AS b, sum(cache_write_1h) AS c, sum(cache_read) AS d,"
    " sum(output) AS e, sum(reasoning) AS f, coalesce(sum(nano), 0) AS g, count(*) AS h,"
    " count(*) - count(nano) AS i"
)
_BY_AGENT = (
    "SELECT agent, kind, sum(a), sum(b), sum(c), sum(d), sum(e), sum(f), sum(g), sum(h), sum(i)"
    " FROM ({}) JOIN runs ON number = part GROUP BY 1, 2"
)
"""Asked of the sums of runs: looked up for every call, the agents take a third of the time."""
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
    index: Index,
    by: By,
    since: int,
    until: int,
    zone: tzinfo | None,
    only: Sequence[Only] = (),
    wire: WireBooks | None = None,
) -> SpentReport:
    """Groups the calls of [since, until) milliseconds; days are those of `zone`, or the machine's.

    `only` keeps what is of all these parts; `wire` are the books of governed runs. Rows come
    dearest first, days in order. A call's cost goes in equal parts to the tools it asked for, so
    that rows always add up to the total; the tools of governed runs are unknown.
    """
    runs = index.runs() if by in ("run", "project") else {}
    names = {run.run: run.name for run in runs.values()}
    parts = list(_told(index, by, since, until, zone, only, runs, wire))
    if wire is not None:
        governed = wire.runs()
        names.update((run, _name(known, names)) for run, known in governed.items())
        booked = wire.settled(since, until, by_quarter=by == "day")
        parts += _booked(booked, by, zone, only, governed)
    groups: dict[str, Spent] = {}
    for key, part in parts:
        groups[key] = groups.get(key, Spent()) + part
    answer = [SpentRow(key, names.get(key, "") or key, spent) for key, spent in groups.items()]
    answer.sort(key=_order(by))
    total = sum(groups.values(), Spent())
    return SpentReport(total, tuple(answer), index.bad_lines())


def _told(
    index: Index,
    by: By,
    since: int,
    until: int,
    zone: tzinfo | None,
    only: Sequence[Only],
    runs: dict[int, IndexedRun],
    wire: WireBooks | None,
) -> Iterable[tuple[str, Spent]]:
    """What transcripts tell of, without what the wire's books hold."""
    parts = " ".join(_PARTS[part.field] for part in only)
    keys = [part.key for part in only]
    elsewhere = NOTHING
    if wire is not None:
        elsewhere = left_out(index, wire.spans(), wire.messages(since), since, until)
    if elsewhere != NOTHING:  # asked of every call, the empty list alone takes half of the time
        parts += " AND key NOT IN (SELECT value FROM json_each(?))"
        keys.append(elsewhere)
    statement = (
        f"SELECT {_GROUPS[by]} AS part, kind, {_SUMS} FROM calls WHERE at >= ? AND at < ? {parts}"
        " GROUP BY 1, 2"
    )
    if by == "agent":
        statement = _BY_AGENT.format(statement)
    for group, kind, *sums in index.query(statement, (since, until, *keys)):
        nano = int(sums[6])
        estimated = 0 if index.kinds.kind(kind).mark == "exact" else nano
        spent = Spent(Tokens(*sums[:6]), nano, sums[7], sums[8], estimated)
        yield from _keys(by, group, spent, runs, index, zone)


def _booked(
    rows: Iterable[Settled],
    by: By,
    zone: tzinfo | None,
    only: Sequence[Only],
    governed: dict[str, GovernedRun],
) -> Iterable[tuple[str, Spent]]:
    """What the ledger settled."""
    for row in rows:
        run = governed.get(row.run, _NOBODY)
        keys = {
            "run": row.run,
            "agent": run.agent or UNKNOWN,
            "model": row.model or UNKNOWN,
            "project": run.project or UNKNOWN,
            "tool": UNKNOWN,
        }
        if all(keys[part.field] == part.key for part in only):
            yield (_day(row.quarter, zone) if by == "day" else keys[by]), row.spent


def _name(run: GovernedRun, names: dict[str, str]) -> str:
    """The operator's name for it, else what its transcript is called."""
    return run.name or next(filter(None, (names.get(found) for found in run.found)), "")


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
            return [(group, spent)]
        case "project":
            return [(runs[group].project or UNKNOWN, spent)]
        case "model":
            return [(index.kinds.kind(group).model or UNKNOWN, spent)]
        case "day":
            return [(_day(group, zone), spent)]
        case "tool":
            tools = index.kinds.tools(group)
            return _shared([UNKNOWN] if tools is None else list(tools) or [NO_TOOL], spent)


def _day(quarter: int, zone: tzinfo | None) -> str:
    at = min(max(quarter * QUARTER_MS, 0), LATEST)
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date().isoformat()


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
