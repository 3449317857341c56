"""A fleet and a transcript in which every text attacks the terminal; run as a script it is the real app on them."""

import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC

from fleets import NOW, RATES, fleet_of
from msgspec.json import encode
from runs import RUN, Teller

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.money import NANO
from cockpit.core.script import Capabilities, Clause, Hole, Refusal, Script, Task, Trial
from cockpit.core.shelf import (
    Decided,
    MatrixRow,
    Output,
    Savings,
    Schedule,
    ScriptRun,
    Sheet,
    ShelfRow,
)
from cockpit.core.spending import Spent, SpentReport, SpentRow
from cockpit.core.tokens import Tokens
from cockpit.engine.client import EngineError, Page
from cockpit.ui.app import CockpitApp
from cockpit.ui.settings import ScreenSettings

ESCAPES = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]52;c;ZXZpbA==\x1b\\",
    "\x9d52;c;ZXZpbA==\x9c",
    "\x1b]0;evil title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]777;notify;evil;evil\x07",
    "\x1b[77;77H",
    "\x1b[21t",
    "\x9b5;99H",
    "\x1bP+q544e\x1b\\",
    "\x90q#0\x9c",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b^evil\x1b\\",
    "\x1bc",
    "\x1b#8",
    "\x1b(0",
    "\x0e\x0f\x08\x08\x07\x00\x7f\x0b\x0c\r",
    "\x84\x85\x8d\x98\x9e",
)
INVISIBLE = (
    "\u202e\u202d\u2066\u2067\u2069\u061c\u200e\u200f"
    "\u200b\u200c\u200d\u2060\u2063\ufeff\u00ad\u034f\u180e\u3164\uffa0"
    "\ufe0f\ufe00\U000e0100\U000e0041\U000e007f\u2028\u2029\ufff9\U0001f3fd"
)
MARKUP = "[red]R[/red] [@click=app.quit]C[/] [/] [bold"
WIDE = "日本 👨‍👩‍👧‍👦 👍🏽 🇩🇪 ﷽ e\u0301\u0301 क्षि"
SURROGATE = "\ud800"
UNFINISHED = "\x1b]52;c;ZXZpbA"

ATTACK = f"{MARKUP} {WIDE} {''.join(ESCAPES)} {INVISIBLE}{SURROGATE} end{UNFINISHED}"
LINE = ATTACK + "x" * 30_000_000 + ATTACK
"""Thirty megabytes without a break."""

WRITTEN_BY_NOBODY = (
    "\x1b]52",
    "\x1b]0;",
    "\x1b]8",
    "\x1b]777",
    "\x1b[77;77H",
    "\x1b[21t",
    "\x1bP+q",
    "\x1b_G",
    "\x1b^",
    "\x1bc",
    "\x1b#8",
    "\x1b(0",
    "evil title",
)
"""What stands in the data and in nothing that the screen writes by itself."""


def forbidden(text: str) -> set[str]:
    """Code points that a terminal must not get, whoever wrote them."""
    allowed = "\x1b\r\n\t\x07\x08"
    return {
        letter
        for letter in text
        if (ord(letter) < 0x20 and letter not in allowed)
        or 0x7F <= ord(letter) < 0xA0
        or letter in INVISIBLE
    }


def described(run: str, at: int, parent: str | None = None) -> Iterator[e.Event]:
    yield e.RunSeen(run=run, at=at, agent=ATTACK, session=ATTACK, parent=parent, source=ATTACK)
    yield e.RunDescribed(
        run=run,
        at=at,
        name=ATTACK,
        titled=True,
        model=ATTACK,
        project=ATTACK,
        branch=ATTACK,
        window=200_000,
    )
    yield e.ProcessFound(run=run, at=at, pid=4_711, created=1, authority="signal", evidence=ATTACK)
    yield e.BudgetSet(run=run, at=at, budget=Budget(money=10**9), by=ATTACK)
    yield e.RunCaveat(run=run, at=at, reason=ATTACK)


def told(run: str, at: int) -> Iterator[e.Event]:
    """Every kind of event that has a text, each text an attack."""
    yield e.PromptGiven(run=run, at=at, text=ATTACK)
    yield e.ThoughtGiven(run=run, at=at, text=ATTACK)
    yield e.ReplyGiven(run=run, at=at, text=f"```{ATTACK}\n{ATTACK}\n# {ATTACK}")
    asked = f'{{"{MARKUP}": "\\u001b]52;c;ZXZpbA==\\u0007\\u009b31m\\u202e", "old_string": "a\\u001b]52;c;ZXZpbA==\\u0007", "new_string": "b\\u202e"}}'
    yield e.ToolStarted(run=run, at=at, tool="1", name=ATTACK, summary=ATTACK, arguments=asked)
    tokens = Tokens(10, output=5)
    yield e.CallSettled(
        run=run,
        at=at,
        call="c",
        model=ATTACK,
        tokens=tokens,
        nano=5 * 10**8,
        context=15,
        rates=RATES,
    )
    yield e.ToolEnded(run=run, at=at, tool="1", ok=False, output=ATTACK)
    yield e.ToolStarted(run=run, at=at, tool="2", name="Edit", summary=ATTACK, arguments=ATTACK)
    yield e.ToolEnded(
        run=run,
        at=at,
        tool="2",
        output=LINE,
        diff=f"--- {ATTACK}\n+++ {ATTACK}\n@@ -1 +1 @@\n-{ATTACK}\n+{ATTACK}y\n",
    )
    yield e.CallSettled(run=run, at=at, call="d", model=ATTACK, tokens=tokens)
    yield e.CallFailed(run=run, at=at, status=529, message=ATTACK)
    yield e.RunSteered(run=run, at=at, text=ATTACK, channel=ATTACK)
    yield e.RunSteered(run=run, at=at, text=ATTACK, channel=ATTACK, delivered=at)
    yield e.ApprovalAsked(run=run, at=at, tool="1", rule=ATTACK, text=ATTACK)
    yield e.ApprovalAnswered(run=run, at=at, tool="1", allowed=True, by=ATTACK)
    yield e.ApprovalAsked(run=run, at=at, tool=ATTACK, rule=ATTACK, text=f"{ATTACK}\n{ATTACK}")
    yield e.HoldRefused(run=run, at=at, call=ATTACK, scope=ATTACK, reason=ATTACK)
    yield e.RunPaused(run=run, at=at, channel=ATTACK)
    yield e.RunResumed(run=run, at=at, channel=ATTACK)
    yield e.FlagRaised(run=run, at=at, flag="f", detector=ATTACK, text=ATTACK)
    yield e.GateFailed(run=run, at=at, gate=ATTACK, failing=(ATTACK,))
    yield e.RunDeferred(run=run, at=at, reason=ATTACK)
    yield e.NoticeGiven(run=run, at=at, text=ATTACK, level="error")
    yield e.PromptGiven(run=run, at=at, text=LINE)
    yield e.QuestionAsked(run=run, at=at, text=ATTACK)


