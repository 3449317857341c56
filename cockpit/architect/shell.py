"""A shell command taken apart exactly, or not at all.

Unlike `core.shell_words`, which lists every program that a text could start, this reader answers what
the text does: pipelines in their order, words with what is quoted in them, redirections, here-documents.
Loops, conditions, functions, background jobs and arithmetic are beyond it and raise UnclearError.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

TEXT_LIMIT = 200_000
_OPERATORS = ("&&", "||", ";;", "|&", ";", "|", "&", "(", ")", "\n")
_REDIRECT = re.compile(r"(\d*)(>>|>\||>&|<<-|<<<|<<|<&|&>>|&>|>|<)")
_NAME = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_STARTS = frozenset(
    (
        *(
            "if",
            "then",
            "else",
            "elif",
            "fi",
            "for",
            "while",
            "until",
            "do",
            "done",
            "case",
            "esac",
        ),
        *("function", "select", "time", "coproc", "[[", "{", "}", "!"),
    )
)


class UnclearError(Exception):
    """The text is more than commands in a row."""


class Part(Struct, frozen=True):
    """A piece of a word: `kind` is plain, quoted, name (a variable) or command (a substitution)."""

    kind: str
    text: str


Word = tuple[Part, ...]


class Redirect(Struct, frozen=True):
    """`operator` as written without its number; `body` is the text of a here-document."""

    operator: str
    target: Word = ()
    number: str = ""
    body: Word = ()


class Simple(Struct, frozen=True):
    """One program with its words and redirections; `assigned` are the variables set before it."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    assigned: tuple[tuple[str, Word], ...] = ()


class Pipeline(Struct, frozen=True):
    """Programs joined by pipes; `after` is the operator that leads to it: "", ;, && or ||."""

    commands: tuple[Simple, ...]
    after: str = ""


def parse(text: str) -> tuple[Pipeline, ...]:
    """The pipelines of a text. Raises UnclearError."""
    if len(text) > TEXT_LIMIT:
        raise UnclearError
    return tuple(_Parser(text.replace("\\\n", "")).pipelines())


