"""OpenAI Chat Completions, streamed, with usage asked for."""

from typing import Any

import msgspec
import openai

from cockpit.demo import scripts
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Outcome, Turn


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str
) -> "CompletionsClient":
    sdk = openai.OpenAI(
        api_key="none",
        base_url=f"{place.provider}/run/{plan.name}/v1",
        max_retries=0,
        default_headers={scripts.HEADER: script},
    )
    return CompletionsClient(sdk, plan.model, system, tools)


class CompletionsClient:
    """A conversation as a list of chat messages."""

    def __init__(self, sdk: openai.OpenAI, model: str, system: str, tools: list[ToolSpec]) -> None:
        self.sdk, self.model = sdk, model
        self.system = {"role": "system", "content": system}
        self.tools = [tool.function() for tool in tools]
        self.messages: list[dict[str, Any]] = [self.system]
        self.partial: Turn | None = None

    def hear(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def report(self, outcomes: list[Outcome]) -> None:
        self.messages += [
            {"role": "tool", "tool_call_id": outcome.call.id, "content": outcome.output}
            for outcome in outcomes
        ]

    def ask(self) -> Turn:
        started, first_byte = now(), 0
        text, last = "", None
        found: dict[int, Any] = {}
        request: dict[str, Any] = {
            "model": self.model,
            "messages": self.messages,
            "tools": self.tools,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with self.sdk.chat.completions.create(**request) as stream:
            for chunk in stream:
                first_byte, last = first_byte or now(), chunk
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    found |= {call.index: call for call in choice.delta.tool_calls or []}
        if last is None or last.usage is None:
            raise ConnectionError("the stream ended without its usage")
        calls = tuple(_asked(call) for _, call in sorted(found.items()))
        self.messages.append(_assistant(text, calls))
        usage = last.usage.model_dump(exclude_unset=True, mode="json")
        return Turn(last.id, last.model, text, calls, usage, started, first_byte, now())

    def prompt_tokens(self, turn: Turn) -> int:
        return int(turn.usage["prompt_tokens"])

    def forget(self, text: str) -> None:
        self.messages = [self.system]
        self.hear(text)


def _asked(call: Any) -> Asked:  # noqa: ANN401 - the SDK's delta
    arguments = msgspec.json.decode(call.function.arguments, type=dict)
    return Asked(call.id, call.function.name, arguments)


def _assistant(text: str, calls: tuple[Asked, ...]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": msgspec.json.encode(call.arguments).decode(),
                },
            }
            for call in calls
        ]
    return message
