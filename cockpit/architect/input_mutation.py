"""Gate V4: worlds that went wrong. A script that meets one of them may do anything but say that all is well.

A mutation changes one source of a recorded run: the body or the status of a fetch, or a file. Those that are
strict must end the script; the others must either end it or leave its result as it was.
"""

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect.blobs import Blobs
from cockpit.architect.stage import GIT, covered, uses_git
from cockpit.core.script import Capabilities
from cockpit.core.trace import File, Trace, Tree, World

Json = Any
Place = tuple[str | int, ...]
LOGIN = (
    b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1>"
    b"<form method=post><input name=user><input name=password type=password></form></body></html>\n"
)
RARE = ("emptied", "nought", "one")
"""Changes that are none where a run met nothing or a single one of a thing."""
REFERENCE = f"{GIT}HEAD"
LEAVES = 24
"""So many values of one document are tried one by one."""


class Mutation(Struct, frozen=True, kw_only=True):
    """A changed world; `strict` where a script that goes on is wrong whatever it makes."""

    name: str
    world: World
    strict: bool = False


class Change(Struct, frozen=True):
    """One content that became another."""

    name: str
    body: bytes
    strict: bool = False


class Known(Struct, frozen=True):
    """What the runs already met, so that it is no surprise: empty or single rows, no text, 0 or 1, failing hosts.

    `fresh` are the places in documents that named the day of the run in every run, `always` the files
    (masked) that every run found.
    """

    empty: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()


def masked(path: str) -> str:
    """A path without its numbers: a file of each day is one file."""
    return re.sub(r"\d+", "0", path)


def mutations(
    world: World,
    day: date,
    capabilities: Capabilities,
    asked: Collection[str],
    known: Known,
    blobs: Blobs,
) -> Iterator[Mutation]:
    """The worlds that this one may become; `asked` are the addresses that the script really asked."""
    for place, fetch in enumerate(world.fetches):
        if fetch.url in asked and fetch.status < 400 and _last(world, place):
            yield from _fetches(world, place, day, known, blobs)
    for path, file in world.before.files.items():
        if covered(path, capabilities.read) and not path.startswith(GIT):
            yield from _files(world, path, file, day, known, blobs)
    if uses_git(capabilities) and REFERENCE in world.before.files:
        yield from _repositories(world, capabilities, blobs)


def _repositories(world: World, capabilities: Capabilities, blobs: Blobs) -> Iterator[Mutation]:
    """No repository at all; for who only looks at it, also one without a commit."""
    files = world.before.files
    plain = {path: file for path, file in files.items() if not path.startswith(GIT)}
    yield Mutation(name="no repository", world=replace(world, before=Tree(plain)), strict=True)
    if "git commit" not in capabilities.commands:
        nowhere = b"ref: refs/heads/nobody-was-here\n"
        head = File(blobs.put(nowhere), len(nowhere), files[REFERENCE].mode)
        world_then = replace(world, before=Tree(files | {REFERENCE: head}))
        yield Mutation(name="a repository without a commit", world=world_then)


def _last(world: World, place: int) -> bool:
    """Whether no later fetch of the same address replaces it."""
    one = world.fetches[place]
    return not any(
        (one.method, one.url) == (later.method, later.url) and later.status < 400
        for later in world.fetches[place + 1 :]
    )


def _fetches(world: World, place: int, day: date, known: Known, blobs: Blobs) -> Iterator[Mutation]:
    fetch = world.fetches[place]
    others = tuple(one for one in world.fetches if one.url != fetch.url)
    if urlsplit(fetch.url).netloc not in known.failing:
        for status in (500, 403):
            failing = replace(fetch, status=status, body=blobs.put(b'{"error": "no"}'))
            world_then = replace(world, fetches=(*others, failing))
            yield Mutation(name=f"status {status} of {fetch.url}", world=world_then, strict=True)
    for change in bodies(blobs.get(fetch.body), day, known):
        new = replace(fetch, body=blobs.put(change.body))
        world_then = replace(world, fetches=(*others, new))
        yield Mutation(name=f"{change.name} of {fetch.url}", world=world_then, strict=change.strict)


def _files(
    world: World, path: str, file: File, day: date, known: Known, blobs: Blobs
) -> Iterator[Mutation]:
    others = {name: one for name, one in world.before.files.items() if name != path}
    if masked(path) in known.always:
        yield Mutation(name=f"missing {path}", world=replace(world, before=Tree(others)))
    for change in bodies(blobs.get(file.content), day, known):
        new = File(blobs.put(change.body), len(change.body), file.mode)
        world_then = replace(world, before=Tree(others | {path: new}))
        yield Mutation(name=f"{change.name} of {path}", world=world_then)


