"""`[architect]`: the model that is asked where runs alone do not explain a task."""

from typing import Literal

from msgspec import Struct


class ArchitectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Without a `model` nobody is asked. `upstream` is a provider's name or a URL, empty for the wire's own."""

    model: str = ""
    wire: Literal["anthropic", "chat", "ollama"] = "anthropic"
    upstream: str = ""
