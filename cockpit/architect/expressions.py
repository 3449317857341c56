"""Where a value could come from: expressions over the sources of a run, cheapest first.

An expression carries its value in every context (a run, or a row of a run), so that to try it is to
compare. All that fit are kept: the cheapest is emitted, the others must agree with it on the day.
"""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from cockpit.architect import prelude

MOST_ALTERNATIVES = 10
"""Explanations beside the cheapest one; where more fit, the runs say too little."""
PLENTY = 12.0
"""Bits beyond what is needed with which the cheapest of many explanations is taken all the same."""
MOST_OF_ONE = 3
"""Alternatives out of the same source."""
_DISPLAYED = 0.4
"""Forms up to this cost only show a number in another way."""
REACH = 31
"""Days around the day of a run that a date may mean."""

Use = tuple[str | int, ...]
"""A source and the place in it that an expression reads: what the contract has to promise."""


class Expression(Struct, frozen=True):
    """Python code over the names of a script's body, and its value in each context."""

    code: str
    values: tuple[Any, ...]
    cost: float
    label: str = ""
    uses: tuple[Use, ...] = ()


class Form(Struct, frozen=True):
    """A way to write a value: `shown` is the expression within an f-string, {} stands for the code."""

    shown: str
    write: Callable[[Any], str | None]
    cost: float = 0.0
    name: str = ""
    numeric: bool = False
    """Whether it needs a number: a text that shows one is read first."""

    @property
    def is_part(self) -> bool:
        """Whether it shows less than the whole of a text."""
        return "partition" in self.shown or "[" in self.shown


def of_input(name: str, values: Sequence[str]) -> Expression:
    """What was told with the task."""
    return Expression(name, tuple(values), 1.2, name, (("--", name),))


def is_input(expression: Expression) -> bool:
    return expression.uses[:1] != () and expression.uses[0][0] == "--"


def written_as(expression: "Expression", form: "Form") -> str:
    """The expression in the form, within an f-string."""
    code = expression.code
    if form.numeric and any(isinstance(value, str) for value in expression.values):
        code = f"number({code})"
    return form.shown.replace("{}", code)


class Choice(Struct, frozen=True):
    """An expression in a form, and the others that fit as well."""

    expression: Expression
    form: Form
    others: tuple[tuple[Expression, Form], ...] = ()
    wrap: str = ""
    wider: tuple[tuple[str, Expression, str], ...] = ()
    """Expressions that also explain the constant text to the left and to the right."""

    @property
    def shown(self) -> str:
        code = written_as(self.expression, self.form)
        if not self.wrap:
            return code
        inner, mark, spec = parted(code)
        return f"{self.wrap}({inner})" if not mark else f"{self.wrap}(format({inner}, {spec!r}))"

    @property
    def uses(self) -> tuple[Use, ...]:
        return self.expression.uses


def parted(shown: str) -> tuple[str, str, str]:
    """The code of an f-string's expression and its format, parted at the colon outside of brackets."""
    depth, quote = 0, ""
    for place, char in enumerate(shown):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == ":" and not depth:
            return shown[:place], ":", shown[place + 1 :]
    return shown, "", ""


# -- forms ------------------------------------------------------------------------------------


def _number(value: Any) -> Any:
    """The number that a value is or shows, None where there is none."""
    kind = type(value)
    if kind is int or kind is float:
        return value
    return _number_of(value) if kind is str else None


@lru_cache(65_536)
def _number_of(text: str) -> int | float | None:
    if re.fullmatch(r"-?\d{1,15}(?:\.\d{1,12})?", text) is None:
        return None
    return float(text) if "." in text else int(text)


def _numeric(shown: str, spec: str, scale: Callable[[Any], Any], cost: float) -> Form:
    def write(value: Any) -> str | None:
        told = _number(value)
        return None if told is None else format(scale(told), spec)

    return Form(f"{shown}:{spec}" if spec else shown, write, cost, spec or shown, numeric=True)


def _textual(shown: str, change: Callable[[str], str], cost: float) -> Form:
    def write(value: Any) -> str | None:
        return change(value) if isinstance(value, str) else None

    return Form(shown, write, cost, shown)


