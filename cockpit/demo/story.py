"""The mornings told: an agent does a task until a script does it, and again when the world has changed."""

from collections.abc import AsyncIterator

import msgspec

from cockpit.core.money import dollars
from cockpit.core.script import EXIT_DRIFT
from cockpit.core.shelf import Built, Sheet
from cockpit.demo.mornings import Mornings

BY_AGENT = 6
BESIDE = 5
ALONE = 2
NEW_PAGES = 4


async def story(mornings: Mornings) -> AsyncIterator[str]:
    """What happens, a sentence at a time; it takes about a minute."""
    run = ""
    for number in range(BY_AGENT):
        day = mornings.rise(1 if number else 0)
        mornings.bring(number)
        mornings.strike()
        run = await mornings.begin()
        await mornings.done(run)
        yield f"{day:%a %d %b}  the agent writes the report"
    name = await _built(mornings, run)
    sheet = await mornings.sheet(name)
    yield f"found: {BY_AGENT} runs did the same. {len(sheet.body)} lines do it too, all gates passed:"
    for row in sheet.body:
        yield f"    {row.text}"
    await mornings.script("approve", name=name, content=sheet.row.content)
    await mornings.script("schedule", name=name, cron="30 6 * * *", zone="UTC")
    yield "approved, and due every morning at 06:30"
    for number in range(BY_AGENT, BY_AGENT + BESIDE + ALONE):
        sheet = await _morning(mornings, name, number)
        yield _told(mornings, sheet)
    number = BY_AGENT + BESIDE + ALONE
    sheet = await _morning(mornings, name, number, NEW_PAGES)
    yield _told(mornings, sheet)
    yield f"             it is mended, and {sheet.row.stage} again"
    yield _told(mornings, await _morning(mornings, name, number + 1, NEW_PAGES))
    async for line in _ledger(await mornings.sheet(name)):
        yield line


async def _built(mornings: Mornings, run: str) -> str:
    built = msgspec.json.decode(await mornings.script("build", task=run), type=Built)
    if not built.name:
        raise RuntimeError(f"no script came of it: {built.refusal}")
    return built.name


async def _morning(mornings: Mornings, name: str, number: int, more: int = 0) -> Sheet:
    """The next morning, until the report is there and nobody is at work any more."""
    known = len((await mornings.sheet(name)).runs)
    mornings.rise()
    mornings.bring(number, more)
    mornings.strike()
    return await mornings.until(
        name,
        lambda sheet: (
            len(sheet.runs) > known
            and sheet.row.stage in ("shadow", "active")
            and bool(mornings.report(mornings.moment))
        ),
    )


def _told(mornings: Mornings, sheet: Sheet) -> str:
    run, day = sheet.runs[-1], f"{mornings.moment:%a %d %b}"
    if run.kind == "shadow":
        agreed = "comes to the same" if run.agreed else f"differs: {run.reason}"
        return f"{day}  the agent writes it, the script beside it {agreed}"
    if run.exit_code == EXIT_DRIFT:
        return f"{day}  the script stops: {run.reason}; the agent writes the report"
    return f"{day}  the script writes it, for nothing instead of {dollars(run.saved_nano)}"


async def _ledger(sheet: Sheet) -> AsyncIterator[str]:
    told = sheet.row.savings
    costs = ", ".join(f"{what} {dollars(nano)}" for what, nano in told.costs.items())
    net = f"{'-' if told.net_nano < 0 else ''}{dollars(abs(told.net_nano))}"
    yield f"saved {dollars(told.gross_nano)} in {told.counted} runs; off that {costs}: {net}"
    yield f"    ({told.method})"
