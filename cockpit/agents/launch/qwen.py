"""Qwen Code: base URL and dummy key by environment; all its own model providers by system settings.

A provider in the user's `settings.json` has a base URL of its own, which wins over the environment:
the system settings of the run repeat the user's providers with ours in its place.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

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
    "--telemetry-target --telemetry-otlp-endpoint --telemetry-otlp-protocol --telemetry-outfile"
    " --proxy -m --model -p --prompt -i --prompt-interactive --system-prompt --append-system-prompt"
    " --output-style --sandbox-image --approval-mode --channel --mcp-config --openai-logging-dir"
    " --openai-api-key --openai-base-url --input-format -o --output-format --json-fd --json-file"
    " --json-schema --input-file --session-id --max-session-turns --max-wall-time --max-tool-calls"
    " --max-subagent-depth --auth-type",
    "--fallback-model --allowed-mcp-server-names --allowed-tools -e --extensions"
    " --include-directories --add-dir --core-tools --exclude-tools --disabled-slash-commands",
    "-r --resume --worktree",
)
HELPERS = listed("auth board channel extensions hooks mcp sandbox sessions update")
SETTINGS = "QWEN_CODE_SYSTEM_SETTINGS_PATH"
SYSTEM_SETTINGS = "/etc/qwen-code/settings.json"
CONTINUES = ("-c", "--continue", "-r", "--resume")


class Kind(Struct, frozen=True):
    """What one of Qwen's kinds of login speaks, and the variables it reads."""

    wire: Wire
    url: str
    base: str
    key: str


KINDS: dict[str, Kind] = {
    "openai": Kind("chat", "https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "openai-responses": Kind(
        "responses", "https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"
    ),
    "anthropic": Kind(
        "anthropic", "https://api.anthropic.com", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"
    ),
    "gemini": Kind(
        "gemini",
        "https://generativelanguage.googleapis.com",
        "GOOGLE_GEMINI_BASE_URL",
        "GEMINI_API_KEY",
    ),
}


class Qwen:
    """The recipe."""

    agent = "qwen"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if has(parts, "-s", "--sandbox"):
            raise ValueError("--sandbox works in a container, which cannot reach the gateway")
        users = layers.read(layers.home(outer) / ".qwen" / "settings.json")
        name, kind = _kind(parts, users, outer)
        entry = _entry(users, name, value(parts, "-m", "--model") or _model(users, outer))
        given = value(parts, "--openai-base-url") or layers.text(entry.get("baseUrl"))
        auth = layers.table(layers.table(users.get("security")).get("auth"))
        url = given or layers.text(auth.get("baseUrl")) or outer.get(kind.base) or kind.url
        variable = layers.text(entry.get("envKey")) or kind.key
        own = bool(auth.get("apiKey") or variable in layers.table(users.get("env")))
        path, data = _above_all(_settings(users, name, url, door.url), door.scratch, outer)
        base = layers.rebased(url, door.url, kind.wire)[0]
        ours: dict[str, str | None] = {kind.base: base, SETTINGS: str(path), **layers.direct(outer)}
        if not own:
            ours[variable] = DUMMY_KEY
        parts, session = _with_session(without(parts, "--openai-base-url", "--openai-api-key"))
        key = "" if own else layers.first_set(outer, variable)
        return Launch(
            command.again(written(parts), ours),
            ours,
            (kind.wire,),
            {path: data},
            session,
            own,
            {kind.wire: layers.rebased(url, "", kind.wire)[1]} if url != kind.url else {},
            {kind.wire: key} if key else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        talking = has(parts, "-i", "--prompt-interactive") or not (
            has(parts, "-p", "--prompt") or plain(parts)
        )
        asked = ("-p", "--prompt", "-i", "--prompt-interactive", "--fork-session")
        kept = without(parts, *asked, *CONTINUES, "--session-id", "--")
        options = written(part for part in kept if part.option)
        said = ("-i" if talking else "-p", prompt) if prompt else ()
        return command.again((*options, "--resume", session, *said))


def _kind(parts: list[Part], users: layers.Table, outer: Mapping[str, str]) -> tuple[str, Kind]:
    auth = layers.table(layers.table(users.get("security")).get("auth"))
    chosen = value(parts, "--auth-type")
    name = chosen or layers.text(auth.get("selectedType")) or "openai"
    if name == "qwen-oauth" and not chosen and outer.get("OPENAI_API_KEY"):
        name = "openai"
    if name not in KINDS:
        raise ValueError(
            f"Qwen's {name} login picks its own URL: use --auth-type with {', '.join(KINDS)}"
        )
    return name, KINDS[name]


def _model(users: layers.Table, outer: Mapping[str, str]) -> str:
    return layers.text(layers.table(users.get("model")).get("name")) or outer.get(
        "OPENAI_MODEL", ""
    )


def _entry(users: layers.Table, name: str, model: str) -> layers.Table:
    """The user's own entry for the model, empty when there is none."""
    entries = layers.table(users.get("modelProviders")).get(name)
    known = (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
    return next((entry for entry in known if entry.get("id") == model), {})


def _settings(users: layers.Table, name: str, url: str, door: str) -> layers.Table:
    base = layers.rebased(url, door, KINDS[name].wire)[0]
    auth = {"selectedType": name, "baseUrl": base}
    said: layers.Table = {"security": {"auth": auth}}
    providers = layers.table(users.get("modelProviders"))
    if providers:
        said["modelProviders"] = {
            kind: [_led(entry, door, kind) for entry in entries]
            if isinstance(entries, list) and kind in KINDS
            else entries
            for kind, entries in providers.items()
        }
    return said


def _above_all(ours: layers.Table, scratch: Path, outer: Mapping[str, str]) -> tuple[Path, bytes]:
    """A file with the machine's own system settings and ours above."""
    theirs = layers.read(Path(outer.get(SETTINGS) or SYSTEM_SETTINGS))
    return scratch / "system-settings.json", msgspec.json.encode(layers.merged(theirs, ours))


def _led(entry: object, door: str, kind: str) -> object:
    if not isinstance(entry, dict) or not isinstance(entry.get("baseUrl"), str):
        return entry
    return {**entry, "baseUrl": layers.rebased(entry["baseUrl"], door, KINDS[kind].wire)[0]}


def _with_session(parts: list[Part]) -> tuple[list[Part], str]:
    known = value(parts, "--session-id") or value(parts, "-r", "--resume")
    helper = bool(plain(parts)[:1]) and plain(parts)[0] in HELPERS | {"serve", "review"}
    if known or helper or has(parts, *CONTINUES, "--acp", "-l", "--list-extensions"):
        return parts, known
    session = str(uuid.uuid4())
    return [Part("--session-id", (session,), ("--session-id", session)), *parts], session
