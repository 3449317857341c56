"""The inputs of a script as one writes them: options that nobody knows but the script."""

from collections.abc import Iterable

from cockpit.core.shelf import Given


def sorted_out(values: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Plain words, and the values of options by name: `--region EMEA` or `--region=EMEA`.

    Raises:
        ValueError: where an option has no value.
    """
    words: list[str] = []
    told: dict[str, list[str]] = {}
    rest = iter(values)
    for word in rest:
        if not word.startswith("--"):
            words.append(word)
            continue
        option, equals, value = word[2:].partition("=")
        if not equals:
            value = next(rest, "")
            if not value or value.startswith("--"):
                raise ValueError(f"{word} needs a value")
        told.setdefault(option.replace("-", "_"), []).append(value)
    return words, told


def one_by_one(told: dict[str, list[str]]) -> tuple[Given, ...]:
    """The values of all options together: the first of each, then the second.

    Raises:
        ValueError: where one has more values than another.
    """
    if len({len(values) for values in told.values()}) > 1:
        counts = ", ".join(f"{len(values)} of --{name}" for name, values in told.items())
        raise ValueError(f"as many values for each input: {counts}")
    return tuple(tuple(zip(told, each, strict=True)) for each in zip(*told.values(), strict=True))
