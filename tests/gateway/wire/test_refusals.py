"""The official SDKs take our refusals as what they document, ask once, and show the sentence."""

import json

import anthropic
import ollama
import openai
import pytest
from aiohttp import web

from cockpit.gateway.wire.registry import DIALECTS

SENTENCE = "This run has used its $5 budget, raise it with `cockpit cap` to go on."
ASKED = [{"role": "user", "content": "hi"}]


class Answering:
    """A server that gives every request the same answer and counts them."""

    def __init__(self):
        self.count = 0
        self.answer = None
        self.stream = b""

    async def handle(self, request):
        self.count += 1
        await request.read()
        if self.answer is None:
            return web.Response(body=self.stream, content_type="text/event-stream")
        return web.Response(
            status=self.answer.status, headers=self.answer.headers, body=self.answer.body
        )


@pytest.fixture
async def answering():
    """The server, its `url` set."""
    answering = Answering()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answering.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    answering.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield answering
    await runner.cleanup()


@pytest.fixture
async def claude(answering):
    async with anthropic.AsyncAnthropic(api_key="none", base_url=answering.url) as client:
        yield client


@pytest.fixture
async def gpt(answering):
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{answering.url}/v1") as client:
        yield client


async def call_claude(claude, **more):
    return await claude.messages.create(model="claude-opus-5", max_tokens=9, messages=ASKED, **more)


async def test_claude_stops_at_once(answering, claude):
    answering.answer = DIALECTS["anthropic"].refusal(SENTENCE, "claude-code")
    with pytest.raises(anthropic.PaymentRequiredError, match="budget") as caught:
        await call_claude(claude)
    assert (answering.count, caught.value.status_code) == (1, 402)
    assert caught.value.type == "billing_error"
    assert caught.value.body["error"]["message"] == SENTENCE


@pytest.mark.parametrize(
    ("agent", "error"),
    [
        ("codex", openai.BadRequestError),
        ("aider", openai.BadRequestError),
        ("mini-swe-agent", openai.AuthenticationError),
        ("opencode", openai.APIStatusError),
        ("qwen", openai.APIStatusError),
        ("generic", openai.BadRequestError),
    ],
)
async def test_chat_stops_at_once(answering, gpt, agent, error):
    answering.answer = DIALECTS["chat"].refusal(SENTENCE, agent)
    with pytest.raises(error) as caught:
        await gpt.chat.completions.create(model="gpt-6.1-sol", messages=ASKED)
    assert answering.count == 1
    assert SENTENCE in str(caught.value)
    if error is openai.APIStatusError:
        assert caught.value.status_code == 402


@pytest.mark.parametrize(("agent", "status"), [("codex", 400), ("", 400), ("opencode", 402)])
async def test_responses_stop_at_once(answering, gpt, agent, status):
    answering.answer = DIALECTS["responses"].refusal(SENTENCE, agent)
    with pytest.raises(openai.APIStatusError, match="budget") as caught:
        await gpt.responses.create(model="gpt-6.1-sol", input="hi")
    assert (answering.count, caught.value.status_code) == (1, status)


async def test_ollama_stops_at_once(answering):
    answering.answer = DIALECTS["ollama"].refusal(SENTENCE, "loop")
    with pytest.raises(ollama.ResponseError) as caught:
        await ollama.AsyncClient(answering.url).chat("m", ASKED)
    assert (answering.count, caught.value.status_code) == (1, 402)
    assert caught.value.error == SENTENCE


def test_gemini_has_googles_shape():
    refusal = DIALECTS["gemini"].refusal(SENTENCE, "gemini")
    error = json.loads(refusal.body)["error"]
    assert refusal.status == error["code"] == 402
    assert (error["message"], error["status"]) == (SENTENCE, "FAILED_PRECONDITION")


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_no_refusal_invites_to_try_again(dialect):
    for agent in ("claude-code", "codex", "aider", "mini-swe-agent", "gemini", ""):
        refusal = dialect.refusal(SENTENCE, agent)
        assert refusal.headers["x-should-retry"] == "false"
        assert refusal.status in {400, 401, 402}
        assert SENTENCE in json.dumps(json.loads(refusal.body), ensure_ascii=False)


async def test_who_is_asked_to_wait_comes_back(answering, claude, gpt):
    answering.answer = DIALECTS["anthropic"].retry_later(SENTENCE, 1)
    with pytest.raises(anthropic.RateLimitError):
        await claude.with_options(max_retries=1).messages.create(
            model="claude-opus-5", max_tokens=9, messages=ASKED
        )
    assert answering.count == 2


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_waiting_is_told_in_seconds_that_clients_obey(dialect):
    for seconds, told in ((0, "1"), (30, "30"), (9000, "120")):
        later = dialect.retry_later(SENTENCE, seconds)
        assert later.headers["retry-after"] == told
        assert later.status in {429, 503}


# The end of a stream that we stop, and what keeps one open

CLAUDE_START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message",'
    b'"role":"assistant","model":"c","content":[],"stop_reason":null,"stop_sequence":null,'
    b'"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
)
CHAT_CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"g","choices":[]}\n\n'
)
CREATED = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":'
    b'{"id":"r","object":"response","status":"in_progress","output":[]}}\n\n'
)


@pytest.mark.parametrize("half", [b"", b'event: content_block_delta\ndata: {"type":"content'])
async def test_claude_hears_that_its_stream_was_stopped(answering, claude, half):
    wire = DIALECTS["anthropic"]
    answering.stream = wire.keep_alive + CLAUDE_START + wire.keep_alive + half
    answering.stream += wire.broken_off(SENTENCE)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - half an event is no JSON
        async for _ in await call_claude(claude, stream=True):
            pass
    assert half or (isinstance(caught.value, anthropic.APIStatusError) and SENTENCE in str(caught))


async def test_chat_hears_that_its_stream_was_stopped(answering, gpt):
    wire = DIALECTS["chat"]
    answering.stream = wire.keep_alive + CHAT_CHUNK + wire.broken_off(SENTENCE)
    with pytest.raises(openai.APIError, match="budget"):
        async for _ in await gpt.chat.completions.create(model="g", messages=ASKED, stream=True):
            pass


async def test_responses_hear_that_their_stream_was_stopped(answering, gpt):
    wire = DIALECTS["responses"]
    answering.stream = wire.keep_alive + CREATED + wire.broken_off(SENTENCE)
    stream = await gpt.responses.create(model="g", input="hi", stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "response.failed"
    assert last.response.error.message == SENTENCE


async def test_ollama_hears_that_its_stream_was_stopped(answering):
    line = b'{"model":"m","message":{"role":"assistant","content":"x"},"done":false}\n'
    answering.stream = line + DIALECTS["ollama"].broken_off(SENTENCE)
    with pytest.raises(ollama.ResponseError, match="budget"):
        async for _ in await ollama.AsyncClient(answering.url).chat("m", ASKED, stream=True):
            pass


def test_what_keeps_a_stream_open_costs_nothing():
    for name, dialect in DIALECTS.items():
        path = {"anthropic": "/v1/messages", "chat": "/v1/chat/completions"}.get(name)
        if path is None:
            continue
        asked = dialect.asked(path, {}, b'{"model":"m","stream":true}')
        meter = dialect.meter(asked, 200, "text/event-stream")
        for _ in range(100):
            meter.feed(dialect.keep_alive)
        assert meter.observed.output == 0
