"""What becomes of a world: changes that a script meets some day, each with the truth of a tidy agent."""

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cockpit.core.trace import Tree
from tests.families.family import Occasion, truth
from tests.families.place import Place
from tests.families.web import Page

Change = Callable[[Any, random.Random], Any]


def _leaves(told: Any, here: tuple = ()) -> Iterator[tuple]:
    if isinstance(told, dict):
        for key in told:
            yield from _leaves(told[key], (*here, key))
    elif isinstance(told, list):
        for place in range(len(told)):
            yield from _leaves(told[place], (*here, place))
    elif here:
        yield here


def _at(told: Any, path: tuple) -> Any:
    for step in path:
        told = told[step]
    return told


def _pick(told: Any, chance: random.Random, fits: Callable[[Any], bool]) -> tuple | None:
    found = [path for path in _leaves(told) if fits(_at(told, path))]
    return chance.choice(found) if found else None


def _lists(told: Any) -> Iterator[list]:
    if isinstance(told, list):
        yield told
    for inner in (
        told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    ):
        yield from _lists(inner)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaf(fits: Callable[[Any], bool], new: Callable[[Any], Any]) -> Change:
    def change(told: Any, chance: random.Random) -> Any:
        path = _pick(told, chance, fits)
        if path is None:
            return None
        _at(told, path[:-1])[path[-1]] = new(_at(told, path))
        return told

    return change


def _list(new: Callable[[list, random.Random], None]) -> Change:
    def change(told: Any, chance: random.Random) -> Any:
        found = [one for one in _lists(told) if one]
        if not found:
            return None
        new(chance.choice(found), chance)
        return told

    return change


def _renamed(told: Any, chance: random.Random) -> Any:
    keys = [path for path in _leaves(told) if isinstance(path[-1], str)]
    if not keys:
        return None
    path = chance.choice(keys)
    inner = _at(told, path[:-1])
    inner[f"new_{path[-1]}"] = inner.pop(path[-1])
    return told


def _swapped(told: Any, chance: random.Random) -> Any:
    """Two values of one object change places: the twins part."""
    for path in chance.sample(all_paths := list(_leaves(told)), len(all_paths)):
        inner = _at(told, path[:-1])
        same = (
            [key for key in inner if key != path[-1] and type(inner[key]) is type(inner[path[-1]])]
            if isinstance(inner, dict)
            else []
        )
        if same:
            other = chance.choice(same)
            inner[path[-1]], inner[other] = inner[other], inner[path[-1]]
            return told
    return None


DOCUMENTS: dict[str, Change] = {
    "wrapped": lambda told, _: {"data": told},
    "error instead": lambda _told, _: {"error": "rate limited"},
    "renamed key": _renamed,
    "null": _leaf(lambda value: value is not None, lambda _: None),
    "number as text": _leaf(_number, str),
    "all numbers as text": lambda told, _: _each(told, lambda value: str(value) if _number(value) else value),
    "hundredfold": _leaf(_number, lambda value: value * 100),
    "negative": _leaf(_number, lambda value: -value),
    "zero": _leaf(_number, lambda _: 0),
    "more digits": _leaf(lambda value: isinstance(value, float), lambda value: value + 0.00012345),
    "other text": _leaf(lambda value: isinstance(value, str) and not value[:4].isdigit(), lambda value: value + "-2"),
    "hostile text": _leaf(lambda value: isinstance(value, str), lambda _: "; rm -rf ~ #$(id)\n../../x"),
    "stale date": lambda told, _: _stale(told),
    "emptied list": _list(lambda rows, _: rows.clear()),
    "one row": _list(lambda rows, _: rows.__delitem__(slice(1, None))),
    "thrice the rows": _list(lambda rows, _: rows.extend([*rows, *rows])),
    "rows shuffled": _list(lambda rows, chance: chance.shuffle(rows)),
    "row doubled": _list(lambda rows, _: rows.append(rows[0])),
    "new key": lambda told, _: told | {"version": 3} if isinstance(told, dict) else None,
    "values swapped": _swapped,
}  # fmt: skip


def _each(told: Any, new: Callable[[Any], Any]) -> Any:
    if isinstance(told, dict):
        return {key: _each(value, new) for key, value in told.items()}
    return [_each(one, new) for one in told] if isinstance(told, list) else new(told)


