"""Two numbers against each other: difference, sum, product, share, change."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cockpit.architect.expressions import Expression, Form, Pool, forms_for

MOST = 40
"""Numbers beyond which every pair would explain something by chance."""
COST = 6.0
_FIGURE = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")

Wanted = Callable[[Any], bool]
"""Whether the first value of a pair is worth looking at the others."""

_WAYS: tuple[tuple[str, bool, Callable[[Any, Any], Any]], ...] = (
    ("({} - {})", False, lambda one, other: one - other),
    ("({} + {})", True, lambda one, other: one + other),
    ("({} * {})", True, lambda one, other: one * other),
    ("({} / {})", False, lambda one, other: one / other),
    ("(100 * {} / {})", False, lambda one, other: 100 * one / other),
    ("(100 * ({0} - {1}) / {1})", False, lambda one, other: 100 * (one - other) / other),
)
"""Code, whether the order of the two does not matter, and what comes out."""


def pairs(numbers: Sequence[Expression], wanted: Wanted) -> Iterator[Expression]:
    """Every pair of these, in every way of which the first value is wanted."""
    for (at, one), (far, other) in itertools.permutations(enumerate(numbers), 2):
        left, right = one.values[0], other.values[0]
        for code, even, way in _WAYS:
            if even and at > far:
                continue
            try:
                if not wanted(way(left, right)):
                    continue
                values = tuple(way(a, b) for a, b in zip(one.values, other.values, strict=True))
            except (ZeroDivisionError, OverflowError):
                continue
            label = f"{one.label} {other.label}"
            uses = (*one.uses, *other.uses)
            yield Expression(code.format(one.code, other.code), values, COST, label, uses)


def computed(pool: Pool, wanted: Wanted) -> Iterator[Expression]:
    """Pairs of the numbers of a pool that vary."""
    numbers = [
        one
        for one in pool.expressions
        if one.cost <= 3.6 and len(set(one.values)) > 1 and all(map(_is_number, one.values))
    ]
    numbers.sort(key=lambda one: one.cost)
    yield from pairs(numbers[:MOST], wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def told_by(
    found: Callable[[Wanted], Iterator[Expression]], texts: tuple[str, ...]
) -> Iterator[tuple[Expression, Form]]:
    """Pairs that, in some form, give these texts."""
    if not all(_FIGURE.fullmatch(text) for text in texts):
        return
    forms = [form for form in forms_for(texts) if form.cost <= 0.4]
    for one in found(lambda value: any(form.write(value) == texts[0] for form in forms)):
        for form in forms:
            if all(
                form.write(value) == text for value, text in zip(one.values, texts, strict=True)
            ):
                yield one, form


def computed_texts(pool: Pool, texts: tuple[str, ...]) -> Iterator[tuple[Expression, Form]]:
    """Pairs of the numbers of a pool that give these texts."""
    return told_by(lambda wanted: computed(pool, wanted), texts)
