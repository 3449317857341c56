"""What a model was asked and what it answers, whatever the wire."""

import math
import re
from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.gateway.wire.splice import framed

CHARACTERS_PER_TOKEN = 4

_TAGGED = re.compile(r"(?:\s*<([\w-]+)[^>]*>.*?</\1>)*\s*", re.DOTALL)
"""Blocks such as `<system-reminder>...</system-reminder>` at the beginning of a text."""

NOTE = framed("")
"""How a word of the operator begins that cockpit's gateway has put into a request."""

KEPT_IN = "OPERATOR.md"
"""Where the demo's models keep such a word."""

_canonical = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """JSON with sorted keys: the text that is hashed and counted."""
    return _canonical.encode(value).decode()


def count_tokens(text: str) -> int:
    """Tokens of a text in the demo's tokenizer: one for every four characters begun."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


class Tool(Struct, frozen=True):
    """A tool the agent offers; `parameters` is its JSON schema, none for a `freeform` tool.

    `namespace` is where Codex keeps it.
    """

    name: str
    parameters: dict[str, Any]
    freeform: bool = False
    namespace: str = ""
    description: str = ""

    @property
    def fields(self) -> dict[str, Any]:
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}


class Said(Struct, frozen=True):
    """One thing in the conversation: text of a role, a call asked for, or a tool's result."""

    role: str
    text: str = ""
    call: str = ""


class Conversation(Struct, frozen=True):
    """A request in words that all dialects share; `schema` is that of the JSON it asks for."""

    model: str
    said: tuple[Said, ...]
    tools: tuple[Tool, ...] = ()
    stream: bool = False
    limit: int | None = None
    schema: dict[str, Any] | None = None

    def user_texts(self) -> list[str]:
        """What people said: agents also send reminders and context as user text, in tags."""
        return [_typed(said.text) for said in self.said if _by_a_person(said)]

    def step(self) -> int:
        """How many calls the model has asked for since a person last spoke."""
        count = 0
        for said in reversed(self.said):
            if _by_a_person(said):
                break
            count += said.role == "call" and KEPT_IN not in said.text
        return count

    def note(self) -> str:
        """The operator's word in this very request."""
        return self.said[-1].text.partition(NOTE)[2] if self.said else ""

    def last_result(self) -> str:
        return next((said.text for said in reversed(self.said) if said.role == "result"), "")


def _by_a_person(said: Said) -> bool:
    typed = _typed(said.text) if said.role == "user" else ""
    return bool(typed) and not typed.startswith(NOTE)


def _typed(text: str) -> str:
    """What is left of a text without the tagged blocks before it."""
    return _TAGGED.sub("", text, count=1)


class Call(Struct, frozen=True):
    """A tool call the model asks for; a `freeform` one carries its text as argument `input`."""

    name: str
    arguments: dict[str, Any]
    freeform: bool = False
    namespace: str = ""


class Answer(Struct, frozen=True):
    """What the model says, and how long it takes: time to first byte, then tokens per second.

    `thinking` is the part of its reasoning that the wire shows, where the wire shows any; `searches`
    are searches of the web that the provider ran for it.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    reasoning: int = 0
    first_byte_ms: int = 120
    tokens_per_s: float = 120.0
    thinking: str = ""
    searches: int = 0

    @property
    def output(self) -> int:
        """Tokens of everything the model wrote, its thinking included."""
        written = count_tokens(self.text) if self.text else 0
        calls = sum(count_tokens(call.name + canonical(call.arguments)) for call in self.calls)
        return max(1, written + calls + self.reasoning)


FOUND_TOKENS = 600
"""What one search of the web adds to the input."""


def instance(schema: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the schema describes
    """The plainest JSON value that fits a schema."""
    if schema.get("enum"):
        return schema["enum"][0]
    match str(schema.get("type", "object")).lower():
        case "object":
            fields: dict[str, Any] = schema.get("properties") or {}
            return {name: instance(field) for name, field in fields.items()}
        case "array":
            return []
        case "number" | "integer":
            return 0
        case "boolean":
            return False
    return "nothing to add"


class Reply(Struct, frozen=True):
    """An answer on its way to one client: with an id, ids of its calls, and the bill."""

    id: str
    model: str
    created: int
    answer: Answer
    call_ids: tuple[str, ...]
    tokens: Tokens = NO_TOKENS
    lifetimes_s: tuple[float, float] = (300.0, 3600.0)
    cut: bool = False

    def numbered_calls(self) -> list[tuple[str, Call]]:
        return list(zip(self.call_ids, self.answer.calls, strict=True))


class Chunk(Struct, frozen=True):
    """A piece of a stream: `data` to write once the model has produced `output` tokens in all."""

    data: bytes
    output: int


def whole_seconds(seconds: float) -> float:
    """Seconds as an integer where they are whole, as a vendor would write them."""
    return int(seconds) if seconds == int(seconds) else seconds


def pieces(text: str, size: int = 48) -> list[str]:
    """Text cut into what one stream event carries."""
    return [text[at : at + size] for at in range(0, len(text), size)]
