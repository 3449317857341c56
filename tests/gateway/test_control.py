"""What the operator does to a run at the door: pause, say, refuse, stop, answer."""

import asyncio
import time

import anthropic
import openai
import pytest

from cockpit.core import events as e
from cockpit.demo.mishaps import Mishap
from cockpit.gateway import passage
from cockpit.journal.purse import Cap
from tests.gateway.line import KEY, NANO, Line, client, messages, post


@pytest.fixture
async def line(tmp_path):
    async with Line(tmp_path) as line:
        yield line


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a count, which nobody announces
            await asyncio.sleep(0.005)


async def test_a_paused_run_is_held_and_goes_on_billed_once(line):
    run = line.run()
    run.pause()
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY, max_retries=0)
    asking = asyncio.ensure_future(
        sdk.messages.create(
            model="claude-opus-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        )
    )
    await until(lambda: run.held == 1)
    assert not line.demo.served()
    assert not line.ledger.open_holds()
    run.resume()
    assert (await asking).content
    await sdk.close()
    assert (run.held, run.in_flight) == (0, 0)
    assert len(line.demo.served()) == len(line.of(e.CallSettled)) == 1


async def test_beyond_its_patience_a_stream_gets_signs_of_life(line, monkeypatch):
    monkeypatch.setattr(passage, "KEEP_ALIVE_S", 0.05)
    run = line.run(patience_s=0.1)
    run.pause()
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY, max_retries=0, timeout=1.0)

    async def ask():
        async with sdk.messages.stream(
            model="claude-opus-5", max_tokens=50, messages=[{"role": "user", "content": "hello"}]
        ) as stream:
            return await stream.get_final_message()

    asking = asyncio.ensure_future(ask())
    await asyncio.sleep(1.5)  # longer than the client waits for a word
    assert not asking.done()
    run.resume()
    assert (await asking).stop_reason == "end_turn"
    await sdk.close()
    assert len(line.demo.served()) == 1


@pytest.mark.parametrize("wire", ["chat", "responses"])
async def test_openais_clients_bear_signs_of_life_too(line, monkeypatch, wire):
    monkeypatch.setattr(passage, "KEEP_ALIVE_S", 0.05)
    run = line.run(agent="opencode", patience_s=0.1)
    run.pause()
    sdk = openai.AsyncOpenAI(base_url=f"{run.url}/v1", api_key=KEY, max_retries=0, timeout=1.0)

    async def ask():
        if wire == "chat":
            said = [{"role": "user", "content": "hello"}]
            stream = await sdk.chat.completions.create(
                model="gpt-6.1-sol", stream=True, messages=said
            )
            return [chunk async for chunk in stream]
        async with sdk.responses.stream(model="gpt-6.1-sol", input="hello") as stream:
            return await stream.get_final_response()

    asking = asyncio.ensure_future(ask())
    await asyncio.sleep(1.3)
    assert not asking.done()
    run.resume()
    assert await asking
    await sdk.close()


async def test_an_answer_that_is_no_stream_is_kept_alive_by_spaces(line, monkeypatch):
    monkeypatch.setattr(passage, "KEEP_ALIVE_S", 0.05)
    run = line.run(patience_s=0.1)
    run.pause()
    async with client() as session:
        answer = await post(session, run, messages(stream=False))
        assert answer.status == 200
        run.resume()
        assert (await answer.json())["type"] == "message"


async def test_a_client_that_bears_nothing_is_asked_to_come_back(line):
    run = line.run(patience_s=0.05, keep_alives=False)
    run.pause()
    async with client() as session:
        async with post(session, run, messages()) as answer:
            assert answer.status in (429, 503)
            assert int(answer.headers["retry-after"]) > 0
        run.resume()
        async with post(session, run, messages()) as answer:
            assert answer.status == 200
            await answer.read()
    assert len(line.demo.served()) == 1


async def test_an_error_after_signs_of_life_is_told_in_the_stream(line, monkeypatch):
    monkeypatch.setattr(passage, "KEEP_ALIVE_S", 0.02)
    run = line.run(patience_s=0.02)
    run.pause()
    line.demo.plan(Mishap(kind="status", status=529))
    async with client() as session:
        answer = await post(session, run, messages())
        run.resume()
        body = (await answer.read()).decode()
    assert "event: error" in body
    assert "provider error 529" in body


