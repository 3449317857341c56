"""What a request asks for: bounds that only err high, parts by origin, limits, lifetimes, sessions."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.composition import Composition
from cockpit.gateway.wire.registry import DIALECTS, dialect_of
from tests.gateway.wire.answers import GEMINI_STREAM

PATHS = {
    "anthropic": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "gemini": GEMINI_STREAM,
    "ollama": "/api/chat",
}


def asked(wire, body, headers=None):
    return DIALECTS[wire].asked(PATHS[wire], headers or {}, json.dumps(body).encode())


def tokens(text, wire=""):
    """Three bytes a token and 15 % (30 % for Claude's newer tokenizer), rounded up."""
    return -(-len(text.encode()) * (130 if wire == "anthropic" else 115) // 300)


SYSTEM, QUESTION, FILE, LISTING = "s" * 3000, "q" * 600, "f" * 9000, "l" * 900
TOOLS_OF_CLAUDE = [{"name": "Read", "input_schema": {"type": "object"}}]

CONVERSATIONS = {
    "anthropic": {
        "model": "claude-opus-5", "system": [{"type": "text", "text": SYSTEM}],
        "tools": TOOLS_OF_CLAUDE,
        "messages": [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t" * 300, "signature": "c2ln"},
                {"type": "text", "text": "a" * 300},
                {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a"}},
                {"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "ls"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1",
                 "content": [{"type": "text", "text": FILE}]},
                {"type": "tool_result", "tool_use_id": "t2", "content": LISTING},
            ]},
        ],
    },
    "chat": {
        "model": "gpt-6.1-sol", "tools": [{"type": "function", "function": {"name": "read_file"}}],
        "messages": [
            {"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "a" * 300, "reasoning_content": "t" * 300,
             "tool_calls": [
                 {"id": "t1", "function": {"name": "read_file", "arguments": "{}"}},
                 {"id": "t2", "function": {"name": "shell", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "t1", "content": FILE},
            {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": LISTING}]},
        ],
    },
    "responses": {
        "model": "gpt-6.1-sol", "instructions": SYSTEM,
        "tools": [{"type": "function", "name": "read_file"}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
            {"type": "reasoning", "encrypted_content": "t" * 300, "summary": []},
            {"type": "message", "role": "assistant",
             "content": [{"type": "output_text", "text": "a" * 300}]},
            {"type": "function_call", "call_id": "t1", "name": "read_file", "arguments": "{}"},
            {"type": "function_call", "call_id": "t2", "name": "shell", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t1", "output": FILE},
            {"type": "function_call_output", "call_id": "t2",
             "output": [{"type": "input_text", "text": LISTING}]},
        ],
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": SYSTEM}]},
        "tools": [{"functionDeclarations": [{"name": "read_file"}]}],
        "contents": [
            {"role": "user", "parts": [{"text": QUESTION}]},
            {"role": "model", "parts": [
                {"text": "t" * 300, "thought": True}, {"text": "a" * 300},
                {"functionCall": {"name": "read_file", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "read_file", "response": {"output": FILE}}},
                {"functionResponse": {"name": "run_shell", "response": {"output": LISTING}}}]},
        ],
    },
    "ollama": {
        "model": "qwen3-coder:30b", "tools": [{"type": "function"}],
        "messages": [
            {"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": "a" * 300, "thinking": "t" * 300,
             "tool_calls": [{"function": {"name": "read_file", "arguments": {}}}]},
            {"role": "tool", "tool_name": "read_file", "content": FILE},
            {"role": "tool", "tool_name": "shell", "content": LISTING},
        ],
    },
}  # fmt: skip

each_wire = pytest.mark.parametrize("wire", CONVERSATIONS)


@each_wire
def test_every_part_is_counted_where_it_comes_from(wire):
    made = asked(wire, CONVERSATIONS[wire]).composition
    near = {
        "system": tokens(SYSTEM, wire), "user": tokens(QUESTION, wire), "files": tokens(FILE, wire),
        "tool_results": tokens(LISTING, wire),
    }  # fmt: skip
    for origin, least in near.items():
        assert least <= getattr(made, origin) <= least + 60, origin
    some = tokens("t" * 300, wire)
    assert some <= made.thinking <= some + 60
    assert some <= made.assistant <= some + 140
    assert made.tools > 0
    assert made.media == 0


@each_wire
def test_the_bound_covers_every_byte_of_text(wire):
    made = asked(wire, CONVERSATIONS[wire])
    assert made.prompt > made.composition.total
    assert made.prompt > tokens(SYSTEM + QUESTION + FILE + LISTING + "x" * 600) + 256
    grown = json.loads(json.dumps(CONVERSATIONS[wire]).replace(FILE, FILE + "日本" * 500))
    more = asked(wire, grown).prompt - made.prompt
    assert abs(more - tokens("日本" * 500, wire)) <= 1


@pytest.mark.parametrize(
    ("arguments", "origin"),
    [
        ({"cmd": "sed -n '1,200p' src/main.rs"}, "files"),
        ({"command": ["bash", "-lc", "cat README.md"]}, "files"),
        ({"command": "cat a b | wc -l"}, "files"),
        ({"command": "cat > a <<EOF\nx\nEOF"}, "tool_results"),
        ({"command": "tail -f log"}, "tool_results"),
        ({"command": "pytest -q"}, "tool_results"),
        ({"pattern": "cat a"}, "tool_results"),
    ],
)
def test_a_shell_that_prints_a_file_read_it(arguments, origin):
    call = {"type": "function_call", "call_id": "c", "name": "shell"}
    result = {"type": "function_call_output", "call_id": "c", "output": FILE}
    body = {"input": [{**call, "arguments": json.dumps(arguments)}, result]}
    assert getattr(asked("responses", body).composition, origin) == tokens(FILE)
    used = {"type": "tool_use", "id": "c", "name": "Bash", "input": arguments}
    result = {"type": "tool_result", "tool_use_id": "c", "content": FILE}
    body = {"messages": [{"role": "user", "content": [used, result]}]}
    assert getattr(asked("anthropic", body).composition, origin) == tokens(FILE)


def test_digits_may_be_tokens_of_their_own():
    """Each is one in Gemini's and in Llama's tokenizers."""

    def user(text):
        said = {"role": "user", "parts": [{"text": text}]}
        return asked("gemini", {"contents": [said]}).composition.user

    assert user("x" * 9000) == 3450
    assert 8900 <= user("7" * 9000) <= 9100


@each_wire
@given(
    body=st.binary(max_size=60) | st.text(max_size=40).map(lambda text: json.dumps(text).encode())
)
def test_any_body_is_taken(wire, body):
    made = DIALECTS[wire].asked(PATHS[wire], {}, body)
    assert made.prompt > 0
    assert made.dialect == wire


@each_wire
@pytest.mark.parametrize("bad", [None, 5, "x", [], [None], [[]], {"a": 1}, [{"role": 7}], True])
def test_any_shape_is_taken(wire, bad):
    names = (
        "model", "messages", "input", "contents", "tools", "system", "instructions", "stream",
        "max_tokens", "thinking", "reasoning", "text", "generationConfig", "options", "images",
        "prompt_cache_options", "stream_options", "output_config", "response_format", "prompt",
    )  # fmt: skip
    for name in names:
        made = asked(wire, {**CONVERSATIONS[wire], name: bad})
        assert made.prompt > 0
    inner = {"role": "user", "content": bad, "parts": bad, "tool_calls": bad}
    part = {"type": bad, "cache_control": {"ttl": bad}, "source": bad, "functionResponse": bad}
    other = {"role": bad, "type": bad, "content": [bad, part], "parts": [bad, part]}
    call = {"type": "tool_use", "id": bad, "name": bad}
    tools = [{"type": bad, "max_uses": bad, "cache_control": {"ttl": bad}}, bad]
    for name in ("messages", "input", "contents"):
        body = {"model": "m", name: [inner, other, bad, {"role": "user", "content": [call]}]}
        assert asked(wire, {**body, "tools": tools})
        sent = json.dumps(body).encode()
        assert json.loads(DIALECTS[wire].prepared(sent, max_output=5, note="x"))


def test_lone_surrogates_of_javascript_are_taken():
    body = b'{"model":"claude-opus-5","messages":[{"role":"user","content":"\\ud83d oops"}]}'
    made = DIALECTS["anthropic"].asked("/v1/messages", {}, body)
    assert made.model == "claude-opus-5"
    assert made.composition.user > 0


def test_names_are_safe_to_show():
    made = asked("chat", {"model": "gpt\x1b]52;c;aGk=\x07-6" + "x" * 500})
    assert "\x1b" not in made.model
    assert len(made.model) <= 200


@pytest.mark.parametrize(
    ("wire", "body", "most"),
    [
        ("anthropic", {"max_tokens": 900}, 900),
        ("anthropic", {"max_tokens": 0}, 0),
        ("anthropic", {}, None),
        ("chat", {"max_tokens": 700}, 700),
        ("chat", {"max_completion_tokens": 800, "max_tokens": 1}, 800),
        ("responses", {"max_output_tokens": 600}, 600),
        ("responses", {"prompt_cache_options": {"prewarm": True}}, 0),
        ("gemini", {"generationConfig": {"maxOutputTokens": 500}}, 500),
        ("gemini", {"generation_config": {"max_output_tokens": 400}}, 400),
        ("ollama", {"options": {"num_predict": 300}}, 300),
        ("ollama", {"options": {"num_predict": -1}}, None),
        ("chat", {"max_tokens": "many"}, None),
        ("chat", {"max_tokens": 100, "n": 4}, 400),
        ("gemini", {"generationConfig": {"maxOutputTokens": 100, "candidateCount": 2}}, 200),
        ("chat", {"max_tokens": -3}, None),
    ],
)
def test_limits(wire, body, most):
    assert asked(wire, body).max_output == most


MARK = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("wire", "body", "lifetime"),
    [
        ("anthropic", {"cache_control": MARK}, "5m"),
        ("anthropic", {"system": [{"type": "text", "text": "x", "cache_control": LONG}],
                       "cache_control": MARK}, "1h"),
        ("anthropic", {"tools": [{"name": "a", "cache_control": LONG}]}, "1h"),
        ("anthropic", {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "x", "cache_control": MARK}]}]}, "5m"),
        ("anthropic", {"system": "x"}, ""),
        ("responses", {"prompt_cache_options": {"ttl": "12h"}}, "12h"),
        ("responses", {"prompt_cache_retention": "24h"}, "24h"),
        ("chat", {"prompt_cache_options": {"ttl": "30m"}}, "30m"),
        ("chat", {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "x", "cache_control": LONG}]}]}, "1h"),
        ("chat", {}, ""),
        ("ollama", {"keep_alive": "10m"}, "10m"),
        ("ollama", {"keep_alive": 300}, "300s"),
    ],
)  # fmt: skip
def test_cache_lifetimes(wire, body, lifetime):
    assert asked(wire, body).lifetime == lifetime


