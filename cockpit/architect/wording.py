"""Prompts taken apart and laid beside each other: phrases with gaps, and the words that name these.

Two prompts are one phrase where they differ only in what their runs then used.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect.align import _common
from cockpit.architect.evidence import Run
from cockpit.architect.phrases import LONGEST, VALUE_LIMIT, plain
from cockpit.architect.prelude import slug

MOST_DONE = 400_000
"""Characters of what a run did in which a value is looked for."""
MOST_BESIDE = 3
"""Values that may stand beside each other."""
MOST_TOKENS = 6
DAY = "\0day"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_WEEKDAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
CALENDAR = re.compile(
    r"\d{4}-\d{2}(?:-\d{2})?|\d{4}[/.]\d{2}[/.]\d{2}|\d{2}[./]\d{2}[./](?:\d{4})?|20\d{6}|\d{4}-W\d{2}"
    rf"|{_MONTHS}|{_WEEKDAYS}"
)
_DATED = re.compile(r"(?<!\d)(\d{4}[-/.]\d{2}(?:[-/.]\d{2})?|20\d{6})(?!\d)")
"""A date within a word, as in the name of a file."""
_QUIET = frozenset(
    """
    a an and any are as at be by can do for from go has have i in into is it its just let make me my now
    of off on once one or our out over please put same so some that the then there this to today up us was
    we what with you your again new next old
    """.split()  # noqa: SIM905
)
"""Words that name nothing."""


class Token(Struct, frozen=True):
    """A word of a prompt without the marks around it, or a mark; `key` is equal for what is equal."""

    text: str
    start: int
    end: int
    key: str


class Prompt(Struct, frozen=True):
    """A run's prompt taken apart, and all that the run then did as one text."""

    run: str
    day: date
    told: str
    tokens: tuple[Token, ...]
    did: str


class Gap(Struct, frozen=True):
    """A place of a draft: its text in each member; `label` is the word that names it."""

    texts: tuple[str, ...]
    calendar: bool
    label: str = ""
    before: bool = True
    """Whether the label stands before it."""


class Draft(Struct, frozen=True):
    """Prompts of one phrase, and its parts in the words of the first of them."""

    members: tuple[Prompt, ...]
    parts: tuple[str | Gap, ...]

    @property
    def gaps(self) -> list[Gap]:
        return [part for part in self.parts if isinstance(part, Gap)]


# -- tokens -----------------------------------------------------------------------------------


def taken_apart(run: Run) -> Prompt:
    told = plain(run.trace.task)
    tokens = tuple(_tokens(told)) if len(told) <= LONGEST else ()
    return Prompt(run.name, run.day, told, tokens[:400], _doings(run))


def _tokens(told: str) -> Iterator[Token]:
    for chunk in re.finditer(r"\S+", told):
        parts = re.fullmatch(r"([\"'`(\[{<#]*)(.*?)([\"'`)\]}>,.;:!?]*)", chunk[0])
        assert parts is not None
        at = chunk.start()
        left, middle, right = parts.groups()
        whole = [middle] if CALENDAR.fullmatch(middle) else _DATED.split(middle)
        for part in (left, *whole, right):
            if part:
                key = DAY if CALENDAR.fullmatch(part) else part.lower()
                yield Token(part, at, at + len(part), key)
                at += len(part)


def _doings(run: Run) -> str:
    """Everything that the run named in what it did, in small letters."""
    told = [word for one in run.operations
            for word in (one.target, one.destination, *one.argv, one.text or "")]  # fmt: skip
    told += [word for act in run.acts for word in (*act.words, act.text or "")]
    return "\n".join(dict.fromkeys(told)).lower()[:MOST_DONE]


def _is_used(text: str, prompt: Prompt) -> bool:
    """Whether the run did something with the text."""
    return any(_stands(one, prompt.did) for one in {text.lower(), slug(text)} - {""})


