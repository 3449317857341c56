"""What a request holds, by where it comes from, in tokens that can only err high."""

import math
import re

from cockpit.core.composition import Composition
from cockpit.gateway.wire.untrusted import encoded

BYTES_PER_TOKEN = 3
SAFETY = 1.15
SAFETY_OF_NEWER_CLAUDE = 1.3
"""Claude's tokenizer since Opus 4.7 makes up to 1.35 times as many tokens of the same text."""
DIGIT_BYTES = 2.6
"""What a digit counts for: many tokenizers give each one a token of its own."""
FRAME = 256
"""Tokens that some providers put in front of every request."""
PER_MESSAGE = 16
"""Tokens that frame a message: role, separators, the ids of calls."""
FOR_TOOLS = 1_000
"""Instructions a provider adds when tools are offered (Anthropic: 290 to 804)."""
FOR_SCHEMA = 1_000
"""Instructions a provider adds for an output of a given shape."""
FOR_SERVER_TOOL = 10_000
"""Instructions and results of a tool that runs at the provider, whose text no request shows."""
FOR_SEARCH = 40_000
"""Tokens a search puts into the prompt, read again by each later one; the most seen per search."""
FOR_HISTORY = 272_000
"""A conversation or cache that the provider keeps and the request only names."""

READERS = frozenset(
    {
        "cat", "fs_read", "notebookread", "open_file", "read", "read_file", "read_files",
        "read_many_files", "read_text_file", "readfile", "view", "view_file", "view_image",
    }
)  # fmt: skip
"""Tools, in lower case, whose results are the text of files."""

LOOKED_AT = 400
"""Bytes of a call's arguments that are looked at."""
_PRINTS_A_FILE = re.compile(
    rb'\\?"(?:cmd|command|script)\\?"\s*:\s*(?:\[[^\]]{0,40}?,\s*)?\\?"'
    rb"(?:cat (?![<>-])|nl |bat |head |tail (?!-f)|sed -n )"
)
_NEWER_CLAUDE = re.compile(r"claude-(?:opus-4[-.][7-9]|(?:opus|sonnet|haiku)-[5-9]|fable|mythos)")


class Contents:
    """Collects the parts of one request in the order in which they were said."""

    def __init__(self, model: str = "") -> None:
        newer = _NEWER_CLAUDE.search(model)
        self._safety = SAFETY_OF_NEWER_CLAUDE if newer else SAFETY
        self._bytes: dict[str, float] = {}
        self._media = self._messages = self._unseen = 0
        self._tools = False
        self._readers: set[str] = set()

    def add(self, origin: str, value: object) -> None:
        """Adds a text, or anything else by its size as JSON, to an origin of `Composition`."""
        self._bytes[origin] = self._bytes.get(origin, 0) + _weight(value)

    def media(self, tokens: int) -> None:
        """Adds pictures, sound or pages, whose tokens do not follow from their bytes."""
        self._media += tokens

    def message(self) -> None:
        """Counts the frame of one more message."""
        self._messages += 1

    def unseen(self, tokens: int) -> None:
        """Adds tokens that the provider will put in and the request does not show."""
        self._unseen += tokens

    def tools(self, offered: object) -> None:
        """Adds the tools that are offered."""
        if offered:
            self._tools = True
            self.add("tools", offered)

    def called(self, call: object, name: object, arguments: object = None) -> None:
        """Remembers a call whose result will be a file: by its tool, or by the command it runs."""
        if isinstance(name, str) and isinstance(call, str) and is_reader(name, arguments):
            self._readers.add(call)

    def result_of(self, call: object) -> str:
        """The origin of a call's result."""
        return "files" if isinstance(call, str) and call in self._readers else "tool_results"

    def result_by(self, name: object) -> str:
        """The origin of a result of the tool of this name."""
        return "files" if isinstance(name, str) and is_reader(name) else "tool_results"

    def composition(self) -> Composition:
        """Every part in tokens."""
        parts = {name: tokens_of(count, self._safety) for name, count in self._bytes.items()}
        return Composition(**parts, media=self._media)

    def prompt(self) -> int:
        """All of it and what frames it, as an upper bound."""
        frames = FRAME + PER_MESSAGE * self._messages + (FOR_TOOLS if self._tools else 0)
        return self.composition().total + frames + self._unseen


def is_reader(name: str, arguments: object = None) -> bool:
    """Whether a tool reads files; a server's prefix (`mcp__fs__read_file`) is cut.

    Codex has no tool for it, so a shell's command counts when it begins as one that prints a file.
    """
    if name.rpartition("__")[2].lower() in READERS:
        return True
    return _PRINTS_A_FILE.search(encoded(arguments)[:LOOKED_AT]) is not None


def tokens_of(count: float, safety: float = SAFETY) -> int:
    """Tokens of so many bytes of text, high: three bytes each and 15 % more."""
    return math.ceil(count * safety / BYTES_PER_TOKEN)


def _weight(value: object) -> float:
    """Bytes of a text, or of anything else as JSON, digits counted for more."""
    data = encoded(value)
    digits = len(data) - len(data.translate(None, b"0123456789"))
    return len(data) + digits * (DIGIT_BYTES - 1)
