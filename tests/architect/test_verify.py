"""The gates let the right script through and catch every kind of wrong one."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from cockpit.architect import life, sandbox, script_mutation, static
from cockpit.architect.stage import Played
from cockpit.architect.verify import _said, verify
from cockpit.core.script import Refusal, Trial
from tests.architect import handmade
from tests.families.blobs import Blobs
from tests.families.development.plain import DailyReport, RatesCommit
from tests.families.family import record
from tests.families.web import Web

pytestmark = pytest.mark.skipif(sandbox.best() is None, reason=sandbox.why_none() or "-")

RUNS = 4


@pytest.fixture(scope="module")
def quick():
    """Bubblewrap is lighter; what stands is the same."""
    return sandbox.best() if sandbox._bubblewrap_missing() else sandbox.Bubblewrap()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    web, blobs, base = Web(), Blobs(), tmp_path_factory.mktemp("worlds")
    told = {
        kind.name: record(kind(), base, web, blobs, seed=3).traces[:RUNS]
        for kind in (DailyReport, RatesCommit)
    }
    web.close()
    return told, blobs


def failing(trials: tuple[Trial, ...]) -> dict[str, str]:
    return {one.gate: one.detail for one in trials if not one.passed}


def tried(script, worlds, quick, name="daily-report", recompile=None, traces=None):
    told, blobs = worlds
    return verify(script, traces or told[name], blobs, quick, recompile or (lambda _: script))


def test_the_right_script_passes_all_gates(worlds, quick):
    trials = tried(handmade.report(), worlds, quick)
    assert not failing(trials)
    assert {one.gate for one in trials} == {"V0", "V1", "V2", "V3", "V4", "V5", "V6"}
    assert [one.run for one in trials if one.gate == "V1"] == [
        one.run for one in worlds[0]["daily-report"]
    ]


def test_a_script_that_commits_passes_too(worlds, quick):
    assert not failing(tried(handmade.rates(), worlds, quick, "rates-commit"))


def body(old: str, new: str) -> str:
    assert old in handmade.REPORT
    return handmade.REPORT.replace(old, new)


WRONG = {
    "remembers one run": (handmade.REPORT.replace("told['signups']", "219", 1), {"V0", "V1"}),
    "another format": (body("{told['visits']:,}", "{told['visits']}"), {"V1"}),
    "writes something else besides": (body("    write(f", "    write('reports/extra.md', 'x')\n    write(f"), {"V1"}),
    "does nothing": ("def body(day):\n    pass\n", {"V1"}),
    "leaves a draft behind": (body("    write(f", "    Path('reports/draft.tmp').parent.mkdir(exist_ok=True)\n    Path('reports/draft.tmp').write_text('x')\n    write(f"), {"V1"}),
    "appends each time it runs": (
        handmade.REPORT.replace("    write(f\"reports/{day}.md\", text)", "    file = Path(f\"reports/{day}.md\")\n    file.parent.mkdir(exist_ok=True)\n    with file.open('a') as out:\n        out.write(text)"),
        {"V3"},
    ),
    "believes everything": (
        "def body(day):\n    told = json.loads(get(f\"http://metrics.local/api/v1/daily?date={day}\"))\n"
        "    pages = ''.join(f\"- {one.get('path')}: {one.get('views')} views\\n\" for one in told.get('top_pages') or [])\n"
        "    write(f\"reports/{day}.md\", f\"# Daily report {day}\\n\\n- Visits: {int(told.get('visits') or 0):,}\\n- Signups: {told.get('signups')}\\n- Error rate: {float(told.get('error_rate') or 0):.2%}\\n\\n## Top pages\\n\\n\" + pages)\n",
        {"V4"},
    ),
    "never saw a nought": (body("1_000 <= told[\"visits\"]", "-1 <= told[\"visits\"]"), {"V4"}),
    "does not look at the date": (body('    check(told["date"] == str(day), "the page is of another day")\n', ""), {"V4"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_ones_are_caught(kind, worlds, quick):
    text, gates = WRONG[kind]
    found = failing(tried(handmade.report(text), worlds, quick))
    assert found
    assert set(found) <= gates, found


def test_what_depends_on_the_hash_seed_is_caught(worlds, quick):
    asked = [sandbox.python(), "-c", "print(hash('cockpit'))"]
    usual = subprocess.run(
        asked, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True
    ).stdout.strip()
    text = body(
        'reports/{day}.md", text)',
        f"reports/{{day}}.md\", text if hash('cockpit') == {usual} else text + '.')",
    )
    script = handmade.report(text)
    assert set(failing(tried(script, worlds, quick))) == {"V3"}


def test_a_fold_that_is_silently_wrong_stops_it(worlds, quick):
    overfitted = handmade.report(
        body("{told['signups']}", "{told['signups'] if day.day != 2 else 7}")
    )
    found = failing(tried(handmade.report(), worlds, quick, recompile=lambda _: overfitted))
    assert found["V2"].startswith("WRONG: reports/2026-03-02.md")


def test_a_fold_may_refuse_or_drift_but_one_must_come_out_right(worlds, quick):
    drifting = handmade.report("def body(day):\n    raise Drift('never')\n")
    answers = iter([Refusal("N6", "x"), drifting, handmade.report(), drifting])
    trials = tried(handmade.report(), worlds, quick, recompile=lambda _: next(answers))
    assert "V2" not in failing(trials)
    found = failing(tried(handmade.report(), worlds, quick, recompile=lambda _: Refusal("N6", "x")))
    assert found["V2"] == "no run that was held out came out right"


def test_hidden_runs_must_be_exact(worlds, quick):
    runs = [one.run for one in worlds[0]["daily-report"]]
    script = replace(handmade.report(), tier=1, trained=tuple(runs[:3]), held_out=(runs[3],))
    assert not failing(tried(script, worlds, quick))
    lost = replace(script, held_out=("nobody-knows",))
    assert failing(tried(lost, worlds, quick))["V2"] == "the hidden runs are not there"


def test_a_run_without_a_workspace_teaches_and_proves_nothing(worlds, quick):
    traces = [
        replace(one, world=None) if number == 1 else one
        for number, one in enumerate(worlds[0]["daily-report"])
    ]
    shown = []
    trials = tried(
        handmade.report(), worlds, quick, traces=traces,
        recompile=lambda others: shown.append([one.run for one in others]) or handmade.report(),
    )  # fmt: skip
    assert failing(trials) == {"V1": "its workspace was not recorded"}
    assert life.why_not(trials) == ""
    assert [one.run for one in trials if one.unproven] == [traces[1].run]
    assert len(shown) == 3
    assert all(traces[1].run in others for others in shown)


@pytest.mark.parametrize("recorded", [0, 1, 2])
def test_too_few_workspaces_allow_no_more_than_a_shadow(worlds, quick, recorded):
    traces = [
        replace(one, world=None) if number >= recorded else one
        for number, one in enumerate(worlds[0]["daily-report"])
    ]
    trials = tried(handmade.report(), worlds, quick, traces=traces)
    assert {one.gate for one in trials} == {"V0", "V1"}
    assert f"{recorded} of 4 runs can be replayed and 3 must" in life.why_not(trials)
    proven = life.verified(life.compiled("c"), "c", trials)
    assert proven.stage == "compiled"
    shadow = life.watched(proven, trials)
    with pytest.raises(life.NotNowError, match="too few workspaces"):
        life.approved(shadow, "c", trials)


def test_a_wrong_script_is_refuted_by_the_one_run_that_was_recorded(worlds, quick):
    traces = [
        replace(one, world=None) if number else one
        for number, one in enumerate(worlds[0]["daily-report"])
    ]
    script = handmade.report(body("{told['visits']:,}", "{told['visits']}"))
    trials = tried(script, worlds, quick, traces=traces)
    with pytest.raises(life.NotNowError, match="a gate refused it: V1"):
        life.watched(life.verified(life.compiled("c"), "c", trials), trials)


def test_what_was_done_to_a_tracked_file_is_not_the_scripts_doing():
    played = Played(name="a", git=("0 log", "0  D notes/a.txt\0M  b.txt\0", "head", "settings"))
    clean = replace(played, git=("0 log", "0 M  b.txt\0", "head", "settings"))
    assert _said(played, frozenset({"notes/a.txt"})) == _said(clean, frozenset())
    assert _said(played, frozenset({"b.txt"})) != _said(clean, frozenset())


def test_a_comparison_without_teeth_is_seen(worlds, quick, monkeypatch):
    monkeypatch.setattr("cockpit.architect.compare.same", lambda *_: True)
    found = failing(tried(handmade.report(), worlds, quick))
    assert "V5" in found
    assert "wrong versions were noticed, not:" in found["V5"]


def test_a_distrusted_run_is_no_evidence(worlds, quick):
    traces = [
        replace(one, distrusted="flagged") if number == 0 else one
        for number, one in enumerate(worlds[0]["daily-report"])
    ]
    trials = tried(handmade.report(), worlds, quick, traces=traces)
    assert traces[0].run not in {one.run for one in trials}


# What must not get through: V0, V6, and the stage itself.


def refused(script, worlds, name="daily-report") -> str:
    return "; ".join(static.findings(script, worlds[0][name]))


def test_a_number_that_everybody_knows_is_not_remembered(worlds):
    [first, *others] = worlds[0]["daily-report"]
    steps = [replace(step, output=f"{step.output} 3600 3601 1000") for step in first.steps]
    traces = [replace(first, steps=tuple(steps)), *others]
    for number, is_remembered in ((3600, False), (1000, False), (3601, True)):
        script = handmade.report(body("    write(f", f"    hours = {number}\n    write(f"))
        told = [one for one in static.findings(script, traces) if str(number) in one]
        assert bool(told) == is_remembered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("    import random\n", "imports random"),
        ("    import urllib.request\n", "imports urllib.request"),
        ("    eval('1')\n", "uses eval"),
        ("    day = date.today()\n", "reads a clock or chance: date.today"),
        ("    os.system('id')\n", "uses os.system"),
        ("    subprocess.run('id', shell=True)\n", "starts a shell"),
        ("    subprocess.Popen(['id'])\n", "uses subprocess.Popen"),
        ("    socket.create_connection(('evil.example', 80))\n", "uses socket.create_connection"),
        (
            "    get('http://evil.example/x')\n",
            "names the host evil.example, which is not declared",
        ),
        ("    get(f'http://{day}.metrics.local/x')\n", "computes the host of an address"),
        (
            "    command('curl', 'http://metrics.local/')\n",
            "starts curl in a way that is not declared",
        ),
        ("    command(told, 'x')\n", "starts a program whose name is not written out"),
        ("    ''.__class__.__mro__\n", "reaches for __mro__"),
        (
            "    getattr(os, 'sys' + 'tem')('id')\n",
            "uses getattr with a name that is not written out",
        ),
        ("    get('https://api.anthropic.com/v1/messages')\n", "names a model's address"),
        ("    key = 'sk-ant-api03-" + "aB3" * 20 + "'\n", "a secret stands in its text"),
        (
            "    get('http://metrics.local/x?key={{secret:TOKEN}}')\n",
            "a secret stands in an address",
        ),
    ],
)
def test_what_no_script_may_say(line, words, worlds):
    script = handmade.report("def body(day):\n" + line + handmade.REPORT.partition("\n")[2])
    assert words in refused(script, worlds)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hosts": ("metrics.local", "evil.example")}, "fewer than 2 runs asked evil.example"),
        ({"methods": ("GET", "POST")}, "fewer than 2 runs used POST"),
        ({"write": ("**",)}, "the pattern '**' is not of one place in the workspace"),
        ({"write": ("../reports/*",)}, "is not of one place in the workspace"),
        ({"write": ("reports/*.md", ".bashrc")}, "fewer than 2 runs wrote .bashrc"),
        ({"read": ("/etc/passwd",)}, "is not of one place in the workspace"),
        ({"commands": ("rm",)}, "fewer than 2 runs started rm"),
    ],
)
def test_nothing_goes_beyond_what_two_runs_did(changes, words, worlds):
    assert words in refused(handmade.report(**changes), worlds)


def test_a_word_for_the_time_of_the_runs_must_be_guarded(worlds):
    title = body("# Daily report", "# Q1 report")
    assert "'q1' may be a word for the time of the runs" in refused(handmade.report(title), worlds)
    watched = title.replace(
        "    check(told",
        "    check(f'Q{(day.month + 2) // 3}' == 'Q1', 'it is over')\n    check(told",
        1,
    )
    assert "q1" not in refused(handmade.report(watched), worlds)
    excused = title.replace("    check(told", "    check(True, 'Q1 is over')\n    check(told", 1)
    assert "'q1' may be a word" in refused(handmade.report(excused), worlds)


def test_the_right_ones_have_nothing_against_them(worlds):
    assert refused(handmade.report(), worlds) == ""
    assert refused(handmade.rates(), worlds, "rates-commit") == ""


def test_what_fails_v0_is_never_run(worlds, quick):
    script = handmade.report("def body(day):\n    os.system('touch ran')\n")
    trials = tried(script, worlds, quick)
    assert [one.gate for one in trials] == ["V0"]


def test_mutants_change_one_thing_each_and_parse():
    script = handmade.report()
    found = script_mutation.mutants(script)
    assert 15 < len(found) <= script_mutation.MOST
    assert len({one.script.source for one in found}) == len(found)
    assert all(one.script.source != script.source for one in found)
    for one in found:
        compile(one.script.source, "mutant", "exec")
    assert script_mutation.mutants(script) == found


def test_only_python_311_and_up_reads_itself():
    assert sys.version_info >= (3, 11)
    assert Path(sandbox.python()).exists()
