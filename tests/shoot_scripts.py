"""Takes the pictures of tasks, shelf and review in `screenshots/`: real screens over a real engine.

    uv run python tests/shoot_scripts.py

A morning's agent is at work in the demo's workspace; beside its runs there is evidence of a fortnight of
other tasks, by agents that really worked in worlds of `tests/families`. Takes some minutes.
"""

import asyncio
import json
import sys
from datetime import UTC
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cockpit.core.trace import Trace
from cockpit.demo.mornings import Mornings
from cockpit.journal import evidence, paths, traces
from cockpit.journal.evidence import Row
from cockpit.journal.store import Journal
from tests.families.development import plain, refused, traps
from tests.families.family import Family, every, record
from tests.families.web import Web
from tests.shoot import write

SIZES = [(120, 40), (80, 24)]
KINDS = [
    (plain.DailyReport, "0123456", 9),
    (plain.SalesByRegion, "01234", 6),
    (refused.Commentary, "01234", 8),
    (refused.Publish, "14", 4),
    (refused.AnswerOnly, "0123456", 7),
    (traps.Weekend, "01234", 7),
    (plain.WeeklyNotes, "4", 2),
]
"""A family, its weekdays and how often it ran."""
MORNINGS, BESIDE, ALONE = 6, 5, 2


def lately(kind: type[Family], weekdays: str, runs: int) -> Family:
    """The family, with its days in the fortnight before the pictures."""
    dates = staticmethod(every("2026-11-09T08:10", weekdays=weekdays))
    return type(kind.__name__, (kind,), {"dates": dates, "runs": runs})()


def lived(folder: Path) -> list[Trace]:
    """Every family's runs, in real worlds; their contents go to the operator's store."""
    web, found = Web(), []
    try:
        for kind, weekdays, runs in KINDS:
            found += record(lately(kind, weekdays, runs), folder, web, evidence.store()).traces
    finally:
        web.close()
    return found


async def remember(found: list[Trace]) -> None:
    """Keep the evidence as the engine would."""
    journal = Journal(paths.journal_file())
    for trace in found:
        body = evidence.put(evidence.store(), trace)
        row = Row(
            run=trace.run, agent=trace.agent, project=trace.project, began=trace.began, ended=trace.ended,
            bytes=1, body=body,
        )  # fmt: skip
        await asyncio.wrap_future(journal.write([traces.kept(row)]))
    await asyncio.to_thread(journal.close)


async def shoot() -> None:
    async with Mornings() as mornings:
        await remember(await asyncio.to_thread(lived, mornings.root / "families"))
        for number in range(MORNINGS):
            run = await by_the_agent(mornings, number)
        found = json.loads(await mornings.client.ask("tasks"))
        await pictures(mornings, "tasks", ["t"])
        no = next(
            at
            for at, task in enumerate(in_order(found))
            if task["name"].startswith("Write a short")
        )
        await pictures(mornings, "refusal", ["t", *["j"] * no])
        name = json.loads(await mornings.script("build", task=run))["name"]
        await pictures(mornings, "review", ["t", "tab", "enter", *["n"] * 3])
        await adopted(mornings, name)
        await others(mornings, found, besides=run)
        await pictures(mornings, "shelf", ["t", "tab", *["j"] * 3])


def in_order(found: list[dict]) -> list[dict]:
    """As the screen orders them, before there is a script."""
    ranks = {"candidate": 0, "wait": 2, "no": 3}
    return sorted(
        found,
        key=lambda task: (
            ranks[task.get("verdict", "wait")],
            -(task.get("month_nano") or 0),
            -len(task["runs"]),
        ),
    )


async def by_the_agent(mornings: Mornings, number: int) -> str:
    mornings.rise(1 if number else 0)
    mornings.bring(number)
    mornings.strike()
    run = await mornings.begin()
    await mornings.done(run)
    return run


async def adopted(mornings: Mornings, name: str) -> None:
    """Approved, beside the agent until it may act, and then alone."""
    sheet = await mornings.sheet(name)
    await mornings.script("approve", name=name, content=sheet.row.content)
    await mornings.script("schedule", name=name, cron="30 6 * * *", zone="UTC")
    for number in range(MORNINGS, MORNINGS + BESIDE + ALONE):
        mornings.rise()
        mornings.bring(number)
        known = len((await mornings.sheet(name)).runs)
        mornings.strike()
        await mornings.until(name, lambda sheet, known=known: len(sheet.runs) > known)


async def others(mornings: Mornings, found: list[dict], besides: str) -> None:
    """The other candidates too: what comes of them waits for a yes."""
    for task in found:
        if task.get("verdict") == "candidate" and besides not in task["runs"]:
            print(task["name"], json.loads(await mornings.script("build", task=task["id"])))


async def pictures(mornings: Mornings, name: str, keys: list[str]) -> None:
    from cockpit.engine.remote import EngineRemote
    from cockpit.ui.app import CockpitApp
    from cockpit.ui.settings import ScreenSettings

    for size in SIZES:
        app = CockpitApp(EngineRemote(), now=mornings.now, settings=ScreenSettings(tz=UTC))
        async with app.run_test(size=size) as pilot:
            await asyncio.sleep(1)
            for key in keys:
                await pilot.press(key)
                await app.workers.wait_for_complete()
                await pilot.pause(0.3)
            await asyncio.sleep(1)
            svg = app.export_screenshot(title="")
        write(f"{name}-{size[0]}x{size[1]}", svg)


if __name__ == "__main__":
    asyncio.run(shoot())
