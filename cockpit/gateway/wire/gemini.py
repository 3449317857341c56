"""Google's Gemini API: the model and the kind of answer are in the path."""

import re
from collections.abc import Mapping

from cockpit.gateway.wire import media, refusals
from cockpit.gateway.wire.contents import (
    FOR_HISTORY,
    FOR_SCHEMA,
    FOR_SEARCH,
    FOR_SERVER_TOOL,
    Contents,
    is_reader,
)
from cockpit.gateway.wire.dialect import Asked, DialectName, Meter, Refusal
from cockpit.gateway.wire.framing import array, framing_of
from cockpit.gateway.wire.gemini_answer import GeminiAnswer
from cockpit.gateway.wire.meter import AnswerMeter, meter_of
from cockpit.gateway.wire.splice import (
    Members,
    changed,
    elements,
    framed,
    lowered,
    members,
    raw,
    value,
    with_last,
)
from cockpit.gateway.wire.thinking import UNSEEN_BY_EFFORT
from cockpit.gateway.wire.untrusted import (
    Table,
    answers,
    count,
    decoded,
    limit,
    rows,
    table,
    told,
    word,
)

_PAID = re.compile(r"(?:^|/)models/([^/:]+):(generateContent|streamGenerateContent)$")
_COUNT = re.compile(r"(?:^|/)models/[^/:]+:countTokens$")
_LIST = re.compile(r"(?:^|/)v1(?:beta|alpha)\w*/models(?:/[^/:]+)?$")
_THINKS = re.compile(r"gemini-(?:2\.5|[3-9])")
_SEARCH = frozenset({"googleSearch", "google_search", "googleSearchRetrieval"})
_DECLARED = frozenset({"functionDeclarations", "function_declarations"})


class Gemini:
    """The generateContent wire."""

    name: DialectName = "gemini"
    keep_alive = b""

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> Asked | None:  # noqa: ARG002 - no header tells a session
        where = path.rstrip("/")
        if _COUNT.search(where) or (_LIST.search(where) and not body):
            return Asked(dialect=self.name, path=path, paid=False)
        paid = _PAID.search(where)
        if paid is None:
            return None
        stream = paid[2] == "streamGenerateContent"
        return _asked(path, word(paid[1]), decoded(body), stream=stream)

    def prepared(self, body: bytes, *, max_output: int | None, note: str) -> bytes:
        return changed(body, lambda given: _limited(given, max_output) | _noted(given, note))

    def meter(self, asked: Asked, status: int, content_type: str) -> Meter:
        framing = framing_of(content_type, stream=asked.stream, json_stream=array)
        return meter_of(asked, status, lambda: AnswerMeter(GeminiAnswer(asked), framing))

    def refusal(self, sentence: str, agent: str) -> Refusal:
        status = refusals.status_for(agent)
        return refusals.refused(status, _error(status, sentence, "FAILED_PRECONDITION"))

    def retry_later(self, sentence: str, seconds: int) -> Refusal:
        return refusals.later(503, seconds, _error(503, sentence, "UNAVAILABLE"))

    def broken_off(self, sentence: str) -> bytes:
        return refusals.event(_error(499, sentence, "CANCELLED"))


def _error(code: int, sentence: str, status: str) -> Table:
    return {"error": {"code": code, "message": sentence, "status": status}}


def _either(body: Table, camel: str, snake: str) -> object:
    """The API takes names in both spellings."""
    return body.get(camel) if camel in body else body.get(snake)


def _asked(path: str, model: str, body: Table, *, stream: bool) -> Asked:
    contents = Contents()
    _read_parts(contents, "system", table(_either(body, "systemInstruction", "system_instruction")))
    contents.tools(body.get("tools"))
    for said in map(table, rows(body.get("contents"))):
        contents.message()
        _read_parts(contents, "assistant" if said.get("role") == "model" else "user", said)
    config = table(_either(body, "generationConfig", "generation_config"))
    searches = _unseen_parts(contents, body, config)
    return Asked(
        dialect="gemini",
        path=path,
        model=model,
        stream=stream,
        prompt=contents.prompt(),
        max_output=_most(config),
        tier=word(_either(body, "serviceTier", "service_tier")).lower(),
        searches=searches,
        unseen=_unseen(model, config),
        composition=contents.composition(),
    )


