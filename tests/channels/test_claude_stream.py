"""The driver in the place of `claude -p`: what it prints, what it hears, and agents that behave badly."""

import asyncio
import json
import signal
import stat

import pytest

from cockpit.agents.channels import channel, claude_stream
from cockpit.agents.channels.channel import ChannelError
from cockpit.agents.channels.child import Child
from cockpit.agents.channels.plan import Plan
from cockpit.agents.channels.printing import Printer
from tests.channels import fakes


@pytest.mark.parametrize(
    ("result", "printed"),
    [
        ({"result": "42"}, "42\n"),
        ({"result": "42\n"}, "42\n"),
        ({"result": ""}, "\n"),
        ({"subtype": "error_during_execution"}, "Execution error"),
        (
            {"subtype": "error_max_turns", "errors": ["Reached maximum number of turns (3)"]},
            "Error: Reached max turns (3)",
        ),
        (
            {"subtype": "error_max_budget_usd", "errors": ["Reached maximum budget ($0.5)"]},
            "Error: Exceeded USD budget (0.5)",
        ),
        ({"subtype": "error_new", "errors": ["what (1)"]}, "Error: what (1)"),
    ],
)
async def test_it_prints_what_the_command_would(desk, result, printed):
    await desk.start("stream-json", fakes.CLAUDE, f"end {json.dumps(result)}")
    assert await desk.end() == (0, printed, "")


async def test_a_word_is_taken_and_delivered_and_the_socket_is_private(desk):
    await desk.start("stream-json", fakes.CLAUDE, "build")
    taken, delivered = await desk.word(do="say", text="use uv")
    assert taken["taken"]
    assert delivered["delivered"]
    assert (await desk.end())[1] == "build and use uv\n"
    assert not desk.socket.exists()


async def test_nobody_else_may_open_the_socket(desk):
    await desk.start("stream-json", fakes.CLAUDE, "build")
    await desk.connect()
    assert stat.S_IMODE(desk.socket.stat().st_mode) == 0o600


async def test_an_interrupt_is_confirmed_by_the_agent(desk):
    await desk.start("stream-json", fakes.CLAUDE, "build")
    assert (await desk.word(do="say", text=7))[0] == {"failed": "no such word"}
    (answer,) = await desk.word(do="interrupt")
    assert answer["interrupted"]
    assert (await desk.end())[:2] == (0, "Execution error")


async def test_what_is_piped_in_stands_below_the_prompt(desk):
    await desk.start("stream-json", fakes.CLAUDE, "build", b"this\n", piped="below")
    await desk.word(do="say", text="now")
    assert (await desk.end())[1] == "build\nthis\n and now\n"


@pytest.mark.parametrize("script", fakes.BAD_CLAUDES.values(), ids=fakes.BAD_CLAUDES)
async def test_lines_that_are_no_messages_are_nobodys(desk, script):
    await desk.start("stream-json", script, "build")
    await desk.word(do="say", text="go")
    assert await desk.end() == (0, "build and go\n", "")


async def test_an_agent_that_dies_in_the_middle_fails_the_word_and_its_code_is_told(desk):
    await desk.start("stream-json", fakes.DIES, "build")
    answers = await desk.word(do="say", text="go")
    assert answers[-1:] in ([{"failed": "the agent has ended"}], [])
    assert (await desk.end())[0] == 3


async def test_an_agent_that_closed_its_input_takes_no_word(desk):
    await desk.start("stream-json", fakes.DEAF, "build")
    answers = []
    async with asyncio.timeout(20):
        while "failed" not in (answers or [{}])[0]:
            answers = await desk.word(do="say", text="go")
    desk.signal(signal.SIGTERM)
    assert (await desk.end())[0] == 128 + signal.SIGTERM


@pytest.mark.parametrize("word", ["say", "interrupt"])
async def test_an_agent_that_never_confirms_is_not_waited_for(word, tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "ACKNOWLEDGE_SECONDS", 0.3)
    import sys

    child = await Child.start((sys.executable, "-c", fakes.NEVER_ACKNOWLEDGES))
    plan = Plan("stream-json", (), (), "build")
    agent = claude_stream.ClaudeStream(plan, child, Printer())
    work = asyncio.create_task(agent.work())
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    await (agent.say("go") if word == "say" else agent.interrupt())
                except ChannelError as error:
                    if "does not answer" in str(error):
                        break
                    await asyncio.sleep(0.02)
    finally:
        child.signal(signal.SIGKILL)
        assert await work == 128 + signal.SIGKILL


async def test_a_signal_reaches_the_agent_once(desk):
    await desk.start("stream-json", fakes.HEEDS_SIGNALS, "build")
    assert await desk.process.stderr.readline() == b"ready\n"
    desk.signal(signal.SIGINT)
    assert (await desk.end())[:2] == (5, "interrupted 1 times\n")


async def test_an_agent_without_the_protocol_is_the_plain_command_with_its_input(desk):
    script = "import sys; sys.exit('unknown option')"
    await desk.start("stream-json", script, "build", b"piped", piped="below")
    code, output, errors = await desk.end()
    assert (code, output) == (9, "the plain command piped\n")
    assert "unknown option" in errors


async def test_an_agent_that_was_stopped_before_it_spoke_is_not_begun_again(desk):
    await desk.start(
        "stream-json", "import sys, time; sys.stderr.write('up\\n'); time.sleep(60)", "x"
    )
    await desk.process.stderr.readline()
    desk.signal(signal.SIGTERM)
    assert (await desk.end())[:2] == (128 + signal.SIGTERM, "")


async def test_a_prompt_that_is_missing_is_the_plain_commands_affair(desk):
    await desk.start("stream-json", fakes.CLAUDE, "", b"", piped="below")
    assert (await desk.end())[0] == 9
