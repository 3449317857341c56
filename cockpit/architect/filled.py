"""Texts of all runs as one text with expressions in it."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, structs

from cockpit.architect.align import Template, template, tokens
from cockpit.architect.expressions import (
    PLAIN,
    Choice,
    Expression,
    Openings,
    Pool,
    date_like,
    is_input,
    parted,
    year_choice,
)

STRETCH = 4
"""Tokens by which a hole may reach into the constant text around it."""


class Filled(Struct, frozen=True):
    """Constant texts and choices in turn; `holes` are the texts of each choice, by context."""

    parts: tuple[str | Choice, ...]
    holes: tuple[tuple[str, ...], ...] = ()

    @property
    def choices(self) -> tuple[Choice, ...]:
        return tuple(part for part in self.parts if isinstance(part, Choice))

    @property
    def constant(self) -> str:
        return "".join(part for part in self.parts if isinstance(part, str))


class OpenHoleError(Exception):
    """A place whose value follows from nothing; `texts` are its values by context."""

    def __init__(self, texts: Sequence[str], context: str, solved: int = 0) -> None:
        super().__init__(context)
        self.texts = tuple(texts)
        self.context = context
        self.solved = solved


def fill(texts: Sequence[str], pool: Pool, heading: str = "") -> Filled:
    """The texts explained. Raises OpenHoleError with the first place that is not, or leaves it open."""
    try:
        found = _explained(tuple(texts), pool, heading)
    except OpenHoleError:
        if pool.openings is None:
            raise
        found = _pieces(template(texts), pool, heading, pool.openings)
    return _with_years(found, pool, len(texts))


def _with_years(filled: Filled, pool: Pool, count: int) -> Filled:
    """A year that was the same in all runs is written as the day's, and has to be the one that was seen."""
    parts: list[str | Choice] = []
    holes: list[tuple[str, ...]] = []
    told = iter(filled.holes)
    for part in filled.parts:
        if not isinstance(part, str):
            parts.append(part)
            holes.append(next(told))
            continue
        rest = part
        for text, spec in date_like(part, pool.days):
            if "%Y" in spec and text in rest:
                before, _, rest = rest.partition(text)
                parts += [before] if before else []
                parts.append(year_choice(text, spec, pool.days))
                holes.append((text,) * count)
        parts += [rest] if rest else []
    return Filled(tuple(parts), tuple(holes))


def _explained(every: tuple[str, ...], pool: Pool, heading: str) -> Filled:
    if len(set(every)) == 1:
        return Filled((every[0],) if every[0] else ())
    whole = pool.solve(every, heading)
    if whole is not None and _single(every):
        return Filled((whole,), (every,))
    try:
        return _pieces(template(every), pool, heading)
    except OpenHoleError as error:
        if whole is not None:
            return Filled((whole,), (every,))
        if not any(re.search(r"\d[.:/-]\d", text) for text in every):
            raise
        try:
            return _pieces(template(every, fine=True), pool, heading)
        except OpenHoleError:
            raise error from None


def _single(texts: tuple[str, ...]) -> bool:
    """Short enough that nobody would look for parts in it."""
    return all(len(tokens(text)) <= 12 and "\n" not in text for text in texts)


def _pieces(laid: Template, pool: Pool, heading: str, openings: Openings | None = None) -> Filled:
    """Gap after gap; one that is not explained may reach into the text around it."""
    parts: list[str | Choice] = []
    holes: list[tuple[str, ...]] = []
    count = len(laid.gaps[0])
    at, rest = 0, ""
    while at < len(laid.gaps):
        if not any(laid.gaps[at]):
            rest += laid.literals[at] if at < len(laid.literals) else ""
            at += 1
            continue
        context = (
            f"{heading} {''.join(part for part in parts if isinstance(part, str))[-60:]}{rest}"
        )
        found = _stretched(laid, at, rest, pool, context, count)
        if found is None and openings is not None:
            choice = openings.open(laid.gaps[at], context[-200:])
            right = laid.literals[at] if at < len(laid.literals) else ""
            found = Found(rest, choice, laid.gaps[at], at + 1, right)
        if found is None:
            raise _open(laid, at, pool, context, len(holes))
        left, choice, texts, at, rest = found
        if left:
            parts.append(left)
        parts.append(choice)
        holes.append(texts)
    if rest:
        parts.append(rest)
    return Filled(tuple(_merged(parts)), tuple(holes))


def _open(laid: Template, at: int, pool: Pool, context: str, solved: int) -> OpenHoleError:
    """The error for this gap; where all the open ones together are prose, for these."""
    gaps = [gap for gap in laid.gaps[at:] if any(gap) and pool.solve(gap) is None]
    texts = tuple(" ".join(parts) for parts in zip(*gaps, strict=True)) if gaps else laid.gaps[at]
    if sum(len(re.findall(r"[^\W\d_]{2,}", text)) >= 4 for text in texts) * 2 > len(texts):
        return OpenHoleError(texts, f"{context[-60:]}⟨?⟩".strip(), solved)
    after = laid.literals[at][:40] if at < len(laid.literals) else ""
    return OpenHoleError(laid.gaps[at], f"{(context + '⟨?⟩' + after).strip()}", solved)


