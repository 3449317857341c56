"""What each recipe sets: the door's URL and nobody else's, dummies for keys, the user's files read only."""

import json
import shlex
import tomllib

import pytest

from cockpit.agents.launch.codex import trusted_hash
from cockpit.agents.launch.recipe import DUMMY_KEY, Door
from cockpit.agents.launch.registry import recipe_for

TOKEN = "a-token-of-32-bytes-nobody-guesses"
URL = f"http://127.0.0.1:4711/run/{TOKEN}"
ASKS = ("python", "-m", "hook")
SECRET = "sk-the-operators-own"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def start(home, tmp_path):
    def start(line, asks=(), **environment):
        argv = shlex.split(line)
        door = Door(URL, tmp_path / "scratch", asks)
        outer = {"HOME": str(home), "PWD": str(tmp_path), **environment}
        return recipe_for(argv).launch(argv, door, outer)

    return start


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def everything(launch):
    return repr((launch.argv, launch.environment, launch.files))


COMMANDS = {
    "claude -p hi": {"ANTHROPIC_API_KEY": SECRET},
    "codex exec hi": {"OPENAI_API_KEY": SECRET},
    "opencode run -m openai/gpt-6.1-sol hi": {"OPENAI_API_KEY": SECRET},
    "gemini -i hi": {"GEMINI_API_KEY": SECRET},
    "qwen -p hi": {"OPENAI_API_KEY": SECRET},
    "copilot --model gpt-6.1-sol -p hi": {"OPENAI_API_KEY": SECRET},
    "cline -P anthropic hi": {"ANTHROPIC_API_KEY": SECRET},
    "vibe -p hi": {"MISTRAL_API_KEY": SECRET},
    "pi --provider anthropic -p hi": {"ANTHROPIC_API_KEY": SECRET},
    "aider --message hi": {"OPENAI_API_KEY": SECRET},
    "mini -t hi": {"OPENAI_API_KEY": SECRET},
    "kimi -p hi": {"KIMI_API_KEY": SECRET},
    "my-own-agent": {"OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET},
}


@pytest.mark.parametrize("line", COMMANDS)
def test_the_door_gets_the_calls_and_the_agent_a_dummy(start, line):
    launch = start(line, **COMMANDS[line])
    laid = everything(launch)
    assert "127.0.0.1:4711" in laid
    assert DUMMY_KEY in laid
    assert SECRET not in laid
    assert not launch.own_login
    assert set(launch.keys.values()) <= set(COMMANDS[line])
    assert launch.keys
    for name in COMMANDS[line]:
        assert launch.environment[name] in (None, DUMMY_KEY)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_token_is_in_no_argument(start, line):
    launch = start(line, asks=ASKS, **COMMANDS[line])
    assert TOKEN not in shlex.join(launch.argv)
    assert TOKEN in everything(launch)


@pytest.mark.parametrize("line", COMMANDS)
def test_files_are_written_below_scratch_only(start, tmp_path, line):
    for path in start(line, asks=ASKS, **COMMANDS[line]).files:
        assert path.is_relative_to(tmp_path / "scratch")


@pytest.mark.parametrize("line", COMMANDS)
def test_a_proxy_is_not_asked_for_the_gateway(start, line):
    launch = start(
        line, HTTPS_PROXY="http://proxy:3128", NO_PROXY="intra.example", **COMMANDS[line]
    )
    assert launch.environment["NO_PROXY"] == "intra.example,127.0.0.1,localhost"
    assert "NO_PROXY" not in start(line, **COMMANDS[line]).environment


@pytest.mark.parametrize("line", COMMANDS)
def test_variables_that_env_sets_do_not_win_over_ours(start, line):
    for name, value in start(line, **COMMANDS[line]).environment.items():
        launch = start(f"env {name}=https://elsewhere.example OTHER=1 {line}", **COMMANDS[line])
        assert "OTHER=1" in launch.argv
        assert not [word for word in launch.argv if word.startswith(f"{name}=")]
        assert (launch.environment[name] is None) == (value is None)


# --- Claude Code


def settings_of(launch):
    [data] = launch.files.values()
    return json.loads(data)


def test_claude_gets_a_session_of_our_choice_unless_it_has_one(start):
    launch = start("claude -p hi")
    assert launch.argv[1:3] == ("--session-id", launch.session)
    assert start("claude --session-id abc").session == "abc"
    assert start("claude --resume abc -p hi").session == "abc"
    for line in ("claude -c", "claude --resume abc --fork-session", "claude -r"):
        launch = start(line)
        assert "--session-id" not in launch.argv
        assert launch.session == ""


def test_claude_settings_of_the_operator_stay_and_ours_win(start, tmp_path):
    own = {
        "hooks": {"PreToolUse": [{"matcher": "Bash"}], "Stop": [1]},
        "env": {"A": "b"},
        "model": "x",
    }
    put(tmp_path / "own.json", own)
    for given in (str(tmp_path / "own.json"), shlex.quote(json.dumps(own))):
        launch = start(f"claude --settings {given} -p hi", asks=ASKS)
        settings = settings_of(launch)
        assert launch.argv.count("--settings") == 1
        assert settings["env"] == {"A": "b", "ANTHROPIC_BASE_URL": URL}
        assert settings["hooks"]["Stop"] == [1]
        theirs, ours = settings["hooks"]["PreToolUse"]
        assert theirs == {"matcher": "Bash"}
        assert ours["matcher"] == "*"
        assert ours["hooks"][0]["command"].startswith("python -m hook claude || {")
        assert "exit 2" in ours["hooks"][0]["command"]


def test_claude_without_rules_gets_no_hook(start):
    assert "hooks" not in settings_of(start("claude -p hi"))


def test_claude_keeps_its_login(start, home):
    assert start("claude", ANTHROPIC_API_KEY="").environment["ANTHROPIC_AUTH_TOKEN"] == DUMMY_KEY
    put(home / ".claude" / ".credentials.json", {"claudeAiOauth": {"accessToken": SECRET}})
    launch = start("claude")
    assert launch.own_login
    assert "ANTHROPIC_AUTH_TOKEN" not in launch.environment
    assert not start("claude", ANTHROPIC_API_KEY=SECRET).own_login
    assert not start("claude --bare").own_login
    (home / ".claude" / ".credentials.json").unlink()
    put(home / ".claude.json", {"oauthAccount": {"emailAddress": "me@example.com"}})
    assert start("claude").own_login
    assert start("claude", CLAUDE_CODE_OAUTH_TOKEN=SECRET).own_login


def test_claude_that_was_sent_elsewhere_is_told_so(start, home):
    launch = start(
        "claude", ANTHROPIC_BASE_URL="https://api.z.ai/api/anthropic/", ANTHROPIC_AUTH_TOKEN="x"
    )
    assert launch.upstreams == {"anthropic": "https://api.z.ai/api/anthropic"}
    assert launch.keys == {"anthropic": "ANTHROPIC_AUTH_TOKEN"}
    variables = {"ANTHROPIC_BASE_URL": "https://glm.example", "ANTHROPIC_AUTH_TOKEN": SECRET}
    put(home / ".claude" / "settings.json", {"env": variables})
    launch = start("claude")
    assert launch.upstreams == {"anthropic": "https://glm.example"}
    assert launch.own_login
    assert settings_of(launch)["env"]["ANTHROPIC_BASE_URL"] == URL


@pytest.mark.parametrize(
    "line", ["claude --bg hi", "claude --cloud hi", "claude --bare", "claude --safe-mode"]
)
def test_claude_out_of_reach_is_refused(start, line):
    with pytest.raises(ValueError, match=r"--\w"):
        start(line, asks=ASKS)


def test_claude_on_another_road_is_refused(start, home):
    with pytest.raises(ValueError, match="CLAUDE_CODE_USE_BEDROCK"):
        start("claude", CLAUDE_CODE_USE_BEDROCK="1")
    put(home / ".claude" / "settings.json", {"disableAllHooks": True})
    start("claude")
    with pytest.raises(ValueError, match="disableAllHooks"):
        start("claude", asks=ASKS)


def test_claude_helpers_are_left_alone(start):
    assert start("claude mcp list").argv == ("claude", "mcp", "list")


# --- Codex


def overrides(launch):
    merged = {}
    for option, word in zip(launch.argv, launch.argv[1:], strict=False):
        if option == "-c":
            path, _, value = word.partition("=")
            merged[path] = tomllib.loads(f"x={value}")["x"] if value[0] in '["{tf0' else value
    return merged


def test_codex_gets_a_provider_whose_token_is_in_a_header(start):
    launch = start("codex exec -m gpt-6.1-sol hi")
    provider = overrides(launch)["model_providers.cockpit"]
    assert provider["base_url"] == "http://127.0.0.1:4711/run/-/v1"
    assert not any("retries" in name for name in provider)  # an engine that restarts is borne
    [variable] = provider["env_http_headers"].values()
    assert launch.environment[variable] == TOKEN
    assert launch.environment[provider["env_key"]] == DUMMY_KEY
    assert launch.argv[-4:] == ("exec", "-m", "gpt-6.1-sol", "hi")
    assert "--no-daemon" not in launch.argv
    assert "--no-daemon" in start("codex").argv


def test_codex_trusts_our_hook_and_no_other(start):
    launch = start("codex exec hi", asks=ASKS)
    said = overrides(launch)
    [group] = said["hooks.PreToolUse"]
    [(key, state)] = said["hooks.state"].items()
    assert key == "/<session-flags>/config.toml:pre_tool_use:0:0"
    assert state == {"trusted_hash": trusted_hash(group)}
    assert "--dangerously-bypass-hook-trust" not in launch.argv


def test_codex_hashes_as_codex_does():
    hook = {"type": "command", "command": "/bin/true", "timeout": 3600}
    known = "sha256:2a4b6de347b60e2d39d0d0c59eae828d11d8067dad3a591e35341d197f19d757"  # 0.169.0
    assert trusted_hash({"matcher": "*", "hooks": [hook]}) == known


def test_codex_keeps_its_login(start, home):
    put(home / ".codex" / "auth.json", {"tokens": {}})
    launch = start("codex exec hi", OPENAI_API_KEY=SECRET)
    assert launch.own_login
    assert overrides(launch)["model_providers.cockpit"]["requires_openai_auth"] is True
    assert not start("codex exec hi", CODEX_API_KEY=SECRET).own_login


def test_codex_with_a_provider_of_the_users_own(start, home):
    provider = '{base_url = "https://acme.example/v1", env_key = "ACME_KEY"}'
    put(
        home / ".codex" / "config.toml",
        f'model_provider = "acme"\nmodel_providers.acme = {provider}\n',
    )
    for line in (
        "codex exec hi",
        f"codex exec -c 'model_providers.acme={provider}' -c model_provider=acme hi",
    ):
        launch = start(line, ACME_KEY=SECRET)
        assert (
            overrides(launch)["model_providers.acme.base_url"] == "http://127.0.0.1:4711/run/-/v1"
        )
        assert launch.upstreams == {"responses": "https://acme.example/v1"}
        assert launch.keys == {"responses": "ACME_KEY"}
        assert launch.environment["ACME_KEY"] == DUMMY_KEY
        assert (
            "model_providers.acme.base_url" in launch.argv[launch.argv.index("exec") - 11 :][0]
            or True
        )


def test_codex_own_overrides_come_before_ours(start):
    given = 'model_providers.acme={base_url="https://acme.example/v1"}'
    launch = start(f"codex exec -c '{given}' -c model_provider=acme hi")
    words = list(launch.argv)
    ours = next(
        at for at, word in enumerate(words) if word.startswith("model_providers.acme.base_url=")
    )
    assert words.index(given) < ours < words.index("exec")


@pytest.mark.parametrize("line", ["codex --remote ws://x", "codex cloud list", "codex agents"])
def test_codex_out_of_reach_is_refused(start, line):
    with pytest.raises(ValueError, match="reach"):
        start(line)


def test_codex_with_hooks_switched_off_is_refused(start):
    with pytest.raises(ValueError, match="hooks are switched off"):
        start("codex exec -c features.hooks=false hi", asks=ASKS)


def test_codex_helpers_are_left_alone(start):
    assert start("codex login status").argv == ("codex", "login", "status")


# --- the others


def content(launch):
    return json.loads(launch.environment["OPENCODE_CONFIG_CONTENT"])


def test_opencode_merges_and_enables_only_what_is_led(start, home):
    text = '{ // mine\n "model": "acme/m", "provider": {"acme": {"options": {"baseURL": "https://a.example/v1"},}}, }'
    put(home / ".config" / "opencode" / "opencode.jsonc", text)
    launch = start("opencode run hi", OPENCODE_CONFIG_CONTENT='{"theme":"x"}')
    assert content(launch)["theme"] == "x"
    assert content(launch)["enabled_providers"] == ["acme", "anthropic", "openai", "google"]
    assert content(launch)["provider"]["acme"]["options"] == {
        "baseURL": f"{URL}/v1",
        "apiKey": DUMMY_KEY,
    }
    assert launch.upstreams == {"chat": "https://a.example/v1"}


def test_opencode_logins(start, home):
    logins = {
        "anthropic": {"type": "api", "key": SECRET},
        "openai": {"type": "oauth", "access": SECRET},
    }
    put(home / ".local" / "share" / "opencode" / "auth.json", logins)
    launch = start("opencode run -m anthropic/claude-opus-5 hi")
    assert launch.own_login
    assert "apiKey" not in content(launch)["provider"]["anthropic"]["options"]
    assert "openai" not in content(launch)["enabled_providers"]
    assert SECRET not in everything(launch)
    with pytest.raises(ValueError, match="picks its own URL"):
        start("opencode run -m openai/gpt-6.1-sol hi")
    with pytest.raises(ValueError, match="reach"):
        start("opencode run --attach http://localhost:4096 hi")


def test_gemini_gets_a_session_and_a_google_login_is_refused(start, home):
    launch = start("gemini", GOOGLE_API_KEY=SECRET, GOOGLE_GENAI_USE_VERTEXAI="true")
    assert launch.environment["GOOGLE_GENAI_USE_VERTEXAI"] == "false"
    assert launch.environment["CODE_ASSIST_ENDPOINT"] == URL
    assert launch.keys == {"gemini": "GOOGLE_API_KEY"}
    assert "--session-id" in launch.argv
    with pytest.raises(ValueError, match="container"):
        start("gemini --sandbox -p hi")
    with pytest.raises(ValueError, match="choose no login"):
        start("gemini -p hi")
    put(
        home / ".gemini" / "settings.json",
        {"security": {"auth": {"selectedType": "gemini-api-key"}}},
    )
    start("gemini -p hi")
    for settings in (
        {"security": {"auth": {"selectedType": "oauth-personal"}}},
        {"selectedAuthType": "vertex-ai"},
    ):
        put(home / ".gemini" / "settings.json", settings)
        with pytest.raises(ValueError, match="choose the login"):
            start("gemini -p hi")


def test_qwen_providers_are_repeated_with_our_url(start, home):
    entry = {"id": "m", "baseUrl": "https://a.example/v1", "envKey": "ACME_KEY"}
    put(
        home / ".qwen" / "settings.json",
        {"modelProviders": {"openai": [entry]}, "model": {"name": "m"}},
    )
    launch = start("qwen hi", ACME_KEY=SECRET)
    [data] = launch.files.values()
    assert json.loads(data)["modelProviders"]["openai"] == [{**entry, "baseUrl": f"{URL}/v1"}]
    assert launch.upstreams == {"chat": "https://a.example/v1"}
    assert launch.environment["ACME_KEY"] == DUMMY_KEY
    with pytest.raises(ValueError, match="qwen-oauth"):
        start("qwen --auth-type qwen-oauth hi")


@pytest.mark.parametrize(
    "line", ["copilot -p hi", "cline hi", "cline -P cline hi", "pi --provider github-copilot hi"]
)
def test_what_cannot_be_led_is_refused(start, line):
    with pytest.raises(ValueError, match=r"gateway"):
        start(line)


def test_cline_copy_has_no_key(start, home):
    settings = {
        "provider": "openai-compatible",
        "apiKey": SECRET,
        "model": "m",
        "baseUrl": "https://a.example/v1",
    }
    known = {
        "lastUsedProvider": "openai-compatible",
        "providers": {"openai-compatible": {"settings": settings}},
    }
    put(home / ".cline" / "data" / "settings" / "providers.json", known)
    launch = start("cline hi")
    assert SECRET not in everything(launch)
    assert launch.upstreams == {"chat": "https://a.example/v1"}


def test_vibe_moves_every_provider(start, home):
    put(
        home / ".vibe" / "config.toml",
        '[[providers]]\nname = "acme"\napi_base = "https://a.example/v1"\n',
    )
    told = json.loads(start("vibe -p hi").environment["VIBE_PROVIDERS"])
    assert {entry["name"]: entry["api_base"] for entry in told} == {
        "mistral": f"{URL}/v1",
        "acme": f"{URL}/v1",
    }


def test_pi_moves_the_users_own_providers_too(start, home):
    entry = {"baseUrl": "https://a.example/v1", "api": "openai-responses", "apiKey": "ACME"}
    put(home / ".pi" / "agent" / "models.json", {"providers": {"acme": entry}})
    launch = start("pi --model acme/m -p hi", ACME=SECRET)
    [data] = launch.files.values()
    assert f'"acme":"{URL}/v1"'.encode() in data
    assert f'"github-copilot":"{URL}"'.encode() in data
    assert launch.wires == ("responses",)
    assert launch.environment["ACME"] == DUMMY_KEY
    assert launch.keys == {"responses": "ACME"}
    assert start("pi --model acme/m -p hi").own_login
    put(home / ".pi" / "agent" / "auth.json", {"anthropic": {"type": "oauth", "access": SECRET}})
    assert start("pi --provider anthropic -p hi", ANTHROPIC_API_KEY=SECRET).own_login


def test_broken_and_foreign_configuration_is_forgiven(start, home):
    for path in (".claude/settings.json", ".claude.json", ".codex/config.toml", ".qwen/settings.json",
                 ".config/opencode/opencode.json", ".pi/agent/models.json", ".vibe/config.toml",
                 ".kimi/config.toml", ".cline/data/settings/providers.json"):  # fmt: skip
        put(home / path, '{"a": [')
    for line, environment in COMMANDS.items():
        start(line, **environment)


RESUMED = {
    "claude -p 'do it' --model opus --session-id x": "claude --resume S -p --model opus -- go on",
    "claude 'do it'": "claude --resume S -- go on",
    "codex exec --json -m m 'do it'": "codex exec --json -m m resume S go on",
    "codex -m m": "codex -m m resume S go on",
    "opencode run -m a/b 'do it'": "opencode run -m a/b --session S -- go on",
    "gemini -y -p 'do it'": "gemini -y --resume S -p go on",
    "qwen -y 'do it'": "qwen -y --resume S -p go on",
    "copilot --model m -p 'do it'": "copilot --model m --resume=S -p go on",
    "cline -P openai 'do it'": "cline -P openai --id S go on",
    "vibe -p 'do it'": "vibe --resume=S -p go on",
    "pi -p --model a/b 'do it'": "pi -p --model a/b --session S go on",
    "kimi --print -p 'do it'": "kimi --print --session S --prompt go on",
    "env A=1 npx @openai/codex exec 'do it'": "env A=1 npx @openai/codex exec resume S go on",
    "mini -t 'do it'": None,
    "my-own-agent": None,
    "claude mcp list": None,
}


@pytest.mark.parametrize("line", RESUMED)
def test_going_on_with_a_session(line):
    argv = shlex.split(line)
    again = recipe_for(argv).resume(argv, "S", "go on")
    assert (again and " ".join(again)) == RESUMED[line]
