"""Metering: the same bytes out and the same bill, however an answer was cut; damage is survived."""

import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.gateway.wire.registry import DIALECTS, dialect_of
from tests.gateway.wire.answers import (
    CHAT_ASKED,
    CHAT_END,
    CHAT_EVENTS,
    CHAT_TOKENS,
    CLAUDE_ASKED,
    CLAUDE_EVENTS,
    JSON,
    OLLAMA_ASKED,
    RESPONSE_EVENTS,
    RESPONSES_ASKED,
    SSE,
    START,
    STREAMS,
    WHOLE,
    Case,
    chunk,
    cut_at,
    events,
    lines,
    passed,
    response,
    text_delta,
)

EVERY = {**STREAMS, **{f"{name}, whole": case for name, case in WHOLE.items()}}
each = pytest.mark.parametrize("case", EVERY.values(), ids=EVERY)
each_stream = pytest.mark.parametrize("case", STREAMS.values(), ids=STREAMS)
places = st.lists(st.integers(0, 100_000), max_size=40)


@each
def test_an_answer_costs_what_its_provider_told(case):
    meter = case.meter()
    assert passed(meter, [case.answer]) == case.answer
    metered = meter.result(cut=False)
    assert (metered.tokens, metered.mark, metered.complete) == (case.tokens, "exact", True)
    assert (metered.message, metered.searches, metered.reason) == (case.message, case.searches, "")
    assert meter.observed == case.tokens


@each
@given(places=places, ending=st.integers(0, 100_000), looking=st.booleans())
@settings(max_examples=60, deadline=None)
def test_however_it_is_cut(case, places, ending, looking):
    """Cut in pieces and broken off anywhere: the bill does not depend on the pieces."""
    answer = case.answer[: ending % (len(case.answer) * 2)]
    one, many = case.meter(), case.meter()
    out = bytearray(one.feed(answer) + one.rest())
    again = bytearray()
    for piece in cut_at(answer, places):
        again += many.feed(piece)
        if looking:
            assert many.observed.output >= 0
    again += many.rest()
    assert out == again == answer
    assert one.result(cut=True) == many.result(cut=True)


def test_a_chunk_passes_as_the_same_object():
    chunk = STREAMS["claude"].answer
    assert STREAMS["claude"].meter().feed(chunk) is chunk


def test_large_answers_are_read_as_they_come():
    """Batches, not the end of the answer, make the estimate grow."""
    meter = STREAMS["claude"].meter()
    meter.feed(events(START))
    for _ in range(400):
        meter.feed(events(text_delta("fourteen bytes" * 10)))
    assert meter.observed.output == 400 * 140 / 3.5
    assert meter.observed.cache_read == 70_000


def test_a_huge_event():
    huge = "word " * 1_000_000
    answer = events(START, text_delta(huge), *CLAUDE_EVENTS[-2:])
    meter = STREAMS["claude"].meter()
    pieces = [answer[at : at + 4096] for at in range(0, len(answer), 4096)]
    assert passed(meter, pieces) == answer
    assert meter.result(cut=False).tokens.output == 90


def test_an_event_of_several_data_lines_and_comments():
    told = json.dumps(CLAUDE_EVENTS[-2], indent=1).replace("\n", "\ndata: ")
    answer = events(START) + f": hello\nid: 7\ndata: {told}\nretry: 5\n\n: bye\n\n".encode()
    meter = STREAMS["claude"].meter()
    meter.feed(answer)
    assert meter.result(cut=False).tokens.output == 90


