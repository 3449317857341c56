"""What the agents' programs and packages are called."""

from collections.abc import Sequence

from cockpit.agents.launch.words import split

AGENTS: dict[str, tuple[str, ...]] = {
    "claude-code": ("claude", "claude-code", "@anthropic-ai/claude-code"),
    "codex": ("codex", "@openai/codex"),
    "opencode": ("opencode", "opencode-ai"),
    "gemini": ("gemini", "gemini-cli", "@google/gemini-cli"),
    "qwen": ("qwen", "qwen-code", "@qwen-code/qwen-code"),
    "copilot": ("copilot", "@github/copilot"),
    "cline": ("cline",),
    "vibe": ("vibe", "mistral-vibe"),
    "pi": (
        "pi",
        "pi-coding-agent",
        "@mariozechner/pi-coding-agent",
        "@earendil-works/pi-coding-agent",
    ),
    "aider": ("aider", "aider-chat"),
    "mini-swe-agent": ("mini", "mini-swe-agent", "minisweagent"),
    "kimi": ("kimi", "kimi-cli", "kimi_cli"),
}
GENERIC = "generic"
_BY_NAME = {name: agent for agent, names in AGENTS.items() for name in names}


def agent_of(argv: Sequence[str]) -> str:
    """The agent that a command starts; `generic` for any other program."""
    names = split(argv).names
    return next((_BY_NAME[name] for name in sorted(names) if name in _BY_NAME), GENERIC)
