"""Every agent cockpit can read, by name; a module is imported when its agent is wanted."""

import importlib
from collections.abc import Iterable

from cockpit.agents.adapter import Adapter

MODULES: dict[str, tuple[str, str]] = {
    "claude-code": ("claude_code", "ClaudeCode"),
    "codex": ("codex", "Codex"),
    "opencode": ("opencode", "OpenCode"),
    "gemini": ("gemini", "Gemini"),
    "qwen": ("qwen", "Qwen"),
    "copilot": ("copilot", "Copilot"),
    "pi": ("pi", "Pi"),
    "cline": ("cline", "Cline"),
    "vibe": ("vibe", "Vibe"),
    "kimi": ("kimi", "Kimi"),
    "mini-swe-agent": ("mini_swe", "MiniSwe"),
    "aider": ("aider", "Aider"),
}
"""Module and class by the agent's name."""


def chosen(names: Iterable[str] = ()) -> tuple[Adapter, ...]:
    """The adapters of the agents named, or of all.

    Raises:
        ValueError: for a name that is none, with those that are.
    """
    wanted = tuple(names) or tuple(MODULES)
    unknown = [name for name in wanted if name not in MODULES]
    if unknown:
        raise ValueError(f"unknown agent {unknown[0]!r}: accepted: {', '.join(MODULES)}")
    return tuple(_adapter(*MODULES[name]) for name in wanted)


def _adapter(module: str, name: str) -> Adapter:
    adapter: Adapter = getattr(importlib.import_module(f"cockpit.agents.{module}"), name)()
    return adapter