@each_stream
@pytest.mark.parametrize("bad", [b"{", b"[1]", b"null", b'{"usage":', b"\xff\xfe", b'"x"', b"{}"])
def test_unreadable_parts_pass_and_change_nothing(case, bad):
    lined = case.wire == "ollama"
    noise = bad + b"\n" if lined else b"data: " + bad + b"\n\n"
    if case.content_type == JSON:
        return
    meter = case.meter()
    assert passed(meter, [noise, case.answer, noise]) == noise + case.answer + noise
    assert meter.result(cut=False).tokens == case.tokens


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "type", "usage", "message", "delta", "choices", "response", "error", "candidates",
                "usageMetadata", "done", "output_tokens", "prompt_tokens", "promptTokenCount",
                "input_tokens", "iterations", "content", "parts", "id", "model", "status", "item",
                "cache_creation", "prompt_tokens_details", "eval_count", "tool_calls", "finish_reason",
            ]
        ),
        inner | st.sampled_from(["message_start", "message_delta", "message", "completed", "error"]),
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@each_stream
@given(body=values)
@settings(max_examples=60, deadline=None)
def test_nonsense_is_never_fatal(case, body):
    text = json.dumps(body).encode()
    for answer in (text, b"data: " + text + b"\n\n", text + b"\n"):
        meter = case.meter()
        assert passed(meter, [answer]) == answer
        metered = meter.result(cut=False)
        assert min(metered.tokens.by_class().values()) >= 0
        assert metered.tokens.reasoning <= metered.tokens.output


# Answers that do not end as they should


@pytest.mark.parametrize("kept", range(1, len(CLAUDE_EVENTS)))
def test_a_truncated_claude_stream_is_never_below_its_start(kept):
    meter = STREAMS["claude"].meter()
    meter.feed(events(*CLAUDE_EVENTS[:kept]))
    metered = meter.result(cut=True)
    assert not metered.complete
    assert (metered.tokens.input, metered.tokens.cache_read) == (12, 70_000)
    assert (metered.tokens.cache_write_5m, metered.tokens.cache_write_1h) == (1300, 4000)
    told = kept == len(CLAUDE_EVENTS) - 1
    assert metered.mark == ("exact" if told else "estimated")
    assert metered.tokens.output >= 90
    assert bool(metered.reason) is not told


def test_the_rule_of_an_estimate_is_named():
    meter = STREAMS["claude"].meter()
    meter.feed(events(START, CLAUDE_EVENTS[1], text_delta("x" * 3500)))
    metered = meter.result(cut=True)
    assert metered.tokens.output == 1100 + 256
    assert metered.reason == (
        "broken off; input: as the provider told; output: bytes seen / 3.5 x 1.1 + 256 not seen"
    )


@pytest.mark.parametrize("name", ["chat", "responses", "gemini", "ollama"])
def test_without_a_word_from_the_provider_the_input_is_the_requests_bound(name):
    case = STREAMS[name]
    _, asked = dialect_of(case.path, {}, case.body)
    metered = case.meter().result(cut=True)
    assert metered.mark == "estimated"
    assert metered.tokens.input == asked.prompt > 0
    assert metered.tokens.output >= 256
    assert metered.reason.startswith("broken off; input: the request's upper bound; ")


def test_thinking_that_cannot_be_seen_is_presumed():
    asked = {**RESPONSES_ASKED, "reasoning": {"effort": "high"}}
    meter = Case("responses", "/v1/responses", asked, SSE, b"", NO_TOKENS).meter()
    meter.feed(events(*RESPONSE_EVENTS[:2]))
    assert meter.result(cut=True).tokens.output > 8_192
    shown = {"type": "response.reasoning_text.delta", "delta": "x" * 3500 * 4}
    meter = Case("responses", "/v1/responses", asked, SSE, b"", NO_TOKENS).meter()
    meter.feed(events(RESPONSE_EVENTS[0], shown))
    metered = meter.result(cut=True)
    assert metered.tokens.output == 4_400 + 4_192
    assert metered.tokens.reasoning == 4_000


@pytest.mark.parametrize(
    ("first", "hidden"),
    [({"type": "thinking", "thinking": ""}, 8192), ({"type": "tool_use", "name": ""}, 256)],
)
def test_an_answer_that_begins_without_thinking_hides_none(first, hidden):
    asked = {**CLAUDE_ASKED, "max_tokens": 64_000}
    meter = Case("anthropic", "/v1/messages", asked, SSE, b"", NO_TOKENS).meter()
    opened = {"type": "content_block_start", "index": 0, "content_block": first}
    meter.feed(events(START, opened, {**CLAUDE_EVENTS[1], "index": 1}))
    assert meter.result(cut=True).tokens.output == hidden
    asked = {**RESPONSES_ASKED, "reasoning": {"effort": "high"}}
    meter = Case("responses", "/v1/responses", asked, SSE, b"", NO_TOKENS).meter()
    kind = "reasoning" if hidden > 256 else "message"
    added = [{"type": "response.output_item.added", "item": {"type": name}} for name in (kind, "x")]
    meter.feed(events(RESPONSE_EVENTS[0], *added))
    assert meter.result(cut=True).tokens.output == hidden


