"""Gemini CLI: base URL and dummy key by environment; the kind of login by system settings.

A user who logs in with Google has that chosen in `settings.json`, and such calls go elsewhere in
another dialect: the system settings of the run choose the key.
"""

import uuid
from collections.abc import Mapping, Sequence

from cockpit.agents.launch import google_style, layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import DUMMY_KEY, Door, Launch
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
    "-m --model -p --prompt -i --prompt-interactive --approval-mode -r --resume --session-file"
    " --session-id --delete-session -o --output-format -w --worktree --proxy",
    "--policy --admin-policy --allowed-mcp-server-names --allowed-tools -e --extensions"
    " --include-directories",
)
HELPERS = listed("mcp extensions extension skills skill hooks hook gemma")
SETTINGS = "GEMINI_CLI_SYSTEM_SETTINGS_PATH"
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
        path, data = google_style.above_all(
            SETTINGS,
            SYSTEM_SETTINGS,
            {"security": {"auth": {"selectedType": "gemini-api-key"}}},
            door.scratch,
            outer,
        )
        ours: dict[str, str | None] = {
            "GOOGLE_GEMINI_BASE_URL": door.url,
            "GEMINI_API_KEY": DUMMY_KEY,
            "GOOGLE_API_KEY": None,
            "GOOGLE_GENAI_USE_VERTEXAI": "false",
            "GOOGLE_GENAI_USE_GCA": "false",
            SETTINGS: str(path),
            **layers.direct(outer),
        }
        parts, session = _with_session(parts)
        key = layers.first_set(outer, *KEYS)
        elsewhere = outer.get("GOOGLE_GEMINI_BASE_URL", "").rstrip("/")
        return Launch(
            command.again(written(parts), ours),
            ours,
            ("gemini",),
            {path: data},
            session,
            upstreams={"gemini": elsewhere} if elsewhere else {},
            keys={"gemini": key} if key else {},
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


def _with_session(parts: list[Part]) -> tuple[list[Part], str]:
    known = value(parts, "--session-id")
    helper = bool(plain(parts)[:1]) and plain(parts)[0] in HELPERS
    told = has(parts, *CONTINUES, "-l", "--list-extensions", "--list-sessions", "--delete-session")
    if known or helper or told:
        return parts, known
    session = str(uuid.uuid4())
    return [Part("--session-id", (session,), ("--session-id", session)), *parts], session
