"""The driver in the place of `opencode run`."""

from tests.channels import fakes


async def test_a_word_is_delivered_when_an_answer_to_it_begins(desk):
    await desk.start("serve", fakes.OPENCODE, "build")
    taken, delivered = await desk.word(do="say", text="use uv")
    assert taken["taken"]
    assert delivered["delivered"]
    assert (await desk.end())[:2] == (0, "build and use uv\n")


async def test_an_abort_ends_the_turn_and_the_server(desk):
    await desk.start("serve", fakes.OPENCODE, "build", settings={"session": "s1"})
    (answer,) = await desk.word(do="interrupt")
    assert answer["interrupted"]
    assert (await desk.end())[0] == 1


async def test_an_error_is_told(desk):
    await desk.start("serve", fakes.OPENCODE, "pay")
    code, output, errors = await desk.end()
    assert (code, output) == (1, "")
    assert "no money" in errors


async def test_a_server_that_ends_is_the_plain_command(desk):
    await desk.start("serve", "print('no')", "build")
    assert (await desk.end())[0] == 9
