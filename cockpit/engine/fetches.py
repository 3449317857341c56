"""Which commands printed exactly what a server sent: only those make a cassette."""

import shlex

_MORE = frozenset(
    ("--include", "--head", "--verbose", "--write-out", "--dump-header", "--trace", "--progress-bar",
     "--show-headers", "--server-response", "--debug", "--save-headers", "--fail-with-body")
)  # fmt: skip
_MORE_SHORT = {"curl": frozenset("iIvwD#"), "wget": frozenset("Sdvi")}
_QUIET = {"curl": ("--silent", "s"), "wget": ("--quiet", "q")}
_PUNCTUATION = frozenset("();<>|&")


def prints_the_body(command: str) -> bool:
    """Whether a shell text is one curl or wget alone, silent, that prints the body and nothing else."""
    try:
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        plain = shlex.split(command)
    except ValueError:
        return False
    if len(words) < 2 or any(word and set(word) <= _PUNCTUATION for word in words):
        return False
    program = plain[0].rpartition("/")[2]
    if program not in _QUIET or "\n" in command.strip():
        return False
    addresses = [word for word in plain[1:] if "://" in word and not word.startswith("-")]
    return len(addresses) == 1 and _is_quiet(program, plain[1:])


def _is_quiet(program: str, words: list[str]) -> bool:
    long, short = _QUIET[program]
    flags = {letter for word in words if _is_short(word) for letter in word[1:]}
    if flags & _MORE_SHORT[program] or any(word.partition("=")[0] in _MORE for word in words):
        return False
    return short in flags or long in words


def _is_short(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and word[1] != "-"
