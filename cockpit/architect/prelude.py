"""What every compiled script stands on. The parts that a script uses are copied below its body.

Standard library only. The clock is the day given by --date, the web is a broker's socket or a
cassette, files lie below the current directory, and whatever is not as it was learned is Drift.
"""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import argparse
import csv
import hashlib
import http.client
import io
import itertools
import json
import logging
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

DONE, BUG, DRIFT, UNAVAILABLE, DENIED = 0, 1, 3, 4, 5
LIMIT = 50_000_000
log = logging.getLogger("script")


class Stop(Exception):  # noqa: N818  (also the end of a day without work)
    """The end of a script before its end: with an exit code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def drift(reason: str) -> Any:
    """The world is not as it was in the runs that this script was made from."""
    raise Stop(DRIFT, reason)


def check(right: object, reason: str) -> None:
    if not right:
        drift(reason)


def agree(one: object, other: object, reason: str) -> None:
    """Two explanations fitted every run; while they agree it does not matter which one is right."""
    if one != other:
        drift(f"{reason}: {str(one)[:80]!r} is not {str(other)[:80]!r}")


def nothing(reason: str) -> Any:
    """There is nothing to do today."""
    STATE.skipped.append(reason)
    raise Stop(DONE, reason)


class State:
    """What this run was told to do and did."""

    def __init__(self) -> None:
        self.dry = False
        self.cassette: dict[str, Any] = {}
        self.folder = Path()
        self.sources: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.changed = 0

    def recorded(self, key: str) -> bytes | None:
        """The answer of the cassette, None where it has none."""
        entry = self.cassette.get(key)
        if entry is None:
            return None
        if entry.get("status", 200) != 200:
            refused(int(entry["status"]), key)
        return Path(self.folder / entry["body"]).read_bytes()

    def source(self, name: str, body: bytes) -> str:
        """Remembers a source; its text."""
        self.sources.append({"id": name, "sha256": hashlib.sha256(body).hexdigest()})
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return str(drift(f"{name} is no text"))


STATE = State()


# -- reading ----------------------------------------------------------------------------------


class Broker(http.client.HTTPConnection):
    """HTTP by the unix socket of the broker, which decides what may be asked."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(os.environ["COCKPIT_BROKER"])


def refused(status: int, key: str) -> None:
    if status in (408, 425, 429) or status >= 500:
        raise Stop(UNAVAILABLE, f"{key}: status {status}")
    drift(f"{key}: status {status}")


def get(url: str) -> str:
    """The body of a page."""
    if not re.fullmatch(r"https?://[!-~]+", url):
        drift(f"not an address: {url[:200]!r}")
    key = f"get {url}"
    body = STATE.recorded(key)
    if body is None and STATE.folder != Path():
        drift(f"not in the cassette: {key}")
    return STATE.source(url, asked(url) if body is None else body)


