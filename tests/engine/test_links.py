"""A governed run and the transcript that its agent writes are one run on the screen."""

from cockpit.core import events as e
from cockpit.core.fleet import Fleet, usage
from cockpit.core.fold import fold_all
from cockpit.core.tokens import Tokens
from cockpit.engine.histories import Histories
from cockpit.engine.links import Links

FOUND = "claude-code/abc"


def story() -> list[e.Event]:
    return [
        e.RunSeen(run=FOUND, at=5, agent="claude-code", session="abc", source="/t.jsonl"),
        e.RunDescribed(run=FOUND, at=5, name="A title", titled=True, branch="main"),
        e.PromptGiven(run=FOUND, at=6, text="fix the tests"),
        e.CallSettled(run=FOUND, at=7, call="m1", model="m", tokens=Tokens(5), nano=9),
        e.RunSeen(run=f"{FOUND}/x", at=8, agent="claude-code", session="abc", parent=FOUND),
        e.CallSettled(run=f"{FOUND}/x", at=9, call="m2", model="m", tokens=Tokens(5), nano=4),
        e.RunSeen(run="other", at=9, agent="codex", session="o"),
    ]


def governed(links: Links) -> Fleet:
    begun = e.RunGoverned(
        run="run-1", at=1, agent="claude-code", name="", project="/p", token="h", purse="run:run-1"
    )
    settled = e.CallSettled(run="run-1", at=7, call="c1", model="m", tokens=Tokens(5), nano=9)
    return fold_all(Fleet(), [begun, settled, *links.renamed(story())])


def test_the_story_is_told_of_the_governed_run_and_its_calls_count_once() -> None:
    links = Links()
    assert links.add(FOUND, "run-1", named=False)
    assert not links.add(FOUND, "run-1", named=False)
    fleet = governed(links)
    run = fleet.runs["run-1"]
    assert set(fleet.runs) == {"run-1", f"{FOUND}/x", "other"}
    assert (run.nano, run.calls, run.source, run.session) == (9, 1, "/t.jsonl", "abc")
    assert (run.name, run.branch, run.authority) == ("A title", "main", "wire")
    assert fleet.runs[f"{FOUND}/x"].parent == "run-1"
    assert sum(fleet.spent.values()) == 9


def test_the_operators_name_stays() -> None:
    links = Links()
    links.add(FOUND, "run-1", named=True)
    assert governed(links).runs["run-1"].name == "fix the tests"


def test_without_links_nothing_changes() -> None:
    assert Links().renamed(story()) == story()


def test_the_time_of_the_run_whose_task_was_taken_over_is_not_counted_again() -> None:
    histories, minute = Histories(), 60_000
    begun = e.RunGoverned(
        run="run-2", at=9 * minute, agent="claude-code", name="", project="/p", token="h",
        purse="run:run-2",
    )  # fmt: skip
    taken = e.RunContinued(
        run="run-2", at=9 * minute, task="run-1", purse="run:run-1", time_ms=2 * minute, turns=3
    )
    settled = e.CallSettled(run="run-2", at=10 * minute, call="c", model="m", tokens=Tokens(5))
    histories.add([begun, taken, settled])
    told = [e.PromptGiven(run="run-2", at=at * minute, text="fix the tests") for at in (1, 3)]
    run = histories.folded("run-2", told).runs["run-2"]
    assert run.name == "fix the tests"
    assert (run.active_ms, run.started) == (minute, 9 * minute)
    used = usage(run, 10 * minute)
    assert (used.time_ms, used.turns) == (3 * minute, 4)
