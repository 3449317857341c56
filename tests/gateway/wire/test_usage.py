"""What each vendor's usage means: classes, lifetimes, tiers, calls inside of a call."""

import json

import pytest

from cockpit.core.tokens import NO_TOKENS, Tokens
from tests.gateway.wire.answers import (
    CHAT_ASKED,
    CHAT_EVENTS,
    CLAUDE_ASKED,
    CLAUDE_EVENTS,
    JSON,
    OLLAMA_ASKED,
    RESPONSES_ASKED,
    SSE,
    START,
    STREAMS,
    WHOLE,
    Case,
    chunk,
    events,
    response,
)

MINUTE, HOUR = 60_000, 3_600_000
CLAUDE_COUNTS = {"input_tokens": 10, "output_tokens": 20}


def claude(usage, **asked):
    message = {"id": "msg_9", "type": "message", "model": "claude-opus-5", "usage": usage}
    request = {**CLAUDE_ASKED, "stream": False, **asked}
    case = Case("anthropic", "/v1/messages", request, JSON, b"", NO_TOKENS)
    return metered(case, json.dumps({**message, "content": []}).encode())


def chat(usage, **asked):
    case = Case("chat", "/v1/chat/completions", {**CHAT_ASKED, **asked}, SSE, b"", NO_TOKENS)
    return metered(case, events(*CHAT_EVENTS, chunk(usage=usage, choices=False), named=False))


def responses(usage, status="completed", **asked):
    case = Case("responses", "/v1/responses", {**RESPONSES_ASKED, **asked}, SSE, b"", NO_TOKENS)
    last = {"type": f"response.{status}", "response": response(status, usage)}
    return metered(case, events(last))


def metered(case, answer):
    meter = case.meter()
    meter.feed(answer)
    return meter.result(cut=False)


# Anthropic


def iteration(kind, tokens, output, **more):
    return {
        "type": kind, "input_tokens": tokens, "output_tokens": output,
        "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, **more,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["compaction", "fallback_message", "advisor_message"])
def test_calls_inside_of_a_call_are_added(kind):
    """The top level leaves them out."""
    usage = {
        "input_tokens": 23_000, "output_tokens": 1_000,
        "iterations": [iteration(kind, 180_000, 3_500), iteration("message", 23_000, 1_000)],
    }  # fmt: skip
    assert claude(usage).tokens == Tokens(203_000, output=4_500)


def test_iterations_keep_their_lifetimes():
    split = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 400}
    first = iteration("compaction", 1, 2, cache_creation_input_tokens=500, cache_creation=split)
    usage = {**CLAUDE_COUNTS, "iterations": [first, iteration("message", 10, 20)]}
    assert claude(usage).tokens == Tokens(11, 100, 400, 0, 22)


def test_iterations_that_the_top_level_already_has_are_not_counted_twice():
    usage = {
        **CLAUDE_COUNTS,
        "iterations": [iteration("message", 4, 5), iteration("message", 6, 15)],
    }
    assert claude(usage).tokens == Tokens(10, output=20)


def test_iterations_of_a_stream_come_with_the_last_delta():
    last = {
        "type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {
            "output_tokens": 90, "iterations": [iteration("compaction", 180_000, 3_500),
                                                iteration("message", 12, 90)],
        },
    }  # fmt: skip
    told = metered(STREAMS["claude"], events(START, last, CLAUDE_EVENTS[-1]))
    assert told.tokens == Tokens(180_012, 1300, 4000, 70_000, 3_590)
    assert told.mark == "exact"


def test_a_delta_may_raise_the_input_of_a_turn_with_server_tools():
    last = {
        "type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 9_000, "cache_creation_input_tokens": 6_000, "output_tokens": 5},
    }  # fmt: skip
    told = metered(STREAMS["claude"], events(START, last, CLAUDE_EVENTS[-1]))
    assert told.tokens == Tokens(9_000, 2_000, 4_000, 70_000, 5)


@pytest.mark.parametrize(
    ("ttl", "short", "long", "lifetime"),
    [(None, 700, 0, 5 * MINUTE), ("5m", 700, 0, 5 * MINUTE), ("1h", 0, 700, HOUR)],
)
def test_writes_without_a_split_have_the_lifetime_asked_for(ttl, short, long, lifetime):
    control = {"type": "ephemeral"} | ({"ttl": ttl} if ttl else {})
    system = [{"type": "text", "text": "x", "cache_control": control}]
    told = claude({**CLAUDE_COUNTS, "cache_creation_input_tokens": 700}, system=system)
    assert told.tokens == Tokens(10, short, long, 0, 20)
    assert told.lifetime_ms == lifetime


