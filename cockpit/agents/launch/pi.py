"""pi: an extension of the run's own moves the base URL of every provider; all else stays the user's.

Providers that speak no wire the gateway knows are moved too: their calls fail there, and go nowhere
else. A login that pi keeps is sent to the base URL.
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
    "--provider --model --api-key --system-prompt --append-system-prompt --mode --session --fork"
    " --session-dir --models --tools -t --thinking --extension -e --skill --prompt-template --theme"
    " --export",
    "",
    "--list-models",
)
HELPERS = listed("install remove uninstall update list config")
CONTINUES = ("-c", "--continue", "-r", "--resume", "--session", "--fork")
PLACES: dict[str, tuple[Wire, str]] = {
    "anthropic": ("anthropic", "https://api.anthropic.com"),
    "openai": ("responses", "https://api.openai.com/v1"),
    "google": ("gemini", "https://generativelanguage.googleapis.com/v1beta"),
    "cerebras": ("chat", "https://api.cerebras.ai/v1"),
    "deepseek": ("chat", "https://api.deepseek.com"),
    "fireworks": ("anthropic", "https://api.fireworks.ai/inference"),
    "groq": ("chat", "https://api.groq.com/openai/v1"),
    "huggingface": ("chat", "https://router.huggingface.co/v1"),
    "kimi-coding": ("anthropic", "https://api.kimi.com/coding"),
    "minimax": ("anthropic", "https://api.minimax.io/anthropic"),
    "moonshotai": ("chat", "https://api.moonshot.ai/v1"),
    "opencode-go": ("chat", "https://opencode.ai/zen/go/v1"),
    "openrouter": ("chat", "https://openrouter.ai/api/v1"),
    "vercel-ai-gateway": ("anthropic", "https://ai-gateway.vercel.sh"),
    "xai": ("chat", "https://api.x.ai/v1"),
    "zai": ("chat", "https://api.z.ai/api/coding/paas/v4"),
}
"""pi's providers (0.73) that speak one wire of ours."""
CLOSED = listed(
    "amazon-bedrock azure-openai-responses cloudflare-ai-gateway cloudflare-workers-ai"
    " github-copilot google-vertex minimax-cn mistral moonshotai-cn openai-codex opencode xiaomi"
    " xiaomi-token-plan-ams xiaomi-token-plan-cn xiaomi-token-plan-sgp"
)
KEYS: dict[str, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GEMINI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "groq": "GROQ_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "xai": "XAI_API_KEY",
    "zai": "ZAI_API_KEY",
    "moonshotai": "MOONSHOT_API_KEY",
    "kimi-coding": "KIMI_API_KEY",
}
APIS: dict[str, Wire] = {
    "anthropic-messages": "anthropic",
    "openai-completions": "chat",
    "openai-responses": "responses",
    "google-generative-ai": "gemini",
}
EXTENSION = """\
const places = {};
export default function (pi) {{
  for (const [name, baseUrl] of Object.entries(places)) pi.registerProvider(name, {{ baseUrl }});
}}
"""


class Pi:
    """The recipe."""

    agent = "pi"
    patience_s = 150

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return Launch(tuple(argv), {}, ("chat",))
        folder = Path(outer.get("PI_CODING_AGENT_DIR") or layers.home(outer) / ".pi" / "agent")
        models = layers.table(layers.read(folder / "models.json").get("providers"))
        places = {**PLACES, **_users_places(models)}
        name = _provider(parts, layers.read(folder / "settings.json"))
        if name not in places:
            raise ValueError(f"pi's provider {name!r} cannot be led through the gateway")
        wire, url = places[name]
        theirs = layers.text(layers.table(models.get(name)).get("apiKey"))
        variable = KEYS.get(name, "") if not theirs else theirs if theirs in outer else ""
        stored = name in layers.logins(folder / "auth.json")
        own = stored or not variable or has(parts, "--api-key")
        path = door.scratch / "cockpit.js"
        moved = {each: layers.rebased(at, door.url, how)[0] for each, (how, at) in places.items()}
        moved |= dict.fromkeys(CLOSED, door.url)
        ours: dict[str, str | None] = {
            **({} if own else {variable: DUMMY_KEY}),
            **layers.direct(outer),
        }
        words = ("-e", str(path), *written(parts))
        return Launch(
            command.again(words, ours),
            ours,
            (wire,),
            {path: EXTENSION.format(msgspec.json.encode(moved).decode()).encode()},
            own_login=own,
            upstreams={wire: layers.rebased(url, "", wire)[1]}
            if PLACES.get(name) != (wire, url) or name not in ("anthropic", "openai", "google")
            else {},
            keys={wire: variable} if outer.get(variable) and not own else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        kept = without(parts, *CONTINUES, "--")
        options = written(part for part in kept if part.option)
        return command.again((*options, "--session", session, *((prompt,) if prompt else ())))


def _users_places(models: layers.Table) -> dict[str, tuple[Wire, str]]:
    """The user's own providers that have a base URL and a wire."""
    found: dict[str, tuple[Wire, str]] = {}
    for name, entry in models.items():
        url = layers.text(layers.table(entry).get("baseUrl"))
        known = PLACES.get(name)
        wire = APIS.get(layers.text(layers.table(entry).get("api"))) or (
            known[0] if known else "chat"
        )
        if url:
            found[name] = (wire, url)
    return found


def _provider(parts: list[Part], settings: layers.Table) -> str:
    model = value(parts, "--model")
    named = model.partition("/")[0] if "/" in model else ""
    guessed = {"claude": "anthropic", "gpt": "openai", "gemini": "google"}.get(
        model.partition("-")[0]
    )
    usual = layers.text(settings.get("defaultProvider"))
    return value(parts, "--provider") or named or guessed or usual or "google"
