"""One demo agent: who it is, what it works on, how it behaves."""

from typing import Literal

from msgspec import Struct

from cockpit.core.budget import Budget

Agent = Literal["claude-code", "codex", "copilot", "qwen"]

COMMANDS: dict[Agent, str] = {
    "claude-code": "claude",
    "codex": "codex",
    "copilot": "copilot",
    "qwen": "qwen",
}
"""The name each agent's process has."""

SDKS: dict[Agent, str] = {
    "claude-code": "anthropic",
    "codex": "openai",
    "copilot": "openai",
    "qwen": "ollama",
}
"""The official SDK an agent uses to talk to the provider, where it uses one."""


class Plan(Struct, frozen=True, kw_only=True):
    """Everything a worker process is told.

    `script` names what the simulated model answers. `wake_s`: after a turn ends the agent sleeps
    that long and asks itself `wake_prompt`; without it, it waits for its operator. `handbook_kb`
    sizes the project handbook that every request carries. `compact_at` is the context, in tokens,
    at which the conversation starts over. `budget` is what the operator would set for it. `governed`
    agents are started by the engine, behind its gateway; the others are found. One that works `once`
    leaves when its task is done.
    """

    name: str
    session: str
    agent: Agent
    script: str
    model: str
    task: str
    branch: str
    wake_s: float | None = None
    wake_prompt: str = ""
    keep_alive: str | None = None
    handbook_kb: int = 100
    compact_at: int = 120_000
    budget: Budget | None = None
    governed: bool = False
    once: bool = False


class Place(Struct, frozen=True, kw_only=True):
    """Where a worker lives: absolute paths, and the provider's address."""

    home: str
    workspace: str
    provider: str
