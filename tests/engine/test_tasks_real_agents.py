"""A task that comes back, done by Claude Code and by Codex behind the gateway, is found as one task."""

import json
import time

import pytest

from cockpit.journal.blobs import BlobStore
from cockpit.journal.evidence import Evidence
from tests.engine.station import Station, ended

pytestmark = pytest.mark.real_agents
MORNINGS = ("claude", "codex", "claude", "codex")


@pytest.fixture
def station():
    station = Station()
    station.start()
    yield station
    station.end()


def bring(station, number):
    figures = {
        "date": f"2026-11-{10 + number}",
        "visitors": 4_000 + 37 * number,
        "orders": 80 + 5 * number,
        "pages": [
            {"page": "docs", "views": 500 + 3 * number},
            {"page": "home", "views": 9 * number},
        ],
    }
    place = station.project / "data" / "figures.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps(figures, indent=2) + "\n")


def kept(station):
    """The evidence of every run that is over, oldest first."""
    blobs = BlobStore(station.cockpit_home / "data" / "evidence")
    with Evidence.reading(station.cockpit_home / "data" / "journal.db", blobs) as evidence:
        return [evidence.trace(row) for row in evidence.rows() if row.ended is not None]


def work(station, number, agent):
    bring(station, number)
    asked = f"[[morning]] Write the report of 2026-11-{10 + number} from data/figures.json"
    words = ("--permission-mode", "acceptEdits") if agent == "claude" else ()
    run = station.begin_agent(agent, asked, words=words)
    station.until_row(run, ended, 90)
    station.until(lambda: len(kept(station)) == number + 1, 30)
    return run


def test_runs_of_two_agents_are_one_task(station):
    runs = [work(station, number, agent) for number, agent in enumerate(MORNINGS)]
    for number, trace in enumerate(kept(station)):
        assert trace.run == runs[number]
        assert trace.outcome == "done"
        assert trace.nano
        assert [step.opaque for step in trace.steps] == ["", ""]
        assert json.loads(trace.steps[0].output)["orders"] == 80 + 5 * number
        assert trace.prompts[-1].startswith("[[morning]] Write the report")
        changed = {path for path in trace.world.changed() if path.startswith("reports/")}
        assert changed == {f"reports/2026-11-{10 + number}.md"}
    began = time.monotonic()
    done = station.run("tasks", "--json")
    assert time.monotonic() - began < 30
    (task,) = json.loads(done.stdout)
    assert set(task["runs"]) == set(runs)
    assert task["agents"] == ["claude-code", "codex"]
    assert task["cost_nano"] > 0
    detail = station.run("tasks", task["id"])
    assert detail.returncode == 0
    assert all(run in detail.stdout for run in runs[-3:])
    print(done.stdout, detail.stdout)
