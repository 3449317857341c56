"""Who is let out: tokens, caps, prices, and what is booked when something goes wrong."""

import asyncio
import json

import aiohttp
import anthropic
import pytest

from cockpit.core import events as e
from cockpit.demo.mishaps import Mishap
from cockpit.gateway.governed import new_token
from cockpit.journal.purse import Cap
from tests.gateway.line import KEY, NANO, Line, Source, client, messages, plain, post


@pytest.fixture
async def line(tmp_path):
    async with Line(tmp_path) as line:
        yield line


async def error_of(answer):
    return (await answer.json())["error"]["message"]


async def test_a_wrong_missing_or_dead_token_is_turned_away(line):
    run = line.run()
    wrong = line.gateway.run_url(new_token()[0])
    line.gateway.dismiss(run)
    async with client() as session:
        for url in (wrong, line.gateway.url, f"{line.gateway.url}/run/", run.url):
            async with session.post(f"{url}/v1/messages", json=messages()) as answer:
                assert answer.status == 403
                assert "belongs to no live run" in await error_of(answer)
        async with session.post(f"{wrong}/v1/chat/completions", json={}) as answer:
            assert answer.status == 403
    assert not line.demo.served()
    assert not line.events


async def test_the_base_answers_and_unknown_paths_and_upgrades_do_not(line):
    run = line.run(agent="codex")
    async with client() as session:
        async with session.head(run.url) as answer:
            assert answer.status == 200
        async with session.post(f"{run.url}/v1/fine_tuning/jobs", json={}) as answer:
            assert answer.status == 400
            assert "of which nobody can tell what it costs" in await error_of(answer)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        async with session.get(f"{run.url}/v1/responses", headers=upgrade) as answer:
            assert answer.status == 426
    assert not line.demo.served()


async def test_at_the_cap_nothing_is_sent_and_raising_it_lets_it_go_on(line):
    run = line.run(cap=1)
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY)  # with its own retries
    asked = {"model": "claude-opus-5", "max_tokens": 100}
    hello = [{"role": "user", "content": "hello"}]
    with pytest.raises(anthropic.APIStatusError) as refused:
        await sdk.messages.create(messages=hello, **asked)
    assert refused.value.status_code == 402
    sentence = str(refused.value)
    assert "$0.00 of its" in sentence
    assert "Nothing was sent. Raise it: cockpit budget run-k3f9 --money 1" in sentence
    (event,) = line.of(e.HoldRefused)
    assert event.scope == "run:run-k3f9"
    assert not line.demo.served()
    line.ledger.cap("run:run-k3f9", Cap(5 * NANO))
    assert (await sdk.messages.create(messages=hello, **asked)).content
    await sdk.close()


async def test_a_shared_cap_is_raised_by_another_command(line):
    run = line.run()
    line.ledger.cap("fleet", Cap(1000))
    sdk = anthropic.AsyncAnthropic(base_url=run.url, api_key=KEY)
    hello = [{"role": "user", "content": "hello"}]
    with pytest.raises(anthropic.APIStatusError) as refused:
        await sdk.messages.create(messages=hello, model="claude-opus-5", max_tokens=100)
    assert "Nothing was sent. Raise it: cockpit caps fleet 1usd" in str(refused.value)
    await sdk.close()


async def test_a_small_rest_grants_a_shorter_answer(line):
    """Opus 5 takes 25 dollars for a million tokens of output: 10 cents are about 4000 of them."""
    run = line.run(cap=NANO // 10)
    async with Source(echo_limit) as source:
        run.upstreams = line.run(upstreams=[f"anthropic={source.url}"]).upstreams
        async with (
            client() as session,
            post(session, run, messages(stream=False, max_tokens=64_000)) as answer,
        ):
            assert answer.status == 200
        sent = json.loads(source.seen[0][1])
    assert 3_500 < sent["max_tokens"] < 4_000


async def echo_limit(head, body, writer):
    answer = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 3},
    }
    writer.write(plain(json.dumps(answer).encode()))
    await writer.drain()


