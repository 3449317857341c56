"""Worlds that go wrong, and words that stand for a time: without playing anything."""

import json
from datetime import date

import pytest

from cockpit.architect.calendar_words import in_common, tokens
from cockpit.architect.input_mutation import Known, bodies, known, mutations
from cockpit.core.script import Capabilities
from cockpit.core.trace import Fetch, File, Trace, Tree, World
from tests.families.blobs import Blobs

DAY = date(2026, 3, 2)
NOTHING = Known()


def changes(told: object, seen: Known = NOTHING) -> dict[str, object]:
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    made = {}
    for change in bodies(body, DAY, seen):
        try:
            made[change.name] = json.loads(change.body)
        except ValueError:
            made[change.name] = change.body
    return made


def test_a_document_goes_wrong_in_every_way_of_the_list():
    told = {"day": "2026-03-02", "n": 7, "rows": [{"a": "x"}, {"a": "y"}], "count": 2}
    made = changes(told, Known(fresh=frozenset({"day"})))
    assert made["wrapped"] == {"data": told}
    assert made["renamed n"] == {"day": "2026-03-02", "x_n": 7, "rows": told["rows"], "count": 2}
    assert made["null rows.*.a"]["rows"][1] == {"a": None}
    assert made["text for number n"]["n"] == "7"
    assert made["nought n"]["n"] == 0
    assert made["emptied rows"]["rows"] == []
    assert made["stale day"]["day"] == "2026-02-23"
    assert made["0 rows of rows, counted,"] == told | {"rows": [], "count": 0}
    assert made["1 rows of rows, counted,"] == told | {"rows": [{"a": "x"}], "count": 1}
    assert b"Please sign in" in made["html page instead"]
    assert {"nothing", "half", "error instead"} <= made.keys()


def test_what_the_runs_met_is_no_surprise():
    told = {"rows": [1, 2], "note": "x", "n": 5}
    made = changes(told, Known(empty=frozenset({"rows", "n"})))
    assert not {"emptied rows", "nought n", "one n", "0 rows of rows, counted,"} & made.keys()
    assert "emptied note" in made


def test_a_table_goes_wrong_too():
    made = changes(b"id,name\n1,Ada\n2,Grace\n3,Edsger\n")
    assert made["renamed column name"] == b"id,x_name\n1,Ada\n2,Grace\n3,Edsger\n"
    assert made["only the header"] == b"id,name\n"
    assert made["line ends of Windows"].count(b"\r\n") == 4
    assert made["last line cut in half"] == b"id,name\n1,Ada\n2,Grace\n3,Ed"


def trace(number: int, document: object, files: dict[str, bytes], blobs: Blobs) -> Trace:
    tree = Tree({path: File(blobs.put(body), len(body)) for path, body in files.items()})
    body = blobs.put(json.dumps(document).encode())
    return Trace(
        run=str(number),
        agent="claude-code",
        began=0,
        ended=0,
        world=World(
            root="/w",
            before=tree,
            after=tree,
            fetches=(Fetch(method="GET", url="http://a.local/x", status=200, body=body),),
        ),
    )


def test_what_is_known_of_the_runs():
    blobs = Blobs()
    runs = [
        trace(
            0,
            {"as_of": "2026-03-02", "due": "2026-03-02", "n": 4},
            {"in/1.csv": b"a", "odd": b""},
            blobs,
        ),
        trace(1, {"as_of": "2026-03-03", "due": "2026-03-01", "n": 1}, {"in/2.csv": b"a"}, blobs),
    ]
    told = known(runs, [DAY, date(2026, 3, 3)], blobs)
    assert told.fresh == {"as_of"}
    assert told.empty == {"n"}
    assert told.always == {"in/0.csv"}


def test_only_what_the_script_uses_goes_wrong():
    blobs = Blobs()
    run = trace(0, {"n": 4}, {"in/1.csv": b"a,b\n1,2\n", "private": b"x"}, blobs)
    may = Capabilities(read=("in/*.csv",))
    names = [
        one.name for one in mutations(run.world, DAY, may, (), known([run], [DAY], blobs), blobs)
    ]
    assert "missing in/1.csv" in names
    assert not [name for name in names if "private" in name or "a.local" in name]
    asked = mutations(run.world, DAY, may, ("http://a.local/x",), known([run], [DAY], blobs), blobs)
    strict = [one.name for one in asked if one.strict]
    assert strict == ["status 500 of http://a.local/x", "status 403 of http://a.local/x"]


def test_a_repository_goes_wrong_too():
    blobs = Blobs()
    run = trace(0, {}, {".git/HEAD": b"ref: refs/heads/main\n", "a": b"x"}, blobs)
    seen = known([run], [DAY], blobs)

    def names(*commands):
        may = Capabilities(commands=commands)
        return {one.name: one for one in mutations(run.world, DAY, may, (), seen, blobs)}

    looks, commits = names("git log"), names("git add", "git commit")
    assert looks.keys() == {"no repository", "a repository without a commit"}
    assert commits.keys() == {"no repository"}
    assert commits["no repository"].strict
    assert set(commits["no repository"].world.before.files) == {"a"}
    assert names("ls") == {}


@pytest.mark.parametrize(
    ("days", "has", "lacks"),
    [
        (
            ("2026-03-02", "2026-03-30"),
            {"q1", "march", "mar", "h1", "2026", "spring"},
            {"monday w10"},
        ),
        (("2026-03-02", "2026-04-01"), {"h1", "spring", "2026"}, {"q1", "march"}),
        (("2025-12-31", "2026-01-01"), {"winter", "w01"}, {"2025", "2026", "h1"}),
        (("2026-03-02", "2026-03-09"), {"monday", "mon", "weekday"}, {"w10", "weekend"}),
    ],
)
def test_words_for_a_time(days, has, lacks):
    common = in_common([date.fromisoformat(day) for day in days])
    assert has <= common
    assert not lacks & common


def test_words_are_told_apart():
    assert tokens("q/2026-Q1/March, KW07") == ["q", "2026", "q1", "march", "kw07"]
