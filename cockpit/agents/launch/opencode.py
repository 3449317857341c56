"""OpenCode: a layer of configuration in `OPENCODE_CONFIG_CONTENT`, which lies above all files.

Only providers that are led through the gateway stay enabled. A provider whose login is an OAuth one
picks its URL itself, whatever the configuration says: it is left out, and refused when it was asked
for. Of the file with the logins only their kinds are read.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from cockpit.agents.channels.plan import Plan
from cockpit.agents.launch import layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch, Wire
from cockpit.agents.launch.words import (
    Command,
    Part,
    grammar,
    has,
    listed,
    only,
    parse,
    plain,
    split,
    value,
    without,
    written,
)

RULES = grammar(
    "--log-level --command -s --session -m --model --agent --format --title --attach -p --password"
    " -u --username --dir --port --variant --hostname --mdns-domain --prompt --replay-limit",
    "-f --file --cors",
)
SPOKEN = listed("-m --model --agent --variant -s --session --title --auto --")
"""The options of `opencode run` that mean the same over its server."""
HELPERS = listed(
    "completion mcp auth providers agent upgrade uninstall models stats export import session"
    " plugin plug db debug"
)


class Provider(Struct, frozen=True):
    """What is known of a provider: its wire, its URL, the variables that hold its key.

    `keyed`: the user's configuration has its key.
    """

    wire: Wire
    url: str
    keys: tuple[str, ...] = ()
    keyed: bool = False


KNOWN: dict[str, Provider] = {
    "anthropic": Provider("anthropic", "https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",)),
    "openai": Provider("responses", "https://api.openai.com/v1", ("OPENAI_API_KEY",)),
    "google": Provider(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    "openrouter": Provider("chat", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    "deepseek": Provider("chat", "https://api.deepseek.com", ("DEEPSEEK_API_KEY",)),
    "moonshotai": Provider("chat", "https://api.moonshot.ai/v1", ("MOONSHOT_API_KEY",)),
    "zai": Provider("chat", "https://api.z.ai/api/paas/v4", ("ZHIPU_API_KEY",)),
    "zai-coding-plan": Provider("chat", "https://api.z.ai/api/coding/paas/v4", ("ZHIPU_API_KEY",)),
    "xai": Provider("chat", "https://api.x.ai/v1", ("XAI_API_KEY",)),
    "groq": Provider("chat", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    "mistral": Provider("chat", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
}
VENDORS = ("anthropic", "openai", "google")
WIRES: dict[str, Wire] = {
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/google": "gemini",
    "@ai-sdk/openai": "responses",
}
"""What a package speaks; any other one speaks Chat Completions."""


class OpenCode:
    """The recipe."""

    agent = "opencode"
    patience_s = 150

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if has(parts, "--attach") or plain(parts)[:1] == ["attach"]:
            raise ValueError("attach works in another process, out of cockpit's reach")
        users = _users_configuration(outer)
        asked = (value(parts, "-m", "--model") or layers.text(users.get("model"))).partition("/")[0]
        logins = _logins(outer)
        led = _led(asked, users, logins)
        content = layers.json(outer.get("OPENCODE_CONFIG_CONTENT", ""))
        said = _configuration(led, door.url, outer, logins)
        ours: dict[str, str | None] = {
            "OPENCODE_CONFIG_CONTENT": msgspec.json.encode(layers.merged(content, said)).decode(),
            **layers.hidden(_key(outer, provider) for provider in led.values()),
            **layers.direct(outer),
        }
        return Launch(
            command.again(command.words, ours),
            ours,
            tuple(dict.fromkeys(provider.wire for provider in led.values())),
            own_login=any(_own(name, provider, outer, logins) for name, provider in led.items()),
            upstreams={
                provider.wire: layers.rebased(provider.url, "", provider.wire)[1]
                for name, provider in led.items()
                if name not in VENDORS or provider.url != KNOWN[name].url
            },
            keys={each.wire: _key(outer, each) for each in led.values() if _key(outer, each)},
            channel=_channel(command, parts, ours),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        first = (plain(parts) or [""])[0]
        if first in HELPERS or first == "attach":
            return None
        kept = without(
            parts, "-c", "--continue", "-s", "--session", "--prompt", "--fork", "-f", "--file", "--"
        )
        options = written(part for part in kept if part.option)
        if first != "run":
            said = ("--prompt", prompt) if prompt else ()
            return command.again((*options, "--session", session, *said))
        said = ("--", prompt) if prompt else ()
        return command.again(("run", *options, "--session", session, *said))


def _channel(command: Command, parts: list[Part], ours: Collection[str]) -> Plan | None:
    """`opencode run PROMPT` and nothing that its server would not do."""
    words = plain(parts)
    if words[:1] != ["run"] or not only(parts, SPOKEN):
        return None
    provider, _, model = value(parts, "-m", "--model").partition("/")
    said = {
        "model": {"providerID": provider, "modelID": model} if model else None,
        "agent": value(parts, "--agent"),
        "variant": value(parts, "--variant"),
        "session": value(parts, "-s", "--session"),
        "title": value(parts, "--title"),
        "auto": has(parts, "--auto"),
    }
    return Plan(
        "serve",
        command.again(written(parts), ours),
        command.again(("serve", "--hostname", "127.0.0.1", "--port", "0"), ours),
        prompt=" ".join(map(_quoted, words[1:])),
        piped="below",
        settings={name: each for name, each in said.items() if each},
    )


def _quoted(word: str) -> str:
    """As `opencode run` puts its words together."""
    return '"' + word.replace('"', '\\"') + '"' if " " in word else word


def _users_configuration(outer: Mapping[str, str]) -> layers.Table:
    """Every file of the user's that OpenCode would read, merged in its order."""
    folder = Path(outer.get("XDG_CONFIG_HOME") or layers.home(outer) / ".config") / "opencode"
    paths = [folder / name for name in ("config.json", "opencode.json", "opencode.jsonc")]
    if outer.get("OPENCODE_CONFIG"):
        paths.append(Path(outer["OPENCODE_CONFIG"]))
    here = Path(outer.get("PWD") or Path.cwd())
    for place in (*reversed(here.parents), here):
        paths += [place / name for name in ("opencode.json", "opencode.jsonc")]
    merged: layers.Table = {}
    for path in paths:
        merged = layers.merged(merged, layers.read(path))
    return layers.merged(merged, layers.json(outer.get("OPENCODE_CONFIG_CONTENT", "")))


