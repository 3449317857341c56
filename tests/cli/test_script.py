"""The shelf in the shell: as text that nothing untrusted can break, and as data."""

import json
import subprocess
import sys

import pytest
from msgspec.structs import replace

from cockpit.architect.sandbox import best, why_none
from cockpit.cli.sheet import refusal_text, row_data, rows_text, run_text, sheet_data, sheet_text
from cockpit.core.script import GATES, Capabilities, Clause, Hole, Refusal, Script, Trial
from cockpit.core.shelf import (
    Decided,
    Output,
    Savings,
    Schedule,
    ScriptRun,
    Sheet,
    ShelfRow,
    body_of,
    difference,
    distinct,
    matrix_of,
)
from cockpit.demo.mornings import Mornings

CENT = 10_000_000
SOURCE = """import sys
def main(day):
    figures = data(read("data/figures.json"))
    write(f"reports/{day}.md", f"{day}: {figures['visitors']:,}")
"""
SCRIPT = Script(
    task="t", purpose="Writes the report", source=SOURCE, body=(2, 4),
    capabilities=Capabilities(read=("data/figures.json",), write=("reports/*.md",)),
    holes=(
        Hole("path", "day", {"run-1": "2026-11-23"}),
        Hole("path", "figures['visitors'], ,", {"run-1": "4,000", "run-2": "4,037"}),
    ),
    guards=("day and figures['date'] are the same",),
    contract=(Clause("form", "visitors (whole number)"),),
    trained=("run-1", "run-2"),
)  # fmt: skip
RUN = ScriptRun(
    number=3, content=SCRIPT.content, kind="active", began=1, ended=2, exit_code=0, passed=True,
    outputs=(Output("reports/a.md", "0" * 64, 3),), saved_nano=7 * CENT,
)  # fmt: skip
ROW = ShelfRow(
    name="morning", task="t", purpose="Writes the report", stage="active", content=SCRIPT.content,
    schedule=Schedule(cron="30 6 * * *"), next=1_795_933_800_000, sandbox="sandlock", last=RUN,
    savings=Savings(baseline_nano=7 * CENT, counted=3, gross_nano=21 * CENT, costs={"shadow": 28 * CENT}),
    month_nano=140 * CENT,
)  # fmt: skip


def sheet(script=SCRIPT, row=ROW, trials=()):
    script = replace(script, holes=distinct(script.holes))
    return Sheet(
        row=row, script=script, body=body_of(script), matrix=matrix_of(script, trials),
        decisions=(Decided(script.content, "approve", "operator", 5),), runs=(RUN,),
    )  # fmt: skip


def test_a_page_has_all_that_a_review_needs():
    trials = [Trial(gate, run, True) for gate in GATES for run in ("", "run-1", "run-2")]
    trials[5] = Trial("V1", "run-2", False, "reports/a.md: '3' became '4'")
    told = sheet_text(sheet(trials=trials))
    for part in (
        "Writes the report", "   2  def main(day):", "← path, path (2)", "path (2) = figures['visitors'], ,",
        "run-2: 4,037", "read: data/figures.json", "✖ V1 run-2: reports/a.md: '3' became '4'",
        "day and figures['date'] are the same", "3 runs, $0.21 at $0.0700 a run now", "- shadow $0.28",
        "= -$0.0700; a month of it is worth $1.40",
    ):  # fmt: skip
        assert part in told, told


def test_a_run_that_cannot_be_replayed_is_told_and_does_not_look_like_a_failure():
    why = "its workspace was not recorded"
    trials = [Trial(gate, run, True) for gate in GATES for run in ("", "run-1")]
    told = sheet_text(sheet(trials=[*trials, Trial("V1", "run-2", False, why, unproven=True)]))
    assert f"○ V1 run-2: {why}" in told
    assert "✖" not in told


