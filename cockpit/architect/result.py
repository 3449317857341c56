"""What a script's end means: its exit code, its last line, and the files it says it wrote.

Nothing of it is believed: a script that ends well must have written what it says, within what it may
write, and not nothing.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from cockpit.architect.stage import covered
from cockpit.core.script import (
    EXIT_BUG,
    EXIT_DENIED,
    EXIT_DONE,
    EXIT_DRIFT,
    EXIT_UNAVAILABLE,
    Script,
)
from cockpit.core.shelf import Output
from cockpit.core.text import one_line

Ending = Literal["done", "drift", "unavailable", "denied", "bug", "broken", "overdue"]
"""`broken`: it said that it was done, and that is not so. `overdue`: it was ended at its limit."""

ENDINGS: dict[int, Ending] = {
    EXIT_DONE: "done",
    EXIT_BUG: "bug",
    EXIT_DRIFT: "drift",
    EXIT_UNAVAILABLE: "unavailable",
    EXIT_DENIED: "denied",
}
TAIL = 64 * 1024
OUTPUTS_LIMIT = 1_000

LIMIT_FLOOR_MS = 30_000
LIMIT_AT_FIRST_MS = 300_000
LIMIT_FACTOR = 5
QUOTED = 300
_OF_NOTHING = hashlib.sha256().hexdigest()


class Said(Struct, frozen=True):
    """A script's end: what it printed is text from outside."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""
    overdue: bool = False


class Judged(Struct, frozen=True):
    """`skipped` is why it did nothing, where it was made for that."""

    ending: Ending
    reason: str = ""
    outputs: tuple[Output, ...] = ()
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return self.ending == "done"


Look = Callable[[str], bytes | None]
"""The bytes of a file of the workspace after the run; None where there is none."""


def judged(script: Script, said: Said, look: Look | None) -> Judged:
    """What the run came to. Without `look` its files are somebody else's to compare."""
    if said.overdue:
        return Judged("overdue", "it was ended at its time limit")
    ending = ENDINGS.get(said.exit_code, "bug")
    if ending != "done":
        return Judged(ending, reason_of(said))
    told = _last_line(said.stdout)
    if told is None:
        return Judged("broken", "its last line is not what a script must say")
    outputs, skipped = _outputs(told.get("outputs")), _skipped(told.get("skipped"))
    if outputs is None:
        return Judged("broken", "what it says it wrote cannot be read")
    against = _against(script, outputs, skipped, look)
    return Judged("broken" if against else "done", against, outputs, skipped)


def reason_of(said: Said) -> str:
    """Why it gave up, in its own words."""
    told = _last_line(said.stdout) or {}
    named = next((told[key] for key in ("reason", "detail", "error") if told.get(key)), "")
    last = next((line for line in reversed(said.stderr[-TAIL:].splitlines()) if line.strip()), "")
    return one_line(str(named) or last, QUOTED) or f"exit {said.exit_code} without a word"


def _last_line(stdout: str) -> dict[str, Any] | None:
    last = next((line for line in reversed(stdout[-TAIL:].splitlines()) if line.strip()), "")
    try:
        return msgspec.json.decode(last, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _outputs(told: object) -> tuple[Output, ...] | None:
    try:
        found = msgspec.convert(told or [], tuple[Output, ...])
    except msgspec.ValidationError:
        return None
    return found if len(found) <= OUTPUTS_LIMIT else None


def _skipped(told: object) -> str:
    if isinstance(told, str):
        return one_line(told, QUOTED)
    return one_line(", ".join(map(str, told)), QUOTED) if isinstance(told, list) else ""


def _against(script: Script, outputs: Sequence[Output], skipped: str, look: Look | None) -> str:
    """What speaks against its word that all is done; empty when nothing does."""
    last = {output.path: output for output in outputs}
    for output in last.values():
        path = one_line(output.path, 100)
        if not within(output.path, script.capabilities.write):
            return f"it wrote {path}, which it may not"
        empty = output.rows == 0 or output.sha256 == _OF_NOTHING
        if empty and not may_be_empty(script, output.path):
            return f"{path} is empty"
    wrong = _not_there(last, look) if look is not None else ""
    if wrong:
        return wrong
    if not outputs and not skipped and not script.capabilities.commands:
        return "it says that it is done and wrote nothing"
    return ""


def _not_there(outputs: Mapping[str, Output], look: Look) -> str:
    """The first file that is not as it was said; one that was moved on is looked for there."""
    found = {path: look(path) for path in outputs}
    there = {
        hashlib.sha256(content).hexdigest() for content in found.values() if content is not None
    }
    for path, content in found.items():
        told = outputs[path].sha256
        if content is None and told not in there:
            return f"{one_line(path, 100)} is not there"
        if content is not None and hashlib.sha256(content).hexdigest() != told:
            return f"{one_line(path, 100)} is not what it says"
    return ""


def may_be_empty(script: Script, path: str) -> bool:
    """Whether the contract declares that this output can be empty."""
    return any(
        "empty" in clause.words and covered(path, (clause.about,)) for clause in script.contract
    )


def within(path: str, patterns: Sequence[str]) -> bool:
    """Whether a path relative to the workspace is one of the patterns' and stays inside."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        return False
    return covered(path, patterns)


def limit_ms(took: Sequence[int]) -> int:
    """How long a run may take: five times the 95th percentile of those before it."""
    if not took:
        return LIMIT_AT_FIRST_MS
    ordered = sorted(took)
    return max(
        LIMIT_FLOOR_MS, LIMIT_FACTOR * ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
    )
