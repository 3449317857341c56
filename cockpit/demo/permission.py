"""A demo agent asks before a tool call, by the engine's request that the hooks of real agents use."""

import json
import os
import socket

from cockpit.demo.turns import Asked
from cockpit.journal import paths

UNANSWERED = "cockpit could not be asked, so this was not allowed"


def refusal(call: Asked, workspace: str) -> str:
    """Why the call may not run; empty when it may, or when nobody governs this agent."""
    run = os.environ.get("COCKPIT_RUN")
    if not run:
        return ""
    request = {
        "id": 1,
        "do": "approve",
        "run": run,
        "tool": call.name,
        "input": call.arguments,
        "cwd": workspace,
        "call": call.id,
    }
    try:
        answer = _asked(request)
    except (OSError, ValueError):
        return UNANSWERED
    decision = answer.get("ok")
    if not isinstance(decision, dict):
        return str(answer.get("error") or UNANSWERED)
    return str(decision["reason"]) if decision["allow"] is False else ""


def _asked(request: dict[str, object]) -> dict[str, object]:
    """Waits as long as the operator takes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(paths.engine_socket()))
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            answer: dict[str, object] = json.loads(lines.readline())
            return answer
