"""A compiled script tried on the runs themselves, in memory: nothing is read, written or started.

Only for scripts of tier 0, whose code holds nothing but names of the prelude and constants. It is
the compiler's own check before the gates in the sandbox, and cheap enough to make for every run.
"""
# ruff: noqa: ANN401  (values of other people's JSON are of any type)

import ast
from collections.abc import Sequence
from datetime import date
from types import CodeType
from typing import Any

from msgspec import Struct

from cockpit.architect import emit, prelude
from cockpit.architect.blobs import Blobs
from cockpit.architect.effects import text_of
from cockpit.architect.evidence import Run, content
from cockpit.core.script import EXIT_BUG, EXIT_DONE, EXIT_DRIFT, Refusal, Script

ROUNDING = 0.34
"""The share of runs that may be left to the agent because a guard stops the script."""
_ALLOWED = (
    ast.Expression, ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.Expr,
    ast.Call, ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.JoinedStr,
    ast.FormattedValue, ast.List, ast.Dict, ast.Tuple, ast.ListComp, ast.DictComp,
    ast.GeneratorExp, ast.comprehension, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp,
    ast.If, ast.For, ast.Lambda, ast.keyword, ast.Starred, ast.Slice, ast.expr_context,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_METHODS = frozenset(
    """
    month isocalendar strip upper lower endswith title capitalize replace partition rpartition removeprefix startswith endswith
    split join weekday days dumps lstrip strftime key value
    """.split()  # noqa: SIM905
)
_BUILTINS: dict[str, Any] = {
    name: __builtins__[name] if isinstance(__builtins__, dict) else getattr(__builtins__, name)
    for name in (
        *("str", "int", "float", "len", "sum", "max", "min", "round", "format", "enumerate"),
        *("all", "any", "sorted", "list", "dict", "set", "abs", "isinstance"),
    )
}


def _imported(name: str, *rest: object) -> Any:
    """Only what dates themselves need to be written."""
    del rest
    if name not in ("time", "_strptime"):
        raise ImportError(name)
    return __import__(name)


class Outcome(Struct):
    """What the script did in memory: exit code and reason, files, moves and commands in their order."""

    code: int
    reason: str
    files: dict[str, str | None]
    carried: list[tuple[str, str, str]]
    commands: list[tuple[str, ...]]


def body_of(source: str) -> CodeType:
    """The code of `main` and `promises`. Raises ValueError when there is more in it than names and constants."""
    kept: list[ast.stmt] = [
        node for node in ast.parse(source.partition(emit.BELOW)[0]).body
        if isinstance(node, ast.FunctionDef) and node.name in ("main", "promises")
    ]  # fmt: skip
    for node in (inner for one in kept for inner in ast.walk(one)):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"{type(node).__name__} in a script")
        if isinstance(node, ast.Attribute) and node.attr not in _METHODS:
            raise ValueError(f"{node.attr} in a script")
        if isinstance(node, ast.Name) and node.id.startswith("_"):
            raise ValueError(f"{node.id} in a script")
    return compile(ast.Module(kept, []), "<script>", "exec")


class _Stage:
    """The prelude's reading and writing, on the world of a run."""

    def __init__(self, run: Run, blobs: Blobs) -> None:
        self.run = run
        self.blobs = blobs
        self.outcome = Outcome(EXIT_DONE, "", {}, [], [])
        self.changed = 0

    def get(self, url: str) -> str:
        return self._told("get", url)

    def read(self, path: str) -> str:
        text = self._told("read", path)
        prelude.check("\r" not in text, "other line ends")
        return text

    def names(self, folder: str) -> list[str]:
        return self._told("list", folder).splitlines()

    def run_command(self, *argv: str) -> str:
        for one in self.run.operations:
            if one.kind == "query" and one.argv == argv and not one.opaque:
                return one.output
        return str(prelude.drift(f"not recorded: {argv}"))

    def _told(self, kind: str, target: str) -> str:
        text = content(self.run, kind, target, self.blobs)
        return str(prelude.drift(f"not recorded: {kind} {target}")) if text is None else text

    def before(self, path: str) -> str | None:
        world = self.run.trace.world
        if world is None:
            return None
        return text_of(world.before.files.get(path), self.blobs)

    def write(self, path: str, text: str, rows: int | None = None) -> None:
        del rows
        if self.before(path) != text:
            self.changed += 1
            self.outcome.files[path] = text

    def append(self, path: str, text: str) -> None:
        old = self.before(path) or ""
        self.write(path, old if old.endswith(text) else old + text)

    def copy(self, path: str, target: str) -> None:
        self.changed += 1
        self.outcome.carried.append(("copy", path, target))

    def move(self, path: str, target: str) -> None:
        self.changed += 1
        self.outcome.carried.append(("move", path, target))

    def command(self, *argv: str) -> None:
        self.outcome.commands.append(argv)

    def written(self) -> int:
        return self.changed

    def nothing(self, reason: str) -> None:
        raise prelude.Stop(EXIT_DONE, reason)


