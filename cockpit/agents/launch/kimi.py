"""Kimi CLI: its own variables win over its configuration, for each kind of provider it knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cockpit.agents.launch import layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch, Wire
from cockpit.agents.launch.words import (
    Part,
    grammar,
    listed,
    parse,
    plain,
    split,
    value,
    without,
    written,
)

RULES = grammar(
    "-w --work-dir --add-dir -S --session --config --config-file -m --model -p --prompt -c --command"
    " --input-format --output-format --agent --agent-file --mcp-config-file --mcp-config"
    " --skills-dir --max-steps-per-turn --max-retries-per-step --max-ralph-iterations",
    "",
    "-r --resume",
)
HELPERS = listed("login logout info export mcp plugin vis")
CONTINUES = ("-S", "--session", "-r", "--resume", "-C", "--continue")
KINDS: dict[str, tuple[Wire, str, str, str]] = {
    "kimi": ("chat", "https://api.moonshot.ai/v1", "KIMI_BASE_URL", "KIMI_API_KEY"),
    "openai_legacy": ("chat", "https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "openai_responses": (
        "responses",
        "https://api.openai.com/v1",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
    ),
}
"""A provider's kind: wire, usual URL, the variables for URL and key."""


class Kimi:
    """The recipe."""

    agent = "kimi"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return Launch(tuple(argv), {}, ("chat",))
        provider = _provider(parts, _configuration(parts, outer))
        kind = layers.text(provider.get("type")) or "kimi"
        if kind not in KINDS:
            raise ValueError(
                f"Kimi's provider of the kind {kind!r} cannot be led through the gateway:"
                f" {', '.join(KINDS)} can"
            )
        wire, usual, base, key = KINDS[kind]
        url = outer.get(base) or layers.text(provider.get("base_url")) or usual
        own = bool(provider.get("oauth")) and not outer.get(key)
        ours: dict[str, str | None] = {base: f"{door.url}/v1", **layers.direct(outer)}
        if not own:
            ours[key] = DUMMY_KEY
        named = layers.first_set(outer, key)
        return Launch(
            command.again(command.words, ours),
            ours,
            (wire,),
            own_login=own,
            upstreams={wire: url.rstrip("/")} if url != "https://api.openai.com/v1" else {},
            keys={wire: named} if named else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        kept = without(parts, "-p", "--prompt", "-c", "--command", *CONTINUES, "--")
        options = written(part for part in kept if part.option)
        said = ("--prompt", prompt) if prompt else ()
        return command.again((*options, "--session", session, *said))


def _configuration(parts: list[Part], outer: Mapping[str, str]) -> layers.Table:
    given = value(parts, "--config")
    if given:
        return layers.json(given) or layers.toml(given)
    share = Path(outer.get("KIMI_SHARE_DIR") or layers.home(outer) / ".kimi")
    return layers.read(Path(value(parts, "--config-file") or share / "config.toml"))


def _provider(parts: list[Part], config: layers.Table) -> layers.Table:
    """The provider of the model that will be used; empty when none is configured."""
    name = value(parts, "-m", "--model") or layers.text(config.get("default_model"))
    model = layers.table(layers.table(config.get("models")).get(name))
    return layers.table(
        layers.table(config.get("providers")).get(layers.text(model.get("provider")))
    )
