"""Which recipe starts a command; a recipe's module is imported when its agent is wanted."""

import importlib
from collections.abc import Sequence

from cockpit.agents.launch.names import agent_of
from cockpit.agents.launch.recipe import Recipe

MODULES: dict[str, tuple[str, str]] = {
    "claude-code": ("claude_code", "ClaudeCode"),
    "codex": ("codex", "Codex"),
    "opencode": ("opencode", "OpenCode"),
    "gemini": ("gemini", "Gemini"),
    "qwen": ("qwen", "Qwen"),
    "copilot": ("copilot", "Copilot"),
    "cline": ("cline", "Cline"),
    "vibe": ("vibe", "Vibe"),
    "pi": ("pi", "Pi"),
    "aider": ("aider", "Aider"),
    "mini-swe-agent": ("mini_swe", "MiniSwe"),
    "kimi": ("kimi", "Kimi"),
    "generic": ("generic", "Generic"),
}
"""Module and class by the agent's name."""


def recipe_for(argv: Sequence[str]) -> Recipe:
    """The recipe of the agent that the command starts; `generic` for any other program."""
    return recipe(agent_of(argv))


def recipe(agent: str) -> Recipe:
    """The recipe of an agent by its name.

    Raises:
        KeyError: for an agent without a recipe.
    """
    module, name = MODULES[agent]
    found: Recipe = getattr(importlib.import_module(f"cockpit.agents.launch.{module}"), name)()
    return found
