"""The form of a value that is told with a task: the signs it had in the runs, in their order, and how many."""

import itertools
import re
from collections.abc import Sequence

_CLASSES = (("A-Z", "capital letters"), ("a-z", "small letters"), ("0-9", "digits"))
_OTHER = ("letter", "letters of other alphabets")
ROOM = 2
"""So many times longer than the longest may a value be."""
SPARE = 2


def pattern(values: Sequence[str]) -> tuple[str, str]:
    """A regular expression that a whole value has to match, and what it means in words.

    Signs that no run had are not in it; nor, unless the runs had them, is a dash in front or `..`.
    """
    runs = [_runs(value) for value in values]
    orders = {tuple(kind for kind, _ in one) for one in runs}
    if len(orders) == 1 and len(runs[0]) > 1:
        body = "".join(
            _part(kind, [one[place][1] for one in runs]) for place, kind in enumerate(orders.pop())
        )
    else:
        most = max(map(len, values)) * ROOM + SPARE
        body = f"[{_set({kind for one in runs for kind, _ in one})}]{{1,{most}}}"
    return _without(values) + body, _words(values)


def _runs(value: str) -> list[tuple[str, int]]:
    """The classes of the signs with how many follow each other; any other sign is its own class."""
    return [(kind, len(list(some))) for kind, some in itertools.groupby(value, _kind)]


def _kind(sign: str) -> str:
    for kind, _ in _CLASSES:
        if re.fullmatch(f"[{kind}]", sign):
            return kind
    return "letter" if sign.isalpha() else sign


def _part(kind: str, counts: Sequence[int]) -> str:
    if len(kind) == 1:
        least, most = min(counts), max(counts)
        return re.escape(kind) + ("" if least == most == 1 else f"{{{least},{most}}}")
    return f"[{_set({kind})}]{{1,{max(counts) * ROOM + SPARE}}}"


def _set(kinds: set[str]) -> str:
    known = [kind for kind, _ in _CLASSES if kind in kinds]
    others = sorted(kind for kind in kinds if len(kind) == 1)
    letters = [r"^\W\d_"] if "letter" in kinds else []
    if letters:
        return rf"\w{''.join(map(re.escape, others))}"
    return "".join((*known, *map(re.escape, others)))


def _without(values: Sequence[str]) -> str:
    """What a value may not be although all its signs are known."""
    dash = "" if any(value.startswith("-") for value in values) else "(?!-)"
    dots = "" if any(".." in value for value in values) else r"(?!.*\.\.)"
    return (dash if any("-" in value for value in values) else "") + (
        dots if any("." in value for value in values) else ""
    )


def _words(values: Sequence[str]) -> str:
    kinds = {kind for value in values for kind, _ in _runs(value)}
    told = [word for kind, word in _CLASSES if kind in kinds]
    told += [_OTHER[1]] if _OTHER[0] in kinds else []
    marks = "".join(sorted(kind for kind in kinds if len(kind) == 1))
    told += [f"and {marks!r}"] if marks else []
    return f"{', '.join(told)}, like {values[0]!r}"
