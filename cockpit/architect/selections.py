"""Which rows of a list were taken, in which order, and how many: found from examples.

A rule that fits every run is kept beside the others that do; where a run of today would tell them
apart, the script stops. A number between the least that was taken and the most that was not is
such a case too: no run says on which side it is.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from cockpit.architect import prelude
from cockpit.architect.sources import Rows, _figure

Taken = tuple[tuple[int, ...], ...]
"""For each run the places in its list of the rows that were taken, in the order of the output."""
MOST_RULES = 6


class Rule(Struct, frozen=True):
    """A condition on a row, as code, and whether each row of each run meets it."""

    code: str
    mask: tuple[tuple[bool, ...], ...]
    cost: float
    words: str
    field: str = ""


class Selection(Struct, frozen=True):
    """The rows that were taken as code over a list, and other codes that took the same ones."""

    code: str
    others: tuple[str, ...]
    words: str
    fields: tuple[str, ...] = ()
    limited: bool = False


def selected(
    rows: Rows, taken: Taken, days: Sequence[date], numbers: Sequence[float]
) -> Selection | None:
    """How the taken rows follow from the list; `numbers` are those that the tasks mention."""
    whole = tuple(tuple(range(len(each))) for each in rows.rows)
    sets = tuple(frozenset(each) for each in taken)
    if all(len(one) == len(each) for one, each in zip(sets, rows.rows, strict=True)):
        rules: list[Rule | None] = [None]
    else:
        rules = list(_fitting(rows, sets, days, numbers))
    found: list[tuple[float, str, str, tuple[str, ...]]] = []
    for rule in rules[:MOST_RULES]:
        source, places, cost, words, fields = _filtered(rows, rule, whole)
        found += [
            (cost + order[0], order[1], f"{words}{order[2]}", (*fields, *order[3]))
            for order in _orders(rows, places, taken, source)
        ]
    if found:
        found.sort()
        best = found[0]
        others = tuple(dict.fromkeys(one[1] for one in found[1:] if one[1] != best[1]))
        return Selection(best[1], others[:MOST_RULES], best[2], best[3])
    return _headed(rows, taken, whole)


def _filtered(
    rows: Rows, rule: Rule | None, whole: Taken
) -> tuple[str, Taken, float, str, tuple[str, ...]]:
    if rule is None:
        return rows.code, whole, 0.0, "every row", ()
    places = tuple(tuple(at for at in range(len(mask)) if mask[at]) for mask in rule.mask)
    code = f"[row for row in {rows.code} if {rule.code}]"
    return code, places, rule.cost, f"rows where {rule.words}", (rule.field,) if rule.field else ()


# -- which ------------------------------------------------------------------------------------


def _fitting(
    rows: Rows, sets: tuple[frozenset[int], ...], days: Sequence[date], numbers: Sequence[float]
) -> Iterator[Rule]:
    """Single conditions that take exactly these rows, cheapest first; pairs where none does."""
    total = sum(map(len, rows.rows))
    inside = sum(map(len, sets))
    if inside == 0 or inside == total or not _tells(total, inside, len(rows.fields)):
        return
    mask = tuple(
        tuple(at in one for at in range(len(each)))
        for one, each in zip(sets, rows.rows, strict=True)
    )
    found = [rule for code in rows.fields for rule in _rules(rows, code, mask, days, numbers)]
    if not found:
        found = list(_pairs(rows, mask, days, numbers))
    yield from sorted(found, key=lambda rule: (rule.cost, rule.code))


def _tells(total: int, inside: int, fields: int) -> bool:
    """Whether there are enough rows for a condition not to fit by chance."""
    share = inside / total
    entropy = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    return total * entropy >= math.log2(fields * 6 + 1) + 2


def _rules(
    rows: Rows,
    code: str,
    mask: tuple[tuple[bool, ...], ...],
    days: Sequence[date],
    numbers: Sequence[float],
) -> Iterator[Rule]:
    get = rows.fields[code]
    values = [[get(row) for row in each] for each in rows.rows]
    yes = [
        value
        for column, told in zip(values, mask, strict=True)
        for value, one in zip(column, told, strict=True)
        if one
    ]
    no = [
        value
        for column, told in zip(values, mask, strict=True)
        for value, one in zip(column, told, strict=True)
        if not one
    ]
    if all(isinstance(value, str | bool | int | None) for value in (*yes, *no)):
        yield from _memberships(code, mask, yes, no)
    figures = [_figure(value) for value in (*yes, *no)]
    if all(figure is not None for figure in figures):
        yield from _thresholds(code, mask, figures[: len(yes)], figures[len(yes) :], numbers)
    if all(isinstance(value, str) for value in (*yes, *no)):
        yield from _prefixes(code, mask, yes, no)
        yield from _on_days(code, mask, values, days)


def _memberships(
    code: str, mask: tuple[tuple[bool, ...], ...], yes: list[Any], no: list[Any]
) -> Iterator[Rule]:
    inside, outside = set(yes), set(no)
    if (
        inside & outside
        or len(inside | outside) > 12
        or len(yes) + len(no) < len(inside | outside) + 3
    ):
        return
    if all(isinstance(value, bool) for value in inside | outside):
        yield Rule(
            code if True in inside else f"not {code}",
            mask,
            0.6,
            f"{code} is {True in inside}",
            code,
        )
        return
    one, other = _told(inside), _told(outside)
    if len(inside) == 1 and len(outside) > 2:
        yield Rule(f"{code} == {one[0]!r}", mask, 1.0, f"{code} is {one[0]!r}", code)
    elif len(outside) == 1 and len(inside) > 2:
        yield Rule(f"{code} != {other[0]!r}", mask, 1.1, f"{code} is not {other[0]!r}", code)
    else:
        words = f"{code} is one of {', '.join(map(repr, one))}"
        yield Rule(
            f"known({code}, {one!r}, {other!r})", mask, 1.2 + 0.05 * len(inside), words, code
        )


def _told(values: set[Any]) -> tuple[Any, ...]:
    return tuple(sorted(values, key=lambda value: (str(type(value)), str(value))))


def _thresholds(
    code: str,
    mask: tuple[tuple[bool, ...], ...],
    yes: list[Any],
    no: list[Any],
    numbers: Sequence[float],
) -> Iterator[Rule]:
    """A number that parts the rows; one from the task's own words where it fits."""
    for name, least, most, over in (
        ("above", min(yes), max(no), True),
        ("below", max(yes), min(no), False),
    ):
        if (least > most) if over else (least < most):
            said = [
                one for one in numbers if (most <= one <= least if over else least <= one <= most)
            ]
            near, far = (least, most)
            word = "at least" if over else "at most"
            if len(set(said)) == 1:
                one = said[0]
                if one == least:
                    far = one
                elif one == most:
                    near = one
                    sign = ">" if over else "<"
                    plain = int(one) if float(one).is_integer() else one
                    yield Rule(
                        f"number({code}) {sign} {plain!r}",
                        mask,
                        1.3,
                        f"{code} {sign} {plain}",
                        code,
                    )
                    continue
                else:
                    near = far = one
                    yield Rule(
                        f"{name}({code}, {_edge(one)!r}, {_edge(one)!r}) and number({code}) != {_edge(one)!r}",
                        mask, 1.3, f"{code} {word} {_edge(one)}", code,
                    )  # fmt: skip
                    continue
            yield Rule(
                f"{name}({code}, {near!r}, {far!r})", mask, 1.4, f"{code} {word} {near}", code
            )


