"""The simulated provider: a server on loopback that answers by script and bills honestly.

`python -m cockpit.demo.provider` serves until its standard input closes; the first line it prints
is JSON with its `url`. A path may begin with `/run/<name>`: the name is kept with each request.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, cast

import msgspec
from aiohttp import web

from cockpit.demo import scripts
from cockpit.demo.account import Account
from cockpit.demo.answering import Answering, json_response
from cockpit.demo.dialects import Body, Dialect, anthropic, chat, gemini, ollama, responses
from cockpit.demo.exchange import BadRequestError, Exchange, Served
from cockpit.demo.mishaps import ANY_RUN, Mishap, Mishaps, Planned
from cockpit.demo.prices import LOCAL_MODEL

MODELS = (
    "claude-opus-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "gpt-6.1-sol",
    "gpt-6.1-terra",
)
GEMINI_MODELS = ("gemini-2.5-pro", "gemini-2.5-flash")
LOCAL_MODELS = (LOCAL_MODEL,)

CLIENT_MAX_BYTES = 64 * 1024 * 1024
KEEP_SERVED = 100_000
SWEEP_EVERY = 256


class Provider:
    """A server on 127.0.0.1; `url` is known once it has started.

    `time_scale` divides the documented cache lifetimes; `clock` gives milliseconds since the epoch
    and decides what is still cached.
    """

    def __init__(self, time_scale: float = 1.0, clock: Callable[[], int] | None = None) -> None:
        self.account = Account(time_scale)
        self.url = ""
        self._clock = clock or (lambda: time.time_ns() // 1_000_000)
        self._served: list[Served] = []
        self._streaming = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._mishaps = Mishaps()
        self._answering = Answering(self.account, self._begun)

    async def __aenter__(self) -> "Provider":
        application = web.Application(client_max_size=CLIENT_MAX_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def served(self) -> list[Served]:
        """Every request so far, in the order in which they ended."""
        return list(self._served)

    async def until(self, count: int = 0, begun: int = 0) -> None:
        """Wait until so many requests were served, and the answers to so many had begun."""
        while len(self._served) < count or len(self._served) + self._streaming < begun:
            await self._changed.wait()

    def plan(self, *mishaps: Mishap, run: str = ANY_RUN) -> None:
        """Let these befall the coming model calls of a run, or of any run, in this order."""
        self._mishaps.plan(run, mishaps)

    def report(self) -> Body:
        """What `GET /_served` answers; with `?count=N&begun=N` as soon as so many are there."""
        return {
            "lifetimes_s": self.account.lifetimes_s(),
            "time_scale": self.account.time_scale,
            "streaming": self._streaming,
            "served": [msgspec.to_builtins(served) for served in self._served],
        }

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path, run = split_run(request.path)
        if path == "/_served":
            await self.until(*_waits(request))
            return json_response(self.report())
        if path == "/_plan" and request.method == "POST":
            return await self._planned(request)
        operation = self._operation(request.method, path)
        if operation is not None:
            return await operation(request, path, run)
        if request.method == "HEAD" and path == "/":
            return web.Response()
        return self._refused(request, path, run, 404, f"Not found: {request.method} {path}")

    def _operation(
        self, method: str, path: str
    ) -> Callable[[web.Request, str, str], Awaitable[web.StreamResponse]] | None:
        called = gemini.called(path)
        if method == "POST" and called is not None:
            return self._gemini_methods().get(called[1])
        return self._routes().get((method, path))

    def _gemini_methods(
        self,
    ) -> dict[str, Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]]:
        return {
            "generateContent": partial(self._model_call, "gemini"),
            "streamGenerateContent": partial(self._model_call, "gemini"),
            "countTokens": partial(self._count, gemini),
        }

    async def _planned(self, request: web.Request) -> web.StreamResponse:
        """`POST /_plan` with a `Planned`: for callers in another process."""
        try:
            planned = msgspec.json.decode(await request.read(), type=Planned)
        except msgspec.DecodeError as error:
            return json_response({"error": str(error)}, 400)
        self.plan(*planned.mishaps, run=planned.run)
        return json_response({"planned": len(planned.mishaps)})

    def _routes(
        self,
    ) -> dict[tuple[str, str], Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]]:
        return {
            ("POST", "/v1/messages"): partial(self._model_call, "anthropic"),
            ("POST", "/v1/messages/count_tokens"): partial(self._count, anthropic),
            ("POST", "/v1/chat/completions"): partial(self._model_call, "chat"),
            ("POST", "/v1/responses"): partial(self._model_call, "responses"),
            ("POST", "/v1/responses/input_tokens"): partial(self._count, responses),
            ("GET", "/v1/models"): self._models,
            ("GET", "/v1beta/models"): self._models,
            ("POST", "/api/chat"): partial(self._model_call, "ollama"),
            ("POST", "/api/generate"): self._generate,
            ("GET", "/api/ps"): self._loaded,
            ("GET", "/api/tags"): self._tags,
            ("GET", "/"): self._greet,
        }

    async def _model_call(
        self, name: str, request: web.Request, path: str, run: str
    ) -> web.StreamResponse:
        dialect = DIALECTS[name]
        exchange = Exchange(request, path, run, name, self._clock())
        body: Body | None = None
        try:
            exchange.received(await request.read())
            body = await _body(request, path)
            return await self._answer(exchange, dialect, body)
        except BadRequestError as bad:
            exchange.status = 400
            return json_response(dialect.error(400, str(bad)), 400)
        except (asyncio.CancelledError, ConnectionError):
            exchange.left()
            raise
        finally:
            if name == "ollama" and exchange.reply is not None and body is not None:
                ollama.finished(body, self.account, self._clock())
            self._streaming -= exchange.streaming
            self._record(exchange.served(self._clock()))

    async def _answer(self, exchange: Exchange, dialect: Dialect, body: Body) -> web.StreamResponse:
        try:
            conversation = dialect.read(body)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadRequestError(f"the request is malformed: {error!r}") from error
        exchange.understood(conversation)
        script = scripts.choose(conversation, exchange.request.headers.get(scripts.HEADER))
        mishap = self._mishaps.next(exchange.run, conversation)
        if mishap is not None:
            refused = await self._answering.refuse(exchange, dialect, mishap)
            if refused is not None:
                return refused
        return await self._answering.answer(exchange, dialect, body, conversation, script, mishap)

    def _begun(self, exchange: Exchange) -> None:
        """An answer has begun with its first words, not with its headers."""
        if exchange.output > 1 and not exchange.streaming:
            exchange.streaming = True
            self._streaming += 1
            self._wake()

    def _record(self, served: Served) -> None:
        self._served.append(served)
        if len(self._served) % SWEEP_EVERY == 0:
            self.account.sweep(served.ended)
        del self._served[:-KEEP_SERVED]
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _refused(
        self, request: web.Request, path: str, run: str, status: int, message: str
    ) -> web.Response:
        name = guess_dialect(path, request.headers)
        now = self._clock()
        self._record(Served(at=now, ended=now, dialect=name, path=path, run=run, status=status))
        return json_response(DIALECTS[name].error(status, message), status)

    async def _count(
        self, dialect: ModuleType, request: web.Request, path: str, run: str
    ) -> web.StreamResponse:
        try:
            return json_response(dialect.count(await _body(request, path)))
        except (BadRequestError, KeyError, TypeError, AttributeError) as error:
            return self._refused(request, path, run, 400, str(error))

    async def _models(self, request: web.Request, path: str, run: str) -> web.StreamResponse:  # noqa: ARG002
        if path.startswith("/v1beta/"):
            return json_response(gemini.model_list(GEMINI_MODELS))
        if guess_dialect(path, request.headers) == "anthropic":
            return json_response(anthropic.model_list(MODELS))
        return json_response(chat.model_list(MODELS))

    async def _generate(self, request: web.Request, path: str, run: str) -> web.StreamResponse:
        """Only the form that keeps a model warm: a model and no prompt."""
        try:
            body = await _body(request, path)
        except BadRequestError as error:
            return self._refused(request, path, run, 400, str(error))
        if body.get("prompt") or "model" not in body:
            return self._refused(request, path, run, 400, "only a model without a prompt")
        now, model = self._clock(), str(body["model"])
        self.account.resident(model).end(now, ollama.keep_alive_ms(body, self.account))
        created = ollama.rfc3339(now)
        done = {"response": "", "done": True, "done_reason": "load"}
        return json_response({"model": model, "created_at": created, **done})

    async def _loaded(self, request: web.Request, path: str, run: str) -> web.StreamResponse:  # noqa: ARG002
        return json_response(ollama.process_list(self.account, self._clock()))

    async def _tags(self, request: web.Request, path: str, run: str) -> web.StreamResponse:  # noqa: ARG002
        return json_response(ollama.tag_list(LOCAL_MODELS))

    async def _greet(self, request: web.Request, path: str, run: str) -> web.StreamResponse:  # noqa: ARG002
        return web.Response(text="cockpit's simulated provider; see /_served")


DIALECTS: dict[str, Dialect] = {
    "anthropic": cast("Dialect", anthropic),
    "chat": cast("Dialect", chat),
    "responses": cast("Dialect", responses),
    "gemini": cast("Dialect", gemini),
    "ollama": cast("Dialect", ollama),
}


def split_run(path: str) -> tuple[str, str]:
    """`/run/<name>/v1/messages` as path and name; paths of SDKs that add no `/v1` get it."""
    run = ""
    if path.startswith("/run/"):
        _, _, run, *rest = path.split("/", 3)
        path = "/" + (rest[0] if rest else "")
    return path, run


def guess_dialect(path: str, headers: Any) -> str:  # noqa: ANN401 - any mapping of headers
    """Whose error shape an unknown route gets."""
    if path.startswith("/api/"):
        return "ollama"
    if path.startswith("/v1beta"):
        return "gemini"
    if "anthropic-version" in headers or path.startswith("/v1/messages"):
        return "anthropic"
    return "responses" if path.startswith("/v1/responses") else "chat"


def _waits(request: web.Request) -> tuple[int, int]:
    counts = (request.query.get(name, "0") for name in ("count", "begun"))
    count, begun = (int(text) if text.isdecimal() else 0 for text in counts)
    return count, begun


async def _body(request: web.Request, path: str) -> Body:
    """The JSON of a request; what Gemini says in the path is added to it."""
    try:
        body = msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise BadRequestError(f"the body is no JSON: {error}") from error
    called = gemini.called(path)
    if isinstance(body, dict) and called is not None:
        model, method = called
        body = {**body, "model": model, "stream": method == "streamGenerateContent"}
        if body["stream"] and request.query.get("alt") != "sse":
            raise BadRequestError("streams are told as alt=sse only")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise BadRequestError("model: Field required")
    return body


async def serve(time_scale: float) -> None:
    """Serve until standard input closes: whoever started the demo holds its other end."""
    async with Provider(time_scale) as provider:
        announcement = {"url": provider.url, "lifetimes_s": provider.account.lifetimes_s()}
        sys.stdout.buffer.write(msgspec.json.encode(announcement) + b"\n")
        sys.stdout.flush()
        with suppress(asyncio.CancelledError):
            await _closed(sys.stdin.buffer)


async def _closed(stream: Any) -> None:  # noqa: ANN401 - a binary stream
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, stream)
    while await reader.read(4096):
        pass


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m cockpit.demo.provider", description=__doc__)
    parser.add_argument("--time-scale", type=float, default=1.0)
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(options.time_scale))


if __name__ == "__main__":
    main()
