"""The lease: an agent that nobody governs is stopped, a machine that slept is not blamed."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from cockpit.engine import frames, records
from cockpit.engine.lease import Clocks, Lease
from cockpit.engine.outlet import Outbox, Ring
from tests.engine import hostile
from tests.engine.yard import Heard, Yard, script


@pytest.fixture
async def silent(monkeypatch):
    """An engine that says nothing after its first beat."""
    monkeypatch.setenv("COCKPIT_HOME", "")
    yard = Yard(beat_seconds=3_600)
    await yard.runners.start()
    yield yard
    await yard.close()
    yard.clean_up()


def at(monotonic, wall=None, boot=None):
    return Clocks(
        float(monotonic),
        1_000_000.0 + (monotonic if wall is None else wall),
        500.0 + (monotonic if boot is None else boot),
    )


def over(lease, *moments):
    return [lease.is_over(moment) for moment in moments]


def test_silence_ends_the_lease():
    lease = Lease(3, at(0))
    assert over(lease, at(1), at(2), at(2.9)) == [False] * 3
    assert lease.is_over(at(3))


def test_a_beat_renews_it():
    lease = Lease(3, at(0))
    assert over(lease, at(1), at(2)) == [False, False]
    lease.beat(at(2.5))
    assert over(lease, at(3), at(4), at(5), at(5.6)) == [False, False, False, True]


@pytest.mark.parametrize(
    "jumped",
    [at(2, wall=3_602), at(2, wall=-3_598), at(2, boot=28_802, wall=28_802), at(9)],
    ids=["clock-forward", "clock-back", "slept", "was-frozen"],
)
def test_a_jump_grants_one_whole_period(jumped):
    lease = Lease(3, at(0))
    assert not lease.is_over(at(1))
    assert not lease.is_over(jumped)
    seconds = jumped.monotonic

    def later(more):
        return Clocks(seconds + more, jumped.wall + more, jumped.boot + more)

    assert over(lease, later(1), later(2), later(2.9)) == [False] * 3
    assert lease.is_over(later(3))


async def test_a_run_whose_engine_is_silent_is_stopped_in_order(silent):
    saved = Path(silent.home) / "saved"
    code = f"""
def save(*_):
    open({str(saved)!r}, "w").write("saved")
    os._exit(0)
