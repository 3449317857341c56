"""Copilot CLI: its own variables for a provider of one's own, in the place of GitHub's.

GitHub's service speaks no wire that could be metered from outside, so a run needs a model by name,
and its key at the gateway. A GitHub login stays what it is; it is not used for models.
"""

import uuid
from collections.abc import Mapping, Sequence

from cockpit.agents.launch import layers
from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import Door, Launch, Wire
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
    "-i --interactive -p --prompt --model --reasoning-effort --context --auto-tier --agent -n --name"
    " --session-id -C --log-dir --extension-sdk-path --log-level --stream --output-format --add-dir"
    " --attachment --disable-mcp-server --add-github-mcp-toolset --add-github-mcp-tool --allow-tool"
    " --deny-tool --allow-url --deny-url --additional-mcp-config --available-tools --excluded-tools"
    " --config-dir --prefer-version --plugin-dir --max-autopilot-continues",
    "",
    "-r --resume --connect --share --worktree",
)
HELPERS = listed(
    "app login help config update version sessions memories plugin mcp skill instruction lsp"
    " sandbox completion"
)
CONTINUES = ("-r", "--resume", "--continue")
KEYS: Mapping[Wire, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "chat": "OPENAI_API_KEY",
    "responses": "OPENAI_API_KEY",
}


class Copilot:
    """The recipe."""

    agent = "copilot"
    patience_s = 50

    def recognises(self, argv: Sequence[str]) -> bool:
        return agent_of(argv) == self.agent

    def launch(self, argv: Sequence[str], door: Door, environment: Mapping[str, str]) -> Launch:
        command = split(argv)
        parts = parse(command.words, RULES)
        outer = command.environment(environment)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return Launch(tuple(argv), {}, ("chat",))
        wire = _wire(parts, outer)
        url = outer.get("COPILOT_PROVIDER_BASE_URL", "")
        base = door.url if wire == "anthropic" else f"{door.url}/v1"
        key = layers.first_set(outer, "COPILOT_PROVIDER_API_KEY") or (
            "" if url else layers.first_set(outer, KEYS[wire])
        )
        own = bool(outer.get("COPILOT_PROVIDER_BEARER_TOKEN")) or bool(
            outer.get("COPILOT_PROVIDER_API_KEY_COMMAND")
        )
        ours: dict[str, str | None] = {
            "COPILOT_PROVIDER_BASE_URL": base,
            "COPILOT_PROVIDER_TYPE": "anthropic" if wire == "anthropic" else "openai",
            "COPILOT_PROVIDER_TRANSPORT": "http",
            **({} if own else layers.hidden(["COPILOT_PROVIDER_API_KEY", key])),
            **layers.direct(outer),
        }
        if wire != "anthropic":
            ours["COPILOT_PROVIDER_WIRE_API"] = (
                "responses" if wire == "responses" else "completions"
            )
        parts, session = _with_session(parts)
        return Launch(
            command.again(written(parts), ours),
            ours,
            (wire,),
            session=session,
            own_login=own,
            upstreams={wire: url.rstrip("/")} if url else {},
            keys={wire: key} if key and not own else {},
        )

    def resume(self, argv: Sequence[str], session: str, prompt: str) -> tuple[str, ...] | None:
        command = split(argv)
        parts = parse(command.words, RULES)
        if plain(parts)[:1] and plain(parts)[0] in HELPERS:
            return None
        headless = has(parts, "-p", "--prompt")
        asked = ("-p", "--prompt", "-i", "--interactive", "--attachment")
        kept = without(parts, *asked, *CONTINUES, "--session-id", "--")
        options = written(part for part in kept if part.option)
        said = ("-p" if headless else "-i", prompt) if prompt else ()
        return command.again((*options, f"--resume={session}", *said))


def _wire(parts: list[Part], outer: Mapping[str, str]) -> Wire:
    """What the operator chose, else what the model's maker speaks.

    Raises:
        ValueError: without a model, and for what the gateway does not speak.
    """
    if has(parts, "--connect"):
        raise ValueError("--connect works in another process, out of cockpit's reach")
    model = value(parts, "--model") or outer.get("COPILOT_MODEL", "")
    if not model or model == "auto":
        raise ValueError(
            "Copilot needs a model's name behind the gateway: --model or COPILOT_MODEL"
        )
    kind = outer.get("COPILOT_PROVIDER_TYPE", "")
    if kind == "azure":
        raise ValueError("COPILOT_PROVIDER_TYPE=azure cannot be led through the gateway")
    if kind == "anthropic" or (not kind and model.startswith("claude")):
        return "anthropic"
    if outer.get("COPILOT_PROVIDER_WIRE_API"):
        return "responses" if outer["COPILOT_PROVIDER_WIRE_API"] == "responses" else "chat"
    theirs = bool(outer.get("COPILOT_PROVIDER_BASE_URL"))
    return "responses" if model.startswith("gpt-") and not theirs else "chat"


def _with_session(parts: list[Part]) -> tuple[list[Part], str]:
    known = value(parts, "--session-id") or value(parts, "-r", "--resume")
    if known or has(parts, *CONTINUES):
        return parts, known
    session = str(uuid.uuid4())
    return [Part("--session-id", (session,), ("--session-id", session)), *parts], session