SENT = ATTACK.replace(SURROGATE, "")
"""No JSON carries half a surrogate."""
NAME = f"{MARKUP} {SENT}"


def task_of(verdict: str) -> Task:
    refusal = Refusal(SENT, SENT, SENT, {SENT: SENT, SENT + "2": SENT * 2})
    return Task(
        id=verdict, name=NAME, runs=(SENT,), agents=(SENT,), project=SENT, cron=SENT, verdict=verdict,
        last=NOW, every_ms=1, outline=(SENT, SENT), refusal=None if verdict == "candidate" else refusal,
    )  # fmt: skip


def script_row() -> ShelfRow:
    ran = ScriptRun(
        content=SENT, kind="active", began=NOW, ended=NOW, exit_code=3, passed=False, reason=SENT,
        outputs=(Output(SENT, SENT, 1),), given=((SENT, SENT),),
    )  # fmt: skip
    return ShelfRow(
        name=NAME, task=SENT, purpose=SENT, stage="verified", content=SENT, project=SENT, workspace=SENT,
        agent=SENT, reason=SENT, needs=SENT, sandbox=SENT, schedule=Schedule(cron=SENT, zone=SENT), next=NOW,
        last=ran, savings=Savings(baseline_nano=1, gross_nano=2, costs={SENT: 1}, method=SENT),
    )  # fmt: skip


def script_sheet() -> Sheet:
    source = (
        f"def main(day):\n    {SENT}\n    x = day + '{SENT}' # {SENT}\n    y = {'9' * 1_000_000}\n"
    )
    script = Script(
        task=SENT, purpose=SENT, source=source, body=(1, 7), guards=(SENT,),
        capabilities=Capabilities((SENT,), (SENT,), (SENT,), (SENT,), (SENT,), (SENT,)),
        holes=(Hole(SENT, "day", {SENT: SENT}),), contract=(Clause(SENT, SENT, SENT),), trained=(SENT,),
    )  # fmt: skip
    trials = {"V0": Trial("V0", SENT, False, SENT), "V1": Trial("V1", SENT, True, SENT)}
    return Sheet(
        row=script_row(), script=script, matrix=(MatrixRow(SENT, "trained", trials),), approved=SENT,
        difference=f"--- {SENT}\n+++ {SENT}\n@@ -1 +1 @@\n-{SENT}\n+{SENT}y",
        decisions=(Decided(SENT, "refuse", SENT, NOW, SENT),),
    )  # fmt: skip


class Attacker(Teller):
    """Also refuses, after the first page of the story, with an attack."""

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        if run != RUN:
            raise EngineError(ATTACK)
        return await super().transcript(run, before, limit)

    async def spend(self, by: str, *_: object) -> SpentReport:
        if by == "day":
            return SpentReport()
        spent = Spent(Tokens(output=1), NANO, 1)
        return SpentReport(spent, (SpentRow(ATTACK, ATTACK, spent), SpentRow(RUN, ATTACK, spent)))

    async def ask(self, do: str, **arguments: object) -> bytes:
        if do == "tasks":
            return encode([task_of("candidate"), task_of("no"), task_of("wait")])
        if do == "scripts":
            return encode([script_row()])
        if arguments["action"] != "show":
            raise EngineError(ATTACK)
        return encode(script_sheet())

    async def story(self, run: str) -> AsyncIterator[list[e.Event]]:
        yield [e.ReplyGiven(run=RUN, at=NOW + 1, text=f"LIVE {ATTACK}")]
        async for events in super().story(run):
            yield events


def attacker() -> Attacker:
    happened = list(told(RUN, NOW))
    fleet = fleet_of(
        iter([*described(RUN, NOW), *happened]),
        described("claude-code:2", NOW, parent=RUN),
    )
    return Attacker(happened, fleet)


def main() -> None:
    settings = ScreenSettings(tz=UTC, theme=sys.argv[1])
    CockpitApp(attacker(), now=lambda: NOW + 2_000, settings=settings).run()


if __name__ == "__main__":
    main()
