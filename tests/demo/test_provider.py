"""Every dialect through the official SDK: what the client reads is what was served."""

import asyncio

import aiohttp
import anthropic
import msgspec
import ollama
import openai
import pytest

from cockpit.core.tokens import Tokens
from cockpit.demo.cache import HOUR, MINUTE
from cockpit.demo.provider import Provider

HANDBOOK = "Rules of the house. " * 400
TOOL = {"type": "object", "properties": {"command": {"type": "string"}}}


class Clock:
    def __init__(self):
        self.now = 1_800_000_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def provider(clock):
    async with Provider(clock=clock) as running:
        yield running


@pytest.fixture
async def claude(provider):
    url = f"{provider.url}/run/parser"
    async with anthropic.AsyncAnthropic(api_key="none", base_url=url, max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(provider):
    url = f"{provider.url}/run/billing/v1"
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:
        yield client


def claude_request(text="[[text]] look", **more):
    system = [{"type": "text", "text": HANDBOOK, "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-opus-5", "max_tokens": 900, "system": system} | {
        "messages": messages,
        **more,
    }


def claude_tokens(usage):
    written = usage.cache_creation
    return Tokens(
        usage.input_tokens,
        written.ephemeral_5m_input_tokens,
        written.ephemeral_1h_input_tokens,
        usage.cache_read_input_tokens,
        usage.output_tokens,
    )


def openai_tokens(usage):
    parts = getattr(usage, "prompt_tokens_details", None) or usage.input_tokens_details
    total = getattr(usage, "prompt_tokens", None) or usage.input_tokens
    output = getattr(usage, "completion_tokens", None) or usage.output_tokens
    plain = total - parts.cached_tokens - parts.cache_write_tokens
    return Tokens(plain, parts.cache_write_tokens, 0, parts.cached_tokens, output)


async def test_anthropic_hits_on_the_second_call_and_misses_after_five_minutes(
    provider, claude, clock
):
    seen = []
    for wait in (0, 5 * MINUTE - 1, 5 * MINUTE):
        clock.now += wait
        message = await claude.messages.create(**claude_request())
        seen.append(claude_tokens(message.usage))
    assert [tokens.cache_read > 0 for tokens in seen] == [False, True, False]
    assert [tokens.cache_write_5m > 0 for tokens in seen] == [True, False, True]
    assert [served.tokens for served in provider.served()] == seen
    assert {served.run for served in provider.served()} == {"parser"}


async def test_anthropic_stream_with_a_tool_call(provider, claude):
    tools = [{"name": "Bash", "input_schema": TOOL}]
    async with claude.messages.stream(**claude_request("look", tools=tools)) as stream:
        events = [event.type async for event in stream]
        message = await stream.get_final_message()
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"
    assert message.stop_reason == "tool_use"
    assert message.content[1].input == {"command": "ls -la"}
    (served,) = provider.served()
    assert (served.id, served.tokens) == (message.id, claude_tokens(message.usage))
    assert served.tokens.output == message.usage.output_tokens > 1


async def test_anthropic_one_hour_entries_outlive_five_minutes(claude, clock):
    request = claude_request()
    request["system"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    first = claude_tokens((await claude.messages.create(**request)).usage)
    clock.now += HOUR - 1
    second = claude_tokens((await claude.messages.create(**request)).usage)
    assert first.cache_write_1h == second.cache_read > 1000


async def test_anthropic_cache_ping_writes_and_answers_nothing(provider, claude):
    message = await claude.messages.create(**claude_request(max_tokens=0))
    assert (message.content, message.stop_reason) == ([], "max_tokens")
    (served,) = provider.served()
    assert served.tokens.output == 0
    assert served.tokens.cache_write_5m > 1000


async def test_anthropic_cuts_at_max_tokens(claude):
    message = await claude.messages.create(**claude_request(max_tokens=3))
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 3)


async def test_anthropic_counts_what_it_will_bill(provider, claude):
    request = claude_request()
    del request["max_tokens"]
    counted = await claude.messages.count_tokens(**request)
    await claude.messages.create(**claude_request())
    assert counted.input_tokens == provider.served()[0].tokens.prompt


async def test_anthropic_refuses_five_breakpoints(provider, claude):
    part = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    with pytest.raises(anthropic.BadRequestError, match="maximum of 4"):
        await claude.messages.create(**claude_request(system=[part] * 5))
    assert [served.status for served in provider.served()] == [400]


async def test_announced_lifetimes_are_the_real_ones(clock):
    async with Provider(30.0, clock) as provider:
        client = anthropic.AsyncAnthropic(api_key="none", base_url=provider.url, max_retries=0)
        first = await client.messages.create(**claude_request())
        announced = first.usage.cache_creation.ttl_s["5m"]
        clock.now += round(announced * 1000) - 1
        assert (await client.messages.create(**claude_request())).usage.cache_read_input_tokens
        clock.now += round(announced * 1000)
        assert not (await client.messages.create(**claude_request())).usage.cache_read_input_tokens
        await client.close()
    assert announced == 10


async def test_chat_stream_has_usage_only_when_asked(provider, gpt, clock):
    request = {
        "model": "gpt-6.1-sol",
        "messages": [{"role": "system", "content": HANDBOOK}, {"role": "user", "content": "look"}],
        "tools": [{"type": "function", "function": {"name": "bash", "parameters": TOOL}}],
        "stream": True,
    }
    plain = [chunk async for chunk in await gpt.chat.completions.create(**request)]
    assert all(chunk.usage is None for chunk in plain)
    clock.now += 1000
    options = {"stream_options": {"include_usage": True}}
    chunks = [chunk async for chunk in await gpt.chat.completions.create(**request, **options)]
    assert chunks[-1].choices == []
    calls = [call for chunk in chunks[:-1] for call in chunk.choices[0].delta.tool_calls or []]
    assert [call.function.name for call in calls] == ["bash"]
    first, second = provider.served()
    assert openai_tokens(chunks[-1].usage) == second.tokens
    assert (first.tokens.cache_read, second.tokens.cache_read > 1024) == (0, True)


async def test_chat_without_stream(provider, gpt):
    answer = await gpt.chat.completions.create(
        model="gpt-6.1-sol",
        messages=[{"role": "user", "content": "look"}],
        tools=[{"type": "function", "function": {"name": "bash", "parameters": TOOL}}],
    )
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.tool_calls[0].function.name) == (
        "tool_calls",
        "bash",
    )
    (served,) = provider.served()
    assert (served.id, served.tokens) == (answer.id, openai_tokens(answer.usage))


async def test_responses_hit_within_thirty_minutes(provider, gpt, clock):
    seen = []
    for wait in (0, 29 * MINUTE, 30 * MINUTE):
        clock.now += wait
        answer = await gpt.responses.create(
            model="gpt-6.1-sol", instructions=HANDBOOK, input="[[text]] look"
        )
        seen.append(openai_tokens(answer.usage))
    assert [tokens.cache_read > 1024 for tokens in seen] == [False, True, False]
    assert [served.tokens for served in provider.served()] == seen
    assert answer.output_text == "Look at the project and keep a note"


async def test_responses_stream_with_a_tool_loop(provider, gpt):
    items = [{"role": "user", "content": "look"}]
    tool = {"type": "function", "name": "exec_command", "strict": False, "parameters": TOOL}
    for _ in range(4):
        request = {"model": "gpt-6.1-sol", "input": items, "tools": [tool], "store": False}
        async with gpt.responses.stream(**request) as stream:
            events = [event.type async for event in stream]
            answer = await stream.get_final_response()
        items += [item.model_dump(exclude_none=True) for item in answer.output]
        calls = [item for item in answer.output if item.type == "function_call"]
        items += [
            {"type": "function_call_output", "call_id": call.call_id, "output": "done"}
            for call in calls
        ]
    assert (events[0], events[-1]) == ("response.created", "response.completed")
    assert answer.output_text.startswith("Done")
    assert openai_tokens(answer.usage) == provider.served()[-1].tokens


async def test_ollama_keeps_the_model_from_the_end_of_the_request(provider, clock):
    client = ollama.AsyncClient(host=f"{provider.url}/run/local")
    request = {
        "model": "qwen3-coder:30b",
        "messages": [{"role": "user", "content": "[[text]] hi"}],
        "keep_alive": "10m",
    }
    first = await client.chat(**request)
    assert (await client.ps()).models[0].expires_at.timestamp() * 1000 == clock.now + 10 * MINUTE
    clock.now += 10 * MINUTE - 1
    second = await client.chat(**request)
    clock.now += 10 * MINUTE
    third = await client.chat(**request)
    assert [answer.load_duration > 0 for answer in (first, second, third)] == [True, False, True]
    assert second.prompt_eval_duration == 0
    assert second.prompt_eval_count == provider.served()[1].tokens.prompt


async def test_ollama_stream_and_tools(provider):
    client = ollama.AsyncClient(host=provider.url)
    tool = {"type": "function", "function": {"name": "bash", "parameters": TOOL}}
    messages = [{"role": "user", "content": "look"}]
    stream = await client.chat(
        model="qwen3-coder:30b", messages=messages, tools=[tool], stream=True
    )
    parts = [part async for part in stream]
    assert parts[-1].done
    assert parts[-1].eval_count == provider.served()[0].tokens.output
    (call,) = [call for part in parts for call in part.message.tool_calls or []]
    assert call.function.arguments == {"command": "ls -la"}
    assert [model.model for model in (await client.list()).models] == ["qwen3-coder:30b"]
    await client.generate(model="qwen3-coder:30b", keep_alive=0)
    assert (await client.ps()).models == []


async def test_a_cancelled_stream_is_recorded_with_what_was_sent(provider, claude):
    stream = await claude.messages.create(
        **claude_request("[[slow]]", stream=True, max_tokens=9000)
    )
    async for event in stream:
        if event.type == "content_block_delta":
            break
    await stream.close()
    await asyncio.wait_for(provider.until(1), 10)
    (served,) = provider.served()
    assert (served.cancelled, served.status) == (True, 499)
    assert served.tokens.cache_write_5m > 1000
    assert 0 < served.tokens.output < 500


async def test_a_cancelled_request_without_stream_is_billed_for_what_was_written(provider, claude):
    asking = asyncio.create_task(
        claude.with_options(timeout=0.6).messages.create(**claude_request("[[slow]]"))
    )
    with pytest.raises(anthropic.APITimeoutError):
        await asking
    await asyncio.wait_for(provider.until(1), 10)
    (served,) = provider.served()
    assert (served.cancelled, served.ended_by) == (True, "client")
    assert 0 < served.tokens.output < 20


@pytest.mark.parametrize(
    ("path", "headers", "shape"),
    [
        (
            "/v1/messages/nowhere",
            {"anthropic-version": "2026-10-21"},
            {"type", "error", "request_id"},
        ),
        ("/run/x/v1/nowhere", {}, {"error"}),
        ("/api/nowhere", {}, {"error"}),
    ],
)
async def test_unknown_routes_get_the_dialects_404(provider, path, headers, shape):
    async with (
        aiohttp.ClientSession() as session,
        session.post(provider.url + path, headers=headers, json={}) as response,
    ):
        assert response.status == 404
        assert set(await response.json()) == shape


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model": 1}', b'{"model": "m", "messages": [1]}'])
@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/api/chat"]
)
async def test_malformed_requests_are_refused_not_fatal(provider, path, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(provider.url + path, data=body) as response,
    ):
        assert response.status in {200, 400}
        assert len(provider.served()) == 1


