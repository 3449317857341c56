"""What was inferred, put together as the lines of a script."""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cockpit.architect.evidence import Source
from cockpit.architect.expressions import Choice, Use
from cockpit.architect.filled import Filled, alternatives, code, literal
from cockpit.architect.infer import Document, Listed, Value, Written
from cockpit.architect.loops import Loop
from cockpit.architect.sources import Rows
from cockpit.core.script import Hole

VALUE_LIMIT = 80
FEW = 50
"""Counts that come down to this may come down to one, or to none."""
Instead = Mapping[str, tuple[str, ...]]
"""The lines that stand in for a loop without rows, by the code of its rows; none is an answer too."""


class Plan:
    """Collects lines, guards, uses of sources and the provenance of every hole."""

    def __init__(self, runs: Sequence[str], instead: Instead) -> None:
        self.runs = tuple(runs)
        self.instead = instead
        self.empty: set[Use] = set()
        self.steps: list[str] = []
        self.before: list[str] = []
        self.functions: list[str] = []
        self.rows: dict[str, str] = {}
        self.row_texts: dict[str, tuple[Rows, list[str]]] = {}
        self.guards: dict[str, str] = {}
        self.told: list[str] = []
        self._agreed: set[frozenset[str]] = set()
        self.uses: set[Use] = set()
        self.exact: set[Use] = set()
        self.holes: list[Hole] = []
        self.constants: list[str] = []

    # -- rows ---------------------------------------------------------------------------------

    def named(self, loop: Loop) -> str:
        """The variable that holds the selected rows of a loop."""
        told = loop.selection.code
        if told in self.rows:
            return self.rows[told]
        if re.fullmatch(r"\w+", told):
            return told
        plain = re.sub(r"[^a-z]+", "_", loop.rows.label.lower()).strip("_")[:20] or "rows"
        name = f"{plain}_rows" if not plain.endswith("rows") else plain
        count = 2
        while name in self.rows.values():
            name, count = f"{plain}_rows_{count}", count + 1
        self.rows[told] = name
        self._used_rows(loop)
        for other in loop.selection.others:
            self.guard(f"agree({name}, {other}, {'the rows of ' + plain!r})",
                       f"the rows taken are the same by another rule that fitted: {_brief(other)}")  # fmt: skip
        return name

    def _used_rows(self, loop: Loop) -> None:
        rows = loop.rows
        if rows.place:
            self.uses.add(rows.place)
            for field in loop.selection.fields:
                if field in rows.keys:
                    self.uses.add((*rows.place, "", rows.keys[field]))
            whole = loop.selection.code == rows.code and not rows.code.startswith("chosen(")
            if whole or rows.code.startswith("groups("):
                self.exact.add(rows.place)
            for code_, key in rows.keys.items():
                if code_ in loop.selection.code:
                    self.uses.add((*rows.place, "", key))

    # -- pieces -------------------------------------------------------------------------------

    def text(self, filled: Filled, about: str, wrap: str = "") -> str:
        """The code of a filled text outside of any loop."""
        self.constants.append(filled.constant)
        for choice, texts in zip(filled.choices, filled.holes, strict=True):
            self._hole(choice, texts, about)
            self._special(choice, filled, None)
            pairs = alternatives(choice)
            for one, other in _plain(pairs) if wrap == "name" else pairs:
                self.agreed(one, other, about)
        return code(filled, wrap)

    def _hole(self, choice: Choice, texts: Sequence[str], about: str) -> None:
        self.uses |= set(choice.uses)
        values = dict(zip(self.runs, (text[:VALUE_LIMIT] for text in texts), strict=False))
        form = f", {choice.form.name}" if choice.form.name not in ("as it is", "%Y-%m-%d") else ""
        self.holes.append(Hole(_brief(about), f"{choice.expression.code}{form}", values))

    def address(self, source: Source) -> None:
        """The provenance of what is fetched."""
        for target in source.target:
            for choice, texts in zip(target.choices, target.holes, strict=True):
                self._hole(choice, texts, source.slot.words)
        if source.each is not None:
            self.uses.add(source.each.rows.place)
            for choice in source.each.line.choices:
                self.uses |= set(choice.uses)
        self.told += [_agreeing(one, other) for one, other in _doubts(source)]

    def line(self, loop: Loop, filled: Filled, about: str, wrap: str = "") -> str:
        """The code of a filled text within a loop, over the name `row`."""
        self.constants.append(filled.constant)
        held = self.row_texts.setdefault(self.named(loop), (loop.as_rows, []))
        held[1].append(filled.constant)
        counts = [len(each) for each in loop.taken]
        for choice, texts in zip(filled.choices, filled.holes, strict=True):
            self._hole(choice, tuple(_by_run(texts, counts)), f"{about}, each row")
            self._special(choice, filled, loop)
            for one, other in alternatives(choice):
                self._row_guard(loop, one, other, about)
        return code(filled, wrap)

    def _special(self, choice: Choice, filled: Filled, loop: Loop | None) -> None:
        """None and one of something are often said in other words: only what was seen is known."""
        values = choice.expression.values
        after = filled.parts[filled.parts.index(choice) + 1 :]
        word = bool(after) and isinstance(after[0], str) and re.match(r"\s+[^\W\d_]{2,}", after[0])
        told = [number_shown(value) for value in values]
        if not word or None in told or min(one for one in told if one is not None) > FEW:
            return
        unseen = tuple(one for one in (0, 1) if one not in told)
        if not unseen or choice.form.name not in ("as it is", ","):
            return
        code_ = choice.expression.code
        check = f"number({code_}) not in {unseen!r}"
        if loop is not None:
            check = f"all({check} {self.each(loop, numbered='number_of_row' in code_)})"
        words = f"{_brief(code_)} was never {' or '.join(map(str, unseen))}, which may be said in other words"
        self.guard(f"check({check}, {words!r})", words)

    def _row_guard(self, loop: Loop, one: str, other: str, about: str) -> None:
        each = self.each(loop, numbered="number_of_row" in one + other)
        self.agreed(f"[{one} {each}]", f"[{other} {each}]", about)

    def each(self, loop: Loop, *, numbered: bool) -> str:
        name = self.named(loop)
        return (
            f"for number_of_row, row in enumerate({name}, 1)" if numbered else f"for row in {name}"
        )

    def guard(self, line: str, words: str) -> None:
        self.guards.setdefault(line, words)

    def agreed(self, one: str, other: str, about: str) -> None:
        """A guard that two codes give the same, once for each pair."""
        pair = frozenset((one, other))
        if pair not in self._agreed:
            self._agreed.add(pair)
            self.guard(f"agree({one}, {other}, {_brief(about)!r})", _agreeing(one, other))

    # -- documents ----------------------------------------------------------------------------

    def document(self, told: Document, about: str, wrap: str = "") -> str:
        """The code of a text of many lines."""
        parts: list[str] = []
        for part in told.parts:
            if isinstance(part, Loop):
                parts.append(self.loop(part, about, wrap))
            else:
                parts.append(self.text(part, about, wrap))
        inner = "".join(f"\n    {part}," for part in parts)
        whole = f"text({inner}\n)" if len(parts) > 1 else f"text({parts[0]})"
        return whole if told.ended else f"{whole}[:-1]"

    def loop(self, one: Loop, about: str, wrap: str = "") -> str:
        line = self.line(one, one.line, about, wrap)
        numbered = "number_of_row" in line
        for other in one.others:
            far = code(other.line)
            near = code(one.line)
            each = f"for row in {self.named(one)}"
            if not numbered and "number_of_row" not in far:
                self.guard(f"agree([{near} {each}], [{far} for row in {other.selection.code}], {_brief(about)!r})",
                           f"another list gives the same lines: {_brief(other.rows.code)}")  # fmt: skip
        whole = f"[{line} {self.each(one, numbered=numbered)}]"
        instead = self.instead.get(one.selection.code)
        if instead is not None:
            self.empty.add(one.rows.place)
        if not instead:
            return f"*{whole}"
        self.constants += instead
        return f"*({whole} or [{', '.join(map(literal, instead))}])"

    def json(self, told: Written, about: str) -> str:
        words = "".join(f", {key}={value!r}" for key, value in told.style.items())
        end = ' + "\\n"' if told.ended else ""
        return f"json.dumps({self._tree(told.tree, about, None)}{words}){end}"

    def _tree(self, tree: Any, about: str, loop: Loop | None) -> str:
        match tree:
            case dict():
                return "{" + ", ".join(f"{_quoted(key)}: {self._tree(value, f'{about}: {key}', loop)}"
                                       for key, value in tree.items()) + "}"  # fmt: skip
            case list():
                return "[" + ", ".join(self._tree(value, about, loop) for value in tree) + "]"
            case Listed():
                item = self._tree(tree.item, about, tree.loop)
                each = self.each(tree.loop, numbered="number_of_row" in item)
                if tree.key is not None:
                    return f"{{{self._tree(tree.key, about, tree.loop)}: {item} {each}}}"
                return f"[{item} {each}]"
            case Value(text=filled) if filled is not None:
                return self.line(loop, filled, about) if loop else self.text(filled, about)
            case Value(choice=choice) if choice is not None:
                return self._value(choice, about, loop)
        if isinstance(tree, str):
            self.constants.append(tree)
            return literal(tree)
        return repr(tree)

    def _value(self, choice: Choice, about: str, loop: Loop | None) -> str:
        own = choice.expression.code
        texts = tuple(str(value) for value in choice.expression.values)
        if loop is None:
            self._hole(choice, texts, about)
        else:
            self._hole(choice, tuple(_by_run(texts, [len(each) for each in loop.taken])), about)
        for expression, _ in choice.others:
            if loop is None:
                self.agreed(own, expression.code, about)
            else:
                self._row_guard(loop, own, expression.code, about)
        return own


