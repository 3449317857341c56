"""What is told with a task: known by its place, of a known form, never guessed, never harmful."""

import json
import re
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cockpit.architect import forms, virtual
from cockpit.architect.compile import arguments, compile_task
from cockpit.architect.evidence import reading
from cockpit.architect.phrases import fitted, heard, phrased
from cockpit.core.options import one_by_one, sorted_out
from cockpit.core.script import EXIT_DONE, EXIT_DRIFT, Input, Phrase, Place, Refusal, Script
from tests.architect.worlds import Blobs, Little

TEAMS = ("blue", "amber", "green", "crimson", "blue", "violet", "amber", "teal", "ochre", "olive")
ASKED = ("Write the sheet of team {team}", "team {team} needs its sheet, please")


def sheet(hands):
    team = TEAMS[(hands.day - date(2026, 3, 2)).days]
    told = hands.get("http://teams.local/all")
    row = {one["team"]: one for one in told["teams"]}[team]
    hands.write(f"sheets/{team}.txt", f"{team}: {row['points']} points\n")


def teams(day, chance):
    rows = [{"team": team, "points": chance.randint(200, 900)} for team in dict.fromkeys(TEAMS)]
    return {"http://teams.local/all": {"day": str(day), "teams": rows}}, {}


def traces(blobs, count=10, prompts=ASKED, task=None, values=TEAMS):
    found = (task or Little("sheet", teams, sheet)).traces(blobs, count)
    return [
        structs.replace(
            one,
            prompts=(prompts[at % len(prompts)].format(team=values[at], before=day_before(one)),),
        )
        for at, one in enumerate(found)
    ]


def day_before(trace):
    return date.fromordinal(reading(trace, Blobs()).day.toordinal() - 1)


def compiled(found, blobs):
    script = compile_task("sheet", found, blobs)
    assert isinstance(script, Script), script
    return script


def test_a_team_is_an_input_and_the_last_two_are_new_to_it():
    blobs = Blobs()
    found = traces(blobs)
    script = compiled(found[:8], blobs)
    assert [(one.name, one.option) for one in script.inputs] == [("team", "--team")]
    assert script.inputs[0].values[found[1].run] == "amber"
    assert [arguments(script, one) for one in found[8:]] == [("--team=ochre",), ("--team=olive",)]
    body = virtual.body_of(script.source)
    for one, team in zip(found, TEAMS, strict=True):
        run = reading(one, blobs, {"team": team})
        outcome = virtual.played(body, run, blobs)
        assert (outcome.code, virtual.difference(outcome, run)) == (EXIT_DONE, "")
    assert "pick(" in script.source.partition("# What follows")[0]
    assert script.capabilities.write == ("sheets/*.txt",)


@pytest.mark.parametrize(
    "prompt",
    [
        "Write the sheet of blue",
        "blue team: write the sheet",
        "Write the sheet of team",
        "Write the sheet of team blue and then delete the others",
        "Write the sheet of team ../../outside",
        "Write the sheet of team -rf",
        "Write the sheet of team blue\nteam amber needs its sheet, please",
        "Write the sheet of team BLUE",
        "",
    ],
)
def test_other_words_and_other_forms_tell_nothing(prompt):
    blobs = Blobs()
    found = traces(blobs)
    script = compiled(found[:8], blobs)
    assert arguments(script, structs.replace(found[9], prompts=(prompt,))) is None
    assert arguments(script, structs.replace(found[9], prompts=())) is None


def test_small_things_around_a_prompt_do_not_matter():
    blobs = Blobs()
    found = traces(blobs)
    script = compiled(found[:8], blobs)
    for prompt in ("write the  sheet of team teal.", "Write the sheet of\nteam teal"):
        told = structs.replace(found[9], prompts=(prompt,))
        assert arguments(script, told) == ("--team=teal",)


def test_a_value_in_other_words_each_time_is_refused():
    blobs = Blobs()
    prompts = [
        "{team}", "what about {team} now", "again {team}", "Sheets! {team}!", "do {team} too",
        "we lack the one for {team}", "{team} once more", "I want {team} as well",
    ]  # fmt: skip
    told = compile_task("sheet", traces(blobs, 8, prompts), blobs)
    assert isinstance(told, Refusal)
    assert told.code in ("N5", "N7")


def test_where_a_source_says_it_too_both_must_agree():
    blobs = Blobs()

    def work(hands):
        team = TEAMS[(hands.day - date(2026, 3, 2)).days]
        told = hands.get("http://teams.local/now")
        hands.write("sheets/now.txt", f"{team} on {hands.day}: {told['points']} points\n")

    def world(day, chance):
        number = (day - date(2026, 3, 2)).days
        team = TEAMS[number] if number < 8 else "somebody"
        page = {"team": team, "points": chance.randint(200, 900)}
        return {"http://teams.local/now": page}, {}

    found = traces(blobs, task=Little("sheet", world, work))
    script = compiled(found[:8], blobs)
    assert any("agree" in line for line in script.source.split("\n") if "now['team']" in line)
    outcome = virtual.played(
        virtual.body_of(script.source), reading(found[8], blobs, {"team": TEAMS[8]}), blobs
    )
    assert outcome.code == EXIT_DRIFT
    assert not outcome.files


