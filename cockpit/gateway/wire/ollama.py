"""Ollama's own API: free of charge, but its tokens count."""

import re
from collections.abc import Mapping

import msgspec

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.chat import session_of
from cockpit.gateway.wire.contents import Contents
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import framing_of, lines
from cockpit.gateway.wire.meter import AnswerMeter, meter_of
from cockpit.gateway.wire.ollama_answer import OllamaAnswer
from cockpit.gateway.wire.splice import (
    Members,
    changed,
    framed,
    is_empty,
    is_text,
    joined,
    lowered,
    members,
    raw,
    value,
    with_last,
)
from cockpit.gateway.wire.untrusted import (
    Table,
    decoded,
    limit,
    rows,
    table,
    word,
)

_PAID = re.compile(r"(?:^|/)api/(chat|generate)$")
_FREE = re.compile(r"(?:^|/)api/(?:ps|tags|show|version|embed|embeddings)$")
_ORIGINS = {"system": "system", "assistant": "assistant", "user": "user"}


class Ollama:
    """The wire of a local Ollama."""

    name: DialectName = "ollama"
    keep_alive = b""

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:
        where = path.rstrip("/")
        if _FREE.search(where):
            return Asked(dialect=self.name, path=path, paid=False, session=session_of(headers))
        return _asked(path, headers, decoded(body)) if _PAID.search(where) else None

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        return changed(body, lambda given: _limited(given, max_output) | _noted(given, note))

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        framing = framing_of(content_type, stream=asked.stream, json_stream=lines)
        return meter_of(asked, status, lambda: AnswerMeter(OllamaAnswer(asked), framing))

    def refusal(self, sentence: str, agent: str) -> Refusal:
        return refusals.refused(refusals.status_for(agent), {"error": sentence})

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        return refusals.later(503, seconds, {"error": sentence})

    def broken_off(self, sentence: str) -> bytes:
        return msgspec.json.encode({"error": sentence}) + b"\n"


def _asked(path: str, headers: Mapping[str, str], body: Table) -> Asked:
    """A call without anything to answer only loads or unloads the model."""
    contents = Contents()
    contents.add("system", body.get("system"))
    contents.tools(body.get("tools"))
    contents.add("system", body.get("format") or None)
    for message in rows(body.get("messages")):
        contents.message()
        _read_message(contents, table(message))
    contents.add("user", body.get("prompt") or None)
    contents.add("user", body.get("suffix") or None)
    _read_pictures(contents, body)
    return Asked(
        dialect="ollama",
        path=path,
        model=word(body.get("model")),
        paid=bool(body.get("messages") or body.get("prompt")),
        stream=body.get("stream") is not False,
        prompt=contents.prompt() + len(rows(body.get("context"))),
        max_output=limit(table(body.get("options")).get("num_predict")),
        lifetime=_kept(body.get("keep_alive")),
        session=session_of(headers),
        composition=contents.composition(),
    )


def _read_message(contents: Contents, message: Table) -> None:
    """Results only name their tool, so the name decides what they are."""
    role = str(message.get("role"))
    reader = message.get("tool_name") or message.get("name")
    origin = _ORIGINS.get(role) or contents.result_by(reader)
    contents.add(origin, message.get("content"))
    contents.add("thinking", message.get("thinking"))
    contents.add("assistant", message.get("tool_calls"))
    _read_pictures(contents, message)


def _read_pictures(contents: Contents, holder: Table) -> None:
    for _ in rows(holder.get("images")):
        contents.media(media.picture("ollama"))


def _kept(keep_alive: object) -> str:
    """How long the model stays loaded, as it was written; seconds where a number was."""
    if isinstance(keep_alive, str):
        return word(keep_alive)
    return f"{keep_alive}s" if isinstance(keep_alive, int) else ""


def _limited(given: Members, granted: int | None) -> Members:
    """The limit among the model's options; loading and unloading have none."""
    if is_empty(given.get("messages")) and is_empty(given.get("prompt")):
        return {}
    options = members(given["options"]) if table(value(given.get("options"))) else {}
    most = lowered(value(options.get("num_predict")), granted)
    return {} if most is None else {"options": raw({**options, "num_predict": raw(most)})}


def _noted(given: Members, note: str) -> Members:
    """The note behind the last message of the user or of a tool, or behind the prompt."""
    if not note:
        return {}
    text = framed(note)

    def change(message: Members) -> Members:
        content = message.get("content")
        if word(value(message.get("role"))) not in {"user", "tool"} or content is None:
            return {}
        return {"content": joined(content, text)}

    if "messages" in given:
        return {"messages": with_last(given["messages"], change, {"role": "user", "content": text})}
    prompt = given.get("prompt")
    return {"prompt": joined(prompt, text)} if prompt is not None and is_text(prompt) else {}