def test_what_was_only_read_lives_as_long_as_was_asked():
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    read = {**CLAUDE_COUNTS, "cache_read_input_tokens": 9}
    assert claude(read, messages=[{"role": "user", "content": [marked]}]).lifetime_ms == HOUR
    assert claude(read).lifetime_ms == 5 * MINUTE
    assert claude(CLAUDE_COUNTS).lifetime_ms is None


def test_a_provider_may_announce_other_lifetimes():
    split = {"ephemeral_5m_input_tokens": 7, "ttl_s": {"5m": 3, "1h": 36}}
    usage = {**CLAUDE_COUNTS, "cache_creation_input_tokens": 7, "cache_creation": split}
    assert claude(usage).lifetime_ms == 3000


@pytest.mark.parametrize(
    ("usage", "tier", "geo"),
    [
        ({"service_tier": "standard"}, "standard", ""),
        ({"service_tier": "batch", "inference_geo": "us"}, "batch", "us"),
        ({"service_tier": "standard", "speed": "fast"}, "fast", ""),
        ({"service_tier": "priority", "speed": "standard"}, "priority", ""),
    ],
)
def test_tiers_and_places(usage, tier, geo):
    told = claude(CLAUDE_COUNTS | usage)
    assert (told.tier, told.geo) == (tier, geo)


def test_hosts_that_tell_little_more_than_two_numbers():
    """vLLM and Ollama speak Messages with nulls for what they do not count."""
    nothing = {"cache_read_input_tokens": None, "cache_creation_input_tokens": None}
    assert claude(CLAUDE_COUNTS | nothing).tokens == Tokens(10, output=20)


def test_a_zero_output_ping_is_exact():
    told = claude({"input_tokens": 5, "output_tokens": 0}, max_tokens=0)
    assert (told.tokens, told.mark) == (Tokens(5), "exact")


@pytest.mark.parametrize("count", [-5, 1.5, 10**30, "12", True, None, [], {}])
def test_counts_that_are_none(count):
    told = claude({"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": count})
    assert 0 <= told.tokens.cache_read <= 1_000_000_000
    assert (told.tokens.input, told.tokens.output) == (7, 3)


# OpenAI and its relatives


def test_deepseek_tells_hits_and_misses():
    usage = {
        "prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010,
        "prompt_cache_hit_tokens": 896, "prompt_cache_miss_tokens": 104,
    }  # fmt: skip
    assert chat(usage).tokens == Tokens(104, cache_read=896, output=10)


def test_kimi_tells_hits_at_the_top_and_usage_inside_of_a_choice():
    usage = {"prompt_tokens": 500, "completion_tokens": 4, "cached_tokens": 256}
    last = chunk(finish="stop")
    last["choices"][0]["usage"] = usage
    told = metered(STREAMS["chat"], events(CHAT_EVENTS[0], last, "[DONE]", named=False))
    assert (told.tokens, told.mark) == (Tokens(244, cache_read=256, output=4), "exact")


def test_groq_tells_usage_in_its_own_place():
    last = {
        **chunk(finish="stop"),
        "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 6}},
    }
    told = metered(STREAMS["chat"], events(CHAT_EVENTS[0], last, "[DONE]", named=False))
    assert (told.tokens, told.mark) == (Tokens(5, output=6), "exact")


def test_thinking_left_out_of_the_completion_is_in_the_total():
    """Gemini and xAI on OpenAI's wire."""
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}
    assert chat(usage).tokens == Tokens(10, output=105)


def test_running_counts_are_overwritten():
    """vLLM can repeat its counts in every chunk."""
    growing = [
        chunk({"content": "x"}, usage={"prompt_tokens": 7, "completion_tokens": n})
        for n in range(9)
    ]
    last = chunk(finish="stop", usage={"prompt_tokens": 7, "completion_tokens": 9})
    told = metered(STREAMS["chat"], events(*growing, last, "[DONE]", named=False))
    assert told.tokens == Tokens(7, output=9)
    cut = STREAMS["chat"].meter()
    cut.feed(events(*growing, named=False))
    half = cut.result(cut=True)
    assert (half.mark, half.tokens.input) == ("estimated", 7)
    assert half.tokens.output >= 256