async def test_served_is_readable_over_http(provider, claude):
    await claude.messages.create(**claude_request())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{provider.url}/_served") as response,
    ):
        report = await response.json()
    (served,) = report["served"]
    assert (served["run"], served["dialect"], served["status"]) == ("parser", "anthropic", 200)
    assert served["tokens"]["cache_write_5m"] > 1000


def gemini_request(text="look", **more):
    parts = [{"text": HANDBOOK}]
    tool = {"name": "run_shell_command", "parametersJsonSchema": TOOL}
    return {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "systemInstruction": {"parts": parts},
        "tools": [{"functionDeclarations": [tool]}],
        **more,
    }


def gemini_tokens(usage):
    read, thoughts = usage.get("cachedContentTokenCount", 0), usage.get("thoughtsTokenCount", 0)
    return Tokens(
        input=usage["promptTokenCount"] - read,
        cache_read=read,
        output=usage["candidatesTokenCount"] + thoughts,
        reasoning=thoughts,
    )


async def test_gemini_caches_by_itself_and_tells_usage_in_every_chunk(provider, clock):
    base = f"{provider.url}/run/g/v1beta/models/gemini-2.5-pro"
    seen = []
    async with aiohttp.ClientSession() as session:
        for wait in (0, 1_000, 5 * MINUTE):
            clock.now += wait
            url = f"{base}:streamGenerateContent?alt=sse"
            async with session.post(url, json=gemini_request()) as response:
                lines = (await response.read()).split(b"\r\n\r\n")
            answers = [msgspec.json.decode(line.removeprefix(b"data: ")) for line in lines if line]
            assert all("usageMetadata" in answer for answer in answers)
            parts = [part for a in answers for part in a["candidates"][0]["content"]["parts"]]
            (call,) = [part["functionCall"] for part in parts if "functionCall" in part]
            assert (call["name"], call["args"]) == ("run_shell_command", {"command": "ls -la"})
            assert answers[-1]["candidates"][0]["finishReason"] == "STOP"
            seen.append(gemini_tokens(answers[-1]["usageMetadata"]))
        counting = {"generateContentRequest": gemini_request()}
        async with session.post(f"{base}:countTokens", json=counting) as response:
            counted = (await response.json())["totalTokens"]
    assert [tokens.cache_read > 1024 for tokens in seen] == [False, True, False]
    assert [served.tokens for served in provider.served()] == seen
    assert counted == seen[0].prompt


