"""A stand-in whose engine knows what was spent."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from fleets import NOW
from stand_in import StandIn

from cockpit.core.money import NANO
from cockpit.core.spending import By, Only, Spent, SpentReport, SpentRow
from cockpit.core.tokens import Tokens
from cockpit.engine.client import EngineError


def row(key: str, cents: int, *, name: str = "", calls: int = 40, **more: int) -> SpentRow:
    tokens = Tokens(
        calls * 12, calls * 9_000, calls * 70, calls * cents * 3_300, calls * 900, calls * 100
    )
    nano = cents * NANO // 100
    spent = Spent(
        tokens, nano, calls, more.get("unpriced", 0), more.get("estimated", 0) * NANO // 100
    )
    return SpentRow(key, name or key, spent)


def report(*rows: SpentRow, bad_lines: int = 0) -> SpentReport:
    return SpentReport(sum((one.spent for one in rows), Spent()), rows, bad_lines)


DAYS = report(
    *(
        row((datetime.fromtimestamp(NOW / 1000, UTC).date() - timedelta(days=back)).isoformat(), 90 + back * 377 % 2_100)
        for back in range(29, -1, -1)
        if back % 7 != 5
    )
)  # fmt: skip
TABLES: dict[By, SpentReport] = {
    "agent": report(
        row("claude-code", 8_123, calls=1_204, estimated=210),
        row("codex", 1_950, calls=388),
        row("opencode", 402, calls=120, unpriced=12),
        row("qwen-code", 0, calls=77, unpriced=77),
        bad_lines=3,
    ),
    "run": report(
        *(row(f"run-{number:04d}", 900 - 31 * number, name=f"told {number}") for number in range(26)),
        row("claude-code/gone", 12, name="a run of last week"),
    ),
    "model": report(row("claude-opus-5", 7_000), row("gpt-6.1-sol", 1_950)),
    "project": report(
        row("/home/u/src/a-very-long/way/to/the/project/that/pays/billing", 500), row("(unknown)", 3)
    ),
    "day": DAYS,
    "tool": report(row("Bash", 400), row("Edit", 300), row("(no tool)", 90)),
}  # fmt: skip


class Books(StandIn):
    """Answers `spend` from its tables, or fails as told."""

    def __init__(self, *fleets, tables=TABLES, trouble: Callable[[], str] = lambda: "") -> None:
        super().__init__(*fleets)
        self.tables = dict(tables)
        self.asked: list[tuple[By, int, int | None, str, tuple[Only, ...]]] = []
        self.trouble = trouble
        self.answers = asyncio.Event()

    async def spend(
        self,
        by: By,
        since: int = 0,
        until: int | None = None,
        tz: str = "",
        only: Sequence[Only] = (),
    ) -> SpentReport:
        self.asked.append((by, since, until, tz, tuple(only)))
        self.answers.set()
        if self.trouble():
            raise EngineError(self.trouble())
        return self.tables[by]
