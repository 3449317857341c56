"""Which sources all runs of a task read, and what each of them said in each run."""

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from cockpit.architect.blobs import Blobs
from cockpit.architect.commands import program
from cockpit.architect.dates import run_day
from cockpit.architect.effects import Act, effects, text_of
from cockpit.architect.expressions import Pool
from cockpit.architect.filled import Filled, OpenHoleError, code, fill
from cockpit.architect.loops import Loop, loop
from cockpit.architect.operations import Operation, masked, operations, untold
from cockpit.architect.prelude import Record
from cockpit.architect.sources import Slot, derived, lists, slot, values
from cockpit.core.trace import Trace

CHAIN = 3
"""How far one address may hang on the content of another."""
MOST_TEXT = 2_000_000
_HINT = re.compile(r"[A-Za-z][\w.-]{2,30}")


class Run(Struct, frozen=True):
    """A trace read: its day, what it read, what it did."""

    trace: Trace
    day: date
    operations: tuple[Operation, ...]
    acts: tuple[Act, ...]
    given: dict[str, str] = {}
    """The inputs that its prompt told, by name."""

    @property
    def name(self) -> str:
        return self.trace.run

    def masked(self, target: str) -> str:
        """What is read without what differs between runs."""
        return masked(untold(target, self.given.values()))


class Source(Struct, frozen=True):
    """A slot and how it came about; `target` is what is asked, with its own expressions."""

    slot: Slot
    kind: str
    target: tuple[Filled, ...]
    targets: tuple[tuple[str, ...], ...]
    each: Loop | None = None


def reading(trace: Trace, blobs: Blobs, given: dict[str, str] | None = None) -> Run:
    """The run; what its prompt told counts as nothing of its own in the keys of what it did."""
    told = tuple((given or {}).values())
    done = effects(trace, blobs, told)
    return Run(trace, run_day(trace), operations(trace), done, given or {})


def content(run: Run, kind: str, target: str, blobs: Blobs) -> str | None:
    """What a source said in a run; None where nobody kept it or a model wrote it."""
    told = [one for one in run.operations if one.kind == kind and one.target == target]
    if any(one.opaque == "summarised" for one in told):
        return None
    world = run.trace.world
    if kind == "read" and world is not None:
        return text_of(world.before.files.get(target), blobs)
    if kind == "list" and world is not None:
        return _listing(world.before.files, target)
    if kind == "get" and world is not None and world.fetches:
        return _fetched(run, target, blobs)
    return next((one.output for one in told if not one.opaque), None)


def _listing(files: Iterable[str], folder: str) -> str | None:
    prefix = "" if folder == "." else folder + "/"
    names = [path[len(prefix) :] for path in files if path.startswith(prefix)]
    direct = sorted(name for name in names if "/" not in name and not name.startswith("."))
    return "".join(f"{name}\n" for name in direct) if names else None


def _fetched(run: Run, url: str, blobs: Blobs) -> str | None:
    world = run.trace.world
    assert world is not None
    for one in reversed(world.fetches):
        if one.method == "GET" and _same_page(one.url, url):
            if one.status != 200:
                return None
            try:
                return blobs.get(one.body).decode("utf-8")
            except (KeyError, UnicodeDecodeError):
                return None
    return None


def _same_page(one: str, other: str) -> bool:
    return one == other or one.rstrip("/") == other.rstrip("/")


# -- sources ----------------------------------------------------------------------------------


def sources(runs: Sequence[Run], pool: Pool, blobs: Blobs) -> list[Source]:
    """What every run read, whose address follows from what is known before it."""
    found: list[Source] = []
    left = [one for one in _aligned(runs, blobs) if len(one[1][0]) <= 300]
    for _ in range(CHAIN):
        again: list[tuple[str, tuple[str, ...]]] = []
        for kind, targets in left:
            one = _source(runs, kind, targets, pool, blobs, {one.slot.name for one in found})
            if one is None:
                again.append((kind, targets))
            else:
                found.append(one)
        for one in found:
            told = list(values(one.slot))
            pool.add(told)
            pool.add(derived(told, pool.days))
        if len(again) == len(left):
            break
        left = again
    return [*found, *_for_each(runs, found, pool, blobs)]


