"""Conversations with models, one module for each wire; no SDK is imported before it is used."""

import importlib

from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec
from cockpit.demo.turns import Client

_MODULES = {
    "claude-code": "messages_sdk",
    "codex": "responses",
    "copilot": "completions",
    "qwen": "local",
}
_GOVERNED = "messages"


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str | None = None
) -> Client:
    """A client for the plan's agent; `script` replaces the plan's own, for a sub-agent."""
    name = _GOVERNED if plan.governed else _MODULES[plan.agent]
    module = importlib.import_module(f"cockpit.demo.clients.{name}")
    client: Client = module.open_client(plan, place, system, tools, script or plan.script)
    return client