signal.signal(signal.SIGINT, save)
spawn("os.setsid(); tell(); sleep(600)")
sleep(600)
"""
    rein, _ = await silent.start(code, 1, lease=1.0)
    began = time.monotonic()
    ended = await silent.gone(rein.run)
    assert saved.read_text() == "saved"
    assert ended.by == "its runner: no engine was there"
    assert silent.nest.alive() == []
    assert time.monotonic() - began < 10


async def test_a_beat_in_time_keeps_it_running(silent):
    rein = await silent.spawn(script(hostile.PLAIN), lease=2.0)
    for _ in range(6):
        rein.say(frames.BEAT)
        await asyncio.sleep(0.5)
    assert not rein.ended.done()
    await silent.stop(rein.run)


async def test_who_is_attached_is_told(silent):
    rein = await silent.spawn(script(hostile.PLAIN), lease=1.0)
    reader, writer = await asyncio.open_unix_connection(str(records.socket_of(rein.run)))
    writer.write(frames.said(frames.HELLO, role="attach"))
    parser, told = frames.Parser(), {}
    while frames.EXITED not in told:
        for kind, body in parser.feed(await asyncio.wait_for(reader.read(65536), 20)):
            told[kind] = body
    assert b"no engine for 1 s" in told[frames.TOLD]
    writer.close()


class Stalled:
    """A terminal that is attached and does not read."""

    def __init__(self, run):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(str(records.socket_of(run)))
        self.connection.sendall(frames.said(frames.HELLO, role="attach"))
        self.connection.setblocking(False)

    async def read(self):
        loop, parser, found = asyncio.get_running_loop(), frames.Parser(), []
        while data := await asyncio.wait_for(loop.sock_recv(self.connection, 1 << 20), 20):
            found += parser.feed(data)
            if found and found[-1][0] == frames.ENDED:
                break
        self.connection.close()
        return found


async def test_a_reader_that_does_not_read_blocks_nobody_and_misses_only_the_oldest(silent):
    heard = Heard()
    rein = await silent.spawn(
        ["sh", "-c", "read word; head -c 49999992 /dev/zero; echo 6250000"], hear=heard
    )
    stalled = Stalled(rein.run)
    began = time.monotonic()
    rein.write(b"\n")
    await heard.until(lambda said: len(said) == 50_000_000, seconds=40)
    assert time.monotonic() - began < 30
    await asyncio.wait_for(asyncio.shield(rein.ended), 10)
    found = await stalled.read()
    output = b"".join(body for kind, body in found if kind == frames.OUTPUT)
    dropped = sum(frames.read(body)["bytes"] for kind, body in found if kind == frames.DROPPED)
    assert len(output) + dropped == 50_000_000
    assert len(output) < 3_000_000
    assert output.endswith(b"6250000\n")
    assert [kind for kind, _ in found][-2:] == [frames.EXITED, frames.ENDED]


def test_a_ring_keeps_the_newest():
    ring = Ring(10)
    for piece in (b"12345", b"67890", b"abc"):
        ring.add(frames.OUTPUT, piece)
    assert b"".join(data for _, data in ring.chunks) == b"67890abc"
    assert (ring.wrapped, ring.count, ring.tail(4)) == (True, 13, b"0abc")


def test_an_outbox_drops_output_and_never_a_word():
    box = Outbox(10)
    box.put(frames.frame(frames.BEGAN))
    for piece in (b"12345", b"67890", b"abc"):
        box.put_output(frames.OUTPUT, piece)
    box.put(frames.said(frames.EXITED, code=0))
    sent = b""
    while head := box.head():
        sent += head[:3]
        box.sent(3)
    found = list(frames.Parser().feed(sent))
    assert found == [
        (frames.DROPPED, b'{"bytes": 5}'),
        (frames.BEGAN, b""),
        (frames.OUTPUT, b"67890"),
        (frames.OUTPUT, b"abc"),
        (frames.EXITED, b'{"code": 0}'),
    ]
    assert not box


@pytest.mark.parametrize("cut", range(1, 12))
def test_frames_come_out_of_any_cut(cut):
    stream = frames.frame(b"o", b"text") + frames.said(b"S", a=1) + frames.frame(b"b")
    parser = frames.Parser()
    found = [one for at in range(0, len(stream), cut) for one in parser.feed(stream[at : at + cut])]
    assert found == [(b"o", b"text"), (b"S", b'{"a": 1}'), (b"b", b"")]


@pytest.mark.parametrize("bad", [b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_frame_that_is_no_object_is_refused(bad):
    with pytest.raises(frames.FrameError):
        frames.read(bad)


def test_a_frame_too_large_is_refused():
    with pytest.raises(frames.FrameError):
        list(frames.Parser().feed(frames.HEAD.pack(b"o", frames.LIMIT + 1)))


async def test_nonsense_hurts_nobody(silent):
    heard = Heard()
    rein = await silent.spawn(script(hostile.PLAIN), hear=heard, size=(24, 80))
    await heard.until(lambda said: b"ready" in said)
    words = [
        b"\x00" * 64,
        frames.said(frames.RESIZE, rows=-5, columns=10**30),
        frames.said(frames.HELLO, role="attach", rows="x"),
        frames.said(frames.HELLO, role="attach")
        + frames.said(frames.RESIZE, rows=-5, columns=10**30),
        frames.said(frames.HELLO, role="attach") + frames.said(frames.KILL),
        frames.said(frames.HELLO, role="attach") + frames.said(frames.SIGNAL, signal="SIGKILL"),
        frames.said(frames.HELLO, role="attach") + frames.frame(frames.SIGNAL, b"{"),
        frames.said(frames.HELLO, role="engine", secret="guessed") + frames.frame(frames.KILL),
        frames.frame(frames.INPUT, b"\x03"),
        frames.HEAD.pack(b"i", 2**32 - 1),
    ]
    for word in words:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(records.socket_of(rein.run)))
            connection.sendall(word)
    rein.signal("SIGUSR1")  # behind all that; the agent dies of it
    assert (await silent.gone(rein.run)).code == 128 + 10