def _for_each(
    runs: Sequence[Run], found: Sequence[Source], pool: Pool, blobs: Blobs
) -> Iterator[Source]:
    """Pages of one sort of which a list of an earlier source tells the addresses."""
    known = [rows for one in found for rows in lists(one.slot)]
    asked = {words for one in found for each in one.targets for words in each}
    columns = [_by_key(run, blobs) for run in runs]
    for key in dict.fromkeys(key for column in columns for key in column):
        each = [column.get(key, []) for column in columns]
        if (
            not key.startswith("get ")
            or not all(each)
            or {url for urls in each for url in urls} & asked
        ):
            continue
        pages = [[content(run, "get", url, blobs) or "" for url in urls]
                 for run, urls in zip(runs, each, strict=True)]  # fmt: skip
        parsed = tuple(_objects(bodies) for bodies in pages)
        if any(not one for one in parsed):
            continue
        try:
            rows = loop(each, known, pool, pool.days, ())
        except OpenHoleError:
            continue
        taken = {one.slot.name for one in found}
        name = _name("get", each[0][0], taken)
        shown = "".join(part if isinstance(part, str) else "*" for part in rows.line.parts)
        call = f"[data(get({code(rows.line)})) for row in {rows.selection.code}]"
        words = tuple(tuple(urls) for urls in each)
        yield Source(
            Slot(name, call, ("",) * len(runs), "each", parsed, shown), "get", (), words, rows
        )


def _objects(bodies: Sequence[str]) -> list[Any]:
    """The pages as objects; nothing where one is none."""
    try:
        told = [json.loads(body, object_hook=Record) for body in bodies]
    except ValueError:
        return []
    return told if all(isinstance(one, dict) for one in told) else []


