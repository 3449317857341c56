"""The demo fleet: one agent for each thing cockpit is there to show."""

from uuid import uuid4

from cockpit.core.budget import Budget
from cockpit.core.money import NANO
from cockpit.demo.plan import Plan
from cockpit.demo.prices import LOCAL_MODEL

TIME_SCALE = 30.0
"""The demo's provider forgets 30 times faster than the real ones: 5 minutes are 10 seconds."""

TIMER_S = 6 * 60
"""The slow timer in real life; in the demo it is divided by the time scale, as the lifetimes are."""


def cast(time_scale: float = TIME_SCALE) -> list[Plan]:
    """The agents, in the order in which they start: cheap SDKs first, so that one shows at once."""
    timer = TIMER_S / time_scale
    return [
        Plan(
            name="open-ends",
            session=str(uuid4()),
            agent="qwen",
            script="local",
            model=LOCAL_MODEL,
            task="open-ends: keep OPEN.md in step with what the handbook leaves open",
            branch="chore/open-ends",
            keep_alive=f"{max(1, round(300 / time_scale))}s",
            handbook_kb=24,
            compact_at=24_000,
        ),
        Plan(
            name="billing-coverage",
            session=str(uuid4()),
            agent="codex",
            script="stuck",
            model="gpt-6.1-sol",
            task="billing-coverage: make the tests pass, keep the rounding rules",
            branch="fix/billing-rounding",
            handbook_kb=120,
            budget=Budget(money=2 * NANO, time_ms=45 * 60_000),
        ),
        Plan(
            name="drop-legacy-table",
            session=str(uuid4()),
            agent="copilot",
            script="ask",
            model="gpt-6.1-terra",
            task="Find out whether legacy_orders can go, and ask before you drop it",
            branch="db/drop-legacy-orders",
            handbook_kb=60,
        ),
        Plan(
            name="ci-watch",
            session=str(uuid4()),
            agent="claude-code",
            script="watch",
            model="claude-opus-5",
            task=f"Watch the build: look every {timer:g} s and say what is red",
            branch="main",
            wake_s=timer,
            wake_prompt=f"{timer:g} s have passed: look at the build again",
            handbook_kb=240,
            governed=True,
        ),
        Plan(
            name="parser-port",
            session=str(uuid4()),
            agent="claude-code",
            script="port",
            model="claude-opus-5",
            task="Port the old parser rule by rule, each with its test and its own commit",
            branch="port/rules",
            handbook_kb=160,
            budget=Budget(money=15 * NANO, turns=400, at_zero="defer"),
            governed=True,
        ),
        Plan(
            name="docs-rewrite",
            session=str(uuid4()),
            agent="claude-code",
            script="document",
            model="claude-sonnet-5-5",
            task="Rewrite the manual, one chapter per command",
            branch="docs/manual",
            handbook_kb=60,
            budget=Budget(money=15 * NANO // 100, at_zero="defer"),
            governed=True,
        ),
        Plan(
            name="release-notes",
            session=str(uuid4()),
            agent="claude-code",
            script="release",
            model="claude-sonnet-5-5",
            task="Write the notes of each release, commit them, and push",
            branch="release/notes",
            handbook_kb=80,
            budget=Budget(money=2 * NANO, at_zero="ask"),
            governed=True,
        ),
        Plan(
            name="review",
            session=str(uuid4()),
            agent="claude-code",
            script="lead",
            model="claude-sonnet-5-5",
            task="Review the project area by area; let a sub-agent read each one",
            branch="review/areas",
            handbook_kb=100,
        ),
    ]
