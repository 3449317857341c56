"""What sources tell of a value that came with the task: its row, its rows, what is kept under its name."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from cockpit.architect.expressions import Expression
from cockpit.architect.sources import Rows, Slot, _walked, amounts


def keyed(one: Slot, inputs: Sequence[Expression]) -> Iterator[Expression]:
    """Values of an object that an input is a key of, in every run."""
    if one.reading != "data":
        return
    for told in inputs:
        yield from _under(one.name, one.parsed, told, (one.name,), 0)


def _under(
    code: str, found: Sequence[Any], told: Expression, place: tuple[str, ...], depth: int
) -> Iterator[Expression]:
    if depth > 3 or not all(isinstance(value, dict) for value in found):
        return
    if all(key in value for key, value in zip(told.values, found, strict=True)):
        inner = tuple(value[key] for key, value in zip(told.values, found, strict=True))
        yield from _walked(
            f"{code}[{told.code}]", inner, 1.8 + 0.1 * depth, (*place, "*by"), told.label, depth
        )
        return
    for key in list(found[0])[:40]:
        if all(key in value for value in found):
            deeper = [value[key] for value in found]
            yield from _under(f"{code}[{key!r}]", deeper, told, (*place, key), depth + 1)


def by_input(rows: Rows, inputs: Sequence[Expression]) -> tuple[list[Expression], list[Rows]]:
    """Fields of the only row that has an input, and the rows that have it with all that they come to."""
    found: list[Expression] = []
    parts: list[Rows] = []
    for told in inputs:
        for code, key in rows.keys.items():
            get = rows.fields[code]
            wanted = _as(told, [get(row) for each in rows.rows for row in each])
            if wanted is None:
                continue
            taken = tuple(
                tuple(row for row in each if get(row) == value)
                for each, value in zip(rows.rows, wanted.values, strict=True)
            )
            if not all(taken):
                continue
            if all(len(each) == 1 for each in taken):
                found += _fields(rows, key, wanted, [each[0] for each in taken])
            elif rows.place and _telling(rows, taken):
                some = f"chosen({rows.code}, {key!r}, {wanted.code})"
                fields = {other: one for other, one in rows.fields.items() if other != code}
                keys = {other: one for other, one in rows.keys.items() if other != code}
                part = Rows(some, taken, fields, rows.cost - 0.4, rows.label, rows.place, keys)
                parts.append(part)
                found += amounts(part)
    return found, parts


def _as(told: Expression, column: Sequence[Any]) -> Expression | None:
    """The input in the type of the column."""
    if all(isinstance(value, str) for value in column):
        return told
    if all(type(value) is int for value in column) and all(
        value.isdigit() for value in told.values
    ):
        return replace(told, code=f"int({told.code})", values=tuple(map(int, told.values)))
    return None


def _fields(rows: Rows, key: str, told: Expression, picked: Sequence[Any]) -> Iterator[Expression]:
    for other, other_key in rows.keys.items():
        if other_key != key:
            uses = ((*rows.place, "", key), (*rows.place, "", other_key))
            values = tuple(rows.fields[other](row) for row in picked)
            yield Expression(
                f"pick({rows.code}, {key!r}, {told.code})[{other_key!r}]",
                values,
                2.2,
                other_key,
                uses,
            )


def _telling(rows: Rows, taken: Sequence[Sequence[Any]]) -> bool:
    """Whether the input makes a difference at all."""
    return any(len(some) < len(each) for some, each in zip(taken, rows.rows, strict=True))
