"""Whose wire a request speaks."""

from collections.abc import Mapping
from urllib.parse import unquote

from msgspec.structs import replace

from cockpit.gateway.governed import Governed
from cockpit.gateway.providers import KNOWN, Upstream
from cockpit.gateway.wire.dialect import Asked, Dialect, DialectName
from cockpit.gateway.wire.registry import DIALECTS


def guessed(path: str, headers: Mapping[str, str]) -> DialectName:
    """The wire that a path belongs to most likely: several list models at the same place."""
    if "/messages" in path or "anthropic-version" in headers:
        return "anthropic"
    if path.startswith("/api/"):
        return "ollama"
    if path.startswith("/v1beta") or "x-goog-api-key" in headers:
        return "gemini"
    return "responses" if "/responses" in path else "chat"


def recognised(
    governed: Governed, guess: DialectName, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[Upstream, Dialect, Asked] | None:
    """The wire that knows this path, likeliest first, and where the run's calls on it go."""
    plain = unquote(path)
    wires = [guess, *(wire for wire in governed.upstreams if wire != guess)]
    for wire in wires:
        upstream = governed.upstreams.get(wire)
        dialect = DIALECTS[wire]
        asked = dialect.asked(plain, headers, body) if upstream else None
        if upstream and asked:
            return _login(upstream, headers), dialect, asked
    return None


def _login(upstream: Upstream, headers: Mapping[str, str]) -> Upstream:
    """Codex with a ChatGPT login says so, and talks to another host than with a key."""
    if upstream.provider.name != "openai" or "chatgpt-account-id" not in headers:
        return upstream
    chatgpt = KNOWN["chatgpt"]
    return replace(upstream, base=chatgpt.urls["responses"], provider=chatgpt)
