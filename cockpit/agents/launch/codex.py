"""Codex: everything by `-c`, above `config.toml`, which stays in force with its login and servers.

The base URL can only be given as an argument, and arguments can be read by every user of the
machine: so the run's token goes in a header that Codex takes from a variable. Codex runs a hook only
when its hash is trusted; the trust in ours, and in no other, is given in the same way.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from cockpit.agents.channels.plan import Plan
from cockpit.agents.launch import hooks, layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, TOKEN_HEADER, Door, Launch
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
    "-c --config --enable --disable -m --model --local-provider -p --profile -s --sandbox -C --cd"
    " --add-dir -a --ask-for-approval --output-schema --color -o --output-last-message --remote"
    " --remote-auth-token-env --thread-source --cyber-access-program --base --commit --title",
    "-i --image",
)
SPOKEN = listed(
    "-c --config --enable --disable -m --model -s --sandbox -C --cd -o --output-last-message"
    " -i --image --dangerously-bypass-approvals-and-sandbox --skip-git-repo-check --ephemeral --"
)
"""The options of `codex exec` that mean the same over its app-server."""
PASSED_ON = ("-c", "--config", "--enable", "--disable")
PROVIDER = "cockpit"
KEY = "COCKPIT_DUMMY_KEY"
TOKEN = "COCKPIT_RUN_TOKEN"
LOCAL = {"ollama": "http://localhost:11434", "lmstudio": "http://localhost:1234"}
HEADLESS = frozenset(("exec", "e", "review"))
HELPERS = listed(
    "login logout mcp plugin completion update doctor sandbox debug apply a queue archive"
    " delete migrate-rollouts migrate-nfs-db unarchive features help execpolicy"
)
"""Commands that ask no model."""
ELSEWHERE = frozenset(("agents", "remote-control", "cloud", "exec-server"))
HOOK_KEY = "/<session-flags>/config.toml:pre_tool_use:0:0"
"""How Codex names the first hook given by `-c` (0.169)."""


class Codex:
    """The recipe."""

    agent = "codex"
    patience_s = 150

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        first = (plain(parts) or [""])[0]
        if first in HELPERS:
            return Launch(tuple(argv), {}, ("responses",))
        _refuse(parts, first)
        config = _config(parts, outer)
        said, ours, launched = _provider(config, door, outer)
        if door.asks:
            said = {**said, **_hook(config, door)}
        theirs = [part for part in parts if part.option in ("-c", "--config")]
        rest = without(parts, "-c", "--config")
        alone = (
            []
            if first in HEADLESS or first == "app-server" or has(rest, "--no-daemon")
            else [Part("--no-daemon", (), ("--no-daemon",))]
        )
        words = [*theirs, *_overrides(said), *alone, *rest]
        return msgspec.structs.replace(
            launched,
            argv=command.again(written(words), ours),
            environment={**ours, **layers.direct(outer)},
            channel=_channel(command, words, ours),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        first = (plain(parts) or [""])[0]
        said = (prompt,) if prompt else ()
        options = [part for part in without(parts, "--last", "--all", "--") if part.option]
        if first in HELPERS or first in ELSEWHERE or first == "app-server":
            return None
        if first not in HEADLESS:
            return command.again((*written(options), "resume", session, *said))
        return command.again(("exec", *written(options), "resume", session, *said))


def _channel(command: Command, parts: list[Part], ours: Collection[str]) -> Plan | None:
    """`codex exec [resume ID] PROMPT` and nothing that the app-server would not do."""
    words = plain(parts)
    if words[:1] not in (["exec"], ["e"]) or not only(parts, SPOKEN):
        return None
    resumed = words[1:2] == ["resume"]
    if words[1:2] in (["review"], ["fork"], ["help"]) or len(words) > (4 if resumed else 2):
        return None
    if resumed and len(words) < 3:
        return None
    passed = [part for part in parts if part.option in PASSED_ON]
    settings = {**_settings(parts), **({"resume": words[2]} if resumed else {})}
    prompt = "".join(words[3 if resumed else 1 :])
    return Plan(
        "app-server",
        command.again(written(parts), ours),
        command.again(("app-server", *written(passed)), ours),
        prompt="" if prompt == "-" else prompt,
        piped="tagged",
        settings=settings,
    )


def _settings(parts: list[Part]) -> dict[str, object]:
    free = has(parts, "--dangerously-bypass-approvals-and-sandbox")
    said = {
        "model": value(parts, "-m", "--model"),
        "cwd": value(parts, "-C", "--cd"),
        "sandbox": "danger-full-access" if free else value(parts, "-s", "--sandbox"),
        "anywhere": free or has(parts, "--skip-git-repo-check"),
        "ephemeral": has(parts, "--ephemeral"),
        "last_message_file": value(parts, "-o", "--output-last-message"),
        "images": [
            path for part in parts if part.option in ("-i", "--image") for path in part.values
        ],
    }
    return {name: each for name, each in said.items() if each}


def _refuse(parts: list[Part], first: str) -> None:
    if first in ELSEWHERE:
        raise ValueError(f"codex {first} works in another process, out of cockpit's reach")
    if has(parts, "--remote"):
        raise ValueError("--remote works in another process, out of cockpit's reach")


def _config(parts: list[Part], outer: Mapping[str, str]) -> layers.Table:
    """What Codex would find: its `config.toml`, the profile's, and the operator's own `-c`."""
    folder = Path(outer.get("CODEX_HOME") or layers.home(outer) / ".codex")
    config = layers.read(folder / "config.toml")
    profile = value(parts, "-p", "--profile")
    if profile:
        config = layers.merged(
            config, layers.table(layers.table(config.get("profiles")).get(profile))
        )
        config = layers.merged(config, layers.read(folder / f"{profile}.config.toml"))
    for part in parts:
        if part.option in ("-c", "--config") and part.values:
            config = layers.merged(config, _override(part.values[0]))
    if has(parts, "--oss"):
        config["model_provider"] = value(parts, "--local-provider") or config.get(
            "oss_provider", "ollama"
        )
    config["cockpit_login"] = (folder / "auth.json").exists()
    return config


def _override(said: str) -> layers.Table:
    """`a.b=VALUE` as a table; what is no TOML is text, as Codex takes it."""
    path, _, written_value = said.partition("=")
    return layers.toml(said) or layers.toml(f"{path}={_toml(written_value)}")


def _toml(plain_value: object) -> str:
    """A value as TOML; JSON's text is also TOML's."""
    match plain_value:
        case dict():
            entries = (f"{_toml(str(key))}={_toml(entry)}" for key, entry in plain_value.items())
            return "{" + ",".join(entries) + "}"
        case list():
            return "[" + ",".join(_toml(entry) for entry in plain_value) + "]"
    return msgspec.json.encode(plain_value).decode()


def _overrides(said: Mapping[str, object]) -> list[Part]:
    pairs = [f"{path}={_toml(each)}" for path, each in said.items()]
    return [Part("-c", (pair,), ("-c", pair)) for pair in pairs]


def _provider(
    config: layers.Table, door: Door, outer: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str | None], Launch]:
    """The `-c` settings, the environment, and what else there is to tell of the launch."""
    name = layers.text(config.get("model_provider")) or "openai"
    if name in LOCAL:
        upstream = (outer.get("CODEX_OSS_BASE_URL") or LOCAL[name]).rstrip("/")
        ours: dict[str, str | None] = {"CODEX_OSS_BASE_URL": f"{door.url}/v1"}
        return (
            {},
            ours,
            Launch(
                (),
                {},
                ("responses", "ollama"),
                upstreams={"responses": upstream, "ollama": upstream},
            ),
        )
    known = layers.table(layers.table(config.get("model_providers")).get(name))
    if name == "openai" or not known:
        return _own_provider(name, config, door, outer)
    return _users_provider(name, known, door, outer)


def _own_provider(
    name: str, config: layers.Table, door: Door, outer: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str | None], Launch]:
    if name != "openai":
        raise ValueError(f"Codex's model provider {name!r} cannot be led through the gateway")
    elsewhere = layers.text(config.get("openai_base_url"))
    key = layers.first_set(outer, "CODEX_API_KEY")
    own = bool(config["cockpit_login"]) and not key
    key = "" if own else key or layers.first_set(outer, "OPENAI_API_KEY")
    base, token = _masked(door.url)
    login: dict[str, object] = {"requires_openai_auth": True} if own else {"env_key": KEY}
    provider = {
        "name": "OpenAI through cockpit",
        "base_url": base,
        "wire_api": "responses",
        "env_http_headers": {TOKEN_HEADER: TOKEN},
        **login,
    }
    said: dict[str, object] = {
        f"model_providers.{PROVIDER}": provider,
        "model_provider": PROVIDER,
        "features.enable_request_compression": False,
    }
    ours: dict[str, str | None] = {TOKEN: token}
    if not own:
        ours |= {**layers.hidden([KEY, key]), "CODEX_API_KEY": None}
    launched = Launch(
        (),
        {},
        ("responses",),
        own_login=own,
        upstreams={"responses": elsewhere.rstrip("/")} if elsewhere else {},
        keys={"responses": key} if key else {},
    )
    return said, ours, launched


def _users_provider(
    name: str, known: layers.Table, door: Door, outer: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str | None], Launch]:
    """The operator's own provider, with another base URL; its key's variable holds the dummy."""
    url = layers.text(known.get("base_url"))
    if not url:
        raise ValueError(f"Codex's model provider {name!r} has no base_url")
    base, token = _masked(door.url)
    path = f"model_providers.{name}"
    said: dict[str, object] = {
        f"{path}.base_url": base,
        f"{path}.env_http_headers.{TOKEN_HEADER}": TOKEN,
        f"{path}.supports_websockets": False,
        "features.enable_request_compression": False,
    }
    key = layers.text(known.get("env_key"))
    ours: dict[str, str | None] = {TOKEN: token, **({key: DUMMY_KEY} if key else {})}
    launched = Launch(
        (),
        {},
        ("responses",),
        own_login=not key,
        upstreams={"responses": url.rstrip("/")},
        keys={"responses": key} if key and outer.get(key) else {},
    )
    return said, ours, launched


def _masked(door: str) -> tuple[str, str]:
    """The base URL without its token, and the token."""
    base, _, token = door.rpartition("/")
    return f"{base}/-/v1", token


def _hook(config: layers.Table, door: Door) -> dict[str, object]:
    features = layers.table(config.get("features"))
    if features.get("hooks") is False or features.get("codex_hooks") is False:
        raise ValueError("hooks are switched off in Codex's settings: no rule could hold a call")
    ours = hooks.group(door.asks, "codex")
    return {
        "hooks.PreToolUse": [ours],
        "hooks.state": {HOOK_KEY: {"trusted_hash": trusted_hash(ours)}},
    }


def trusted_hash(group: layers.Table) -> str:
    """The hash by which Codex (0.169) knows a group of PreToolUse hooks with a single command."""
    handlers = [{"async": False, **hook} for hook in group["hooks"]]
    identity = {"event_name": "pre_tool_use", "matcher": group["matcher"], "hooks": handlers}
    encoded = msgspec.json.encode(identity, order="sorted")
    return "sha256:" + hashlib.sha256(encoded).hexdigest()
