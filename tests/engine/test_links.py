"""A governed run and the transcript that its agent writes are one run on the screen."""

from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.core.tokens import Tokens
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