def test_zeros_are_no_count():
    told = chat({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
    assert told.mark == "estimated"
    assert told.tokens.output > 0


def test_usage_may_come_behind_the_end():
    late = chunk(usage={"prompt_tokens": 7, "completion_tokens": 9}, choices=False)
    told = metered(STREAMS["chat"], events(*CHAT_EVENTS, "[DONE]", late, named=False))
    assert (told.tokens, told.mark) == (Tokens(7, output=9), "exact")


def test_more_cached_than_sent_is_no_negative_input():
    told = chat({
        "prompt_tokens": 10, "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 50},
    })  # fmt: skip
    assert told.tokens == Tokens(0, 0, 0, 10, 1)


@pytest.mark.parametrize(
    ("details", "asked", "lifetime"),
    [
        ({"cache_write_tokens": 5}, {}, 30 * MINUTE),
        ({"cache_write_tokens": 5}, {"prompt_cache_options": {"ttl": "12h"}}, 12 * HOUR),
        ({"cached_tokens": 5}, {"prompt_cache_retention": "24h"}, 24 * HOUR),
        ({"cached_tokens": 5}, {}, None),
        ({"cached_tokens": 5, "cache_ttl_s": 18}, {}, 18_000),
        ({}, {"prompt_cache_options": {"ttl": "12h"}}, None),
    ],
)
def test_openai_lifetimes(details, asked, lifetime):
    usage = {"input_tokens": 50, "output_tokens": 5, "input_tokens_details": details}
    assert responses(usage, **asked).lifetime_ms == lifetime


def test_the_tier_of_the_answer_counts():
    told = responses({"input_tokens": 1, "output_tokens": 2}, service_tier="auto")
    assert told.tier == "priority"
    assert metered(STREAMS["chat"], STREAMS["chat"].answer).tier == "default"


def test_tiers_of_other_hosts():
    groq = {**chunk({"content": "x"}), "service_tier": "on_demand"}
    assert metered(STREAMS["chat"], events(groq, named=False)).tier == "default"
    usage = {"promptTokenCount": 8, "trafficType": "ON_DEMAND_FLEX"}
    assert metered(WHOLE["gemini"], json.dumps({"usageMetadata": usage}).encode()).tier == "flex"


@pytest.mark.parametrize(
    ("asked", "tier"), [("priority", "priority"), ("flex", ""), ("auto", ""), (None, "")]
)
def test_an_answer_that_told_no_tier_is_not_cheaper_than_asked(asked, tier):
    request = {**RESPONSES_ASKED, "service_tier": asked}
    case = Case("responses", "/v1/responses", request, SSE, b"", NO_TOKENS)
    assert metered(case, b"").tier == tier


@pytest.mark.parametrize(
    ("status", "mark", "complete"),
    [("completed", "exact", True), ("incomplete", "exact", True), ("failed", "exact", False)],
)
def test_every_end_of_a_response_has_its_usage(status, mark, complete):
    told = responses({"input_tokens": 1, "output_tokens": 2}, status)
    assert (told.mark, told.complete, told.tokens) == (mark, complete, Tokens(1, output=2))


def test_a_response_in_the_background_is_not_over():
    body = json.dumps(response("queued")).encode()
    told = metered(WHOLE["responses"], body)
    assert (told.mark, told.complete) == ("estimated", False)


def test_a_compaction_is_a_call():
    case = Case("responses", "/v1/responses/compact", RESPONSES_ASKED, JSON, b"", NO_TOKENS)
    body = {"id": "resp_c", "object": "response.compaction", "output": []}
    usage = {"input_tokens": 90_000, "output_tokens": 800}
    told = metered(case, json.dumps({**body, "usage": usage}).encode())
    assert (told.tokens, told.mark) == (Tokens(90_000, output=800), "exact")


# Google, Ollama


def test_a_blocked_prompt_is_billed_and_over():
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 8}}
    told = metered(WHOLE["gemini"], json.dumps(body).encode())
    assert (told.tokens, told.mark, told.complete) == (Tokens(8), "exact", True)


def test_searches_of_gemini_are_counted():
    grounded = {"content": {"parts": []}, "finishReason": "STOP"}
    grounded["groundingMetadata"] = {"webSearchQueries": ["a", "b"]}
    body = {"candidates": [grounded], "usageMetadata": {"promptTokenCount": 8}}
    assert metered(WHOLE["gemini"], json.dumps(body).encode()).searches == 2


def test_a_truncated_gemini_stream_keeps_what_it_told():
    case = STREAMS["gemini"]
    meter = case.meter()
    meter.feed(case.answer.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
    told = meter.result(cut=True)
    assert (told.mark, told.tokens.input) == ("estimated", 9000)
    assert told.reason.startswith("broken off; input: as the provider told; ")


def test_an_unloaded_model_used_nothing():
    case = Case("ollama", "/api/chat", OLLAMA_ASKED, JSON, b"", NO_TOKENS)
    body = {"model": "m", "done": True, "prompt_eval_count": 0, "eval_count": 0}
    assert metered(case, json.dumps(body).encode()).tokens == NO_TOKENS
