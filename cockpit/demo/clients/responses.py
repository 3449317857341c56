"""OpenAI Responses: the whole conversation as items, nothing stored at the provider."""

from typing import Any

import msgspec
import openai

from cockpit.demo import scripts
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Outcome, Turn


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str
) -> "ResponsesClient":
    sdk = openai.OpenAI(
        api_key="none",
        base_url=f"{place.provider}/run/{plan.name}/v1",
        max_retries=0,
        default_headers={scripts.HEADER: script},
    )
    return ResponsesClient(sdk, plan.model, system, tools)


class ResponsesClient:
    """A conversation held by the agent itself, as Codex does."""

    def __init__(self, sdk: openai.OpenAI, model: str, system: str, tools: list[ToolSpec]) -> None:
        self.sdk, self.model, self.system = sdk, model, system
        self.tools = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema(),
                "strict": False,
            }
            for tool in tools
        ]
        self.items: list[dict[str, Any]] = []
        self.partial: Turn | None = None

    def hear(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.items.append({"type": "message", "role": "user", "content": content})

    def report(self, outcomes: list[Outcome]) -> None:
        self.items += [
            {
                "type": "function_call_output",
                "call_id": outcome.call.id,
                "output": outcome.with_code,
            }
            for outcome in outcomes
        ]

    def ask(self) -> Turn:
        started = first_byte = now()
        final: Any = None
        with self.sdk.responses.create(**self._request()) as stream:
            for event in stream:
                if event.type == "response.created":
                    first_byte = now()
                if event.type in {"response.completed", "response.incomplete"}:
                    final = event.response
        if final is None:
            raise ConnectionError("the stream ended without a terminal event")
        items = [item.model_dump(exclude_none=True, mode="json") for item in final.output]
        self.items += items
        return _turn(final, items, started, first_byte)

    def _request(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "instructions": self.system,
            "input": self.items,
            "tools": self.tools,
            "store": False,
            "stream": True,
        }

    def prompt_tokens(self, turn: Turn) -> int:
        return int(turn.usage["input_tokens"])

    def forget(self, text: str) -> None:
        self.items = []
        self.hear(text)


def _turn(final: Any, items: list[dict[str, Any]], started: int, first_byte: int) -> Turn:  # noqa: ANN401
    calls = tuple(
        Asked(item["call_id"], item["name"], msgspec.json.decode(item["arguments"], type=dict))
        for item in items
        if item["type"] == "function_call"
    )
    usage = final.usage.model_dump(exclude_unset=True, mode="json")
    return Turn(final.id, final.model, final.output_text, calls, usage, started, first_byte, now())
