"""What was written in each run as one piece of code that writes it: lines, loops, JSON."""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from cockpit.architect.align import shape
from cockpit.architect.arithmetic import computed
from cockpit.architect.expressions import PLAIN, Choice, Expression, Pool, bits, related
from cockpit.architect.filled import Filled, OpenHoleError, fill
from cockpit.architect.loops import Loop, grouped, loop, row_pool
from cockpit.architect.sources import Rows, amounts

MOST_LINES = 400
EDGES = 4
"""Lines at either end of a stretch of equal lines that may not belong to its loop."""


class Document(Struct, frozen=True):
    """A text: lines and loops in their order, and what stands behind the last line."""

    parts: tuple[Filled | Loop, ...]
    ended: bool = True


class Value(Struct, frozen=True):
    """A JSON value: of a source as it is, rounded, or a filled text."""

    code: str
    choice: Choice | None = None
    text: Filled | None = None


class Listed(Struct, frozen=True):
    """A JSON list or object of one item for each selected row."""

    loop: Loop
    item: Any
    key: Any = None


class Written(Struct, frozen=True):
    """JSON as it was dumped: `tree` has Values and Listeds at its leaves, `style` are the words for it."""

    tree: Any
    style: dict[str, Any]
    ended: bool = True


class Scene(Struct):
    """All that may be used: single values, lists, days, and the numbers that the tasks mention."""

    pool: Pool
    lists: list[Rows]
    days: Sequence[date]
    numbers: Sequence[float]

    def with_groups(self) -> list[Rows]:
        return [*self.lists, *(one for rows in self.lists for one in grouped(rows))]


def document(texts: Sequence[str], scene: Scene) -> Document:
    """The texts as lines. Raises OpenHoleError for the first place that follows from nothing."""
    if len(set(texts)) == 1:
        (text,) = set(texts)
        ended = text.endswith("\n")
        lines = (text[:-1] if ended else text).split("\n")
        return Document(tuple(Filled((line,) if line else ()) for line in lines), ended)
    ended = texts[0].endswith("\n")
    if any(text.endswith("\n") != ended for text in texts):
        raise OpenHoleError([text[-20:] for text in texts], "the end of the file")
    split = [(text[:-1] if ended else text).split("\n") for text in texts]
    if max(map(len, split)) > MOST_LINES:
        raise OpenHoleError([text[:200] for text in texts], "a long text")
    failed: OpenHoleError | None = None
    for coarse in (False, True):
        stretches = _stretches(split, coarse=coarse)
        if stretches is None:
            continue
        try:
            return Document(tuple(_all_parts(stretches, scene)), ended)
        except OpenHoleError as error:
            failed = failed or error
    raise failed or OpenHoleError([text[:200] for text in texts], "lines in no common order")


Stretch = list[list[str]]
"""For each run the lines of one kind that follow each other."""


def _stretches(split: list[list[str]], *, coarse: bool) -> list[Stretch] | None:
    """The lines of each run in stretches of one shape; None where these differ between runs."""
    each = [
        [
            (key, list(lines))
            for key, lines in itertools.groupby(one, lambda line: shape(line, coarse=coarse))
        ]
        for one in split
    ]
    keys = {tuple(key for key, _ in one) for one in each}
    if len(keys) == 1:
        return [
            list(column)
            for column in zip(*([lines for _, lines in one] for one in each), strict=True)
        ]
    return _anchored(split) if not coarse else None


def _anchored(split: list[list[str]]) -> list[Stretch] | None:
    """Stretches between the lines that are the same but for numbers in all runs, each of them there once."""
    masked = [[re.sub(r"\d+", "0", line) for line in lines] for lines in split]
    anchors = [
        line for line in masked[0]
        if all(lines.count(line) == 1 for lines in masked) and re.search(r"[^\W\d_]", line)
    ]  # fmt: skip
    orders = {tuple(line for line in lines if line in set(anchors)) for lines in masked}
    if not anchors or len(orders) != 1:
        return None
    found: list[Stretch] = []
    starts = [0] * len(split)
    for anchor in anchors:
        places = [lines.index(anchor) for lines in masked]
        found.append(
            [lines[at:place] for lines, at, place in zip(split, starts, places, strict=True)]
        )
        found.append([[lines[place]] for lines, place in zip(split, places, strict=True)])
        starts = [place + 1 for place in places]
    found.append([lines[at:] for lines, at in zip(split, starts, strict=True)])
    return [one for one in found if any(one)]


