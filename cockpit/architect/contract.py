"""What a script may rely on, learned from the runs: forms, bands, freshness, words that never changed."""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from cockpit.architect.align import template
from cockpit.architect.expressions import Choice, Pool, Use, date_choices, date_like, label_like
from cockpit.architect.filled import Filled, code
from cockpit.architect.sources import Rows, Slot
from cockpit.core.script import Clause

Promise = tuple[str, Clause]
"""A line of code and what it promises."""
DEEPEST = 3


def promises(
    one: Slot,
    uses: Iterable[Use],
    days: Sequence[date],
    exact: frozenset[Use],
    empty: frozenset[Use] = frozenset(),
) -> Iterator[Promise]:
    """What the contract says of one source, given which places of it are used."""
    places = sorted({use for use in uses if use[0] == one.name}, key=str)
    if one.reading in ("text", "names"):
        yield from _lines_promised(one, Limits(exact, empty))
        return
    form = _form(one.parsed, [use[1:] for use in places], (one.name,), Limits(exact, empty))
    constants = _constants(one.parsed) if one.reading == "data" else {}
    form = _merged(form, constants)
    if form is not None:
        words = f"{one.words[:80]}: {_words(form)}"
        yield (
            f"expect({one.name}, {told(form)}, {one.words[:60]!r})",
            Clause("form", words, "expect"),
        )
    yield from _fresh(one, days)


# -- forms ------------------------------------------------------------------------------------


class Limits(Struct, frozen=True):
    """Lists of which the length itself may mean something, and those that may be empty."""

    exact: frozenset[Use] = frozenset()
    empty: frozenset[Use] = frozenset()


def _form(found: Sequence[Any], places: list[tuple[Any, ...]], spot: Use, limits: Limits) -> Any:
    """The form of the values at this place, as far down as something is used."""
    if all(isinstance(value, dict) for value in found):
        keys = dict.fromkeys(
            place[0] for place in places if place and isinstance(place[0], str) and place[0]
        )
        return {
            key: _form([value[key] for value in found], [place[1:] for place in places if place[:1] == (key,)],
                       (*spot, key), limits)
            for key in keys
            if not key.startswith("*") and all(key in value for value in found)
        }  # fmt: skip
    if all(isinstance(value, list) for value in found):
        rows = [row for value in found for row in value]
        below = [place[1:] for place in places if place[:1] == ("",)]
        inner: Any = "anything"
        if rows and below and all(isinstance(row, dict) for row in rows):
            inner = _merged(_form(rows, below, (*spot, ""), limits), _steady(rows)) or "anything"
        elif rows and all(isinstance(row, str | int | float) for row in rows):
            inner = kind(rows, band=False)
        return [
            *band(
                [len(value) for value in found],
                exact=spot in limits.exact,
                empty=spot in limits.empty,
            ),
            inner,
        ]
    return kind(found, band=True)


