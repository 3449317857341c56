"""Anthropic Messages through the official SDK."""

from typing import Any

import anthropic

from cockpit.demo import scripts
from cockpit.demo.clients.messages import Messages
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Turn


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str
) -> "SdkClient":
    sdk = anthropic.Anthropic(
        api_key="none",
        base_url=f"{place.provider}/run/{plan.name}",
        max_retries=0,
        default_headers={scripts.HEADER: script},
    )
    return SdkClient(sdk, plan.model, system, tools)


class SdkClient(Messages):
    """The conversation as the SDK streams it."""

    def __init__(
        self, sdk: anthropic.Anthropic, model: str, system: str, tools: list[ToolSpec]
    ) -> None:
        super().__init__(model, system, tools)
        self.sdk = sdk

    def ask(self) -> Turn:
        started, self.partial = now(), None
        body: dict[str, Any] = self.body()
        with self.sdk.messages.stream(**body) as stream:
            first_byte = started
            for event in stream:
                if event.type == "message_start":
                    first_byte = now()
                snapshot = stream.current_message_snapshot
                self.partial = _turn(snapshot, started, first_byte, complete=False)
            turn = _turn(stream.get_final_message(), started, first_byte, complete=True)
        return self.answered(turn)


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
