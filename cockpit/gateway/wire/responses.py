"""OpenAI Responses, and the hosts that speak it."""

import re
from collections.abc import Mapping

from msgspec import Raw

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.chat import (
    error,
    lifetime_asked,
    session_of,
    tier_asked,
    unseen,
)
from cockpit.gateway.wire.contents import (
    FOR_HISTORY,
    FOR_SCHEMA,
    FOR_SEARCH,
    FOR_SERVER_TOOL,
    Contents,
)
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import framing_of
from cockpit.gateway.wire.meter import AnswerMeter, meter_of
from cockpit.gateway.wire.responses_answer import ResponsesAnswer
from cockpit.gateway.wire.splice import (
    Members,
    block,
    changed,
    elements,
    framed,
    is_text,
    joined,
    lowered,
    members,
    raw,
    value,
    with_block,
)
from cockpit.gateway.wire.untrusted import (
    Table,
    count,
    decoded,
    limit,
    rows,
    table,
    word,
)

_PAID = re.compile(r"(?:^|/)responses(?:/compact)?$")
_FREE = re.compile(r"(?:^|/)responses/(?!compact$)[^/]+(?:/(?:cancel|input_items))?$")
_OWN_TOOLS = frozenset({"function", "custom", "namespace", "local_shell", "apply_patch"})
"""Tools that the client runs."""
IN_BACKGROUND = 32_768
SEARCHES_WHEN_UNLIMITED = 10


class Responses:
    """The Responses wire. Lists of models are the Chat wire's."""

    name: DialectName = "responses"
    keep_alive = b": held\n\n"

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:
        where = path.rstrip("/")
        if _FREE.search(where):
            return Asked(dialect=self.name, path=path, paid=False, session=session_of(headers))
        return _asked(path, headers, decoded(body)) if _PAID.search(where) else None

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        return changed(body, lambda given: _limited(given, max_output) | _noted(given, note))

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        framing = framing_of(content_type, stream=asked.stream)
        return meter_of(asked, status, lambda: AnswerMeter(ResponsesAnswer(asked), framing))

    def refusal(self, sentence: str, agent: str) -> Refusal:
        status = refusals.status_for(agent, 400)
        # Codex shows nothing but the code where it is "budget_reached"
        return refusals.refused(status, error("billing_error", sentence, "cap_reached"))

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        return refusals.later(429, seconds, error("rate_limit_error", sentence, "paused"))

    def broken_off(self, sentence: str) -> bytes:
        failed = {"code": "server_error", "message": sentence}
        response = {"object": "response", "status": "failed", "error": failed, "output": []}
        return refusals.event({"type": "response.failed", "response": response}, "response.failed")


def _asked(path: str, headers: Mapping[str, str], body: Table) -> Asked:
    model = word(body.get("model"))
    contents = Contents(model)
    contents.add("system", body.get("instructions"))
    _unseen_parts(contents, body)
    contents.tools(body.get("tools"))
    given = body.get("input")
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else rows(given):
        contents.message()
        _read_item(contents, table(item), model)
    return Asked(
        dialect="responses",
        path=path,
        model=model,
        stream=body.get("stream") is True,
        prompt=contents.prompt(),
        max_output=_most(body),
        lifetime=lifetime_asked(body),
        tier=tier_asked(body),
        session=session_of(headers),
        searches=_searches(body),
        unseen=_unseen(model, body),
        composition=contents.composition(),
    )


def _unseen(model: str, body: Table) -> int:
    """Thinking that never shows; of an answer in the background nothing does."""
    if body.get("background") is True:
        return limit(body.get("max_output_tokens")) or IN_BACKGROUND
    reasoning = body.get("reasoning")
    return unseen(model, table(reasoning).get("effort"), reasoning)


def _most(body: Table) -> int | None:
    """A request that only warms the cache has no output."""
    if table(body.get("prompt_cache_options")).get("prewarm") is True:
        return 0
    return limit(body.get("max_output_tokens"))


