"""What the runs read, taken apart: single values, and rows with their fields."""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Literal

from msgspec import Struct

from cockpit.architect import prelude
from cockpit.architect.align import Template, template
from cockpit.architect.expressions import Expression, Use

Reading = Literal["data", "table", "tabbed", "text", "names", "each"]
_SHOWN = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
MOST_ROWS = 5_000
MOST_KEYS = 80
DEEPEST = 5


class Slot(Struct, frozen=True):
    """One source: how the script gets it, what it was in each run, and how it is read.

    `fetch` is the code that gets its text; `parsed` are its contents by `reading`.
    """

    name: str
    fetch: str
    texts: tuple[str, ...]
    reading: Reading
    parsed: tuple[Any, ...]
    words: str


class Rows(Struct, frozen=True):
    """A list of each run, and how to get at the fields of a row.

    `fields` are by code over the name `row`; `place` is where the contract finds the list.
    """

    code: str
    rows: tuple[tuple[Any, ...], ...]
    fields: dict[str, Callable[[Any], Any]]
    cost: float
    label: str = ""
    place: Use = ()
    keys: dict[str, str] = {}
    """The plain key behind a field's code, where there is one."""
    seen: dict[tuple[str, str, int], frozenset[str | None]] = {}
    """What fields say in a form, once somebody asked; no part of what the list is."""


def slot(
    name: str, fetch: str, texts: tuple[str, ...], words: str, *, listing: bool = False
) -> Slot:
    """A source with the reading that all its texts allow."""
    if listing:
        return Slot(name, fetch, texts, "names", tuple(text.splitlines() for text in texts), words)
    for reading, parse in (("data", _data), ("table", _table(",")), ("tabbed", _table("\t"))):
        parsed = _all(texts, parse)
        if parsed is not None:
            return Slot(name, fetch, texts, reading, parsed, words)  # type: ignore[arg-type]
    return Slot(name, fetch, texts, "text", texts, words)


def _all(texts: tuple[str, ...], parse: Callable[[str], Any]) -> tuple[Any, ...] | None:
    found: list[Any] = []
    for text in texts:
        try:
            parsed = parse(text)
        except (ValueError, RecursionError, csv.Error):
            return None
        if parsed is None:
            return None
        found.append(parsed)
    return tuple(found)