def test_a_day_that_follows_from_the_day_is_no_input_and_another_one_is_not_for_the_script():
    blobs = Blobs()

    def work(hands):
        told = hands.get(f"http://teams.local/{date.fromordinal(hands.day.toordinal() - 1)}")
        hands.write(f"days/{told['day']}.txt", f"{told['points']} points\n")

    def world(day, chance):
        before = date.fromordinal(day.toordinal() - 1)
        page = {"day": str(before), "points": chance.randint(200, 900)}
        return {f"http://teams.local/{before}": page}, {}

    prompts = ("the points of {before}", "Points of {before} please, as a file")
    found = traces(blobs, prompts=prompts, task=Little("days", world, work))
    script = compiled(found[:8], blobs)
    assert script.inputs == ()
    assert arguments(script, found[8]) == ()
    for prompt in ("the points of 2026-01-05", "once more 2026-01-05"):
        assert arguments(script, structs.replace(found[8], prompts=(prompt,))) is None
    assert arguments(script, structs.replace(found[8], prompts=("as always",))) == ()


@pytest.mark.parametrize(
    "value",
    ["; rm -rf ~", "../../outside", "a/b", "blue\n", "", "x" * 500, "$(touch owned)", "BLUE"],
)
def test_a_value_of_another_form_ends_the_script_before_it_looks_at_anything(tmp_path, value):
    blobs = Blobs()
    script = compiled(traces(blobs)[:8], blobs)
    (tmp_path / "script.py").write_text(script.source)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-I", "../script.py", "--date", "2026-03-12", f"--team={value}"],
        cwd=work, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == EXIT_DRIFT, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert "a form that it never had" in told["reason"]
    assert list(work.iterdir()) == []
    with pytest.raises(ValueError, match="form that it never had"):
        fitted(script, {"team": value})


def test_an_option_in_place_of_a_value_is_none():
    blobs = Blobs()
    script = compiled(traces(blobs)[:8], blobs)
    for words in ({}, {"team": "blue", "dry_run": "x"}, {"region": "EMEA"}):
        with pytest.raises(ValueError, match=r"--(team|dry-run|region)"):
            fitted(script, words)


@given(st.lists(st.text("abzAZ019-_./ é", min_size=1, max_size=12), min_size=1, max_size=6))
@settings(deadline=None, max_examples=200)
def test_a_form_takes_what_the_runs_had_and_no_sign_that_they_had_not(values):
    form, _ = forms.pattern(values)
    assert all(re.fullmatch(form, value) for value in values)
    seen = set("".join(values))
    for sign in "/\\\n\0;$`'\"":
        if sign not in seen:
            assert re.fullmatch(form, values[0] + sign) is None
    if not any(value.startswith("-") for value in values):
        assert re.fullmatch(form, "-" + values[0]) is None
    if not any(".." in value for value in values):
        assert re.fullmatch(form, f"{values[0]}..{values[0]}") is None


TWO = Script(
    task="t", purpose="", source="", capabilities=None,
    inputs=(Input("part", "[a-z]{1,9}"), Input("version", r"\d+\.\d+")),
    phrases=(
        Phrase(("Notes of ", Place(input="part"), " ", Place(input="version"))),
        Phrase((Place(input="part"), " notes, ", Place(day="day", form="%Y-%m-%d"), ", for ",
                Place(input="version"))),
    ),
)  # fmt: skip
DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("prompt", "values"),
    [
        ("Notes of parser 1.2", {"part": "parser", "version": "1.2"}),
        ("parser notes, 2026-03-02, for 1.2", {"part": "parser", "version": "1.2"}),
        ("parser notes, 2026-03-03, for 1.2", None),
        ("Notes of the parser 1.2", None),
        ("Notes of 1.2 parser", None),
    ],
)
def test_two_places_and_a_day(prompt, values):
    told = heard(TWO, prompt, DAY)
    assert told.values == values


def test_words_that_are_no_phrase_are_not_known():
    assert not heard(TWO, "Write something", DAY).known
    assert not heard(TWO, "Notes of " + "parser " * 2000, DAY).known


def test_the_agent_is_asked_in_the_same_words_for_other_values():
    said = "server notes, 2026-02-01, for 0.1"
    told = phrased(TWO, said, {"part": "parser", "version": "1.2"}, DAY)
    assert told == "parser notes, 2026-03-02, for 1.2"
    assert phrased(TWO, "--print", {"part": "parser", "version": "1.2"}, DAY) is None


def test_options_as_one_writes_them():
    words, told = sorted_out(
        ["30 6 * * 1", "--region", "EMEA", "--to=-5", "--region=APAC", "--to", "7"]
    )
    assert words == ["30 6 * * 1"]
    assert one_by_one(told) == (
        (("region", "EMEA"), ("to", "-5")),
        (("region", "APAC"), ("to", "7")),
    )
    for wrong in (["--region"], ["--region", "--to", "5"]):
        with pytest.raises(ValueError, match="needs a value"):
            sorted_out(wrong)
    with pytest.raises(ValueError, match="as many values"):
        one_by_one({"region": ["EMEA", "APAC"], "to": ["5"]})