def _aligned(runs: Sequence[Run], blobs: Blobs) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Kind and target of what is read in all runs under the same key, in the order of the first."""
    each = [_by_key(run, blobs) for run in runs]
    keys = dict.fromkeys(key for one in each for key in one)
    for key in keys:
        kind = key.partition(" ")[0]
        columns = [one.get(key, []) for one in each]
        touched = sum(map(bool, columns))
        if touched < len(runs):
            columns = _everywhere(runs, kind, columns, blobs) if touched >= 2 else []
        sizes = {len(column) for column in columns}
        if len(sizes) == 1 and 0 < min(sizes) <= 12:
            for targets in zip(*(sorted(column) for column in columns), strict=True):
                yield kind, tuple(targets)


def _by_key(run: Run, blobs: Blobs) -> dict[str, list[str]]:
    """The targets that a run read, by what they are like."""
    found: dict[str, list[str]] = {}
    for one in run.operations:
        kinds = [(one.kind, one.target)] if one.kind in ("get", "read", "list", "query") else []
        if one.kind in ("move", "copy"):
            folder = posixpath.dirname(one.target) or "."
            kinds = (
                [("list", folder), ("read", one.target)]
                if one.kind == "copy"
                else [("list", folder)]
            )
        for kind, target in kinds:
            if kind == "query" and not _replayable(one):
                continue
            key = f"{kind} {run.masked(target)}" if kind != "query" else run.masked(one.key)
            if target not in found.get(key, []) and content(run, kind, target, blobs) is not None:
                found.setdefault(key, []).append(target)
    for act in run.acts:
        if act.kind == "write" and act.before is not None:
            key = f"read {run.masked(act.words[0])}"
            if act.words[0] not in found.get(key, []):
                found.setdefault(key, []).append(act.words[0])
    return found


def _replayable(one: Operation) -> bool:
    """A single command that a script may run for its output; files are better read."""
    return bool(one.argv) and " | " not in one.target and program(one.argv) == "git"


def _everywhere(
    runs: Sequence[Run], kind: str, columns: list[list[str]], blobs: Blobs
) -> list[list[str]]:
    """A file of constant name that some runs read and all have."""
    names = {name for column in columns for name in column}
    if kind not in ("read", "list") or len(names) != 1:
        return []
    name = next(iter(names))
    if all(content(run, kind, name, blobs) is not None for run in runs):
        return [[name] for _ in runs]
    return []


def _source(
    runs: Sequence[Run],
    kind: str,
    targets: tuple[str, ...],
    pool: Pool,
    blobs: Blobs,
    taken: set[str],
) -> Source | None:
    texts = tuple(
        content(run, kind, target, blobs) for run, target in zip(runs, targets, strict=True)
    )
    if any(text is None or len(text) > MOST_TEXT for text in texts):
        return None
    words: list[tuple[str, ...]] = [(target,) for target in targets]
    if kind == "query":
        words = [
            next(one.argv for one in run.operations if one.kind == kind and one.target == target)
            for run, target in zip(runs, targets, strict=True)
        ]
        if len({len(each) for each in words}) != 1:
            return None
    try:
        asked = tuple(fill(column, pool) for column in zip(*words, strict=True))
    except OpenHoleError:
        return None
    function = {"get": "get", "read": "read", "list": "names", "query": "run"}[kind]
    wrap = "name" if kind in ("read", "list") else ""
    call = f"{function}({', '.join(code(one, wrap) for one in asked)})"
    plain = untold(targets[0], runs[0].given.values()).replace("<I>", "")
    name = _name(kind, plain, taken)
    told = tuple(text for text in texts if text is not None)
    shown = "".join(part if isinstance(part, str) else "*" for part in asked[-1].parts)
    return Source(slot(name, call, told, shown, listing=kind == "list"), kind, asked, tuple(words))


_RESERVED = frozenset(
    """
    day row rows text name names get read run write copy move data table lines total mean check
    agree drift number first field groups items ranked known above below back shifted iso slug stem
    all any abs isinstance enumerate cell expect chosen pick inner_path fitting matches date timedelta json csv re os sys io start main promises command append iso format
    str int float len sum max min round sorted list dict set print open input id hash type for in
    is if else and or not def class return import from as with while try pass lambda none true false
    """.split()  # noqa: SIM905
)


def _name(kind: str, target: str, taken: set[str]) -> str:
    """A name for a variable, from what is read."""
    if kind == "query":
        told = "_".join(target.split()[:2])
    elif kind == "get":
        place = urlsplit(target)
        words = [word for word in place.path.split("/") if re.search(r"[a-zA-Z]{3,}", word)]
        told = words[-1] if words else place.netloc
    else:
        told = posixpath.basename(target) or "here"
    plain = re.sub(r"\.\w{1,5}$", "", told)
    plain = re.sub(r"[^a-zA-Z]+", "_", plain).strip("_").lower()[:24].strip("_") or "source"
    if plain in _RESERVED:
        plain += "_source"
    free, count = plain, 2
    while free in taken:
        free, count = f"{plain}_{count}", count + 1
    return free


def hints(runs: Iterable[Run]) -> set[str]:
    """Words that the agents themselves put into their commands: what they looked for."""
    found: set[str] = set()
    for run in runs:
        for one in run.operations:
            if one.kind in ("query", "compute"):
                for word in one.argv:
                    found |= set(_HINT.findall(word)) if len(word) < 2_000 else set()
    return {word for word in found if len(word) <= 24 and "." not in word}


def numbers(runs: Sequence[Run]) -> tuple[float, ...]:
    """Numbers that tasks mention, in their words or their commands' words."""
    found: set[float] = set()
    for run in runs:
        text = re.sub(r"\d{4}-\d{2}-\d{2}", " ", " ".join(run.trace.prompts))
        found |= {
            float(one) for one in re.findall(r"(?<![\w.-])\d{1,9}(?:\.\d{1,6})?(?![\w-])", text)
        }
    return tuple(sorted(found))