def _all_parts(stretches: list[Stretch], scene: Scene) -> list[Filled | Loop]:
    """Loops first: what they select may be counted in the lines around them."""
    loops: dict[int, list[Filled | Loop] | Stretch] = {}
    for place, one in enumerate(stretches):
        counts = {len(lines) for lines in one}
        if max(counts) > 1 or counts != {1}:
            found = _looped(one, scene, fixed=len(counts) == 1)
            loops[place] = found
            for part in found:
                if isinstance(part, Loop):
                    scene.pool.add(amounts(part.as_rows))
    parts: list[Filled | Loop] = []
    heading = ""
    for place, one in enumerate(stretches):
        if place in loops:
            parts += [_late(part, scene) for part in loops[place]]
        else:
            lines = [each[0] for each in one]
            parts.append(_line(lines, scene, heading))
            if re.search(r"[^\W\d_]", lines[0]):
                heading = lines[0]
    return parts


def _line(lines: list[str], scene: Scene, heading: str) -> Filled:
    head = heading if heading.lstrip().startswith(("#", "=", "[")) else ""
    return fill(lines, scene.pool, head)


class Awaited(Struct, frozen=True):
    """Lines beside a loop, explained once the loop is."""

    lines: tuple[str, ...]


def _late(part: Any, scene: Scene) -> Filled | Loop:
    return _line(list(part.lines), scene, "") if isinstance(part, Awaited) else part


def _looped(one: Stretch, scene: Scene, *, fixed: bool) -> list[Any]:
    """A stretch as a loop with some single lines before and behind it, or as single lines."""
    least = min(map(len, one))
    lists = scene.with_groups()
    failed: OpenHoleError | None = None
    for head, tail in _edges(least):
        middle = [lines[head : len(lines) - tail] for lines in one]
        if not all(middle) and not any(middle):
            continue
        try:
            found = loop(middle, lists, scene.pool, scene.days, scene.numbers)
        except OpenHoleError as error:
            if failed is None or error.solved > failed.solved:
                failed = error
            continue
        before = [Awaited(tuple(lines[at] for lines in one)) for at in range(head)]
        after = [Awaited(tuple(lines[at - tail] for lines in one)) for at in range(tail)]
        return [*before, found, *after]
    if fixed:
        return [Awaited(tuple(lines[at] for lines in one)) for at in range(least)]
    raise failed or OpenHoleError(["\n".join(lines)[:200] for lines in one], "lines")


def _edges(least: int) -> Iterator[tuple[int, int]]:
    found = [
        (a, b)
        for a in range(min(EDGES, least + 1))
        for b in range(min(EDGES, least + 1))
        if a + b <= least
    ]
    yield from sorted(found, key=lambda one: (one[0] + one[1], one))


# -- JSON -------------------------------------------------------------------------------------


def written(texts: Sequence[str], scene: Scene) -> Written | None:
    """The texts as JSON, where all are, in one style of dumping; None where they are not."""
    trees: list[Any] = []
    for text in texts:
        if text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            trees.append(json.loads(text))
        except ValueError:
            return None
    style = _style(texts, trees)
    if style is None:
        return None
    words, ended = style
    return Written(_tree(trees, scene, ""), words, ended)


def _style(texts: Sequence[str], trees: Sequence[Any]) -> tuple[dict[str, Any], bool] | None:
    """How `json.dumps` was told to write all of these."""
    for words in (
        *({"indent": size, "sort_keys": True} for size in (2, 4)), {"sort_keys": True},
        {"indent": 2}, {"indent": 4}, {"indent": 1}, {}, {"separators": (",", ":")},
        {"indent": 2, "ensure_ascii": False}, {"ensure_ascii": False}, {"indent": "\t"},
    ):  # fmt: skip
        for ended in (True, False):
            if all(
                json.dumps(tree, **words) + ("\n" if ended else "") == text  # type: ignore[arg-type]
                for tree, text in zip(trees, texts, strict=True)
            ):
                return words, ended  # type: ignore[return-value]
    return None


def _tree(trees: list[Any], scene: Scene, label: str) -> Any:
    first = trees[0]
    if all(type(tree) is type(first) and tree == first for tree in trees):
        return first
    if all(isinstance(tree, dict) for tree in trees):
        if all(list(tree) == list(first) for tree in trees):
            parts = {key: _tree([tree[key] for tree in trees], scene, key)
                     for key in sorted(first, key=lambda key: not isinstance(first[key], list | dict))}  # fmt: skip
            return {key: parts[key] for key in first}
        return _listed([list(tree.items()) for tree in trees], scene, label, pairs=True)
    if all(isinstance(tree, list) for tree in trees):
        try:
            return _listed(trees, scene, label, pairs=False)
        except OpenHoleError:
            if len({len(tree) for tree in trees}) == 1:
                return [_tree(list(each), scene, label) for each in zip(*trees, strict=True)]
            raise
    return leaf(trees, scene.pool, label)


