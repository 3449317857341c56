"""Names as runs are compared by: what stands for one run alone, or was asked for, becomes a placeholder.

Names of files that no second run has, and names in folders where others loop, become `*`. A word of
the task that stands in a name too becomes `<A>`, where runs that were asked the same but for that
word had their own word there: `sheets/EMEA.txt` and `sheets/APAC.txt` are one `sheets/<A>.txt`.
"""

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from cockpit.architect.profile import Profile, widened

ASKED = "<A>"
LEAST_ASKED = 3
"""Of fewer different words in the same place nobody can tell whether they were asked for."""
LEAST_LETTERS = 2
REMEMBERED = 1 << 14
_AROUND = ".,:;!?\"'`()[]"
_PART = re.compile(r"[^\W_]+")
_HEAD = re.compile(r"^[a-z]+[ :]")
_FIXED = re.compile(r"(?<![<\w.])[^\W_]{2,}")


class Folding:
    """How the names of these runs are folded."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        told = [set(one.effects) | set(one.resources) for one in profiles]
        self._held = Counter(name for names in told for name in names)
        asked: dict[tuple[str, str], set[str]] = defaultdict(set)
        for one, names in zip(profiles, told, strict=True):
            words = _words(one.text)
            for name in names:
                for word in _said(name, words):
                    asked[_without(one.text, word), _without(name, word)].add(word)
        self._asked = {
            name
            for (_, name), words in asked.items()
            if len(words) >= LEAST_ASKED and _FIXED.search(_HEAD.sub("", name))
        }

    def folded(self, profiles: Iterable[Profile]) -> dict[str, Profile]:
        """The profiles by run, as they are compared."""
        return {one.run: self._fold(one) for one in profiles}

    def _fold(self, one: Profile) -> Profile:
        words = _words(one.text)
        effects = [self._name(key, words) for key in one.effects]
        once = [key for key, before in zip(effects, ["", *effects], strict=False) if key != before]
        resources = {self._name(token, words) for token in one.resources}
        return replace(one, effects=tuple(once), resources=tuple(sorted(resources)))

    def _name(self, told: str, words: frozenset[str]) -> str:
        name = told
        for word in _said(told, words):
            if _without(told, word) in self._asked:
                name = _without(name, word)
        if name != told:
            return name
        wide = widened(told)
        return wide if self._held[told] == 1 or self._held[wide] > 1 else told


def _words(text: str) -> frozenset[str]:
    """What a task says, word by word; a path is one of them, what has a date in it is none."""
    found = (word.strip(_AROUND) for word in text.split() if "<" not in word)
    return frozenset(word for word in found if len(word) >= LEAST_LETTERS)


def _said(name: str, words: frozenset[str]) -> Iterator[str]:
    """The words that stand in a name, paths first."""
    rest, parts = _parts(name)
    paths = (word for word in words if "/" in word and word in rest)
    yield from sorted(paths, key=len, reverse=True)
    yield from sorted(parts & words)


@functools.lru_cache(REMEMBERED)
def _parts(name: str) -> tuple[str, frozenset[str]]:
    rest = _HEAD.sub("", name).lower()
    return rest, frozenset(_PART.findall(rest))


@functools.lru_cache(REMEMBERED)
def _without(name: str, word: str) -> str:
    """The name with the placeholder where the word stands."""
    head = _HEAD.match(name)
    start = head.end() if head else 0
    whole = rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
    return name[:start] + re.sub(whole, ASKED, name[start:], flags=re.IGNORECASE)
