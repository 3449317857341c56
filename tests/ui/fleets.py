"""Fleets as the engine would fold them, from seeded events: nothing is set by hand."""

import random
from collections.abc import Iterator

from msgspec.structs import replace

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.fleet import Fleet, Scan
from cockpit.core.fold import fold_all
from cockpit.core.money import NANO
from cockpit.core.price import Rates, cost
from cockpit.core.tokens import Tokens

NOW = 1_790_000_467_000  # 2026-09-21 14:21:07 UTC
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
RATES = Rates(
    input=3 * NANO,
    cache_write_5m=3_750_000_000,
    cache_write_1h=6 * NANO,
    cache_read=300_000_000,
    output=15 * NANO,
)
LOOKED_AT = ("~/.claude/projects", "~/.codex/sessions", "~/.local/share/opencode", "~/.gemini/tmp")

AGENTS = (
    ("claude-code", "claude-sonnet-4-5"),
    ("codex", "gpt-5.6-codex"),
    ("opencode", "claude-opus-4-6"),
    ("gemini-cli", "gemini-3-pro"),
    ("loop", "claude-haiku-4-5"),
)
NAMES = (
    "port the parser to lark",
    "billing coverage",
    "flaky tests",
    "release notes for 0.4.2",
    "bump dependencies",
    "make the importer stream",
    "dark mode for settings",
    "why is CI slow",
    "schema migration 41",
    "translate the handbook",
    "retry policy in the gateway",
    "profile cold start",
    "remove dead feature flags",
    "résumé-Parser überarbeiten",
    "日本語のドキュメント",
    "typed config loader",
)
PROJECTS = ("~/src/lark-port", "~/src/billing", "~/src/web", "~/src/importer", "~/notes")
ACTIONS = (
    ("Edit", "lark.py"),
    ("Bash", "pytest -q tests/lark"),
    ("Read", "src/grammar/rules.py"),
    ("Grep", "def parse_"),
    ("Write", "docs/porting.md"),
)
STATES = (
    "running",
    "running",
    "running",
    "running",
    "waiting",
    "asks",
    "stuck",
    "ended",
    "running",
    "idle",
)


def story(
    number: int,
    state: str,
    seed: int,
    *,
    now: int = NOW,
    calls: int = 14,
    parent: str | None = None,
    name: str | None = None,
    budget: Budget | None = None,
    authority: e.Authority = "signal",
    unit: int = 9_000,
) -> Iterator[e.Event]:
    """What happened to one run that is in `state` at `now`."""
    dice = random.Random(f"{seed}/{number}")
    run = f"run-{number:04d}"
    agent, model = AGENTS[number % len(AGENTS)]
    pace = dice.randrange(40, 110) * SECOND
    quiet = {"stuck": 5 * SECOND, "idle": 14 * MINUTE, "ended": 6 * MINUTE}.get(state, 8 * SECOND)
    start = now - quiet - calls * pace
    yield e.RunSeen(run=run, at=start, agent=agent, session=f"{number:08x}", parent=parent)
    yield e.RunDescribed(
        run=run,
        at=start,
        name=name or NAMES[number % len(NAMES)],
        titled=True,
        model=model,
        project=PROJECTS[number % len(PROJECTS)],
        branch=("main", "port", "fix/flaky")[number % 3],
        window=200_000,
    )
    if parent is None and authority != "view":
        yield e.ProcessFound(
            run=run, at=start, pid=4_000 + number, created=start, authority=authority
        )
    if budget is not None:
        yield e.BudgetSet(run=run, at=start, budget=budget)
    yield e.PromptGiven(run=run, at=start, text=name or NAMES[number % len(NAMES)])
    context = 12_000 + dice.randrange(20_000)
    for call in range(calls):
        at = start + (call + 1) * pace
        tool, target = ACTIONS[dice.randrange(len(ACTIONS))]
        new = dice.randrange(unit // 3, unit)
        output = dice.randrange(200, 1_800)
        tokens = Tokens(
            input=dice.randrange(4, 90), cache_write_5m=new, cache_read=context, output=output
        )
        context += new + output
        yield e.CallSettled(
            run=run,
            at=at,
            call=f"{run}-{call}",
            model=model,
            tokens=tokens,
            nano=cost(tokens, RATES),
            context=context,
            requested=at - 4 * SECOND,
            lifetime_ms=5 * MINUTE,
            rates=RATES,
        )
        yield e.ToolStarted(run=run, at=at + 1, tool=f"t{call}", name=tool, summary=target)
        bad = state == "stuck" and call >= calls - 4
        output_text = "exit 1: 3 failed" if bad else "ok"
        if call < calls - 1 or state != "running":
            yield e.ToolEnded(run=run, at=at + 2, tool=f"t{call}", ok=not bad, output=output_text)
        if bad:
            break_tool = e.ToolStarted(
                run=run, at=at + 3, tool=f"b{call}", name="Bash", summary="pytest -q"
            )
            yield break_tool
            yield e.ToolEnded(run=run, at=at + 4, tool=f"b{call}", ok=False, output=output_text)
    yield from _last_word(run, state, now - quiet + 5)


def _last_word(run: str, state: str, at: int) -> Iterator[e.Event]:
    match state:
        case "waiting" | "idle":
            yield e.TurnEnded(run=run, at=at)
        case "asks":
            yield e.QuestionAsked(
                run=run, at=at, text="may I delete the fixture tests/data/old.json?"
            )
        case "stuck":
            for turn in range(4):
                tool = f"s{turn}"
                yield e.ToolStarted(
                    run=run, at=at + turn, tool=tool, name="Bash", summary="pytest -q"
                )
                yield e.ToolEnded(
                    run=run, at=at + turn, tool=tool, ok=False, output="exit 1: 3 failed"
                )
        case "ended":
            yield e.RunEnded(run=run, at=at, outcome="tests pass, 6 commits")


def fleet_of(
    *stories: Iterator[e.Event], now: int = NOW, day_cap: int | None = 150 * NANO
) -> Fleet:
    """The fleet that these stories make, as known at `now`, after a finished scan."""
    told = sorted((event for one in stories for event in one), key=lambda event: event.at)
    fleet = fold_all(Fleet(), told)
    scan = Scan(
        files=1_678, files_done=1_678, bytes=1, bytes_done=1, done=True, looked_at=LOOKED_AT
    )
    return replace(fleet, now=now, scan=scan, day_cap=day_cap)


def seeded(count: int, seed: int = 7, now: int = NOW) -> Fleet:
    """A fleet of `count` runs in every state, some of them sub-agents, some with budgets."""
    budgets = (
        Budget(money=5 * NANO),
        None,
        Budget(time_ms=90 * MINUTE, money=9 * NANO),
        Budget(turns=20),
        None,
        Budget(tokens=2_000_000, at_zero="interrupt"),
    )
    stories = []
    for number in range(count):
        child = number % 6 == 1
        authority: e.Authority = ("signal", "process", "view", "signal", "wire")[number % 5]
        stories.append(
            story(
                number,
                STATES[number % len(STATES)],
                seed,
                now=now,
                calls=3 + (number * 7) % 19,
                parent=f"run-{number - 1:04d}" if child else None,
                budget=budgets[number % len(budgets)],
                authority="view" if child else authority,
            )
        )
    return fleet_of(*stories, now=now)


EMPTY = Fleet(now=NOW, scan=Scan(done=True, looked_at=LOOKED_AT))
SCANNING = Fleet(
    now=NOW,
    scan=Scan(
        files=1_678,
        files_done=412,
        bytes=2_000_000_000,
        bytes_done=390_000_000,
        looked_at=LOOKED_AT,
    ),
)
