"""Claude Code: base URL and hook by a settings file of the run's own, laid over all of the user's.

The user's `settings.json` may set variables that win over the process's environment, so the URL is
in both places. A key becomes a bearer token: a key that Claude Code does not know is asked about in
the terminal. Without a key, a login is left as it is: it is sent to the base URL too.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from cockpit.agents.channels.plan import Plan
from cockpit.agents.launch import hooks, layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch
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
    "--agent --agents --append-system-prompt --append-system-prompt-file --autocompact"
    " --debug-file --effort --environment --fallback-model --input-format --json-schema"
    " --max-budget-usd --max-turns --model -n --name --output-format --permission-mode"
    " --permission-prompts --permission-prompt-tool --plugin-dir --plugin-url"
    " --remote-control-session-name-prefix --session-id --setting-sources --settings"
    " --system-prompt --system-prompt-file --system-prompt-snapshot",
    "--add-dir --allowedTools --allowed-tools --betas --disallowedTools --disallowed-tools --file"
    " --mcp-config --tools",
    "-d --debug --from-pr --prompt-suggestions --remote-control -r --resume --teleport -w"
    " --worktree --cloud",
)
COMMANDS = listed(
    "agents attach auth auto-mode config doctor gateway import install logs mcp "
    "migrate-installer plugin plugins purge respawn rm setup-token stop ultrareview update upgrade"
)
ELSEWHERE = {
    "--bg": "works in Claude's own background process",
    "--background": "works in Claude's own background process",
    "--cloud": "works in the cloud",
    "--teleport": "works in the cloud",
}
OTHER_DOORS = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
)
CONTINUES = ("-c", "--continue", "-r", "--resume", "--from-pr")
SPEAKS = (
    "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
    "--replay-user-messages",
)  # fmt: skip
NOT_SPOKEN = listed(
    "--input-format --output-format --json-schema --debug-file --environment --from-pr"
    " --permission-prompts --permission-prompt-tool --prompt-suggestions"
    " --remote-control --remote-control-session-name-prefix -w --worktree -d --debug"
)
SPOKEN = (
    RULES.values | RULES.several | RULES.perhaps
    | listed(
        "-p --print -c --continue --fork-session --bare --safe-mode --dangerously-skip-permissions"
        " --allow-dangerously-skip-permissions --disable-slash-commands --no-session-persistence"
        " --strict-mcp-config --exclude-dynamic-system-prompt-sections --no-chrome --"
    )
) - NOT_SPOKEN  # fmt: skip
"""The options of `claude -p` that mean the same over stream-json."""
UNHOOKED = ("--bare", "--safe-mode")
KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")


class ClaudeCode:
    """The recipe."""

    agent = "claude-code"
    patience_s = 150

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        users = _users_settings(outer)
        _refuse(parts, outer, users, door)
        own = _own_login(outer, users, parts)
        ours = _environment(door.url, outer, own=own, bare=has(parts, "--bare"))
        files: dict[Path, bytes] = {}
        session = ""
        if not (plain(parts)[:1] and plain(parts)[0] in COMMANDS):
            path = door.scratch / "claude-settings.json"
            files[path] = msgspec.json.encode(_settings(parts, door))
            parts, session = _with_session(_with_settings(parts, path))
        elsewhere = users.get("ANTHROPIC_BASE_URL") or outer.get("ANTHROPIC_BASE_URL", "")
        key = layers.first_set(outer, *KEYS)
        return Launch(
            command.again(written(parts), ours),
            ours,
            ("anthropic",),
            files,
            session,
            own,
            {"anthropic": elsewhere.rstrip("/")} if elsewhere else {},
            {"anthropic": key} if key and not own else {},
            _channel(command, parts, ours),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in COMMANDS:
            return None
        kept = without(parts, *CONTINUES, "--session-id", "--input-format", "--fork-session", "--")
        options = written(part for part in kept if part.option)
        said = ("--", prompt) if prompt else ()
        return command.again(("--resume", session, *options, *said))


def _channel(command: Command, parts: list[Part], ours: Collection[str]) -> Plan | None:
    """`claude -p PROMPT` and nothing that stream-json would not do."""
    words = plain(parts)
    if not has(parts, "-p", "--print") or len(words) > 1 or not only(parts, SPOKEN):
        return None
    if words[:1] and words[0] in COMMANDS:
        return None
    options = [part for part in without(parts, "-p", "--print", "--") if part.option]
    return Plan(
        "stream-json",
        command.again(written(parts), ours),
        command.again((*SPEAKS, *written(options)), ours),
        prompt=words[0] if words else "",
        piped="below",
    )


def _users_settings(outer: Mapping[str, str]) -> dict[str, str]:
    """The variables that the user's settings set; `apiKeyHelper` and `disableAllHooks` are among them."""
    folder = outer.get("CLAUDE_CONFIG_DIR")
    path = (Path(folder) if folder else layers.home(outer) / ".claude") / "settings.json"
    table = layers.read(path)
    found = {name: str(value) for name, value in layers.table(table.get("env")).items()}
    for name in ("apiKeyHelper", "disableAllHooks"):
        if table.get(name):
            found[name] = "set"
    return found


