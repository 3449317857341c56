"""Official SDKs through the gateway: what they get, what the books say, what the provider saw."""

import anthropic
import ollama
import openai
import pytest

from cockpit.core import events as e
from tests.gateway.line import KEY, Line, client, messages, post


@pytest.fixture
async def line(tmp_path):
    async with Line(tmp_path) as line:
        yield line


async def test_anthropic_streamed_and_whole(line):
    run = line.run()
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY, max_retries=0)
    async with sdk.messages.stream(
        model="claude-opus-5", max_tokens=300, messages=[{"role": "user", "content": "[[think]]"}]
    ) as stream:
        streamed = await stream.get_final_message()
    whole = await sdk.messages.create(
        model="claude-opus-5", max_tokens=300, messages=[{"role": "user", "content": "hello"}]
    )
    await sdk.close()
    settled = await line.until(e.CallSettled, 2)
    assert [event.call for event in settled] == [streamed.id, whole.id]
    assert [event.tokens.output for event in settled] == [
        streamed.usage.output_tokens,
        whole.usage.output_tokens,
    ]
    assert {event.mark for event in settled} == {"exact"}
    served = line.demo.served()
    assert [event.tokens for event in settled] == [one.tokens for one in served]
    assert line.spent().tokens == line.truth()
    assert line.spent().nano == sum(event.nano for event in settled) > 0
    assert not line.ledger.open_holds()


async def test_openai_chat_gets_no_usage_it_did_not_ask_for(line):
    run = line.run(agent="qwen-code")
    sdk = openai.AsyncOpenAI(base_url=f"{run.url}/v1", api_key=KEY, max_retries=0)
    asked = {"model": "gpt-6.1-sol", "messages": [{"role": "user", "content": "hello"}]}
    silent = [chunk async for chunk in await sdk.chat.completions.create(stream=True, **asked)]
    told = [
        chunk
        async for chunk in await sdk.chat.completions.create(
            stream=True, stream_options={"include_usage": True}, **asked
        )
    ]
    await sdk.close()
    assert all(chunk.usage is None and chunk.choices for chunk in silent)
    assert told[-1].usage.completion_tokens > 0
    settled = await line.until(e.CallSettled, 2)
    assert [event.tokens for event in settled] == [one.tokens for one in line.demo.served()]
    assert {event.mark for event in settled} == {"exact"}


async def test_openai_responses(line):
    run = line.run(agent="codex")
    sdk = openai.AsyncOpenAI(base_url=f"{run.url}/v1", api_key=KEY, max_retries=0)
    async with sdk.responses.stream(model="gpt-6.1-sol", input="hello") as stream:
        final = await stream.get_final_response()
    await sdk.close()
    (settled,) = await line.until(e.CallSettled)
    assert settled.call == final.id
    assert settled.tokens.output == final.usage.output_tokens
    assert line.spent().tokens == line.truth()


async def test_ollama_costs_tokens_and_no_money(line):
    run = line.run(agent="loop", tokens=1_000_000)
    sdk = ollama.AsyncClient(host=run.url)
    asked = [{"role": "user", "content": "hello"}]
    parts = [
        part async for part in await sdk.chat(model="qwen3-coder:30b", messages=asked, stream=True)
    ]
    (settled,) = await line.until(e.CallSettled)
    assert parts[-1].done
    assert (settled.nano, settled.tokens.output) == (0, parts[-1].eval_count)


async def test_gemini(line):
    run = line.run(agent="gemini-cli")
    body = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    path = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    async with (
        client() as session,
        session.post(run.url + path, json=body, headers={"x-goog-api-key": KEY}) as answer,
    ):
        assert answer.status == 200
        assert b"usageMetadata" in await answer.read()
    (settled,) = await line.until(e.CallSettled)
    assert settled.tokens == line.demo.served()[0].tokens
    assert settled.nano > 0


async def test_free_requests_need_no_hold(line):
    run = line.run(cap=0)
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY, max_retries=0)
    counted = await sdk.messages.count_tokens(
        model="claude-opus-5", messages=[{"role": "user", "content": "hello"}]
    )
    models = [model.id async for model in sdk.models.list()]
    await sdk.close()
    assert counted.input_tokens > 0
    assert "claude-opus-5" in models
    assert line.spent().nano == 0
    assert not line.of(e.CallStarted)


async def test_bytes_pass_as_they_come_and_go(line):
    """What the client sent is what the provider gets, when nothing must be changed."""
    import hashlib

    run = line.run()
    body = b'{"messages":[{"content":"hello","role":"user"}],  "model":"claude-opus-5","max_tokens": 50}'
    async with (
        client() as session,
        session.post(
            f"{run.url}/v1/messages?beta=true", data=body, headers={"x-api-key": KEY}
        ) as answer,
    ):
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) == len(await answer.read())
    assert line.demo.served()[0].digest == hashlib.sha256(body).hexdigest()


async def test_a_context_is_measured_and_a_session_named_once(line):
    run = line.run()
    session_id = "6e1b1b3e-0000-4000-8000-000000000001"
    async with client() as session:
        for _ in range(2):
            async with post(
                session, run, messages(), **{"x-claude-code-session-id": session_id}
            ) as answer:
                await answer.read()
    settled = await line.until(e.CallSettled, 2)
    measured = await line.until(e.ContextMeasured, 2)
    assert [event.composition.total for event in measured] == [
        event.tokens.prompt for event in settled
    ]
    assert [event.session for event in line.of(e.SessionNamed)] == [session_id]
