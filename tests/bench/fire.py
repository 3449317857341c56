"""The fire, and what puts it out, in dollars: `python -m tests.bench.fire`.

A session of 800,000 tokens is woken every 6 minutes for 8 hours; each wake adds 500 tokens and is
answered with 300. Every request goes over HTTP to the simulated provider, whose cache clock is ours,
so that the night takes seconds. Dollars are the price book's for what the provider says it served;
they are held against the worked table, and against what cockpit forecast after four wakes.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass, field

import aiohttp
import msgspec

from cockpit.core.events import CallSettled
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold
from cockpit.core.forecast import FRESH_PROMPT, cures_of, forecast_of
from cockpit.demo.cache import HOUR, MINUTE
from cockpit.demo.conversation import canonical, count_tokens
from cockpit.demo.provider import Provider
from cockpit.demo.scripts import HEADER, REPORT_TOKENS
from cockpit.prices.book import Book

TODAY = 1_795_305_600_000
PREFIX = 800_000
NEW = 500
LIFETIMES = {"5m": 5 * MINUTE, "1h": HOUR, "30m": 30 * MINUTE, "12h": 12 * HOUR}

TABLE = {
    "claude-opus-5": (422.06, 57.40, 73.01, 42.54, 60.76),
    "claude-opus-5-5": (337.65, 25.56, 31.61, 20.72, 28.25),
    "claude-sonnet-5-5": (168.82, 12.78, 15.80, 10.36, 14.13),
    "claude-fable-5-2": (675.30, 30.77, 36.42, 28.12, 36.15),
    "gpt-6-astra": (322.96, 228.68, 156.57, 65.17),
    "gpt-6.1-sol": (64.59, 25.38, 18.00, 10.62),
}
"""Dollars of the worked example, in the order of the plans of the model's vendor."""


@dataclass
class Plan:
    """`cure` is the name of the cure that this is, as cockpit offers it."""

    title: str
    every: int
    ttl: str = "5m"
    ping_after: int = 0
    fresh: bool = False
    cure: str = ""


ANTHROPIC = [
    Plan("every 6 min, 5m cache", 6 * MINUTE),
    Plan("every 4 min, 5m cache", 4 * MINUTE, cure="shorter interval"),
    Plan("every 6 min, pinged after 4.5", 6 * MINUTE, ping_after=270_000, cure="keep warm"),
    Plan("every 6 min, 1h cache", 6 * MINUTE, "1h", cure="long cache"),
    Plan("every 4 min, 1h cache", 4 * MINUTE, "1h"),
    Plan("every 6 min, fresh with a digest", 6 * MINUTE, fresh=True, cure="fresh session"),
]
OPENAI = [
    Plan("every 31 min, 30m cache", 31 * MINUTE, "30m"),
    Plan("every 4 min, 30m cache", 4 * MINUTE, "30m"),
    Plan("every 6 min, 30m cache", 6 * MINUTE, "30m"),
    Plan("every 31 min, 12h cache", 31 * MINUTE, "12h", cure="long cache"),
]


@dataclass
class Night:
    """What a plan came to: every request's tokens, and the events cockpit would see."""

    plan: Plan
    tokens: list = field(default_factory=list)
    wakes: list = field(default_factory=list)

    def misses(self):
        return sum(1 for at in self.wakes[1:] if not self.tokens[at][1].cache_read)

    def dollars(self, book, model, vendor):
        """Each request at its own price: some models cost more above a length of prompt."""
        spent = [book.cost(model, vendor, tokens, TODAY) for _, tokens in self.tokens]
        return sum(spent) / 1e9


class Clock:
    def __init__(self):
        self.now = TODAY

    def __call__(self):
        return self.now


def padded(message, tokens, begin):
    """The message with a text that makes it count so many tokens in the demo's tokenizer."""
    for length in range(max(0, 4 * tokens - 96), 4 * tokens):
        filled = message(begin + "x" * (length - len(begin)))
        if count_tokens(filled[0]) == tokens:
            return filled[1]
    raise ValueError(f"no text of {tokens} tokens fits")