def test_an_estimate_stays_below_the_limit_that_was_asked():
    asked = {**CLAUDE_ASKED, "max_tokens": 300}
    meter = Case("anthropic", "/v1/messages", asked, SSE, b"", NO_TOKENS).meter()
    meter.feed(events(START, text_delta("x" * 350)))
    assert meter.result(cut=True).tokens.output == 300


def test_a_stream_that_tells_no_usage():
    meter = STREAMS["chat"].meter()
    meter.feed(events(*CHAT_EVENTS, "[DONE]", named=False))
    metered = meter.result(cut=False)
    assert (metered.mark, metered.complete) == ("estimated", True)
    assert metered.reason.startswith("the answer did not tell all usage")


def test_a_stream_without_done_but_with_its_usage():
    meter = STREAMS["chat"].meter()
    meter.feed(events(*CHAT_EVENTS, CHAT_END[0], named=False))
    metered = meter.result(cut=False)
    assert (metered.mark, metered.complete, metered.tokens) == ("exact", True, CHAT_TOKENS)


@pytest.mark.parametrize(
    ("name", "answer", "kind"),
    [
        (
            "claude",
            events(START, {"type": "error", "error": {"type": "overloaded_error", "message": "s"}}),
            "overloaded_error",
        ),
        ("chat", events({"error": {"message": "secret", "code": "x9"}}, named=False), "x9"),
        (
            "responses",
            events(
                RESPONSE_EVENTS[0],
                {
                    "type": "response.failed",
                    "response": {
                        **response("failed"), "error": {"code": "server_error", "message": "s"}
                    },
                },
            ),
            "server_error",
        ),
        ("gemini", events({"error": {"code": 503, "status": "UNAVAILABLE"}}, named=False),
         "UNAVAILABLE"),
        ("ollama", lines({"error": "out of memory"}), "error"),
    ],
)  # fmt: skip
def test_an_error_inside_of_a_good_answer(name, answer, kind):
    meter = STREAMS[name].meter()
    meter.feed(answer)
    metered = meter.result(cut=False)
    assert (metered.mark, metered.complete) == ("estimated", False)
    assert metered.reason.startswith(f"the stream told an error ({kind}); ")
    assert metered.tokens.prompt > 0


@each
@pytest.mark.parametrize("status", [400, 401, 402, 404, 429, 500, 503, 529])
def test_an_error_status_costs_nothing(case, status):
    meter = case.meter(status)
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"the prompt was: s"}}'
    assert meter.feed(error) is error
    metered = meter.result(cut=False)
    assert (metered.tokens, metered.mark, metered.complete) == (NO_TOKENS, "exact", False)
    assert metered.reason == f"HTTP {status} overloaded_error: nothing was used"


def test_an_error_page_is_no_error_of_the_meter():
    meter = STREAMS["claude"].meter(502)
    meter.feed(b"<html>bad gateway</html>")
    assert meter.result(cut=False).reason == "HTTP 502 error: nothing was used"


@each
def test_a_compressed_answer_is_metered_all_the_same(case):
    packed = gzip.compress(case.answer)
    meter = case.meter()
    assert passed(meter, cut_at(packed, range(3, 400, 17))) == packed
    assert meter.result(cut=False).tokens == case.tokens


@pytest.mark.parametrize("kept", [10, 60, -9])
def test_a_compressed_answer_that_is_cut(kept):
    case = STREAMS["claude"]
    meter = case.meter()
    meter.feed(gzip.compress(case.answer)[:kept])
    metered = meter.result(cut=True)
    assert metered.tokens.prompt > 0
    assert metered.tokens.output >= 90


