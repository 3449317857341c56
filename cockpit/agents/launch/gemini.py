"""Gemini CLI: base URL and dummy key by environment.

A Google login, chosen in the settings, asks another service in another dialect: it is refused, and
the address of that service is the gateway's too, where such calls end.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cockpit.agents.channels.plan import Plan
from cockpit.agents.launch import layers
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
    "-m --model -p --prompt -i --prompt-interactive --approval-mode -r --resume --session-file"
    " --session-id --delete-session -o --output-format -w --worktree --proxy",
    "--policy --admin-policy --allowed-mcp-server-names --allowed-tools -e --extensions"
    " --include-directories",
)
SPOKEN = listed(
    "-m --model -p --prompt -y --yolo --approval-mode --session-id --skip-trust"
    " -e --extensions --include-directories --"
)
"""The options of `gemini -p` that mean the same over ACP."""
HELPERS = listed("mcp extensions extension skills skill hooks hook gemma")
SYSTEM_SETTINGS = "/etc/gemini-cli/settings.json"
CONTINUES = ("-r", "--resume", "--session-file")
KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY")


class Gemini:
    """The recipe."""

    agent = "gemini"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if has(parts, "-s", "--sandbox"):
            raise ValueError("--sandbox works in a container, which cannot reach the gateway")
        _refuse_login(outer, headless=has(parts, "-p", "--prompt"))
        ours: dict[str, str | None] = {
            "GOOGLE_GEMINI_BASE_URL": door.url,
            "GEMINI_API_KEY": DUMMY_KEY,
            "GOOGLE_API_KEY": None,
            "GOOGLE_GENAI_USE_VERTEXAI": "false",
            "GOOGLE_GENAI_USE_GCA": "false",
            "CODE_ASSIST_ENDPOINT": door.url,
            **layers.direct(outer),
        }
        parts, session = _with_session(parts)
        key = layers.first_set(outer, *KEYS)
        elsewhere = outer.get("GOOGLE_GEMINI_BASE_URL", "").rstrip("/")
        return Launch(
            command.again(written(parts), ours),
            ours,
            ("gemini",),
            session=session,
            upstreams={"gemini": elsewhere} if elsewhere else {},
            keys={"gemini": key} if key else {},
            channel=_channel(command, parts, ours),
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        headless = has(parts, "-p", "--prompt")
        asked = ("-p", "--prompt", "-i", "--prompt-interactive")
        kept = without(parts, *asked, *CONTINUES, "--session-id", "--")
        options = written(part for part in kept if part.option)
        said = ("-p" if headless else "-i", prompt) if prompt else ()
        return command.again((*options, "--resume", session, *said))


def _channel(command: Command, parts: list[Part], ours: Collection[str]) -> Plan | None:
    """`gemini --yolo -p PROMPT`: without yolo the tools are others when nobody can be asked.

    Only on request, and never to resume: over ACP (0.61) a run leaves two sessions, of which the
    empty one may be taken for its own, and `session/load` empties one of the same minute.
    """
    prompt = value(parts, "-p", "--prompt")
    free = has(parts, "-y", "--yolo") or value(parts, "--approval-mode") == "yolo"
    if not (prompt and free) or plain(parts) or not only(parts, SPOKEN):
        return None
    options = without(
        parts, "-p", "--prompt", "-y", "--yolo", "--approval-mode", "--session-id", "--"
    )
    return Plan(
        "acp",
        command.again(written(parts), ours),
        command.again(("--acp", *written(options)), ours),
        prompt=prompt,
        piped="above",
        settings={"free": True, "status_is_code": True, "mode": "default"},
        on_request=True,
    )


def _refuse_login(outer: Mapping[str, str], *, headless: bool) -> None:
    """Raises ValueError when the settings choose a login that asks elsewhere, in another dialect.

    No variable wins over that choice: settings above the user's own must belong to root. Without a
    choice, the base URL's variable makes Gemini (0.61) take a kind of login that it then refuses;
    in a terminal it asks.
    """
    here = Path(outer.get("PWD") or Path.cwd())
    places = [layers.home(outer) / ".gemini", here / ".gemini"]
    paths = [place / "settings.json" for place in places]
    paths.append(Path(outer.get("GEMINI_CLI_SYSTEM_SETTINGS_PATH") or SYSTEM_SETTINGS))
    chosen = ""
    for path in paths:
        table = layers.read(path)
        auth = layers.table(layers.table(table.get("security")).get("auth"))
        said = auth.get("selectedType") or table.get("selectedAuthType")
        chosen = layers.text(said) or chosen
    if chosen != "gemini-api-key" and (chosen or headless):
        named = f"the login {chosen}" if chosen else "no login"
        raise ValueError(
            f"Gemini's settings choose {named}, with which it cannot be led through the gateway: put"
            ' {"security": {"auth": {"selectedType": "gemini-api-key"}}} into ~/.gemini/settings.json'
            " (or /auth in a terminal); the key itself stays with cockpit"
        )


def _with_session(parts: list[Part]) -> tuple[list[Part], str]:
    known = value(parts, "--session-id")
    helper = bool(plain(parts)[:1]) and plain(parts)[0] in HELPERS
    told = has(parts, *CONTINUES, "-l", "--list-extensions", "--list-sessions", "--delete-session")
    if known or helper or told:
        return parts, known
    session = str(uuid.uuid4())
    return [Part("--session-id", (session,), ("--session-id", session)), *parts], session
