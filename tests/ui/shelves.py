"""A stand-in whose engine knows tasks that repeat, and has scripts on its shelf."""

import asyncio
from typing import Any

import msgspec
from fleets import NOW
from msgspec.structs import replace
from stand_in import StandIn

from cockpit.core.money import NANO
from cockpit.core.script import (
    Capabilities,
    Clause,
    Hole,
    Refusal,
    Script,
    Task,
    Trial,
)
from cockpit.core.shelf import (
    Built,
    Cost,
    Decided,
    Output,
    Savings,
    Schedule,
    ScriptRun,
    Sheet,
    ShelfRow,
    body_of,
    difference,
    matrix_of,
)
from cockpit.engine.client import EngineError

CENT = NANO // 100
HOUR, DAY = 3_600_000, 86_400_000


def runs_of(name: str, count: int, agent: str = "claude-code") -> tuple[str, ...]:
    return tuple(f"{agent}/{name}-{number:02d}" for number in range(count))


def task(id_: str, name: str, count: int, **more: Any) -> Task:
    usual = {"agents": ("claude-code",), "project": "/home/mia/parser", "every_ms": DAY}
    usual |= {"first": NOW - count * DAY, "last": NOW - 4 * HOUR, "cost_nano": 42 * CENT}
    return Task(id=id_, name=name, runs=runs_of(id_, count), **(usual | more))


REPORT = task(
    "t-report", "morning report of yesterday's visits", 14,
    agents=("claude-code", "codex"), cron="10 6 * * *", month_nano=1_180 * CENT, break_even=1,
    determinism=1.0, verdict="candidate",
    outline=(
        "get    https://metrics.local/api/v1/daily?date=2026-09-20",
        "read   reports/template.md",
        "write  reports/2026-09-20.md",
    ),
)  # fmt: skip
NOTES = task(
    "t-notes", "release notes for the new version", 9, every_ms=5 * DAY, month_nano=310 * CENT,
    cost_nano=51 * CENT, determinism=0.83, verdict="no",
    refusal=Refusal(
        "N4",
        "the hole `summary` is 31 words in the middle, and no output of any run contains them",
        "write docs/releases/0.4.2.md, line 5",
        {
            "claude-code/t-notes-06": "Release 0.4.0 brings a parser that streams: large files no longer have to fit into memory, and the first row is there after 20 ms.",
            "claude-code/t-notes-07": "Release 0.4.1 brings calm: three races in the importer are gone, each with a test that failed before.",
            "claude-code/t-notes-08": "Release 0.4.2 brings dark mode to the settings, and a handbook that says what each of them does.",
        },
    ),
)  # fmt: skip
TASKS = (
    REPORT,
    task("t-ledger", "book invoices into the ledger", 6, every_ms=DAY, cron="0 18 * * 1-5",
         month_nano=730 * CENT, break_even=2, cost_nano=38 * CENT, determinism=0.98, verdict="candidate",
         outline=("read   inbox/*.json", "write  ledger/2026-09.csv", "run    git commit -m \"ledger 2026-09-20\"")),
    task("t-links", "check the handbook's links", 11, cron="0 */4 * * *", every_ms=4 * HOUR,
         month_nano=2_240 * CENT, cost_nano=13 * CENT, determinism=1.0, verdict="candidate"),
    task("t-deps", "bump dependencies", 2, every_ms=7 * DAY, cost_nano=77 * CENT, determinism=0.9,
         refusal=Refusal("N1", "2 runs ended well, 3 are needed")),
    NOTES,
    task("t-deploy", "deploy to staging", 5, every_ms=2 * DAY, month_nano=190 * CENT, determinism=0.99,
         verdict="no", agents=("codex",),
         refusal=Refusal("N8", "`git push staging` cannot be undone", "run git push staging main",
                         {"codex/t-deploy-01": "git push staging main", "codex/t-deploy-02": "git push staging main"})),
    task("t-triage", "triage of new issues", 23, every_ms=9 * HOUR, month_nano=4_020 * CENT, cost_nano=31 * CENT,
         determinism=0.71, verdict="no", refusal=Refusal("N5", "the label is one of 14 in the list, no rule picks it")),
)  # fmt: skip

