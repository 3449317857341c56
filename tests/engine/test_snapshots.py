"""Snapshots as clients read them: what has not changed is the same object."""

import msgspec
from msgspec.structs import replace

from cockpit.core.fleet import Fleet, Notice, Run
from cockpit.engine.snapshots import Snapshots

ONE, OTHER = Run(id="a", name="one", nano=7), Run(id="b", name="other")
FLEET = Fleet(
    now=5, runs={"a": ONE, "b": OTHER}, spent={3: 4}, feed=(Notice(1, "a", "x"),), version=9
)


def told(fleet):
    return msgspec.json.encode(fleet)


def test_everything_of_a_fleet_is_read():
    assert Snapshots().read(told(FLEET)) == FLEET
    assert Snapshots().read(told(Fleet())) == Fleet()


def test_only_what_changed_is_made_anew():
    snapshots = Snapshots()
    first = snapshots.read(told(FLEET))
    changed = replace(FLEET, now=6, runs={"a": replace(ONE, nano=8), "b": OTHER})
    second = snapshots.read(told(changed))
    assert second == changed
    assert second.runs["b"] is first.runs["b"]


def test_a_run_that_went_and_came_back_is_read_again():
    snapshots = Snapshots()
    snapshots.read(told(FLEET))
    assert snapshots.read(told(Fleet(runs={"b": OTHER}))) == Fleet(runs={"b": OTHER})
    assert snapshots.read(told(FLEET)) == FLEET
