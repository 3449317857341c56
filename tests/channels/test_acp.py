"""The driver in the place of `gemini -p`: the agent asks, the rules and the operator answer."""

import pytest

from tests.channels import fakes

FREE = {"free": True, "mode": "default"}


@pytest.mark.parametrize(
    ("decision", "free", "heard"),
    [
        (True, False, "go"),
        (False, True, "no"),
        (None, True, "go"),
        (None, False, "no"),
    ],
)
async def test_a_question_is_answered_by_the_rules_then_as_the_mode_would(
    desk, decision, free, heard
):
    server = await desk.engine(decision)
    await desk.start("acp", fakes.ACP, "git push", settings={"free": free})
    assert (await desk.end())[:2] == (0, f"heard {heard}\n")
    (asked,) = desk.asked
    assert (asked["do"], asked["run"], asked["tool"]) == ("approve", "run-abcdefgh", "Bash")
    assert asked["input"] == {"command": "git push"}
    server.close()


async def test_without_an_engine_nothing_is_allowed(desk):
    await desk.start("acp", fakes.ACP, "git push", settings=FREE)
    code, output, errors = await desk.end()
    assert (code, output) == (0, "heard no\n")
    assert "cannot be reached" in errors


async def test_an_interrupt_while_it_asks_is_confirmed_and_nothing_ran(desk):
    server = await desk.engine("silence")
    await desk.start("acp", fakes.ACP, "git push", settings=FREE)
    (answer,) = await desk.word(do="interrupt")
    assert answer["interrupted"]
    code, output, errors = await desk.end()
    assert (code, output) == (1, "")
    assert "cancelled" in errors
    server.close()


async def test_it_takes_no_word_and_that_is_said(desk):
    server = await desk.engine("silence")
    await desk.start("acp", fakes.ACP, "git push", settings=FREE)
    (answer,) = await desk.word(do="say", text="use uv")
    assert "a second prompt" in answer["failed"]
    await desk.word(do="interrupt")
    server.close()


async def test_the_session_is_told(desk):
    server = await desk.engine("silence")
    await desk.start("acp", fakes.ACP, "git push", settings=FREE)
    assert await desk.word(do="session") == [{"session": "s1"}]
    await desk.word(do="interrupt")
    server.close()


async def test_a_providers_status_is_the_exit_code_where_the_agent_does_so(desk):
    await desk.start("acp", fakes.ACP, "pay", settings={**FREE, "status_is_code": True})
    code, _, errors = await desk.end()
    assert code == 402 & 0xFF
    assert "Error: no money" in errors
