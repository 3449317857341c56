"""The whole demo: what the transcripts say is what was served, and nothing of it stays behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from cockpit.agents.registry import chosen
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.demo.cast import cast
from cockpit.demo.exchange import Served
from cockpit.demo.fleet import Demo, DemoError
from cockpit.prices.book import Book

SCALE = 75.0
"""Five minutes are four seconds here."""

EVERYBODY = [msgspec.structs.replace(plan, governed=False) for plan in cast(SCALE)]
"""The whole cast as found runs, as it would be without an engine."""


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def claude_total(demo, plan):
    """The largest usage of each message id, over the session and its sub-agents."""
    calls = {}
    for path in demo.home.rglob("*.jsonl"):
        if plan.session not in str(path):
            continue
        for line in lines(path):
            if line["type"] == "assistant":
                usage = line["message"]["usage"]
                written = usage["cache_creation"]
                tokens = Tokens(
                    usage["input_tokens"],
                    written["ephemeral_5m_input_tokens"],
                    written["ephemeral_1h_input_tokens"],
                    usage["cache_read_input_tokens"],
                    usage["output_tokens"],
                    usage["output_tokens_details"]["thinking_tokens"],
                )
                known = calls.get(line["message"]["id"], NO_TOKENS)
                calls[line["message"]["id"]] = known.largest(tokens)
    return calls


def codex_total(demo, plan):
    (path,) = demo.home.rglob(f"rollout-*-{plan.session}.jsonl")
    calls = {}
    for line in lines(path):
        if line["type"] == "token_usage_record":
            usage = line["payload"]["usage"]
            read, written = usage["cached_input_tokens"], usage["cache_write_input_tokens"]
            plain = usage["input_tokens"] - read - written
            output, reasoning = usage["output_tokens"], usage["reasoning_output_tokens"]
            calls[line["payload"]["response_id"]] = Tokens(
                plain, written, 0, read, output, reasoning
            )
    return calls


def copilot_total(demo, plan):
    calls = {}
    for line in lines(demo.home / ".copilot/session-state" / plan.session / "events.jsonl"):
        if line["type"] == "session.usage_record":
            usage = line["data"]["usage"]
            read, written = usage["cacheReadTokens"], usage["cacheWriteTokens"]
            plain = usage["inputTokens"] - read - written
            output, reasoning = usage["outputTokens"], usage["reasoningTokens"]
            calls[usage["apiCallId"]] = Tokens(plain, written, 0, read, output, reasoning)
    return calls


def qwen_total(demo, plan):
    (path,) = demo.home.rglob(f"{plan.session}.jsonl")
    calls = {}
    for line in lines(path):
        if line["type"] == "assistant":
            usage = line["usageMetadata"]
            tokens = Tokens(input=usage["promptTokenCount"], output=usage["candidatesTokenCount"])
            calls[line["uuid"]] = tokens
    return calls


TOTALS = {
    "claude-code": claude_total,
    "codex": codex_total,
    "copilot": copilot_total,
    "qwen": qwen_total,
}


def read_by_cockpit(demo, agent):
    """The calls of an agent as cockpit's own reader finds them, by id."""
    (adapter,) = chosen([agent])
    calls = {}
    for root in adapter.roots(demo.home, demo.environment()):
        for source in adapter.sources(root):
            for call in adapter.calls(Path(source.path).read_bytes(), source, b"").calls:
                known = calls.get(call.id)
                tokens = call.tokens if known is None else known.tokens.largest(call.tokens)
                calls[call.id] = msgspec.structs.replace(call, tokens=tokens)
    return calls


def total(calls):
    return sum(calls, NO_TOKENS)


def complete(served, name):
    return [one for one in served if one.run == name and one.status == 200]


async def served_until(demo, enough):
    """What was served once it satisfies a condition."""
    count = 0
    while True:
        report = await asyncio.wait_for(demo.served(count), 60)
        served = msgspec.convert(report["served"], list[Served])
        if enough(served):
            return served
        count = len(served) + 1


