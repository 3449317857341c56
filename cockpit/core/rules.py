"""Rules for tool calls that must wait for the operator, and which of them a call meets.

A rule may only err towards asking: what a shell command would run is looked for behind every
wrapper, and where that cannot be told, the words of the rule anywhere in the text are enough.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from msgspec import Struct

from cockpit.core.rule import Rule
from cockpit.core.shell_words import WORDS, Reading, Simple, read

SHELL_FIELDS = (
    *("command", "commands", "cmd", "cmdline", "line", "argv", "args", "script", "bash", "shell"),
    *("run", "code", "chars"),
)
"""Fields of a tool's input that a shell or an interpreter gets."""
PATH_FIELDS = ("file_path", "path", "notebook_path", "absolute_path", "filePath", "target_file")
TEXT_LIMIT = 256 * 1024
MOST_TEXTS = 500
WORD_LIMIT = 300
UNCLEAR_LIMIT = 20_000

_URL = re.compile(r"://(?:[^/\s@'\"]{0,200}@)?\[?([a-z0-9_.:-]{1,260})", re.IGNORECASE)
_REMOTE = re.compile(r"\w@([a-z0-9.-]{1,260})", re.IGNORECASE)
_BARE = re.compile(r"[a-z0-9.-]+", re.IGNORECASE)
_TOP = re.compile(r"[a-z0-9-]\.[a-z]{2,24}\Z", re.IGNORECASE)
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete|Move to)[^:\n]*: (.+)$", re.MULTILINE)


TOO_LONG = Rule("a command too long and tangled to look through", text=".")
"""Met by a shell command that no rule can be held against."""


class _Call(Struct, frozen=True):
    """A tool call, read once for all rules."""

    tool: str
    texts: tuple[str, ...]
    shell: tuple[tuple[str, Reading], ...]
    plain: tuple[tuple[str, Simple], ...]
    paths: tuple[str, ...]
    hosts: tuple[frozenset[str], frozenset[str]]
    workspace: str


def mistake(rule: Rule) -> str:
    """What is wrong with a rule, empty when nothing is."""
    for field in ("tool", "text"):
        try:
            re.compile(getattr(rule, field))
        except re.error as error:
            return f"rule {rule.name!r}: {field}: no regular expression: {error}"
    if not rule.name:
        return "name: missing"
    if not (rule.tool or rule.text or rule.hosts or rule.outside_workspace):
        return f"rule {rule.name!r} has no condition: tool, text, hosts or outside_workspace"
    return ""


def matched(
    rules: Iterable[Rule], tool: str, given: object, cwd: str, workspace: str = ""
) -> Rule | None:
    """The first rule that the call meets. `workspace` is the run's directory, `cwd` where it is now."""
    call = _read(tool, given, cwd, workspace or cwd)
    known = tuple(rules)
    if any(rule.text and not rule.tool for rule in known) and _too_long(call):
        return TOO_LONG
    return next((rule for rule in known if _meets(rule, call)), None)


def _read(tool: str, given: object, cwd: str, workspace: str) -> _Call:
    shell: list[tuple[str, Reading]] = []
    paths: list[str] = []
    if isinstance(given, Mapping):
        for field in SHELL_FIELDS:
            command = _command(given.get(field))
            paths += _PATCHED.findall(command)
            if command and not command.lstrip().startswith("*** Begin Patch"):
                shell.append((command, read(command, cwd)))
        paths += [given[field] for field in PATH_FIELDS if isinstance(given.get(field), str)]
    elif isinstance(given, str):
        shell.append((given, read(given, cwd)))
    texts = tuple(islice(_texts(given), MOST_TEXTS))
    return _Call(
        tool=tool,
        texts=texts,
        shell=tuple(shell),
        plain=tuple((_plain(each.words), each) for _, seen in shell for each in seen.commands),
        paths=tuple(posixpath.join(cwd, path) for path in paths),
        hosts=_named(texts),
        workspace=workspace,
    )