def _edge(one: float) -> float | int:
    return int(one) if float(one).is_integer() else one


def _prefixes(
    code: str, mask: tuple[tuple[bool, ...], ...], yes: list[str], no: list[str]
) -> Iterator[Rule]:
    """A beginning, or an end, that all taken rows have and no other."""
    if len(set(yes)) < 3:
        return
    long = _shared_beginning(yes)
    short = next((long[:size] for size in range(1, len(long) + 1)
                  if not any(value.startswith(long[:size]) for value in no)), "")  # fmt: skip
    if short:
        yield Rule(
            f"beginning({code}, {short!r}, {long!r})",
            mask,
            1.8,
            f"{code} begins with {long!r}",
            code,
        )
    turned = _shared_beginning([value[::-1] for value in yes])[::-1]
    if len(turned) >= 3 and not any(value.endswith(turned[-2:]) for value in no):
        yield Rule(f"{code}.endswith({turned!r})", mask, 1.9, f"{code} ends with {turned!r}", code)


def _shared_beginning(values: list[str]) -> str:
    first, last = min(values), max(values)
    size = 0
    while size < min(len(first), len(last)) and first[size] == last[size]:
        size += 1
    return first[:size]


def _on_days(
    code: str, mask: tuple[tuple[bool, ...], ...], values: list[list[str]], days: Sequence[date]
) -> Iterator[Rule]:
    """Rows of the day, or of the days up to it."""
    if not all(len(value) >= 10 and value[4:5] == "-" for column in values for value in column):
        return
    try:
        apart = [[(prelude.iso(value) - day).days for value in column]
                 for column, day in zip(values, days, strict=True)]  # fmt: skip
    except prelude.Stop:
        return
    yes = [
        gap
        for column, told in zip(apart, mask, strict=True)
        for gap, one in zip(column, told, strict=True)
        if one
    ]
    no = [
        gap
        for column, told in zip(apart, mask, strict=True)
        for gap, one in zip(column, told, strict=True)
        if not one
    ]
    gap = f"(iso({code}) - day).days"
    if len(set(yes)) == 1 and yes[0] not in no:
        yield Rule(f"{gap} == {yes[0]}", mask, 1.3, f"{code} is {yes[0]} days from the day", code)
    elif min(yes) > max(no):
        yield Rule(
            f"above({gap}, {min(yes)}, {max(no)})",
            mask,
            1.5,
            f"{code} is {min(yes)} days or later",
            code,
        )
    elif max(yes) < min(no):
        yield Rule(
            f"below({gap}, {max(yes)}, {min(no)})",
            mask,
            1.5,
            f"{code} is {max(yes)} days or earlier",
            code,
        )