async def ended(demo, *names):
    while not {*names} <= {*demo.ended}:
        demo.changed.clear()
        await asyncio.wait_for(demo.changed.wait(), 20)


def plans(*names):
    return [plan for plan in EVERYBODY if plan.name in names]


def told_in_part(told, billed):
    """The interrupt came when the answer was on its way already, whole, but not yet read."""
    if told is None or told == billed:
        return False
    assert told.prompt == billed.prompt
    assert told.output < billed.output
    return True


async def test_transcripts_files_and_bill_of_the_whole_fleet_agree():
    async with Demo(EVERYBODY, SCALE) as demo:
        names = {plan.name for plan in demo.plans}

        def enough(served):
            calls = Counter(one.run for one in served)
            return all(calls[name] >= 2 for name in names) and calls["ci-watch"] >= 3

        served = await served_until(demo, enough)
        watch = [one.tokens.cache_read == 0 for one in complete(served, "ci-watch")]
        for pid in demo.processes.values():
            os.kill(pid, signal.SIGINT)
        await ended(demo, *names)
        assert demo.ended == dict.fromkeys(names, 0)
        served = await served_until(demo, lambda _: True)
        for plan in demo.plans:
            calls = TOTALS[plan.agent](demo, plan)
            cut = {one.id for one in served if one.run == plan.name and one.cancelled}
            last = complete(served, plan.name)[-1]
            if told_in_part(calls.get(last.id), last.tokens):
                cut.add(last.id)
            whole = [tokens for key, tokens in calls.items() if key not in cut]
            billed = [one.tokens for one in complete(served, plan.name) if one.id not in cut]
            # an answer that ended in the very moment of the interrupt was served, but not told
            assert total(whole) in (total(billed), total(billed[:-1])), plan
            books = read_by_cockpit(demo, plan.agent).values()
            mine = [
                call.tokens for call in books if plan.session in call.run and call.id not in cut
            ]
            assert total(mine) == total(whole), plan
        lifetimes = {call.lifetime_ms for call in read_by_cockpit(demo, "claude-code").values()}
        assert lifetimes == {demo.lifetimes_s["5m"] * 1000}
        assert watch[:3] == [True, False, True]
        quote = Book.load(demo.root / "cockpit/config/prices.toml").quote("gpt-6.1-sol", at=0)
        assert quote.cache.ttl_ms == demo.lifetimes_s["30m"] * 1000
        assert {path.name for path in (demo.home / ".claude/sessions").iterdir()} == set()
        assert list(demo.workspace(plans("parser-port")[0]).glob("rules/digits_*.py")) or list(
            demo.workspace(plans("parser-port")[0]).glob("rules/*_1.py")
        )
        assert "AssertionError" in next(demo.home.glob(".codex/**/*.jsonl")).read_text()


async def test_an_interrupted_stream_leaves_its_mark_in_transcript_and_bill():
    plan = msgspec.structs.replace(plans("docs-rewrite")[0], script="slow")
    async with Demo([plan], SCALE) as demo:
        await demo.served(begun=1)
        (path,) = demo.home.rglob(f"{plan.session}.jsonl")
        os.kill(demo.processes[plan.name], signal.SIGINT)
        await ended(demo, plan.name)
        *_, cut, mark = lines(path)
        assert mark["message"]["content"][0]["text"] == "[Request interrupted by user]"
        (served,) = await served_until(demo, bool)
        assert (served.status, served.cancelled) == (499, True)
        assert (cut["isAbortedMidStream"], cut["message"]["id"]) == (True, served.id)
        assert cut["message"]["usage"]["output_tokens"] == 1 <= served.tokens.output
        written = cut["message"]["usage"]["cache_creation"]["ephemeral_5m_input_tokens"]
        assert written == served.tokens.prompt > 10_000