def asked(url: str) -> bytes:
    if "COCKPIT_BROKER" not in os.environ:
        raise Stop(DENIED, "there is no broker to ask")
    try:
        broker = Broker("broker", timeout=60)
        broker.request("GET", url)
        answer = broker.getresponse()
        body = answer.read(LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise Stop(UNAVAILABLE, f"{url}: {error}") from error
    if answer.getheader("X-Cockpit-Denied"):
        raise Stop(DENIED, f"{url}: {answer.getheader('X-Cockpit-Denied')}")
    if answer.status != 200:
        refused(answer.status, url)
    return body


def inside(path: str) -> Path:
    """The file below the current directory; nothing else is ever opened."""
    here = Path.cwd()
    full = (here / path).resolve()
    if here != full and here not in full.parents:
        raise Stop(DENIED, f"outside of the workspace: {path!r}")
    return full


def read(path: str) -> str:
    """The text of a file, with the line ends of Unix."""
    body = STATE.recorded(f"read {path}")
    if body is None:
        file = inside(path)
        if not file.is_file():
            drift(f"there is no file {path}")
        body = file.read_bytes()
    text = STATE.source(path, body)
    check("\r" not in text, f"{path} has other line ends")
    return text


def names(folder: str) -> list[str]:
    """The files of a folder by name, without those that begin with a dot."""
    told = STATE.recorded(f"list {folder}")
    if told is not None:
        return sorted(told.decode().splitlines())
    where = inside(folder)
    if not where.is_dir():
        drift(f"there is no folder {folder}")
    return sorted(
        one.name for one in where.iterdir() if one.is_file() and not one.name.startswith(".")
    )


def run(*argv: str) -> str:
    """What a command that changes nothing prints."""
    key = shlex.join(argv)
    body = STATE.recorded(f"run {key}")
    if body is None:
        body = executed(argv)
    return STATE.source(key, body)


def executed(argv: tuple[str, ...]) -> bytes:
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    except FileNotFoundError:
        raise Stop(DENIED, f"there is no program {argv[0]}") from None
    if done.returncode:
        drift(
            f"{shlex.join(argv)}: exit {done.returncode}: {done.stderr[-300:].decode('utf-8', 'replace')}"
        )
    return done.stdout


# -- writing ----------------------------------------------------------------------------------


def written() -> int:
    """How many files are other than they were."""
    return STATE.changed


def write(path: str, text: str, rows: int | None = None) -> None:
    """The whole text of a file, put there in one step; nothing where it is so already."""
    file, body = inside(path), text.encode("utf-8")
    same = file.is_file() and file.read_bytes() == body
    told: dict[str, Any] = {"path": path, "sha256": hashlib.sha256(body).hexdigest()}
    STATE.outputs.append(told | ({} if rows is None else {"rows": rows}))
    if same:
        STATE.skipped.append(f"{path} is so already")
        return
    STATE.changed += 1
    if STATE.dry:
        log.info("would write %s, %d bytes", path, len(body))
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.draft")
    draft.write_bytes(body)
    if file.exists():
        draft.chmod(file.stat().st_mode & 0o777)
    draft.replace(file)
    log.info("wrote %s, %d bytes", path, len(body))


def append(path: str, text: str) -> None:
    """Adds the text at the end, once: nothing where the file ends with it already."""
    file = inside(path)
    old = file.read_bytes().decode("utf-8") if file.is_file() else ""
    write(path, old if old.endswith(text) else old + text)


def copy(path: str, target: str) -> None:
    body = (
        inside(path).read_bytes() if inside(path).is_file() else drift(f"there is no file {path}")
    )
    file = inside(target)
    if file.is_file() and file.read_bytes() == body:
        STATE.skipped.append(f"{target} is so already")
        return
    STATE.changed += 1
    STATE.outputs.append({"path": target, "sha256": hashlib.sha256(body).hexdigest()})
    if not STATE.dry:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.draft")
        draft.write_bytes(body)
        draft.chmod(inside(path).stat().st_mode & 0o777)
        draft.replace(file)


def move(path: str, target: str) -> None:
    source, file = inside(path), inside(target)
    if not source.is_file():
        drift(f"there is no file {path}")
    check(not file.exists(), f"{target} is there already")
    STATE.changed += 1
    STATE.outputs.append(
        {"path": target, "sha256": hashlib.sha256(source.read_bytes()).hexdigest()}
    )
    if not STATE.dry:
        file.parent.mkdir(parents=True, exist_ok=True)
        source.replace(file)


def command(*argv: str) -> None:
    """A command of which the effect is wanted."""
    if STATE.dry:
        log.info("would run %s", shlex.join(argv))
        return
    log.info("run %s", shlex.join(argv))
    executed(argv)


# -- values -----------------------------------------------------------------------------------


class Record(dict[str, Any]):
    """A JSON object; a key that is missing is drift."""

    def __missing__(self, key: str) -> Any:
        return drift(f"no {key!r} among {sorted(map(str, self))[:8]}")


def data(text: str) -> Any:
    """A JSON text."""
    try:
        return json.loads(text, object_hook=Record, parse_constant=drift)
    except ValueError:
        return drift(f"no JSON: {text[:60]!r}")


def table(text: str, mark: str = ",") -> list[Record]:
    """The rows of a table with a header; every one complete, the last one ended."""
    check(text.endswith("\n"), "the table is cut off")
    rows = list(csv.reader(io.StringIO(text), delimiter=mark, strict=True))
    check(rows and len(set(rows[0])) == len(rows[0]), "the table has no header")
    check(all(len(row) == len(rows[0]) for row in rows), "a row of the table is not complete")
    return [Record(zip(rows[0], row, strict=True)) for row in rows[1:]]


def lines(text: str) -> list[str]:
    """The lines that are not empty; the last one must be ended."""
    check(not text or text.endswith("\n"), "the text is cut off")
    return [line for line in text.split("\n") if line]


def setting(text: str, key: str, mark: str) -> str:
    """The value of the only line `key mark value`."""
    found = [
        line.partition(mark)[2].strip()
        for line in text.split("\n")
        if mark in line and line.partition(mark)[0].strip() == key
    ]
    return found[0] if len(found) == 1 else str(drift(f"{len(found)} lines for {key!r}"))


def between(text: str, before: str, after: str) -> str:
    """What stands between two texts; the first must be there once."""
    check(text.count(before) == 1, f"{before!r} is there {text.count(before)} times")
    rest = text.partition(before)[2]
    check(after in rest or not after, f"nothing ends with {after!r}")
    return rest.partition(after)[0] if after else rest


def pick(rows: Iterable[Any], key: str, value: object) -> Any:
    """The only row that has the value."""
    found = [row for row in rows if row[key] == value]
    return found[0] if len(found) == 1 else drift(f"{len(found)} rows with {key} = {value!r}")


def chosen(rows: Iterable[Any], key: str, value: object) -> list[Any]:
    """The rows that have the value, of which there is one at least."""
    found = [row for row in rows if row[key] == value]
    return found or list(drift(f"no rows with {key} = {value!r}"))


def number(value: Any) -> int | float:
    """A number, also from a text like '1,234.5' or '12G'."""
    if isinstance(value, bool):
        drift(f"no number: {value!r}")
    if isinstance(value, int | float):
        return value
    found = re.match(r"\s*(-?\d[\d,]*(?:\.\d+)?)", value) if isinstance(value, str) else None
    if found is None:
        drift(f"no number: {value!r}")
        return 0
    plain = found[1].replace(",", "")
    return float(plain) if "." in plain else int(plain)


def total(rows: Iterable[Any], key: str) -> int | float:
    """The sum, exact to the digits that the numbers show."""
    found = [number(row[key]) for row in rows]
    return round(sum(found), 9) if any(isinstance(one, float) for one in found) else sum(found)


def mean(rows: list[Any], key: str) -> float:
    check(rows, "no rows to take a mean of")
    return total(rows, key) / len(rows)


def first(rows: list[Any]) -> Any:
    """The row on top of a ranking."""
    return rows[0] if rows else drift("no rows")


def field(row: Any, mark: str | None, place: int) -> str:
    """A column of a line."""
    parts = row.split(mark)
    return (
        parts[place].strip()
        if -len(parts) <= place < len(parts)
        else str(drift(f"{row[:60]!r} is short"))
    )


def groups(rows: Iterable[Any], key: str | Callable[[Any], Any]) -> list[Record]:
    """Rows with the same value together, as `key` and `rows`, in the order in which they first come."""
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row) if callable(key) else row[key], []).append(row)
    return [Record(key=value, rows=each) for value, each in found.items()]


