"""Clients and providers that misbehave: nothing hangs, nothing leaks, nothing is free."""

import asyncio
import gzip
import json
import os
import socket
import time

import pytest

from cockpit.core import events as e
from tests.gateway.line import KEY, NANO, Line, Source, client, messages, plain, post


@pytest.fixture
async def line(tmp_path):
    async with Line(tmp_path) as line:
        yield line


def place(run):
    host, _, rest = run.url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    return name, int(port), f"/{rest}"


def raw(path, body, *headers):
    lines = (
        f"POST {path}/v1/messages HTTP/1.1",
        "Host: x",
        f"x-api-key: {KEY}",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def answer_of(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    size = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(size)


async def test_pipelined_requests_are_answered_in_order(line):
    host, port, path = place(line.run())
    bodies = [json.dumps(messages(f"number {n}", stream=False)).encode() for n in range(3)]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"".join(raw(path, body) for body in bodies))
    answers = [await answer_of(reader) for _ in bodies]
    writer.close()
    assert [status for status, _ in answers] == [200] * 3
    assert [served.heard for served in line.demo.served()] == ["number 0", "number 1", "number 2"]


async def test_half_a_request_holds_nothing_and_spends_nothing(line):
    host, port, path = place(line.run())
    body = json.dumps(messages()).encode()
    for part in (raw(path, body)[:40], raw(path, body)[:-7]):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()
    await asyncio.sleep(0.05)
    assert not line.events
    assert not line.demo.served()
    assert not line.ledger.open_holds()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /run/x/v1/messages HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /run/x/v1/messages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Length: 5\r\n\r\nzz\r\n",
    ],
)
async def test_no_http_is_no_reason_to_fall_over(line, nonsense):
    run = line.run()
    host, port, _ = place(run)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(nonsense)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    writer.close()
    async with client() as session, post(session, run, messages(stream=False)) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model": 5}', b"\xff\xfe\x00"])
async def test_a_body_that_nobody_can_read_is_not_let_out_for_free(line, body):
    run = line.run()
    async with (
        client() as session,
        session.post(f"{run.url}/v1/messages", data=body, headers={"x-api-key": KEY}) as answer,
    ):
        assert answer.status == 402
    assert not line.demo.served()


async def test_a_huge_body_arrives_whole(line):
    async def count(head, body, writer):
        told = json.dumps({"usage": {"input_tokens": len(body), "output_tokens": 1}}).encode()
        writer.write(plain(told))

    async with Source(count) as source:
        run = line.run(upstreams=[f"anthropic={source.url}"], cap=10_000 * NANO)
        body = json.dumps(messages("x" * 100_000_000, stream=False)).encode()
        async with (
            client() as session,
            session.post(f"{run.url}/v1/messages", data=body, headers={"x-api-key": KEY}) as answer,
        ):
            assert answer.status == 200
            assert (await answer.json())["usage"]["input_tokens"] == len(body)


async def test_a_body_beyond_every_limit_is_refused_before_it_is_read(line):
    host, port, path = place(line.run())
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST {path}/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n"
    writer.write(head.encode())
    status, body = await answer_of(reader)
    writer.close()
    assert (status, b"larger than any provider takes" in body) == (402, True)