async def test_gemini_without_stream_thinks_and_answers_in_json(provider):
    base = f"{provider.url}/v1beta/models"
    schema = {"type": "OBJECT", "properties": {"next": {"enum": ["user", "model"]}}}
    settings = {"generationConfig": {"responseJsonSchema": schema}}
    async with aiohttp.ClientSession() as session:
        url = f"{base}/gemini-2.5-flash:generateContent"
        async with session.post(url, json=gemini_request("[[think]]")) as response:
            thought = await response.json()
        async with session.post(url, json=gemini_request(**settings)) as response:
            chosen = await response.json()
        async with session.get(base) as response:
            listed = await response.json()
    parts = thought["candidates"][0]["content"]["parts"]
    assert [part.get("thought", False) for part in parts] == [True, False]
    assert gemini_tokens(thought["usageMetadata"]) == provider.served()[0].tokens
    assert msgspec.json.decode(chosen["candidates"][0]["content"]["parts"][0]["text"]) == {
        "next": "user"
    }
    assert listed["models"][0]["name"] == "models/gemini-2.5-pro"


async def test_gemini_counts_a_tool_round_as_the_same_conversation(provider):
    url = f"{provider.url}/v1beta/models/gemini-2.5-pro:generateContent"
    request = gemini_request()
    async with aiohttp.ClientSession() as session:
        for _ in range(4):
            async with session.post(url, json=request) as response:
                content = (await response.json())["candidates"][0]["content"]
            request["contents"].append(content)
            results = [
                {"functionResponse": {"name": call["name"], "response": {"output": "done"}}}
                for call in (part.get("functionCall") for part in content["parts"])
                if call
            ]
            request["contents"].append({"role": "user", "parts": results})
    assert content["parts"][0]["text"].startswith("Done")