def items(record: dict[str, Any]) -> list[Record]:
    """The entries of an object as rows of `key` and `value`."""
    check(isinstance(record, dict), "no object")
    return [Record(key=key, value=value) for key, value in record.items()]


def ranked(
    rows: Iterable[Any], key: Callable[[Any], Any], *, down: bool = False, ties: bool = False
) -> list[Any]:
    """The rows in order; a tie that no run ever had is drift."""
    found = sorted(rows, key=key, reverse=down)
    if not ties and any(key(one) == key(other) for one, other in itertools.pairwise(found)):
        drift("a tie in the order of rows")
    return found


def known(value: Any, inside: Iterable[Any], outside: Iterable[Any]) -> bool:
    """Whether a row is meant; a value that no run ever had is drift."""
    if value in inside:
        return True
    return False if value in outside else bool(drift(f"never seen: {value!r}"))


def above(value: Any, least: float, most: float) -> bool:
    """At or over `least`; between `most` and `least` no run says which."""
    told = number(value)
    if most < told < least:
        drift(f"{told} is between what was taken and what was not")
    return told >= least


def below(value: Any, most: float, least: float) -> bool:
    """At or under `most`; between `most` and `least` no run says which."""
    told = number(value)
    if most < told < least:
        drift(f"{told} is between what was taken and what was not")
    return told <= most


