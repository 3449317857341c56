"""Gate V0: what can be said of a script without running it.

Only what is known to be harmless passes. Anything the sandbox would stop anyway is named here as well: a
script that wants it was not made from the runs.
"""

import ast
import functools
import inspect
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from msgspec import Struct

from cockpit.architect import calendar_words, prelude
from cockpit.architect.dates import run_day
from cockpit.architect.operations import Operation, operations
from cockpit.architect.stage import covered
from cockpit.core.redaction import Redactor
from cockpit.core.script import Script
from cockpit.core.text import clean
from cockpit.core.trace import Trace

IMPORTS = frozenset(
    {
        "argparse",
        "collections",
        "contextlib",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "functools",
        "hashlib",
        "html",
        "http.client",
        "io",
        "itertools",
        "json",
        "logging",
        "math",
        "operator",
        "os",
        "pathlib",
        "re",
        "shlex",
        "shutil",
        "socket",
        "statistics",
        "string",
        "subprocess",
        "sys",
        "tempfile",
        "textwrap",
        "typing",
        "unicodedata",
        "urllib.parse",
        "xml.etree.ElementTree",
        "zoneinfo",
        "collections.abc",
        "__future__",
    }
)
"""No clock, no chance, no way to load code."""
FORBIDDEN_NAMES = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "__import__",
        "globals",
        "locals",
        "vars",
        "breakpoint",
        "input",
        "memoryview",
        "delattr",
    }
)
CLOCK_AND_CHANCE = frozenset(
    {
        "today",
        "now",
        "utcnow",
        "monotonic",
        "perf_counter",
        "time_ns",
        "urandom",
        "getrandom",
        "getpid",
        "getppid",
        "st_mtime",
        "st_ctime",
        "st_atime",
        "getmtime",
        "getctime",
        "uname",
        "node",
        "gethostname",
    }
)
OS_MAY = frozenset(
    {
        "environ",
        "path",
        "replace",
        "rename",
        "fsync",
        "fspath",
        "sep",
        "getcwd",
        "curdir",
        "devnull",
        "linesep",
        "open",
        "close",
        "write",
        "read",
        "listdir",
        "scandir",
        "walk",
        "makedirs",
        "mkdir",
        "chmod",
        "stat",
        "O_RDONLY",
        "O_WRONLY",
        "O_CREAT",
        "O_EXCL",
        "O_TRUNC",
        "fdopen",
        "unlink",
        "rmdir",
        "fsencode",
        "fsdecode",
    }
)
SOCKET_MAY = frozenset({"socket", "AF_UNIX", "SOCK_STREAM", "timeout", "error", "SHUT_RDWR"})
SUBPROCESS_MAY = frozenset({"run", "DEVNULL", "PIPE", "TimeoutExpired", "CalledProcessError"})
SYS_MAY = frozenset({"exit", "argv", "stderr", "stdout"})
MODULES_MAY = {"os": OS_MAY, "socket": SOCKET_MAY, "subprocess": SUBPROCESS_MAY, "sys": SYS_MAY}
DUNDERS = frozenset(
    {"__name__", "__main__", "__init__", "__missing__", "__file__", "__doc__", "__enter__"}
)
MODELS = re.compile(
    r"anthropic|openai|generativelanguage|aiplatform|bedrock|openrouter|mistral\.ai|groq\.com|deepseek"
    r"|together\.(?:ai|xyz)|fireworks\.ai|cohere|huggingface|api\.x\.ai|:11434|/v1/(?:messages|chat|responses)",
    re.IGNORECASE,
)
RUNNERS = frozenset({"run", "command"})
"""The functions of a script that start a program: the first word must be written out."""
GUARDS = frozenset(
    {"check", "agree", "expect", "known", "above", "below", "drift", "nothing", "beginning"}
)
"""Functions whose arguments are bounds, samples and reasons, not results."""
ANYTHING = ("*", "**", "**/*", "*/**")
HARMLESS_GIT = frozenset(
    f"git {word}" for word in ("diff", "status", "log", "show", "rev-parse", "ls-files")
)
"""Looks that a script may add where the agents used git at all."""
UNITS = frozenset({256, 360, 365, 1024, 1440, 3600, 86400, 1048576, 1073741824})
"""Numbers that everybody knows, and powers of ten: they remember no run."""
FEWEST = 2
"""So many runs must have done something before a script may do it."""


def findings(script: Script, traces: Sequence[Trace]) -> list[str]:
    """What speaks against the script, in sentences; empty when nothing."""
    try:
        tree = _theirs(ast.parse(script.source))
    except (SyntaxError, ValueError, RecursionError) as error:
        return [f"it is no Python: {error}"]
    told = [
        *_header(script.source),
        *(_node(node) for node in ast.walk(tree)),
        *_addresses(tree, script),
        *_runners(tree, script),
        *_secrets(script.source),
        *beyond(script, traces),
        *_remembered(tree, script, traces),
        *_dated(tree, script, traces),
    ]
    return list(dict.fromkeys(one for one in told if one))