class Messages:
    """The session on the wire of Anthropic: one marked block, the last."""

    path, vendor = "/v1/messages", "anthropic"

    def __init__(self, prefix, begin=""):
        self.said = [self.user(prefix, begin)]

    def user(self, tokens, begin=""):
        def message(text):
            part = {"type": "text", "text": text}
            return "user" + canonical(part), {"role": "user", "content": [part]}

        return padded(message, tokens, begin)

    def heard(self, answer):
        content = [{"type": "text", "text": answer["content"][0]["text"]}]
        self.said.append({"role": "assistant", "content": content})
        return count_tokens("assistant" + canonical(content[0]))

    def body(self, ttl, *, ping=False):
        *earlier, last = self.said[:-1] if ping else self.said
        marked = {
            **last["content"][0],
            "cache_control": {"type": "ephemeral", "ttl": ttl},
        }
        return {
            "model": "claude-opus-5",
            "max_tokens": 0 if ping else 1_000,
            "messages": [*earlier, {**last, "content": [marked]}],
        }


class Responses:
    """The session on the wire of OpenAI: breakpoints come by themselves."""

    path, vendor = "/v1/responses", "openai"

    def __init__(self, prefix, begin=""):
        self.said = [self.user(prefix, begin)]

    def user(self, tokens, begin=""):
        def message(text):
            item = {"type": "message", "role": "user", "content": text}
            return canonical(item), item

        return padded(message, tokens, begin)

    def heard(self, answer):
        item = {"type": "message", "role": "assistant", "content": answer["output"][0]["content"]}
        self.said.append(item)
        return count_tokens(canonical(item))

    def body(self, ttl):
        options = {"ttl": ttl}
        return {"model": "gpt-6.1-sol", "input": self.said, "prompt_cache_options": options}


def schedule(plan, hours=8):
    """When the session is woken, from the first request on, and by which plan."""
    return [(at, plan) for at in range(0, hours * HOUR + 1, plan.every)]


def switched(plan, cure, wakes, hours=8):
    """The plan until so many wakes have come, then the cure from the next wake on."""
    before = schedule(plan, hours)[:wakes]
    begin = before[-1][0] + plan.every
    count = (hours * HOUR - before[-1][0]) // cure.every
    return before + [(begin + at * cure.every, cure) for at in range(count)]


async def night(times, wire, prefix=PREFIX):
    """Replay one schedule; the clock jumps from request to request."""
    clock, done = Clock(), Night(times[0][1])
    async with Provider(clock=clock) as provider, aiohttp.ClientSession() as session:

        async def ask(body):
            asked = msgspec.json.encode(body)
            url, headers = provider.url + wire.path, {HEADER: "report"}
            async with session.post(url, data=asked, headers=headers) as response:
                assert response.status == 200, await response.text()
                answer = msgspec.json.decode(await response.read())
            done.tokens.append((clock.now, provider.served()[-1].tokens))
            return answer

        talk, overhead = wire(prefix), 0
        for at, plan in times:
            clock.now = TODAY + at
            if plan.fresh:
                talk, overhead = wire(FRESH_PROMPT, f"{at:09}"), -REPORT_TOKENS
            talk.said.append(talk.user(NEW - overhead))
            done.wakes.append(len(done.tokens))
            overhead = talk.heard(await ask(talk.body(plan.ttl))) - REPORT_TOKENS
            if plan.ping_after:
                clock.now += plan.ping_after
                await ask(talk.body(plan.ttl, ping=True))
    return done


