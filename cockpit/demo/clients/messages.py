"""Anthropic Messages: breakpoints on the system prompt and on the last block."""

from typing import Any

import anthropic

from cockpit.demo import scripts
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Outcome, Turn

SHORT: dict[str, Any] = {"type": "ephemeral"}


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str
) -> "MessagesClient":
    sdk = anthropic.Anthropic(
        api_key="none",
        base_url=f"{place.provider}/run/{plan.name}",
        max_retries=0,
        default_headers={scripts.HEADER: script},
    )
    return MessagesClient(sdk, plan.model, system, tools)


class MessagesClient:
    """A conversation; only the last block of it carries a breakpoint, as in Claude Code."""

    def __init__(
        self, sdk: anthropic.Anthropic, model: str, system: str, tools: list[ToolSpec]
    ) -> None:
        self.sdk, self.model = sdk, model
        self.system = [{"type": "text", "text": system, "cache_control": SHORT}]
        self.tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.schema()}
            for tool in tools
        ]
        self.messages: list[dict[str, Any]] = []
        self.partial: Turn | None = None

    def hear(self, text: str) -> None:
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def report(self, outcomes: list[Outcome]) -> None:
        content = [
            {
                "type": "tool_result",
                "tool_use_id": outcome.call.id,
                "content": outcome.output,
                "is_error": not outcome.ok,
            }
            for outcome in outcomes
        ]
        self.messages.append({"role": "user", "content": content})

    def ask(self) -> Turn:
        started, self.partial = now(), None
        with self.sdk.messages.stream(**self._request()) as stream:
            first_byte = started
            for event in stream:
                if event.type == "message_start":
                    first_byte = now()
                self.partial = _turn(
                    stream.current_message_snapshot, started, first_byte, complete=False
                )
            turn = _turn(stream.get_final_message(), started, first_byte, complete=True)
        self.partial = None
        self.messages.append({"role": "assistant", "content": _content(turn)})
        return turn

    def _request(self) -> dict[str, Any]:
        *earlier, last = self.messages
        *before, block = last["content"]
        marked = {**last, "content": [*before, {**block, "cache_control": SHORT}]}
        return {
            "model": self.model,
            "max_tokens": 8000,
            "system": self.system,
            "tools": self.tools,
            "messages": [*earlier, marked],
        }

    def prompt_tokens(self, turn: Turn) -> int:
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return sum(turn.usage.get(name) or 0 for name in names)

    def forget(self, text: str) -> None:
        self.messages = []
        self.hear(text)


def _turn(
    message: anthropic.types.Message, started: int, first_byte: int, *, complete: bool
) -> Turn:
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = tuple(
        Asked(block.id, block.name, dict(block.input or {}))
        for block in message.content
        if block.type == "tool_use" and complete
    )
    usage = message.usage.model_dump(exclude_unset=True, mode="json")
    return Turn(message.id, message.model, text, calls, usage, started, first_byte, now(), complete)


def _content(turn: Turn) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return text + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in turn.calls
    ]
