"""What goes wrong on purpose, in every dialect, and what is billed for it."""

import asyncio
import hashlib
import json

import aiohttp
import anthropic
import pytest

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.mishaps import Mishap, without_usage
from cockpit.demo.provider import Provider

LONG = "[[think]] look"

REQUESTS = {
    "anthropic": (
        "/v1/messages",
        {"model": "claude-opus-5", "max_tokens": 900, "stream": True},
        lambda text: {"messages": [{"role": "user", "content": text}]},
    ),
    "chat": (
        "/v1/chat/completions",
        {"model": "gpt-6.1-sol", "stream": True, "stream_options": {"include_usage": True}},
        lambda text: {"messages": [{"role": "user", "content": text}]},
    ),
    "responses": (
        "/v1/responses",
        {"model": "gpt-6.1-sol", "stream": True},
        lambda text: {"input": text},
    ),
    "gemini": (
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        {},
        lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]},
    ),
    "ollama": (
        "/api/chat",
        {"model": "qwen3-coder:30b", "stream": True},
        lambda text: {"messages": [{"role": "user", "content": text}]},
    ),
}
TERMINAL = {
    "anthropic": b"message_stop",
    "chat": b"[DONE]",
    "responses": b"response.completed",
    "gemini": b"finishReason",
    "ollama": b'"done":true',
}
ERROR = {
    "anthropic": b"event: error",
    "chat": b'data: {"error"',
    "responses": b"response.failed",
    "gemini": b'data: {"error"',
    "ollama": b'{"error"',
}

dialects = pytest.mark.parametrize("dialect", list(REQUESTS))


@pytest.fixture
async def provider():
    async with Provider() as running:
        yield running


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield opened


async def ask(provider, session, dialect, text=LONG, *, stream=True):
    """Status, content type, the bytes that came, and whether they ended cleanly."""
    path, fixed, said = REQUESTS[dialect]
    if not stream:
        fixed = {**fixed, "stream": False}
        path = path.replace(":streamG", ":g")
    data, clean = b"", True
    body = json.dumps({**fixed, **said(text)}).encode()
    async with session.post(f"{provider.url}/run/r{path}", data=body) as response:
        try:
            async for chunk in response.content.iter_any():
                data += chunk
        except aiohttp.ClientPayloadError:
            clean = False
        return response.status, response.content_type, data, clean


@dialects
async def test_a_storm_is_refused_in_the_dialects_words_and_costs_nothing(
    provider, session, dialect
):
    provider.plan(Mishap(kind="status", status=529, times=2, headers={"retry-after": "1"}), run="r")
    answers = [await ask(provider, session, dialect) for _ in range(3)]
    assert [status for status, *_ in answers] == [529, 529, 200]
    assert json.loads(answers[0][2])["error"]
    served = provider.served()
    assert [one.tokens == NO_TOKENS for one in served] == [True, True, False]
    assert [(one.status, one.ended_by) for one in served[:2]] == [(529, "status")] * 2


@dialects
@pytest.mark.parametrize("kind", ["cut", "truncate", "error"])
async def test_a_broken_stream_has_no_end_and_is_billed_for_what_was_written(
    provider, session, dialect, kind
):
    _, _, whole, _ = await ask(provider, session, dialect)
    provider.plan(Mishap(kind=kind, after=150), run="r")
    _, _, data, clean = await ask(provider, session, dialect)
    good, broken = provider.served()
    assert TERMINAL[dialect] in whole
    assert TERMINAL[dialect] not in data
    assert clean is (kind != "cut")
    assert (ERROR[dialect] in data) is (kind == "error")
    assert broken.tokens.prompt == good.tokens.prompt
    assert 0 < broken.tokens.output <= 150
    assert broken.tokens.reasoning <= broken.tokens.output
    assert (broken.status, broken.ended_by, broken.cancelled) == (200, kind, False)


@dialects
async def test_a_stream_without_usage_is_billed_all_the_same(provider, session, dialect):
    provider.plan(Mishap(kind="no-usage"), run="r")
    _, _, silent, _ = await ask(provider, session, dialect)
    _, _, told, _ = await ask(provider, session, dialect)
    words = (b"usage", b"usageMetadata", b"eval_count")
    assert not any(word in silent for word in words)
    assert any(word in told for word in words)
    assert TERMINAL[dialect] in silent
    first, second = provider.served()
    assert first.tokens.total == second.tokens.total


@dialects
async def test_usage_can_come_behind_the_end(provider, session, dialect):
    provider.plan(Mishap(kind="late-usage"), run="r")
    _, _, data, _ = await ask(provider, session, dialect)
    usage = max(data.rfind(word) for word in (b'"usage":{', b"usageMetadata", b"eval_count"))
    assert 0 < data.find(TERMINAL[dialect]) < usage


@dialects
async def test_a_page_instead_of_an_answer(provider, session, dialect):
    provider.plan(Mishap(kind="html"), run="r")
    status, content_type, data, _ = await ask(provider, session, dialect)
    assert (status, content_type) == (200, "text/html")
    assert data.startswith(b"<!doctype")
    assert provider.served()[0].tokens == NO_TOKENS


@dialects
async def test_the_right_answer_under_the_wrong_name(provider, session, dialect):
    provider.plan(Mishap(kind="mislabelled"), run="r")
    _, content_type, data, _ = await ask(provider, session, dialect)
    assert content_type == "text/plain"
    assert TERMINAL[dialect] in data