def _merged(parts: list[str | Choice]) -> Iterator[str | Choice]:
    held = ""
    for part in parts:
        if isinstance(part, str):
            held += part
        else:
            if held:
                yield held
            yield part
            held = ""
    if held:
        yield held


class Found(NamedTuple):
    """A hole explained: text before it, choice, its texts, the next gap, text after it."""

    before: str
    choice: Choice
    texts: tuple[str, ...]
    following: int
    after: str


def _stretched(
    laid: Template, at: int, rest: str, pool: Pool, context: str, count: int
) -> Found | None:
    """The hole as narrow as possible; but a whole field that is wider beats a part of one."""
    found = _narrowest(laid, at, rest, pool, context, count, whole=False)
    if found is not None and found.choice.form.is_part:
        return _narrowest(laid, at, rest, pool, context, count, whole=True) or found
    return found


def _narrowest(
    laid: Template, at: int, rest: str, pool: Pool, context: str, count: int, *, whole: bool
) -> Found | None:
    lefts = _tails(rest)
    for end in range(at, min(at + 4, len(laid.gaps))):
        middle = [laid.joined(at, end, text) for text in range(count)]
        right = laid.literals[end] if end < len(laid.literals) else ""
        for left, after in _reaches(lefts, _heads(right)):
            texts = tuple(left + one + after for one in middle)
            if whole and not any(pool.plain(texts)):
                continue
            choice = pool.solve(texts, context)
            if choice is None or (whole and choice.form.is_part):
                continue
            choice = _preferred(choice, middle, lefts, _heads(right), left, after, pool)
            kept = rest[: len(rest) - len(left)] if left else rest
            return Found(kept, choice, texts, end + 1, right[len(after) :])
    return None


def _preferred(
    choice: Choice,
    middle: list[str],
    lefts: list[str],
    rights: list[str],
    left: str,
    right: str,
    pool: Pool,
) -> Choice:
    """The choice with those that explain more of the text around it as well."""
    wider: list[tuple[str, Expression, str]] = []
    for far, after in _reaches(lefts, rights):
        if len(far) >= len(left) and len(after) >= len(right) and (far, after) != (left, right):
            texts = tuple(far + one + after for one in middle)
            wider += [
                (far[: len(far) - len(left)], one, after[len(right) :]) for one in pool.plain(texts)
            ]
    return structs.replace(choice, wider=tuple(wider[:4])) if wider else choice


def _reaches(lefts: list[str], rights: list[str]) -> list[tuple[str, str]]:
    found = [(a + b, left, right) for a, left in enumerate(lefts) for b, right in enumerate(rights)]
    return [(left, right) for _, left, right in sorted(found, key=lambda one: one[0])]


def _tails(text: str) -> list[str]:
    """Nothing, the last token, the last two, ... of a constant text."""
    parts = tokens(text[-200:])
    return ["".join(parts[len(parts) - size :]) for size in range(min(STRETCH, len(parts)) + 1)]


def _heads(text: str) -> list[str]:
    parts = tokens(text[:200])
    return ["".join(parts[:size]) for size in range(min(STRETCH, len(parts)) + 1)]


# -- code -------------------------------------------------------------------------------------


def code(filled: Filled, wrap: str = "") -> str:
    """The Python expression that gives the text; `wrap` is put around values that are no dates."""
    parts = [part if isinstance(part, str) else _wrapped(part, wrap) for part in filled.parts]
    if not any(not isinstance(part, str) for part in parts):
        return literal("".join(part for part in parts if isinstance(part, str)))
    if any(not isinstance(part, str) and re.search(r"[\"\\\n]", part[0]) for part in parts):
        return " + ".join(
            literal(part) if isinstance(part, str) else _formatted(part[0]) for part in parts
        )
    inner = "".join(
        _escaped(part).replace("{", "{{").replace("}", "}}")
        if isinstance(part, str)
        else "{" + (" " if part[0].startswith("{") else "") + part[0] + "}"
        for part in parts
    )
    return f'f"{inner}"'


def _wrapped(choice: Choice, wrap: str) -> tuple[str]:
    if not wrap or choice.expression.label == "date":
        return (choice.shown,)
    if wrap == "name" and is_path(choice):
        wrap = "inner_path"
    return (Choice(choice.expression, choice.form, (), wrap).shown,)


def is_path(choice: Choice) -> bool:
    """An input that had several parts of a path in some run."""
    return is_input(choice.expression) and any("/" in value for value in choice.expression.values)


def _formatted(shown: str) -> str:
    inner, mark, spec = parted(shown)
    return f"format({inner}, {spec!r})" if mark else f"str({inner})"


def literal(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    told = text.encode("unicode_escape").decode("ascii") if not _printable(text) else text
    if told is text:
        told = told.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return told.replace('"', '\\"')


def _printable(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


def alternatives(choice: Choice) -> Iterator[tuple[str, str]]:
    """Pairs of codes that must agree today: the choice and each other explanation."""
    own = code(Filled((choice,)))
    for expression, form in choice.others:
        yield own, code(Filled((Choice(expression, form),)))
    for left, expression, right in choice.wider:
        parts = tuple(part for part in (left, choice, right) if part)
        yield code(Filled(parts)), code(Filled((Choice(expression, PLAIN),)))