async def test_a_compacted_agent_goes_on_where_it_was():
    plan = msgspec.structs.replace(plans("open-ends")[0], handbook_kb=1, compact_at=1)
    async with Demo([plan], SCALE) as demo:
        served = await served_until(demo, lambda served: len(served) >= 5)
        assert "Looked at 2 places" in (demo.workspace(plan) / "OPEN.md").read_text()
        (path,) = demo.home.rglob(f"{plan.session}.jsonl")
        compactions = [line for line in lines(path) if line.get("subtype") == "chat_compression"]
        assert len(compactions) >= 4
    prompts = [one.tokens.prompt for one in served[1:]]
    assert max(prompts) - min(prompts) < 10


async def test_sigterm_ends_a_waiting_agent_and_a_killed_one_takes_nobody_along():
    async with Demo(plans("drop-legacy-table", "open-ends"), SCALE) as demo:
        await demo.until("drop-legacy-table", "open-ends")
        await served_until(demo, lambda served: len(complete(served, "drop-legacy-table")) == 3)
        os.kill(demo.processes["drop-legacy-table"], signal.SIGTERM)
        await ended(demo, "drop-legacy-table")
        before = len(complete(await served_until(demo, lambda _: True), "open-ends"))
        await served_until(demo, lambda served: len(complete(served, "open-ends")) > before)
        os.kill(demo.processes["open-ends"], signal.SIGKILL)
        await ended(demo, "open-ends")
        assert demo.ended == {"drop-legacy-table": 143, "open-ends": -9}


def told(process: psutil.Process) -> dict[str, Any]:
    """What the kernel says of a process; an agent's tools come and go while they are asked."""
    try:
        return process.as_dict(["name", "cmdline"], ad_value=())
    except psutil.NoSuchProcess:
        return {"cmdline": ()}


async def test_nothing_is_left_and_the_home_directory_is_untouched(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Demo(plans("open-ends", "billing-coverage"), SCALE) as demo:
        await served_until(demo, lambda served: len({one.run for one in served}) == 2)
        processes = psutil.Process().children(recursive=True)
        assert {"qwen", "codex"} <= {told(process).get("name") for process in processes}
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert not demo.root.exists()
    assert list(tmp_path.iterdir()) == []


SURVIVOR = """
import asyncio
import os
from cockpit.demo.fleet import Demo
from cockpit.demo.cast import cast
from cockpit.engine import service

async def main():
    plans = [plan for plan in cast() if plan.name in ("open-ends", "billing-coverage")]
    async with Demo(plans) as demo:
        await demo.until("open-ends", "billing-coverage")
        os.environ.update(demo.environment())
        await asyncio.to_thread(service.start)
        print(demo.root, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_everything_ends_with_its_engine_when_the_starter_is_killed():
    starter = subprocess.Popen([sys.executable, "-c", SURVIVOR], stdout=subprocess.PIPE, text=True)
    root = Path(starter.stdout.readline().strip())
    processes = psutil.Process(starter.pid).children(recursive=True)
    assert len(processes) >= 5
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert psutil.wait_procs(processes, timeout=15)[1] == []
    assert not root.exists()


async def test_a_provider_that_cannot_start_says_why_and_leaves_nothing():
    demo = Demo(plans("open-ends"), time_scale="fast")
    with pytest.raises(DemoError, match="invalid float value: 'fast'"):
        await demo.__aenter__()
    assert not demo.root.exists()


@pytest.mark.parametrize("killed", ["nursery", "provider"])
async def test_the_demo_ends_clean_without_a_part_of_it(killed):
    async with Demo(plans("open-ends"), SCALE) as demo:
        await served_until(demo, bool)
        processes = psutil.Process().children(recursive=True)
        part = next(one for one in processes if f"cockpit.demo.{killed}" in told(one)["cmdline"])
        part.kill()
        part.wait()
    assert psutil.wait_procs(processes, timeout=5)[1] == []
    assert not demo.root.exists()
