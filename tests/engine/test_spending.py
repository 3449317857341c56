"""The request `spend`: the same answer as the shell's, while the engine reads on."""

import asyncio
import json
import os

import msgspec
import pytest

from cockpit.core.spending import CHOICES, Only, as_builtins, read_report
from cockpit.engine.client import EngineError
from tests.engine.live import now_ms, prompt, reply
from tests.engine.machine import Machine, asked

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def machine():
    """Two runs of today, and one that is too old for the screen, each in a project of its own."""
    machine = Machine()
    for session, age in (("new", 0), ("newer", 0), ("old", 9)):
        at = now_ms() - age * DAY_MS
        path = machine.transcript(session, f"-src-{session}")
        lines = prompt(session, session, at=at) + reply(f"{session}-1", session, at=at + 1)
        path.write_bytes(lines.replace(b'"/src/p"', f'"/src/{session}"'.encode()))
        os.utime(path, (at / 1000, at / 1000))
    machine.start()
    asyncio.run(asked(machine, "sync"))
    yield machine
    machine.end()


async def report(machine, by, **more):
    client = await machine.client()
    try:
        return await asyncio.wait_for(client.spend(by, **more), 30)
    finally:
        await client.close()


async def test_runs_that_never_were_on_the_screen_are_described_in_the_background(machine):
    async with asyncio.timeout(10):
        while True:
            rows = (await report(machine, "project")).rows
            if {row.key for row in rows} == {"/src/new", "/src/newer", "/src/old"}:
                break
            await asyncio.sleep(0.02)
    names = {row.name for row in (await report(machine, "run")).rows}
    assert names == {"fix the tests"}


@pytest.mark.parametrize("by", CHOICES)
async def test_it_answers_what_the_shell_prints(machine, by):
    told = machine.run("spend", "--by", by, "--tz", "UTC", "--json")
    assert json.loads(told.stdout) == as_builtins(await report(machine, by, tz="UTC"))


async def test_periods_and_parts(machine):
    recent = await report(machine, "agent", since=now_ms() - DAY_MS)
    assert recent.total.calls == 2
    before = await report(machine, "agent", until=now_ms() - DAY_MS)
    assert before.total.calls == 1
    part = await report(machine, "run", only=[Only("project", "/src/old")])
    assert [row.key for row in part.rows] == ["claude-code/old"]
    assert (await report(machine, "day", only=[Only("agent", "codex")])).total.calls == 0
    (model,) = (await report(machine, "model")).rows
    assert (
        await report(machine, "run", only=[Only("model", model.key), Only("agent", "claude-code")])
    ).total.calls == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"by": "mood"}, "mood"),
        ({"since": -1}, "since"),
        ({"until": 1 << 70}, "until"),
        ({"since": "yesterday"}, "since"),
        ({"tz": "Mars/Base"}, "no time zone"),
        ({"tz": "../../etc/passwd"}, "no time zone"),
        ({"only": [{"field": "1=1; --", "key": ""}]}, "field"),
    ],
)
async def test_nonsense_is_refused_with_a_reason(machine, arguments, said):
    with pytest.raises(EngineError, match=said):
        await asked(machine, "spend", **arguments)


async def test_a_key_is_a_value_never_a_statement(machine):
    evil = Only("agent", "x') OR 1=1 --")
    assert (await report(machine, "agent", only=[evil])).total.calls == 0


def test_a_report_survives_the_wire():
    told = {
        "total": {
            "usd": "1234567.000000001", "tokens": {"input": 1}, "calls": 2, "unpriced_calls": 1,
            "estimated_usd": "0.00", "bad_lines": 3,
        },
        "rows": [],
    }  # fmt: skip
    read = read_report(msgspec.json.encode(told))
    assert read.total.nano == 1_234_567_000_000_001
    assert (read.total.unpriced_calls, read.bad_lines) == (1, 3)
    assert as_builtins(read)["total"]["usd"] == "1234567.000000001"
