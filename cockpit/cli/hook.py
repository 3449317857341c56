"""`cockpit hook claude|codex`: an agent's hook asks the engine before a tool call.

Both agents let the tool run when a hook fails, so everything that goes wrong here denies in words,
and the way out is exit code 0. Hardly more than the standard library is imported: this runs before every
tool call. Nothing is printed where no rule matched, which leaves the call to the agent's own rules.
"""

import json
import os
import socket
import sys
import time
from typing import Any

WAIT_S = 24_000.0
"""Shorter than the time-out that the recipes give the hook, after which the tool would run."""
INPUT_LIMIT = 16 * 1024 * 1024
SENT_LIMIT = 512 * 1024
ANSWER_LIMIT = 64 * 1024
FILE_TOOLS = frozenset(("Write", "Edit", "MultiEdit", "NotebookEdit", "apply_patch"))
"""Tools whose long texts are files, not commands."""


class AskError(Exception):
    """Why the call is denied; the agent's model reads it."""


def main(arguments: list[str] | None = None) -> None:
    """Reads the call as JSON from standard input; prints the decision, if there is one."""
    whose = (arguments if arguments is not None else sys.argv[1:])[:1]
    try:
        said = _decide(*whose)
    except AskError as error:
        said = _decision("deny", str(error))
    except BaseException as error:  # a crash would let the tool run
        reason = f"cockpit failed to ask ({type(error).__name__}), so this was not allowed"
        said = _decision("deny", reason)
    try:
        sys.stdout.write(said)
        sys.stdout.flush()
    except BaseException:
        os._exit(2)  # nobody reads us: the one other way to say no
    os._exit(0)


def _decision(word: str, reason: str) -> str:
    said = {
        "hookEventName": "PreToolUse",
        "permissionDecision": word,
        "permissionDecisionReason": reason,
    }
    return json.dumps({"hookSpecificOutput": said})


def _decide(whose: str = "") -> str:
    """What is to be printed."""
    call = _call()
    run = os.environ.get("COCKPIT_RUN", "")
    if not run:
        raise AskError("cockpit does not know which run this is, so this was not allowed")
    tool = str(call.get("tool_name", ""))
    request = {
        "id": 1,
        "do": "approve",
        "run": run,
        "agent": whose,
        "tool": tool,
        "input": _sendable(tool, call.get("tool_input")),
        "cwd": str(call.get("cwd", "")),
        "session": str(call.get("session_id", "")),
        "call": str(call.get("tool_use_id", "")),
    }
    answer = _ask(request)
    reason = str(answer.get("reason") or "")
    if answer["allow"] is False:
        return _decision("deny", reason or "the operator did not allow this")
    if answer["allow"] is True and whose == "claude":  # Codex knows no such word
        return _decision("allow", reason or "the operator allowed this")
    return ""


def _call() -> dict[str, Any]:
    data = sys.stdin.buffer.read(INPUT_LIMIT + 1)
    if len(data) > INPUT_LIMIT:
        raise AskError("the tool call is too large to be judged, so this was not allowed")
    call = json.loads(data)
    if not isinstance(call, dict):
        raise AskError("the tool call could not be read, so this was not allowed")
    return call


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


def _ask(request: dict[str, object]) -> dict[str, Any]:
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


if __name__ == "__main__":
    main()
