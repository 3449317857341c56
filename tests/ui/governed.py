"""Runs that cockpit governs, in every state that a person must act on: folded from events, as the engine would."""

from collections.abc import Iterator

from fleets import HOUR, MINUTE, NOW, RATES, SECOND, fleet_of, story
from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.composition import Composition
from cockpit.core.fleet import Fleet
from cockpit.core.money import NANO
from cockpit.core.price import cost
from cockpit.core.tokens import Tokens

HELD, GONE_COLD, DEFERRED, HALTED, ASKS, CAPPED, TIMER, WATCHED = (
    f"run-{number:04d}" for number in (11, 12, 13, 14, 15, 16, 17, 18)
)
COMMAND = (
    "Bash: git push --force origin main &&\n"
    "  rm -rf /home/mia/parser/.git/refs/remotes/origin &&\n"
    "  curl -X POST https://hooks.example/deploy?env=production"
)
NOTE = "use lark's own Transformer, not a visitor of ours"
PARTS = Composition(
    system=12_400, tools=18_900, user=2_100, assistant=14_300, thinking=9_800,
    tool_results=31_200, files=44_700, media=1_600, cached=129_000,
)  # fmt: skip
BEFORE = Composition(
    system=12_400, tools=18_900, user=2_000, assistant=13_900, thinking=9_800,
    tool_results=29_600, files=38_500, media=1_600, cached=121_000,
)  # fmt: skip


def governed(
    number: int, name: str, *, budget: Budget | None = None, state: str = "running", calls: int = 14
) -> Iterator[e.Event]:
    """A run that `cockpit run` started, as it is before anything was done to it."""
    run = f"run-{number:04d}"
    happened = list(
        story(number, state, 3, name=name, budget=budget, authority="wire", calls=calls)
    )
    at = happened[0].at
    yield from happened
    yield e.RunGoverned(
        run=run, at=at, agent="claude-code", name=name, project="/home/mia/parser",
        token="00", purse=f"run:{run}",
    )  # fmt: skip
    settled = [event for event in happened if isinstance(event, e.CallSettled)]
    for call, parts in zip(settled[-2:], (BEFORE, PARTS), strict=True):
        yield measured(call, parts)


def measured(call: e.CallSettled, parts: Composition) -> e.ContextMeasured:
    """What the gateway tells of a call: the parts, scaled to what the provider counted."""
    scaled = parts.scaled(call.tokens.prompt, call.tokens.cache_read)
    return e.ContextMeasured(run=call.run, at=call.at, call=call.call, composition=scaled)


def held(at: int = NOW - 90 * SECOND) -> Iterator[e.Event]:
    yield from governed(11, "port the parser", budget=Budget(money=5 * NANO))
    yield e.RunPaused(run=HELD, at=at, channel="gateway")
    yield e.RunSteered(run=HELD, at=at - 5 * MINUTE, text=NOTE, channel="gateway")
    yield e.RunSteered(
        run=HELD, at=at - 4 * MINUTE, text=NOTE, channel="gateway", delivered=at - 4 * MINUTE
    )
    yield e.RunSteered(run=HELD, at=at, text="and keep every test green", channel="gateway")


def gone_cold() -> Iterator[e.Event]:
    happened = [
        *governed(12, "billing coverage"),
        e.RunPaused(run=GONE_COLD, at=NOW - 10 * SECOND, channel="gateway"),
    ]
    for event in happened:
        back = 12 * MINUTE
        requested = getattr(event, "requested", None)
        moved = {"at": event.at - back} | ({"requested": requested - back} if requested else {})
        yield replace(event, **moved)


def deferred() -> Iterator[e.Event]:
    yield from governed(
        13, "flaky tests", budget=Budget(money=NANO // 4, time_ms=2 * HOUR, at_zero="defer")
    )
    at, why = NOW - 3 * MINUTE, "its money cap is reached"
    yield e.RunDeferred(run=DEFERRED, at=at, reason=why, scope=f"run:{DEFERRED}")


def halted() -> Iterator[e.Event]:
    yield from governed(14, "schema migration", budget=Budget(money=NANO, at_zero="halt"))
    yield e.RunHalted(run=HALTED, at=NOW - MINUTE, reason="the same error 6 times: pytest exit 1")


def asks() -> Iterator[e.Event]:
    yield from governed(15, "release notes", budget=Budget(money=5 * NANO))
    yield e.ApprovalAsked(run=ASKS, at=NOW - 40 * SECOND, tool="t1", rule="git push", text=COMMAND)
    yield e.ApprovalAsked(
        run=ASKS, at=NOW - 20 * SECOND, tool="t2", rule="mail", text="Send: to everybody"
    )


def capped() -> Iterator[e.Event]:
    yield from governed(16, "translate the handbook", budget=Budget(money=NANO, at_zero="ask"))
    text = "its money cap is reached: yes raises it by as much again, no lets it wait"
    yield e.ApprovalAsked(run=CAPPED, at=NOW - 30 * SECOND, tool="cap", rule="cap", text=text)


def timer(count: int = 8) -> Iterator[e.Event]:
    """Woken every six minutes with a cache that lives five."""
    start = NOW - (count - 1) * 6 * MINUTE - 20 * SECOND
    yield e.RunSeen(run=TIMER, at=start, agent="claude-code", session="timer")
    yield e.RunGoverned(
        run=TIMER, at=start, agent="claude-code", name="watch the queue", project="/home/mia/queue",
        token="00", purse=f"run:{TIMER}",
    )  # fmt: skip
    yield e.ProcessFound(run=TIMER, at=start, pid=4_017, created=start, authority="wire")
    yield e.BudgetSet(run=TIMER, at=start, budget=Budget(money=40 * NANO))
    for call in range(count):
        at, prompt = start + call * 6 * MINUTE, 160_000 + 2_000 * call
        tokens = Tokens(input=40, cache_write_5m=prompt, output=300)
        yield e.PromptGiven(run=TIMER, at=at, text="look at the queue")
        woken = e.CallSettled(
            run=TIMER, at=at + 4 * SECOND, call=f"w{call}", model="claude-sonnet-4-5",
            tokens=tokens, nano=cost(tokens, RATES), context=tokens.total, requested=at,
            lifetime_ms=5 * MINUTE, rates=RATES, window=1_000_000,
        )  # fmt: skip
        yield woken
        yield measured(woken, PARTS)
        yield e.TurnEnded(run=TIMER, at=at + 5 * SECOND)


def watched() -> Iterator[e.Event]:
    yield from story(18, "running", 3, name="somebody's own claude")


def everything() -> Fleet:
    return fleet_of(held(), gone_cold(), deferred(), halted(), asks(), capped(), timer(), watched())


def only(*stories: Iterator[e.Event]) -> Fleet:
    return fleet_of(*stories)