@lru_cache(1024)
def _stands(word: str, did: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", did) is not None


def tells(tokens: Sequence[Token], prompt: Prompt) -> bool:
    """Whether these tokens may be a value."""
    if not 0 < len(tokens) <= MOST_TOKENS or all(one.key in _QUIET for one in tokens):
        return False
    text = prompt.told[tokens[0].start : tokens[-1].end]
    return len(text) <= VALUE_LIMIT and (
        _is_used(text, prompt) or all(_is_used(one.text, prompt) for one in tokens)
    )


# -- phrases ----------------------------------------------------------------------------------


def together(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """Prompts that differ, two by two, only in values."""
    groups: list[list[Prompt]] = []
    for one in prompts:
        if not one.tokens:
            continue
        near = [group for group in groups if any(_same(one, other) for other in group)]
        merged = [one, *(member for group in near for member in group)]
        groups = [group for group in groups if group not in near]
        groups.append(
            sorted(merged, key=lambda each: [other.run for other in prompts].index(each.run))
        )
    return groups


def _same(one: Prompt, other: Prompt) -> bool:
    common = _shared([one, other])
    if not any(re.fullmatch(r"[^\W\d_]{2,}", key) for key in common):
        return False
    sides = [_between(common, each) for each in (one, other)]
    if any(side is None for side in sides):
        return False
    return all(
        (not a and not b) or (tells(a, one) and tells(b, other))
        for a, b in zip(*(side or [] for side in sides), strict=True)
    )


def _shared(prompts: Sequence[Prompt]) -> list[str]:
    keys: Sequence[str] = [token.key for token in prompts[0].tokens]
    for other in prompts[1:]:
        keys = _common(keys, [token.key for token in other.tokens])
    return list(keys)


def _between(common: Sequence[str], prompt: Prompt) -> list[list[Token]] | None:
    """The tokens before each common one, and behind the last."""
    gaps: list[list[Token]] = [[]]
    at = 0
    for token in prompt.tokens:
        if at < len(common) and token.key == common[at]:
            at += 1
            gaps.append([])
        else:
            gaps[-1].append(token)
    return gaps if at == len(common) else None


def drafted(members: Sequence[Prompt]) -> Iterator[Draft]:
    """The phrase of these prompts, if they have one."""
    common = _shared(members)
    sides = [_between(common, each) for each in members]
    if any(side is None for side in sides):
        return
    columns = list(zip(*(side or [] for side in sides), strict=True))
    if any(any(column) and not all(tells(gap, one) for gap, one in zip(column, members, strict=True))
           for column in columns):  # fmt: skip
        return
    yield Draft(tuple(members), tuple(_merged(_parts(members, common, columns))))


def _parts(
    members: Sequence[Prompt], common: Sequence[str], columns: list[tuple[list[Token], ...]]
) -> Iterator[str | Gap]:
    """Constant text and gaps; the text is that of the first member."""
    first, at = members[0], 0
    ends = [0] * len(members)
    for place, column in enumerate(columns):
        for gap in _split(column, members):
            yield first.told[at : gap[0][0].start]
            at = gap[0][-1].end
            yield from _trimmed([one.told[some[0].start : some[-1].end]
                                 for some, one in zip(gap, members, strict=True)], members)  # fmt: skip
        ends = [end + len(some) for end, some in zip(ends, column, strict=True)]
        if place < len(common):
            each = [one.tokens[end] for one, end in zip(members, ends, strict=True)]
            ends = [end + 1 for end in ends]
            if common[place] == DAY:
                yield first.told[at : each[0].start]
                at = each[0].end
                yield Gap(tuple(token.text for token in each), calendar=True)
    yield first.told[at:]


def _split(
    column: tuple[list[Token], ...], members: Sequence[Prompt]
) -> Iterator[list[list[Token]]]:
    """One gap, or several values beside each other where they are of different kinds."""
    if not any(column):
        return
    counts = {len(some) for some in column}
    size = counts.pop() if len(counts) == 1 else 0
    if 1 < size <= MOST_BESIDE:
        kinds = [{any(map(str.isdigit, some[at].text)) for some in column} for at in range(size)]
        apart = all(len(kind) == 1 for kind in kinds) and len({kind.pop() for kind in kinds}) > 1
        used = all(_is_used(token.text, one)
                   for some, one in zip(column, members, strict=True) for token in some)  # fmt: skip
        whole = all(_is_used(one.told[some[0].start : some[-1].end], one)
                    for some, one in zip(column, members, strict=True))  # fmt: skip
        if used and (apart or not whole):
            yield from ([[some[at]] for some in column] for at in range(size))
            return
    yield [list(some) for some in column]


def _trimmed(texts: list[str], members: Sequence[Prompt]) -> Iterator[str | Gap]:
    """The gap without what all its texts begin and end with, where only the rest is ever used."""
    whole = all(_is_used(text, one) for text, one in zip(texts, members, strict=True))
    if len(set(texts)) == 1 or (whole and not all(map(_is_path, texts, members))):
        yield Gap(tuple(texts), calendar=False)
        return
    for left, right in _ends(texts):
        inner = [text[left : len(text) - right] for text in texts]
        if all(inner) and all(
            _is_used(text, one) for text, one in zip(inner, members, strict=True)
        ):
            yield texts[0][:left]
            yield Gap(tuple(inner), calendar=False)
            yield texts[0][len(texts[0]) - right :]
            return
    yield Gap(tuple(texts), calendar=False)


def _is_path(text: str, prompt: Prompt) -> bool:
    """Whether it is all of what the run read or wrote, of which a part may be the value."""
    return "/" in text and text.lower() in prompt.did.split("\n")


def _ends(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """How much of the beginning and the end all texts share, at the edges of words; the most first."""
    split = [re.findall(r"[^\W\d_]+|\d+|.", text) for text in texts]
    least = min(map(len, split)) - 1
    head = next((at for at in range(least) if len({one[at] for one in split}) > 1), least)
    tail = next(
        (at for at in range(least - head) if len({one[-1 - at] for one in split}) > 1), least - head
    )
    for left in range(head, -1, -1):
        for right in range(tail, -1, -1):
            if left or right:
                yield (
                    sum(map(len, split[0][:left])),
                    sum(map(len, split[0][len(split[0]) - right :])),
                )
    yield 0, 0


def _merged(parts: Iterator[str | Gap]) -> Iterator[str | Gap]:
    """With the texts between gaps as one, and each gap with the word that names it."""
    told: list[str | Gap] = []
    for part in parts:
        if isinstance(part, str) and told and isinstance(told[-1], str):
            told[-1] += part
        elif part != "":
            told.append(part)
    for place, part in enumerate(told):
        if not isinstance(part, Gap):
            yield part
            continue
        left = told[place - 1] if place else ""
        right = told[place + 1] if place + 1 < len(told) else ""
        yield _labelled(
            part, left if isinstance(left, str) else "", right if isinstance(right, str) else ""
        )


def _labelled(gap: Gap, left: str, right: str) -> Gap:
    before = re.search(r"([^\W\d_]{2,})\W*$", left)
    after = re.match(r"\s+([^\W\d_]{2,})", right)
    if before is not None and before[1].lower() not in _QUIET:
        return replace(gap, label=before[1].lower())
    if after is not None and after[1].lower() not in _QUIET:
        return replace(gap, label=after[1].lower(), before=False)
    return gap
