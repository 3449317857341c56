"""Anthropic Messages over plain HTTP, streamed: breakpoints on the system prompt and the last block.

Agents behind the gateway are born alone, so what each imports counts: Anthropic's SDK takes two
seconds of a processor and 60 MB. The others share one import of it: `messages_sdk`.
"""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any

import msgspec

from cockpit.demo import scripts
from cockpit.demo.plan import Place, Plan
from cockpit.demo.toolset import ToolSpec, now
from cockpit.demo.turns import Asked, Outcome, RefusedError, Turn

SHORT: dict[str, Any] = {"type": "ephemeral"}
TIMEOUT_S = 600
COME_BACK_S = 1.0
PASSING = frozenset(("rate_limit_error", "overloaded_error", "api_error"))
"""Errors after which clients ask again."""


class _LaterError(Exception):
    """Nothing, or not all of an answer; to be asked for again after so many seconds."""

    def __init__(self, seconds: float = COME_BACK_S) -> None:
        self.seconds = seconds


def open_client(
    plan: Plan,
    place: Place,  # noqa: ARG001 (governed agents are led to the gateway by their environment)
    system: str,
    tools: list[ToolSpec],
    script: str,
) -> "PlainClient":
    headers = {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "authorization": f"Bearer {os.environ['ANTHROPIC_AUTH_TOKEN']}",
        "x-claude-code-session-id": plan.session,
        scripts.HEADER: script,
    }
    url = f"{os.environ['ANTHROPIC_BASE_URL']}/v1/messages"
    return PlainClient(url, headers, plan.model, system, tools)


class Messages:
    """A conversation; only the last block of it carries a breakpoint, as in Claude Code."""

    def __init__(self, model: str, system: str, tools: list[ToolSpec]) -> None:
        self.model = model
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

    def answered(self, turn: Turn) -> Turn:
        """The turn, now a part of the conversation."""
        self.partial = None
        self.messages.append({"role": "assistant", "content": _content(turn)})
        return turn

    def body(self) -> dict[str, Any]:
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


class PlainClient(Messages):
    """The conversation over one connection a call, light to import."""

    def __init__(
        self, url: str, headers: dict[str, str], model: str, system: str, tools: list[ToolSpec]
    ) -> None:
        super().__init__(model, system, tools)
        self.url, self.headers = url, headers
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self) -> Turn:
        """The answer, however often it takes to get one.

        Raises:
            RefusedError: when there will be none.
        """
        while True:
            try:
                turn = self._streamed()
            except _LaterError as later:
                time.sleep(later.seconds)
            else:
                return self.answered(turn)

    def _streamed(self) -> Turn:
        self.partial = None
        arriving = _Arriving(now())
        try:
            with self._opener.open(self._request(), timeout=TIMEOUT_S) as response:
                for event in _events(response):
                    arriving.take(event)
                    self.partial = arriving.turn(complete=False)
        except urllib.error.HTTPError as error:
            raise _refused(error) from error
        except (OSError, HTTPException) as error:
            raise _LaterError from error
        if not arriving.whole:
            raise _LaterError
        return arriving.turn(complete=True)

    def _request(self) -> urllib.request.Request:
        body = msgspec.json.encode({**self.body(), "stream": True})
        return urllib.request.Request(self.url, body, self.headers)


class _Arriving:
    """An answer while it streams in."""

    def __init__(self, started: int) -> None:
        self.started = self.first_byte = started
        self.message: dict[str, Any] = {"id": "", "model": "", "usage": {}}
        self.blocks: list[dict[str, Any]] = []
        self.whole = False

    def take(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self.first_byte, self.message = now(), event["message"]
            case "content_block_start":
                self.blocks.append({**event["content_block"], "written": ""})
            case "content_block_delta":
                delta = event["delta"]
                written = delta.get("text") or delta.get("partial_json") or ""
                self.blocks[event["index"]]["written"] += written
            case "message_delta":
                self.message["usage"] |= event["usage"]
            case "message_stop":
                self.whole = True
            case "error":
                raise _failed(200, event["error"])

    def turn(self, *, complete: bool) -> Turn:
        text = "".join(block["written"] for block in self.blocks if block["type"] == "text")
        calls = tuple(
            Asked(block["id"], block["name"], msgspec.json.decode(block["written"] or "{}"))
            for block in self.blocks
            if block["type"] == "tool_use" and complete
        )
        usage = dict(self.message["usage"])
        named = self.message["id"], self.message["model"]
        return Turn(*named, text, calls, usage, self.started, self.first_byte, now(), complete)


def _events(response: HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in response:
        if line.startswith(b"data:"):
            yield msgspec.json.decode(line[5:])


def _refused(error: urllib.error.HTTPError) -> Exception:
    try:
        told = msgspec.json.decode(error.read())["error"]
    except (OSError, HTTPException, msgspec.DecodeError, KeyError, TypeError):
        told = {"type": "api_error", "message": str(error)}
    return _failed(error.code, told, float(error.headers.get("retry-after") or COME_BACK_S))


def _failed(status: int, told: dict[str, Any], seconds: float = COME_BACK_S) -> Exception:
    if told.get("type") in PASSING:
        return _LaterError(seconds)
    return RefusedError(status, str(told.get("message")))


def _content(turn: Turn) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return text + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in turn.calls
    ]
