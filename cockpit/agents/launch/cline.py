"""Cline: a file of provider settings of the run's own, beside the user's, with the base URL moved.

Cline keeps keys in that file: the copy has the dummy in their place, so the gateway needs the key.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cockpit.agents.launch import layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch, Wire
from cockpit.agents.launch.words import (
    Part,
    grammar,
    has,
    listed,
    parse,
    plain,
    split,
    value,
    without,
    written,
)

RULES = grammar(
    "--auto-approve -c --cwd --thinking --compaction --id -P --provider -k --key -m --model -s --system"
    " -t --timeout --config --data-dir --hooks-dir",
    "",
    "--retries",
)
HELPERS = listed(
    "auth config plugin skill connect mcp doctor history h hook schedule hub dashboard update"
    " version kanban"
)
SETTINGS = "CLINE_PROVIDER_SETTINGS_PATH"
PLACES: dict[str, tuple[Wire, str, str]] = {
    "openai-compatible": ("chat", "", "OPENAI_API_KEY"),
    "openai": ("chat", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openai-native": ("responses", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    "gemini": ("gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    "openrouter": ("chat", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "deepseek": ("chat", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "xai": ("chat", "https://api.x.ai/v1", "XAI_API_KEY"),
    "moonshot": ("chat", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "ollama": ("chat", "http://localhost:11434/v1", ""),
    "lmstudio": ("chat", "http://localhost:1234/v1", ""),
}
"""Cline's providers that the gateway can serve: wire, usual base URL, variable of the key."""


DATED = {"updatedAt": "1970-01-01T00:00:00.000Z"}
"""Without a date Cline takes a provider's entry for broken, drops it and asks its own service."""


class Cline:
    """The recipe."""

    agent = "cline"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return Launch(tuple(argv), {}, ("chat",))
        if has(parts, "-z", "--zen", "--kanban"):
            raise ValueError("--zen works in Cline's hub, out of cockpit's reach")
        known = layers.read(_settings_file(parts, outer))
        name = value(parts, "-P", "--provider") or layers.text(known.get("lastUsedProvider"))
        if name not in PLACES:
            raise ValueError(
                f"Cline's provider {name or 'cline'!r} cannot be led through the gateway: choose one"
                f" with -P: {', '.join(PLACES)}"
            )
        wire, usual, variable = PLACES[name]
        entry = layers.table(layers.table(known.get("providers")).get(name))
        settings = layers.table(entry.get("settings"))
        url = layers.text(settings.get("baseUrl")) or usual or "https://api.openai.com/v1"
        path = door.scratch / "cline-providers.json"
        ours: dict[str, str | None] = {SETTINGS: str(path), **layers.direct(outer)}
        if variable and outer.get(variable):
            ours[variable] = DUMMY_KEY
        moved = {
            **{field: each for field, each in settings.items() if field in ("model", "reasoning")},
            "provider": name,
            "apiKey": DUMMY_KEY,
            "baseUrl": layers.rebased(url, door.url, wire)[0],
        }
        written_file = {
            **known,
            "lastUsedProvider": name,
            "providers": {name: {**DATED, **entry, "settings": moved}},
        }
        rest = without(parts, "-k", "--key")
        return Launch(
            command.again(written(rest), ours),
            ours,
            (wire,),
            {path: msgspec.json.encode(written_file)},
            upstreams={wire: layers.rebased(url, "", wire)[1]} if url != usual else {},
            keys={wire: variable} if outer.get(variable) else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        options = written(part for part in without(parts, "--id", "--") if part.option)
        return command.again((*options, "--id", session, *((prompt,) if prompt else ())))


def _settings_file(parts: list[Part], outer: Mapping[str, str]) -> Path:
    if outer.get(SETTINGS):
        return Path(outer[SETTINGS])
    given = value(parts, "--data-dir") or outer.get("CLINE_DATA_DIR")
    folder = (
        value(parts, "--config") or outer.get("CLINE_DIR") or str(layers.home(outer) / ".cline")
    )
    return (Path(given) if given else Path(folder) / "data") / "settings" / "providers.json"
