"""Six mornings by an agent, then a script; the world changes, and the script is mended.

All of it is real, the engine with its gateway, agents in processes of their own, the sandbox, the files:
only the engine's clock is moved, and the model is the demo's.
"""

import json

import msgspec
import pytest

from cockpit.architect.sandbox import best, why_none
from cockpit.core.events import ScriptRan
from cockpit.core.script import EXIT_DRIFT, GATES, Capabilities, Script
from cockpit.core.shelf import ShelfRow
from cockpit.demo.mornings import Mornings
from cockpit.journal import paths
from cockpit.journal.store import Journal

pytestmark = pytest.mark.skipif(best() is None, reason=why_none())

REPORT = """\
# 2026-12-06

Visitors: 4,481
Orders: 145

- pricing: 891
- docs: 539
- home: 287
- blog: 133
- launch-1: 89
- launch-2: 88
- launch-3: 87
- launch-4: 86
"""


async def agents_mornings(mornings, count):
    runs = []
    for number in range(count):
        mornings.rise(1 if number else 0)
        day = mornings.bring(number)
        mornings.strike()
        runs.append(await mornings.begin())
        await mornings.done(runs[-1])
        assert mornings.report(day)
    return runs


async def dawn(mornings, name, number, reached, more=0):
    """The next morning: the world brings its figures, the clock strikes, somebody does the work."""
    mornings.rise()
    day = mornings.bring(number, more)
    known = len((await mornings.sheet(name)).runs)
    mornings.strike()
    sheet = await mornings.until(name, lambda sheet: len(sheet.runs) > known and reached(sheet))
    assert mornings.report(day), sheet.row
    return sheet


async def spent(mornings):
    """What every run cost, by the books of the gateway (nano-dollars)."""
    report = await mornings.client.spend(by="run")
    return {row.key: row.spent.nano for row in report.rows}


async def test_six_mornings_and_what_came_of_them():
    async with Mornings() as mornings:
        runs = await agents_mornings(mornings, 6)
        name = await found_and_built(mornings, runs)
        beside = await five_mornings_beside_the_agent(mornings, name)
        await two_mornings_for_nothing(mornings, name)
        await the_world_changes_and_the_script_is_mended(mornings, name)
        await the_ledger_is_right(mornings, name, runs, beside)
        await no_model_is_ever_reached(mornings, name)


async def found_and_built(mornings, runs):
    built = json.loads(await mornings.script("build", task=runs[0]))
    sheet = await mornings.sheet(built["name"])
    assert sheet.row.stage == "verified", sheet.row.reason
    assert set(sheet.script.trained) == set(runs)
    assert {gate for row in sheet.matrix for gate in row.trials} == set(GATES)
    assert all(trial.passed for row in sheet.matrix for trial in row.trials.values())
    assert len(sheet.body) <= 20
    assert sheet.script.capabilities == Capabilities(
        read=("data/figures.json",), write=("reports/*.md",)
    )
    row = await mornings.script("approve", name=built["name"], content=sheet.row.content)
    assert msgspec.json.decode(row, type=ShelfRow).stage == "approved"
    await mornings.script("schedule", name=built["name"], cron="30 6 * * *", zone="UTC")
    return built["name"]


async def five_mornings_beside_the_agent(mornings, name):
    for number in range(6, 11):
        sheet = await dawn(mornings, name, number, lambda sheet: True)
        assert sheet.runs[-1].agreed
    assert sheet.row.stage == "active"
    return [run.beside for run in sheet.runs]


async def two_mornings_for_nothing(mornings, name):
    before = await mornings.calls()
    for number in (11, 12):
        sheet = await dawn(mornings, name, number, lambda sheet: True)
        run = sheet.runs[-1]
        assert (run.kind, run.exit_code, run.passed, run.beside) == ("active", 0, True, "")
    assert await mornings.calls() == before


async def the_world_changes_and_the_script_is_mended(mornings, name):
    content = (await mornings.sheet(name)).row.content
    sheet = await dawn(
        mornings,
        name,
        13,
        lambda sheet: sheet.row.stage == "active" and sheet.runs[-1].beside,
        more=4,
    )
    run = sheet.runs[-1]
    assert (run.exit_code, run.content) == (EXIT_DRIFT, content)
    assert "8 rows, not 1 to 4" in run.reason
    assert mornings.report(mornings.moment) == REPORT
    assert sheet.row.content != content
    assert [decided.decision for decided in sheet.decisions] == ["approve", "repair"]
    assert run.beside in sheet.script.trained
    before = await mornings.calls()
    sheet = await dawn(mornings, name, 14, lambda sheet: True, more=4)
    assert sheet.runs[-1].passed
    assert sheet.runs[-1].content == sheet.row.content
    assert await mornings.calls() == before


async def the_ledger_is_right(mornings, name, runs, beside):
    sheet, books = await mornings.sheet(name), await spent(mornings)
    told = sheet.row.savings
    mended = next(run.beside for run in sheet.runs if run.exit_code == EXIT_DRIFT)
    agents = sorted(books[run] for run in (*runs, *beside, mended))
    assert agents[0] > 0
    assert told.baseline_nano == agents[(len(agents) - 1) // 2]
    counted = [run for run in sheet.runs if run.kind == "active" and run.passed]
    assert (told.counted, len(counted)) == (3, 3)
    first = sorted(books[run] for run in (*runs, *beside))
    baseline = first[(len(first) - 1) // 2]
    assert [run.saved_nano for run in counted[:2]] == [baseline, baseline]
    assert told.gross_nano == 2 * baseline + told.baseline_nano
    assert told.costs == {"shadow": sum(books[run] for run in beside)}
    assert told.net_nano == told.gross_nano - told.costs["shadow"]
    fleet = await mornings.client.fleet()
    assert fleet.scripts == {name: "active"}


CALLER = """
import json, os, socket, sys
def tried(step):
    try:
        return step()
    except OSError as error:
        return f"refused: {type(error).__name__}"
def direct():
    socket.create_connection(("127.0.0.1", PORT), 2)
    return "reached"
def by_the_broker():
    wire = socket.socket(socket.AF_UNIX); wire.connect(os.environ["COCKPIT_BROKER"])
    wire.sendall(b"POST http://127.0.0.1:PORT/run/-/v1/messages HTTP/1.1\\r\\n\\r\\n")
    return wire.recv(4096).decode().splitlines()[0]
print(json.dumps({"status": "done", "skipped": [tried(direct), tried(by_the_broker)], "outputs": []}))
"""


async def no_model_is_ever_reached(mornings, name):
    """Not even by a script that was allowed the gateway's very address."""
    port = (paths.state() / "gateway.port").read_text().strip()
    may = Capabilities(hosts=(f"127.0.0.1:{port}",), methods=("GET", "POST"))
    caller = Script(
        task="t", purpose="calls a model", source=CALLER.replace("PORT", port), capabilities=may
    )
    before, refused = await mornings.calls(), len((await mornings.client.fleet()).runs)
    act = mornings.bench.act(caller, mornings.workspace, "2026-12-08", 20_000, dry=False)
    told = json.loads(act.said.stdout.splitlines()[-1])["skipped"]
    assert told[0].startswith("refused"), told
    assert told[1].startswith("HTTP/1.1 403"), told
    assert await mornings.calls() == before
    assert len((await mornings.client.fleet()).runs) == refused


def test_the_events_of_a_script_are_read_back(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    ran = ScriptRan(
        run="", at=1, script="a", exit_code=3, kind="active", reason="rows", beside="run-1"
    )
    journal.append(ran).result()
    assert [event for _, event in journal.replay()] == [ran]
    journal.close()