def bodies(body: bytes, day: date, known: Known) -> Iterator[Change]:
    """What a content may become."""
    yield Change("html page instead", LOGIN)
    if body and "" not in known.empty:
        yield Change("nothing", b"")
    if half := body[: len(body) // 2].rstrip(b"\r\n"):
        yield Change("half", half)
    try:
        told = json.loads(body)
    except ValueError:
        yield from _texts(body)
        return
    if isinstance(told, dict | list):
        yield from documents(told, day, known)


def _texts(body: bytes) -> Iterator[Change]:
    if b"\n" in body and b"\r" not in body:
        yield Change("line ends of Windows", body.replace(b"\n", b"\r\n"))
    lines = body.split(b"\n")
    if len(lines) > 3 and body.endswith(b"\n") and len(lines[-2]) > 3:
        yield Change("last line cut in half", body[: -1 - (len(lines[-2]) + 1) // 2])
    if header := _header(body):
        for place, name in enumerate(header):
            names = [*header[:place], f"x_{name}", *header[place + 1 :]]
            yield Change(f"renamed column {name}", _with_header(body, names))
        yield Change("only the header", lines[0] + b"\n")


def _header(body: bytes) -> list[str]:
    """The names of a table's columns, where it looks like one."""
    try:
        rows = list(csv.reader(io.StringIO(body.decode())))
    except (UnicodeDecodeError, csv.Error):
        return []
    if (
        len(rows) < 2
        or not 2 <= len(rows[0]) <= 12
        or any(len(row) != len(rows[0]) for row in rows)
    ):
        return []
    return rows[0] if all(name.replace("_", "").isalpha() for name in rows[0]) else []


def _with_header(body: bytes, names: list[str]) -> bytes:
    return ",".join(names).encode() + b"\n" + body.partition(b"\n")[2]


# Documents.


def documents(told: Json, day: date, known: Known) -> Iterator[Change]:
    """Another document in place of this one."""
    yield Change("wrapped", _json({"data": told}))
    yield Change("error instead", _json({"error": "rate limited", "status": 429}))
    yield from _recounted(told, known)
    for path in list(_paths(told))[:LEAVES]:
        value = _at(told, path)
        name = dotted(path)
        if isinstance(path[-1], str):
            yield Change(f"renamed {name}", _json(_put(told, path, value, rename=True)))
        yield Change(f"null {name}", _json(_put(told, path, None)))
        for what, other in _others(value, day, fresh=name in known.fresh):
            if name not in known.empty or what not in RARE:
                body = _json(_put(told, path, other))
                yield Change(f"{what} {name}", body, strict=what == "stale")


def _recounted(told: Json, known: Known) -> Iterator[Change]:
    """Fewer rows than ever, and the numbers that count them say so too."""
    for path in list(_paths(told)):
        rows = _at(told, path)
        if not isinstance(rows, list) or len(rows) < 2 or dotted(path) in known.empty:
            continue
        counts = [other for other in _paths(told) if _is_count(_at(told, other), len(rows))]
        for kept in (0, 1) if counts else ():
            other = _put(told, path, rows[:kept])
            for count in counts:
                other = _put(other, count, kept)
            yield Change(f"{kept} rows of {dotted(path)}, counted,", _json(other))


def _is_count(value: Json, length: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == length


def _json(told: Json) -> bytes:
    return json.dumps(told).encode()


def dotted(path: Place) -> str:
    """The name of a place; rows of a list share one."""
    return ".".join("*" if isinstance(step, int) else step for step in path)


def _others(value: Json, day: date, *, fresh: bool) -> Iterator[tuple[str, Json]]:
    match value:
        case bool():
            return
        case int() | float():
            yield "text for number", str(value)
            if isinstance(value, int):
                yield "nought", 0
                yield "one", 1
        case list() if value:
            yield "emptied", []
        case str() if fresh:
            stale = (day - timedelta(days=7)).isoformat()
            yield "stale", value.replace(day.isoformat(), stale)
        case str() if value:
            yield "emptied", ""


def _paths(told: Json, here: Place = ()) -> Iterator[Place]:
    """The places of a document; of a list only its first and its last."""
    if here:
        yield here
    if isinstance(told, dict):
        for key in told:
            yield from _paths(told[key], (*here, key))
    elif isinstance(told, list) and told:
        for place in sorted({0, len(told) - 1}):
            yield from _paths(told[place], (*here, place))


def _at(told: Json, path: Place) -> Json:
    found: Json = told
    for step in path:
        found = found[step]
    return found


def _put(told: Json, path: Place, value: Json, *, rename: bool = False) -> Json:
    """A copy of the document with another value, or another name, at a place."""
    step, rest = path[0], path[1:]
    inner = _put(_at(told, path[:1]), rest, value, rename=rename) if rest else value
    if isinstance(told, list):
        return [inner if place == step else one for place, one in enumerate(told)]
    name = f"x_{step}" if rename and not rest else step
    return {name if key == step else key: inner if key == step else told[key] for key in told}


def known(traces: Sequence[Trace], days: Sequence[date], blobs: Blobs) -> Known:
    """What these runs met."""
    empty: set[str] = set()
    failing: set[str] = set()
    fresh: list[set[str]] = []
    files = [{masked(path) for path in one.world.before.files} for one in traces if one.world]
    for trace, day in zip(traces, days, strict=True):
        world = trace.world
        if world is None:
            continue
        failing |= {urlsplit(one.url).netloc for one in world.fetches if one.status >= 500}
        bodies = [blobs.get(one.body) for one in world.fetches if one.status < 400]
        empty |= {"" for body in bodies if not body}
        told = [one for one in map(_document, bodies) if one is not None]
        places = [(dotted(path), _at(one, path)) for one in told for path in _paths(one)]
        empty |= {name for name, value in places if value in ([], "", 0, 1) or _short(value)}
        dates = [(name, value) for name, value in places if _begins_with_date(value)]
        stale = {name for name, value in dates if not value.startswith(day.isoformat())}
        fresh.append({name for name, _ in dates} - stale)
    return Known(
        empty=frozenset(empty),
        failing=frozenset(failing),
        fresh=frozenset(set.intersection(*fresh) if fresh else set()),
        always=frozenset(set.intersection(*files) if files else set()),
    )


def _short(value: Json) -> bool:
    return isinstance(value, list) and len(value) == 1


def _document(body: bytes) -> Json:
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told if isinstance(told, dict | list) else None


def _begins_with_date(value: Json) -> bool:
    return isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}", value) is not None
