"""A local model through Ollama's own API; calls have no ids there, so the agent numbers them."""

from typing import Any
from uuid import uuid4

import ollama

from cockpit.demo import scripts
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Outcome, Turn


def open_client(
    plan: Plan, place: Place, system: str, tools: list[ToolSpec], script: str
) -> "LocalClient":
    sdk = ollama.Client(host=f"{place.provider}/run/{plan.name}", headers={scripts.HEADER: script})
    return LocalClient(sdk, plan, system, tools)


class LocalClient:
    """A conversation with a model on this machine."""

    def __init__(self, sdk: ollama.Client, plan: Plan, system: str, tools: list[ToolSpec]) -> None:
        self.sdk, self.plan = sdk, plan
        self.system = {"role": "system", "content": system}
        self.tools = [tool.function() for tool in tools]
        self.messages: list[dict[str, Any]] = [self.system]
        self.partial: Turn | None = None

    def hear(self, text: str) -> None:
        self.messages.append({"role": "user", "content": text})

    def report(self, outcomes: list[Outcome]) -> None:
        self.messages += [
            {"role": "tool", "tool_name": outcome.call.name, "content": outcome.output}
            for outcome in outcomes
        ]

    def ask(self) -> Turn:
        started, first_byte = now(), 0
        text, calls, last = "", [], None
        for part in self.sdk.chat(
            model=self.plan.model,
            messages=self.messages,
            tools=self.tools,
            stream=True,
            keep_alive=self.plan.keep_alive,
        ):
            first_byte, last = first_byte or now(), part
            text += part.message.content or ""
            calls += [
                Asked(f"call_{uuid4().hex[:16]}", call.function.name, dict(call.function.arguments))
                for call in part.message.tool_calls or []
            ]
        if last is None or not last.done:
            raise ConnectionError("the stream ended before the answer was done")
        self.messages.append(_assistant(text, calls))
        usage = last.model_dump(exclude_none=True, mode="json", exclude={"message"})
        made = f"ollama-{uuid4().hex[:20]}"
        return Turn(made, self.plan.model, text, tuple(calls), usage, started, first_byte, now())

    def prompt_tokens(self, turn: Turn) -> int:
        return int(turn.usage["prompt_eval_count"])

    def forget(self, text: str) -> None:
        self.messages = [self.system]
        self.hear(text)


def _assistant(text: str, calls: list[Asked]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments}} for call in calls
        ]
    return message
