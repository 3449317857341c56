"""Codex's newer models call tools from small JavaScript programs: the one call of such a program.

Only a program that calls one tool and prints its output unchanged is seen through; any other stays
what it is, a program that nobody can replay.
"""

import json
import re
from typing import Any

from cockpit.agents import loose

_CALL = re.compile(r"\btools\.(\w+)\(")
_PRINTED = re.compile(r"\b(?:text|image|notify|store)\(\s*([^;]*?)\s*\)\s*(?:;|\n|\Z)")
_UNCHANGED = re.compile(r"(?:String\()?\(?(?:await )?\w+\)?(?:\.output)?(?: \?\? \"\")?\)?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\'\\\n]*\'|`[^`\\$]*`')
_KEY = re.compile(r"\s*(?:([A-Za-z_]\w*)|\"(\w+)\")\s*:\s*")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?|true|false|null")
_WAITS = frozenset(("write_stdin",))
_FRAME = re.compile(r"\AScript (?:completed|failed)\nWall time .*\nOutput:\n\Z")


def seen_through(arguments: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The one tool that a program calls, and its arguments; None where there is more to it."""
    code = loose.text(arguments.get("input"))
    calls = [match for match in _CALL.finditer(code) if match[1] not in _WAITS]
    printed = [match[1] for match in _PRINTED.finditer(code)]
    if len(calls) != 1 or len(printed) > 1 or not all(map(_UNCHANGED.fullmatch, printed)):
        return None
    given = _argument(code, calls[0].end())
    return None if given is None else (calls[0][1], given)


def printed(output: str) -> str:
    """What the program printed, without Codex's words around it."""
    parts = loose.decode(output) if output.startswith("[") else None
    if not isinstance(parts, list):
        return output
    texts = [loose.text(loose.table(part).get("text")) for part in parts]
    if texts and _FRAME.match(texts[0]):
        del texts[0]
    return "".join(texts)


def _argument(code: str, place: int) -> dict[str, Any] | None:
    """What stands behind a call's parenthesis: an object, or a string that is its input."""
    rest = code[place:].lstrip()
    if rest.startswith("{"):
        return _object(rest)
    match = _STRING.match(rest)
    text = _string(match[0]) if match else None
    return None if text is None else {"input": text}


def _object(text: str) -> dict[str, Any] | None:
    """An object of plain values, as JSON or with JavaScript's shorter keys and quotes."""
    found: dict[str, Any] = {}
    place = 1
    while match := _KEY.match(text, place):
        value = _STRING.match(text, match.end()) or _LITERAL.match(text, match.end())
        if value is None:
            return None
        plain = _string(value[0])
        found[match[1] or match[2]] = json.loads(value[0]) if plain is None else plain
        rest = re.compile(r"\s*,?").match(text, value.end())
        place = rest.end() if rest else value.end()
    return found if re.compile(r"\s*\}").match(text, place) else None


def _string(literal: str) -> str | None:
    """The text of a string literal, None for anything else."""
    if literal[0] in "'`":
        return literal[1:-1]
    value = loose.decode(literal) if literal[0] == '"' else None
    return value if isinstance(value, str) else None
