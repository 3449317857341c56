"""A timer slower than the cache, from a transcript to the screen: live, after kill -9, and read cold."""

import asyncio
import json

import pytest

from tests.engine.live import now_ms, prompt, reply
from tests.engine.machine import Machine, asked

MINUTE = 60_000
PREFIX = 80_000


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.end()


def call(number, at, *, read, written):
    """A wake: what its timer typed, and the answer two seconds later."""
    line = json.loads(reply(number, at=at + 2_000))
    line["message"]["usage"] |= {
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
    }
    return prompt(number, at=at, text="look again") + json.dumps(line).encode() + b"\n"


def wakes(count, end):
    """A first call and so many cold ones, six minutes apart, the last one at `end`."""
    return [
        call(number, end - (count - number) * 6 * MINUTE, read=0, written=PREFIX + 200 * number)
        for number in range(count + 1)
    ]


async def known(machine):
    """The run's misses, as `cockpit show` tells them, and what the feed said of its timer."""
    await asked(machine, "sync")
    fleet = json.loads(await asked(machine, "fleet"))
    said = [notice["text"] for notice in fleet.get("feed", []) if "timer slower" in notice["text"]]
    shown = await asyncio.to_thread(machine.run, "show", "s", "--json")
    detail = json.loads(shown.stdout)
    return {key: detail[key] for key in ("cache_misses", "missed_usd", "slow_timer")}, said


async def test_it_is_said_once_and_survives_a_kill(machine):
    *before, last = wakes(4, now_ms())
    path = machine.transcript("s")
    path.write_bytes(b"".join(before))
    machine.start()
    misses, said = await known(machine)
    assert misses["cache_misses"] == 3
    assert misses["slow_timer"]
    assert len(said) == 1
    assert said[0].startswith("timer slower than the 5m cache: 3 misses cost $0.8")
    with path.open("ab") as file:
        file.write(last)
    live = await known(machine)
    assert live[0]["cache_misses"] == 4
    assert live[1] == said
    machine.kill()
    machine.start()
    assert await known(machine) == live


async def test_a_fork_and_a_timer_in_time_say_nothing(machine):
    story = b"".join(wakes(2, now_ms()))
    machine.transcript("s").write_bytes(story)
    fork = story.replace(b'"sessionId": "s"', b'"sessionId": "t"')
    own = call(9, now_ms(), read=0, written=PREFIX).replace(
        b'"sessionId": "s"', b'"sessionId": "t"'
    )
    machine.transcript("t").write_bytes(fork + own)
    machine.start()
    misses, said = await known(machine)
    assert (misses["cache_misses"], misses["slow_timer"], said) == (2, False, [])
    shown = await asyncio.to_thread(machine.run, "show", "t", "--json")
    assert json.loads(shown.stdout)["cache_misses"] == 0