def _theirs(tree: ast.Module) -> ast.Module:
    """The script without what was copied unchanged from our own prelude."""
    ours = _ours()
    return ast.Module([node for node in tree.body if ast.dump(node) not in ours], [])


@functools.cache
def _ours() -> frozenset[str]:
    return frozenset(ast.dump(node) for node in ast.parse(inspect.getsource(prelude)).body)


def _header(source: str) -> Iterator[str]:
    block = re.search(r"(?m)^# /// script$\n((?:^#(?: .*)?$\n)+?)^# ///$", source)
    if block is None:
        yield "it has no PEP 723 header"
    elif not re.search(r"(?m)^# dependencies = \[\]$", block[1]):
        yield "it wants more than the standard library"


def _node(node: ast.AST) -> str:
    """What is wrong with one node, empty if nothing."""
    match node:
        case ast.Import():
            return next(
                (_imported(alias.name) for alias in node.names if _imported(alias.name)), ""
            )
        case ast.ImportFrom():
            return "" if not node.level and node.module in IMPORTS else f"imports {node.module}"
        case ast.Name(id=name) if name in FORBIDDEN_NAMES:
            return f"uses {name}"
        case ast.Name(id=name) if name.startswith("__") and name not in DUNDERS:
            return f"uses {name}"
        case ast.Attribute():
            return _attribute(node)
        case ast.Call():
            return _call(node)
        case ast.Constant(value=str(text)) if MODELS.search(text):
            return f"names a model's address: {clean(text)[:80]!r}"
        case ast.AsyncFunctionDef() | ast.Global() | ast.Await():
            return f"has {type(node).__name__}, which no script needs"
    return ""


def _imported(name: str) -> str:
    return "" if name in IMPORTS else f"imports {name}"


def _attribute(node: ast.Attribute) -> str:
    name = node.attr
    if name in CLOCK_AND_CHANCE:
        return f"reads a clock or chance: {ast.unparse(node)[:60]}"
    if name.startswith("__") and name not in DUNDERS:
        return f"reaches for {name}"
    module = node.value.id if isinstance(node.value, ast.Name) else ""
    if name not in MODULES_MAY.get(module, (name,)):
        return f"uses {module}.{name}"
    return ""


def _call(node: ast.Call) -> str:
    if any(word.arg == "shell" for word in node.keywords):
        return "starts a shell"
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    written_out = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    if name in ("getattr", "setattr") and not written_out:
        return f"uses {name} with a name that is not written out"
    return ""


# Where it goes, and what it starts.


def _addresses(tree: ast.Module, script: Script) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and _computed_host(node):
            yield f"computes the host of an address: {ast.unparse(node)[:80]}"
    declared = {pattern.partition("/")[0].lower() for pattern in script.capabilities.hosts}
    for text in _strings(tree):
        for host in re.findall(r"https?://([A-Za-z0-9.:_-]+)", text):
            if host.lower() not in declared:
                yield f"names the host {host}, which is not declared"


def _computed_host(node: ast.JoinedStr) -> bool:
    pieces = [_text(piece) if isinstance(piece, ast.Constant) else None for piece in node.values]
    return any(
        following is None and piece is not None and re.search(r"https?://[^/]*$", piece) is not None
        for piece, following in itertools.pairwise(pieces)
    )


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _runners(tree: ast.Module, script: Script) -> Iterator[str]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in RUNNERS or not _in_body(node, script):
            continue
        words = [_text(one) for one in node.args]
        if not words or words[0] is None:
            yield f"starts a program whose name is not written out: {ast.unparse(node)[:80]}"
        elif not _declared(words, script.capabilities.commands):
            yield f"starts {words[0]} in a way that is not declared: {ast.unparse(node)[:80]}"


def _declared(words: list[str | None], commands: Sequence[str]) -> bool:
    return any(words[: len(parts := one.split())] == parts for one in commands if one.strip())


def _in_body(node: ast.AST, script: Script) -> bool:
    first, last = script.body
    return not last or first <= getattr(node, "lineno", 0) <= last


def _secrets(source: str) -> Iterator[str]:
    if Redactor().text(source) != source:
        yield "a secret stands in its text"
    for match in re.findall(r"https?://[^\s\"']*\{\{secret:", source):
        yield f"a secret stands in an address: {match[:60]}"


# What the runs did.