def _refuse(
    parts: list[Part], outer: Mapping[str, str], users: Mapping[str, str], door: Door
) -> None:
    for part in parts:
        if part.option in ELSEWHERE:
            raise ValueError(f"{part.option} {ELSEWHERE[part.option]}, out of cockpit's reach")
        if door.asks and part.option in UNHOOKED:
            raise ValueError(f"{part.option} leaves hooks out: no rule could hold a tool call")
    for name in OTHER_DOORS:
        if (users.get(name) or outer.get(name, "")).lower() not in ("", "0", "false"):
            raise ValueError(f"{name} is set: Claude Code would not ask at the base URL")
    if door.asks and "disableAllHooks" in users:
        raise ValueError("disableAllHooks is set in Claude's settings: no rule could hold a call")


def _own_login(outer: Mapping[str, str], users: Mapping[str, str], parts: list[Part]) -> bool:
    """Whether Claude Code has a credential that we leave: its settings' own, or a login.

    That there is one is seen from names and files; what it is, is not read.
    """
    if any(name in users for name in (*KEYS, "CLAUDE_CODE_OAUTH_TOKEN")):
        return True
    if layers.first_set(outer, *KEYS):
        return False
    if "apiKeyHelper" in users or layers.first_set(outer, "CLAUDE_CODE_OAUTH_TOKEN"):
        return True
    return not has(parts, "--bare") and _logged_in(outer)


def _logged_in(outer: Mapping[str, str]) -> bool:
    folder = outer.get("CLAUDE_CONFIG_DIR")
    home = layers.home(outer)
    if ((Path(folder) if folder else home / ".claude") / ".credentials.json").exists():
        return True
    state = (
        Path(folder) if folder else home
    ) / ".claude.json"  # macOS keeps the rest in its keychain
    return bool(layers.read(state).get("oauthAccount"))


def _environment(
    url: str, outer: Mapping[str, str], *, own: bool, bare: bool
) -> dict[str, str | None]:
    ours: dict[str, str | None] = {"ANTHROPIC_BASE_URL": url, **layers.direct(outer)}
    if own:
        return ours
    used, unused = KEYS[::-1] if bare else KEYS
    return {**ours, used: DUMMY_KEY, unused: None}


def _settings(parts: list[Part], door: Door) -> layers.Table:
    """The operator's own `--settings` with ours above."""
    given = value(parts, "--settings")
    theirs = layers.json(given) if given.lstrip().startswith("{") else {}
    if given and not theirs:
        theirs = layers.read(Path(given))
    table = layers.merged(theirs, {"env": {"ANTHROPIC_BASE_URL": door.url}})
    if door.asks:
        known = layers.table(table.get("hooks"))
        before = known.get("PreToolUse")
        groups = [*(before if isinstance(before, list) else []), hooks.group(door.asks, "claude")]
        table = {**table, "hooks": {**known, "PreToolUse": groups}}
    return table


def _with_settings(parts: list[Part], path: Path) -> list[Part]:
    ours = Part("--settings", (str(path),), ("--settings", str(path)))
    return [ours, *without(parts, "--settings")]


def _with_session(parts: list[Part]) -> tuple[list[Part], str]:
    """A session id of our choice, unless the operator chose one or goes on with an old one."""
    known = value(parts, "--session-id")
    resumed = value(parts, "-r", "--resume")
    if known or has(parts, *CONTINUES):
        return parts, known or (resumed if not has(parts, "--fork-session") else "")
    session = str(uuid.uuid4())
    return [Part("--session-id", (session,), ("--session-id", session)), *parts], session
