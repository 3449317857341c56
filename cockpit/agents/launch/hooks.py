"""The hook that asks cockpit before a tool call, in the shape that Claude Code and Codex share."""

import shlex
from collections.abc import Sequence

from cockpit.agents.launch.layers import Table

TIMEOUT_S = 25_000
"""Longer than `cockpit hook` waits itself: a hook that times out lets the tool run."""
LAST_RESORT = "cockpit could not be asked, so this was not allowed"


def command(asks: Sequence[str], whose: str) -> str:
    """The command line for a shell.

    Both agents let the tool run when a hook fails in any way but with exit code 2, so whatever goes
    wrong with ours is turned into that.
    """
    asking = shlex.join((*asks, whose))
    return f"{asking} || {{ echo '{LAST_RESORT}' >&2; exit 2; }}"


def group(asks: Sequence[str], whose: str) -> Table:
    """A group of hooks for every tool."""
    hook = {"type": "command", "command": command(asks, whose), "timeout": TIMEOUT_S}
    return {"matcher": "*", "hooks": [hook]}
