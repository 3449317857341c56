"""Whether what a script made is what the agent had made: byte by byte, unless something else was declared."""

import difflib
import json
import math
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from cockpit.architect.stage import GIT, Content, Played, covered
from cockpit.core.text import clean

Mode = Literal["exact", "json", "text", "tolerance"]


class Comparison(Struct, frozen=True):
    """How files of a pattern are compared.

    `unordered` are paths of JSON lists (`items`, `a.b`) whose order means nothing, `tolerance` the largest
    difference of two numbers that does not count, relative to the larger.
    """

    pattern: str
    mode: Mode = "exact"
    unordered: tuple[str, ...] = ()
    tolerance: float = 0.0


EXACT = Comparison("**")
GIT_WORDS = ("the commits", "the index", "the branch", "the settings")


def same(expected: bytes, produced: bytes, how: Comparison = EXACT) -> bool:
    """Whether two contents mean the same under a comparison."""
    if expected == produced:
        return True
    if how.mode == "text":
        return _plain(expected) == _plain(produced)
    if how.mode in ("json", "tolerance"):
        try:
            return _equal(json.loads(expected), json.loads(produced), how, "")
        except ValueError:
            return False
    return False


def _plain(content: bytes) -> list[bytes]:
    return [line.rstrip() for line in content.replace(b"\r\n", b"\n").rstrip().split(b"\n")]


def _equal(one: object, other: object, how: Comparison, path: str) -> bool:
    """Structural equality: 1 is 1.0, and True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=how.tolerance, abs_tol=0.0)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _equal(one[key], other[key], how, f"{path}.{key}".lstrip(".")) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        if path in how.unordered:
            one, other = sorted(one, key=json.dumps), sorted(other, key=json.dumps)
        return len(one) == len(other) and all(
            _equal(left, right, how, path) for left, right in zip(one, other, strict=True)
        )
    return type(one) is type(other) and bool(one == other)


def differences(
    expected: Mapping[str, Content | None],
    played: Played,
    git: tuple[str, ...],
    comparisons: tuple[Comparison, ...] = (),
) -> list[str]:
    """What a script did otherwise than the agent, in sentences; empty when nothing."""
    told = []
    for path in sorted(expected.keys() | played.made.keys()):
        if path.startswith(GIT):
            continue
        how = next((one for one in comparisons if covered(path, (one.pattern,))), EXACT)
        told += _file(path, path in expected, expected.get(path), played.made, how)
    return told + _git(git, played.git)


def _file(
    path: str,
    wanted: bool,
    content: Content | None,
    made: Mapping[str, Content | None],
    how: Comparison,
) -> list[str]:
    name = clean(path)[:120]
    if path not in made:
        return [f"{name} was {'removed' if content is None else 'written'} by the agent only"]
    produced = made[path]
    if not wanted:
        return [f"{name} was {'removed' if produced is None else 'written'} by the script only"]
    if content is None or produced is None:
        return [] if content is produced else [f"{name} is gone in one of them only"]
    if content[1] != produced[1]:
        return [f"{name} has another mode"]
    return (
        []
        if same(content[0], produced[0], how)
        else [f"{name}: {first_difference(*content[:1], produced[0])}"]
    )


def _git(expected: tuple[str, ...], produced: tuple[str, ...]) -> list[str]:
    if len(expected) != len(produced):
        return ["only one of them has a repository"] if expected or produced else []
    return [
        f"git: {word} differ: {first_difference(one.encode(), other.encode())}"
        for word, one, other in zip(GIT_WORDS, expected, produced, strict=False)
        if one != other
    ]


def first_difference(expected: bytes, produced: bytes) -> str:
    """The first line that differs, in few words."""
    one, other = (_lines(content) for content in (expected, produced))
    for line in difflib.ndiff(one[:400], other[:400]) if len(one) + len(other) < 300 else ():
        if line.startswith(("- ", "+ ")):
            whose = "missing" if line.startswith("-") else "too much"
            return f"{whose}: {line[2:]!r}"
    pairs = zip(one, other, strict=False)
    found = next((f"{a!r} became {b!r}" for a, b in pairs if a != b), "")
    return found or f"{len(one)} lines became {len(other)}"


def _lines(content: bytes) -> list[str]:
    return [clean(line)[:160] for line in content.decode("utf-8", "replace").split("\n")]
