"""Any program: every base-URL variable that agents and SDKs read, and dummy keys beside them."""

from collections.abc import Mapping, Sequence

from cockpit.agents.launch import layers
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch, Wire
from cockpit.agents.launch.words import split

BASES: dict[str, tuple[Wire, str]] = {
    "ANTHROPIC_BASE_URL": ("anthropic", ""),
    "ANTHROPIC_API_BASE": ("anthropic", ""),
    "ANTHROPIC_API_URL": ("anthropic", ""),
    "OPENAI_BASE_URL": ("chat", "/v1"),
    "OPENAI_API_BASE": ("chat", "/v1"),
    "OPENAI_API_BASE_URL": ("chat", "/v1"),
    "GOOGLE_GEMINI_BASE_URL": ("gemini", ""),
    "GEMINI_API_BASE": ("gemini", ""),
    "OLLAMA_HOST": ("ollama", ""),
    "OLLAMA_BASE_URL": ("ollama", ""),
    "OLLAMA_API_BASE": ("ollama", ""),
}
"""The variables, with the wire that is spoken and the version that the program does not add."""
KEYS: dict[str, Wire] = {
    "ANTHROPIC_API_KEY": "anthropic",
    "ANTHROPIC_AUTH_TOKEN": "anthropic",
    "OPENAI_API_KEY": "chat",
    "GEMINI_API_KEY": "gemini",
    "GOOGLE_API_KEY": "gemini",
    "OLLAMA_API_KEY": "ollama",
}
SECOND = frozenset(("ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "OLLAMA_API_KEY"))
"""Keys that are set only where the operator had set them: with both, SDKs complain or send both."""
OTHER_DOORS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "GOOGLE_GENAI_USE_VERTEXAI")


class Generic:
    """The recipe for a program that no other recipe knows."""

    agent = "generic"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return bool(argv)

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        outer = command.environment(environment)
        ours = surroundings(door.url, outer)
        return Launch(
            command.again(command.words, ours),
            ours,
            ("anthropic", "chat", "responses", "gemini", "ollama"),
            upstreams=upstreams(outer),
            keys=keys(outer),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        return None


def surroundings(url: str, outer: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that lead every SDK to `url`."""
    bases = {name: url + version for name, (_, version) in BASES.items()}
    dummies = {name: DUMMY_KEY for name in KEYS if name not in SECOND or outer.get(name)}
    others = {name: None for name in OTHER_DOORS if outer.get(name)}
    return {**bases, **dummies, **others, **layers.direct(outer)}


def upstreams(outer: Mapping[str, str]) -> dict[Wire, str]:
    """Where the operator's own variables led, by wire."""
    found: dict[Wire, str] = {}
    for name, (wire, _) in BASES.items():
        url = outer.get(name, "").rstrip("/")
        if url and "://" not in url:
            url = f"http://{url}"
        if url and wire not in found:
            found[wire] = url
    if "chat" in found:
        found["responses"] = found["chat"]
    return found


def keys(outer: Mapping[str, str]) -> dict[Wire, str]:
    """The operator's variables that hold a key, by wire."""
    found: dict[Wire, str] = {}
    for name, wire in KEYS.items():
        if outer.get(name) and wire not in found:
            found[wire] = name
    if "chat" in found:
        found["responses"] = found["chat"]
    return found
