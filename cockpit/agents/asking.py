"""Asks the engine whether a tool call may run: for the agents' hooks, and for drivers of agents.

Standard library at its import: a hook does this before every tool call. Whatever goes wrong is a no.
"""

import json
import os
import socket
import time
from typing import Any

WAIT_S = 24_000.0
"""Shorter than the time-out that the recipes give a hook, after which the tool would run."""
SENT_LIMIT = 512 * 1024
ANSWER_LIMIT = 64 * 1024
FILE_TOOLS = frozenset(("Write", "Edit", "MultiEdit", "NotebookEdit", "apply_patch"))
"""Tools whose long texts are files, not commands."""


class AskError(Exception):
    """Why the call is denied; the agent's model reads it."""


def ask(
    tool: str, given: object, *, whose: str, cwd: str = "", session: str = "", call: str = ""
) -> tuple[bool | None, str]:
    """Yes, no, or None where no rule asks; and the reason.

    Raises:
        AskError: when there was no answer.
    """
    run = os.environ.get("COCKPIT_RUN", "")
    if not run:
        raise AskError("cockpit does not know which run this is, so this was not allowed")
    answer = _asked(
        {
            "id": 1,
            "do": "approve",
            "run": run,
            "agent": whose,
            "tool": tool,
            "input": _sendable(tool, given),
            "cwd": cwd,
            "session": session,
            "call": call,
        }
    )
    return answer["allow"], str(answer.get("reason") or "")


def _sendable(tool: str, given: object) -> object:
    """The input, as far as a request has room for it.

    Raises:
        AskError: when it is too long and is no file's text: what cannot be judged is not allowed.
    """
    if len(json.dumps(given)) <= SENT_LIMIT:
        return given
    if tool not in FILE_TOOLS or not isinstance(given, dict):
        raise AskError("the tool call is too large to be judged, so this was not allowed")
    return {name: value for name, value in given.items() if len(json.dumps(value)) < 4096}


def _asked(request: dict[str, object]) -> dict[str, Any]:
    """The engine's answer: `allow` is yes, no, or None where no rule asks.

    Raises:
        AskError: when there is none that says yes or no.
    """
    from cockpit.journal import paths

    deadline = time.monotonic() + WAIT_S
    path = paths.engine_socket()
    try:
        if path.stat().st_uid != os.getuid():
            raise AskError("cockpit's socket belongs to another user, so this was not allowed")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_S)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = _line(connection, deadline)
    except TimeoutError:
        raise AskError("nobody answered in time, so this was not allowed") from None
    except OSError:
        raise AskError("cockpit's engine cannot be reached, so this was not allowed") from None
    return _read(line)


def _line(connection: socket.socket, deadline: float) -> bytes:
    data = b""
    while b"\n" not in data and len(data) <= ANSWER_LIMIT:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        more = connection.recv(65536)
        if not more:
            raise AskError("cockpit's engine has gone, so this was not allowed")
        data += more
    return data.partition(b"\n")[0]


def _read(line: bytes) -> dict[str, Any]:
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise AskError("cockpit's answer could not be read, so this was not allowed")
    if answer.get("error"):  # an engine that does not know the run, or is too old to be asked
        raise AskError(f"cockpit refused: {answer['error']}")
    decision = answer.get("ok")
    if isinstance(decision, dict) and isinstance(decision.get("allow", ""), bool | None):
        return decision
    raise AskError("cockpit's answer could not be read, so this was not allowed")
