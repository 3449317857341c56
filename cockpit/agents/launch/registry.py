"""Which recipe starts a command; a recipe's module is imported when its agent is wanted."""

import importlib
from collections.abc import Sequence

from cockpit.agents.launch.recipe import Recipe
from cockpit.agents.launch.words import split

MODULES: dict[str, tuple[str, str]] = {
    "claude-code": ("claude_code", "ClaudeCode"),
    "codex": ("codex", "Codex"),
    "opencode": ("opencode", "OpenCode"),
    "gemini": ("gemini", "Gemini"),
    "qwen": ("qwen", "Qwen"),
    "generic": ("generic", "Generic"),
}
"""Module and class by the agent's name."""
NAMES: dict[str, str] = {
    "claude": "claude-code",
    "claude-code": "claude-code",
    "@anthropic-ai/claude-code": "claude-code",
    "codex": "codex",
    "@openai/codex": "codex",
    "opencode": "opencode",
    "opencode-ai": "opencode",
    "gemini": "gemini",
    "gemini-cli": "gemini",
    "@google/gemini-cli": "gemini",
    "qwen": "qwen",
    "qwen-code": "qwen",
    "@qwen-code/qwen-code": "qwen",
}
"""What the programs and packages are called."""


def recipe_for(argv: Sequence[str]) -> Recipe:
    """The recipe of the agent that the command starts; `generic` for any other program."""
    names = split(argv).names
    return recipe(next((NAMES[name] for name in sorted(names) if name in NAMES), "generic"))


def recipe(agent: str) -> Recipe:
    """The recipe of an agent by its name.

    Raises:
        KeyError: for an agent without a recipe.
    """
    module, name = MODULES[agent]
    found: Recipe = getattr(importlib.import_module(f"cockpit.agents.launch.{module}"), name)()
    return found
