"""What a run did, in one vocabulary for all agents: gets, reads, writes, moves, commands.

Failed calls are dropped, so are writes that were overwritten and reads that were repeated. What
cannot be told apart is of kind `unknown` and is never left out.
"""

import re
import shlex
from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from cockpit.architect import commands
from cockpit.core.trace import Opaque, Trace

Kind = Literal[
    "get", "read", "list", "query", "compute",
    "write", "append", "remove", "move", "copy", "post", "command", "unknown",
]  # fmt: skip
EFFECTS = frozenset(("write", "append", "remove", "move", "copy", "post", "command", "unknown"))
_READING = ("get", "read", "list", "query")

_DATE = re.compile(
    r"(?<!\d)(?:\d{4}[-/.]\d{2}(?:[-/.]\d{2})?|\d{2}[./]\d{2}[./]\d{4}|20\d{6})(?!\d)"
)
_HEX = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


class Operation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing done. `target` is a URL, a path relative to the workspace, or the words of a command.

    `text` is what was written, where the call itself tells; `destination` is of a move or a copy.
    `output` is what this operation alone told, and `opaque` says why that may be no source.
    """

    kind: Kind
    step: int
    target: str
    argv: tuple[str, ...] = ()
    destination: str = ""
    text: str | None = None
    output: str = ""
    opaque: Opaque = ""
    why: str = ""

    @property
    def is_effect(self) -> bool:
        return self.kind in EFFECTS

    @property
    def key(self) -> str:
        """Kind and target with dates, hashes and numbers masked: equal in runs that do the same."""
        told = f"{self.target} > {self.destination}" if self.destination else self.target
        if self.argv:
            told = shlex.join(_summary(self.argv))
        return f"{self.kind} {masked(told)}"

    @property
    def resources(self) -> frozenset[str]:
        """What it touches, as tokens: host: ep: in: out: fx: cmd:, masked."""
        return frozenset(_resources(self))


def masked(text: str) -> str:
    """The text with dates as <D>, hashes as <H> and numbers as <N>."""
    return _NUMBER.sub("<N>", _HEX.sub("<H>", _DATE.sub("<D>", text)))


def untold(text: str, values: Iterable[str]) -> str:
    """The text with these values as <I>, in any letters; numbers are left to `masked`."""
    for value in values:
        if re.search(r"[^\W\d_]", value):
            text = re.sub(rf"(?i)(?<![^\W_]){re.escape(value)}(?![^\W_])", "<I>", text)
    return text


def operations(trace: Trace) -> tuple[Operation, ...]:
    """All that the run did and was not undone, in its order."""
    from cockpit.architect.reading import read_steps  # it builds on Operation

    return tuple(
        _settled(read_steps(trace), frozenset(trace.world.before.files) if trace.world else None)
    )


def _settled(done: Iterable[Operation], before: frozenset[str] | None) -> list[Operation]:
    """Without dead stores, repeated reads, and files that were made only to be removed."""
    kept = list(done)
    seen: set[tuple[str, str]] = set()
    result: list[Operation] = []
    for place, one in enumerate(kept):
        later = kept[place + 1 :]
        if one.kind in ("write", "append"):
            if _overwritten(one, later):
                continue
        elif one.kind == "remove":
            if before is not None and one.target not in before:
                continue
        elif one.kind in _READING:
            same = (one.kind, one.target)
            if same in seen or (one.opaque and _told_later(one, later)):
                continue
            seen.add(same)
        result.append(one)
    return result


def _overwritten(one: Operation, later: list[Operation]) -> bool:
    """Whether a write is undone before any command could have seen it."""
    for other in later:
        if other.kind in ("command", "unknown"):
            return False
        if other.target == one.target and other.kind in ("write", "remove"):
            return True
    return False


def _told_later(one: Operation, later: list[Operation]) -> bool:
    return any(
        other.kind == one.kind and other.target == one.target and not other.opaque
        for other in later
    )


def _summary(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a command with long free text cut down to the option it belongs to."""
    return tuple(word if len(word) <= 40 and "\n" not in word else "<T>" for word in argv)


def _resources(one: Operation) -> Iterable[str]:
    match one.kind:
        case "get" | "post":
            place = urlsplit(one.target)
            yield f"host:{place.netloc}"
            yield f"ep:{place.netloc}{masked(place.path)}"
            if one.kind == "post":
                yield f"fx:{one.argv[0] if one.argv else 'POST'} {place.netloc}{masked(place.path)}"
        case "read" | "list" | "compute":
            if one.target:
                yield f"in:{masked(one.target)}"
        case "write" | "append" | "remove":
            yield f"out:{masked(one.target)}"
        case "move" | "copy":
            yield f"in:{masked(one.target)}"
            yield f"out:{masked(one.destination)}"
        case _:
            told = f"{commands.program(one.argv)} {commands.subcommand(one.argv)}".strip()
            yield f"{'fx' if one.is_effect else 'cmd'}:{masked(told or one.target)[:60]}"
