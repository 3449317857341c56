"""What the prompts of a task have in common, and what each of them tells at the places where they differ.

Two prompts are one phrase where they differ only in what their runs then used. A place is known by what
stands around it in prompts that differ there; a phrase that only one run used is read by the word before
a known place, or not at all.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect.align import _common
from cockpit.architect.evidence import Run
from cockpit.architect.expressions import date_choices
from cockpit.architect.forms import pattern
from cockpit.architect.phrases import LONGEST, VALUE_LIMIT, hear, plain
from cockpit.architect.prelude import slug
from cockpit.core.script import Input, Phrase, Place

MOST_TOKENS = 6
MOST_INPUTS = 3
LEAST_RUNS = 3
DAY = "\0day"
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_WEEKDAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_CALENDAR = re.compile(
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
_TAKEN = frozenset(
    """
    all any abs isinstance enumerate date day dry_run cassette help row text name names get read run write copy move data table lines
    total mean check agree drift number first field groups items ranked known above below back shifted iso
    slug stem cell word place chosen pick inner_path fitting matches expect main promises command append format str int float len sum max min
    round sorted list dict set print open input id hash type told
    """.split()  # noqa: SIM905
)
"""Names that mean something in a script."""


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


class Asked(Struct, frozen=True):
    """The phrases of a task, its inputs, and what each run was given that could be read."""

    phrases: tuple[Phrase, ...] = ()
    inputs: tuple[Input, ...] = ()
    given: dict[str, dict[str, str]] = {}


def asked(runs: Sequence[Run]) -> Asked:
    """How the task was asked for in these runs."""
    prompts = [_prompt(run) for run in runs]
    drafts = [draft for each in _together(prompts) for draft in _drafted(each)]
    days = _days(drafts)
    wanted = _wanted(drafts, days)
    if not wanted:
        return _without_inputs(drafts, days)
    names, read = _named(drafts, days, wanted)
    phrases = [_phrase(draft, order, days) for draft, order in read]
    phrases += _by_labels(prompts, read, names, days)
    return _settled(prompts, phrases, names)


# -- tokens -----------------------------------------------------------------------------------


def _prompt(run: Run) -> Prompt:
    told = plain(run.trace.task)
    tokens = tuple(_tokens(told)) if len(told) <= LONGEST else ()
    return Prompt(run.name, run.day, told, tokens[:400], _doings(run))


def _tokens(told: str) -> Iterator[Token]:
    for chunk in re.finditer(r"\S+", told):
        parts = re.fullmatch(r"([\"'`(\[{<#]*)(.*?)([\"'`)\]}>,.;:!?]*)", chunk[0])
        assert parts is not None
        at = chunk.start()
        left, middle, right = parts.groups()
        whole = [middle] if _CALENDAR.fullmatch(middle) else _DATED.split(middle)
        for part in (left, *whole, right):
            if part:
                key = DAY if _CALENDAR.fullmatch(part) else part.lower()
                yield Token(part, at, at + len(part), key)
                at += len(part)


def _doings(run: Run) -> str:
    """Everything that the run named in what it did, in small letters."""
    told = [word for one in run.operations
            for word in (one.target, one.destination, *one.argv, one.text or "")]  # fmt: skip
    told += [word for act in run.acts for word in (*act.words, act.text or "")]
    return "\n".join(dict.fromkeys(told)).lower()


def _is_used(text: str, prompt: Prompt) -> bool:
    """Whether the run did something with the text."""
    forms = {text.lower(), slug(text)} - {""}
    return any(
        re.search(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", prompt.did) is not None
        for one in forms
    )


def _tells(tokens: Sequence[Token], prompt: Prompt) -> bool:
    """Whether these tokens may be a value."""
    if not 0 < len(tokens) <= MOST_TOKENS or all(one.key in _QUIET for one in tokens):
        return False
    text = prompt.told[tokens[0].start : tokens[-1].end]
    return len(text) <= VALUE_LIMIT and (
        _is_used(text, prompt) or all(_is_used(one.text, prompt) for one in tokens)
    )


# -- phrases ----------------------------------------------------------------------------------


def _together(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
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
        (not a and not b) or (_tells(a, one) and _tells(b, other))
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


def _drafted(members: Sequence[Prompt]) -> Iterator[Draft]:
    """The phrase of these prompts, if they have one."""
    common = _shared(members)
    sides = [_between(common, each) for each in members]
    if any(side is None for side in sides):
        return
    columns = list(zip(*(side or [] for side in sides), strict=True))
    if any(any(column) and not all(_tells(gap, one) for gap, one in zip(column, members, strict=True))
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
    if 1 < size <= MOST_INPUTS:
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


# -- days -------------------------------------------------------------------------------------


def _days(drafts: Sequence[Draft]) -> list[str]:
    """What the dates of the phrases are, in their order, as code; empty where no rule explains them."""
    found: list[str] = []
    for at in range(max((len(_dates(one)) for one in drafts), default=0)):
        moves: dict[str, float] | None = None
        for draft in drafts:
            dates = _dates(draft)
            if at < len(dates):
                here = _moves(dates[at], draft)
                moves = (
                    here
                    if moves is None
                    else {code: cost for code, cost in moves.items() if code in here}
                )
        found.append(min(moves, key=lambda code: (moves[code], code)) if moves else "")
    return found


def _dates(draft: Draft) -> list[Gap]:
    return [gap for gap in draft.gaps if gap.calendar]


def _moves(gap: Gap, draft: Draft) -> dict[str, float]:
    days = [one.day for one in draft.members]
    found = sorted(date_choices(gap.texts, days), key=lambda pair: -pair[0].cost - pair[1].cost)
    return {one.code: one.cost + form.cost for one, form in found}


def _form(gap: Gap, draft: Draft, code: str) -> str:
    days = [one.day for one in draft.members]
    return next(form.name for one, form in date_choices(gap.texts, days) if one.code == code)


# -- inputs -----------------------------------------------------------------------------------


def _open(draft: Draft, days: Sequence[str]) -> list[Gap]:
    """The gaps that no date explains, and that are not the same in all phrases."""
    dates = _dates(draft)
    return [
        gap
        for gap in draft.gaps
        if not (gap.calendar and days[dates.index(gap)])
        and (gap.calendar or len(set(gap.texts)) > 1)
    ]


def _wanted(drafts: Sequence[Draft], days: Sequence[str]) -> int:
    """How many inputs most of the runs were told."""
    counts: Counter[int] = Counter()
    for draft in drafts:
        values = {text for gap in _open(draft, days) for text in gap.texts}
        if len(draft.members) > 1 and len(values) > 1:
            counts[len(_open(draft, days))] += len(draft.members)
    return max(counts, key=lambda count: (counts[count], count)) if counts else 0


def _named(
    drafts: Sequence[Draft], days: Sequence[str], wanted: int
) -> tuple[list[str], list[tuple[Draft, list[int]]]]:
    """Names of the inputs, and for each draft that tells them all which of its gaps is which."""
    if wanted > MOST_INPUTS:
        return [], []
    fit = [draft for draft in drafts
           if len(_open(draft, days)) == wanted and (len(draft.members) > 1 or _sure(draft, days))]  # fmt: skip
    fit.sort(key=lambda draft: -len(draft.members))
    labels = [gap.label for gap in _open(fit[0], days)]
    kinds = [_kinds(gap.texts) for gap in _open(fit[0], days)]
    read: list[tuple[Draft, list[int]]] = []
    for draft in fit:
        gaps = _open(draft, days)
        own = [gap.label for gap in gaps]
        if wanted == 1:
            order = [0]
        elif len(set(labels)) == wanted and set(own) == set(labels) and all(labels):
            order = [labels.index(label) for label in own]
        elif len({tuple(sorted(kind)) for kind in kinds}) == wanted:
            order = [
                next((at for at, kind in enumerate(kinds) if kind == _kinds(gap.texts)), -1)
                for gap in gaps
            ]
        else:
            order = list(range(wanted)) if own == labels else []
        if sorted(order) == list(range(wanted)):
            read.append((draft, order))
    return _names(read, days, wanted), read


def _sure(draft: Draft, days: Sequence[str]) -> bool:
    """A single prompt tells its place only where that is the one date in it."""
    return all(gap.calendar for gap in _open(draft, days)) and len(_dates(draft)) == 1


def _kinds(texts: Sequence[str]) -> frozenset[str]:
    """Letters, digits or both."""
    return frozenset(
        ("letters" if any(map(str.isalpha, text)) else "")
        + ("digits" if any(map(str.isdigit, text)) else "")
        for text in texts
    )


def _names(read: Sequence[tuple[Draft, list[int]]], days: Sequence[str], wanted: int) -> list[str]:
    """From the words beside the places, else from the look of the values."""
    names: list[str] = []
    for at in range(wanted):
        votes: Counter[str] = Counter()
        values: list[str] = []
        for draft, order in read:
            gap = _open(draft, days)[order.index(at)]
            values += gap.texts
            if gap.label:
                votes[gap.label] += 2 * len(draft.members) if gap.before else len(draft.members)
        plain_name = re.sub(r"[^a-z]", "", votes.most_common(1)[0][0]) if votes else ""
        if all(re.fullmatch(r"v?\d+(\.\d+){1,3}", value) for value in values):
            plain_name = "version"
        elif all(_CALENDAR.fullmatch(value) for value in values):
            plain_name = "asked"
        name = plain_name if plain_name.isascii() and len(plain_name) > 1 else "input"
        name = f"{name}_asked" if name in _TAKEN and name != "input" else name
        name = "input_" if name == "input" else name
        names.append(name if name not in names else f"{name}_{at + 1}")
    return names


def _phrase(
    draft: Draft, order: Sequence[int], days: Sequence[str]
) -> tuple[Draft, list[str | Place]]:
    """The parts of the draft as places; the inputs by their number for now."""
    dates, opened = _dates(draft), _open(draft, days)
    parts: list[str | Place] = []
    for part in draft.parts:
        if isinstance(part, str):
            parts.append(part)
        elif part in opened:
            parts.append(Place(input=str(order[opened.index(part)])))
        elif part.calendar:
            code = days[dates.index(part)]
            parts.append(Place(day=code, form=_form(part, draft, code)))
        else:
            parts.append(part.texts[0])
    return draft, parts


def _by_labels(
    prompts: Sequence[Prompt],
    read: Sequence[tuple[Draft, list[int]]],
    names: Sequence[str],
    days: Sequence[str],
) -> Iterator[tuple[Draft, list[str | Place]]]:
    """Prompts in no phrase of several: read where the word before each input stands in them, once."""
    done = {one.run for draft, _ in read for one in draft.members}
    labels: dict[int, set[str]] = {}
    for draft, order in read:
        for gap, at in zip(_open(draft, days), order, strict=True):
            if gap.label and gap.before:
                labels.setdefault(at, set()).add(gap.label)
    if set(labels) != set(range(len(names))):
        return
    for one in prompts:
        if one.run not in done and one.tokens:
            places = {at: _behind(one, labels[at]) for at in labels}
            tokens = {found: at for at, found in places.items() if found is not None}
            if len(tokens) == len(names):
                parts = _marked(one, tokens, days)
                if parts is not None:
                    yield Draft((one,), ()), parts


def _behind(prompt: Prompt, labels: set[str]) -> int | None:
    """The place of the token behind the only one of these words, if the run used it."""
    found = [at for at, token in enumerate(prompt.tokens) if token.key in labels]
    if len(found) != 1 or found[0] + 1 >= len(prompt.tokens):
        return None
    at = found[0] + 1
    return at if _tells(prompt.tokens[at : at + 1], prompt) else None


def _marked(
    prompt: Prompt, tokens: dict[int, int], days: Sequence[str]
) -> list[str | Place] | None:
    parts: list[str | Place] = []
    end = seen = 0
    for at, token in enumerate(prompt.tokens):
        if at not in tokens and token.key != DAY:
            continue
        parts.append(prompt.told[end : token.start])
        end = token.end
        if at in tokens:
            parts.append(Place(input=str(tokens[at])))
            seen += token.key == DAY
            continue
        gap = Gap((token.text,), calendar=True)
        code = days[seen] if seen < len(days) else ""
        seen += 1
        if code not in _moves(gap, Draft((prompt,), ())):
            return None
        parts.append(Place(day=code, form=_form(gap, Draft((prompt,), ()), code)))
    return [part for part in (*parts, prompt.told[end:]) if part != ""]


# -- what came of it --------------------------------------------------------------------------


def _settled(
    prompts: Sequence[Prompt],
    found: Sequence[tuple[Draft, list[str | Place]]],
    names: Sequence[str],
) -> Asked:
    """Phrases with the names in them, and each prompt read by all of them together."""
    phrases = tuple(dict.fromkeys(
        Phrase(tuple(replace(part, input=names[int(part.input)]) if isinstance(part, Place) and part.input
                     else part for part in parts))
        for _, parts in found
    ))  # fmt: skip
    loose = tuple(Input(name, ".+") for name in names)
    given = {
        one.run: values
        for one in prompts
        if one.told and (values := hear(phrases, loose, one.told, one.day).values) is not None
    }
    if len(given) < LEAST_RUNS:
        return Asked()
    inputs = []
    for name in names:
        values = {run: each[name] for run, each in given.items()}
        form, words = pattern(list(values.values()))
        inputs.append(Input(name, form, words, values))
    return Asked(phrases, tuple(inputs), given)


def _without_inputs(drafts: Sequence[Draft], days: Sequence[str]) -> Asked:
    """Phrases that say nothing but the day: with another day in it, a run is of another day."""
    told = [_phrase(draft, (), days)[1] for draft in drafts
            if _dates(draft) and not _open(draft, days)]  # fmt: skip
    return Asked(tuple(dict.fromkeys(Phrase(tuple(parts)) for parts in told)))


def used(told: Asked, inputs: Sequence[Input]) -> tuple[Phrase, ...]:
    """The phrases for a script with these inputs; what else they tell must be what some run was told."""
    names = {one.name for one in inputs}
    seen = {one.name: tuple(sorted(set(one.values.values()))) for one in told.inputs}
    return tuple(
        Phrase(tuple(
            Place(seen=seen[part.input])
            if isinstance(part, Place) and part.input and part.input not in names
            else part
            for part in phrase.parts
        ))
        for phrase in told.phrases
    )  # fmt: skip
