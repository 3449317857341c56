"""The fair test is itself fair: untidiness leaves no traces in the world, and truth is the same truth."""

import json

import pytest

from tests.families import development, frozen
from tests.families.blobs import Blobs
from tests.families.development import FAMILIES
from tests.families.family import Recorded, record, truth
from tests.families.place import Place
from tests.families.web import Web


@pytest.fixture(scope="module")
def web():
    web = Web()
    yield web
    web.close()


def relive(recorded: Recorded, number: int, web: Web, base) -> None:
    """The tidy agent in the same world leaves the same files."""
    occasion = recorded.occasions[number]
    place = Place(
        base / "truth", recorded.family.folder, web, recorded.place.blobs, recorded.place.memory
    )
    place.restore(occasion.trace.world.before)
    web.pages = dict(occasion.pages)
    after = truth(recorded.family, place, occasion.day)
    wanted = {
        path: file for path, file in occasion.trace.world.after.files.items() if ".git/" not in path
    }
    assert {path: file for path, file in after.files.items() if ".git/" not in path} == wanted


ALL = (*development.FAMILIES, *frozen.FAMILIES)


@pytest.mark.parametrize("kind", [one for one in ALL if one.group in ("compile", "trap")][::4])
def test_noise_leaves_no_traces(kind, web, tmp_path):
    recorded = record(kind(), tmp_path, web, Blobs(), seed=5)
    for number in (0, 4, 7):
        relive(recorded, number, web, tmp_path)


def test_runs_are_untidy_and_differ(web, tmp_path):
    kind = next(one for one in FAMILIES if one.name == "rates-commit")
    recorded = record(kind(), tmp_path, web, Blobs(), seed=1, later=2)
    calls = [
        json.dumps([[step.tool, step.arguments] for step in one.steps]) for one in recorded.traces
    ]
    assert len(recorded.traces) == 8
    assert len(recorded.later) == 2
    assert len(set(calls)) == 8
    assert len({len(one.steps) for one in recorded.traces}) > 1
    assert any(not step.ok for one in recorded.traces for step in one.steps)
    assert len({one.task for one in recorded.traces}) > 2


def test_names_are_unique():
    names = [one.name for one in ALL]
    assert len(names) == len(set(names))
    assert len(development.FAMILIES) >= 30
    assert len(frozen.FAMILIES) >= 30