def _unseen_parts(contents: Contents, body: Table) -> None:
    """Adds what the request makes the provider put in."""
    shape = table(table(body.get("text")).get("format"))
    contents.add("system", shape or None)
    contents.unseen(FOR_SCHEMA if shape.get("type") == "json_schema" else 0)
    tools = [table(tool) for tool in rows(body.get("tools"))]
    served = [tool for tool in tools if word(tool.get("type")) not in _OWN_TOOLS]
    contents.unseen(FOR_SERVER_TOOL * len(served) + FOR_SEARCH * _searches(body))
    if body.get("previous_response_id") or body.get("conversation"):
        contents.unseen(FOR_HISTORY)


def _searches(body: Table) -> int:
    kinds = [str(table(tool).get("type", "")) for tool in rows(body.get("tools"))]
    if not any(kind.startswith("web_search") for kind in kinds):
        return 0
    return count(body.get("max_tool_calls")) or SEARCHES_WHEN_UNLIMITED


def _read_item(contents: Contents, item: Table, model: str) -> None:
    kind = str(item.get("type") or "message")
    if kind == "message":
        _read_message(contents, item, model)
    elif kind == "reasoning":
        contents.add("thinking", item)
    elif kind.endswith("_output"):
        _read_content(contents, contents.result_of(item.get("call_id")), item.get("output"), model)
    elif kind == "additional_tools":
        contents.tools(item.get("tools"))
    else:
        command = item.get("arguments") or item.get("action")
        contents.called(item.get("call_id"), item.get("name") or kind, command)
        contents.add("assistant", item)


def _read_message(contents: Contents, item: Table, model: str) -> None:
    roles = {"system": "system", "developer": "system", "assistant": "assistant"}
    origin = roles.get(str(item.get("role")), "user")
    _read_content(contents, origin, item.get("content"), model)


def _read_content(contents: Contents, origin: str, content: object, model: str) -> None:
    if not isinstance(content, list):
        contents.add(origin, content)
        return
    for part in map(table, content):
        match part.get("type"):
            case "input_text" | "output_text" | "text":
                contents.add(origin, part.get("text"))
            case "input_image":
                url, detail = part.get("image_url"), part.get("detail")
                contents.media(media.of_url("responses", url, detail, model))
            case "input_file":
                contents.media(media.document("responses", part.get("file_data")))
            case "input_audio":
                sound = table(part.get("input_audio")).get("data")
                contents.media(media.of_kind("responses", "audio/", sound))
            case _:
                contents.add(origin, part)


def _limited(given: Members, granted: int | None) -> Members:
    """A limit, except where the request warms the cache, counts or compacts."""
    if "input" not in given or "model" not in given:
        return {}
    if table(value(given.get("prompt_cache_options"))).get("prewarm") is True:
        return {}
    limit = lowered(value(given.get("max_output_tokens")), granted)
    return {} if limit is None else {"max_output_tokens": raw(limit)}


def _noted(given: Members, note: str) -> Members:
    return {"input": _with_said(given.get("input"), framed(note))} if note else {}


def _with_said(given: Raw | None, note: str) -> Raw:
    """The note behind the last item when the user or a tool said it, else as an item of its own."""
    if given is not None and is_text(given):
        return joined(given, note)
    items = [] if given is None else elements(given)
    last = members(items[-1]) if items else {}
    kind = str(value(last.get("type")) or "message")
    if kind.endswith("_output") and "output" in last:
        last = {**last, "output": _with_note(last["output"], note)}
    elif kind == "message" and value(last.get("role")) == "user":
        last = {**last, "content": _with_note(last["content"], note)}
    else:
        said = {"type": "message", "role": "user", "content": [block(note, "input_text")]}
        return raw([*items, said])
    return raw([*items[:-1], last])


def _with_note(content: Raw, note: str) -> Raw:
    return joined(content, note) if is_text(content) else with_block(content, note, "input_text")