def played(body: CodeType, run: Run, blobs: Blobs, day: date | None = None) -> Outcome:
    """What the script does in the world of a run."""
    stage = _Stage(run, blobs)
    names = {name: value for name, value in vars(prelude).items() if not name.startswith("_")}
    for closed in (
        "os",
        "sys",
        "subprocess",
        "socket",
        "http",
        "Path",
        "asked",
        "executed",
        "inside",
        "STATE",
    ):
        names.pop(closed, None)
    for name in (
        "get",
        "read",
        "names",
        "write",
        "append",
        "copy",
        "move",
        "command",
        "written",
        "nothing",
    ):
        names[name] = getattr(stage, name)
    names["run"] = stage.run_command
    names["__builtins__"] = _BUILTINS | {"__import__": _imported}
    exec(body, names)  # names and constants only, see body_of
    try:
        names["main"](day or run.day, *_inputs(body, run))
    except prelude.Stop as stop:
        stage.outcome.code, stage.outcome.reason = stop.code, str(stop)
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        stage.outcome.code, stage.outcome.reason = EXIT_DRIFT, f"{type(error).__name__}: {error}"
    except Exception as error:
        stage.outcome.code, stage.outcome.reason = EXIT_BUG, f"{type(error).__name__}: {error}"
    return stage.outcome


def _inputs(body: CodeType, run: Run) -> list[str]:
    """What `main` is told beside the day, by the names of its arguments."""
    main = next(
        one for one in body.co_consts if isinstance(one, CodeType) and one.co_name == "main"
    )
    wanted = main.co_varnames[1 : main.co_argcount]
    for name in wanted:
        if name not in run.given:
            prelude.drift(f"its prompt does not tell {name}")
    return [run.given[name] for name in wanted]


def difference(outcome: Outcome, run: Run) -> str:
    """The first thing in which the script and the agent differ; empty where they do not."""
    files = {act.words[0]: act.text for act in run.acts if act.kind == "write"}
    made = dict(outcome.files)
    for kind, _, target in outcome.carried:
        if kind == "copy" and target in files:
            made[target] = files[target]
    for path in sorted(files.keys() | made.keys()):
        if files.get(path) != made.get(path):
            return f"{path}: {_first_difference(files.get(path), made.get(path))}"
    carried = sorted((act.kind, *act.words) for act in run.acts if act.kind in ("copy", "move"))
    told = sorted(one for one in outcome.carried if one[2] not in files)
    if carried != told:
        return f"moved {told[:3]}, not {carried[:3]}"
    commands = [act.words for act in run.acts if act.kind == "command"]
    if commands != outcome.commands:
        return f"commands {outcome.commands[:2]}, not {commands[:2]}"
    others = [act for act in run.acts if act.kind in ("post", "remove", "unknown")]
    return f"{others[0].kind} {others[0].words[0]}" if others else ""


def _first_difference(wanted: str | None, made: str | None) -> str:
    if wanted is None or made is None:
        return "not written" if made is None else "written, and it should not be"
    for line, (one, other) in enumerate(zip(wanted.split("\n"), made.split("\n"), strict=False), 1):
        if one != other:
            return f"line {line} is {other[:80]!r}, not {one[:80]!r}"
    return "another number of lines"


def unlike(
    script: Script, training: Sequence[Run], rest: Sequence[Run], blobs: Blobs
) -> Refusal | None:
    """A refusal where the script does not do what the runs did: N5 in training, N7 in the others."""
    try:
        body = body_of(script.source)
    except (ValueError, SyntaxError) as error:
        return Refusal("N6", f"the script cannot be written down: {error}")
    for run in training:
        outcome = played(body, run, blobs)
        told = outcome.reason if outcome.code != EXIT_DONE else difference(outcome, run)
        if told:
            return Refusal(
                "N5",
                f"what was compiled does not do what the run did: {told}",
                "",
                {run.name: told},
            )
    stopped: dict[str, str] = {}
    for run in rest:
        outcome = played(body, run, blobs)
        if outcome.code == EXIT_DONE:
            if told := difference(outcome, run):
                return Refusal(
                    "N7",
                    f"a run did something else, and nothing says when: {told}",
                    "",
                    {run.name: told},
                )
        else:
            stopped[run.name] = outcome.reason
    if len(stopped) > ROUNDING * (len(training) + len(rest)):
        return Refusal(
            "N7", "too many runs did something else", "", dict(list(stopped.items())[:3])
        )
    return None