def beyond(script: Script, traces: Sequence[Trace]) -> Iterator[str]:
    """Where the capabilities go further than what at least two runs did."""
    may = script.capabilities
    for pattern in (*may.read, *may.write):
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/") or pattern in ANYTHING:
            yield f"the pattern {pattern!r} is not of one place in the workspace"
    if len(traces) < FEWEST:
        yield "too few runs"
        return
    did = [_did(trace) for trace in traces]
    hosts = {one.partition("/")[0].lower() for one in may.hosts}
    yield from _too_wide("asked", hosts, (one.hosts for one in did))
    yield from _too_wide("used", may.methods if may.hosts else (), (one.methods for one in did))
    for pattern in may.write:
        if sum(any(covered(path, (pattern,)) for path in one.changed) for one in did) < FEWEST:
            yield f"fewer than {FEWEST} runs wrote {pattern}"
    for command in may.commands:
        asked = "git" if command in HARMLESS_GIT else command
        if sum(_ran(trace, asked) for trace in traces) < FEWEST:
            yield f"fewer than {FEWEST} runs started {command}"


def _operations(trace: Trace) -> Sequence[Operation]:
    try:
        return operations(trace)
    except (ValueError, RecursionError, IndexError, KeyError):
        return ()


def _too_wide(verb: str, wanted: Iterable[str], seen: Iterable[set[str]]) -> Iterator[str]:
    known = list(seen)
    for one in wanted:
        if sum(one in run for run in known) < FEWEST:
            yield f"fewer than {FEWEST} runs {verb} {one}"


class _Did(Struct, frozen=True):
    """Whom a run asked and how, and which files it changed."""

    hosts: set[str]
    methods: set[str]
    changed: set[str]


def _did(trace: Trace) -> _Did:
    """By its record; of a run whose workspace was not recorded, by its calls."""
    world = trace.world
    if world is not None and world.after is not None:
        asked = [(one.method, one.url) for one in world.fetches]
        changed = set(world.changed())
    else:
        done = _operations(trace)
        asked = [("GET", one.target) for one in done if one.kind == "get"]
        changed = {path for one in done if one.is_effect for path in (one.target, one.destination)}
    hosts = {urlsplit(url).netloc.lower() for _, url in asked}
    return _Did(hosts, {method for method, _ in asked}, changed - {""})


def _ran(trace: Trace, command: str) -> bool:
    """Whether an agent said the command: its first word, with the sub-command somewhere behind it."""
    words = [re.escape(word) for word in command.split()]
    told = re.compile(r"(?<![\w./-])" + r"\b[^|;&\n]*?\s".join(words) + r"(?![\w-])")
    return any(
        told.search(_said(value)) for step in trace.steps for value in step.arguments.values()
    )


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    return " ".join(map(str, value)) if isinstance(value, list) else ""


def _dated(tree: ast.Module, script: Script, traces: Sequence[Trace]) -> Iterator[str]:
    """Constants that may be words for the time of the runs, and that no guard looks after."""
    common = calendar_words.in_common([run_day(trace) for trace in traces])
    guarded = _guarded(tree)
    for node in _results(tree):
        if isinstance(node.value, str) and _in_body(node, script):
            for token in calendar_words.tokens(node.value):
                if token in common - guarded:
                    yield f"{token!r} may be a word for the time of the runs, and nothing checks it"


def _guarded(tree: ast.Module) -> set[str]:
    """Words that a guard compares with something: only one of its arguments has them, and not its reason."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in GUARDS
        ):
            each = [
                {one for text in _strings(part) for one in calendar_words.tokens(text)}
                for part in node.args[: max(1, len(node.args) - 1)]
            ]
            found |= {
                one for words in each for one in words if sum(one in others for others in each) == 1
            }
    return found


def _results(tree: ast.Module) -> Iterator[ast.Constant]:
    """The literals that make results: those in no guard and in no docstring."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in GUARDS:
                skipped |= {id(inner) for inner in ast.walk(node)}
            case ast.Expr(value=ast.Constant() as words):
                skipped.add(id(words))
            case ast.Constant() if id(node) not in skipped:
                yield node


def _remembered(tree: ast.Module, script: Script, traces: Sequence[Trace]) -> Iterator[str]:
    """Literals with digits that came from the outputs of some runs and not of all: remembered results."""
    guarded = _guarded(tree)
    outputs = ["\n".join(step.output for step in trace.steps) for trace in traces]
    for node in _results(tree):
        if _in_body(node, script):
            for token in _telling(node.value, guarded):
                count = sum(token in output for output in outputs)
                if 0 < count < len(outputs):
                    yield f"the literal {token!r} is known from {count} of {len(outputs)} runs only"


def _telling(value: object, guarded: set[str]) -> list[str]:
    """The parts of a literal that nobody would write by chance, but for those that a guard looks after."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return []
    if not isinstance(value, str) and (value in UNITS or re.fullmatch(r"10+(?:\.0)?", str(value))):
        return []
    return [
        one
        for one in re.findall(r"[\w.:-]+", str(value))
        if sum(map(str.isdigit, one)) >= 3 and not guarded.issuperset(_numbered(one))
    ]


def _numbered(text: str) -> list[str]:
    return [one for one in calendar_words.tokens(text) if any(map(str.isdigit, one))]
