"""What a driver is told: which protocol to speak, to which command, and what to ask of it first."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["stream-json", "app-server", "serve", "acp"]


class Plan(Struct, frozen=True, omit_defaults=True):
    """A headless command, and the same work over the agent's own protocol.

    `plain` is the operator's command as it would be started without a driver, `argv` the one that
    speaks the protocol. `prompt` is empty where the agent reads it from its standard input; what is
    piped in belongs to the prompt where `takes_input` says so. `settings` are for the protocol's own
    code: a model, a directory, a session to go on with. `socket` is where the driver listens.
    """

    kind: Kind
    plain: tuple[str, ...]
    argv: tuple[str, ...]
    prompt: str
    takes_input: bool = False
    settings: Mapping[str, Any] = {}
    socket: str = ""