SOURCE = '''# /// script
# requires-python = ">=3.11"
# dependencies = []
# ///
"""Write the report of a day's visits. Made from 14 runs; read main(), the rest is the same in every script."""
import argparse


def main(day):
    daily = http_get("https://metrics.local/api/v1/daily?date=" + day("%Y-%m-%d"))
    check(1 <= len(at(daily, "top_pages")) <= 18, "row count of top_pages")
    check(at(daily, "date") == day("%Y-%m-%d"), "freshness of date")
    check(comma(at(daily, "visits")) == plain(at(daily, "visits_text")), "two sources of visits agree")
    rows = []
    for page in at(daily, "top_pages"):
        rows.append(f"| {page['path']} | {comma(page['visits'])} |")
    text = "# Daily report " + day("%Y-%m-%d") + "\\n\\n- Visits: " + comma(at(daily, "visits"))
    text += "\\n- Bounce rate: " + percent(at(daily, "bounce"), 1) + "\\n\\n" + "\\n".join(rows) + "\\n"
    write("reports/" + day("%Y-%m-%d") + ".md", text)


def http_get(url):
    """A body over the broker's socket; anything but 200 is exit 4."""
    return broker("GET", url)
'''
VISITS = ("1,204", "998", "1,371", "1,180", "1,266")
SCRIPT = Script(
    task="t-report",
    purpose="Writes reports/DATE.md: yesterday's visits, bounce rate and top pages, from metrics.local",
    source=SOURCE,
    body=(9, 19),
    capabilities=Capabilities(
        hosts=("metrics.local",), methods=("GET",), write=("reports/*.md",), secrets=("METRICS_TOKEN",)
    ),
    holes=(
        Hole("date", 'day("%Y-%m-%d")', {run: f"2026-09-{16 + at:02d}" for at, run in enumerate(runs_of("t-report", 5))}),
        Hole("visits", 'comma(at(daily, "visits"))', dict(zip(runs_of("t-report", 5), VISITS, strict=True))),
        Hole("bounce", 'percent(at(daily, "bounce"), 1)', {run: f"{41 + at}.{at}%" for at, run in enumerate(runs_of("t-report", 5))}),
    ),
    guards=(
        "visits stands in two places of the answer: both must agree today",
        "the answer's date must be the date that is asked for",
        "there must be 1 to 18 top pages",
    ),
    contract=(
        Clause("reports/*.md", "is never empty, has 5 to 22 lines, and every row has two cells"),
        Clause("metrics.local", "answers with the keys date, visits, bounce, top_pages, of these types"),
    ),
    trained=runs_of("t-report", 5),
    held_out=runs_of("t-report", 8)[5:],
)  # fmt: skip


def trials() -> list[Trial]:
    made = [
        Trial(
            "V0", "", True, "no clock, no chance, no secret; 1 host, 1 path, both seen in every run"
        ),
        Trial("V5", "", True, "48 of 50 mutants were caught (96 %)"),
        Trial("V6", "", True, "hosts metrics.local, files reports/2026-09-20.md: all declared"),
    ]
    for run in SCRIPT.trained:
        made += [
            Trial("V1", run, True),
            Trial("V3", run, True),
            Trial("V4", run, True, "12 of 12 broken inputs refused"),
        ]
    made += [
        Trial("V2", run, True, "left out, and done exactly")
        for run in (*SCRIPT.trained, *SCRIPT.held_out)
    ]
    return made  # fmt: skip


def ran(
    number: int, *, code: int = 0, passed: bool = True, reason: str = "", **more: Any
) -> ScriptRun:
    at = NOW - number * DAY - 8 * HOUR
    return ScriptRun(
        number=40 - number, content=SCRIPT.content, kind=more.pop("kind", "active"), began=at, ended=at + 840,
        exit_code=code, passed=passed, reason=reason, saved_nano=42 * CENT if not code else 0,
        outputs=() if code else (Output("reports/2026-09-20.md", "ab" * 32, 14),), **more,
    )  # fmt: skip


def row(name: str, stage: str, **more: Any) -> ShelfRow:
    usual = {
        "task": f"t-{name}",
        "purpose": "does what its name says",
        "content": "0123456789abcdef" * 4,
    }
    usual |= {"project": "/home/mia/parser", "agent": "claude-code", "sandbox": "sandlock"}
    return ShelfRow(name=name, stage=stage, **(usual | more))  # type: ignore[arg-type]