def _stale(told: Any) -> Any:
    text = json.dumps(told)
    other = re.sub(r"20\d\d-\d\d-\d\d", "2025-10-07", text)
    return json.loads(other) if other != text else None


def _lines(
    new: Callable[[list[str], random.Random], list[str] | None],
) -> Callable[[str, random.Random], str | None]:
    def change(text: str, chance: random.Random) -> str | None:
        lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        changed = new(lines, chance) if len(lines) > 1 else None
        return None if changed is None else "\n".join(changed) + "\n"

    return change


TEXTS: dict[str, Callable[[str, random.Random], str | None]] = {
    "empty": lambda _text, _: "",
    "half": lambda text, _: text[: len(text) // 2],
    "line ends of Windows": lambda text, _: text.replace("\n", "\r\n"),
    "html page": lambda _text, _: "<html><body>Please sign in</body></html>\n",
    "last row cut": lambda text, _: text[: -1 - (len(text.split("\n")[-2]) + 1) // 2] if text.count("\n") > 2 else None,
    "header renamed": _lines(lambda lines, _: ["x" + lines[0], *lines[1:]]),
    "header only": _lines(lambda lines, _: lines[:1]),
    "line doubled": _lines(lambda lines, _: [*lines, lines[-1]]),
    "lines turned round": _lines(lambda lines, _: [lines[0], *reversed(lines[1:])]),
    "column more": _lines(lambda lines, _: [line + ",1" for line in lines] if "," in lines[0] else None),
    "columns swapped": _lines(lambda lines, _: [",".join(reversed(line.split(","))) for line in lines] if "," in lines[0] else None),
    "dates older": lambda text, _: other if (other := re.sub(r"20\d\d-\d\d-\d\d", "2025-10-07", text)) != text else None,
    "words for numbers": lambda text, _: re.sub(r"\d+", "many", text, count=1) if re.search(r"\d", text) else None,
}  # fmt: skip
STATUSES = {"status 500": 500, "status 404": 404, "status 403": 403}


def changed(
    occasion: Occasion,
    used: frozenset[str],
    reads: Callable[[str], bool],
    chance: random.Random,
    blobs,
) -> Iterator[tuple[str, dict[str, Page], Tree]]:
    """The world of an occasion as it might be: a name, its web, its files. `used` are addresses asked, `reads` tells files."""
    before = occasion.trace.world.before
    for key in sorted(occasion.pages):
        if key.partition(" ")[2] in used:
            for name, page in _pages(occasion.pages[key], chance):
                yield f"{name} at {key}", occasion.pages | {key: page}, before
    for path in sorted(before.files):
        if reads(path):
            for name, body in _files(blobs.get(before.files[path].content), chance):
                files = {one: file for one, file in before.files.items() if one != path}
                if body is not None:
                    files[path] = type(before.files[path])(
                        blobs.put(body), len(body), before.files[path].mode
                    )
                yield f"{name} in {path}", occasion.pages, Tree(files)


def _pages(page: Page, chance: random.Random) -> Iterator[tuple[str, Page]]:
    for name, status in STATUSES.items():
        yield name, Page(b'{"error": "no"}', status, page.kind)
    for name, body in _bodies(page.body, chance):
        yield name, Page(body, page.status, page.kind)


def _files(content: bytes, chance: random.Random) -> Iterator[tuple[str, bytes | None]]:
    yield "missing", None
    yield from _bodies(content, chance)


def _bodies(body: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    text = body.decode("utf-8", "replace")
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict | list):
        for name, change in DOCUMENTS.items():
            new = change(json.loads(body), chance)
            if new is not None and json.dumps(new) != json.dumps(document):
                yield name, json.dumps(new).encode()
    for name, rewrite in TEXTS.items():
        if document is None or name in ("empty", "half", "html page"):
            other = rewrite(text, chance)
            if other is not None and other != text:
                yield name, other.encode()


def truth_of(
    occasion: Occasion, base: Path, web, pages: dict[str, Page], before: Tree, blobs
) -> Tree | None:
    """What a tidy agent would leave; None where the task cannot be done in such a world."""
    place = Place(base, occasion.family.folder, web, blobs)
    place.restore(before)
    web.pages = dict(pages)
    try:
        return truth(occasion.family, place, occasion.day)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, OSError):
        return None
