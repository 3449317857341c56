"""Gate V5: scripts that are wrong on purpose. If the replays do not notice, they would not notice an error.

Only what makes results is changed. Bounds, samples and reasons of guards are left alone: no recorded run is
near them, so that a changed one proves nothing about the comparison.
"""

import ast
import copy
import hashlib
import itertools
import random
import textwrap
from collections.abc import Callable, Iterator
from datetime import date

from msgspec import Struct

from cockpit.architect.static import GUARDS
from cockpit.core.script import Script

MOST = 40
"""Of more mutants than this a sample is tried, the same one for the same script."""

Edit = Callable[[ast.AST], None]

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
WRITERS = frozenset({"write", "append", "copy", "move", "command"})


class Mutant(Struct, frozen=True):
    """A changed script, and in words what was changed where."""

    words: str
    script: Script


def mutants(script: Script) -> list[Mutant]:
    """Wrong versions of the script, each with one change in its body."""
    tree = ast.parse(script.source)
    lines = script.source.splitlines(keepends=True)
    found = [
        Mutant(
            f"line {statement.lineno}: {words}", _with(script, _spliced(lines, statement, other))
        )
        for statement in _statements(tree, script)
        for words, other in _changed(statement)
    ]
    distinct = list({one.script.source: one for one in found}.values())
    chance = random.Random(hashlib.sha256(script.source.encode()).digest())
    return distinct if len(distinct) <= MOST else chance.sample(distinct, MOST)


def _with(script: Script, source: str) -> Script:
    return Script(
        task=script.task, purpose=script.purpose, source=source, capabilities=script.capabilities
    )


def _spliced(lines: list[str], statement: ast.stmt, other: ast.stmt) -> str:
    """The source with another statement in place of this one."""
    text = ast.unparse(ast.fix_missing_locations(other)) + "\n"
    indented = textwrap.indent(text, " " * statement.col_offset)
    last = statement.end_lineno or statement.lineno
    return "".join((*lines[: statement.lineno - 1], indented, *lines[last:]))


def _statements(tree: ast.Module, script: Script) -> Iterator[ast.stmt]:
    first, last = script.body
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and first <= node.lineno <= last:
            yield node


def _changed(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """The statement with one change, in all the ways there are; its inner statements are others' work."""
    skipped: set[int] = set()
    for place, node in enumerate(ast.walk(statement)):
        if id(node) in skipped:
            continue
        skipped |= {id(inner) for part in _not_results(node) for inner in ast.walk(part)}
        if isinstance(node, ast.stmt) and node is not statement:
            skipped |= {id(inner) for inner in ast.walk(node)}
            continue
        for words, edit in _edits(node):
            other = copy.deepcopy(statement)
            edit(next(itertools.islice(ast.walk(other), place, None)))
            yield words, other


def _not_results(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of a node that no result depends on."""
    match node:
        case ast.Expr(value=ast.Constant()):
            yield node.value
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))) if name in GUARDS:
            yield node.value
        case ast.Call(func=ast.Name(id=name), args=[_, *rest]) if name in GUARDS:
            yield from rest
        case ast.FunctionDef():
            yield node.args
            yield from node.decorator_list
        case ast.arg() | ast.alias() | ast.Import() | ast.ImportFrom():
            yield node


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case ast.Constant():
            yield from _constants(node)
        case ast.Compare(ops=[operator, *_]):
            other = COMPARED[type(operator)]
            yield f"{type(operator).__name__} turned round", lambda one: _compare(one, other)
        case ast.BinOp(op=operator) if type(operator) in CALCULATED:
            swapped = CALCULATED[type(operator)]
            yield f"{type(operator).__name__} swapped", lambda one: _calculate(one, swapped)
        case ast.BoolOp():
            yield "and for or", _either
        case ast.Subscript(slice=ast.Constant(value=str())):
            return
        case ast.FormattedValue(format_spec=ast.expr()):
            yield "format left out", _unformatted
        case ast.keyword(value=ast.Constant(value=bool())):
            return
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))) if name in WRITERS:
            yield f"{name} left out", _left_out


def _constants(node: ast.Constant) -> Iterator[tuple[str, Edit]]:
    match node.value:
        case bool() as yes:
            yield f"{yes} turned round", lambda one: _set(one, not yes)
        case int() as number:
            yield f"{number} and one more", lambda one: _set(one, number + 1)
        case float() as number:
            yield f"{number} and a bit more", lambda one: _set(one, number * 1.25 + 1)
        case str() as text if text:
            yield f"{text[:30]!r} with another letter", lambda one: _set(one, _another(text))


def _another(text: str) -> str:
    """The text with one letter changed, in the middle and where it shows."""
    try:
        return date.fromordinal(date.fromisoformat(text).toordinal() + 1).isoformat()
    except ValueError:
        places = [place for place, letter in enumerate(text) if letter.isalnum()]
    if not places:
        return text + "x"
    place = places[len(places) // 2]
    letter = text[place]
    return f"{text[:place]}{'q' if letter != 'q' else 'z'}{text[place + 1 :]}"


def _set(node: ast.AST, value: bool | float | str) -> None:
    if isinstance(node, ast.Constant):
        node.value = value


def _compare(node: ast.AST, operator: type[ast.cmpop]) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = operator()


def _calculate(node: ast.AST, operator: type[ast.operator]) -> None:
    if isinstance(node, ast.BinOp):
        node.op = operator()


def _either(node: ast.AST) -> None:
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _unformatted(node: ast.AST) -> None:
    if isinstance(node, ast.FormattedValue):
        node.format_spec = None


def _left_out(node: ast.AST) -> None:
    if isinstance(node, ast.Expr):
        node.value = ast.Constant(None)
