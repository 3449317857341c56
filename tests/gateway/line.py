"""A gateway with everything real around it: sockets, ledger, journal, prices, simulated provider."""

import asyncio
import contextlib
import json
import time
from pathlib import Path

import aiohttp

from cockpit.core import events as e
from cockpit.demo.provider import Provider as Demo
from cockpit.gateway.app import Gateway
from cockpit.gateway.credentials import DUMMY
from cockpit.gateway.door import Door
from cockpit.gateway.governed import Governed, new_token
from cockpit.gateway.keys import Keys
from cockpit.gateway.providers import upstreams
from cockpit.gateway.upstream import Outside
from cockpit.journal.ledger import Ledger
from cockpit.journal.purse import Cap
from cockpit.journal.store import Journal
from cockpit.prices.book import Book

WIRES = ("anthropic", "chat", "responses", "gemini", "ollama")
KEY = f"{DUMMY}x"
NANO = 10**9
BOOK = Book.load()


def now_ms():
    return time.time_ns() // 1_000_000


class Line:
    """`async with Line(tmp_path) as line`: `line.run()` makes a governed run, `.url` is its base."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.events: list[e.Event] = []
        self.journal = Journal(folder / "journal.db")
        self.ledger = Ledger(self.journal, now_ms)
        self.demo = Demo()
        self.keys = Keys(folder / "keys", environment or {}, backend=lambda: None)
        self.door = Door(
            ledger=self.ledger,
            book=BOOK,
            keys=self.keys,
            outside=Outside(),
            happened=self._happened,
            clock=now_ms,
        )
        self.gateway = Gateway(self.door, folder / "port")
        self._news = asyncio.Event()

    async def __aenter__(self):
        await self.demo.__aenter__()
        await self.gateway.open()
        return self

    async def __aexit__(self, *exc):
        await self.gateway.close()
        await self.demo.__aexit__()
        self.ledger.close()
        self.journal.close()

    def run(self, run="run-k3f9", agent="claude-code", cap=None, tokens=None, **more):
        token, token_hash = new_token()
        places = more.pop("upstreams", [f"{wire}={self.demo.url}" for wire in WIRES])
        settings = more.pop("settings", {})
        governed = Governed(
            run=run,
            agent=agent,
            token_hash=token_hash,
            upstreams=upstreams(places, settings, {}),
            scopes=("fleet", f"run:{run}"),
            patience_s=more.pop("patience_s", 150),
            **more,
        )
        if cap is not None or tokens is not None:
            self.ledger.cap(f"run:{run}", Cap(cap, tokens))
        governed.url = self.gateway.run_url(token)
        self.gateway.admit(governed)
        return governed

    def _happened(self, event):
        self.events.append(event)
        self._news.set()
        self._news = asyncio.Event()

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind, count=1, limit=10):
        """The events of a kind, once there are so many."""
        async with asyncio.timeout(limit):
            while len(self.of(kind)) < count:
                await self._news.wait()
        return self.of(kind)

    def spent(self, run="run-k3f9"):
        return self.ledger.balance(f"run:{run}").settled

    def truth(self):
        """What the provider billed in all, in tokens."""
        return sum(served.tokens.total for served in self.demo.served())


@contextlib.asynccontextmanager
async def client():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


def messages(text="hello", stream=True, **more):
    """The body of a request on Anthropic's wire."""
    return {
        "model": "claude-opus-5",
        "max_tokens": 200,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


def post(session, governed, body, path="/v1/messages", **headers):
    given = {"x-api-key": KEY, "anthropic-version": "2026-10-21", **headers}
    return session.post(governed.url + path, data=json.dumps(body), headers=given)


class Source:
    """A provider of few words: answers every request as it is told, over a bare socket.

    `answer` gets the request's head and body and the writer; `seen` keeps both.
    """

    def __init__(self, answer) -> None:
        self._answer = answer
        self.seen: list[tuple[str, bytes]] = []
        self.closed = asyncio.Event()
        self.url = ""

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc):
        self._server.close()

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                size = next(
                    (
                        int(line.split(":")[1])
                        for line in head.splitlines()
                        if line.lower().startswith("content-length:")
                    ),
                    0,
                )
                body = await reader.readexactly(size)
                self.seen.append((head, body))
                await self._answer(head, body, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()


def plain(body: bytes, status="200 OK", kind="application/json", *headers: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, *headers, "", "")).encode() + body