async def test_an_unknown_price_is_refused_and_a_subscription_is_not(line):
    run = line.run()
    body = messages(stream=False, model="claude-nobody-9")
    async with client() as session:
        async with post(session, run, body) as answer:
            assert answer.status == 402
            said = await error_of(answer)
        assert "no price is known for 'claude-nobody-9'" in said
        assert "prices.toml" in said
        async with session.post(
            f"{run.url}/v1/messages", json=body, headers={"Authorization": "Bearer sk-ant-oat01-x"}
        ) as answer:
            assert answer.status == 200
    (settled,) = await line.until(e.CallSettled)
    assert settled.nano == 0
    assert line.spent().tokens == line.truth()


async def test_a_subscription_counts_tokens_and_no_money(line):
    run = line.run(cap=1)
    async with (
        client() as session,
        session.post(
            f"{run.url}/v1/messages",
            json=messages(stream=False),
            headers={"Authorization": "Bearer sk-ant-oat01-x"},
        ) as answer,
    ):
        assert answer.status == 200
    (settled,) = await line.until(e.CallSettled)
    assert settled.nano > 0  # what it would have cost
    assert line.spent().nano == 0
    assert line.spent().tokens == line.truth() > 0


async def test_calls_that_fit_only_one_after_the_other_wait_for_each_other(line):
    run = line.run(cap=NANO // 50)
    body = messages(stream=False, max_tokens=500)
    async with client() as session:

        async def one():
            async with post(session, run, body) as answer:
                await answer.read()
                return answer.status

        assert await asyncio.gather(*(one() for _ in range(4))) == [200] * 4
    assert line.spent().nano <= NANO // 50
    assert line.spent().tokens == line.truth()


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_of_the_provider_costs_nothing_and_passes_as_it_came(line, stream):
    run = line.run()
    line.demo.plan(Mishap(kind="status", status=529, headers={"retry-after": "7"}))
    async with client() as session, post(session, run, messages(stream=stream)) as answer:
        assert answer.status == 529
        assert answer.headers["retry-after"] == "7"
        assert (await answer.json())["error"]["type"] == "overloaded_error"
    (failed,) = await line.until(e.CallFailed)
    assert (failed.status, "overloaded" in failed.message) == (529, True)
    assert line.spent().tokens == 0
    assert not line.ledger.open_holds()


async def test_an_unreachable_provider_costs_nothing(line):
    run = line.run(upstreams=["anthropic=http://127.0.0.1:1"])
    async with client() as session, post(session, run, messages()) as answer:
        assert answer.status in (429, 503)
        assert "cannot be reached" in await error_of(answer)
    assert line.of(e.CallFailed)
    assert line.spent().tokens == 0
    assert not line.ledger.open_holds()


async def test_no_answer_at_all_is_never_zero(line):
    async def hang_up(head, body, writer):
        writer.close()

    async with Source(hang_up) as source:
        run = line.run(upstreams=[f"anthropic={source.url}"])
        async with client() as session, post(session, run, messages()) as answer:
            assert answer.status in (429, 503)
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert settled.tokens.prompt > 0
    assert len(source.seen) == 1  # nothing is ever sent twice by us


async def test_a_stream_the_provider_cuts_ends_like_that_and_is_estimated(line):
    run = line.run()
    line.demo.plan(Mishap(kind="cut", after=30))
    async with client() as session:
        with pytest.raises(Exception, match=r"payload is not completed|Connection"):
            async with post(session, run, messages("[[slow]]", max_tokens=4_000)) as answer:
                await answer.read()
    (settled,) = await line.until(e.CallSettled)
    (served,) = line.demo.served()
    assert settled.mark == "estimated"
    assert settled.tokens.input >= served.tokens.input
    assert settled.tokens.output >= served.tokens.output
    assert not line.ledger.open_holds()


async def test_a_stream_without_its_last_event_is_estimated(line):
    run = line.run()
    line.demo.plan(Mishap(kind="truncate", after=30))
    async with (
        client() as session,
        post(session, run, messages("[[think]]", max_tokens=4_000)) as answer,
    ):
        await answer.read()
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert line.spent().tokens >= line.truth()


async def test_a_client_that_leaves_stops_the_provider_and_is_never_zero(line):
    run = line.run()
    async with client() as session:
        answer = await post(session, run, messages("[[slow]]", max_tokens=4_000))
        await line.demo.until(begun=1)
        answer.close()
        await line.demo.until(count=1)
    (served,) = line.demo.served()
    (settled,) = await line.until(e.CallSettled)
    assert served.cancelled
    assert settled.mark == "estimated"
    assert settled.tokens.input == served.tokens.input
    assert settled.tokens.output >= served.tokens.output > 0
    assert run.in_flight == 0
    assert not line.ledger.open_holds()


async def test_a_client_that_leaves_before_the_first_byte_is_never_zero(line):
    run = line.run()
    line.demo.plan(Mishap(kind="slow", ms=5_000))
    async with client() as session:
        asking = asyncio.ensure_future(post(session, run, messages())._coro)
        await line.until(e.CallStarted)
        asking.cancel()
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert settled.tokens.prompt > 0


async def test_the_shares_of_a_subscriptions_windows_are_kept(line):
    headers = (
        "anthropic-ratelimit-unified-5h-utilization: 0.42",
        "anthropic-ratelimit-unified-5h-reset: 1795350000",
        "anthropic-ratelimit-unified-7d-utilization: nonsense",
        "x-codex-primary-used-percent: 12.5",
    )

    async def tell(head, body, writer):
        writer.write(plain(b"{}", "200 OK", "application/json", *headers))

    async with Source(tell) as source:
        run = line.run(upstreams=[f"anthropic={source.url}"])
        async with client() as session, post(session, run, messages(stream=False)) as answer:
            await answer.read()
    assert {name: window.share for name, window in run.windows.items()} == {
        "5h": 0.42,
        "primary": 0.125,
    }
    assert run.windows["5h"].resets == 1_795_350_000_000


async def test_a_restart_keeps_the_port_and_a_taken_one_gets_a_new(line, tmp_path):
    from cockpit.gateway.app import Gateway

    port = line.gateway.url.rpartition(":")[2]
    second = Gateway(line.door, tmp_path / "port")
    assert not await second.open()  # the port is taken by the first
    assert second.url.rpartition(":")[2] != port
    assert (tmp_path / "port").read_text().strip() == second.url.rpartition(":")[2]
    kept = second.url
    await second.close()
    third = Gateway(line.door, tmp_path / "port")
    assert await third.open()
    assert third.url == kept
    await third.close()
    await line.door.outside.open()


async def test_whatever_breaks_no_hold_stays_open(line, caplog):
    """A listener that fails is a mistake of ours: no money stays locked away, no word gets out."""
    run = line.run()

    def broken(event):
        raise RuntimeError(f"listener broken by {KEY}")

    line.door.happened = broken
    async with client() as session, post(session, run, messages()) as answer:
        assert answer.status == 500
        assert KEY not in await answer.text()
    assert "RuntimeError at test_door.py" in caplog.text
    assert KEY not in caplog.text
    assert not line.ledger.open_holds()
    assert line.spent().tokens > 0


async def test_what_breaks_in_an_open_stream_ends_it_without_a_second_answer(line):
    run = line.run()

    def full(*arguments):
        raise OSError("disk full")

    line.ledger.checkpoint = full
    async with client() as session:
        answer = await post(session, run, messages("[[slow]]", max_tokens=4_000))
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    (settled,) = await line.until(e.CallSettled)
    assert settled.mark == "estimated"
    assert not line.ledger.open_holds()
