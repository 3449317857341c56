"""A script that has to be told something: by its options, by its schedule, by the agent's prompt."""

import pytest

from cockpit.architect.sandbox import best, why_none
from cockpit.core.script import Input, Phrase, Place
from cockpit.engine.api import RequestError
from tests.engine.shelf_house import DAY, SOURCE, House, script

pytestmark = pytest.mark.skipif(best() is None, reason=why_none())

TOLD = SOURCE.replace(
    'text = f"{day}: {visits}\\n"',
    'region = next(w.partition("=")[2] for w in sys.argv if w.startswith("--region="))\n'
    'text = f"{day}: {visits}\\n"',
).replace('f"reports/{day}.md"', 'f"reports/{region}.md"')
ASKED = "Write the report of region {}"
INPUTS = {
    "inputs": (Input("region", "[A-Z]{1,8}", "capital letters, like 'EMEA'"),),
    "phrases": (Phrase(("Write the report of region ", Place(input="region"))),),
}


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    house.made = [script(TOLD, **INPUTS)]
    house.command = ("agent", "-p", ASKED.format("EMEA"))
    yield house
    house.close()


def worked(house, run, visits, region="EMEA", **more):
    return house.worked(
        run, visits, prompt=ASKED.format(region), where=f"reports/{region}.md", **more
    )


async def adopted(house):
    for number in range(3):
        worked(house, f"old-{number}", 100 + number)
        house.now += DAY
    await house.ask("build", task="report")
    await house.ask("approve", content=(await house.ask("show"))["row"]["content"])
    for number, region in enumerate(("APAC", "EMEA", "LATAM")):
        worked(house, f"beside-{number}", 200 + number, region)
        await house.heard(f"beside-{number}")
        house.now += DAY
    assert house.stage == "active"


async def test_the_prompt_beside_which_it_runs_tells_its_values(house):
    await adopted(house)
    assert [run.agreed for run in house.runs("shadow")] == [True, True, True]
    row = (await house.ask("show"))["row"]
    assert row["inputs"][0]["name"] == "region"


async def test_a_prompt_in_other_words_is_nothing_to_compare_with(house):
    for number in range(3):
        worked(house, f"old-{number}", 100 + number)
        house.now += DAY
    await house.ask("build", task="report")
    await house.ask("approve", content=(await house.ask("show"))["row"]["content"])
    house.worked("odd", 7, prompt="the report, you know which one", where="reports/EMEA.md")
    await house.heard("odd")
    assert (house.stage, house.runs()) == ("approved", [])
    assert any("does not tell" in text for text in house.said())


async def test_it_runs_for_the_value_given_and_for_no_other(house):
    await adopted(house)
    house.visits(417)
    assert (await house.ask("run", given={"region": "MEA"}))["passed"]
    assert (await house.ask("show"))["runs"][-1]["given"] == [["region", "MEA"]]
    assert (house.workspace / "reports/MEA.md").read_text() == "2026-11-29: 417\n"
    for given, why in (
        ({}, "needs a value for --region"),
        ({"region": "../out"}, "form that it never had"),
        ({"region": "EMEA", "to": "x"}, "told no --to"),
        ({"region": 5}, "given"),
    ):
        with pytest.raises(RequestError, match=why):
            await house.ask("run", given=given)
        with pytest.raises(RequestError, match=why):
            await house.ask("run", dry=True, given=given)
    assert len(house.runs("active")) == 1


async def test_a_schedule_needs_values_and_runs_once_for_each(house):
    await adopted(house)
    with pytest.raises(RequestError, match="needs a value for --region"):
        await house.ask("schedule", cron="30 6 * * *")
    with pytest.raises(RequestError, match="form that it never had"):
        await house.ask("schedule", cron="30 6 * * *", given=[[["region", "a;b"]]])
    for number in range(2):
        worked(house, f"more-{number}", 300 + number)
    await house.ask(
        "schedule", cron="30 6 * * *", given=[[["region", "EMEA"]], [["region", "APAC"]]]
    )
    for number in range(2):
        await house.heard(f"more-{number}")
    assert house.stage == "active"
    house.visits(55)
    await house.occurrences.occur("morning-report", house.now)
    assert house.asked == []
    for region in ("EMEA", "APAC"):
        assert (house.workspace / f"reports/{region}.md").read_text().endswith(": 55\n")


async def test_the_agent_is_asked_for_the_same_value_one_after_the_other(house):
    await adopted(house)
    house.visits("3k")
    run = await house.ask("run", given={"region": "APAC"})
    assert (run["exit_code"], run["beside"]) == (3, "run-1")
    assert house.wishes == [("agent", "-p", ASKED.format("APAC"))]
    await house.ask(
        "schedule", cron="30 6 * * *", given=[[["region", "EMEA"]], [["region", "MEA"]]]
    )
    await house.occurrences.occur("morning-report", house.now)
    assert len(house.wishes) == 1
    worked(house, "run-1", "3k", "APAC")
    await house.heard("run-1")
    assert house.wishes[1:] == [("agent", "-p", ASKED.format("EMEA"))]
    worked(house, "run-2", "3k", "EMEA")
    await house.heard("run-2")
    assert house.wishes[2:] == [("agent", "-p", ASKED.format("MEA"))]


async def test_no_agent_is_asked_in_words_for_another_value(house):
    house.command = ("agent", "--file", "task.md")
    await adopted(house)
    house.visits("3k")
    run = await house.ask("run", given={"region": "APAC"})
    assert (run["exit_code"], run.get("beside", "")) == (3, "")
    assert house.wishes == []
