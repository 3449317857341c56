"""What a script has to be told: asked for on the shelf, shown in the review, and clean whatever it is."""

import pytest
from fleets import seeded
from msgspec.structs import replace
from shelves import ACTIVE, SCRIPT, SHEET, VERIFIED, Shelf
from stand_in import screen_on
from test_hostile import EVIL
from test_shelf_screen import on
from test_tasks_screen import answered, shown, words

from cockpit.core.script import Input
from cockpit.core.shelf import Schedule
from cockpit.ui import inputs
from cockpit.ui.widgets.script_detail import schedule_words

REGION = Input(
    "region", "[A-Z]{1,8}", "capital letters, like 'EMEA'", {"run-1": "EMEA", "run-2": "APAC"}
)
GIVEN = replace(ACTIVE, inputs=(REGION,))


async def test_a_run_asks_for_what_the_script_has_to_be_told():
    app = screen_on(Shelf(seeded(3), rows=(GIVEN,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        assert "--region: capital letters, like 'EMEA'" in words(app)
        await pilot.press("d")
        await pilot.pause()
        assert "run link-check for what?" in shown(app)
        await pilot.press("ctrl+u", *"--region")
        await pilot.pause()
        assert "--region needs a value" in shown(app)
        await pilot.press("space", *"MEA", "enter")
        await answered(pilot)
        (asked,) = app.remote.done("run")
        assert asked["given"] == {"region": "MEA"}


async def test_nothing_is_run_without_an_answer():
    app = screen_on(Shelf(seeded(3), rows=(GIVEN,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("d", "escape")
        await answered(pilot)
        assert not app.remote.done("run")


async def test_a_schedule_keeps_its_values_in_the_line():
    app = screen_on(Shelf(seeded(3), rows=(GIVEN,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, "link-check")
        await pilot.press("c")
        await pilot.pause()
        assert "every 4 h at :00" in shown(app)
        await pilot.press("enter")
        await answered(pilot)
        (asked,) = app.remote.done("schedule")
        assert asked["cron"] == "0 */4 * * *"
        assert [[list(pair) for pair in each] for each in asked["given"]] == [[["region", "APAC"]]]


async def test_the_review_shows_what_it_was_in_every_run():
    sheet = replace(SHEET, script=replace(SCRIPT, inputs=(REGION,)))
    app = screen_on(Shelf(seeded(3), rows=(VERIFIED,), sheet=sheet))
    async with app.run_test(size=(200, 60)) as pilot:
        await on(pilot, "morning-report")
        await pilot.press("enter")
        await answered(pilot)
        page = words(app)
        assert "it has to be told" in page
        assert "--region: capital letters, like 'EMEA'" in page
        assert "EMEA" in page
        assert "APAC" in page


def test_a_line_of_options_and_what_it_still_wants():
    assert inputs.parted("30 6 * * 1 --region 'Latin America' --region=EMEA") == (
        "30 6 * * 1",
        ((("region", "Latin America"),), (("region", "EMEA"),)),
    )
    says = inputs.told(GIVEN)
    assert says("") == "still wanted: --region"
    assert says("--region EMEA") == "enter goes on · esc leaves"
    assert says("--region EMEA --region APAC") == "one value for each option · esc leaves"
    assert "quotation" in says("--region 'EMEA")
    for wrong in ("--region", "--region --to 5"):
        with pytest.raises(ValueError, match="needs a value"):
            inputs.parted(wrong)


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_values_from_outside_are_clean(evil):
    told = replace(REGION, words=evil, values={"run-1": evil})
    row = replace(ACTIVE, inputs=(told,))
    said = [inputs.about(row, "run"), inputs.wanted(row), inputs.told(row)(evil)]
    said.append(schedule_words(Schedule(cron="0 6 * * *", given=((("region", evil),),))))
    assert not any(sign in text for text in said for sign in "\x1b\x07\x9b\x9d")
