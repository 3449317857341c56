"""Against the simulated provider: every call metered to the token, no broken one below the truth."""

import asyncio
import json

import aiohttp
import pytest
from msgspec.structs import replace

from cockpit.demo.mishaps import Mishap
from cockpit.demo.provider import Provider
from cockpit.gateway.wire.registry import dialect_of

HANDBOOK = "Rules of the house. " * 2_000
GEMINI = "/v1beta/models/gemini-2.5-pro:"


def request(wire, text, stream):
    """The path, the query and the body of a call."""
    match wire:
        case "anthropic":
            marked = {"type": "text", "text": HANDBOOK, "cache_control": {"type": "ephemeral"}}
            body = {"model": "claude-opus-5", "max_tokens": 4000, "system": [marked]}
            return "/v1/messages", {}, {**body, "messages": [said(text)], "stream": stream}
        case "chat":
            told = [{"role": "system", "content": HANDBOOK}, said(text)]
            body = {"model": "gpt-6.1-sol", "messages": told, "stream": stream}
            return "/v1/chat/completions", {}, body
        case "responses":
            body = {"model": "gpt-6.1-sol", "instructions": HANDBOOK, "input": text}
            return "/v1/responses", {}, {**body, "stream": stream}
        case "gemini":
            method, query = (
                ("streamGenerateContent", {"alt": "sse"}) if stream else ("generateContent", {})
            )
            parts = [{"text": HANDBOOK + text}]
            return GEMINI + method, query, {"contents": [{"role": "user", "parts": parts}]}
        case "ollama":
            told = [{"role": "system", "content": HANDBOOK[:400]}, said(text)]
            body = {"model": "qwen3-coder:30b", "messages": told, "stream": stream}
            return "/api/chat", {}, body


def said(text):
    return {"role": "user", "content": text}


@pytest.fixture
async def provider():
    async with Provider() as provider:
        yield provider


@pytest.fixture
async def metered(provider):
    """Calls the provider as the door does: prepared, through a meter, with what the client got."""
    async with aiohttp.ClientSession(provider.url) as session:

        async def call(wire, text, *, stream):
            path, query, body = request(wire, text, stream)
            sent = json.dumps(body).encode()
            dialect, asked = dialect_of(path, {}, sent)
            ready = dialect.prepared(sent, max_output=None, note="")
            async with session.post(path, params=query, data=ready) as answer:
                meter = dialect.meter(asked, answer.status, answer.content_type)
                out, cut = b"", False
                try:
                    async for chunk in answer.content.iter_any():
                        out += meter.feed(chunk)
                except aiohttp.ClientError:
                    cut = True
            out += meter.rest()
            await provider.until(len(provider.served()) or 1)
            return meter.result(cut=cut), out

        yield call


each_wire = pytest.mark.parametrize("wire", ["anthropic", "chat", "responses", "gemini", "ollama"])
streamed = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@each_wire
@streamed
@pytest.mark.parametrize("text", ["[[text]] hello", "[[think]] hello"])
async def test_the_bill_is_the_truth(provider, metered, wire, stream, text):
    for _ in range(2):  # the second time what the first has cached is read
        told, _out = await metered(wire, text, stream=stream)
        truth = provider.served()[-1]
        told_thinking = truth.tokens.reasoning if wire != "ollama" else 0
        served = replace(truth.tokens, reasoning=told_thinking)
        assert (told.tokens, told.mark, told.complete) == (served, "exact", True)
        assert told.message == (truth.id if wire != "ollama" else "")
        assert told.model == truth.model
    if wire in {"anthropic", "chat", "responses"}:
        assert told.tokens.cache_read > 5_000
        assert told.lifetime_ms == (300_000 if wire == "anthropic" else 1_800_000)


@each_wire
@pytest.mark.parametrize("kind", ["cut", "truncate", "error", "no-usage"])
async def test_a_stream_that_ends_badly_is_not_below_the_truth(provider, metered, wire, kind):
    provider.plan(Mishap(kind=kind, after=20))
    told, _out = await metered(wire, "[[think]] tell me", stream=True)
    truth = provider.served()[-1]
    assert told.mark == "estimated"
    assert told.complete is (kind == "no-usage")
    assert told.tokens.prompt >= truth.tokens.prompt > 100
    assert told.tokens.output >= truth.tokens.output
    assert told.reason
    if wire == "anthropic" and kind != "no-usage":
        assert told.tokens.prompt == truth.tokens.prompt


@each_wire
@pytest.mark.parametrize("kind", ["mislabelled", "late-usage"])
async def test_a_stream_that_is_only_odd_is_exact(provider, metered, wire, kind):
    provider.plan(Mishap(kind=kind))
    told, _out = await metered(wire, "[[text]] hello", stream=True)
    assert (told.tokens, told.mark) == (provider.served()[-1].tokens, "exact")


@each_wire
@streamed
@pytest.mark.parametrize("status", [400, 529])
async def test_a_refused_call_costs_nothing(provider, metered, wire, stream, status):
    provider.plan(Mishap(kind="status", status=status))
    told, _out = await metered(wire, "[[text]] hello", stream=stream)
    assert told.tokens == provider.served()[-1].tokens
    assert (told.tokens.total, told.mark, told.complete) == (0, "exact", False)
    assert told.reason.startswith(f"HTTP {status} ")


async def test_the_client_gets_no_usage_it_did_not_ask_for(metered):
    told, out = await metered("chat", "[[text]] hello", stream=True)
    assert told.mark == "exact"
    assert b"prompt_tokens" not in out
    assert out.endswith(b"data: [DONE]\n\n")


async def test_many_at_once(provider, metered):
    wires = ["anthropic", "chat", "responses", "gemini", "ollama"] * 8
    bills = await asyncio.gather(*(metered(wire, "[[text]] hello", stream=True) for wire in wires))
    told = sorted(bill.tokens.total for bill, _out in bills)
    assert told == sorted(one.tokens.total for one in provider.served())
