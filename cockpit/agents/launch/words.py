"""Command lines of agents: what stands in front of the agent's own words, and what those words are."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePath

from msgspec import Struct

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PYTHON = re.compile(r"python[0-9.]*\Z")

WRAPPERS: dict[str, tuple[frozenset[str], int]] = {
    "command": (frozenset(), 0),
    "exec": (frozenset(("-a",)), 0),
    "nice": (frozenset(("-n", "--adjustment")), 0),
    "ionice": (frozenset(("-c", "-n", "--class", "--classdata")), 0),
    "nohup": (frozenset(), 0),
    "setsid": (frozenset(), 0),
    "stdbuf": (frozenset(("-i", "-o", "-e")), 0),
    "time": (frozenset(("-f", "-o", "--format", "--output")), 0),
    "timeout": (frozenset(("-k", "-s", "--kill-after", "--signal")), 1),
    "npx": (frozenset(("-p", "--package")), 0),
    "bunx": (frozenset(("-p", "--package")), 0),
    "pnpx": (frozenset(), 0),
    "uvx": (frozenset(("--from", "--with", "-p", "--python", "--index", "--index-url")), 0),
    "pipx": (frozenset(("--spec", "--python", "--index-url", "--pip-args")), 0),
    "bun": (frozenset(), 0),
    "node": (frozenset(("-r", "--require", "--import", "--loader", "-C")), 0),
    "npm": (frozenset(("-p", "--package")), 0),
    "pnpm": (frozenset(("--package",)), 0),
    "yarn": (frozenset(("-p", "--package")), 0),
    "uv": (frozenset(("--from", "--with", "-p", "--python")), 0),
    "poetry": (frozenset(), 0),
}
"""Programs that start another one: their options with a value, and how many words come before it."""

STEPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pipx": (("run",),),
    "bun": (("x",), ("run",)),
    "npm": (("exec",), ("x",)),
    "pnpm": (("dlx",), ("exec",)),
    "yarn": (("dlx",), ("exec",), ("run",)),
    "uv": (("tool", "run"), ("run",)),
    "poetry": (("run",),),
}
"""The words that make such a program start another one."""


class Command(Struct, frozen=True):
    """A command line, split where the agent's own words begin.

    `before` ends with the program itself. `names` are what the program may be called: its base
    name, the module, and the packages in its path. `assigned` are the variables that `env` sets in
    front; `cleared` tells that `env` empties the environment first.
    """

    before: tuple[str, ...]
    names: frozenset[str]
    words: tuple[str, ...]
    assigned: Mapping[str, str] = {}
    cleared: bool = False

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """What the agent would see without us.

        Raises:
            ValueError: when the command empties the environment: ours would be lost too.
        """
        if self.cleared:
            raise ValueError("env -i and env -u keep the agent from the gateway: leave them out")
        return {**outer, **self.assigned}

    def again(self, words: Iterable[str], ours: Collection[str] = ()) -> tuple[str, ...]:
        """The command line with other words, and without the assignments that ours replace."""
        kept = [word for word in self.before if word.partition("=")[0] not in ours]
        return (*kept, *words)


def split(argv: Sequence[str]) -> Command:
    """Looks behind `env`, `npx`, `uvx`, `python -m` and the like."""
    assigned: dict[str, str] = {}
    cleared = False
    at = 0
    while at < len(argv):
        name = PurePath(argv[at]).name
        if name == "env":
            at, cleared = _environment(argv, at + 1, assigned, cleared)
        elif _PYTHON.match(name):
            return _python(argv, at, assigned, cleared)
        else:
            following = _wrapped(argv, at, name)
            if following is None:
                break
            at = following
    names = _names(argv[at]) if at < len(argv) else frozenset[str]()
    return Command(tuple(argv[: at + 1]), names, tuple(argv[at + 1 :]), assigned, cleared)


def _environment(
    argv: Sequence[str], at: int, assigned: dict[str, str], cleared: bool
) -> tuple[int, bool]:
    while at < len(argv):
        word = argv[at]
        if word in ("-u", "--unset", "-C", "--chdir"):
            cleared |= word in ("-u", "--unset")
            at += 1
        elif word.startswith("-"):
            cleared |= word in ("-", "-i", "--ignore-environment") or word.startswith(
                ("-u", "--unset", "-S", "--split")
            )
        elif _ASSIGNMENT.match(word):
            name, _, value = word.partition("=")
            assigned[name] = value
        else:
            break
        at += 1
    return at, cleared


def _python(argv: Sequence[str], at: int, assigned: dict[str, str], cleared: bool) -> Command:
    """`python -m NAME` or `python PATH`; anything else is Python itself."""
    program = at
    at += 1
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "-m":
        if argv[at] == "-c":
            at = len(argv)
        at += 2 if at < len(argv) and argv[at] in ("-X", "-W") else 1
    if at < len(argv) and argv[at] == "-m":
        at += 1
    begin = at if at < len(argv) else program
    before, words = tuple(argv[: begin + 1]), tuple(argv[begin + 1 :])
    return Command(before, _names(argv[begin]), words, assigned, cleared)


def _wrapped(argv: Sequence[str], at: int, name: str) -> int | None:
    """Where the program begins that `argv[at]` starts; None when it starts no other."""
    if name not in WRAPPERS:
        return None
    valued, words = WRAPPERS[name]
    at = _past_options(argv, at + 1, valued)
    steps = STEPS.get(name)
    if steps is not None:
        step = next((each for each in steps if tuple(argv[at : at + len(each)]) == each), None)
        if step is None:
            return None
        at = _past_options(argv, at + len(step), valued)
    at += words
    return at if at < len(argv) else None


def _past_options(argv: Sequence[str], at: int, valued: frozenset[str]) -> int:
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at] == "--":
            return at + 1
        at += 2 if argv[at] in valued else 1
    return at


def _names(program: str) -> frozenset[str]:
    """`@scope/package@1.2` → the package; a path → its base name and the packages it lies in."""
    name = re.sub(r"(?<=.)@[^/]*\Z", "", program)
    name = re.split(r"[\[=<>~]", name, maxsplit=1)[0] or name
    path = PurePath(name)
    found = {name, path.name, path.stem.split(".")[0]} if "/" not in name else {name, path.name}
    parts = path.parts
    for place, part in enumerate(parts[:-1]):
        if part in ("node_modules", "site-packages"):
            scoped = parts[place + 1].startswith("@") and place + 2 < len(parts)
            found.add("/".join(parts[place + 1 : place + (3 if scoped else 2)]))
    return frozenset(found - {""})


class Grammar(Struct, frozen=True):
    """Which options of a program take a value, `several` values, or `perhaps` one."""

    values: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()


class Part(Struct, frozen=True):
    """An option with its values, or a word that is none (`option` is empty); `raw` is as written."""

    option: str
    values: tuple[str, ...]
    raw: tuple[str, ...]


def listed(names: str) -> frozenset[str]:
    """From names with spaces between them."""
    return frozenset(names.split())


def grammar(values: str, several: str = "", perhaps: str = "") -> Grammar:
    """From names with spaces between them."""
    return Grammar(listed(values), listed(several), listed(perhaps))


def parse(words: Sequence[str], rules: Grammar) -> list[Part]:
    """The words as options and others; unknown options are taken to be without a value."""
    parts: list[Part] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            parts.append(Part("--", (), ("--",)))
            parts += [Part("", (rest,), (rest,)) for rest in words[at + 1 :]]
            break
        part = _option(words, at, rules) if len(word) > 1 and word[0] == "-" else None
        part = part or Part("", (word,), (word,))
        parts.append(part)
        at += len(part.raw)
    return parts


def _option(words: Sequence[str], at: int, rules: Grammar) -> Part:
    word = words[at]
    name, equals, value = word.partition("=")
    if word.startswith("--") and equals:
        return Part(name, (value,), (word,))
    if not word.startswith("--") and len(word) > 2 and word[:2] in rules.values:
        return Part(word[:2], (word[2:].removeprefix("="),), (word,))
    following = at + 1
    if word in rules.values:
        following = min(at + 2, len(words))
    elif word in rules.several or word in rules.perhaps:
        most = len(words) if word in rules.several else at + 2
        while following < min(most, len(words)) and not words[following].startswith("-"):
            following += 1
    return Part(word, tuple(words[at + 1 : following]), tuple(words[at:following]))


def has(parts: Iterable[Part], *options: str) -> bool:
    return any(part.option in options for part in parts)


def value(parts: Iterable[Part], *options: str) -> str:
    """The last value given to any of the options, empty when there is none."""
    found = [part.values[0] for part in parts if part.option in options and part.values]
    return found[-1] if found else ""


def without(parts: Iterable[Part], *options: str) -> list[Part]:
    return [part for part in parts if part.option not in options]


def only(parts: Iterable[Part], known: Collection[str]) -> bool:
    """Whether every option is one of these; of others nobody knows what follows them."""
    return all(part.option in known for part in parts if part.option)


def plain(parts: Iterable[Part]) -> list[str]:
    """The words that are no options."""
    return [part.raw[0] for part in parts if not part.option]


def written(parts: Iterable[Part]) -> tuple[str, ...]:
    return tuple(word for part in parts for word in part.raw)
