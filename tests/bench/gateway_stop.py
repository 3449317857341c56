"""From the operator's key to the provider's closed connection: `python -m tests.bench.gateway_stop`.

A gateway with 100 live streams closes them all at once, several times. The provider runs in a
process of its own and writes down when it saw each connection go; so do the clients.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cockpit.gateway.app import Gateway
from cockpit.gateway.door import Door
from cockpit.gateway.governed import Governed, new_token
from cockpit.gateway.keys import Keys
from cockpit.gateway.providers import upstreams
from cockpit.gateway.upstream import Outside
from cockpit.journal.ledger import Ledger
from cockpit.journal.store import Journal
from cockpit.prices.book import Book
from tests.bench.gateway import HEAD, chunked, event, free_port, percentile, request, run, start, up

STREAMS = 100
TICK_S = 1 / 30


class Watched(asyncio.Protocol):
    """A provider's connection: streams for ever and tells when it was lost."""

    def connection_made(self, transport):
        self.transport, self.body, self.task = transport, b"", None

    def data_received(self, data):
        self.body = (self.body + data)[-64:]
        if self.task is None and self.body.endswith(b"}]}"):
            self.task = asyncio.get_running_loop().create_task(self.stream())

    async def stream(self):
        self.transport.write(HEAD + chunked(start()))
        print("live", flush=True)
        text = {"type": "text_delta", "text": "word "}
        while not self.transport.is_closing():
            self.transport.write(chunked(event("content_block_delta", index=0, delta=text)))
            await asyncio.sleep(TICK_S)

    def connection_lost(self, error):
        if self.task is not None:
            print(time.monotonic_ns(), flush=True)
            self.task.cancel()


async def provide(port):
    server = await asyncio.get_running_loop().create_server(
        Watched, "127.0.0.1", port, backlog=1_000
    )
    await server.serve_forever()


async def clients(port, token):
    body = request("calm", 20_000)
    head = (
        f"POST /run/{token}/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass

    await asyncio.gather(*(one() for _ in range(STREAMS)))


def ourselves(*arguments):
    return [sys.executable, "-m", "tests.bench.gateway_stop", *map(str, arguments)]


async def measure(rounds):
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    provider = await asyncio.create_subprocess_exec(
        *ourselves("--provide", port), stdout=subprocess.PIPE
    )
    await asyncio.to_thread(up, port)
    journal = Journal(folder / "journal.db")

    def clock():
        return time.time_ns() // 1_000_000

    ledger = Ledger(journal, clock)
    door = Door(
        ledger=ledger, book=Book.load(), keys=Keys(folder, {}), outside=Outside(),
        happened=lambda event: None, clock=clock,
    )  # fmt: skip
    served = Gateway(door, folder / "port")
    await served.open()
    token, token_hash = new_token()
    governed = Governed(
        run="run-bench", agent="claude-code", token_hash=token_hash, patience_s=150,
        upstreams=upstreams([f"anthropic=http://127.0.0.1:{port}"], {}, {}),
        scopes=("fleet", "run:run-bench"),
    )  # fmt: skip
    served.admit(governed)
    seen, own = [], []
    for _ in range(rounds):
        asking = await asyncio.create_subprocess_exec(
            *ourselves("--ask", served.url.rpartition(":")[2], token)
        )
        for _ in range(STREAMS):
            assert (await provider.stdout.readline()).strip() == b"live"
        await asyncio.sleep(1)
        began = time.monotonic_ns()
        assert governed.close_streams("cockpit: stopped") == STREAMS
        own.append((time.monotonic_ns() - began) / 1e6)
        seen += [(int(await provider.stdout.readline()) - began) / 1e6 for _ in range(STREAMS)]
        asking.kill()
        await asking.wait()
    provider.kill()
    await served.close()
    p50, p99 = percentile(seen, 0.5), percentile(seen, 0.99)
    print(f"{STREAMS} streams, {rounds} rounds: the call takes {max(own):.1f} ms at most")
    print(
        f"key to closed at the provider: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(seen):.1f} ms"
    )
    return p99


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provide", type=int)
    parser.add_argument("--ask", nargs=2)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if options.provide:
        run(provide(options.provide))
    elif options.ask:
        run(clients(int(options.ask[0]), options.ask[1]))
    else:
        run(measure(options.rounds))


if __name__ == "__main__":
    main()
