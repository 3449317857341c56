"""An engine under many streams: `python -m tests.bench.busy [--streams 300] [-- COMMAND…]`.

A real engine in a home of its own, runs begun behind its gateway, each reading ten streams of 30
chunks a second. COMMAND runs in that home while they stream, such as a tool that measures how long the
screen takes to answer a key. Printed: the engine's CPU and the delay from the provider's write of a
chunk to the agent's read. Provider and agents use bare sockets, so that what is measured has the CPU;
with `--core N` the engine has that core alone among us.
"""

import argparse
import asyncio
import contextlib
import heapq
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.bench.gateway import HEAD, MODEL, chunked, end, event, free_port, percentile, start
from tests.engine.machine import Machine

PERIOD = 1 / 30
STREAMS_A_RUN = 10
WARM_SECONDS = 5


# --- the provider


def text(stamp):
    delta = {"type": "text_delta", "text": f"@{stamp} a word"}
    return chunked(event("content_block_delta", index=0, delta=delta))


def provide(port, seconds):
    """Streams that begin at different moments of a period, each at its own pace."""
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=1_000)
    listener.setblocking(False)
    poll, unread, due = select.epoll(), {}, []
    poll.register(listener, select.EPOLLIN)
    chunks = int(float(seconds) / PERIOD)
    while True:
        wait = max(0, due[0][0] - time.monotonic()) if due else 1
        for number, _ in poll.poll(wait):
            if number == listener.fileno():
                connection = listener.accept()[0]
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                unread[connection.fileno()] = [connection, b""]
                poll.register(connection, select.EPOLLIN)
            elif begin(unread[number], poll):
                connection = unread.pop(number)[0]
                heapq.heappush(due, (time.monotonic(), number, connection, chunks))
        while due and due[0][0] <= time.monotonic():
            when, number, connection, left = heapq.heappop(due)
            with contextlib.suppress(OSError):
                if left:
                    connection.send(text(time.monotonic_ns()))
                    heapq.heappush(due, (when + PERIOD, number, connection, left - 1))
                else:
                    connection.send(chunked(end()) + b"0\r\n\r\n")
                    connection.close()


def begin(entry, poll):
    """Whether a request is whole; its answer has begun then."""
    connection, data = entry
    data = entry[1] = data + connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
    if len(body) < size or not size:
        return False
    poll.unregister(connection)
    connection.send(HEAD + chunked(start()))
    return True


# --- an agent


def agent(streams, report):
    """Reads so many streams to their end; the delay of every chunk goes to a file."""
    url = os.environ["ANTHROPIC_BASE_URL"]
    place, _, base = url.removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    said = [
        {"role": "user", "content": "a line of sixty characters or so that nobody reads\n" * 200}
    ]
    asked = {"model": MODEL, "max_tokens": 4_000, "stream": True, "messages": said}
    body = json.dumps(asked)
    key = os.environ["ANTHROPIC_API_KEY"]
    head = (
        f"POST /{base}/v1/messages HTTP/1.1\r\nhost: {place}\r\nx-api-key: {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    poll, reading, delays = select.epoll(), {}, []
    for _ in range(int(streams)):
        connection = socket.create_connection((host, int(port)))
        connection.sendall((head + body).encode())
        reading[connection.fileno()] = connection
        poll.register(connection, select.EPOLLIN)
        time.sleep(PERIOD / 7)
    while reading:
        for number, _ in poll.poll():
            data = reading[number].recv(262_144)
            now = time.monotonic_ns()
            delays += [now - int(part.split(b" ", 1)[0]) for part in data.split(b'"@')[1:]]
            if not data:
                poll.unregister(number)
                reading.pop(number).close()
    Path(report).write_text(json.dumps(delays))


# --- the measurement


def measure(options):
    machine, port = Machine(), free_port()
    serving = ("--be", "provider", str(port), str(options.seconds))
    provider = subprocess.Popen([sys.executable, "-m", "tests.bench.busy", *serving])
    try:
        engine = psutil.Process(machine.start())
        if options.core is not None:
            engine.cpu_affinity([options.core])
        return asyncio.run(measured(options, machine, port, engine))
    finally:
        provider.kill()
        machine.end()


async def measured(options, machine, port, engine):
    runs = range(options.streams // STREAMS_A_RUN)
    await asyncio.gather(*(begun(machine, port, number) for number in runs))
    await asyncio.sleep(WARM_SECONDS)
    seconds = options.seconds - 2 * WARM_SECONDS
    before, chosen = cpu(engine), time.monotonic()
    measuring = asyncio.create_task(asyncio.to_thread(told, machine, options.command, seconds))
    await asyncio.sleep(seconds)
    used = (cpu(engine) - before) / (time.monotonic() - chosen)
    printed = await measuring
    reports = [machine.root / f"delays-{number}" for number in runs]
    await asyncio.to_thread(machine.until, lambda: all(map(Path.exists, reports)), 60)
    await asyncio.sleep(1)
    delays = [delay / 1e6 for report in reports for delay in json.loads(report.read_bytes())]
    return {
        "streams": options.streams,
        "chunks": len(delays),
        "engine_cpu_share": round(used, 3),
        "delay_ms": {f"p{share}": round(percentile(delays, share / 100), 2) for share in (50, 99)},
        "load": os.getloadavg(),
        "command": printed,
    }


async def begun(machine, port, number):
    reading = ("--be", "agent", str(STREAMS_A_RUN), str(machine.root / f"delays-{number}"))
    client = await machine.client()
    await client.ask(
        "begin",
        command=[sys.executable, "-m", "tests.bench.busy", *reading],
        cwd=str(Path.cwd()),
        project=f"/project/{number}",
        name=f"busy {number}",
        environment={**machine.environment, "ANTHROPIC_API_KEY": "sk-none"},
        upstreams={"anthropic": f"http://127.0.0.1:{port}"},
    )
    await client.close()


def told(machine, command, seconds):
    """What the command printed."""
    if not command:
        return ""
    environment = machine.environment
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    return (done.stdout + done.stderr).splitlines()


def cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def main():
    roles = {"provider": provide, "agent": agent}
    if sys.argv[1:2] == ["--be"]:
        roles[sys.argv[2]](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--core", type=int)
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    print(json.dumps(measure(options), indent=2))


if __name__ == "__main__":
    main()