async def test_refusing_ends_what_waits_and_what_comes(line):
    run = line.run()
    run.pause()
    async with client() as session:
        held = asyncio.ensure_future(status_and_text(post(session, run, messages())))
        await until(lambda: run.held == 1)
        run.refuse("cockpit: stopped by the operator")
        status, text = await held
        assert status == 402
        assert "stopped by the operator" in text
        run.resume()
        assert (await status_and_text(post(session, run, messages())))[0] == 402
        run.admit_again()
        assert (await status_and_text(post(session, run, messages())))[0] == 200
    assert len(line.demo.served()) == 1


async def status_and_text(request):
    async with request as answer:
        return answer.status, await answer.text()


async def test_the_operator_is_asked_at_the_cap_and_the_call_waits(line):
    run = line.run(cap=1, at_cap="ask")
    async with client() as session:
        asking = asyncio.ensure_future(status_and_text(post(session, run, messages())))
        await line.until(e.HoldRefused)
        await until(lambda: run.held == 1)
        line.ledger.cap("run:run-k3f9", Cap(5 * NANO))
        run.admit_again()
        assert (await asking)[0] == 200
        line.ledger.cap("run:run-k3f9", Cap(1))
        asking = asyncio.ensure_future(status_and_text(post(session, run, messages())))
        await line.until(e.HoldRefused, 2)
        run.refuse("cockpit: the operator said no")
        assert "said no" in (await asking)[1]
    assert len(line.demo.served()) == 1


async def test_a_note_is_said_once_behind_the_next_request(line):
    run = line.run()
    note = run.say("Leave the tests alone.")
    async with client() as session:
        for _ in range(2):
            await status_and_text(post(session, run, messages("go on")))
    first, second = line.demo.served()
    assert "Leave the tests alone." in first.heard
    assert "Leave" not in second.heard
    assert await note.delivered > 0
    (steered,) = line.of(e.RunSteered)
    assert (steered.channel, steered.delivered > 0) == ("gateway", True)


async def test_a_note_does_not_get_lost_in_an_error_or_a_side_question(line):
    run = line.run()
    tools = [{"name": "Bash", "description": "run", "input_schema": {"type": "object"}}]
    async with client() as session:
        await status_and_text(post(session, run, messages("go on", tools=tools)))
        run.say("Leave the tests alone.")
        await status_and_text(post(session, run, messages("a title, please")))
        line.demo.plan(Mishap(kind="status", status=529))
        await status_and_text(post(session, run, messages("go on", tools=tools)))
        await status_and_text(post(session, run, messages("go on", tools=tools)))
    heard = ["Leave" in served.heard for served in line.demo.served() if served.status == 200]
    assert heard == [False, False, True]
    assert len(line.of(e.RunSteered)) == 1


async def test_stopping_tells_each_wire_and_the_provider_first(line):
    run = line.run()
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY, max_retries=0)

    async def ask():
        async with sdk.messages.stream(
            model="claude-opus-5",
            max_tokens=4_000,
            messages=[{"role": "user", "content": "[[slow]]"}],
        ) as stream:
            await stream.get_final_message()

    asking = asyncio.ensure_future(ask())
    await line.demo.until(begun=1)
    assert run.close_streams("cockpit: stopped by the operator") == 1
    with pytest.raises(anthropic.APIStatusError, match="stopped by the operator"):
        await asking
    await sdk.close()
    await line.demo.until(count=1)
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert settled.tokens.output >= line.demo.served()[0].tokens.output
    assert (run.in_flight, line.ledger.open_holds()) == (0, ())


async def test_stopping_what_has_no_answer_yet_refuses_it(line):
    run = line.run()
    line.demo.plan(Mishap(kind="slow", ms=5_000))
    async with client() as session:
        asking = asyncio.ensure_future(status_and_text(post(session, run, messages())))
        await line.until(e.CallStarted)
        assert run.close_streams("cockpit: stopped by the operator") == 1
        status, text = await asking
    assert (status, "stopped by the operator" in text) == (402, True)
    await line.until(e.CallSettled)


async def test_a_hundred_streams_are_closed_at_once(line):
    run = line.run()
    run.refuse("")
    async with client() as session:
        streams = [
            asyncio.ensure_future(
                status_and_text(post(session, run, messages("[[slow]]", max_tokens=4_000)))
            )
            for _ in range(100)
        ]
        await line.demo.until(begun=100)
        began = time.perf_counter()
        assert run.close_streams("cockpit: stopped") == 100
        own = time.perf_counter() - began
        await line.demo.until(count=100)
        seen = time.perf_counter() - began
        answers = await asyncio.gather(*streams)
    assert all("event: error" in text for _, text in answers)
    assert len(line.of(e.CallSettled)) == 100
    assert own < 0.05
    assert seen < 1.0  # client, gateway and provider share this process
