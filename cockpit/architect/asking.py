"""What the prompts of a task tell at the places where they differ: the day, and the inputs of its script.

A place is known by what stands around it in prompts that differ there; a phrase that only one run used
is read by the word before a known place, or not at all.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cockpit.architect.evidence import Run
from cockpit.architect.expressions import date_choices
from cockpit.architect.forms import pattern
from cockpit.architect.phrases import hear
from cockpit.architect.wording import (
    CALENDAR,
    DAY,
    Draft,
    Gap,
    Prompt,
    drafted,
    taken_apart,
    tells,
    together,
)
from cockpit.core.script import Input, Phrase, Place

MOST_INPUTS = 3
LEAST_RUNS = 3
_TAKEN = frozenset(
    """
    all any abs isinstance enumerate date day dry_run cassette help row text name names get read run write copy move data table lines
    total mean check agree drift number first field groups items ranked known above below back shifted iso
    slug stem cell word place chosen pick inner_path fitting matches expect main promises command append format str int float len sum max min
    round sorted list dict set print open input id hash type told
    """.split()  # noqa: SIM905
)
"""Names that mean something in a script."""


class Asked(Struct, frozen=True):
    """The phrases of a task, its inputs, and what each run was given that could be read."""

    phrases: tuple[Phrase, ...] = ()
    inputs: tuple[Input, ...] = ()
    given: dict[str, dict[str, str]] = {}


def asked(runs: Sequence[Run]) -> Asked:
    """How the task was asked for in these runs."""
    prompts = [taken_apart(run) for run in runs]
    drafts = [draft for each in together(prompts) for draft in drafted(each)]
    days = _days(drafts)
    wanted = _wanted(drafts, days)
    if not wanted:
        return _without_inputs(drafts, days)
    names, read = _named(drafts, days, wanted)
    phrases = [_phrase(draft, order, days) for draft, order in read]
    phrases += _by_labels(prompts, read, names, days)
    return _settled(prompts, phrases, names)


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
        elif all(CALENDAR.fullmatch(value) for value in values):
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
    return at if tells(prompt.tokens[at : at + 1], prompt) else None


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