def _data(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    return json.loads(text, object_hook=prelude.Record)


def _table(mark: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if not text.endswith("\n") or mark not in text.partition("\n")[0]:
            return None
        rows = list(csv.reader(io.StringIO(text), delimiter=mark, strict=True))
        head = rows[0]
        if len(set(head)) < len(head) or any(len(row) != len(head) for row in rows):
            return None
        if any(not re.search(r"[^\W\d_]", name) for name in head):
            return None
        return [prelude.Record(zip(head, row, strict=True)) for row in rows[1:]]

    return parse


# -- single values ----------------------------------------------------------------------------


def values(one: Slot) -> Iterator[Expression]:
    """Everything single that a source tells."""
    whole = (one.name, "*text")
    whole_name = one.name if one.reading == "text" else f"{one.name}_text"
    yield Expression(
        f"{whole_name}.strip()", tuple(text.strip() for text in one.texts), 1.5, "", (whole,)
    )
    if any(text != text.strip() for text in one.texts):
        yield Expression(whole_name, one.texts, 1.5, "", (whole,))
    if one.reading == "data":
        yield from _walked(one.name, one.parsed, 2.0, (one.name,), "", 0)
    elif one.reading == "text":
        yield from _texts(one)


def _walked(
    code: str, found: tuple[Any, ...], cost: float, place: Use, label: str, depth: int
) -> Iterator[Expression]:
    """The single values below a place of a JSON text."""
    if all(isinstance(value, dict) for value in found):
        if depth >= DEEPEST:
            return
        for key in list(found[0])[:MOST_KEYS]:
            if all(key in value for value in found[1:]):
                inner = tuple(value[key] for value in found)
                yield from _walked(
                    f"{code}[{key!r}]", inner, cost + 0.1, (*place, key), key, depth + 1
                )
    elif all(isinstance(value, list) for value in found):
        yield from _ends(code, found, cost, place, label)
    elif all(isinstance(value, str | int | float | None) for value in found):
        yield Expression(code, found, cost, label, (place,))


def _ends(
    code: str, found: tuple[Any, ...], cost: float, place: Use, label: str
) -> Iterator[Expression]:
    """The first and the last of a list."""
    if not all(found):
        return
    for at in (0, -1):
        inner = tuple(value[at] for value in found)
        spot = (*place, at)
        if all(isinstance(value, dict) for value in inner):
            for key in list(inner[0])[:MOST_KEYS]:
                each = tuple(value.get(key) for value in inner)
                if all(isinstance(value, str | int | float) for value in each):
                    yield Expression(
                        f"{code}[{at}][{key!r}]", each, cost + 1.2, key, ((*spot, key),)
                    )
        elif all(isinstance(value, str | int | float) for value in inner):
            yield Expression(f"{code}[{at}]", inner, cost + 1, label, (spot,))


def _texts(one: Slot) -> Iterator[Expression]:
    """What a plain text tells: settings by name, and what stands between constant words."""
    whole = (one.name, "*text")
    for mark in ("=", ":"):
        yield from _settings(one, mark)
    if len(set(one.texts)) > 1:
        yield from _between(one)
    split = [text.split("\n") for text in one.texts]
    for at in (0, -1):
        ends = [[line for line in lines if line] for lines in split]
        if all(ends) and any(len(lines) > 1 for lines in ends):
            told = tuple(lines[at] for lines in ends)
            yield Expression(f"lines({one.name})[{at}]", told, 3, "", (whole,))
            yield from _columns(f"lines({one.name})[{at}]", told, whole)


def _columns(code: str, told: tuple[str, ...], whole: Use) -> Iterator[Expression]:
    for mark in (None, ",", "\t", ":", "="):
        least = min(len(line.split(mark)) for line in told)
        for at in range(least) if 1 < least <= 12 else ():
            column = tuple(prelude.field(line, mark, at) for line in told)
            yield Expression(f"field({code}, {mark!r}, {at})", column, 3.6, "", (whole,))


def _settings(one: Slot, mark: str) -> Iterator[Expression]:
    each = [_set(text, mark) for text in one.texts]
    for key in list(each[0])[:MOST_KEYS]:
        told = tuple(keys.get(key) for keys in each)
        if all(value is not None for value in told):
            code = f"setting({one.name}, {key!r}, {mark!r})"
            yield Expression(code, told, 3, key, ((one.name, "*text"),))


def _set(text: str, mark: str) -> dict[str, str]:
    """The settings of a text that are there once."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for line in text.split("\n")[:2_000]:
        key, there, value = line.partition(mark)
        key = key.strip()
        if there and key and len(key) <= 60:
            if key in found:
                twice.add(key)
            found[key] = value.strip()
    return {key: value for key, value in found.items() if key not in twice}


def _between(one: Slot) -> Iterator[Expression]:
    """The gaps of lines that stand in the same place of every text, between what they always say."""
    split = [text.split("\n") for text in one.texts]
    if len(set(map(len, split))) != 1 or len(split[0]) > 80:
        return
    for column in zip(*split, strict=True):
        if len(set(column)) > 1 and max(map(len, column)) <= 400:
            yield from _gaps(one, template(column))


def _gaps(one: Slot, laid: Template) -> Iterator[Expression]:
    for place, gap in enumerate(laid.gaps):
        left = laid.literals[place - 1] if place else ""
        right = laid.literals[place] if place < len(laid.literals) else "\n"
        before = _unique(left, one.texts) if left and any(gap) else ""
        for after in _ends_of(right) if before else ():
            told = tuple(_told(text, before, after) for text in one.texts)
            if all(value is not None for value in told):
                code = f"between({one.name}, {before!r}, {after!r})"
                yield Expression(code, told, 4, before, ((one.name, "*text"),))
                break


def _unique(left: str, texts: tuple[str, ...]) -> str:
    """The shortest whole-word end of a literal that is in every text once."""
    for size in range(min(3, len(left)), min(len(left), 60) + 1):
        end = left[-size:]
        if all(text.count(end) == 1 for text in texts):
            return end
    return ""


def _ends_of(right: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((right[:1], right[:2], right[:6])))


def _told(text: str, before: str, after: str) -> str | None:
    rest = text.partition(before)[2]
    if after and after not in rest:
        return None
    return rest.partition(after)[0] if after else rest


def derived(found: Iterable[Expression], days: Sequence[date]) -> Iterator[Expression]:
    """What dates and versions among single values say besides: days from the day, their parts."""
    for one in found:
        if one.cost > 4.5 or not all(
            isinstance(value, str) and 0 < len(value) <= 40 for value in one.values
        ):
            continue
        if all(_DAY.match(value) for value in one.values):
            yield from _day_values(one, days)
        elif all(_VERSION.fullmatch(value) for value in one.values):
            for at in range(min(value.count(".") for value in one.values) + 1):
                told = tuple(value.split(".")[at] for value in one.values)
                code = f"field({one.code}, '.', {at})"
                yield Expression(code, told, one.cost + 0.8, one.label, one.uses)


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:$|[T ])")
_VERSION = re.compile(r"v?\d+(?:\.\d+){1,3}")


def _day_values(one: Expression, days: Sequence[date]) -> Iterator[Expression]:
    try:
        told = tuple(date.fromisoformat(value[:10]) for value in one.values)
    except ValueError:
        return
    yield Expression(f"iso({one.code})", told, one.cost + 0.5, one.label, one.uses)
    ahead = tuple((value - day).days for value, day in zip(told, days, strict=True))
    if len(set(ahead)) > 1:
        yield Expression(f"(iso({one.code}) - day).days", ahead, one.cost + 1, one.label, one.uses)
        since = tuple(-value for value in ahead)
        yield Expression(f"(day - iso({one.code})).days", since, one.cost + 1, one.label, one.uses)


# -- rows -------------------------------------------------------------------------------------


def lists(one: Slot) -> Iterator[Rows]:
    """Everything that a source has several of."""
    match one.reading:
        case "data" | "each":
            yield from _json_lists(one.name, one.parsed, 2.0, (one.name,), "", 0)
        case "table" | "tabbed":
            yield _records(one.name, one.parsed, 2.0, (one.name,), one.name)
        case "names":
            fields: dict[str, Callable[[Any], Any]] = {"row": _same, "stem(row)": prelude.stem}
            rows = tuple(tuple(each) for each in one.parsed)
            yield Rows(one.name, rows, fields, 2.0, one.name, (one.name,))
        case "text":
            yield from _line_lists(one)


def _same(row: Any) -> Any:
    return row


def _json_lists(
    code: str, found: tuple[Any, ...], cost: float, place: Use, label: str, depth: int
) -> Iterator[Rows]:
    if depth > DEEPEST:
        return
    if all(isinstance(value, list) for value in found):
        yield from _listed(code, found, cost, place, label)
    elif all(isinstance(value, dict) for value in found):
        keys = [key for key in list(found[0])[:MOST_KEYS] if all(key in value for value in found)]
        for key in keys:
            inner = tuple(value[key] for value in found)
            if isinstance(inner[0], list | dict):
                spot = (*place, key)
                yield from _json_lists(f"{code}[{key!r}]", inner, cost + 0.1, spot, key, depth + 1)
        yield from _items(code, found, cost + 1, place, label)


def _listed(
    code: str, found: tuple[Any, ...], cost: float, place: Use, label: str
) -> Iterator[Rows]:
    rows = [row for value in found for row in value]
    if not rows or len(rows) > MOST_ROWS:
        return
    if all(isinstance(row, dict) for row in rows):
        yield _records(code, found, cost, place, label)
    elif all(isinstance(row, str | int | float) for row in rows):
        yield Rows(code, tuple(map(tuple, found)), {"row": _same}, cost, label, place)


def _items(
    code: str, found: tuple[Any, ...], cost: float, place: Use, label: str
) -> Iterator[Rows]:
    """An object as a list of its entries, where these are all of one sort."""
    inner = [value for one in found for value in one.values()]
    fewest = 2 if len({tuple(one) for one in found}) > 1 else 3
    if not inner or max(map(len, found)) < fewest:
        return
    each = tuple(tuple(prelude.items(value)) for value in found)
    if all(isinstance(value, int | float | str) for value in inner):
        if (
            len({type(value) for value in inner} - {float, int})
            + (not all(isinstance(value, str) for value in inner))
            > 1
        ):
            return
        fields = {"row['key']": _key("key"), "row['value']": _key("value")}
        yield Rows(f"items({code})", each, fields, cost, label, place)
    elif all(isinstance(value, dict) for value in inner):
        fields = {"row['key']": _key("key")}
        for key in _shared(inner):
            fields[f"row['value'][{key!r}]"] = _deep("value", key)
        yield Rows(f"items({code})", each, fields, cost, label, place)


def _key(key: str) -> Callable[[Any], Any]:
    return lambda row: row[key]


def _deep(*path: str) -> Callable[[Any], Any]:
    def get(row: Any) -> Any:
        for key in path:
            row = row[key]
        return row

    return get


def _shared(rows: list[Any]) -> list[str]:
    """Keys that every row has, with single values."""
    return [
        key
        for key in list(rows[0])[:MOST_KEYS]
        if all(key in row and isinstance(row[key], str | int | float | None) for row in rows)
    ]


def _records(code: str, found: tuple[Any, ...], cost: float, place: Use, label: str) -> Rows:
    """Rows that are objects: their keys, and those of objects within."""
    rows = [row for value in found for row in value]
    fields: dict[str, Callable[[Any], Any]] = {}
    keys: dict[str, str] = {}
    for key in _shared(rows) if rows else ():
        fields[f"row[{key!r}]"] = _key(key)
        keys[f"row[{key!r}]"] = key
    for key in list(rows[0]) if rows else ():
        if all(isinstance(row.get(key), dict) for row in rows):
            for inner in _shared([row[key] for row in rows]):
                fields[f"row[{key!r}][{inner!r}]"] = _deep(key, inner)
    return Rows(code, tuple(map(tuple, found)), fields, cost, label, place, keys)


def _line_lists(one: Slot) -> Iterator[Rows]:
    """The lines of a text with their columns."""
    each = [[line for line in text.split("\n") if line] for text in one.texts]
    every = [line for lines in each for line in lines]
    if len(every) < 2 or len(every) > MOST_ROWS or not all(_ended(text) for text in one.texts):
        return
    fields: dict[str, Callable[[Any], Any]] = {"row": _same}
    for mark in (None, ",", "\t", ":", "=", "|", ";"):
        least = min(len(line.split(mark)) for line in every)
        for at in range(min(least, 12)) if least > 1 else ():
            fields[f"field(row, {mark!r}, {at})"] = _column(mark, at)
        if least > 1 and mark is None:
            fields["field(row, None, -1)"] = _column(None, -1)
            fields["row.partition(' ')[2]"] = lambda row: row.partition(" ")[2]
    yield Rows(
        f"lines({one.name})", tuple(map(tuple, each)), fields, 3.0, one.name, (one.name, "*lines")
    )


def _ended(text: str) -> bool:
    return not text or text.endswith("\n")


def _column(mark: str | None, at: int) -> Callable[[Any], Any]:
    return lambda row: _field_of(row, mark, at)


@lru_cache(65_536)
def _field_of(row: str, mark: str | None, at: int) -> str:
    return prelude.field(row, mark, at)


# -- what rows come to ------------------------------------------------------------------------


def amounts(rows: Rows, *, hints: Iterable[str] = ()) -> Iterator[Expression]:
    """Counts, sums, means and extremes of a list, and single rows by a key that is always there."""
    use = (rows.place,) if rows.place else ()
    lengths = tuple(len(each) for each in rows.rows)
    yield Expression(f"len({rows.code})", lengths, rows.cost + 0.5, rows.label, use)
    if not all(rows.rows):
        return
    for code, get in rows.fields.items():
        columns = [[_figure(get(row)) for row in each] for each in rows.rows]
        if all(value is not None for column in columns for value in column):
            yield from _sums(rows, code, columns, use)
    yield from _picked(rows)
    yield from _counted(rows, set(hints), use)


def _figure(value: Any) -> int | float | None:
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    return _figure_of(value) if kind is str else None


@lru_cache(65_536)
def _figure_of(text: str) -> int | float | None:
    if _SHOWN.fullmatch(text) is None:
        return None
    return float(text) if "." in text else int(text)


def _sums(
    rows: Rows, code: str, columns: list[list[Any]], use: tuple[Use, ...]
) -> Iterator[Expression]:
    key = rows.keys.get(code)
    label = f"{rows.label} {key or ''}"
    uses = ((*rows.place, "", key),) if key else use
    exact = [round(sum(column), 9) if any(isinstance(one, float) for one in column) else sum(column)
             for column in columns]  # fmt: skip
    if key:
        yield Expression(f"total({rows.code}, {key!r})", tuple(exact), rows.cost + 0.8, label, uses)
        averages = tuple(whole / len(column) for whole, column in zip(exact, columns, strict=True))
        yield Expression(f"mean({rows.code}, {key!r})", averages, rows.cost + 1, label, uses)
    every = f"[number({code}) for row in {rows.code}]"
    if not key:
        yield Expression(f"sum({every})", tuple(exact), rows.cost + 1, label, uses)
    yield Expression(f"max({every})", tuple(map(max, columns)), rows.cost + 1, label, uses)
    yield Expression(f"min({every})", tuple(map(min, columns)), rows.cost + 1, label, uses)
    for down, word in ((True, "most"), (False, "least")):
        yield from _extreme(rows, code, columns, uses, down=down, word=word)


def _extreme(
    rows: Rows, code: str, columns: list[list[Any]], uses: tuple[Use, ...], *, down: bool, word: str
) -> Iterator[Expression]:
    """Another field of the row that has the most or the least; never where two have it."""
    places: list[int] = []
    for column in columns:
        best = max(column) if down else min(column)
        if column.count(best) != 1:
            return
        places.append(column.index(best))
    turned = ", down=True" if down else ""
    top = f"first(ranked({rows.code}, lambda row: number({code}){turned}, ties=False))"
    for other, get in rows.fields.items():
        if other != code and other in rows.keys:
            told = tuple(get(each[at]) for each, at in zip(rows.rows, places, strict=True))
            key = rows.keys[other]
            yield Expression(
                f"{top}[{key!r}]",
                told,
                rows.cost + 1.6,
                f"{word} {key}",
                (*uses, (*rows.place, "", key)),
            )


def _picked(rows: Rows) -> Iterator[Expression]:
    """The fields of the row with a certain name, where every run has exactly one."""
    for code, key in rows.keys.items():
        get = rows.fields[code]
        columns = [[get(row) for row in each] for each in rows.rows]
        if not all(isinstance(value, str) for column in columns for value in column):
            continue
        if any(len(set(column)) < len(column) for column in columns):
            continue
        common = [value for value in columns[0] if all(value in column for column in columns)]
        for value in common[:24]:
            found = [
                each[column.index(value)] for each, column in zip(rows.rows, columns, strict=True)
            ]
            for other, other_key in rows.keys.items():
                if other != code:
                    told = tuple(rows.fields[other](row) for row in found)
                    yield Expression(
                        f"pick({rows.code}, {key!r}, {value!r})[{other_key!r}]", told,
                        rows.cost + 0.9, f"{value} {other_key}",
                        ((*rows.place, "", key), (*rows.place, "", other_key)),
                    )  # fmt: skip


def _counted(rows: Rows, hints: set[str], use: tuple[Use, ...]) -> Iterator[Expression]:
    """How many rows have a certain value, and what their numbers come to."""
    for code, get in rows.fields.items():
        columns = [[get(row) for row in each] for each in rows.rows]
        domain = {value for column in columns for value in column if isinstance(value, str | bool)}
        if not 1 < len(domain) <= 12:
            continue
        for value in sorted(domain, key=str):
            counts = tuple(column.count(value) for column in columns)
            some = f"[row for row in {rows.code} if {code} == {value!r}]"
            key = rows.keys.get(code)
            uses = ((*rows.place, "", key),) if key else use
            yield Expression(f"len({some})", counts, rows.cost + 1.4, f"{value}", uses)
            for other, other_key in rows.keys.items():
                if other == code:
                    continue
                told = tuple(_part(rows, each, get, value, other) for each in rows.rows)
                if all(one is not None for one in told):
                    yield Expression(f"total({some}, {other_key!r})", told, rows.cost + 1.8,
                                     f"{value} {other_key}", (*uses, (*rows.place, "", other_key)))  # fmt: skip
    yield from _mentioned(rows, hints, use)


def _part(
    rows: Rows, each: tuple[Any, ...], get: Callable[[Any], Any], value: object, other: str
) -> Any:
    found = [_figure(rows.fields[other](row)) for row in each if get(row) == value]
    if any(one is None for one in found):
        return None
    told = sum(one for one in found if one is not None)
    return round(told, 9) if any(isinstance(one, float) for one in found) else told


def _mentioned(rows: Rows, hints: set[str], use: tuple[Use, ...]) -> Iterator[Expression]:
    """Lines that say a word which the agents looked for."""
    if "row" not in rows.fields or not all(
        isinstance(row, str) for each in rows.rows for row in each
    ):
        return
    for word in sorted(hints):
        counts = tuple(sum(word in row for row in each) for each in rows.rows)
        if any(counts) and any(
            count < len(each) for count, each in zip(counts, rows.rows, strict=True)
        ):
            code = f"len([row for row in {rows.code} if {word!r} in row])"
            yield Expression(code, counts, rows.cost + 1.4, word, use)