def test_an_answer_nobody_can_unpack_is_estimated_high():
    meter = STREAMS["claude"].meter()
    brotli = b"\x1b\x07\x01\x00\xc4/\xa1\x97" + bytes(range(256)) * 20
    meter.feed(brotli)
    metered = meter.result(cut=False)
    assert metered.mark == "estimated"
    assert metered.tokens.output == 4096, "the limit that was asked for"
    assert metered.reason.startswith("the answer could not be read; ")


@pytest.mark.parametrize(
    ("path", "wire"),
    [("/v1/messages/count_tokens", "anthropic"), ("/v1/responses/input_tokens", "responses"),
     ("/v1beta/models/gemini-3.8-flash:countTokens", "gemini"), ("/api/ps", "ollama"),
     ("/v1/models", "chat")],
)  # fmt: skip
def test_what_is_free_costs_nothing(path, wire):
    dialect, asked = dialect_of(path, {}, b"" if path == "/v1/models" else b'{"model":"m"}')
    assert (dialect.name, asked.paid) == (wire, False)
    meter = dialect.meter(asked, 200, JSON)
    meter.feed(b'{"input_tokens": 12}')
    metered = meter.result(cut=False)
    assert (metered.tokens, metered.mark) == (NO_TOKENS, "exact")


def test_loading_a_local_model_is_free():
    dialect, asked = dialect_of("/api/generate", {}, b'{"model":"m","keep_alive":-1}')
    assert not asked.paid
    assert dialect is DIALECTS["ollama"]


def test_old_ollama_leaves_out_a_prompt_it_had_cached():
    meter = Case("ollama", "/api/chat", OLLAMA_ASKED, JSON, b"", NO_TOKENS).meter()
    meter.feed(lines({"model": "m", "done": True, "eval_count": 38}))
    metered = meter.result(cut=False)
    assert (metered.mark, metered.complete, metered.tokens.output) == ("estimated", True, 38)
    assert metered.tokens.input > 0


# The usage we ask for and the client did not

SILENT = Case(
    "chat", "/v1/chat/completions",
    {"model": "gpt-6.1-sol", "stream": True, "messages": []}, SSE,
    events(*CHAT_EVENTS, *CHAT_END, named=False), CHAT_TOKENS,
)  # fmt: skip


@given(places=places, crlf=st.booleans())
@settings(deadline=None)
def test_usage_nobody_asked_for_is_taken_out(places, crlf):
    end = "\r\n" if crlf else "\n"
    answer = events(*CHAT_EVENTS, *CHAT_END, named=False, end=end)
    meter = SILENT.meter()
    out = passed(meter, cut_at(answer, places))
    assert out == events(*CHAT_EVENTS, CHAT_END[1], named=False, end=end)
    metered = meter.result(cut=False)
    assert (metered.tokens, metered.mark) == (CHAT_TOKENS, "exact")


def test_whole_events_are_passed_at_once_as_the_same_object():
    meter = SILENT.meter()
    for event in CHAT_EVENTS:
        sent = events(event, named=False)
        assert meter.feed(sent) is sent


def test_only_the_chunk_of_usage_goes():
    """Usage beside content stays, as does a first chunk without choices."""
    first = {**chunk(choices=False), "prompt_filter_results": []}
    beside = chunk({"content": "x"}, usage=CHAT_END[0]["usage"])
    answer = events(first, beside, named=False) + b'data: {bad _tokens": }\n\ndata: [DONE]'
    assert passed(SILENT.meter(), [answer]) == answer


def test_the_last_event_may_lack_its_empty_line():
    answer = events(*CHAT_EVENTS, CHAT_END[0], named=False).rstrip()
    meter = SILENT.meter()
    assert passed(meter, [answer]) == events(*CHAT_EVENTS, named=False)
    assert meter.result(cut=False).mark == "exact"


def test_usage_asked_for_is_passed_on():
    case = Case("chat", "/v1/chat/completions", CHAT_ASKED, SSE, SILENT.answer, CHAT_TOKENS)
    assert passed(case.meter(), [case.answer]) == case.answer


def test_tokens_are_disjoint_classes():
    assert Tokens(6, 80, 0, 1920).prompt == CHAT_END[0]["usage"]["prompt_tokens"]
