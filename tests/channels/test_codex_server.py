"""The driver in the place of `codex exec`."""

import json

import pytest

from tests.channels import fakes

FREE = {"anywhere": True, "model": "m", "sandbox": "read-only"}


async def test_a_word_steers_the_turn_and_the_last_message_is_printed(desk):
    kept = desk.home / "last"
    settings = {**FREE, "last_message_file": str(kept)}
    await desk.start("app-server", fakes.CODEX, "build", settings=settings)
    taken, delivered = await desk.word(do="say", text="uv")
    assert taken["taken"]
    assert delivered["delivered"]
    code, output, errors = await desk.end()
    assert (code, output) == (0, "done with uv\n")
    assert "I begin." in errors
    assert kept.read_text() == "done with uv"


async def test_an_interrupt_cleans_the_background_terminals_before_it_is_confirmed(desk):
    await desk.start("app-server", fakes.CODEX, "build", settings=FREE)
    (answer,) = await desk.word(do="interrupt")
    assert answer["interrupted"]
    code, _, errors = await desk.end()
    assert code == 1
    steps = json.loads(
        errors.splitlines()[-2]
        if errors.splitlines()[-1].startswith("ERROR")
        else errors.splitlines()[-1]
    )
    assert steps[-2:] == ["turn/interrupt", "thread/backgroundTerminals/clean"]


async def test_a_refusal_is_told_and_ends_with_one(desk):
    await desk.start("app-server", fakes.CODEX, "refused", settings=FREE)
    code, output, errors = await desk.end()
    assert (code, output) == (1, "")
    assert "ERROR: no money" in errors


async def test_a_session_is_resumed(desk):
    await desk.start("app-server", fakes.CODEX, "refused", settings={**FREE, "resume": "t1"})
    assert '"thread/resume"' in (await desk.end())[2]


async def test_where_codex_would_not_work_the_plain_command_says_so(desk):
    await desk.start("app-server", fakes.CODEX, "build", settings={"model": "m"})
    assert (await desk.end())[0] == 9


@pytest.mark.parametrize("script", ["import sys; sys.exit(2)", "print('{}')", "print('[1]')"])
async def test_another_program_is_the_plain_command(desk, script):
    await desk.start("app-server", script, "build", settings=FREE)
    assert (await desk.end())[0] == 9


async def test_what_is_piped_in_is_tagged(desk):
    await desk.start("app-server", fakes.CODEX, "build", b"text", piped="tagged", settings=FREE)
    await desk.word(do="interrupt")
    assert "user\nbuild\n\n<stdin>\ntext\n</stdin>\n" in (await desk.end())[2]