def test_nothing_from_outside_reaches_the_terminal():
    evil = "\x1b]52;c;aGFjaw==\x07\x1b[2J[red]hi"
    script = replace(
        SCRIPT, purpose=evil, source=SOURCE + f"# {evil}\n", body=(2, 5),
        holes=(Hole(evil, evil, {evil: evil}),), guards=(evil,), contract=(Clause(evil, evil),),
    )  # fmt: skip
    row = replace(ROW, name=evil, reason=evil, needs=evil, purpose=evil)
    told = sheet_text(sheet(script, row, [Trial("V1", evil, False, evil)])) + rows_text([row])
    told += refusal_text(Refusal(evil, evil, evil, {evil: evil}))
    told += run_text(replace(RUN, passed=False, reason=evil, beside=evil))
    assert "\x1b" not in told
    assert "\x07" not in told


def test_data_has_its_keys_whatever_is_empty():
    row = row_data(ShelfRow(name="a", task="t", purpose="", stage="compiled", content="c"))
    assert row["savings"]["net_usd"] == "0.00"
    assert row["last"] is None
    assert row["schedule"] is None
    full = sheet_data(sheet())
    assert full["savings"]["net_usd"] == "-0.07"
    assert full["holes"][1]["values"] == {"run-1": "4,000", "run-2": "4,037"}
    assert full["last"]["outputs"] == [{"path": "reports/a.md", "sha256": "0" * 64, "rows": 3}]
    assert set(json.loads(json.dumps(full))) == set(full)


def test_a_wider_reach_is_in_the_difference():
    wider = replace(SCRIPT, capabilities=Capabilities(hosts=("evil.test",), write=("**",)))
    told = difference(SCRIPT, wider)
    assert "+may hosts: evil.test" in told
    assert "-may write: reports/*.md" in told
    assert difference(SCRIPT, SCRIPT) == ""


@pytest.mark.skipif(best() is None, reason=why_none())
async def test_a_shelf_by_commands():
    """Three mornings by an agent, then the operator in another process."""
    import asyncio

    def command(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "cockpit", "script", *words],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    async def script(*words, code=0):
        return await asyncio.to_thread(command, *words, code=code)

    async with Mornings() as mornings:
        assert "nothing on the shelf" in (await script("list")).stdout
        for number in range(4):
            mornings.rise(1 if number else 0)
            mornings.bring(number)
            mornings.strike()
            run = await mornings.begin()
            await mornings.done(run)
        name = json.loads((await script("build", run, "--json")).stdout)["name"]
        assert "does that" in (await script("build", run, code=1)).stderr
        told = json.loads((await script("show", name, "--json")).stdout)
        assert told["stage"] == "verified"
        assert "your review" in (await script("list")).stdout
        assert "not active" in (await script("run", name, code=1)).stderr
        assert "name the content" in (await script("approve", name, code=1)).stderr
        assert "what is on the shelf is" in (await script("approve", name, "0" * 12, code=1)).stderr
        row = json.loads((await script("approve", name, told["content"][:12], "--json")).stdout)
        assert row["stage"] == "approved"
        dry = json.loads((await script("run", name, "--dry-run", "--json")).stdout)
        assert (dry["passed"], dry["kind"]) == (True, "asked")
        region = ("--region", "EMEA")
        for words in (
            ("run", name, "--dry-run", *region),
            ("schedule", name, "30 6 * * *", *region),
        ):
            assert "told no --region" in (await script(*words, code=1)).stderr
        assert "needs a value" in (await script("run", name, "--region", code=1)).stderr
        line = (await script("schedule", name, "30 6 * * 1-5", "--cron")).stdout
        assert line.startswith("30 6 * * 1-5 env COCKPIT_HOME=")
        assert line.rstrip().endswith(f"script run {name} --scheduled")
        units = (await script("schedule", name, "30 6 * * 1-5", "--systemd")).stdout
        assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 06:30:00" in units
        edited = mornings.root / "edited.py"
        edited.write_text(told["source"].replace("Visitors:", "Guests:"))
        refused = await script("verify", name, "--source", str(edited), "--json", code=1)
        edit = json.loads(refused.stdout)
        assert edit["stage"] == "compiled"
        assert '+        f"Guests:' in edit["difference"]
        row = json.loads((await script("retire", name, "--reason", "enough", "--json")).stdout)
        assert (row["stage"], row["schedule"]) == ("retired", None)
