"""A plan written out as one file: what a person reads first, then what it stands on."""

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from cockpit.architect import prelude

BELOW = "# What follows is the same in every script."


@lru_cache(1)
def _parts() -> tuple[str, dict[str, tuple[str, frozenset[str]]], list[str]]:
    """The prelude's imports, its definitions with the names they need, and their order."""
    text = Path(prelude.__file__).read_text()
    lines = text.splitlines()
    found: dict[str, tuple[str, frozenset[str]]] = {}
    imports: list[str] = []
    for node in ast.parse(text).body:
        source = "\n".join(lines[_begin(node) - 1 : node.end_lineno])
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(source)
            continue
        needs = frozenset(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        for name in _defined(node):
            found[name] = (source, needs)
    return "\n".join(imports), found, list(found)


def _begin(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(int(one.lineno) for one in decorators)])


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [
                inner.id
                for one in targets
                for inner in ast.walk(one)
                if isinstance(inner, ast.Name)
            ]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _needed(names: Iterable[str]) -> set[str]:
    _, found, _ = _parts()
    todo, kept = [name for name in names if name in found], set()
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += [other for other in found[name][1] if other in found]
    return kept


def script(
    purpose: str,
    body: Sequence[str],
    promises: Sequence[str],
    day: str,
    inputs: Mapping[str, str] | None = None,
) -> tuple[str, tuple[int, int]]:
    """The whole file and the first and last line of its body.

    `body` are the lines of `main`, `promises` those of the function it calls before it changes anything,
    `inputs` the forms of what it is told beside the day.
    """
    code = ast.parse("\n".join((*body, *promises)))
    used = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    imports, found, order = _parts()
    kept = _needed({*used, "start"})
    told: list[str] = []
    for name in order:
        if name in kept and found[name][0] not in told:
            told.append(found[name][0])
    stands = "\n\n\n".join(told)
    names = used.union(*(found[name][1] for name in kept))
    head = [
        "# /// script",
        '# requires-python = ">=3.11"',
        "# dependencies = []",
        "# [tool.uv]",
        f'# exclude-newer = "{day}T00:00:00Z"',
        "# ///",
        f'"""{_quiet(purpose)}"""',
        "",
        *_imports(imports, names),
        "",
        "",
    ]
    begin = len(head) + 1
    lines = [*head, *body]
    end = len(lines)
    tail = ["", "", *promises] if promises else []
    forms = f", {dict(inputs)!r}" if inputs else ""
    rest = ["", "", BELOW, "", stands, "", "",
            'if __name__ == "__main__":', f"    start(main{forms})", ""]  # fmt: skip
    return "\n".join([*lines, *tail, *rest]), (begin, end)


def _quiet(purpose: str) -> str:
    return re.sub(r"[^\x20-\x7e\u00a1-\uffff]|[\"\\]", " ", purpose).strip()[:160] or "A script."


def _imports(imports: str, names: set[str]) -> list[str]:
    """The prelude's imports without what nothing uses."""
    kept: list[str] = []
    for node in ast.parse(imports).body:
        match node:
            case ast.Import(names=aliases):
                kept += [
                    f"import {one.name}" for one in aliases if one.name.partition(".")[0] in names
                ]
            case ast.ImportFrom(module=module, names=aliases):
                some = [one.name for one in aliases if one.name in names]
                if some:
                    kept.append(f"from {module} import {', '.join(some)}")
    return kept
