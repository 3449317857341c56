"""What a model answers when it is asked to fill the holes of a script: read strictly, trusted in nothing."""

import ast
import json
import re
from collections.abc import Collection, Iterator

import msgspec
from msgspec import Struct

from cockpit.core.script import Capabilities

REPLY_LIMIT = 200_000
FUNCTION_LIMIT = 6_000
MOST_UNSURE = 4
IMPORTS = frozenset(("re", "json", "datetime", "decimal", "csv", "statistics"))
_NODES = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AugAssign, ast.AnnAssign,
    ast.Return, ast.Expr, ast.If, ast.For, ast.Break, ast.Continue, ast.Pass, ast.Raise, ast.Import,
    ast.ImportFrom, ast.alias, ast.Call, ast.Name, ast.Constant, ast.Attribute, ast.Subscript,
    ast.Slice, ast.JoinedStr, ast.FormattedValue, ast.List, ast.Dict, ast.Tuple,
    ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Compare,
    ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.IfExp, ast.Lambda, ast.keyword, ast.Starred,
    ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_NAMES = frozenset(
    (
        *("eval", "exec", "compile", "open", "input", "print", "getattr", "setattr", "delattr"),
        *(
            "globals",
            "locals",
            "vars",
            "dir",
            "id",
            "hash",
            "object",
            "type",
            "super",
            "memoryview",
        ),
        *(
            "set",
            "frozenset",
            "breakpoint",
            "help",
            "exit",
            "quit",
            "classmethod",
            "staticmethod",
            "property",
        ),
    )
)
_ATTRIBUTES = frozenset(
    (
        *("format", "format_map", "now", "today", "utcnow", "fromtimestamp", "utcfromtimestamp"),
        *("load", "dump", "sys", "os", "io", "codecs", "random", "mro", "writer", "DictWriter"),
    )
)


class Unsure(Struct, frozen=True, forbid_unknown_fields=True):
    """Other expressions over `told` and `day` that fitted as well: they become guards."""

    hole: str
    alternatives: tuple[str, ...] = ()


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """An input that the model sees; nothing follows from it yet."""

    name: str
    source: str = ""
    expr: str = ""


class Reply(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole answer. `holes` are the sources of functions by name."""

    verdict: str
    refuse_code: str = ""
    holes: dict[str, str] = {}
    params: tuple[Parameter, ...] = ()
    capabilities: dict[str, tuple[str, ...]] = {}
    contract: tuple[dict[str, object], ...] = ()
    tests: tuple[dict[str, object], ...] = ()
    assumptions: tuple[str, ...] = ()
    unsure: tuple[Unsure, ...] = ()


class ReplyError(ValueError):
    """The answer is not one; the text says why and may be shown to the model."""


def parsed(text: str, holes: Collection[str]) -> Reply:
    """The answer, checked in form and in every function. Raises ReplyError."""
    if len(text) > REPLY_LIMIT:
        raise ReplyError("the answer is too long")
    bare = re.sub(r"\A\s*```(?:json)?\s*\n(.*)\n```\s*\Z", r"\1", text, flags=re.DOTALL)
    try:
        reply = msgspec.json.decode(bare.encode(), type=Reply)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ReplyError(f"the answer is not the JSON that was asked for: {error}") from error
    if reply.verdict == "refuse":
        return reply
    if reply.verdict != "script":
        raise ReplyError('the verdict is neither "script" nor "refuse"')
    if set(reply.holes) != set(holes):
        raise ReplyError(f"holes must be exactly {sorted(holes)}")
    for name, source in reply.holes.items():
        for fault in faults(name, source):
            raise ReplyError(f"{name}: {fault}")
    for one in reply.unsure:
        _check_unsure(one, holes)
    return reply


def _check_unsure(one: Unsure, holes: Collection[str]) -> None:
    if one.hole not in holes or len(one.alternatives) > MOST_UNSURE:
        raise ReplyError(f"unsure of {one.hole!r}, which is no hole, or of too much")
    for expression in one.alternatives:
        for fault in faults("other", f"def other(told, day):\n    return ({expression})\n"):
            raise ReplyError(f"unsure of {one.hole}: {fault}")


def faults(name: str, source: str) -> Iterator[str]:
    """Why a function is not pure, as far as its text tells."""
    if len(source) > FUNCTION_LIMIT:
        yield "the function is too long"
        return
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        yield f"it is no Python: {error}"
        return
    match tree.body:
        case [ast.FunctionDef(name=own, args=arguments, decorator_list=[])] if own == name:
            if [one.arg for one in arguments.args] != ["told", "day"] or arguments.defaults:
                yield "the arguments must be (told, day)"
        case _:
            yield f"it must be one function {name}(told, day), imports inside of it"
    for node in ast.walk(tree):
        if fault := _fault(node):
            yield fault


def _fault(node: ast.AST) -> str:
    match node:
        case ast.Import(names=names):
            return _imported([one.name for one in names])
        case ast.ImportFrom(module=module, level=level):
            return _imported([module or ""]) if not level else "a relative import"
        case ast.Name(id=name) if name in _NAMES or name.startswith("__"):
            return f"{name} is not allowed"
        case ast.Attribute(attr=name) if name in _ATTRIBUTES or name.startswith("_"):
            return f".{name} is not allowed"
        case ast.Constant(value=str() as text) if "__" in text or re.search(r"https?://", text):
            return "a text that is no text of a result"
    return "" if isinstance(node, _NODES) else f"{type(node).__name__} is not allowed"


def _imported(names: list[str]) -> str:
    wrong = [name for name in names if name not in IMPORTS]
    return f"import of {wrong[0]!r} is not allowed" if wrong else ""


def narrowed(allowed: Capabilities, wanted: dict[str, tuple[str, ...]]) -> Capabilities:
    """What the answer wants of what is allowed; what it does not name stays. Raises ReplyError beyond."""
    known = {"hosts", "methods", "read", "write", "exec", "commands", "secrets"}
    told = {key: value for key, value in wanted.items() if value}
    if set(told) - known:
        raise ReplyError(f"unknown capabilities {sorted(set(told) - known)}")
    if "exec" in told:
        told["commands"] = told.pop("exec")
    for key, values in told.items():
        beyond = set(values) - set(getattr(allowed, key))
        if beyond:
            raise ReplyError(
                f"capabilities may only narrow: {key} {sorted(beyond)} was never used by the runs"
            )
    return msgspec.structs.replace(allowed, **told)


def form() -> str:
    """The form of an answer, for the request."""
    return json.dumps(
        {
            "verdict": "script | refuse",
            "refuse_code": "N4 | N5 | N6, only when refusing",
            "holes": {"hole1": "def hole1(told, day):\n    ...\n    return text"},
            "params": [],
            "capabilities": {
                "hosts": [],
                "methods": [],
                "read": [],
                "write": [],
                "exec": [],
                "secrets": [],
            },
            "contract": [],
            "tests": [],
            "assumptions": ["in a few words"],
            "unsure": [{"hole": "hole1", "alternatives": ["another expression over told and day"]}],
        }
    )