def _plain(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    return str(value) if isinstance(value, int | float) else None


PLAIN = Form("{}", _plain, 0, "as it is")
_WHOLE = _numeric("{}", ",", lambda told: told, 0.2)
_TEXTS = (
    _textual("{}.upper()", str.upper, 0.5),
    _textual("{}.lower()", str.lower, 0.5),
    _textual("{}.title()", str.title, 0.5),
    _textual("{}.capitalize()", str.capitalize, 0.5),
    _textual("slug({})", prelude.slug, 1.0),
    _textual("stem({})", prelude.stem, 0.6),
    _textual("{}.strip()", str.strip, 0.6),
    _textual("{}.replace('_', ' ')", lambda told: told.replace("_", " "), 0.8),
    _textual("{}.replace('-', ' ')", lambda told: told.replace("-", " "), 0.8),
    _textual("{}.partition('.')[0]", lambda told: told.partition(".")[0], 0.9),
    _textual("{}.partition('-')[0]", lambda told: told.partition("-")[0], 0.9),
    _textual("{}.partition('@')[0]", lambda told: told.partition("@")[0], 0.9),
    _textual("{}.partition(' ')[0]", lambda told: told.partition(" ")[0], 0.9),
    _textual("{}.partition(':')[2]", lambda told: told.partition(":")[2], 0.9),
    _textual("{}.partition(' ')[2]", lambda told: told.partition(" ")[2], 0.9),
    _textual("{}.rpartition('/')[2]", lambda told: told.rpartition("/")[2], 0.9),
    _textual("{}.rpartition('-')[2]", lambda told: told.rpartition("-")[2], 0.9),
    _textual("{}.rpartition(' ')[2]", lambda told: told.rpartition(" ")[2], 0.9),
    _textual("{}.rpartition(':')[2]", lambda told: told.rpartition(":")[2], 0.9),
    _textual("{}.removeprefix('v')", lambda told: told.removeprefix("v"), 0.9),
    _textual("{}[:10]", lambda told: told[:10], 0.9),
    _textual("{}[11:16]", lambda told: told[11:16], 1.0),
    _textual("{}[:7]", lambda told: told[:7], 0.9),
    _textual("{}[:8]", lambda told: told[:8], 0.9),
    _textual("{}[:1]", lambda told: told[:1], 1.2),
)
_GLUED = Form(
    "number({})",
    lambda value: (
        str(prelude.number(value))
        if isinstance(value, str)
        and re.match(r"\s*-?\d[\d,]*(?:\.\d+)?", value)
        and _number(value) is None
        else None
    ),
    0.7,
    "the number in it",
)
DATES = (
    *("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y.%m.%d"),
    *("%Y-%m", "%Y/%m", "%Y", "%m", "%d", "%y%m%d", "%A", "%a", "%B", "%b", "%V", "%j", "%-d"),
    *("%-m", "%d.%m.", "%G-W%V", "%B %Y", "%b %d", "%-V", "%y", "%G"),
)
_MONTH_LIKE = ("%Y-%m", "%Y/%m", "%Y", "%B", "%b", "%B %Y", "%Y%m%d", "%A", "%a", "%G-W%V")
"""Forms that a constant of a few weeks may be without anybody noticing."""


def _dated(spec: str) -> Form:
    def write(value: Any) -> str | None:
        return value.strftime(spec) if isinstance(value, date) else None

    return Form("{}" if spec == "%Y-%m-%d" else f"{{}}:{spec}", write, DATES.index(spec) / 40, spec)


_DATE_FORMS = {spec: _dated(spec) for spec in DATES}


def forms_for(texts: Sequence[str]) -> Iterator[Form]:
    """The ways of writing that could have led to these texts, judged by their look."""
    yield PLAIN
    numbers = [re.fullmatch(r"([-+]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?", text) for text in texts]
    found = [one for one in numbers if one is not None]
    if len(found) == len(numbers):
        yield from _number_forms(found)
    if any(re.search(r"[^\W\d_]|\d", text) for text in texts):
        yield from _TEXTS


def _number_forms(found: list[re.Match[str]]) -> Iterator[Form]:
    places = {len(one[3] or "") for one in found}
    comma = any("," in one[2] for one in found)
    signed = any(one[1] == "+" for one in found)
    if len(places) == 1:
        yield from _fixed(places.pop(), comma=comma, signed=signed, padded=_padded(found))
    yield _GLUED


def _padded(found: list[re.Match[str]]) -> int:
    """The width of numbers that are all equally wide: with zeros in front, or only by chance (G2)."""
    widths = {len(one[2]) for one in found}
    width = widths.pop() if len(widths) == 1 else 0
    return width if width > 1 else 0


@lru_cache(64)
def _fixed(places: int, *, comma: bool, signed: bool, padded: int) -> tuple[Form, ...]:
    """Number formats with so many places behind the point."""
    plus = "+" if signed else ""
    forms: list[Form] = []
    if places == 0:
        if padded:
            forms.append(_whole_form(f"0{padded}d", 0.3))
        forms.append(_whole_form(f"{plus},", 0.2))
        if signed:
            forms.append(_whole_form("+", 0.2))
        forms += [
            _numeric("int({})", "", int, 0.8),
            _scaled("{} + 1", lambda told: told + 1, 1.4),
            _scaled("{} - 1", lambda told: told - 1, 1.6),
            _scaled("{} // 60", lambda told: told // 60, 1.2),
            _scaled("{} % 60", lambda told: told % 60, 1.4),
            _scaled("{} // 1000", lambda told: told // 1000, 1.4),
        ]
    spec = f".{places}f"
    for mark, cost in ((f"{plus}", 0.3), (f"{plus},", 0.4)):
        forms += [
            _float_form(f"{mark}{spec}", cost),
            _share(f"{mark}{spec}", cost + 0.5),
            _numeric("{} / 100", f"{mark}{spec}", lambda told: told / 100, cost + 0.8),
            _numeric("{} / 1000", f"{mark}{spec}", lambda told: told / 1000, cost + 0.8),
            _numeric("{} / 1e6", f"{mark}{spec}", lambda told: told / 1e6, cost + 1),
            _numeric("{} / 1024", f"{mark}{spec}", lambda told: told / 1024, cost + 1),
            _numeric("{} / 1024**2", f"{mark}{spec}", lambda told: told / 1024**2, cost + 1),
            _numeric("{} / 1024**3", f"{mark}{spec}", lambda told: told / 1024**3, cost + 1),
            _numeric("{} / 60", f"{mark}{spec}", lambda told: told / 60, cost + 1),
        ]
    return tuple(forms) if comma else tuple(one for one in forms if _open(one, places))


def _open(form: Form, places: int) -> bool:
    """Without a comma in sight, a comma matters only for the plain value: G2."""
    return "," not in form.name or (form.name in (",", f",.{places}f") and "/" not in form.shown)


def _whole_form(spec: str, cost: float) -> Form:
    def write(value: Any) -> str | None:
        told = _number(value)
        return format(told, spec) if isinstance(told, int) else None

    return Form(f"{{}}:{spec}", write, cost, spec, numeric=True)


def _scaled(shown: str, change: Callable[[Any], Any], cost: float) -> Form:
    def write(value: Any) -> str | None:
        told = _number(value)
        return str(change(told)) if isinstance(told, int) else None

    return Form(shown, write, cost, shown, numeric=True)


def _float_form(spec: str, cost: float) -> Form:
    def write(value: Any) -> str | None:
        told = _number(value)
        if told is None or (isinstance(told, int) and spec.endswith(".0f")):
            return None
        return format(told, spec)

    return Form(f"{{}}:{spec}", write, cost, spec, numeric=True)


def _share(spec: str, cost: float) -> Form:
    def write(value: Any) -> str | None:
        told = _number(value)
        return format(100 * told, spec) if isinstance(told, float) and abs(told) <= 10 else None

    return Form(f"100 * {{}}:{spec}", write, cost, "share " + spec, numeric=True)


# -- dates ------------------------------------------------------------------------------------


@lru_cache(512)
def date_moves(day: date) -> tuple[tuple[str, date, float], ...]:
    """Days that may be meant on a day: code, the day, cost."""
    found = [("day", day, 1.0)]
    for count in (1, 7, *range(2, 7), *range(8, REACH + 1)):
        near = 1.2 if count in (1, 7) else 1.6 if count < 8 else 2.0
        found.append((f"day - timedelta(days={count})", day - timedelta(days=count), near))
        found.append((f"day + timedelta(days={count})", day + timedelta(days=count), near + 0.3))
    monday = day - timedelta(days=day.weekday())
    found += [
        ("back(day, 1)", prelude.back(day, 1), 1.3),
        ("day - timedelta(days=day.weekday())", monday, 1.4),
        ("day - timedelta(days=day.weekday() + 7)", monday - timedelta(days=7), 1.8),
        ("day - timedelta(days=day.weekday() + 1)", monday - timedelta(days=1), 1.8),
        ("day + timedelta(days=6 - day.weekday())", monday + timedelta(days=6), 1.8),
        ("shifted(day, 0, 1)", prelude.shifted(day, 0, 1), 1.5),
        ("shifted(day, 0, 0)", prelude.shifted(day, 0, 0), 1.5),
        ("shifted(day, -1, 1)", prelude.shifted(day, -1, 1), 1.5),
        ("shifted(day, 1, 0)", prelude.shifted(day, 1, 0), 1.6),
        ("shifted(day, 1, 1)", prelude.shifted(day, 1, 1), 1.6),
    ]
    return tuple(found)


@lru_cache(512)
def _written_dates(day: date) -> dict[str, tuple[tuple[int, str], ...]]:
    """All that could be written on a day: text to (move, format)."""
    found: dict[str, list[tuple[int, str]]] = {}
    for place, (_, moved, _) in enumerate(date_moves(day)):
        for spec in DATES:
            found.setdefault(moved.strftime(spec), []).append((place, spec))
    return {text: tuple(each) for text, each in found.items()}


def date_choices(texts: Sequence[str], days: Sequence[date]) -> Iterator[tuple[Expression, Form]]:
    """Dates that these texts could be, on these days."""
    for place, spec in _written_dates(days[0]).get(texts[0], ()):
        moves = [date_moves(day)[place] for day in days]
        if all(move[1].strftime(spec) == text for move, text in zip(moves, texts, strict=True)):
            code, _, cost = moves[0]
            if not _natural(code, spec):
                continue
            values = tuple(move[1] for move in moves)
            yield Expression(code, values, cost, "date"), _DATE_FORMS[spec]


def _natural(code: str, spec: str) -> bool:
    """Whether anybody would say it so: a month is no month of seventeen days ago."""
    found = re.fullmatch(r"day [-+] timedelta\(days=(\d+)\)", code)
    if found is None or re.search(r"%(?:d|-d|j)", spec):
        return True
    return found[1] == "1" or (found[1] == "7" and "V" in spec)


def parts_of_years(days: Sequence[date]) -> Iterator[Expression]:
    """Quarter and half of the year."""
    for code, size in (("(day.month + 2) // 3", 3), ("(day.month + 5) // 6", 6)):
        told = tuple((day.month + size - 1) // size for day in days)
        yield Expression(f"({code})", told, 2.2, "quarter half")


_SEASONS = ("winter", "spring", "summer", "autumn")


def label_like(literal: str, days: Sequence[date]) -> list[tuple[str, str]]:
    """Labels of the quarter, the half, the week or the season that held in every run: text and code."""
    found: list[tuple[str, str]] = []
    for code, told in (
        ("(day.month + 2) // 3", {(day.month + 2) // 3 for day in days}),
        ("(day.month + 5) // 6", {(day.month + 5) // 6 for day in days}),
        ("day.isocalendar()[1]", {day.isocalendar()[1] for day in days}),
        ("day.month", {day.month for day in days}),
    ):
        if len(told) == 1:
            value = told.pop()
            near = r"(?:\b[A-Za-z]{1,2}|(?:quarter|half|week|month|semester|term|period)\W{0,3})"
            if re.search(rf"(?i){near}0?{value}(?!\d)|(?<!\d){value}(?:st|nd|rd|th)\b", literal):
                found.append((str(value), code))
    seasons = {day.month % 12 // 3 for day in days}
    if len(seasons) == 1:
        season = seasons.pop()
        words = (_SEASONS[season], "fall") if season == 3 else (_SEASONS[season],)
        if any(re.search(rf"(?i)\b{word}\b", literal) for word in words):
            found.append((str(season), "day.month % 12 // 3"))
    return found


def date_like(literal: str, days: Sequence[date]) -> list[tuple[str, str]]:
    """What of a constant text is, in every run, also a month, a year or a weekday: text and format."""
    found: list[tuple[str, str]] = []
    for spec in _MONTH_LIKE:
        texts = {day.strftime(spec) for day in days}
        if len(texts) == 1:
            text = texts.pop()
            told = re.search(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])", literal)
            if told and not any(text in other for other, _ in found):
                found.append((text, spec))
    return found


def year_choice(text: str, spec: str, days: Sequence[date]) -> Choice:
    """A constant that is the day's year or month, and must be what it was in every run (G3)."""
    constant = Expression(repr(text), (text,) * len(days), 0, "constant")
    return Choice(
        Expression("day", tuple(days), 1.0, "date"), _DATE_FORMS[spec], ((constant, PLAIN),)
    )


# -- evidence ---------------------------------------------------------------------------------


def bits(texts: Iterable[str]) -> float:
    """How much the values of a hole say, in bits: small numbers and repeats say little."""
    every = list(texts)
    distinct = set(every)
    own = sum(_own_bits(text) for text in distinct)
    return own + (len(every) - len(distinct)) * math.log2(max(len(distinct), 1))


@lru_cache(8192)
def _own_bits(text: str) -> float:
    digits = len(re.sub(r"\D", "", text).lstrip("0"))
    letters = len(re.sub(r"[\W\d_]", "", text))
    return max(1.0, 3.2 * digits - (0.7 if digits == 1 else 0)) + min(letters, 8) * 1.8


def related(label: str, context: str) -> bool:
    """Whether the name of a field is told beside a hole."""
    words = {word for word in re.findall(r"[a-z]{2,}", label.lower()) if len(word) > 2}
    told = re.findall(r"[a-z]{3,}", context.lower())
    return any(word[:4] == other[:4] for word in words for other in told)


# -- the pool ---------------------------------------------------------------------------------


class Openings:
    """Places that nothing explains, kept open for somebody else: the texts of each, by name."""

    def __init__(self) -> None:
        self.texts: dict[str, tuple[str, ...]] = {}
        self.contexts: dict[str, str] = {}

    def open(self, texts: Sequence[str], context: str) -> Choice:
        """A call of a function that is still to be written."""
        told = tuple(texts)
        name = next((one for one, known in self.texts.items() if known == told), "")
        if not name:
            name = f"hole{len(self.texts) + 1}"
            self.texts[name] = told
            self.contexts[name] = context
        return Choice(Expression(f"{name}(told, day)", told, 9.0, "hole"), PLAIN)


class Pool:
    """Expressions over the same contexts; finds all that explain given texts."""

    def __init__(self, days: Sequence[date], expressions: Iterable[Expression] = ()) -> None:
        self.days = tuple(days)
        self.expressions: list[Expression] = []
        self._index: dict[str, dict[str, list[tuple[Expression, Form]]]] = {}
        self._codes: set[str] = set()
        self._costs: list[float] = []
        self._dated: list[Expression] = []
        self.openings: Openings | None = None
        self.more: Callable[[tuple[str, ...]], Iterable[tuple[Expression, Form]]] | None = None
        self.add(expressions)

    def add(self, expressions: Iterable[Expression]) -> None:
        for one in expressions:
            if one.code not in self._codes:
                self._codes.add(one.code)
                self.expressions.append(one)
        self._index.clear()
        self._dated = [one for one in self.expressions if isinstance(one.values[0], date)]
        self._costs = sorted(one.cost for one in self.expressions)

    def candidates(self, texts: tuple[str, ...]) -> list[tuple[Expression, Form]]:
        """Every expression and form that gives these texts, cheapest first."""
        found = list(date_choices(texts, self.days)) if texts[0] else []
        found += [
            (one, form)
            for one in self._dated
            for form in _DATE_FORMS.values()
            if all(form.write(value) == text for value, text in zip(one.values, texts, strict=True))
        ]
        for form in forms_for(texts):
            found += [
                (one, form)
                for one, _ in self._indexed(form).get(texts[0], ())
                if all(
                    form.write(value) == text for value, text in zip(one.values, texts, strict=True)
                )
            ]
        found.sort(key=lambda pair: (pair[0].cost + pair[1].cost, pair[0].code, pair[1].shown))
        return found

    def _indexed(self, form: Form) -> dict[str, list[tuple[Expression, Form]]]:
        index = self._index.get(form.shown)
        if index is None:
            index = {}
            for one in self.expressions:
                told = form.write(one.values[0])
                if told is not None:
                    index.setdefault(told, []).append((one, form))
            self._index[form.shown] = index
        return index

    def solve(self, texts: tuple[str, ...], context: str = "") -> Choice | None:
        """The cheapest explanation for which the runs say enough, with all the others that fit."""
        found = self.candidates(texts)
        if not found and self.more is not None:
            found = list(self.more(texts))
        if not found:
            return None
        told = bits(texts)
        best = next((pair for pair in found if told >= self._needed(pair, context)), None)
        if best is None:
            return None
        spare = told - self._needed(best, context)
        whole = {one.code for one, form in found if form is PLAIN}
        others = _distinct((pair for pair in found if pair is not best), whole, best[0].code)
        if len(others) > MOST_ALTERNATIVES and spare < PLENTY:
            return None
        return Choice(best[0], best[1], tuple(others[:MOST_ALTERNATIVES]))

    def plain(self, texts: tuple[str, ...]) -> Iterator[Expression]:
        """Texts of sources that are exactly these."""
        for one, _ in self._indexed(PLAIN).get(texts[0], ()):
            if one.values == texts:
                yield one

    def _needed(self, pair: tuple[Expression, Form], context: str) -> float:
        """Bits without which a fit may be chance: the more was tried before it, the more."""
        expression, form = pair
        if expression.label == "date":
            tried = 3.0 + 8 * (expression.cost - 1) + 2 * form.cost
        else:
            cheaper = sum(1 for cost in self._costs if cost <= expression.cost)
            tried = math.log2(cheaper + 1) + 2 + 3 * form.cost + 3 * max(0.0, expression.cost - 4)
            if expression.label and related(expression.label, context):
                tried -= 6
        return tried


def _distinct(
    pairs: Iterable[tuple[Expression, Form]], whole: set[str], best: str
) -> list[tuple[Expression, Form]]:
    """One of each code and form."""
    seen: dict[str, tuple[Expression, Form]] = {}
    codes: set[str] = set()
    asked: dict[str | int, int] = {}
    for expression, form in pairs:
        if expression.code in whole and (form in _TEXTS or form.cost > _DISPLAYED):
            continue  # a name is a name, not the first word of one; a number is not its own rest
        if expression.code != best and expression.code in codes:
            continue  # another source is asked once
        if form.name == "int({})" and all(isinstance(value, int) for value in expression.values):
            continue
        source = expression.uses[0][0] if expression.uses else ""
        if source and expression.code != best:
            asked[source] = asked.get(source, 0) + 1
            if asked[source] > MOST_OF_ONE:
                continue
        codes.add(expression.code)
        seen.setdefault(written_as(expression, form), (expression, form))
    return _outermost(list(seen.values()))


def _outermost(pairs: list[tuple[Expression, Form]]) -> list[tuple[Expression, Form]]:
    """Of days counted from the day only the nearest and the farthest: what is between follows."""
    counted: dict[tuple[str, str], list[tuple[Expression, Form]]] = {}
    kept: list[tuple[Expression, Form]] = []
    for expression, form in pairs:
        found = re.fullmatch(r"day ([-+]) timedelta\(days=(\d+)\)", expression.code)
        if found is None:
            kept.append((expression, form))
        else:
            counted.setdefault((found[1], form.name), []).append((expression, form))
    for each in counted.values():
        each.sort(key=lambda pair: abs((pair[0].values[0] - date.min).days))
        kept += each if len(each) <= 2 else [each[0], each[-1]]
    return kept
