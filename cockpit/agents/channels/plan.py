"""What a driver is told: which protocol to speak, to which command, and what to ask of it first."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Piped = Literal["", "below", "tagged", "above"]
"""Where what is piped in stands: below the prompt, below it between `<stdin>` tags, above it."""
Kind = Literal["stream-json", "app-server", "serve", "acp"]

BY_AGENT: Mapping[str, Kind] = {
    "claude-code": "stream-json",
    "codex": "app-server",
    "opencode": "serve",
}
"""The protocol that each agent's headless command is driven by, where nobody asks otherwise."""


class Plan(Struct, frozen=True, omit_defaults=True):
    """A headless command, and the same work over the agent's own protocol.

    `plain` is the operator's command as it would be started without a driver, `argv` the one that
    speaks the protocol. `prompt` is empty where the agent reads it from its standard input; what is
    piped in belongs to the prompt as `piped` says. `settings` are for the protocol's own
    code: a model, a directory, a session to go on with. `on_request`: only where the operator asks for it.
    `socket` is where the driver listens.
    """

    kind: Kind
    plain: tuple[str, ...]
    argv: tuple[str, ...]
    prompt: str
    piped: Piped = ""
    settings: Mapping[str, Any] = {}
    on_request: bool = False
    socket: str = ""