def _pairs(
    rows: Rows, mask: tuple[tuple[bool, ...], ...], days: Sequence[date], numbers: Sequence[float]
) -> Iterator[Rule]:
    """Two conditions together: a value that all taken rows share, then whatever parts the rest."""
    for code, get in rows.fields.items():
        columns = [[get(row) for row in each] for each in rows.rows]
        inside = {
            value for column, told in zip(columns, mask, strict=True)
            for value, one in zip(column, told, strict=True) if one
        }  # fmt: skip
        every = {value for column in columns for value in column}
        if (
            len(inside) != 1
            or not 2 <= len(every) <= 12
            or not isinstance(next(iter(inside)), str | bool)
        ):
            continue
        value = inside.pop()
        kept = [[at for at, one in enumerate(column) if one == value] for column in columns]
        part = Rows(rows.code, tuple(tuple(each[at] for at in places) for each, places in zip(rows.rows, kept, strict=True)),
                    rows.fields, rows.cost, rows.label, rows.place, rows.keys)  # fmt: skip
        told = tuple(
            tuple(each[at] for at in places) for each, places in zip(mask, kept, strict=True)
        )
        if sum(map(len, told)) < 6:
            continue
        for other in rows.fields:
            if other != code:
                for rule in _rules(part, other, told, days, numbers):
                    first = code if value is True else f"{code} == {value!r}"
                    yield Rule(f"{first} and {rule.code}", mask, 1.2 + rule.cost,
                               f"{code} is {value!r} and {rule.words}", code)  # fmt: skip


# -- in which order ---------------------------------------------------------------------------


def _orders(
    rows: Rows, places: Taken, taken: Taken, source: str
) -> Iterator[tuple[float, str, str, tuple[str, ...]]]:
    """The orders of the remaining rows that give the output's: cost, code, words, fields."""
    if places == taken:
        yield 0.0, source, ", as they come", ()
    if tuple(each[::-1] for each in places) == taken and places != taken:
        yield 0.8, f"{source}[::-1]", ", backwards", ()
    for code, down, ties, cost, told in _rankings(rows, places):
        if told == taken:
            turned = ", down=True" if down else ""
            tied = ", ties=True" if ties else ""
            words = f", by {code}" + (" downwards" if down else "")
            yield cost, f"ranked({source}, lambda row: {code}{turned}{tied})", words, (code,)


def _rankings(rows: Rows, places: Taken) -> Iterator[tuple[str, bool, bool, float, Taken]]:
    """Every order by one field, and by one with another for ties."""
    for code, get in rows.fields.items():
        keys = _sortable(rows, places, get)
        if keys is None:
            continue
        numeric = any(not isinstance(key, str) for column in keys for key in column.values())
        told = f"number({code})" if numeric and _needs(rows, places, get) else code
        ties = any(len(set(column.values())) < len(column) for column in keys)
        for down in (False, True):
            order = _sorted(places, keys, down=down)
            yield told, down, ties, 0.7 + 0.1 * down, order
        if ties:
            yield from _two_keys(rows, places, told, keys)


