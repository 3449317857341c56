"""Which calls of transcripts a count leaves out, because the wire's books hold them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cockpit.journal.wired import Span

if TYPE_CHECKING:
    from cockpit.journal.index import Index

NOTHING = "[]"
ANCESTORS_LIMIT = 16

_Held = dict[int, list[tuple[int, int]]]


def left_out(
    index: "Index", spans: Sequence[Span], messages: Iterable[int], since: int, until: int
) -> str:
    """Keys of calls in [since, until) that count elsewhere, as the JSON list that queries take.

    Those are the calls of a family while the wire held its books; and whatever the ledger has
    under the same message id (`messages` are keys of those), for a fork may own a copy.
    """
    keys = list(messages)
    held = _held(index, spans) if spans else {}
    if held:
        rows = index.query(
            "SELECT key, run, at FROM calls WHERE at >= ? AND at < ?"
            " AND run IN (SELECT value FROM json_each(?))",
            (since, until, _encoded(list(held))),
        )
        keys += [key for key, run, at in rows if _is_within(held[run], at)]
    return _encoded(keys) if keys else NOTHING


def _held(index: "Index", spans: Sequence[Span]) -> _Held:
    """The spans of every run of the families, by its number in the index, in order and apart."""
    of_root: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.since):
        known = of_root[span.found]
        if known and span.since <= known[-1][1]:
            known[-1] = known[-1][0], max(known[-1][1], span.until)
        else:
            known.append((span.since, span.until))
    rows = index.query(
        "SELECT number, run, parent FROM runs WHERE parent IS NOT NULL OR run LIKE '%/%/%'"
        " OR run IN (SELECT value FROM json_each(?))",
        (_encoded(list(of_root)),),
    )
    above = {run: parent for _, run, parent in rows if parent}
    numbers = {number: _root(run, above, of_root) for number, run, _ in rows}
    return {number: of_root[root] for number, root in numbers.items() if root is not None}


def _root(run: str, above: dict[str, str], roots: dict[str, list[tuple[int, int]]]) -> str | None:
    """The linked run that this one is or was started by; a run without calls has no row to ask."""
    for _ in range(ANCESTORS_LIMIT):
        if run in roots:
            return run
        run = above.get(run) or run.rpartition("/")[0]
    return None


def _is_within(spans: list[tuple[int, int]], at: int) -> bool:
    place = bisect_right(spans, at, key=lambda span: span[0])
    return place > 0 and at < spans[place - 1][1]


def _encoded(values: Sequence[int | str]) -> str:
    return msgspec.json.encode(values).decode()