def _command(value: object) -> str:
    """A command as text; one given as words is a command too."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(word, str) for word in value):
        import shlex  # only where words have to be joined

        return shlex.join(value)
    return ""


def _texts(given: object, depth: int = 0) -> Iterator[str]:
    if isinstance(given, str):
        yield given[:TEXT_LIMIT]
    elif isinstance(given, Mapping) and depth < 8:
        for value in given.values():
            yield from _texts(value, depth + 1)
    elif isinstance(given, (list, tuple)) and depth < 8:
        for value in given:
            yield from _texts(value, depth + 1)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@lru_cache(maxsize=256)
def _loose(pattern: str) -> re.Pattern[str]:
    """The pattern anywhere in a text, for texts that could not be taken apart."""
    return _compiled(pattern.removeprefix("^"))


def _meets(rule: Rule, call: _Call) -> bool:
    if rule.tool and not _compiled(rule.tool).fullmatch(call.tool):
        return False
    if rule.hosts and not _host(rule.hosts, call):
        return False
    if rule.text:
        return _text_meets(rule, call)
    return not rule.outside_workspace or _paths_outside(call)


def _text_meets(rule: Rule, call: _Call) -> bool:
    pattern = _compiled(rule.text)
    if any(seen.unclear and _loose(rule.text).search(raw) for raw, seen in call.shell):
        return True
    for plain, simple in call.plain:
        if pattern.search(plain) and (
            not rule.outside_workspace or _reaches_out(simple, call.workspace)
        ):
            return True
    found = any(pattern.search(text) for text in call.texts)
    return found and (not rule.outside_workspace or (not call.shell and _paths_outside(call)))


def _too_long(call: _Call) -> bool:
    return any(seen.unclear and len(raw) > UNCLEAR_LIMIT for raw, seen in call.shell)


def _plain(words: Sequence[str]) -> str:
    """The words in one line; white space within a word is no end of it. Long words are data."""
    return " ".join(re.sub(r"\s", "\u00a0", word[:WORD_LIMIT]) for word in words[:WORDS])


def _paths_outside(call: _Call) -> bool:
    if any(not _inside(path, call.workspace) for path in call.paths):
        return True
    return any(
        reading.unclear
        or any(_reaches_out(simple, call.workspace, strict=False) for simple in reading.commands)
        for _, reading in call.shell
    )


def _reaches_out(simple: Simple, workspace: str, *, strict: bool = True) -> bool:
    """Whether a command names a path outside of the workspace.

    With `strict`, naming none at all counts too, and for `rm` the workspace itself.
    """
    named = [word for word in simple.words[1:] if not word.startswith("-") or "/" in word]
    if "{}" in named:
        named = [word for word in simple.whole[1:] if not word.startswith("-") and word != "{}"]
    if not strict:
        named = [word for word in named if _is_path(word)]
    if not named or not simple.cwd:
        return strict or bool(named)
    itself = strict and simple.words[0] == "rm"
    return any(_outside(word, simple.cwd, workspace, itself=itself) for word in named)


def _is_path(word: str) -> bool:
    return word.startswith(("/", "~", "..", "$")) or "/.." in word


def _outside(word: str, cwd: str, workspace: str, *, itself: bool) -> bool:
    """`itself`: the workspace as a whole counts as outside."""
    value = word.rpartition("=")[2] if word.startswith("-") else word
    if value.startswith(("$PWD/", "${PWD}/")):
        value = posixpath.join(cwd, value.partition("/")[2])
    if value.startswith("~") or "$" in value or "`" in value:
        return True
    path = posixpath.normpath(posixpath.join(cwd, value))
    return not _inside(path, workspace) or (itself and path == posixpath.normpath(workspace))


def _inside(path: str, workspace: str) -> bool:
    whole, root = posixpath.normpath(path), posixpath.normpath(workspace)
    return whole == root or whole.startswith(root.rstrip("/") + "/")


def _named(texts: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Hosts that are addressed in the texts, and all words that could be one."""
    addressed: set[str] = set()
    bare: set[str] = set()
    for text in texts:
        addressed |= {host.lower().rstrip(".:") for host in _URL.findall(text)}
        addressed |= {host.lower() for host in _REMOTE.findall(text) if _TOP.search(host)}
        bare |= {word.lower() for word in _BARE.findall(text) if _TOP.search(word[-40:])}
    return frozenset(addressed), frozenset(bare)


def _host(hosts: Sequence[str], call: _Call) -> bool:
    addressed, bare = call.hosts
    if any(_is_host(wanted, host) for wanted in hosts for host in addressed):
        return True
    return any(wanted != "*" and _is_host(wanted, host) for wanted in hosts for host in bare)


def _is_host(wanted: str, host: str) -> bool:
    host = re.sub(r":[0-9]+\Z", "", host)
    wanted = wanted.lower()
    if wanted == "*":
        return host not in ("localhost", "::1", "[::1]") and not host.startswith("127.")
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) or host == wanted[2:]
    return host == wanted