def _two_keys(
    rows: Rows, places: Taken, code: str, keys: list[dict[int, Any]]
) -> Iterator[tuple[str, bool, bool, float, Taken]]:
    """Downwards by a number, ties by a name."""
    if any(isinstance(key, str) for column in keys for key in column.values()):
        return
    for other, get in rows.fields.items():
        second = _sortable(rows, places, get)
        if (
            second is None
            or other == code
            or not all(isinstance(key, str) for column in second for key in column.values())
        ):
            continue
        for sign in ("-", ""):
            both = [
                {at: ((-first[at] if sign else first[at]), column[at]) for at in first}
                for first, column in zip(keys, second, strict=True)
            ]
            tied = any(len(set(column.values())) < len(column) for column in both)
            yield f"({sign}{code}, {other})", False, tied, 0.9, _sorted(places, both, down=False)


def _sortable(rows: Rows, places: Taken, get: Callable[[Any], Any]) -> list[dict[int, Any]] | None:
    """The keys of the rows by place: numbers where all are, else texts."""
    found = [{at: get(each[at]) for at in one} for each, one in zip(rows.rows, places, strict=True)]
    values = [value for column in found for value in column.values()]
    if values and all(_figure(value) is not None for value in values):
        return [{at: _figure(value) for at, value in column.items()} for column in found]
    return found if all(isinstance(value, str) for value in values) else None


def _needs(rows: Rows, places: Taken, get: Callable[[Any], Any]) -> bool:
    return any(
        isinstance(get(each[at]), str)
        for each, one in zip(rows.rows, places, strict=True)
        for at in one
    )


def _sorted(places: Taken, keys: list[dict[int, Any]], *, down: bool) -> Taken:
    return tuple(
        tuple(sorted(one, key=column.__getitem__, reverse=down))
        for one, column in zip(places, keys, strict=True)
    )


# -- how many ---------------------------------------------------------------------------------


def _headed(rows: Rows, taken: Taken, whole: Taken) -> Selection | None:
    """The first so many of an order, of all rows or of those with one value."""
    count = max(map(len, taken))
    if count == 0 or not any(len(each) > count for each in rows.rows):
        return None
    sources: list[tuple[str, Taken, float, str, tuple[str, ...]]] = [
        (rows.code, whole, 0.0, "every row", ())
    ]
    sources += [_filtered(rows, rule, whole) for rule in _values(rows)]
    found: list[tuple[float, str, str, tuple[str, ...]]] = []
    for source, places, cost, words, fields in sources:
        if not any(len(one) > count for one in places) or any(
            len(told) != min(count, len(one)) for told, one in zip(taken, places, strict=True)
        ):
            continue
        for code, down, ties, more, order in _rankings(rows, places):
            if tuple(one[:count] for one in order) == taken:
                turned = (", down=True" if down else "") + (", ties=True" if ties else "")
                text = f"ranked({source}, lambda row: {code}{turned})[:{count}]"
                found.append(
                    (cost + more, text, f"the first {count} of {words} by {code}", (*fields, code))
                )
        for order, text in (
            (places, source),
            (tuple(one[::-1] for one in places), f"{source}[::-1]"),
        ):
            if tuple(one[:count] for one in order) == taken:
                found.append(
                    (cost + 0.5, f"{text}[:{count}]", f"the first {count} of {words}", fields)
                )
    if not found:
        return None
    found.sort()
    others = tuple(dict.fromkeys(one[1] for one in found[1:]))
    return Selection(found[0][1], others[:MOST_RULES], found[0][2], found[0][3], limited=True)


def _values(rows: Rows) -> Iterator[Rule]:
    """One rule for each value of a field that has few."""
    for code, get in rows.fields.items():
        columns = [[get(row) for row in each] for each in rows.rows]
        domain = {value for column in columns for value in column if isinstance(value, str | bool)}
        if 1 < len(domain) <= 8:
            for value in sorted(domain, key=str):
                mask = tuple(tuple(one == value for one in column) for column in columns)
                yield Rule(f"{code} == {value!r}", mask, 1.0, f"{code} is {value!r}", code)