def band(counts: Sequence[int], *, exact: bool, empty: bool = False) -> tuple[int, int]:
    """How many rows there may be. A number that came up again and again may be a limit."""
    least, most = min(counts), max(counts)
    if empty:
        least = 0
    if exact and least == most:
        return least, most
    often = exact and counts.count(most) >= max(3, (len(counts) + 1) // 2)
    return (max(1, int(least * 0.6)) if least else 0), most if often else most * 2 + 2


def kind(values: Sequence[Any], *, band: bool) -> Any:
    """The narrowest kind that all values are of."""
    if all(isinstance(value, bool) for value in values):
        return "yes or no"
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return _banded("whole number", values) if band else "whole number"
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _banded("number", values) if band else "number"
    if not all(isinstance(value, str) for value in values):
        return "anything"
    for name, pattern in (
        ("digits", r"-?\d{1,18}"), ("decimal", r"-?\d{1,18}(?:\.\d{1,18})?"),
        ("date", r"\d{4}-\d{2}-\d{2}(?:[T ].{0,40})?"), ("line", r"[^\x00-\x1f\x7f]{1,2000}"),
        ("line or empty", r"[^\x00-\x1f\x7f]{0,2000}"),
    ):  # fmt: skip
        if all(re.fullmatch(pattern, value) for value in values):
            return name
    return "text"


def _banded(name: str, values: Sequence[Any]) -> tuple[str, Any, Any]:
    """Ten times wider than seen: what is beyond is more likely another unit.

    A number that never was 0 or 1 may be said in other words when it is.
    """
    least, most = min(values), max(values)
    low = (
        -10 * abs(least) - 10
        if least < 0
        else (least // 10 if isinstance(least, int) else least / 10)
    )
    high = 10 * most + 10 if most >= 0 else 0
    if 0 <= least <= 20:
        low = 2 if least > 1 and name == "whole number" else 0
    return name, low, round(high, 6)


def _constants(found: Sequence[Any], depth: int = 0) -> dict[str, Any]:
    """Words and flags outside of lists that were the same in every run: a status, a unit."""
    if depth > DEEPEST or not all(isinstance(value, dict) for value in found):
        return {}
    told: dict[str, Any] = {}
    for key in found[0]:
        values = [value.get(key) for value in found]
        first = values[0]
        if all(isinstance(value, dict) for value in values):
            inner = _constants(values, depth + 1)
            if inner:
                told[key] = inner
        elif all(
            type(value) is type(first) and value == first for value in values
        ) and _steady_word(first):
            told[key] = {"": first}
    return told


def _steady_word(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    return isinstance(value, str) and 0 < len(value) <= 24 and not re.search(r"[\d\n]", value)


def _steady(rows: list[Any]) -> dict[str, Any]:
    """Words that every row has."""
    if len(rows) < 8:
        return {}
    first = rows[0]
    return {
        key: {"": first[key]}
        for key in first
        if _steady_word(first[key])
        and all(
            key in row and type(row[key]) is type(first[key]) and row[key] == first[key]
            for row in rows
        )
    }


def _merged(one: Any, other: Any) -> Any:
    """Two forms as one; a constant wins."""
    if isinstance(one, dict) and isinstance(other, dict) and "" not in other and "" not in one:
        keys = list(dict.fromkeys((*one, *other)))
        return {key: _merged(one.get(key), other.get(key)) for key in keys}
    return other if other not in (None, {}) else one


def told(form: Any) -> str:
    """A form as code."""
    match form:
        case dict():
            return "{" + ", ".join(f"{key!r}: {told(value)}" for key, value in form.items()) + "}"
        case [*parts]:
            inner = ", ".join(
                told(part) if not isinstance(part, int | float) else repr(part) for part in parts
            )
            return f"[{inner}]" if isinstance(form, list) else f"({inner})"
    return repr(form)


def _words(form: Any) -> str:
    match form:
        case {"": constant}:
            return f"always {constant!r}"
        case dict():
            return ", ".join(f"{key} ({_words(value)})" for key, value in list(form.items())[:12])
        case list():
            return f"{form[0]} to {form[1]} rows of {_words(form[2])}"
        case tuple():
            return f"{form[0]} from {form[1]} to {form[2]}"
    return str(form)


# -- texts ------------------------------------------------------------------------------------


def _lines_promised(one: Slot, limits: Limits) -> Iterator[Promise]:
    counts = [len([line for line in text.split("\n") if line]) for text in one.texts]
    spots: set[Use] = {(one.name, "*lines"), (one.name,)}
    least, most = band(counts, exact=bool(spots & limits.exact), empty=bool(spots & limits.empty))
    code = f"len({one.name})" if one.reading == "names" else f"len(lines({one.name}))"
    if one.reading == "text" and not all(not text or text.endswith("\n") for text in one.texts):
        code = f"len({one.name}.split('\\n'))"
        counts = [len(text.split("\n")) for text in one.texts]
        least, most = band(counts, exact=False)
    words = f"{one.words[:60]}: {least} to {most} lines"
    yield f"check({least} <= {code} <= {most}, {words!r})", Clause("rows", words, code)
    if one.reading == "text" and not any(text.lstrip().startswith("<") for text in one.texts):
        words = f"{one.words[:60]} is a page of HTML"
        yield f"check(not {one.name}.lstrip().startswith('<'), {words!r})", Clause("form", words)


# -- freshness --------------------------------------------------------------------------------


def _fresh(one: Slot, days: Sequence[date]) -> Iterator[Promise]:
    """Dates that were those of the day in every run still have to be."""
    if len(set(days)) < 2:
        return
    if one.reading == "data":
        for code, values in _dates(one.name, one.parsed, 0):
            told = _day(values, days)
            if told:
                words = f"{code} is {told}"
                yield (
                    f"agree({code}, {told}, {FRESH + code!r})",
                    Clause("fresh", words, code),
                )
    elif one.parsed and all(one.parsed):
        for key in one.parsed[0][0]:
            columns = [{row[key] for row in rows} for rows in one.parsed]
            if all(len(column) == 1 for column in columns):
                told = _day([next(iter(column)) for column in columns], days)
                if told:
                    words = f"{key} of every row is {told}"
                    yield (f"check(all(row[{key!r}] == {told} for row in {one.name}), {words!r})",
                           Clause("fresh", words, key))  # fmt: skip


FRESH = "freshness of "


def telling(checks: Iterable[str]) -> list[str]:
    """The checks but for those that a check of freshness implies: they say once more what the day is."""
    every = list(checks)
    implied: set[str] = set()
    for line in every:
        match ast.parse(line).body:
            case [ast.Expr(value=ast.Call(args=[code, day, ast.Constant(value=str(why))]))]:
                if why.startswith(FRESH):
                    source = ast.get_source_segment(line, code)
                    told = ast.get_source_segment(line, day)
                    for same in (f"{{{source}}}", f"{{iso({source})}}"):
                        implied.add(f'agree({told}, f"{same}", ')
    return [line for line in every if not line.startswith(tuple(implied))]


def _dates(code: str, found: Sequence[Any], depth: int) -> Iterator[tuple[str, list[str]]]:
    if depth > DEEPEST or not all(isinstance(value, dict) for value in found):
        return
    for key in found[0]:
        values = [value.get(key) for value in found]
        if all(isinstance(value, dict) for value in values):
            yield from _dates(f"{code}[{key!r}]", values, depth + 1)
        elif all(
            isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}", value) for value in values
        ):
            cut = any(len(value) > 10 for value in values)
            yield f"{code}[{key!r}]{'[:10]' if cut else ''}", [value[:10] for value in values]


def _day(values: Sequence[str], days: Sequence[date]) -> str:
    """The code of the date that these are, empty where they are none near."""
    found = sorted(date_choices(tuple(values), days), key=lambda pair: pair[0].cost + pair[1].cost)
    if not found or found[0][0].cost > 1.5:
        return ""
    return code(Filled((Choice(found[0][0], found[0][1]),)))


def echoes(texts: Iterable[str], pool: Pool, names: set[str]) -> Iterator[Promise]:
    """What never changed in a source and stands in the constant text too: G1 for constants."""
    words = "\n".join(dict.fromkeys(texts))
    for one in pool.expressions:
        if (
            one.cost > 3.2
            or not one.uses
            or one.uses[0][0] not in names
            or "_text" in one.code
            or "(" in one.code.removesuffix(".strip()")
        ):
            continue
        if (
            all(isinstance(value, str) and len(value) <= 200 for value in one.values)
            and len(set(one.values)) > 1
        ):
            for check in _echoed_parts(one.code, one.values, words):
                about = f"part of {one.code} never changed, and the text says it too"
                yield f"check({check}, {about!r})", Clause("constant", about, one.code)
        elif _unchanged(one.values) and _stands(str(one.values[0]), words):
            about = f"{one.code} was always {one.values[0]!r}, which the text says too"
            yield (
                f"agree({one.code}, {one.values[0]!r}, {about[:80]!r})",
                Clause("constant", about, one.code),
            )


def _unchanged(values: Sequence[Any]) -> bool:
    first = values[0]
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        return False
    return len(str(first)) > 1 and all(
        type(value) is type(first) and value == first for value in values
    )


def _stands(part: str, words: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(part)}(?![\w])", words) is not None


def _echoed_parts(code: str, values: Sequence[str], words: str) -> Iterator[str]:
    """Checks that the constant parts of a varying text, as far as they are echoed, are still there."""
    laid = template(values, fine=True)
    for place, part in enumerate(laid.literals):
        told = re.findall(r"[^\W\d_]{3,}|\d+", part)
        if not any(re.search(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", words) for one in told):
            continue
        if place == 0 and not any(laid.gaps[0]):
            yield f"{code}.startswith({part!r})"
        elif place == len(laid.literals) - 1 and not any(laid.gaps[-1]):
            yield f"{code}.endswith({part!r})"
        else:
            yield f"{part!r} in {code}"


def echoed_rows(name: str, rows: Rows, words: str) -> Iterator[Promise]:
    """The same for the fields of rows."""
    for field, get in rows.fields.items():
        values = [get(row) for each in rows.rows for row in each]
        if (
            "(" in field
            or len(set(values)) < 2
            or not all(isinstance(value, str) and len(value) <= 200 for value in values)
        ):
            continue
        for check in _echoed_parts(field, values, words):
            about = f"part of {field} never changed, and the text says it too"
            yield (
                f"check(all({check} for row in {name}), {about!r})",
                Clause("constant", about, field),
            )


def constants_like_dates(texts: Iterable[str], days: Sequence[date]) -> Iterator[Promise]:
    """G3: constants that were the month, the quarter, the weekday or the like of every run."""
    seen: set[tuple[str, str]] = set()
    for text in texts:
        for literal, spec in date_like(text, days):
            if (literal, spec) not in seen:
                seen.add((literal, spec))
                words = f"{literal!r} was only ever seen while the day's {spec} was that"
                told = f'f"{{day:{spec}}}"'
                yield _only_then(told, repr(literal)), Clause("constant", words, literal)
        for value, part in label_like(text, days):
            if (value, part) not in seen:
                seen.add((value, part))
                words = f"a label with {value} was only ever seen while {part} was that"
                yield _only_then(part, value), Clause("constant", words, value)


def _only_then(now: str, then: str) -> str:
    return f'agree({now}, {then}, "one more example is needed")'
