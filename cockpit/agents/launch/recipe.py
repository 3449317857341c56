"""What cockpit must set so that an agent talks to the gateway: the `Recipe` protocol."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from cockpit.agents.channels.plan import Plan

Wire = Literal["anthropic", "chat", "responses", "gemini", "ollama"]

DUMMY_KEY = "cockpit-dummy-key"
"""Stands for the real key at the agent; the gateway puts the real one in its place."""
TOKEN_HEADER = "x-cockpit-token"
"""Carries the run's token where an agent takes its base URL only as an argument, which every user of
the machine can read: the path is `/run/-/...` then."""


class Door(Struct, frozen=True):
    """Where the run's calls go.

    `url` is the run's base, `http://127.0.0.1:PORT/run/TOKEN`, without a slash at its end.
    `scratch` is a private directory of the run for configuration files of its own; it goes when the
    run ends. `asks` is the command (argv) that a hook of the agent runs before a tool call, without
    its last word: the recipe adds whose hook it is, `claude` or `codex`; empty when no hooks are
    wanted.
    """

    url: str
    scratch: Path
    asks: tuple[str, ...] = ()


class Launch(Struct, frozen=True):
    """A command as it must really be started.

    `environment` is laid over the operator's own; a value of None takes a variable away. `files`
    are written (0600) before the start, all under the door's scratch directory. `wires` are the
    dialects that this agent will speak. `session` is the agent's own session id when we could
    choose it. `own_login` tells that the agent may bring its own login (an OAuth subscription),
    which is passed through. `upstreams` are the URLs where the operator's own configuration sent
    this agent's calls, where it is not the vendor's. `keys` names the variables of the operator's environment that held the keys which
    the dummy stands for. `channel` does the same over the agent's own control protocol, where that can
    be reproduced with all of the operator's flags.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str | None]
    wires: tuple[Wire, ...]
    files: Mapping[Path, bytes] = {}
    session: str = ""
    own_login: bool = False
    upstreams: Mapping[Wire, str] = {}
    keys: Mapping[Wire, str] = {}
    channel: Plan | None = None


class Recipe(Protocol):
    """One agent."""

    agent: str
    """The agent's name, as its adapter's: `claude-code`."""
    patience_s: int
    """How long this client bears a call that is held without an answer (measured)."""

    def recognises(self, argv: Sequence[str]) -> bool:
        """Whether the command starts this agent."""
        ...

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        """The command through the gateway.

        Raises:
            ValueError: when an argument of the operator's own points the agent elsewhere.
        """
        ...

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        """The operator's command again, going on with the session; None where this agent cannot."""
        ...