def beginning(value: str, short: str, long: str) -> bool:
    """Begins with `long`; what begins only with `short` no run ever had."""
    if value.startswith(short) and not value.startswith(long):
        drift(f"never seen: {value[:60]!r}")
    return value.startswith(long)


def back(day: date, count: int) -> date:
    """So many working days earlier."""
    while count:
        day -= timedelta(days=1)
        count -= day.weekday() < 5
    return day


def shifted(day: date, months: int, place: int) -> date:
    """A day of another month: 1 the first, 0 the last of the month before."""
    first = day.year * 12 + day.month - 1 + months
    return date(first // 12, first % 12 + 1, 1) + timedelta(days=place - 1)


def iso(value: Any) -> date:
    """The day of a text that begins with one."""
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        drift(f"no date: {value!r}")
        return date.min


def slug(value: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", value.lower()))


def stem(value: str) -> str:
    return value.rpartition(".")[0] or value


def name(value: Any) -> str:
    """A value that becomes part of a path."""
    told = str(value)
    if told in ("", ".", "..") or re.search(r"[/\\\x00-\x1f\x7f]", told):
        drift(f"not fit for a path: {told[:80]!r}")
    return told


def word(value: Any) -> str:
    """A value that is a word of a command: never an option."""
    told = str(value)
    if not told or told.startswith("-") or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", told):
        drift(f"not fit for a command: {told[:80]!r}")
    return told


def inner_path(value: Any) -> str:
    """A value that becomes several parts of a path, each of them a name."""
    return "/".join(map(name, str(value).split("/")))


def cell(value: Any) -> str:
    """A value that becomes a cell of a table."""
    told = str(value)
    if re.search(r"[,;\t\"\r\n]", told):
        drift(f"not fit for a cell: {told[:80]!r}")
    return told


def text(*parts: str) -> str:
    """Lines, each ended."""
    return "".join(f"{part}\n" for part in parts)


def with_line(old: str, begin: str, new: str) -> str:
    """The text with its only line that begins so replaced."""
    told = old.split("\n")
    found = [place for place, line in enumerate(told) if line.startswith(begin)]
    if len(found) != 1:
        drift(f"{len(found)} lines begin with {begin!r}")
    told[found[0]] = new
    return "\n".join(told)


def after_lines(old: str, head: str, new: str) -> str:
    """The text with something put in behind its first lines, once."""
    check(old.startswith(head), f"it no longer begins with {head[:60]!r}")
    rest = old.removeprefix(head)
    return old if rest.startswith(new) else head + new + rest


# -- the contract -----------------------------------------------------------------------------


def expect(value: Any, form: Any, where: str) -> None:
    """Drift unless the value has the form that it had in all runs.

    A form is the name of a kind, `(kind, least, most)`, `{key: form}`, `[fewest, most, form]`
    for rows, or `{"": constant}`.
    """
    match form:
        case {"": constant}:
            check(
                value == constant and type(value) is type(constant),
                f"{where} is {value!r}, not {constant!r}",
            )
        case dict():
            check(isinstance(value, dict), f"{where} is no object")
            for key, inner in form.items():
                expect(value[key], inner, f"{where}.{key}")
        case list():
            fewest, most, inner = form
            check(isinstance(value, list), f"{where} is no list")
            count = len(value)
            check(fewest <= count <= most, f"{where} has {count} rows, not {fewest} to {most}")
            for row in value:
                expect(row, inner, where)
        case (kind, least, most):
            expect(value, kind, where)
            check(least <= number(value) <= most, f"{where} is {value!r}, not {least} to {most}")
        case _:
            check(KINDS[form](value), f"{where} is {value!r:.80}, no {form}")


def matches(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


KINDS: dict[str, Callable[[Any], bool]] = {
    "whole number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "yes or no": lambda value: isinstance(value, bool),
    "anything": lambda value: True,  # noqa: ARG005
    "line": matches(r"[^\x00-\x1f\x7f]{1,2000}"),
    "line or empty": matches(r"[^\x00-\x1f\x7f]{0,2000}"),
    "text": lambda value: isinstance(value, str),
    "digits": matches(r"-?\d{1,18}"),
    "decimal": matches(r"-?\d{1,18}(?:\.\d{1,18})?"),
    "date": matches(r"\d{4}-\d{2}-\d{2}(?:[T ].{0,40})?"),
}


# -- running ----------------------------------------------------------------------------------


def given(arguments: list[str], inputs: Mapping[str, str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="the day it is for")
    parser.add_argument("--dry-run", action="store_true", help="change nothing")
    parser.add_argument("--cassette", type=Path, help="a folder of recorded answers")
    for one in inputs:
        parser.add_argument(f"--{one.strip('_').replace('_', '-')}", dest=one, required=True)
    return parser.parse_args(arguments)


def fitting(told: argparse.Namespace, inputs: Mapping[str, str]) -> list[str]:
    """The inputs, each of the form that it had in every run."""
    for one, form in inputs.items():
        value = getattr(told, one)
        if re.fullmatch(form, value) is None:
            drift(f"{one} has a form that it never had: {value[:80]!r}")
    return [getattr(told, one) for one in inputs]


def prepared(told: argparse.Namespace) -> None:
    STATE.dry = told.dry_run
    if told.cassette:
        STATE.folder = told.cassette
        STATE.cassette = json.loads((told.cassette / "index.json").read_text())


def start(main: Callable[..., None], inputs: Mapping[str, str] | None = None) -> None:
    """Runs the script; its last line is JSON, its exit code says how it went.

    `inputs` are the forms of what it is told beside the day, by name.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    told = given(sys.argv[1:], inputs or {})
    prepared(told)
    code, reason = ended(lambda: main(told.date, *fitting(told, inputs or {})))
    status = {DONE: "done", DRIFT: "drift", UNAVAILABLE: "unavailable", DENIED: "denied"}
    result = {
        "status": status.get(code, "bug"),
        "reason": reason,
        "outputs": STATE.outputs,
        "sources": STATE.sources,
        "skipped": STATE.skipped,
    }
    sys.stdout.write(json.dumps(result) + "\n")
    sys.exit(code)


def ended(work: Callable[[], None]) -> tuple[int, str]:
    """The exit code of the work and why. A value of another shape than ever before is drift."""
    try:
        work()
    except Stop as stop:
        log.info("%s", stop)
        return stop.code, str(stop)
    except (LookupError, TypeError, ValueError, ArithmeticError, csv.Error) as error:
        log.exception("something has another shape")
        return DRIFT, f"{type(error).__name__}: {error}"
    except Exception as error:
        log.exception("a bug")
        return BUG, f"{type(error).__name__}: {error}"
    return DONE, ""