@pytest.mark.parametrize(
    ("wire", "headers", "session"),
    [
        ("anthropic", {"X-Claude-Code-Session-Id": "c-1"}, "c-1"),
        ("responses", {"session-id": "s-1", "thread-id": "t-1"}, "s-1"),
        ("responses", {"thread-id": "t-1"}, "t-1"),
        ("chat", {"x-session-id": "o-1", "x-session-affinity": "o-2"}, "o-1"),
        ("chat", {"X-Session-Affinity": "o-2"}, "o-2"),
        ("ollama", {}, ""),
    ],
)
def test_sessions(wire, headers, session):
    assert asked(wire, {}, headers).session == session


def test_tiers_places_searches():
    fast = asked("anthropic", {"speed": "fast", "inference_geo": "us", "tools": [
        {"type": "web_search_20260209", "name": "web_search", "max_uses": 3}]})  # fmt: skip
    assert (fast.tier, fast.geo, fast.searches) == ("fast", "us", 3)
    assert fast.prompt > 3 * 40_000
    flex = asked("responses", {"service_tier": "flex", "tools": [{"type": "web_search"}]})
    assert (flex.tier, flex.searches) == ("flex", 10)
    assert asked("chat", {"service_tier": "auto"}).tier == ""


@pytest.mark.parametrize(
    ("wire", "body", "unseen"),
    [
        ("anthropic", {"model": "claude-opus-4-6"}, 0),
        ("anthropic", {"model": "claude-opus-5"}, 8192),
        ("anthropic", {"model": "claude-opus-5-5"}, 8192),
        ("anthropic", {"model": "claude-opus-5-5", "output_config": {"effort": "low"}}, 1024),
        ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 5000}}, 5000),
        ("anthropic", {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, 0),
        ("responses", {"model": "gpt-6.1-sol"}, 4096),
        ("responses", {"model": "gpt-6.1-sol", "background": True}, 32_768),
        ("responses", {"background": True, "max_output_tokens": 500}, 500),
        ("responses", {"model": "gpt-6.1-sol", "reasoning": {"effort": "xhigh"}}, 16_384),
        ("chat", {"model": "deepseek-flash"}, 0),
        ("chat", {"model": "openai/gpt-6-sol", "reasoning_effort": "none"}, 0),
        ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingBudget": 700}}}, 700),
        ("gemini", {}, 8192),
    ],
)
def test_thinking_that_will_not_show(wire, body, unseen):
    assert asked(wire, body).unseen == unseen