def foreseen(done, book, model, vendor, wakes=5):
    """Forecast and cures as the run shows them after so many wakes, and what the rest really cost."""
    fleet, spent = Fleet(), 0
    lifetime = LIFETIMES[done.plan.ttl]
    for number, (at, tokens) in enumerate(done.tokens):
        nano = book.cost(model, vendor, tokens, at)
        if number >= wakes:
            spent += nano
            continue
        quote = book.quote(model, vendor, at=at, prompt=tokens.prompt)
        settled = CallSettled(
            run="fire", at=at + 1, requested=at, call=f"c{number}", model=model, tokens=tokens,
            nano=nano, rates=quote.rates, lifetime_ms=lifetime,
        )  # fmt: skip
        fleet = fold(fleet, settled)
    run = fleet.runs["fire"]
    last = done.tokens[wakes - 1][0]
    span = done.tokens[-1][0] - last
    return forecast_of(run, last, span), cures_of(run, span), spent


def line(title, cells):
    print(f"{title:<34}" + "".join(f"{cell:>12}" for cell in cells))


def table(nights, models, book):
    """Print one vendor's part of the table; the cells that disagree with the worked example."""
    vendor = "anthropic" if models[0].startswith("claude") else "openai"
    line("", ["requests", "misses", *models_short(models)])
    wrong, burnt = [], {}
    for row, done in enumerate(nights):
        dollars = [done.dollars(book, model, vendor) for model in models]
        line(done.plan.title, [len(done.tokens), done.misses(), *(f"{d:,.2f}" for d in dollars)])
        burnt = burnt or dict(zip(models, dollars, strict=True))
        line("", ["", "", *(f"{burnt[m] / d:.1f}x" for m, d in zip(models, dollars, strict=True))])
        for model, came in zip(models, dollars, strict=True):
            expected = TABLE[model][row] if row < len(TABLE[model]) else None
            if expected is not None and abs(came - expected) > 0.006:
                wrong.append(
                    f"{done.plan.title}, {model}: {came:.2f}, the table says {expected:.2f}"
                )
    line("a script that looks: no request", [0, 0, *("0.00" for _ in models)])
    for model in models:
        best = min((done.dollars(book, model, vendor), done.plan.title) for done in nights)
        print(f"{model}: {burnt[model] / best[0]:.1f} times cheaper {best[1]}")
    return wrong


def models_short(models):
    return [model.removeprefix("claude-") for model in models]


def tell_forecast(fire, book):
    """What cockpit says after five wakes, against what then came."""
    said, offered, came = foreseen(fire, book, "claude-opus-5", "anthropic")
    hours = said.span_ms / HOUR
    print(f"\nafter 5 wakes cockpit says of the other {hours:.1f} h (Opus 5):")
    print(f"  as it is        ${said.nano / 1e9:9.2f}, and it came to ${came / 1e9:.2f}")
    for cure in offered:
        times = f"{said.nano / cure.nano:.1f}x" if cure.nano else ""
        print(f"  {cure.name:<16}${cure.nano / 1e9:9.2f} {times:>6}  {cure.text}")
    return [] if said.nano == came else ["the forecast is not what came"]


async def main(models):
    began, book, wrong, asked = time.monotonic(), Book.load(), [], 0
    for wire, plans in ((Messages, ANTHROPIC), (Responses, OPENAI)):
        mine = [model for model in models if model.startswith("claude") == (wire is Messages)]
        if not mine:
            continue
        nights = [await night(schedule(plan), wire) for plan in plans]
        asked += sum(len(done.tokens) for done in nights)
        print(
            f"\n8 h of a session of {PREFIX:,} tokens, {NEW} new and {REPORT_TOKENS} answered a wake ($)"
        )
        wrong += table(nights, mine, book)
        if wire is Messages:
            wrong += tell_forecast(nights[0], book)
    print(f"\n{asked} requests over HTTP in {time.monotonic() - began:.0f} s")
    print("\n".join(wrong) if wrong else "agrees with the worked table to the cent")
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fire", description=__doc__)
    parser.add_argument("--model", action="append", choices=list(TABLE))
    sys.exit(asyncio.run(main(parser.parse_args().model or list(TABLE))))
