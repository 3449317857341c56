"""What a shell command would run, as far as its text tells: for rules that may only err towards asking.

No shell is complete here. Every program that the text could start is listed, rather one too many:
behind `sudo`, `env`, `xargs` or an unknown runner, in `bash -c`, `$( )`, here-documents and strings
of code. Where that is not possible `Reading.unclear` is set, and a rule has to look at the raw text.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

DEPTH = 6
MOST = 1_000
TEXT_LIMIT = 100_000
WORDS = 600
"""More words than this no command is taken apart: their tails would be too many."""
UNSEEN = "<-"
"""The last word of a shell or interpreter that takes its script from a pipe we cannot see into."""

SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "fish", "ash"))
INTERPRETERS = frozenset(("python", "python3", "node", "perl", "ruby", "php", "bun", "deno"))
JOINERS = frozenset(("eval", "ssh", "su", "watch", "script", "parallel", "runuser", "flock"))
"""Programs that hand their words, joined, to a shell."""
_QUIET = """
echo printf grep egrep fgrep rg ag git cat ls head tail sed awk sort uniq wc diff jq test
[ [[ true false cd pwd export read which type man tee touch mkdir chmod chown ln cp mv rm
less basename dirname date sleep pytest mypy ruff vim vi nano tsc eslint prettier
"""
QUIET = frozenset(_QUIET.split())
"""Programs whose words are never commands."""
RUNNING = frozenset(("foreach", "run", "--exec", "-x"))
"""Words by which Git runs another program."""
LEADING = frozenset(("if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"))

_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=(.*)", re.DOTALL)
_NAME = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_LITERAL = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"|`([^`]*)`")
_PLAIN = re.compile(r"[^\s;&|()<>'\"\\`$]+")
_SPACE = re.compile(r"[ \t\r]+")
_QUOTED = re.compile(r"[^\"`\\$]+")
_HERE = re.compile(r"<<-?\s*(['\"]?)([A-Za-z0-9_.+-]+)\1")


class Simple(Struct, frozen=True):
    """One program with its words, the directory it is in ("" when unknown), and what leads to it.

    `whole` are all words of the command in which it stands behind a runner.
    """

    words: tuple[str, ...]
    cwd: str
    whole: tuple[str, ...]


class Reading(Struct, frozen=True):
    """Everything that a command may start."""

    commands: tuple[Simple, ...]
    unclear: bool = False


class UnclearError(Exception):
    """The text cannot be taken apart."""


def read(text: str, cwd: str) -> Reading:
    """All commands in `text`, begun in `cwd`. Never raises."""
    if len(text) > TEXT_LIMIT:
        return Reading((), unclear=True)
    found: list[Simple] = []
    try:
        for simple in _script(text, cwd, {}, 0):
            found.append(simple)
            if len(found) > MOST:
                raise UnclearError
    except (UnclearError, RecursionError):
        return Reading(tuple(found), unclear=True)
    return Reading(tuple(found))


class _Piece(Struct):
    """A command as it is written: its words, its here-documents, and whether a pipe leads in."""

    words: list[str]
    bodies: list[str]
    piped: bool = False


def _script(text: str, cwd: str, known: dict[str, str], depth: int) -> Iterator[Simple]:
    if depth > DEPTH:
        raise UnclearError
    pieces, nested = _pieces(text)
    for inner in nested:
        yield from _script(inner, cwd, dict(known), depth + 1)
    before: list[str] = []
    for piece in pieces:
        words = _expanded(piece.words, known)
        while words and (words[0] in LEADING or _assign(words[0], known)):
            words = words[1:]
        if words:
            yield from _command(words, piece, cwd, before, depth)
            if _base(words[0]) in ("cd", "pushd"):
                cwd = _entered(cwd, words[1:])
        before = words


def _command(
    words: list[str], piece: _Piece, cwd: str, before: list[str], depth: int
) -> Iterator[Simple]:
    whole = tuple(words)
    quiet = _quiet(words) or _quiet(words[_module(words) :])
    if len(words) > WORDS and not quiet:
        raise UnclearError
    for at in range(1 if quiet else len(words)):
        if at and words[at].startswith("-"):
            continue
        rest = words[at:]
        program = _base(rest[0])
        yield Simple((program, *rest[1:]), cwd, whole)
        yield from _inside(program, rest, piece, cwd, before, depth)


def _quiet(words: list[str]) -> bool:
    program = _base(words[0]) if words else ""
    return program in QUIET and not (program == "git" and RUNNING & set(words))


def _module(words: list[str]) -> int:
    """Where the module's name stands in `python -m NAME`."""
    python = re.fullmatch(r"python[0-9.]*", _base(words[0]))
    return 2 if python and words[1:2] == ["-m"] else len(words)


def _inside(
    program: str, rest: list[str], piece: _Piece, cwd: str, before: list[str], depth: int
) -> Iterator[Simple]:
    """What a shell, an interpreter or the like is given to run."""
    if program in SHELLS or re.sub(r"[0-9.]+\Z", "", program) in INTERPRETERS:
        shell = program in SHELLS
        given = [
            rest[at + 1]
            for at, word in enumerate(rest[:-1])
            if re.fullmatch(r"-[A-Za-z]*[ce]|--eval|--print|-p", word)
        ]
        unseen = len(rest) == 1 or rest[1:] in (["-"], ["-s"], ["/dev/stdin"])
        if unseen and piece.piped:
            if before and _base(before[0]) in ("echo", "printf"):
                given += [*before[1:], " ".join(before[1:])]
            if not given:
                yield Simple((program, UNSEEN), cwd, tuple(rest))
        for code in [*given, *piece.bodies]:
            yield from _script(code, cwd, {}, depth + 1) if shell else _code(code, cwd, depth)
    elif program == "awk":
        yield from _code(" ".join(rest[1:]), cwd, depth)
    elif program in JOINERS:
        for at in range(1, len(rest)):
            if " " in rest[at] or program == "eval":
                yield from _script(" ".join(rest[at:]), cwd, {}, depth + 1)


def _code(code: str, cwd: str, depth: int) -> Iterator[Simple]:
    """The text literals of a program, each and all together, as if they were for a shell."""
    literals = ["".join(found.groups(default="")) for found in _LITERAL.finditer(code)]
    for script in [*literals, " ".join(literals)]:
        try:
            yield from _script(script, cwd, {}, depth + 1)
        except UnclearError:
            for part in re.split(r"[;&|\n]", script):
                if part.split():
                    yield Simple(tuple(part.split()), cwd, tuple(part.split()))


def _base(program: str) -> str:
    return program.rpartition("/")[2] or program


def _assign(word: str, known: dict[str, str]) -> bool:
    found = _ASSIGNED.fullmatch(word)
    if found is None:
        return False
    known[found[1]] = found[2]
    return True


def _expanded(words: list[str], known: dict[str, str]) -> list[str]:
    """With the variables that the script itself has set; others stay as `$NAME`."""
    result: list[str] = []
    for word in words:
        if "$" not in word:
            result.append(word)
            continue
        full = _NAME.sub(lambda found: known.get(found[1] or found[2], found[0]), word)
        result += full.split() if _NAME.fullmatch(word) and full != word else [full]
    return result


def _entered(cwd: str, words: list[str]) -> str:
    """The directory after `cd`, empty when it cannot be told."""
    target = next((word for word in words if not word.startswith("-")), "~")
    if "$" in target or target.startswith(("~", "-")) or "-" in words or "`" in target:
        return ""
    if target.startswith("/"):
        return target
    return f"{cwd}/{target}" if cwd else ""


def _pieces(text: str) -> tuple[list[_Piece], list[str]]:
    """The commands of a script in their order, and the scripts inside of `$( )` and backticks."""
    pieces: list[_Piece] = []
    nested: list[str] = []
    lexer = _Lexer(text, nested)
    piece = _Piece([], [])
    while True:
        kind, value = lexer.next()
        if kind == "word":
            piece.words.append(value)
        elif kind == "body":
            (piece if piece.words or not pieces else pieces[-1]).bodies.append(value)
        else:
            if piece.words or piece.bodies:
                pieces.append(piece)
            piece = _Piece([], [], piped=value in ("|", "|&"))
            if kind == "end":
                return pieces, nested


class _Lexer:
    """Words, operators and here-documents of a script."""

    def __init__(self, text: str, nested: list[str]) -> None:
        self.text = text.replace("\\\n", "")
        self.at = 0
        self.nested = nested
        self.awaited: list[str] = []

    def next(self) -> tuple[str, str]:
        """The next token: ("word" | "operator" | "body" | "end", its text)."""
        self._skip()
        if self.at >= len(self.text):
            return "end", ""
        char = self.text[self.at]
        if char == "\n":
            self.at += 1
            return ("body", self._body()) if self.awaited else ("operator", ";")
        if self.text.startswith("<<", self.at) and not self.text.startswith("<<<", self.at):
            return self._here()
        if char in "<>" and self.text[self.at + 1 : self.at + 2] != "(":
            return self._redirection()
        if char in ";&|()":
            return self._operator()
        return "word", self._word()

    def _skip(self) -> None:
        if space := _SPACE.match(self.text, self.at):
            self.at = space.end()
        if self.text.startswith("#", self.at) and (
            self.at == 0 or self.text[self.at - 1] in " \t\n;"
        ):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def _operator(self) -> tuple[str, str]:
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] in ";&|()":
            self.at += 1
            if self.text[begin] in "()":
                break
        return "operator", self.text[begin : self.at]

    def _redirection(self) -> tuple[str, str]:
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] in "<>|&":
            self.at += 1
        return "word", self.text[begin : self.at]

    def _here(self) -> tuple[str, str]:
        found = _HERE.match(self.text, self.at)
        if found is None:
            raise UnclearError
        self.at = found.end()
        self.awaited.append(found[2])
        return self.next()

    def _body(self) -> str:
        end = self.awaited.pop(0)
        found = re.compile(rf"^[ \t]*{re.escape(end)}[ \t]*$", re.MULTILINE).search(
            self.text, self.at
        )
        body = self.text[self.at : found.start() if found else len(self.text)]
        self.at = found.end() if found else len(self.text)
        return body

    def _word(self) -> str:
        parts: list[str] = []
        while self.at < len(self.text):
            if plain := _PLAIN.match(self.text, self.at):
                parts.append(plain[0])
                self.at = plain.end()
            elif self.text[self.at] in " \t\r\n;&|()<>\f\v" and not self.text.startswith(
                ("<(", ">("), self.at
            ):
                break
            else:
                parts.append(self._part())
        return "".join(parts)

    def _part(self) -> str:
        char = self.text[self.at]
        if char == "'":
            return self._until("'", self.at + 1)
        if char == '"':
            return self._double()
        if char == "\\":
            self.at += 2
            return self.text[self.at - 1 : self.at]
        if char == "`":
            self.nested.append(self._until("`", self.at + 1))
            return "$()"
        if self.text.startswith(("$(", "<(", ">("), self.at):
            self.nested.append(self._bracketed(self.at + 2))
            return "$()"
        if self.text.startswith("$'", self.at):
            return self._until("'", self.at + 2).encode().decode("unicode_escape", "replace")
        if self.text.startswith('$"', self.at):
            self.at += 1
            return self._double()
        self.at += 1
        return char

    def _until(self, end: str, begin: int) -> str:
        place = self.text.find(end, begin)
        if place < 0:
            raise UnclearError
        self.at = place + 1
        return self.text[begin:place]

    def _double(self) -> str:
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            if quoted := _QUOTED.match(self.text, self.at):
                parts.append(quoted[0])
                self.at = quoted.end()
            elif self.text[self.at] in "`\\" or self.text.startswith("$(", self.at):
                parts.append(self._part())
            else:
                parts.append("$")
                self.at += 1
        if self.at >= len(self.text):
            raise UnclearError
        self.at += 1
        return "".join(parts)

    def _bracketed(self, begin: int) -> str:
        """The text up to the bracket that closes; quotes inside are passed over."""
        depth, at = 1, begin
        while at < len(self.text) and depth:
            char = self.text[at]
            if char == "\\":
                at += 1
            elif char in "'\"":
                at = self.text.find(char, at + 1)
                if at < 0:
                    raise UnclearError
            depth += (char == "(") - (char == ")")
            at += 1
        if depth:
            raise UnclearError
        self.at = at
        return self.text[begin : at - 1]