async def test_a_slow_reader_slows_its_own_stream_only(line):
    """It is not buffered for: what it does not read the provider does not get rid of."""
    sent = 0

    async def flood(head, body, writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(4_000):
            writer.write(b": " + b"x" * 16_000 + b"\n\n")
            await writer.drain()
            sent += 16_000

    async with Source(flood) as source:
        slow = line.run("run-slow", upstreams=[f"anthropic={source.url}"])
        host, port, path = place(slow)
        _, writer = await asyncio.open_connection(host, port, limit=1_024)
        writer.write(raw(path, json.dumps(messages()).encode()))
        stalled = -1
        while stalled != sent or not sent:
            stalled = sent
            await asyncio.sleep(0.3)
        assert stalled < 32_000_000
        began = time.perf_counter()
        async with client() as session, post(session, line.run(), messages(stream=False)) as answer:
            assert answer.status == 200
        assert time.perf_counter() - began < 2
        writer.transport.abort()
        await line.until(e.CallSettled, 2)
    assert {event.mark for event in line.of(e.CallSettled)} == {"exact", "estimated"}


async def test_an_expected_continue_is_given(line):
    host, port, path = place(line.run())
    body = json.dumps(messages(stream=False)).encode()
    reader, writer = await asyncio.open_connection(host, port)
    whole = raw(path, body, "Expect: 100-continue")
    writer.write(whole[: -len(body)])
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(body)
    assert (await answer_of(reader))[0] == 200
    writer.close()


async def test_a_compressed_request_is_read_and_sent_plain(line):
    run = line.run()
    body = gzip.compress(json.dumps(messages("zipped", stream=False)).encode())
    headers = {"x-api-key": KEY, "Content-Encoding": "gzip"}
    async with (
        client() as session,
        session.post(f"{run.url}/v1/messages", data=body, headers=headers) as answer,
    ):
        assert answer.status == 200
    assert line.demo.served()[0].heard == "zipped"


async def test_a_redirect_is_not_followed(line):
    """A key must not travel to where a provider points."""
    async with Source(None) as elsewhere:

        async def redirect(head, body, writer):
            writer.write(
                plain(b"", "307 Temporary Redirect", "text/plain", f"Location: {elsewhere.url}")
            )

        async with Source(redirect) as source:
            run = line.run(upstreams=[f"anthropic={source.url}"])
            async with (
                client() as session,
                session.post(
                    f"{run.url}/v1/messages",
                    json=messages(),
                    headers={"x-api-key": KEY},
                    allow_redirects=False,
                ) as answer,
            ):
                assert answer.status == 307
        assert not elsewhere.seen
    assert line.of(e.CallFailed)


async def test_hop_by_hop_headers_and_compression_stay_behind(line):
    async def tell(head, body, writer):
        writer.write(
            plain(b"{}", "200 OK", "application/json", "Keep-Alive: timeout=1", "X-Kept: 1")
        )

    async with Source(tell) as source:
        run = line.run(upstreams=[f"anthropic={source.url}"])
        named = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "Accept-Encoding": "gzip, zstd"}
        async with (
            client() as session,
            post(
                session, run, messages(stream=False), **named, **{"anthropic-beta": "a,b"}
            ) as answer,
        ):
            assert "Keep-Alive" not in answer.headers
            assert answer.headers["X-Kept"] == "1"
    head = source.seen[0][0].lower()
    assert "accept-encoding: identity" in head
    assert "gzip" not in head
    assert "x-mine" not in head
    assert "anthropic-beta: a,b" in head


async def test_a_provider_that_sends_garbage_is_estimated_and_passed_on(line):
    async def garbage(head, body, writer):
        writer.write(plain(b"\x00\xff<html>" * 1_000, "200 OK", "text/html"))

    async with Source(garbage) as source:
        run = line.run(upstreams=[f"anthropic={source.url}"])
        async with client() as session, post(session, run, messages()) as answer:
            assert await answer.read() == b"\x00\xff<html>" * 1_000
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert settled.tokens.prompt > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_cannot_spend_even_with_the_token(line):
    run = line.run()
    host, port, path = place(run)
    body = json.dumps(messages(stream=False)).encode()
    assert line.gateway._peers.tells
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65_534)
            with socket.create_connection((host, port)) as connection:
                connection.sendall(raw(path, body))
                theirs.sendall(connection.recv(12))
        finally:
            os._exit(0)
    theirs.close()
    ours.setblocking(False)
    async with asyncio.timeout(5):
        seen = await asyncio.get_running_loop().sock_recv(ours, 64)
    await asyncio.to_thread(os.waitpid, child, 0)
    ours.close()
    assert seen == b"HTTP/1.1 403"
    assert not line.demo.served()
    async with client() as session, post(session, run, messages(stream=False)) as answer:
        assert answer.status == 200