def _read_parts(contents: Contents, origin: str, said: Table) -> None:
    for part in map(table, rows(said.get("parts"))):
        _read_part(contents, origin, part)


def _read_part(contents: Contents, origin: str, part: Table) -> None:
    inline = table(_either(part, "inlineData", "inline_data"))
    named = table(_either(part, "fileData", "file_data"))
    result = table(_either(part, "functionResponse", "function_response"))
    if inline:
        kind = _either(inline, "mimeType", "mime_type")
        contents.media(media.of_kind("gemini", kind, inline.get("data")))
    elif named:
        contents.media(media.named("gemini", str(_either(named, "mimeType", "mime_type"))))
    elif result:
        reads = is_reader(str(result.get("name")))
        contents.add("files" if reads else "tool_results", result)
    elif part.get("thought") is True:
        contents.add("thinking", part.get("text"))
    elif "text" in part:
        contents.add(origin, part.get("text"))
    else:
        contents.add(origin, part)


def _unseen_parts(contents: Contents, body: Table, config: Table) -> int:
    """Adds what the request makes the provider put in; gives the number of searches allowed."""
    served = {name for tool in rows(body.get("tools")) for name in table(tool)} - _DECLARED
    searches = len(served & _SEARCH)
    contents.unseen(FOR_SEARCH * searches + FOR_SERVER_TOOL * len(served - _SEARCH))
    contents.unseen(FOR_HISTORY if _either(body, "cachedContent", "cached_content") else 0)
    shaped = _either(config, "responseSchema", "response_schema") or config.get(
        "responseJsonSchema"
    )
    contents.add("system", shaped)
    contents.unseen(FOR_SCHEMA if shaped else 0)
    return searches


def _unseen(model: str, config: Table) -> int:
    """Thinking that does not show: its budget, or what its level usually takes."""
    thinking = table(_either(config, "thinkingConfig", "thinking_config"))
    given = _either(thinking, "thinkingBudget", "thinking_budget")
    budget = told(given)
    if budget is not None and given != -1:
        return budget
    level = _either(thinking, "thinkingLevel", "thinking_level") or "high"
    thinks = thinking or _THINKS.search(model)
    return UNSEEN_BY_EFFORT.get(str(level).lower(), 0) if thinks else 0


def _most(config: Table) -> int | None:
    """The limit of all candidates together; each has the client's own."""
    most = limit(_either(config, "maxOutputTokens", "max_output_tokens"))
    several = answers(_either(config, "candidateCount", "candidate_count"))
    return None if most is None else most * several


def _limited(given: Members, granted: int | None) -> Members:
    """The limit in the generation's settings, and a thinking budget that fits under it."""
    if "contents" not in given:
        return {}
    name = "generation_config" if "generation_config" in given else "generationConfig"
    config = members(given[name]) if table(value(given.get(name))) else {}
    field = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
    several = answers(value(config.get("candidateCount") or config.get("candidate_count")))
    most = lowered(value(config.get(field)), granted, several)
    if most is None:
        return {}
    smaller = {**config, field: raw(most)}
    thinking = table(value(config.get("thinkingConfig")))
    if count(thinking.get("thinkingBudget")) >= most:
        smaller["thinkingConfig"] = raw({**thinking, "thinkingBudget": most // 2})
    return {name: raw(smaller)}


def _noted(given: Members, note: str) -> Members:
    """The note as a last part of the last content of the user."""
    if not note or "contents" not in given:
        return {}
    part = {"text": framed(note)}

    def change(said: Members) -> Members:
        if value(said.get("role")) == "model":
            return {}
        return {"parts": raw([*(elements(said["parts"]) if "parts" in said else []), part])}

    return {"contents": with_last(given["contents"], change, {"role": "user", "parts": [part]})}