@pytest.mark.parametrize(
    "body",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
    ],
)
def test_a_conversation_kept_by_the_provider_is_presumed_long(body):
    assert asked("responses", body).prompt > 270_000


# Media: their tokens do not follow from base64

PICTURE = base64.b64encode(b"\x89PNG" + bytes(300_000)).decode()
PDF = base64.b64encode(b"%PDF-1.7 /Type /Pages " + b"/Type /Page " * 3 + bytes(99_000)).decode()


def source(kind, data):
    return {"type": "base64", "media_type": kind, "data": data}


@pytest.mark.parametrize(
    ("wire", "part", "tokens"),
    [
        ("anthropic", {"type": "image", "source": source("image/png", PICTURE)}, 4784),
        ("anthropic", {"type": "image", "source": {"type": "url", "url": "https://x/y"}}, 4784),
        ("anthropic", {"type": "document", "source": source("application/pdf", PDF)}, 3 * 4600),
        ("anthropic", {"type": "document", "source": {"type": "file", "file_id": "f"}}, 460_000),
        ("chat", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
         4000),
        ("chat", {"type": "input_audio", "input_audio": {"data": "A" * 4000, "format": "mp3"}}, 96),
        ("chat", {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
         13_800),
        ("responses", {"type": "input_image", "image_url": "https://x/y", "detail": "original"},
         10_000),
        ("responses", {"type": "input_file", "file_id": "f"}, 460_000),
        ("gemini", {"inlineData": {"mimeType": "image/png", "data": PICTURE}}, 4128),
        ("gemini", {"inline_data": {"mime_type": "audio/wav", "data": "A" * 4000}}, 96),
        ("gemini", {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x"}}, 100_000),
    ],
)  # fmt: skip
def test_media_are_bounded_by_their_ceilings(wire, part, tokens):
    said = {"role": "user", "content": [part], "parts": [part]}
    body = {"messages": [said], "input": [said], "contents": [said]}
    assert asked(wire, body).composition == Composition(media=tokens)


def test_pictures_of_ollama_and_in_tool_results():
    body = {"messages": [{"role": "user", "content": "", "images": [PICTURE, PICTURE]}]}
    assert asked("ollama", body).composition.media == 2 * 4096
    shown = {"type": "image", "source": source("image/png", PICTURE)}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [shown]}
    body = {"messages": [{"role": "user", "content": [result]}]}
    assert asked("anthropic", body).composition == Composition(media=4784)


# Which wire


@pytest.mark.parametrize(
    ("path", "headers", "wire", "paid"),
    [
        ("/v1/messages", {}, "anthropic", True),
        ("/anthropic/v1/messages", {}, "anthropic", True),
        ("/v1/messages/count_tokens", {}, "anthropic", False),
        ("/v1/models", {"x-api-key": "k"}, "anthropic", False),
        ("/v1/models", {"authorization": "Bearer k"}, "chat", False),
        ("/v1/models/gpt-6.1-sol", {}, "chat", False),
        ("/chat/completions", {}, "chat", True),
        ("/openai/v1/chat/completions", {}, "chat", True),
        ("/api/v1/chat/completions", {}, "chat", True),
        ("/openai/deployments/x/chat/completions", {}, "chat", True),
        ("/v1/completions", {}, "chat", True),
        ("/v1/responses", {}, "responses", True),
        ("/v1/responses/compact", {}, "responses", True),
        ("/v1/responses/resp_1", {}, "responses", False),
        ("/v1/responses/resp_1/cancel", {}, "responses", False),
        ("/v1/responses/input_tokens", {}, "responses", False),
        (GEMINI_STREAM, {}, "gemini", True),
        ("/v1beta/models/gemini-3.8-flash:generateContent", {}, "gemini", True),
        ("/v1beta/models/gemini-3.8-flash:countTokens", {}, "gemini", False),
        ("/v1beta/models", {}, "gemini", False),
        ("/api/chat", {}, "ollama", True),
        ("/api/generate", {}, "ollama", True),
        ("/api/tags", {}, "ollama", False),
        ("/api/show", {}, "ollama", False),
        ("/", {}, "chat", False),
    ],
)
def test_paths_and_their_wires(path, headers, wire, paid):
    listing = path == "/" or ("/models" in path and ":" not in path)
    body = b"" if listing else b'{"model":"m","prompt":"x","messages":["x"]}'
    dialect, made = dialect_of(path, headers, body)
    assert (dialect.name, made.dialect, made.paid) == (wire, wire, paid)
    assert made.path == path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/batches", "/v1/images/generations", "/v1/files", "/v1/threads/x/runs",
        "/v1beta/models/m:batchEmbedContents", "/v1beta/models/m", "/api/pull", "/v1/audio/speech", "/v1/batches",
        "/models/gpt2", "/", "/v1/chat/completionsx", "/xv1/messages2", "/v1beta/cachedContents",
    ],
)  # fmt: skip
def test_what_no_wire_has_is_nobodys(path):
    """Some hosts take prompts where others only list models."""
    assert dialect_of(path, {}, b'{"model":"m"}') is None


def test_the_model_of_gemini_is_in_its_path():
    made = asked("gemini", {})
    assert (made.model, made.stream) == ("gemini-3.8-flash", True)