METHOD = "each run that counts saves the median of what the agent's own runs of this task cost until then."
ACTIVE = row(
    "link-check", "active", schedule=Schedule(cron="0 */4 * * *"), next=NOW + HOUR, last=ran(0), month_nano=2_240 * CENT,
    task="t-links", purpose="Checks every link of the handbook and writes links.csv",
    savings=Savings(baseline_nano=13 * CENT, counted=181, gross_nano=2_353 * CENT, costs={"audit": 117 * CENT, "shadow": 39 * CENT}, method=METHOD),
)  # fmt: skip
BROKEN = row(
    "currency-rates", "quarantined", schedule=Schedule(cron="30 7 * * 1-5", zone="Europe/Berlin"), next=NOW + 15 * HOUR,
    purpose="Appends the day's rates to rates.csv", month_nano=480 * CENT,
    reason="the source rates.local no longer has the key `eur`: it is called `EUR` now",
    needs="the agent's next run: the source rates.local no longer has the key `eur`: it is called `EUR` now",
    last=ran(0, code=3, passed=False, reason="drift: key eur of rates.local/latest is missing"),
    savings=Savings(baseline_nano=21 * CENT, counted=34, gross_nano=714 * CENT, costs={"repair": 31 * CENT, "shadow": 63 * CENT, "synthesis": 12 * CENT}, method=METHOD),
)  # fmt: skip
VERIFIED = row(
    "morning-report", "verified", task="t-report", purpose=SCRIPT.purpose, content=SCRIPT.content,
    needs="your review", proposed="10 6 * * *", month_nano=1_180 * CENT,
    savings=Savings(baseline_nano=42 * CENT, method=METHOD),
)  # fmt: skip
SHADOW = row(
    "backup-list", "shadow", agreeing=2, needs="1 more run of the agent to agree with, and your approval", last=ran(1, kind="shadow", agreed=True), sandbox="",
    schedule=Schedule(cron="0 2 1 * *"), next=NOW + 9 * DAY, purpose="Lists what the backup of the month holds",
    savings=Savings(method=METHOD), month_nano=90 * CENT,
)  # fmt: skip
RETIRED = row(
    "old-digest", "retired", reason="quarantined 2 times in a week, the agent does it again", purpose="Sums up the week",
    savings=Savings(baseline_nano=30 * CENT, counted=2, gross_nano=60 * CENT, costs={"repair": 48 * CENT}, method=METHOD),
)  # fmt: skip
ROWS = (ACTIVE, BROKEN, VERIFIED, SHADOW, RETIRED)

BEFORE = msgspec.structs.replace(
    SCRIPT,
    source=SOURCE.replace("<= 18", "<= 12"),
    capabilities=replace(SCRIPT.capabilities, secrets=()),
)
SHEET = Sheet(
    row=VERIFIED,
    script=SCRIPT,
    body=body_of(SCRIPT),
    matrix=matrix_of(SCRIPT, trials()),
    approved=BEFORE.content,
    difference=difference(BEFORE, SCRIPT),
    decisions=(
        Decided(BEFORE.content, "approve", "operator", NOW - 9 * DAY),
        Decided(SCRIPT.content, "repair", "cockpit", NOW - HOUR, "there were 14 top pages"),
    ),
    runs=(
        ran(1),
        ran(2),
        ran(3, code=4, passed=False, reason="metrics.local: connection refused"),
        ran(4),
    ),
    costs=(Cost(NOW - 10 * DAY, "shadow", 126 * CENT, "claude-code/t-report-06"),),
)


class Shelf(StandIn):
    """Answers `tasks`, `scripts` and `script` from its tables, or fails as told; remembers what it heard."""

    def __init__(self, *fleets, tasks=TASKS, rows=ROWS, sheet=SHEET, trouble: str = "") -> None:
        super().__init__(*fleets)
        self.tasks, self.rows, self.sheet, self.trouble = list(tasks), list(rows), sheet, trouble
        self.built = Built("morning-report")
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.held = asyncio.Event()
        self.held.set()

    def done(self, action: str) -> list[dict[str, Any]]:
        """What was asked of the request `script` with this action, in order."""
        return [more for do, more in self.asked if do == "script" and more["action"] == action]

    async def ask(self, do: str, **arguments: Any) -> bytes:
        self.asked.append((do, arguments))
        if self.trouble:
            raise EngineError(self.trouble)
        if do == "tasks" or arguments.get("action") in ("build", "verify", "run"):
            await self.held.wait()
        return msgspec.json.encode(self._answer(do, arguments))

    def _answer(self, do: str, asked: dict[str, Any]) -> object:
        if do in ("tasks", "scripts"):
            return self.tasks if do == "tasks" else self.rows
        action, name = asked["action"], asked.get("name")
        if action == "build":
            return self.built
        if action in ("show", "verify"):
            named = next((row for row in self.rows if row.name == name), self.sheet.row)
            return replace(self.sheet, row=named)
        if action == "run":
            return ran(0, kind="asked")
        return next(row for row in self.rows if row.name == name)