def _logins(outer: Mapping[str, str]) -> dict[str, str]:
    """The kind of each login that OpenCode keeps: `api`, `oauth`, `wellknown`."""
    share = Path(outer.get("XDG_DATA_HOME") or layers.home(outer) / ".local" / "share")
    return layers.logins(outer.get("OPENCODE_AUTH_CONTENT") or share / "opencode" / "auth.json")


def _led(asked: str, users: layers.Table, logins: Mapping[str, str]) -> dict[str, Provider]:
    """The providers that the gateway can serve: the one asked for, and the three vendors.

    Raises:
        ValueError: when the one asked for cannot be led through the gateway.
    """
    if logins.get(asked) not in (None, "api"):
        raise ValueError(
            f"OpenCode is logged in to {asked} with {logins[asked]}: that login picks its own URL"
        )
    led: dict[str, Provider] = {}
    if asked:
        led[asked] = _provider(asked, layers.table(users.get("provider")))
    for name in VENDORS:
        provider = _provider(name, layers.table(users.get("provider")))
        taken = any(provider.wire == other.wire for other in led.values())
        if not taken and logins.get(name) in (None, "api"):
            led[name] = provider
    return led


def _provider(name: str, users: layers.Table) -> Provider:
    said = layers.table(users.get(name))
    known = KNOWN.get(name)
    options = layers.table(said.get("options"))
    url = layers.text(options.get("baseURL"))
    package = layers.text(said.get("npm"))
    if known is None and not url:
        raise ValueError(
            f"OpenCode's provider {name!r} is unknown here: give it options.baseURL in opencode.json"
        )
    wire = WIRES.get(package, "chat") if package or known is None else known.wire
    url = url or (known.url if known else "")
    return Provider(wire, url, known.keys if known else (), bool(options.get("apiKey")))


def _key(outer: Mapping[str, str], provider: Provider) -> str:
    return layers.first_set(outer, *provider.keys)


def _own(
    name: str, provider: Provider, outer: Mapping[str, str], logins: Mapping[str, str]
) -> bool:
    """Whether OpenCode has a key of its own for the provider, which we leave."""
    return provider.keyed or (name in logins and not _key(outer, provider))


def _configuration(
    led: Mapping[str, Provider], door: str, outer: Mapping[str, str], logins: Mapping[str, str]
) -> layers.Table:
    providers: layers.Table = {}
    for name, provider in led.items():
        options: layers.Table = {"baseURL": layers.rebased(provider.url, door, provider.wire)[0]}
        if not _own(name, provider, outer, logins):
            options["apiKey"] = DUMMY_KEY
        providers[name] = {"options": options}
    return {"provider": providers, "enabled_providers": list(led)}
