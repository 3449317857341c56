"""Mistral Vibe: its providers once more, in a variable that is merged above its `config.toml` by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from cockpit.agents.launch import layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch
from cockpit.agents.launch.words import grammar, has, listed, parse, plain, split, without, written

RULES = grammar(
    "--workdir --output --max-turns --max-price --max-tokens --time-limit --prompt-file --output-dir"
    " --agent --enabled-tools --disabled-tools --add-dir",
    "",
    "--resume -p --prompt --worktree",
)
HELPERS = listed("mcp help update")
CONTINUES = ("-c", "--continue", "--resume")
USUAL = {
    "name": "mistral",
    "api_base": "https://api.mistral.ai/v1",
    "api_key_env_var": "MISTRAL_API_KEY",
    "backend": "mistral",
}


class Vibe:
    """The recipe."""

    agent = "vibe"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return Launch(tuple(argv), {}, ("chat",))
        config = _configuration(outer)
        providers = _providers(config, outer)
        chosen = _chosen(config, providers, outer)
        moved = [
            {
                **entry,
                "api_base": layers.rebased(layers.text(entry.get("api_base")), door.url, "chat")[0],
            }
            for entry in providers
        ]
        key = layers.text(chosen.get("api_key_env_var"))
        dummies = {
            name: DUMMY_KEY
            for entry in providers
            if (name := layers.text(entry.get("api_key_env_var")))
        }
        ours: dict[str, str | None] = {
            "VIBE_PROVIDERS": msgspec.json.encode(moved).decode(),
            **dummies,
            **layers.direct(outer),
        }
        return Launch(
            command.again(command.words, ours),
            ours,
            ("chat",),
            upstreams={"chat": layers.text(chosen.get("api_base")).rstrip("/")},
            keys={"chat": key} if outer.get(key) else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        headless = has(parts, "-p", "--prompt", "--prompt-file")
        kept = without(parts, "-p", "--prompt", "--prompt-file", *CONTINUES, "--")
        options = written(part for part in kept if part.option)
        said = (("-p", prompt) if headless else (prompt,)) if prompt else ()
        return command.again((*options, f"--resume={session}", *said))


def _configuration(outer: Mapping[str, str]) -> layers.Table:
    folder = Path(outer.get("VIBE_HOME") or layers.home(outer) / ".vibe")
    here = Path(outer.get("PWD") or Path.cwd()) / ".vibe"
    return layers.merged(layers.read(folder / "config.toml"), layers.read(here / "config.toml"))


def _providers(config: layers.Table, outer: Mapping[str, str]) -> list[layers.Table]:
    """The usual provider, the user's own, and those already in the variable; the last of a name wins."""
    told = layers.json(f'{{"all": {outer.get("VIBE_PROVIDERS") or "[]"}}}').get("all")
    named: dict[str, layers.Table] = {"mistral": USUAL}
    for entries in (config.get("providers"), told):
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                named[entry["name"]] = {**named.get(entry["name"], {}), **entry}
    return list(named.values())


def _chosen(
    config: layers.Table, providers: list[layers.Table], outer: Mapping[str, str]
) -> layers.Table:
    """The provider of the active model."""
    active = outer.get("VIBE_ACTIVE_MODEL") or config.get("active_model")
    models = config.get("models")
    entries = models if isinstance(models, list) else list(layers.table(models).values())
    model = next(
        (
            each
            for each in entries
            if isinstance(each, dict) and active in (each.get("alias"), each.get("name"))
        ),
        {},
    )
    wanted = model.get("provider", "mistral")
    return next((each for each in providers if each["name"] == wanted), USUAL)
