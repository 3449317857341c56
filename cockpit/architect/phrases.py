"""What a prompt says at the places of a known phrase; another wording is never guessed at.

A value counts only where the whole prompt is the phrase, word for word, and only in one way.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache

from msgspec import Struct

from cockpit.core.script import Input, Phrase, Place, Script

LONGEST = 4_000
"""Characters of a prompt beyond which nobody asks for a task in a phrase."""
VALUE_LIMIT = 200
_ISO = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


class Heard(Struct, frozen=True):
    """Whether a prompt is a known phrase, and then what it tells; None where that cannot be."""

    known: bool
    values: dict[str, str] | None = None


def plain(prompt: str) -> str:
    """A prompt on one line, without the mark at its end."""
    return " ".join(prompt[: LONGEST + 1].split()).rstrip(".!? ")


def heard(script: Script, prompt: str, day: date) -> Heard:
    """What the prompt of that day says, by the phrases of the script."""
    return hear(script.phrases, script.inputs, prompt, day)


def hear(phrases: Iterable[Phrase], inputs: Sequence[Input], prompt: str, day: date) -> Heard:
    """The values of the inputs, where all phrases that the prompt could be tell the same ones."""
    told = plain(prompt)
    if len(told) > LONGEST:
        return Heard(known=False)
    found = [texts for one in phrases for texts in [_texts(one, told)] if texts is not None]
    if not found:
        return Heard(known=False)
    forms = {one.name: one.pattern for one in inputs}
    values = [_values(places, forms, day) for places in found]
    sure = [one for one in values if one is not None and one.keys() == forms.keys()]
    return Heard(
        known=True, values=sure[0] if sure and all(one == sure[0] for one in sure) else None
    )


def _texts(phrase: Phrase, told: str) -> list[tuple[Place, str]] | None:
    """What stands at each place; None where the prompt is no such phrase, or one in two ways."""
    places = [part for part in phrase.parts if isinstance(part, Place)]
    found = [re.fullmatch(pattern, told) for pattern in _patterns(phrase)]
    if any(one is None for one in found):
        return None
    near, far = (one.groups() for one in found if one is not None)
    return list(zip(places, near, strict=True)) if near == far else None


@lru_cache(512)
def _patterns(phrase: Phrase) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The phrase with as little and with as much as possible at each place."""
    return _pattern(phrase, "?"), _pattern(phrase, "")


def _pattern(phrase: Phrase, greed: str) -> re.Pattern[str]:
    gap = rf"(\S|\S.{{0,{VALUE_LIMIT}}}{greed}\S)" if greed else rf"(\S.{{0,{VALUE_LIMIT}}}\S|\S)"
    parts = [re.escape(part) if isinstance(part, str) else gap for part in phrase.parts]
    return re.compile("".join(parts), re.IGNORECASE)


def _values(
    places: Iterable[tuple[Place, str]], forms: Mapping[str, str], day: date
) -> dict[str, str] | None:
    """The inputs; None where one has another form, or another place says what it never said."""
    found: dict[str, str] = {}
    for place, text in places:
        if place.input:
            if place.input not in forms or re.fullmatch(forms[place.input], text) is None:
                return None
            if found.setdefault(place.input, text) != text:
                return None
        elif place.day:
            if text != dated(place, day):
                return None
        elif text not in place.seen:
            return None
    return found


def of_another_day(script: Script, prompt: str, day: date) -> bool:
    """Whether a prompt in no known phrase names one date, and not the one that the script takes."""
    forms = [
        part for one in script.phrases for part in one.parts if isinstance(part, Place) and part.day
    ]
    named = set(_ISO.findall(prompt[:LONGEST]))
    expected = {dated(part, day) for part in forms if part.form == "%Y-%m-%d"}
    return bool(expected) and len(named) == 1 and not named & expected


def dated(place: Place, day: date) -> str:
    """What a place for a date says on a day; empty for a move that nobody knows."""
    from cockpit.architect.expressions import date_moves  # more than a prompt without a date needs

    moved = next((moved for code, moved, _ in date_moves(day) if code == place.day), None)
    return moved.strftime(place.form) if moved is not None else ""


def phrased(script: Script, prompt: str, values: Mapping[str, str], day: date) -> str | None:
    """The prompt with other values and another day, None where it is in no phrase of the script."""
    told = plain(prompt)
    for phrase in script.phrases:
        if _texts(phrase, told) is not None:
            return "".join(_said(part, values, day) for part in phrase.parts)
    return None


def _said(part: str | Place, values: Mapping[str, str], day: date) -> str:
    if isinstance(part, str):
        return part
    if part.input:
        return values[part.input]
    return dated(part, day) if part.day else part.seen[0]


def fitted(script: Script, given: Mapping[str, str]) -> dict[str, str]:
    """The values as the script wants them.

    Raises:
        ValueError: where one is missing, is none of its inputs, or has a form that it never had.
    """
    told = {"--" + name.strip("_").replace("_", "-"): value for name, value in given.items()}
    known = {one.option: one for one in script.inputs}
    for option in told:
        if option not in known:
            wants = ", ".join(known) or "nothing but its day"
            raise ValueError(f"it is told no {option[:40]}, but {wants}")
    for option, one in known.items():
        if option not in told:
            raise ValueError(f"it needs a value for {option} ({one.words})")
        if re.fullmatch(one.pattern, told[option]) is None:
            shown = f"{told[option][:80]!r}"
            raise ValueError(f"{option} {shown} has a form that it never had: {one.words}")
    return {one.name: told[option] for option, one in known.items()}


def options(script: Script, values: Mapping[str, str]) -> tuple[str, ...]:
    """The values as words of a command line, none of which can be another option."""
    return tuple(f"{one.option}={values[one.name]}" for one in script.inputs)
