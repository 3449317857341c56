"""Conversations with models, one module for each wire; no SDK is imported before it is used."""

import importlib

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec
from cockpit.demo.turns import Client

_MODULES = {
    "claude-code": "messages",
    "codex": "responses",
    "copilot": "completions",
    "qwen": "local",
}


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str | None = None
) -> Client:
    """A client for the plan's agent; `script` replaces the plan's own, for a sub-agent."""
    module = importlib.import_module(f"cockpit.demo.clients.{_MODULES[plan.agent]}")
    client: Client = module.open_client(plan, place, system, tools, script or plan.script)
    return client
