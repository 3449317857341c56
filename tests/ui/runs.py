"""One run's story, told by a stand-in page by page and line by line."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence

from fleets import NOW, RATES, fleet_of
from stand_in import StandIn

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.fleet import Fleet
from cockpit.core.money import NANO
from cockpit.core.price import cost
from cockpit.core.tokens import Tokens
from cockpit.engine.client import EngineError, Page

RUN = "claude-code:1"
DIFF = """--- a/src/lark.py
+++ b/src/lark.py
@@ -41,5 +41,7 @@ class Parser:
     def parse(self, text: str) -> Tree:
-        tokens = self.lex(text)
+        tokens = list(self.lex(text))
+        if not tokens:
+            return Tree("empty", [])
         return self.reduce(tokens)
-    def lex(self, text):
+    def lex(self, text: str) -> Iterator[Token]:
         yield from self.rules
"""
FAILURE = "Exit code 1\n....F...\n    assert parse('-2 ** 2') == -4\nE   assert 4 == -4\n1 failed, 213 passed in 3.01s"
PROMPTS = (
    "Port the expression parser to lark and keep every test of tests/lark green.",
    "The error messages must name line and column.\nLook at how the old parser did it in errors.py, and add a test for a missing bracket.",
)
REPLIES = (
    "The grammar needs a rule for unary minus before `term`, otherwise `-2 ** 2` parses as `(-2) ** 2`.",
    "Two tests fail:\n\n- `test_unary`: precedence\n- `test_position`: the column is off by one\n\n```python\ndef column(self, token):\n    return token.column - 1\n```",
    "## Done\n\nAll 214 tests pass. What is left: the messages still name the token by its internal name.",
)
THOUGHTS = ("The rule for factor must come before term; let me check the table first.", "")
TOOLS = (
    ("Bash", "pytest -q tests/lark", '{"command": "pytest -q tests/lark"}', FAILURE, "", False),
    ("Edit", "src/lark.py", '{"file_path": "src/lark.py"}', "updated", DIFF, True),
    (
        "Read",
        "src/errors.py",
        '{"file_path": "src/errors.py"}',
        "1 import re\n2\n3 class E:",
        "",
        True,
    ),
)


def turn(number: int, at: int, *, run: str = RUN) -> list[e.Event]:
    """What one call brings: now and then a prompt, words, a tool and its answer, the cost."""
    chance = random.Random(number)
    happened: list[e.Event] = []
    if number % 6 == 0:
        happened.append(e.PromptGiven(run=run, at=at, text=PROMPTS[number // 6 % 2]))
    if number % 2:
        happened.append(e.ThoughtGiven(run=run, at=at + 900, text=THOUGHTS[number // 2 % 2]))
    if number % 3 != 1:
        happened.append(e.ReplyGiven(run=run, at=at + 1_500, text=REPLIES[number % 3]))
    name, summary, arguments, output, diff, ok = TOOLS[number % 3]
    tool = f"t{number}"
    tokens = Tokens(
        input=5,
        cache_write_5m=chance.randrange(300, 9_000),
        cache_read=20_000 + 900 * number,
        output=700,
    )
    return [
        *happened,
        e.ToolStarted(
            run=run, at=at + 2_000, tool=tool, name=name, summary=summary, arguments=arguments
        ),
        e.CallSettled(
            run=run,
            at=at + 2_000,
            call=f"c{number}",
            model="claude-sonnet-4-5",
            tokens=tokens,
            nano=cost(tokens, RATES),
            context=tokens.total,
            requested=at,
            lifetime_ms=300_000,
            rates=RATES,
            window=200_000,
        ),
        e.ToolEnded(run=run, at=at + 5_200, tool=tool, ok=ok, output=output, diff=diff),
    ]


def turns(count: int, *, first: int = 0, until: int = NOW, run: str = RUN) -> list[e.Event]:
    """So many turns of ten seconds, the last one ending just before `until`."""
    begin = until - count * 10_000
    return [
        event
        for place in range(count)
        for event in turn(first + place, begin + place * 10_000, run=run)
    ]


def fleet(happened: Sequence[e.Event], *more: Iterator[e.Event]) -> Fleet:
    """The fleet in which these events happened to the run."""
    at = happened[0].at
    known: list[e.Event] = [
        e.RunSeen(
            run=RUN,
            at=at,
            agent="claude-code",
            session="5f0c2f9e-11d2-4b9c",
            source="/home/mia/.claude/projects/-home-mia-parser/5f0c2f9e-11d2-4b9c.jsonl",
        ),
        e.RunDescribed(
            run=RUN,
            at=at,
            name="parser-port",
            titled=True,
            project="/home/mia/parser",
            branch="lark",
        ),
        e.ProcessFound(run=RUN, at=at, pid=48_123, created=1, authority="signal"),
        e.BudgetSet(run=RUN, at=at, budget=Budget(money=5 * NANO)),
        e.RunCaveat(run=RUN, at=at, reason="the transcript tells no cost of web searches"),
    ]
    return fleet_of(iter([*known, *happened]), *more)


def children() -> Iterator[e.Event]:
    """Two sub-agents of the run, one at work and one done."""
    for number, name in ((2, "reviewer: off-by-one errors"), (3, "search the docs")):
        run = f"claude-code:{number}"
        happened = turns(3, first=10 * number, run=run)
        yield e.RunSeen(run=run, at=happened[0].at, agent="claude-code", session="", parent=RUN)
        yield e.RunDescribed(run=run, at=happened[0].at, name=name, titled=True)
        yield from happened
    yield e.RunEnded(run="claude-code:3", at=NOW, outcome="done")


class Teller(StandIn):
    """Has the story of one run: pages of what happened, and a line for what happens next."""

    def __init__(self, happened: Sequence[e.Event], *fleets: Fleet, refusal: str = "") -> None:
        super().__init__(*(fleets or (fleet(happened),)))
        self.happened = list(happened)
        self.asked: list[int | None] = []
        self.refuses = refusal
        self._next: asyncio.Queue[list[e.Event] | None] = asyncio.Queue()

    def tell(self, *events: e.Event) -> None:
        """It happens now: the line tells of it, and pages cut from now on hold it."""
        self.happened += events
        self._next.put_nowait(list(events))

    def tell_again(self, *events: e.Event) -> None:
        """The line tells what pages hold already."""
        self._next.put_nowait(list(events))

    def hang_up(self) -> None:
        self._next.put_nowait(None)

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        self.asked.append(before)
        if self.refuses:
            raise EngineError(self.refuses)
        end = len(self.happened) if before is None else before
        start = max(0, end - limit)
        return Page(self.happened[start:end], start or None)

    async def story(self, run: str) -> AsyncIterator[list[e.Event]]:
        while (events := await self._next.get()) is not None:
            yield events
