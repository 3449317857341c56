"""Which wire a request speaks."""

from collections.abc import Mapping

from cockpit.gateway.wire.anthropic import Anthropic
from cockpit.gateway.wire.chat import Chat
from cockpit.gateway.wire.dialect import Asked, Dialect, DialectName
from cockpit.gateway.wire.gemini import Gemini
from cockpit.gateway.wire.ollama import Ollama
from cockpit.gateway.wire.responses import Responses

DIALECTS: dict[DialectName, Dialect] = {
    "anthropic": Anthropic(),
    "chat": Chat(),
    "responses": Responses(),
    "gemini": Gemini(),
    "ollama": Ollama(),
}
"""Every wire by name."""


def dialect_of(
    path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[Dialect, Asked] | None:
    """The wire of a request and what it asks for; None for a path that no wire has.

    `path` may have any prefix (`/openai/v1`, `/anthropic/v1`). Only paths that several wires share
    (a list of models, the root) are told apart by their headers.
    """
    for dialect in _in_order(headers):
        asked = dialect.asked(path, headers, body)
        if asked is not None:
            return dialect, asked
    return None


def _in_order(headers: Mapping[str, str]) -> list[Dialect]:
    """The wires' own paths differ, so the order only decides the shared ones."""
    names = {name.lower() for name in headers}
    anthropic = bool(names & {"anthropic-version", "x-api-key", "anthropic-beta"})
    first: list[DialectName] = ["anthropic", "chat"] if anthropic else ["chat", "anthropic"]
    return [DIALECTS[name] for name in ["gemini", "ollama", *first, "responses"]]
