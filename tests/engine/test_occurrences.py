"""What a script's end leads to, one by one: with a real sandbox, a real journal, and scripted agents."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from cockpit.architect import life as lives
from cockpit.architect.sandbox import best, why_none
from cockpit.core.events import ScriptChanged
from cockpit.core.script import GATES, Capabilities, Refusal, Trial
from cockpit.core.shelf import Entry
from cockpit.engine.api import RequestError
from cockpit.engine.client import EngineError
from cockpit.engine.making import Made
from cockpit.journal.shelf import entered
from cockpit.journal.store import Journal
from tests.engine.machine import Machine, asked
from tests.engine.shelf_house import CENT, DAY, MAY, SOURCE, WIDER, House, script, tampered

pytestmark = pytest.mark.skipif(best() is None, reason=why_none())


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()


async def test_from_a_task_to_an_adopted_script_and_its_ledger(house):
    await house.adopted()
    assert house.stage == "active"
    house.visits(417)
    run = await house.ask("run")
    assert run["passed"]
    assert house.report() == "2026-11-29: 417\n"
    row = (await house.ask("show"))["row"]
    told = row["savings"]
    assert told["baseline_nano"] == 7 * CENT
    assert (told["counted"], told["gross_nano"]) == (1, 7 * CENT)
    assert told["costs"] == {"shadow": 21 * CENT, "synthesis": 5 * CENT}
    assert house.folded().scripts == {"morning-report": "active"}
    stages = [event.stage for event in house.told() if hasattr(event, "stage")]
    assert stages == ["compiled", "verified", "approved", "shadow", "active"]
    assert house.asked == []


async def test_a_drift_is_quarantined_and_the_agent_does_this_occurrence(house):
    await house.adopted()
    house.made = [script(WIDER)]
    house.visits("3k")
    run = await house.ask("run")
    assert (run["exit_code"], run["beside"]) == (3, "run-1")
    assert house.stage == "quarantined"
    assert house.report() is None
    house.worked("run-1", "3k", cents=9)
    await house.heard("run-1")
    assert house.stage == "active"
    assert house.entry.life.content == script(WIDER).content
    assert "run-1" in house.proven[-1][1]
    assert (await house.ask("run"))["passed"]
    assert house.report() == "2026-11-29: 3k\n"
    told = (await house.ask("show"))["row"]["savings"]
    assert told["costs"]["repair"] == 2 * CENT
    assert told["counted"] == 1
    decided = [(each["decision"], each["by"]) for each in (await house.ask("show"))["decisions"]]
    assert decided == [("approve", "operator"), ("repair", "repair")]


async def test_a_repair_that_wants_more_waits_for_a_person(house):
    await house.adopted()
    wants = Capabilities(read=("data/*", "secrets/*"), write=MAY.write)
    house.made = [script(WIDER, wants)]
    house.visits("3k")
    await house.ask("run")
    house.worked("run-1", "3k")
    await house.heard("run-1")
    assert house.stage == "verified"
    assert "read secrets/*" in house.entry.life.reason
    with pytest.raises(RequestError, match="not active"):
        await house.ask("run")
    sheet = await house.ask("show")
    assert "+may read: data/*, secrets/*" in sheet["difference"]


async def test_a_repair_that_no_gate_passes_stays_with_the_agent(house):
    await house.adopted()
    house.made = [script(WIDER)]
    house.trials = (*house.trials[:-1], Trial("V6", "run-1", False, "it read more"))
    house.visits("3k")
    await house.ask("run")
    house.worked("run-1", "3k")
    await house.heard("run-1")
    assert house.stage == "quarantined"
    assert "it read more" in house.entry.life.reason


async def test_one_repair_a_day_and_two_quarantines_a_week_give_the_task_back(house):
    await house.adopted()
    house.made = [Refusal("N7", "an unexplained branch")]
    house.visits("3k")
    await house.ask("run")
    for run in ("run-1", "again"):
        house.worked(run, "3k")
        await house.heard(run)
    assert house.stage == "quarantined"
    assert len(house.entry.life.repairs) == 1
    house.now += DAY
    house.made = [script(WIDER)]
    house.worked("later", "3k")
    await house.heard("later")
    assert house.stage == "active"
    house.visits("lots")
    await house.ask("run")
    assert house.stage == "retired"
    assert "2 times in a week" in house.entry.life.reason
    assert house.asked == ["run-1", "run-2"]


async def test_an_outage_is_tried_three_times_and_no_agent_is_asked(house):
    await house.adopted()
    house.visits("exit 4")
    await house.occurrences.occur("morning-report", house.now)
    assert house.paused == [60, 300, 900]
    assert house.asked == []
    assert house.stage == "active"
    assert any("no agent was asked" in text for text in house.said())
    assert len(house.runs("active")) == 1


async def test_a_denied_script_is_quarantined_and_no_agent_is_asked(house):
    await house.adopted()
    house.visits("exit 5")
    await house.ask("run")
    assert (house.stage, house.asked) == ("quarantined", [])


@pytest.mark.parametrize("code", [1, 2, 77])
async def test_a_bug_is_quarantined_and_the_agent_does_it(house, code):
    await house.adopted()
    house.visits(f"exit {code}")
    run = await house.ask("run")
    assert (house.stage, run["beside"]) == ("quarantined", "run-1")
    assert house.entry.life.reason.startswith("bug")


async def test_done_without_an_output_is_a_failure(house):
    await house.adopted()
    house.visits("exit 0")
    run = await house.ask("run")
    assert not run["passed"]
    assert "wrote nothing" in run["reason"]
    assert house.stage == "quarantined"


async def test_where_no_agent_can_be_begun_it_is_said(house):
    await house.adopted()
    house.no_agent = "the day's cap is reached"
    house.visits("3k")
    run = await house.ask("run")
    assert "beside" not in run
    assert any("day's cap" in text for text in house.said())


async def test_in_shadow_a_difference_is_noticed_and_nothing_is_written(house):
    for number in range(3):
        house.worked(f"old-{number}", 100 + number)
        house.now += DAY
    await house.ask("build", task="report")
    await house.ask("approve", content=(await house.ask("show"))["row"]["content"])
    await house.beside("good", 200)
    house.made = [Refusal("N5", "no rule")]
    await house.beside("odd", 201, said="201 (holiday)")
    assert house.stage == "quarantined"
    assert "201 (holiday)" in house.entry.life.reason
    assert house.report() is None
    assert [run.agreed for run in house.runs("shadow")] == [True, False]


async def test_an_agents_run_that_failed_teaches_nothing(house):
    await house.adopted()
    house.made = [script(WIDER)]
    house.visits("3k")
    await house.ask("run")
    house.worked("run-1", "3k", outcome="failed")
    await house.heard("run-1")
    assert house.stage == "quarantined"
    assert any("teaches nothing" in text for text in house.said())


async def test_the_twentieth_run_is_audited_by_the_agent(house):
    await house.adopted()
    await house.seasoned(18)
    house.visits(300)
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == []
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == ["run-1"]
    house.worked("run-1", 300, cents=8)
    await house.heard("run-1")
    assert house.stage == "active"
    told = (await house.ask("show"))["row"]["savings"]
    assert told["counted"] == 2
    assert told["costs"]["audit"] == 8 * CENT
    assert told["gross_nano"] == 2 * 7 * CENT
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == ["run-1"]


async def test_an_audit_that_differs_ends_its_trust(house):
    await house.adopted()
    await house.seasoned(19)
    house.visits(300)
    await house.occurrences.occur("morning-report", house.now)
    house.made = [Refusal("N5", "no rule")]
    house.worked("run-1", 300, said="another word")
    await house.heard("run-1")
    assert house.stage == "quarantined"
    assert "counted" not in (await house.ask("show"))["row"]["savings"]


async def test_an_edit_on_the_shelf_itself_is_not_run(house):
    entry = await house.adopted()
    tampered(house, entry.life.content, SOURCE.replace("{visits}", "9{visits}"))
    house.visits(300)
    with pytest.raises(RequestError, match="no intact script"):
        await house.ask("run")
    assert house.report() is None


async def test_an_edit_by_the_operator_needs_the_gates_and_a_yes_again(house):
    await house.adopted()
    sheet = await house.ask("verify", source=WIDER)
    assert sheet["row"]["stage"] == "verified"
    house.visits("3k")
    with pytest.raises(RequestError, match="not active"):
        await house.ask("run")
    with pytest.raises(RequestError, match="look again"):
        await house.ask("approve", content=script().content)


async def test_a_schedule_acts_once_and_is_off_when_retired(house):
    await house.adopted()
    for number in range(2):
        await house.beside(f"more-{number}", 400 + number)
    row = await house.ask("schedule", cron="30 6 * * *", zone="UTC")
    assert row["stage"] == "shadow"
    for number in range(2):
        await house.beside(f"again-{number}", 500 + number)
    assert house.stage == "active"
    house.visits(600)
    house.now += DAY
    for _ in range(3):
        house.occurrences.tick()
        await house.quiet()
    assert len(house.runs("active")) == 1
    house.now += 60_000
    house.occurrences.tick()
    await house.quiet()
    assert len(house.runs("active")) == 1
    await house.ask("retire", reason="no longer wanted")
    house.now += DAY
    house.occurrences.tick()
    await house.quiet()
    assert (len(house.runs("active")), house.asked) == (1, [])


async def test_before_it_is_adopted_its_schedule_begins_the_agent(house):
    for number in range(3):
        house.worked(f"old-{number}", 100 + number)
    await house.ask("build", task="report")
    with pytest.raises(RequestError, match="approve it first"):
        await house.ask("schedule", cron="30 6 * * *")
    await house.ask("approve", content=(await house.ask("show"))["row"]["content"])
    await house.ask("schedule", cron="30 6 * * *", zone="UTC")
    for number in range(5):
        house.now += DAY
        house.occurrences.tick()
        await house.quiet()
        house.worked(house.asked[-1], 700 + number)
        await house.heard(house.asked[-1])
    assert len(house.asked) == 5
    assert house.stage == "active"


async def test_without_a_sandbox_it_asks_each_time(tmp_path):
    house = House(tmp_path)
    try:
        await house.adopted()
        house.bench._find = lambda: None
        house.visits(300)
        with pytest.raises(RequestError, match="--yes"):
            await house.ask("run")
        await house.occurrences.occur("morning-report", house.now)
        assert house.report() is None
        assert any("--yes" in text for text in house.said())
        assert (await house.ask("run", yes=True))["passed"]
        assert house.report() == "2026-11-29: 300\n"
    finally:
        house.close()


async def test_a_new_engine_finds_everything_as_it_was(house, tmp_path):
    await house.adopted()
    house.visits("3k")
    await house.ask("run")
    house.close()
    again = House(tmp_path)
    again.traces = house.traces
    try:
        assert again.entry == house.entry
        assert [run.exit_code for run in again.runs("active")] == [3]
        again.made = [script(WIDER)]
        again.worked("run-1", "3k")
        again.now = house.now
        await again.heard("run-1")
        assert again.stage == "active"
    finally:
        again.close()


async def test_a_second_run_by_hand_that_finds_it_done_saves_nothing(house):
    await house.adopted()
    house.visits(300)
    for _ in range(3):
        assert (await house.ask("run"))["passed"]
    told = (await house.ask("show"))["row"]["savings"]
    assert (told["counted"], told["gross_nano"]) == (1, 7 * CENT)
    house.visits(301)
    await house.ask("run")
    assert (await house.ask("show"))["row"]["savings"]["counted"] == 2


async def test_a_dry_run_leaves_and_counts_nothing(house):
    await house.adopted()
    house.visits(300)
    assert (await house.ask("run", dry=True))["passed"]
    assert house.report() is None
    assert "counted" not in (await house.ask("show"))["row"]["savings"]
    assert [run.kind for run in house.runs()][-1] == "asked"


async def test_refused_scripts_leave_their_task_to_the_agent(house):
    for number in range(3):
        house.worked(f"old-{number}", 100 + number)
    house.made = [Refusal("N4", "free text", "write notes.md", {"old-0": "a poem"})]
    told = await house.ask("build", task="report")
    assert told["refusal"]["code"] == "N4"
    with pytest.raises(RequestError, match="no repeated task"):
        await house.ask("build", task="something")


async def test_a_script_runs_once_at_a_time(house):
    await house.adopted()
    house.visits(300)
    first = asyncio.create_task(house.ask("run"))
    await asyncio.sleep(0)
    with pytest.raises(RequestError, match="at work already"):
        await house.ask("run")
    assert (await first)["passed"]


async def test_no_second_agent_while_one_is_at_it(house):
    await house.adopted()
    house.visits("3k")
    await house.ask("run")
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == ["run-1"]
    assert any("still at it" in text for text in house.said())


async def test_an_audit_whose_agent_failed_leaves_the_work_to_the_script(house):
    await house.adopted()
    await house.seasoned(19)
    house.visits(300)
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == ["run-1"]
    house.worked("run-1", 300, outcome="failed")
    await house.heard("run-1")
    assert house.report() == "2026-11-29: 300\n"
    assert (house.stage, house.runs("active")[-1].passed) == ("active", True)


async def test_a_repair_that_a_crash_broke_off_is_over(house):
    await house.adopted()
    life = lives.repairing(lives.drifted(house.entry.life, "rows", house.now), house.now)
    await house.scripts.put(replace(house.entry, life=life))
    await house.occurrences.start()
    assert house.stage == "quarantined"
    assert "ended during the repair" in house.entry.life.reason


async def test_runs_without_a_recorded_workspace_allow_shadow_only(house):
    why = "too few workspaces were recorded: 0 of 3 runs can be replayed"
    unseen = Trial("V1", "old-0", False, "its workspace was not recorded", unproven=True)
    house.trials = (Trial("V0", "", True), unseen, Trial("V1", "", False, why, unproven=True))
    for number in range(3):
        house.worked(f"old-{number}", 100 + number)
    await house.ask("build", task="report")
    content = (await house.ask("show"))["row"]["content"]
    with pytest.raises(RequestError, match="only what the gates passed"):
        await house.ask("approve", content=content)
    assert (await house.ask("shadow", content=content))["stage"] == "shadow"
    for number in range(3):
        await house.beside(f"beside-{number}", 300 + number)
    assert house.stage == "shadow"
    with pytest.raises(RequestError, match="too few workspaces"):
        await house.ask("approve", content=content)
    asked = len(house.proven)
    house.trials = (*(Trial(gate, "", True) for gate in GATES), unseen)
    await house.beside("beside-3", 303)
    assert house.proven[-1][1][-4:] == [f"beside-{number}" for number in range(4)]
    assert len(house.proven) == asked + 1
    assert (await house.ask("approve", content=content))["stage"] == "active"
    assert "old-0" in str((await house.ask("show"))["matrix"])


async def test_a_shadow_that_its_new_runs_refute_is_quarantined(house):
    house.trials = (
        Trial("V0", "", True),
        Trial("V1", "", False, "too few workspaces were recorded", unproven=True),
    )
    for number in range(3):
        house.worked(f"old-{number}", 100 + number)
    await house.ask("build", task="report")
    content = (await house.ask("show"))["row"]["content"]
    await house.ask("shadow", content=content)
    house.made = [Refusal("N6", "nothing compiles")]
    house.trials = (Trial("V0", "", True), Trial("V4", "old-0", False, "said that all is well"))
    await house.beside("beside-0", 300)
    assert house.stage == "quarantined"


async def test_an_engine_that_starts_knows_the_shelf():
    machine = Machine()
    try:
        (machine.cockpit_home / "data").mkdir(parents=True)
        journal = Journal(machine.cockpit_home / "data" / "journal.db")
        changed = ScriptChanged(run="", at=1, script="a", stage="active", content="c")
        journal.append(changed).result()
        entry = Entry(name="a", task="t", life=lives.compiled("gone"), workspace="/")
        journal.write([entered(entry)]).result()
        journal.close()
        machine.start()
        fleet = json.loads(await asked(machine, "fleet"))
        assert fleet["scripts"] == {"a": "active"}
        [row] = json.loads(await asked(machine, "scripts"))
        assert "damaged" in row["needs"]
        with pytest.raises(EngineError, match="no intact script"):
            await asked(machine, "script", action="show", name="a")
        with pytest.raises(EngineError, match="no script is called"):
            await asked(machine, "script", action="show", name="b")
        with pytest.raises(EngineError, match="needs an action"):
            await asked(machine, "script", action="sing")
    finally:
        machine.end()


async def test_when_its_world_is_gone_three_new_runs_teach_anew(house):
    """The drift names the file that changed: what was seen of the old one no longer counts."""
    await house.adopted()
    anew = script(WIDER)

    def make(task, traces, most):
        old = [trace for trace in traces if not trace.run.startswith("new")]
        return Made(refusal=Refusal("N7", "two worlds")) if old else Made(anew)

    house.make = make
    house.visits("another form")
    await house.ask("run")
    life = replace(house.entry.life, reason="drift: data/* is another")
    await house.scripts.put(replace(house.entry, life=life))
    for number in range(3):
        house.now += DAY
        house.worked(f"new-{number}", f"{number}k")
        await house.heard(f"new-{number}")
        assert house.stage == ("active" if number == 2 else "quarantined")
    assert set(house.entry.superseded) == {"old-0", "old-1", "old-2"} | {
        f"beside-{number}" for number in range(3)
    }
