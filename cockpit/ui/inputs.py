"""What a script has to be told beside the day: asked for in one line, as options, and shown."""

import shlex
from collections.abc import Callable, Sequence

from cockpit.core.options import one_by_one, sorted_out
from cockpit.core.script import Input
from cockpit.core.shelf import Given, ShelfRow
from cockpit.ui import text

SHOWN = 4


def parted(line: str) -> tuple[str, tuple[Given, ...]]:
    """The words of a line, and the values of the options in it.

    Raises:
        ValueError: with a sentence for who types.
    """
    words, told = sorted_out(shlex.split(line))
    return " ".join(words), one_by_one(told)


def option_line(given: Sequence[Given]) -> str:
    """Values as one types them."""
    words = [
        word
        for each in given
        for name, value in each
        for word in (f"--{name.strip('_').replace('_', '-')}", shlex.quote(value))
    ]
    return text.safe(" ".join(words), 400)


def wanted(row: ShelfRow) -> str:
    """The options of a script, with a value that one of its runs had."""
    newest = [(one, next(reversed(one.values.values()), "")) for one in row.inputs]
    return option_line([tuple((one.name, value) for one, value in newest)])


def words_of(one: Input) -> str:
    """An input and its form."""
    return text.safe(f"{one.option}: {one.words}", 200)


def about(row: ShelfRow, verb: str) -> str:
    """The question for the values."""
    forms = "\n".join(words_of(one) for one in row.inputs)
    return f"{verb} {text.safe(row.name, 40)} for what?\n{forms}"


def told(row: ShelfRow) -> Callable[[str], str]:
    """What a line of options means, while it is typed."""

    def says(typed: str) -> str:
        try:
            words, given = parted(typed)
        except ValueError as error:
            return text.safe(str(error), 200)
        names = {name for each in given for name, _ in each}
        left = [one.option for one in row.inputs if one.name.strip("_") not in names]
        if words or len(given) > 1:
            return "one value for each option · esc leaves"
        return f"still wanted: {', '.join(left)}" if left else "enter goes on · esc leaves"

    return says
