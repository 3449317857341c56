"""Lines that repeat: which list they come from, and what each says of its row."""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from cockpit.architect.align import Template, template
from cockpit.architect.arithmetic import pairs, told_by
from cockpit.architect.expressions import Expression, Form, Pool, forms_for
from cockpit.architect.filled import Filled, OpenHoleError, _heads, _tails, fill
from cockpit.architect.selections import Selection, Taken, selected
from cockpit.architect.sources import Rows, _figure, derived

MOST_COLUMNS = 60


class Loop(Struct, frozen=True):
    """A line for each selected row. `taken` are the rows of each run in the order of the output."""

    rows: Rows
    selection: Selection
    line: Filled
    taken: tuple[tuple[Any, ...], ...]
    numbered: bool = False
    others: tuple["Loop", ...] = ()

    @property
    def as_rows(self) -> Rows:
        """The selected rows, as a list of their own."""
        return Rows(self.selection.code, self.taken, self.rows.fields, self.rows.cost - 0.5,
                    self.rows.label, (), self.rows.keys)  # fmt: skip


class Cell(Struct, frozen=True):
    """A place in the lines that a field fits: which field, in which form, and its texts."""

    field: str
    form: Form
    texts: tuple[str, ...]


def grouped(rows: Rows) -> Iterator[Rows]:
    """The list in groups by each field that has few values."""
    for code, get in rows.fields.items():
        values = [get(row) for each in rows.rows for row in each]
        if not values or not all(isinstance(value, str | int) for value in values):
            continue
        if not 1 < len(set(values)) <= max(2, len(values) * 3 // 4) or len(set(values)) > 60:
            continue
        key = rows.keys.get(code)
        found = tuple(tuple(_groups(each, get)) for each in rows.rows)
        if sum(len(each) < len(one) for each, one in zip(found, rows.rows, strict=True)) * 2 < len(
            found
        ):
            continue
        by = repr(key) if key else f"lambda row: {code}"
        fields: dict[str, Callable[[Any], Any]] = {
            "row['key']": lambda row: row["key"],
            "len(row['rows'])": lambda row: len(row["rows"]),
        }
        keys = {"row['key']": "key"}
        for other, inner in rows.keys.items():
            column = rows.fields[other]
            if other != code and all(
                _figure(column(row)) is not None for each in rows.rows for row in each
            ):
                fields |= _figures(inner, column)
        yield Rows(
            f"groups({rows.code}, {by})", found, fields, rows.cost + 1, rows.label, rows.place, keys
        )


def _groups(each: Iterable[Any], get: Callable[[Any], Any]) -> list[dict[str, Any]]:
    found: dict[Any, list[Any]] = {}
    for row in each:
        found.setdefault(get(row), []).append(row)
    return [{"key": value, "rows": rows} for value, rows in found.items()]


def _figures(key: str, column: Callable[[Any], Any]) -> dict[str, Callable[[Any], Any]]:
    def every(row: Any) -> list[Any]:
        return [_figure(column(one)) for one in row["rows"]]

    def total(row: Any) -> Any:
        told = every(row)
        return round(sum(told), 9) if any(isinstance(one, float) for one in told) else sum(told)

    inner = f"number(one[{key!r}]) for one in row['rows']"
    return {
        f"total(row['rows'], {key!r})": total,
        f"mean(row['rows'], {key!r})": lambda row: total(row) / len(row["rows"]),
        f"max({inner})": lambda row: max(every(row)),
        f"min({inner})": lambda row: min(every(row)),
    }


def loop(
    lines: Sequence[Sequence[str]],
    lists: Sequence[Rows],
    pool: Pool,
    days: Sequence[date],
    numbers: Sequence[float],
) -> Loop:
    """The list behind these lines of each run. Raises OpenHoleError."""
    flat = [line for each in lines for line in each]
    if len(flat) < 4 or len(set(flat)) < 2:
        raise OpenHoleError(flat[:12], "lines")
    laid = template(flat)
    if len(laid.gaps) > MOST_COLUMNS or not any(any(gap) for gap in laid.gaps):
        raise OpenHoleError(flat[:12], "lines")
    found: list[Loop] = []
    failed: OpenHoleError | None = None
    for rows in lists:
        try:
            one = _from(rows, lines, flat, laid, pool, days, numbers, lists)
        except OpenHoleError as error:
            if failed is None or error.solved > failed.solved:
                failed = error
            continue
        if one is not None:
            found.append(one)
    if not found:
        raise failed or OpenHoleError(flat[:12], f"lines like {flat[0][:60]!r}")
    found.sort(key=lambda one: one.rows.cost + 0.01 * len(one.selection.code))
    best, *others = found
    kept = tuple(one for one in others if one.selection.code != best.selection.code)[:3]
    return Loop(best.rows, best.selection, best.line, best.taken, best.numbered, kept)


def _from(
    rows: Rows, lines: Sequence[Sequence[str]], flat: list[str], laid: Template, pool: Pool,
    days: Sequence[date], numbers: Sequence[float], lists: Sequence[Rows],
) -> Loop | None:  # fmt: skip
    if any(len(each) > len(one) for each, one in zip(lines, rows.rows, strict=True)):
        return None
    for cells in _cells(rows, lines, laid):
        taken = _mapped(rows, lines, cells)
        if taken is None:
            continue
        choice = selected(rows, taken, days, numbers)
        if choice is None:
            continue
        picked = tuple(
            tuple(each[at] for at in one) for each, one in zip(rows.rows, taken, strict=True)
        )
        inner = row_pool(rows, picked, pool, days, lists)
        line = fill(flat, inner, rows.label)
        numbered = any("number_of_row" in one.expression.code for one in line.choices)
        return Loop(rows, choice, line, picked, numbered)
    return None


# -- which row is which line ------------------------------------------------------------------


def _cells(rows: Rows, lines: Sequence[Sequence[str]], laid: Template) -> Iterator[list[Cell]]:
    """For the gaps of the lines, fields whose values could stand there; the fewest doubts first."""
    offered: list[list[Cell]] = []
    counts = [len(each) for each in lines]
    for at, gap in enumerate(laid.gaps):
        if any(gap):
            found = _fitting(rows, laid, at, counts)
            if found:
                offered.append(found)
    if not offered:
        return
    every = itertools.product(*(each[:3] for each in offered))
    yield from map(list, itertools.islice(every, 8))
    if len(offered) > 1:
        for each in offered:
            yield [each[0]]


def _fitting(rows: Rows, laid: Template, at: int, counts: list[int]) -> list[Cell]:
    """Fields that have all the texts of a gap, in each run; the gap may reach into its surroundings."""
    left = laid.literals[at - 1] if at else ""
    right = laid.literals[at] if at < len(laid.literals) else ""
    size = len(laid.gaps[at])
    for end in range(at, min(at + 3, len(laid.gaps))):
        middle = [laid.joined(at, end, text) for text in range(size)]
        close = right if end == at else (laid.literals[end] if end < len(laid.literals) else "")
        for a, b in itertools.product(range(4), range(3)):
            tails, heads = _tails(left), _heads(close)
            if a >= len(tails) or b >= len(heads):
                continue
            texts = tuple(tails[a] + one + heads[b] for one in middle)
            found = list(_having(rows, texts, counts))
            if found:
                return found
    return []


def _having(rows: Rows, texts: tuple[str, ...], counts: list[int]) -> Iterator[Cell]:
    wanted: list[tuple[int, set[str]]] = []
    at = 0
    for run, count in enumerate(counts):
        if count:
            wanted.append((run, set(texts[at : at + count])))
        at += count
    for form in forms_for(texts):
        for code in rows.fields:
            if all(some <= _written(rows, code, form, run) for run, some in wanted):
                yield Cell(code, form, texts)


def _written(rows: Rows, code: str, form: Form, run: int) -> frozenset[str | None]:
    """All that a field says in a run, in a form; remembered, as every gap asks for it."""
    key = (code, form.shown, run)
    found = rows.seen.get(key)
    if found is None:
        get = rows.fields[code]
        found = frozenset(form.write(get(row)) for row in rows.rows[run])
        rows.seen[key] = found
    return found


def _mapped(rows: Rows, lines: Sequence[Sequence[str]], cells: list[Cell]) -> Taken | None:
    """The place of each line's row, by all cells together; equal rows in their own order."""
    at = 0
    taken: list[tuple[int, ...]] = []
    for each, own in zip(rows.rows, lines, strict=True):
        places: dict[tuple[str | None, ...], list[int]] = {}
        for place, row in enumerate(each):
            key = tuple(cell.form.write(rows.fields[cell.field](row)) for cell in cells)
            places.setdefault(key, []).append(place)
        told: list[int] = []
        for line in range(at, at + len(own)):
            left = places.get(tuple(cell.texts[line] for cell in cells))
            if not left:
                return None
            told.append(left.pop(0))
        at += len(own)
        taken.append(tuple(told))
    return tuple(taken)


# -- what a line can say ----------------------------------------------------------------------


def row_pool(
    rows: Rows,
    taken: Sequence[Sequence[Any]],
    pool: Pool,
    days: Sequence[date],
    lists: Sequence[Rows],
) -> Pool:
    """All that may be said of a row: its fields, its number, what else is known, and arithmetic."""
    flat = [row for each in taken for row in each]
    runs = [run for run, each in enumerate(taken) for _ in each]
    inner = Pool([days[run] for run in runs])
    own = [
        Expression(code, tuple(get(row) for row in flat), 1.0 + 0.02 * place, rows.keys.get(code, code),
                   (((*rows.place, "", rows.keys[code]),) if code in rows.keys and rows.place else ()))
        for place, (code, get) in enumerate(rows.fields.items())
    ]  # fmt: skip
    place_of = tuple(place for each in taken for place in range(1, len(each) + 1))
    own.append(Expression("number_of_row", place_of, 2.0, "number"))
    own += [
        Expression(
            one.code, tuple(one.values[run] for run in runs), one.cost + 2, one.label, one.uses
        )
        for one in pool.expressions
        if one.cost <= 3.2
    ]
    inner.add(own)
    inner.add(derived(own, inner.days))
    inner.add(_joined(rows, flat, runs, lists))
    inner.more = lambda texts: _arithmetic(rows, flat, texts)
    return inner


def _joined(
    rows: Rows, flat: list[Any], runs: list[int], lists: Sequence[Rows]
) -> Iterator[Expression]:
    """Fields of the row of another list that has the same key."""
    for other in lists:
        same = other.code == rows.code or (rows.place and other.place == rows.place)
        if same or not other.keys:
            continue
        for code, key in other.keys.items():
            by = [{str(other.fields[code](row)): row for row in each} for each in other.rows]
            if any(len(one) < len(each) for one, each in zip(by, other.rows, strict=True)):
                continue
            for own, field in rows.fields.items():
                found = _partners([field(row) for row in flat], runs, by)
                if found is not None:
                    wanted = _like(own, field(flat[0]), other.fields[code](found[0]))
                    yield from _far(other, code, key, wanted, found)


def _partners(values: list[Any], runs: list[int], by: list[dict[str, Any]]) -> list[Any] | None:
    """The other list's row for each value, None where one has none."""
    if len({str(value) for value in values}) < 2:
        return None
    found = [by[run].get(str(value)) for value, run in zip(values, runs, strict=True)]
    return found if all(row is not None for row in found) else None


def _like(own: str, value: object, key: object) -> str:
    """The field's code, as the type that the other list's key has."""
    if isinstance(value, str) == isinstance(key, str):
        return own
    return f"number({own})" if isinstance(value, str) else f"str({own})"


def _far(other: Rows, code: str, key: str, wanted: str, found: list[Any]) -> Iterator[Expression]:
    for far, far_key in other.keys.items():
        if far != code:
            uses = ((*other.place, "", key), (*other.place, "", far_key))
            told = tuple(other.fields[far](row) for row in found)
            yield Expression(
                f"pick({other.code}, {key!r}, {wanted})[{far_key!r}]", told, 2.6, far_key, uses
            )


def _arithmetic(
    rows: Rows, flat: list[Any], texts: tuple[str, ...]
) -> Iterator[tuple[Expression, Form]]:
    """Two numbers of the same row against each other."""
    columns: list[Expression] = []
    for code, get in list(rows.fields.items())[:MOST_COLUMNS]:
        figures = [_figure(get(row)) for row in flat]
        if all(figure is not None for figure in figures):
            columns.append(Expression(_as_number(code, flat, rows), tuple(figures), 1, code))
    return told_by(lambda wanted: pairs(columns[:12], wanted), texts)


def _as_number(code: str, flat: list[Any], rows: Rows) -> str:
    return (
        f"number({code})" if any(isinstance(rows.fields[code](row), str) for row in flat) else code
    )