def leaf(values: Sequence[Any], pool: Pool, label: str) -> Value | Any:
    """A single JSON value."""
    if all(isinstance(value, str) for value in values):
        if len(set(values)) == 1:
            return values[0]
        return Value("", text=fill(values, pool, label))
    texts = tuple(json.dumps(value) for value in values)
    found = [(one, code, cost) for one in pool.expressions for code, cost in _same(one, values)]
    if not found:
        found = [(one, code, cost) for one, code, cost in _computed(pool, values)]
    if not found and pool.openings is not None:
        return Value("", pool.openings.open(texts, label))
    if not found:
        raise OpenHoleError(texts, label)
    found.sort(key=lambda one: (one[2], one[1]))
    best = found[0]
    named = 6 if related(best[0].label, label) else 0
    if bits(texts) + named < 4 + best[2] or len(found) > 8:
        raise OpenHoleError(texts, label)
    others = tuple((Expression(code, (), cost), PLAIN) for _, code, cost in found[1:])
    kept = Expression(best[1], tuple(values), best[2], best[0].label, best[0].uses)
    return Value(best[1], Choice(kept, PLAIN, others))


def _same(one: Expression, values: Sequence[Any]) -> Iterator[tuple[str, float]]:
    """The expression as it is, rounded as the values are, or as the number that it shows."""
    if all(type(a) is type(b) and a == b for a, b in zip(one.values, values, strict=True)):
        yield one.code, one.cost
    elif all(isinstance(value, str) for value in one.values):
        yield from _shown_number(one, values)
    elif all(isinstance(value, float) for value in values) and all(map(_is_number, one.values)):
        yield from _rounded(one, values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rounded(one: Expression, values: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for places in (1, 2, 3, 4):
        if all(round(float(a), places) == b for a, b in zip(one.values, values, strict=True)):
            yield f"round(float({one.code}), {places})", one.cost + 0.4 + places / 10
            return
        if all(round(100 * a, places) == b for a, b in zip(one.values, values, strict=True)):
            yield f"round(100 * {one.code}, {places})", one.cost + 0.8
            return


def _shown_number(one: Expression, values: Sequence[Any]) -> Iterator[tuple[str, float]]:
    for kind in (int, float):
        if all(type(value) is kind for value in values):
            try:
                if all(kind(told) == value for told, value in zip(one.values, values, strict=True)):
                    yield f"{kind.__name__}({one.code})", one.cost + 0.2
            except ValueError:
                return


def _computed(pool: Pool, values: Sequence[Any]) -> Iterator[tuple[Expression, str, float]]:
    if not all(isinstance(value, int | float) for value in values):
        return
    first = values[0]

    def near(value: Any) -> bool:
        return bool(abs(value - first) <= 0.5)

    for one in computed(pool, near):
        for code, cost in _same(one, values):
            yield one, code, cost


def _listed(trees: list[list[Any]], scene: Scene, label: str, *, pairs: bool) -> Any:
    """A list, or the entries of an object, as one item for each row."""
    every = [item for tree in trees for item in tree]
    if len({_form(item) for item in every}) != 1:
        raise OpenHoleError([json.dumps(tree)[:200] for tree in trees], label)
    told = [[_told(item) for item in tree] for tree in trees]
    found = loop(told, scene.with_groups(), scene.pool, scene.days, scene.numbers)
    inner = row_pool(found.rows, found.taken, scene.pool, scene.days, scene.lists)
    scene.pool.add(amounts(found.as_rows))
    if pairs:
        key = leaf([item[0] for item in every], inner, "key")
        return Listed(found, _items([item[1] for item in every], inner), key)
    return Listed(found, _items(every, inner))


def _form(item: Any) -> Any:
    if isinstance(item, dict):
        return tuple(item)
    if isinstance(item, list | tuple):
        return len(item)
    return "leaf"


def _told(item: Any) -> str:
    """An item as a line that a loop over texts understands."""
    if isinstance(item, dict):
        return " | ".join(_told(value) for value in item.values())
    if isinstance(item, list | tuple):
        return " | ".join(_told(value) for value in item)
    return item if isinstance(item, str) else json.dumps(item)


def _items(every: list[Any], pool: Pool) -> Any:
    first = every[0]
    if all(type(item) is type(first) and item == first for item in every):
        return first
    if isinstance(first, dict) and all(
        isinstance(item, dict) and list(item) == list(first) for item in every
    ):
        return {key: _items([item[key] for item in every], pool) for key in first}
    return leaf(every, pool, "")