def number_shown(value: object) -> int | None:
    """The whole number that a value is or shows."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else None


def _by_run(texts: Sequence[str], counts: Sequence[int]) -> Iterator[str]:
    at = 0
    for count in counts:
        yield ", ".join(texts[at : at + min(count, 4)]) + (", …" if count > 4 else "")
        at += count


def _agreeing(one: str, other: str) -> str:
    return f"{_brief(one)} and {_brief(other)} are the same"


def _brief(text: str) -> str:
    flat = re.sub(r"[^\x20-\x7e\u00a1-\uffff]+", " ", text)
    return flat if len(flat) <= 90 else flat[:89] + "…"


def _quoted(key: str) -> str:
    return literal(key)


# -- slicing ----------------------------------------------------------------------------------


def names_in(lines: Iterable[str]) -> set[str]:
    """The names that code uses."""
    text = "\n".join(lines)
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def fetched(sources: Sequence[Source], used: set[str]) -> tuple[list[str], list[Source]]:
    """The lines that get the sources which are used, also by other sources, in order."""
    lines: list[str] = []
    kept: list[Source] = []
    for one in reversed(sources):
        name = one.slot.name
        if name in used or f"{name}_text" in used:
            before = [f"agree({own}, {other}, {one.slot.words!r})" for own, other in _doubts(one)]
            lines[:0] = [*before, *_fetch(one, used)]
            used = used | names_in([one.slot.fetch, *before])
            kept.insert(0, one)
    return lines, kept


def _doubts(one: Source) -> Iterator[tuple[str, str]]:
    """Codes for the address that gave the same in every run: asked before anything is fetched."""
    for target in one.target:
        for choice in target.choices:
            yield from _plain(alternatives(choice))
    if one.each is None:
        return
    rows = one.each.selection.code
    for choice in one.each.line.choices:
        for own, other in _plain(alternatives(choice)):
            yield f"[{own} for row in {rows}]", f"[{other} for row in {rows}]"
    for other in one.each.selection.others:
        yield rows, other


def _plain(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Without those that put a comma into a number: nobody does in an address or a path."""
    return (pair for pair in pairs if not re.search(r":[+]?,", pair[1]))


def _fetch(one: Source, used: set[str]) -> list[str]:
    name, get = one.slot.name, one.slot.fetch
    lines: list[str] = []
    if f"{name}_text" in used:
        lines.append(f"{name}_text = {get}")
        get = f"{name}_text"
    match one.slot.reading:
        case "data":
            lines.append(f"{name} = data({get})")
        case "table":
            lines.append(f"{name} = table({get})")
        case "tabbed":
            lines.append(f"{name} = table({get}, '\\t')")
        case _:
            lines.append(f"{name} = {get}")
    return lines


def replaced(lines: Iterable[str], rows: dict[str, str]) -> list[str]:
    """With the selected rows by their names, the longest codes first."""
    told = list(lines)
    for own in sorted(rows, key=len, reverse=True):
        told = [line.replace(own, rows[own]) for line in told]
    return told
