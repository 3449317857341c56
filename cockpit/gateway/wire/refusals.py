"""Answers of our own: refused for good, or asked to come back, in a shape the client shows."""

import msgspec

from cockpit.gateway.wire.dialect import Refusal

STATUS_OF_AGENT = {"aider": 400, "codex": 400, "mini-swe-agent": 401}
"""Agents that would ask again after a 402; measured per agent."""
UNKNOWN = frozenset({"", "generic"})
"""Any program: on OpenAI's wires more of them stop at a 400 than at a 402."""
LONGEST_WAIT_S = 120
"""The OpenAI SDK gives up when it is told to wait for longer."""

_CONTENT = {"content-type": "application/json"}


def refused(status: int, body: object) -> Refusal:
    """A refusal for good."""
    headers = {**_CONTENT, "x-should-retry": "false"}
    return Refusal(status, headers, msgspec.json.encode(body))


def later(status: int, seconds: int, body: object) -> Refusal:
    """An answer after which the client waits and asks again."""
    wait = str(min(max(seconds, 1), LONGEST_WAIT_S))
    headers = {**_CONTENT, "retry-after": wait, "x-should-retry": "true"}
    return Refusal(status, headers, msgspec.json.encode(body))


def status_for(agent: str, unknown: int = 402) -> int:
    """The status after which this agent stops at once; `unknown` for any program."""
    return STATUS_OF_AGENT.get(agent, unknown if agent in UNKNOWN else 402)


def event(data: object, name: str = "") -> bytes:
    """A server-sent event; the empty line before it ends an event that was cut."""
    named = f"event: {name}\n" if name else ""
    return b"\n\n" + named.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"