def literal(word: Word) -> str | None:
    """The word when nothing in it is expanded by the shell."""
    if all(part.kind == "quoted" or (part.kind == "plain") for part in word):
        return "".join(part.text for part in word)
    return None


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.awaited: list[tuple[list[Redirect], int, str, bool]] = []

    def pipelines(self) -> Iterator[Pipeline]:
        commands: list[Simple] = []
        after = ""
        while True:
            simple, operator = self._simple()
            if simple is not None:
                commands.append(simple)
            elif operator in ("|", "&&", "||") or (commands and operator != ""):
                raise UnclearError
            if operator == "|":
                continue
            if commands:
                yield Pipeline(tuple(commands), after)
                commands = []
                after = operator
            if operator == "":
                return

    def _simple(self) -> tuple[Simple | None, str]:
        """One program and the operator behind it."""
        words: list[Word] = []
        redirects: list[Redirect] = []
        assigned: list[tuple[str, Word]] = []
        while True:
            operator = self._space()
            if operator is not None:
                break
            if self._redirect(redirects):
                continue
            word = self._word()
            name = _assignment(word) if not words else None
            if name is not None:
                assigned.append(name)
            else:
                words.append(word)
        if operator == "\n":
            self._bodies()
            operator = ";"
        elif operator == "":
            self._bodies()
        if words and literal(words[0]) in _STARTS and words[0][0].kind == "plain":
            raise UnclearError
        if not words and not redirects and not assigned:
            return None, operator
        return Simple(tuple(words), tuple(redirects), tuple(assigned)), operator

    def _space(self) -> str | None:
        """Passes blanks and comments; the operator that stands here, None before a word."""
        while self.at < len(self.text) and self.text[self.at] in " \t\r":
            self.at += 1
        if self.at >= len(self.text):
            return ""
        if self.text[self.at] == "#":
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return self._space()
        if _REDIRECT.match(self.text, self.at):
            return None
        for operator in _OPERATORS:
            if self.text.startswith(operator, self.at):
                if operator in ("(", ")", "&", ";;", "|&"):
                    raise UnclearError
                self.at += len(operator)
                return operator
        return None

    def _redirect(self, redirects: list[Redirect]) -> bool:
        found = _REDIRECT.match(self.text, self.at)
        if found is None:
            return False
        number, operator = found[1], found[2]
        self.at = found.end()
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        word = self._word()
        if operator in ("<<", "<<-"):
            end = literal(word)
            if end is None:
                raise UnclearError
            quoted = any(part.kind == "quoted" for part in word)
            redirects.append(Redirect(operator))
            self.awaited.append((redirects, len(redirects) - 1, end, quoted))
        else:
            redirects.append(Redirect(operator, word, number))
        return True

    def _bodies(self) -> None:
        """The here-documents that begin on the next line, put where they were asked for."""
        for redirects, place, end, quoted in self.awaited:
            found = re.compile(rf"^\t*{re.escape(end)}$", re.MULTILINE).search(self.text, self.at)
            if found is None:
                raise UnclearError
            body = self.text[self.at : found.start()]
            self.at = min(found.end() + 1, len(self.text))
            if redirects[place].operator == "<<-":
                body = re.sub(r"^\t+", "", body, flags=re.MULTILINE)
            parts = (Part("quoted", body),) if quoted else _expandable(body)
            redirects[place] = Redirect("<<", body=parts)
        self.awaited.clear()

    def _word(self) -> Word:
        parts: list[Part] = []
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n;&|()<>":
            parts.append(self._part())
        if self.at == begin:
            raise UnclearError
        return tuple(parts)

    def _part(self) -> Part:
        char = self.text[self.at]
        if char == "'":
            return Part("quoted", self._until("'"))
        if char == '"':
            return self._double()
        if char == "\\":
            self.at += 2
            return Part("quoted", self.text[self.at - 1 : self.at])
        if char == "`":
            return Part("command", self._until("`"))
        if char == "$":
            return self._dollar()
        begin = self.at
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n;&|()<>'\"\\`$":
            self.at += 1
        return Part("plain", self.text[begin : self.at])

    def _until(self, end: str) -> str:
        place = self.text.find(end, self.at + 1)
        if place < 0:
            raise UnclearError
        text, self.at = self.text[self.at + 1 : place], place + 1
        return text

    def _double(self) -> Part:
        """A double-quoted string; what is expanded in it is kept as a nested word."""
        begin = self.at + 1
        at = begin
        depth = 0
        while at < len(self.text) and (self.text[at] != '"' or depth):
            if self.text[at] == "\\":
                at += 1
            elif self.text.startswith("$(", at):
                depth += 1
            elif self.text[at] == ")" and depth:
                depth -= 1
            at += 1
        if at >= len(self.text):
            raise UnclearError
        self.at = at + 1
        return Part("double", self.text[begin:at])

    def _dollar(self) -> Part:
        if self.text.startswith("$((", self.at) or self.text.startswith("$'", self.at):
            raise UnclearError
        if self.text.startswith("$(", self.at):
            end = _closing(self.text, self.at + 2)
            text, self.at = self.text[self.at + 2 : end], end + 1
            return Part("command", text)
        found = _NAME.match(self.text, self.at)
        if found is None:
            if re.match(r"\$[{0-9?!@*#$-]", self.text[self.at :]):
                raise UnclearError
            self.at += 1
            return Part("quoted", "$")
        self.at = found.end()
        return Part("name", found[1] or found[2])


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word[0]
    found = re.match(r"([A-Za-z_][A-Za-z0-9_]*)=", first.text) if first.kind == "plain" else None
    if found is None:
        return None
    rest = Part("plain", first.text[found.end() :])
    return found[1], ((rest, *word[1:]) if rest.text else word[1:])


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char in "'\"":
            at = text.find(char, at + 1)
            if at < 0:
                break
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
        at += 1
    raise UnclearError


def _expandable(text: str) -> Word:
    """The parts of a double-quoted string or an unquoted here-document."""
    parts: list[Part] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in tuple('$`"\\'):
            plain.append(text[at + 1])
            at += 2
            continue
        if text[at] not in "$`":
            plain.append(text[at])
            at += 1
            continue
        inner = _Parser(text)
        inner.at = at
        part = inner._part()
        at = inner.at
        if part.kind == "quoted" and part.text == "$":
            plain.append("$")
            continue
        parts += [Part("quoted", "".join(plain)), part]
        plain = []
    return (*parts, Part("quoted", "".join(plain)))


def flat(word: Word) -> Word:
    """The word with its double-quoted strings opened; a variable in them keeps its blanks."""
    parts: list[Part] = []
    for part in word:
        parts += _expandable(part.text) if part.kind == "double" else (part,)
    return tuple(parts)
