"""`cockpit hook claude|codex`: an agent's hook asks the engine before a tool call.

Both agents let the tool run when a hook fails, so everything that goes wrong here denies in words,
and the way out is exit code 0. Hardly more than the standard library is imported: this runs before every
tool call. Nothing is printed where no rule matched, which leaves the call to the agent's own rules.
"""

import json
import os
import sys
from typing import Any

from cockpit.agents.asking import AskError, ask

INPUT_LIMIT = 16 * 1024 * 1024


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
    allowed, reason = ask(
        str(call.get("tool_name", "")),
        call.get("tool_input"),
        whose=whose,
        cwd=str(call.get("cwd", "")),
        session=str(call.get("session_id", "")),
        call=str(call.get("tool_use_id", "")),
    )
    if allowed is False:
        return _decision("deny", reason or "the operator did not allow this")
    if allowed is True and whose == "claude":  # Codex knows no such word
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


if __name__ == "__main__":
    main()