@dialects
async def test_half_an_answer_without_stream(provider, session, dialect):
    provider.plan(Mishap(kind="cut"), run="r")
    _, _, data, clean = await ask(provider, session, dialect, stream=False)
    assert not clean
    assert data.startswith(b"{")
    (served,) = provider.served()
    assert served.tokens.output > 1


async def test_slow_first_byte_and_a_stall(provider, session):
    loop = asyncio.get_running_loop()
    provider.plan(Mishap(kind="slow", ms=400), Mishap(kind="stall", ms=400), run="r")
    for _ in range(2):
        began = loop.time()
        _, _, data, _ = await ask(provider, session, "chat", "[[text]]")
        assert loop.time() - began > 0.4
        assert b"[DONE]" in data


async def test_marks_in_the_prompt_are_used_up(provider, session):
    text = "[[fail:429x2]] [[fail:truncate@3]] [[text]] look"
    seen = [await ask(provider, session, "anthropic", text) for _ in range(4)]
    assert [status for status, *_ in seen] == [429, 429, 200, 200]
    assert [b"message_stop" in data for _, _, data, _ in seen[2:]] == [False, True]


async def test_an_unknown_mark_does_nothing(provider, session):
    status, _, data, _ = await ask(provider, session, "chat", "[[fail:gremlins]] [[text]]")
    assert (status, b"[DONE]" in data) == (200, True)


async def test_a_plan_over_http_for_one_run(provider, session):
    plan = {"run": "other", "mishaps": [{"kind": "status", "status": 500}]}
    async with session.post(f"{provider.url}/_plan", json=plan) as response:
        assert await response.json() == {"planned": 1}
    assert (await ask(provider, session, "chat"))[0] == 200
    async with session.post(f"{provider.url}/_plan", json={"mishaps": [{"kind": "x"}]}) as response:
        assert response.status == 400


async def test_skip_and_with_tools(provider, session):
    provider.plan(Mishap(kind="status", skip=1), run="r")
    assert [(await ask(provider, session, "chat"))[0] for _ in range(3)] == [200, 529, 200]
    provider.plan(Mishap(kind="status", with_tools=True), run="r")
    assert (await ask(provider, session, "chat"))[0] == 200


async def test_a_request_can_be_recognised(provider, session):
    await ask(provider, session, "gemini", "[[text]] note: stay in the lane")
    (served,) = provider.served()
    _, _, said = REQUESTS["gemini"]
    body = json.dumps(said("[[text]] note: stay in the lane")).encode()
    assert served.digest == hashlib.sha256(body).hexdigest()
    assert served.heard.endswith("stay in the lane")
    assert (served.run, served.model) == ("r", "gemini-2.5-pro")


async def test_an_agent_that_compacts_gets_its_summary(provider, session):
    text = "[[loop]] Write it inside a <summary> block."
    _, _, data, _ = await ask(provider, session, "anthropic", text, stream=False)
    assert json.loads(data)["content"][0]["text"].startswith("<summary>\n")


def test_usage_is_taken_out_at_any_depth():
    assert without_usage({"a": [{"usage": 1, "b": 2}], "usage": {}}) == {"a": [{"b": 2}]}


@pytest.fixture
async def claude(provider):
    async with anthropic.AsyncAnthropic(
        api_key="none", base_url=provider.url, max_retries=0
    ) as client:
        yield client


def spent(usage):
    written = usage.cache_creation
    return Tokens(
        usage.input_tokens,
        written.ephemeral_5m_input_tokens,
        written.ephemeral_1h_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_compaction_is_billed_but_not_at_the_top(provider, claude, stream):
    request = {
        "model": "claude-opus-5",
        "max_tokens": 900,
        "betas": ["compact-2026-01-12"],
        "messages": [{"role": "user", "content": "[[text]] " + "Rules of the house. " * 400}],
        "context_management": {
            "edits": [
                {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 1000}}
            ]
        },
    }
    if stream:
        async with claude.beta.messages.stream(**request) as streamed:
            message = await streamed.get_final_message()
    else:
        message = await claude.beta.messages.create(**request)
    assert message.content[0].type == "compaction"
    assert [part.type for part in message.usage.iterations] == ["compaction", "message"]
    (served,) = provider.served()
    assert served.tokens == sum((spent(part) for part in message.usage.iterations), NO_TOKENS)
    assert message.usage.input_tokens < served.tokens.input
    assert message.usage.output_tokens < served.tokens.output


async def test_a_web_search_raises_the_input_on_the_way(provider, claude):
    tool = {"type": "web_search_20250305", "name": "web_search"}
    request = {"model": "claude-opus-5", "max_tokens": 900, "tools": [tool]}
    messages = [{"role": "user", "content": "[[search]]"}]
    started = None
    async with claude.messages.stream(**request, messages=messages) as stream:
        async for event in stream:
            if event.type == "message_start":
                started = event.message.usage.input_tokens
        message = await stream.get_final_message()
    assert message.usage.server_tool_use.web_search_requests == 2
    (served,) = provider.served()
    assert served.searches == 2
    assert served.tokens.input == message.usage.input_tokens > started


async def test_thinking_is_shown_and_counted(provider, claude):
    request = {"model": "claude-opus-5", "max_tokens": 900}
    messages = [{"role": "user", "content": "[[think]]"}]
    async with claude.messages.stream(**request, messages=messages) as stream:
        message = await stream.get_final_message()
    assert [part.type for part in message.content] == ["thinking", "text"]
    (served,) = provider.served()
    details = message.usage.output_tokens_details
    assert served.tokens.reasoning == details.thinking_tokens > 100
    assert served.tokens.output == message.usage.output_tokens
