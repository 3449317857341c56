"""When a mended script may take over by itself."""

from msgspec.structs import replace

from cockpit.architect.repair import (
    is_learning,
    left_open,
    named_source,
    review,
    speaking,
    synthesis,
)
from cockpit.core.script import Capabilities, Script, Trial
from cockpit.core.trace import Trace

SOURCE = """
def main(day):
    rows = data(get("http://metrics.local/api?day=" + day))
    check(len(rows) < 5, "rows")
    for row in rows:
        write(f"out/{day}.md", row["name"])
def write(path, text):
    open(path, "w").write(text)
"""
MAY = Capabilities(hosts=("metrics.local",), methods=("GET",), write=("out/*.md",))
SCRIPT = Script(task="t", purpose="p", source=SOURCE, body=(2, 6), capabilities=MAY)
PASSED = (Trial("V0", "", True),)


def mended(old, new, **more):
    return replace(SCRIPT, source=SOURCE.replace(old, new), **more)


def test_other_values_guards_and_paths_need_nobody():
    assert review(SCRIPT, mended("< 5", "< 50"), PASSED) == ""
    assert review(SCRIPT, mended("out/{day}.md", "out/{day[:7]}.md"), PASSED) == ""
    assert review(SCRIPT, mended('    check(len(rows) < 5, "rows")\n', ""), PASSED) == ""


def test_other_steps_more_reach_a_model_or_a_gate_do():
    assert "other steps" in review(SCRIPT, mended("    for row in rows:\n    ", ""), PASSED)
    more = mended("        write(", '        run("git", "push")\n        write(', body=(2, 7))
    assert "other steps" in review(SCRIPT, more, PASSED)
    wider = replace(SCRIPT, capabilities=replace(MAY, hosts=("metrics.local", "evil.test")))
    assert review(SCRIPT, wider, PASSED) == "it wants more than it was allowed: hosts evil.test"
    assert "a model" in review(SCRIPT, replace(SCRIPT, tier=1), PASSED)
    assert "V6" in review(SCRIPT, SCRIPT, (Trial("V6", "r", False, "asked more"),))


def test_fewer_rights_are_no_reason_to_ask():
    assert review(SCRIPT, replace(SCRIPT, capabilities=replace(MAY, methods=())), PASSED) == ""


def test_old_evidence_is_put_aside_only_when_the_drift_names_a_source():
    assert named_source("metrics.local/api: no 'visits' among ['count']", SCRIPT) == "metrics.local"
    assert named_source("KeyError: 'x'", SCRIPT) == ""


def test_only_trusted_runs_that_ended_well_teach():
    runs = [
        Trace(run="good", agent="a", began=0, ended=1, outcome="done"),
        Trace(run="failed", agent="a", began=0, ended=1, outcome="failed"),
        Trace(run="flagged", agent="a", began=0, ended=1, outcome="done", distrusted="policy"),
        Trace(run="old", agent="a", began=0, ended=1, outcome="done"),
    ]
    assert [trace.run for trace in speaking(runs, ("old",))] == ["good"]


def test_a_drift_that_only_wants_one_more_example():
    assert is_learning("one more example is needed: '2026-12' is not '2026-11'")
    assert not is_learning("pages has 8 rows, not 1 to 4")


def test_a_script_that_leaves_the_newest_run_to_the_agent_mends_nothing():
    left = (Trial("V1", "old", True), Trial("V1", "new", True, "left to the agent: 40 rows"))
    assert left_open(left, "new") == "it does not do new: left to the agent: 40 rows"
    assert left_open(left, "old") == ""
    assert "not tried" in left_open((), "new")


def test_making_costs_at_most_three_runs_or_half_a_dollar():
    assert synthesis([10_000_000, 30_000_000, 20_000_000]).money == 60_000_000
    assert synthesis([900_000_000]).money == 500_000_000
    assert synthesis([]).money == 500_000_000
