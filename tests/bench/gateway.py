"""What the gateway adds: `python -m tests.bench.gateway [--litellm PATH/TO/bin/litellm]`.

A provider that streams 100 events an answer, a client, and between them nothing, a raw relay of
bytes, the gateway with its ledger and journal on disk, and LiteLLM's proxy. Each event carries the
moment at which it was sent. First byte: from the request to the first event at the client. Delay:
from the provider's write of an event to the client's read. CPU: of the process in between, and its
children. Every process runs alone, one scenario after the other; figures are medians of the rounds.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

try:
    import uvloop

    run = uvloop.run
except ImportError:  # as the engine does
    run = asyncio.run

EVENTS = 100
MODEL = "claude-opus-5"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PERIOD = {"quick": 0.0, "paced": 0.005, "calm": 1 / 30}
"""Seconds between events: as fast as they go, 200 and 30 in a second."""


# --- the provider


def event(name, **fields):
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def chunked(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def start():
    usage = {"input_tokens": 9_000, "output_tokens": 1, "cache_read_input_tokens": 80_000}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    block = {"type": "text", "text": ""}
    return event("message_start", message=message) + event(
        "content_block_start", index=0, content_block=block
    )


def end():
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return (
        event("content_block_stop", index=0)
        + event("message_delta", delta=delta, usage={"output_tokens": EVENTS})
        + event("message_stop")
    )


async def answer(reader, writer):
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
            body = await reader.readexactly(size)
            await stream(writer, next(p for name, p in PERIOD.items() if name.encode() in body))
    writer.close()


async def stream(writer, period):
    writer.write(HEAD + chunked(start()))
    due = time.monotonic()
    for _ in range(EVENTS):
        due += period
        if period:
            await asyncio.sleep(max(0, due - time.monotonic()))
        text = {"type": "text_delta", "text": f"@{time.monotonic_ns()} "}
        writer.write(chunked(event("content_block_delta", index=0, delta=text)))
        await writer.drain()
    writer.write(chunked(end()) + b"0\r\n\r\n")
    await writer.drain()


async def provide(port):
    server = await asyncio.start_server(answer, "127.0.0.1", port, limit=2**24, backlog=1_000)
    await server.serve_forever()


# --- what is between


async def relay(port, upstream):
    """The floor: bytes from one socket to the other, read by nobody."""

    async def copy(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def both(reader, writer):
        out, into = await asyncio.open_connection("127.0.0.1", upstream)
        await asyncio.gather(copy(reader, into), copy(out, writer))

    server = await asyncio.start_server(both, "127.0.0.1", port, backlog=1_000)
    await server.serve_forever()


async def gateway(port, upstream):
    from cockpit.engine.process import SWITCH_SECONDS
    from cockpit.gateway.app import Gateway
    from cockpit.gateway.door import Door
    from cockpit.gateway.governed import Governed, hashed
    from cockpit.gateway.keys import Keys
    from cockpit.gateway.providers import upstreams
    from cockpit.gateway.upstream import Outside
    from cockpit.journal.ledger import Ledger
    from cockpit.journal.purse import Cap
    from cockpit.journal.store import Journal
    from cockpit.prices.book import Book

    sys.setswitchinterval(SWITCH_SECONDS)
    folder = Path(tempfile.mkdtemp(prefix="cockpit-bench-"))
    (folder / "port").write_text(str(port))

    def clock():
        return time.time_ns() // 1_000_000

    journal = Journal(folder / "journal.db")
    ledger = Ledger(journal, clock)
    ledger.cap("run:bench", Cap(10**15))
    door = Door(
        ledger=ledger,
        book=Book.load(),
        keys=Keys(folder, {}),
        outside=Outside(),
        happened=lambda event: None,  # the engine shows these; its books are the ledger's rows
        clock=clock,
    )
    served = Gateway(door, folder / "port")
    await served.open()
    served.admit(
        Governed(
            run="bench",
            agent="claude-code",
            token_hash=hashed("token"),
            upstreams=upstreams([f"anthropic=http://127.0.0.1:{upstream}"], {}, {}),
            scopes=("fleet", "month:2026-11", "day:2026-11-22", "project:/x", "run:bench"),
            patience_s=150,
        )
    )
    await asyncio.Event().wait()


def litellm_command(program, port, upstream, folder):
    config = Path(folder) / "litellm.yaml"
    place = {"model": f"anthropic/{MODEL}", "api_base": f"http://127.0.0.1:{upstream}"}
    entry = {"model_name": MODEL, "litellm_params": {**place, "api_key": "sk-none"}}
    settings = {"master_key": "sk-" + "bench" * 8}
    quiet = {"telemetry": False, "num_retries": 0}
    document = {"model_list": [entry], "general_settings": settings, "litellm_settings": quiet}
    config.write_text(json.dumps(document))  # JSON is YAML
    return [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]


# --- the client


class Seen:
    """What the client saw: seconds to the first byte, and of delay for each event."""

    def __init__(self):
        self.first, self.delays, self.took, self.failed = [], [], 0.0, 0


async def ask(port, path, body, headers, seen, count):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    for _ in range(count):
        began = time.monotonic_ns()
        writer.write(head.encode() + body)
        if not await read(reader, began, seen):
            seen.failed += 1
            break
    writer.close()


async def read(reader, began, seen):
    first, rest = True, b""
    while True:
        try:
            data = await asyncio.wait_for(reader.read(262_144), 60)
        except TimeoutError:
            return False
        now = time.monotonic_ns()
        if not data or (first and b"200" not in data[:20] and not rest):
            print(data[:500], file=sys.stderr)
            return False
        rest += data
        *stamps, rest = rest.split(b'"@') if b'"@' in rest else (rest,)
        whole = [*stamps[1:], rest] if stamps else []
        for stamp in whole[:-1]:
            seen.delays.append((now - int(stamp.split(b" ")[0])) / 1e9)
        if whole:
            rest = b'"@' + rest
            if b" " in whole[-1][:24]:
                seen.delays.append((now - int(whole[-1].split(b" ")[0])) / 1e9)
                rest = rest[2:]
        if first and (stamps or b"message_start" in rest):
            seen.first.append((now - began) / 1e9)
            first = False
        if rest.endswith(b"0\r\n\r\n"):
            return True


async def scenario(port, path, body, headers, streams, count):
    seen = Seen()
    began = time.monotonic()
    await asyncio.gather(*(ask(port, path, body, headers, seen, count) for _ in range(streams)))
    seen.took = time.monotonic() - began
    return seen


# --- the table


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def percentile(values, share):
    return (
        sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")
    )


def cpu(process):
    every = [process, *process.children(recursive=True)]
    return sum(one.cpu_times().user + one.cpu_times().system for one in every)


def up(port, limit=180):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.2)
    return False


def request(pace, size):
    text = "x" * 60 + "\n"
    said = [
        {"role": "user", "content": f"{pace} " + text * (size // 2 // 61)},
        {"role": "assistant", "content": [{"type": "text", "text": text * (size // 2 // 61)}]},
        {"role": "user", "content": "go on"},
    ]
    asked = {"model": MODEL, "max_tokens": 1_000, "stream": True, "messages": said}
    return json.dumps(asked).encode()


SCENARIOS = (
    ("1 paced", "paced", 1, 6),
    ("1 quick", "quick", 1, 60),
    ("100 calm", "calm", 100, 1),
    ("100 quick", "quick", 100, 1),
    ("300 calm", "calm", 300, 1),
)
ROUNDS = 3


class Way:
    """One way to the provider: a process in between, or none."""

    def __init__(self, name, port, path, headers, command=(), environment=None):
        self.name, self.port, self.path, self.headers = name, port, path, headers
        self.command, self.environment = command, environment or {}
        self.process = None
        self.rounds = {}

    def begin(self, size):
        """Whether it is there, and warm."""
        if self.command:
            log = Path(tempfile.gettempdir()) / f"cockpit-bench-{self.name}.log"
            with log.open("wb") as into:
                self.process = subprocess.Popen(
                    self.command,
                    stdout=into,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.environment},
                )
            if not up(self.port):
                print(f"{self.name} did not start: see {log}", file=sys.stderr)
                self.end()
                return False
            time.sleep(1)
        warm = request("quick", size)
        return not run(scenario(self.port, self.path, warm, self.headers, 2, 3)).failed

    def end(self):
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()

    def go(self, title, pace, streams, count, size):
        before = self.cpu()
        told = run(
            scenario(self.port, self.path, request(pace, size), self.headers, streams, count)
        )
        figured = figures(told, self.cpu() - before, streams * count)
        self.rounds.setdefault(title, []).append(figured)

    def cpu(self):
        return cpu(psutil.Process(self.process.pid)) if self.process else 0.0

    def rows(self):
        return {title: medians(rounds) for title, rounds in self.rounds.items()}


def medians(rounds):
    row = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    return row | {"failed": sum(one["failed"] for one in rounds), "load": os.getloadavg()[0]}


def figures(seen, used, asked):
    return {
        "first p50": percentile(seen.first, 0.5) * 1e3,
        "first p99": percentile(seen.first, 0.99) * 1e3,
        "delay p50": percentile(seen.delays, 0.5) * 1e3,
        "delay p99": percentile(seen.delays, 0.99) * 1e3,
        "requests/s": len(seen.first) / seen.took,
        "cpu ms/request": used * 1e3 / asked,
        "cpu s/10k chunks": used / (asked * EVENTS) * 1e4,
        "cpu share": used / seen.took,
        "failed": float(seen.failed),
    }


def line(name, title, row):
    cells = "  ".join(f"{key} {value:8.2f}" for key, value in row.items())
    return f"{name:18s} {title:10s} {cells}"


def ratios(rows, ours, base="direct", theirs="litellm"):
    """How much more of everything LiteLLM adds than `ours`, beside the direct way.

    Against the raw relay it is the most that anything in between could reach on this machine.
    """
    if not rows.get(theirs):
        return
    print(f"\nadded, LiteLLM / {ours}")
    for title in rows[ours]:
        mine, other, floor = rows[ours][title], rows[theirs][title], rows[base][title]
        cells = []
        for key in ("first p50", "first p99", "delay p50", "delay p99", "cpu s/10k chunks"):
            added, more = mine[key] - floor[key], other[key] - floor[key]
            cells.append(f"{key} {added:7.2f} / {more:8.2f} = {more / max(added, 0.01):6.1f}x")
        print(f"{title:10s} " + "  ".join(cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", default="", help="its program, in an environment of its own")
    parser.add_argument("--size", type=int, default=40_000, help="bytes of a request")
    parser.add_argument("--only", action="append", choices=[title for title, *_ in SCENARIOS])
    parser.add_argument("--serve", nargs=3, metavar=("WHAT", "PORT", "UPSTREAM"))
    parser.add_argument("--loop", default="uvloop", choices=("uvloop", "asyncio"))
    options = parser.parse_args()
    if options.serve:
        return serve(options)
    return compare(options)


def serve(options):
    what, port, upstream = options.serve
    work = {"provider": provide, "relay": relay, "gateway": gateway}[what]
    arguments = (int(port),) if what == "provider" else (int(port), int(upstream))
    return (run if options.loop == "uvloop" else asyncio.run)(work(*arguments))


def ourselves(what, port, upstream, loop):
    served = ["--serve", what, str(port), str(upstream), "--loop", loop]
    return [sys.executable, "-m", "tests.bench.gateway", *served]


def compare(options):
    """All ways in turn, several times: whatever else the machine does befalls them all."""
    upstream = free_port()
    provider = subprocess.Popen(ourselves("provider", upstream, 0, "uvloop"))
    if not up(upstream):
        sys.exit("the provider did not start")
    with tempfile.TemporaryDirectory() as folder:
        ways = [way for way in ways_to(upstream, options, folder) if way.begin(options.size)]
        try:
            for title, pace, streams, count in SCENARIOS:
                if options.only and title not in options.only:
                    continue
                for way in ways * ROUNDS:
                    way.go(title, pace, streams, count, options.size)
                for way in ways:
                    print(line(way.name, title, way.rows()[title]), flush=True)
        finally:
            for way in ways:
                way.end()
            provider.kill()
    rows = {way.name: way.rows() for way in ways}
    for ours in ("cockpit", "cockpit, asyncio", "relay"):
        ratios(rows, ours)


def ways_to(upstream, options, folder):
    path, key = "/v1/messages", "x-api-key: cockpit-dummy-x\r\nanthropic-version: 2023-06-01\r\n"
    yield Way("direct", upstream, path, key)
    for name, what, loop in (
        ("relay", "relay", "uvloop"),
        ("cockpit", "gateway", "uvloop"),
        ("cockpit, asyncio", "gateway", "asyncio"),
    ):
        port = free_port()
        at = path if what == "relay" else f"/run/token{path}"
        yield Way(name, port, at, key, ourselves(what, port, upstream, loop))
    if not options.litellm or not Path(options.litellm).exists():
        print("LiteLLM is not here (--litellm PATH): not compared", file=sys.stderr)
        return
    port = free_port()
    bearer = f"Authorization: Bearer sk-{'bench' * 8}\r\nContent-Type: application/json\r\n"
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    command = litellm_command(options.litellm, port, upstream, folder)
    yield Way("litellm", port, path, f"{bearer}anthropic-version: 2023-06-01\r\n", command, quiet)


if __name__ == "__main__":
    main()
