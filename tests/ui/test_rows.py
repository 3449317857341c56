import pytest
from fleets import NOW, fleet_of, seeded, story

from cockpit.core.events import RunStopped, StopRequested
from cockpit.core.fleet import Fleet, Run
from cockpit.core.fold import fold_all
from cockpit.core.money import NANO
from cockpit.ui.rows import SORTS, Term, arrange, matches, terms


def names(rows):
    return [row.tree + row.run.name for row in rows]


def three() -> Fleet:
    return fleet_of(
        story(1, "running", 1, name="beta", calls=12),
        story(2, "stuck", 1, name="alpha", calls=6),
        story(3, "ended", 1, name="gamma", calls=9),
    )


def test_what_needs_a_person_comes_first():
    assert names(arrange(three(), NOW)) == ["alpha", "beta", "gamma"]


def test_every_order_is_total_and_repeatable():
    fleet = seeded(60)
    for sort in SORTS:
        ids = [row.run.id for row in arrange(fleet, NOW, sort=sort)]
        assert sorted(ids) == sorted(fleet.runs)
        assert ids == [row.run.id for row in arrange(fleet, NOW, sort=sort)]


def test_by_name_and_by_money():
    assert names(arrange(three(), NOW, sort="name")) == ["alpha", "beta", "gamma"]
    spent = [row.run.nano for row in arrange(three(), NOW, sort="spent")]
    assert spent == sorted(spent, reverse=True)


def test_sub_agents_hang_under_their_parents():
    fleet = fleet_of(
        story(1, "running", 1, name="parent"),
        story(2, "running", 1, name="first", parent="run-0001"),
        story(3, "running", 1, name="second", parent="run-0001"),
        story(4, "running", 1, name="grandchild", parent="run-0002"),
    )
    rows = arrange(fleet, NOW, sort="name")
    assert names(rows) == ["parent", "├ first", "│ └ grandchild", "└ second"]


def test_a_child_in_need_lifts_its_parent():
    fleet = fleet_of(
        story(1, "running", 1, name="calm"),
        story(2, "running", 1, name="parent"),
        story(3, "asks", 1, name="child", parent="run-0002"),
    )
    assert names(arrange(fleet, NOW)) == ["parent", "└ child", "calm"]


def test_runs_that_claim_each_other_as_parent_are_shown_flat():
    runs = {
        "a": Run(id="a", parent="b"),
        "b": Run(id="b", parent="a"),
        "c": Run(id="c", parent="c"),
    }
    assert {row.run.id for row in arrange(Fleet(runs=runs), NOW)} == {"a", "b", "c"}


def test_held_rows_keep_their_places():
    fleet = three()
    before = [row.run.id for row in arrange(fleet, NOW, sort="name")]
    stopped = fold_all(
        fleet,
        [
            StopRequested(run=before[1], at=NOW, by="operator"),
            RunStopped(run=before[1], at=NOW, took_ms=10),
            *story(9, "asks", 1, name="new"),
        ],
    )
    assert [row.run.id for row in arrange(stopped, NOW, held=before)] == [*before, "run-0009"]
    assert arrange(stopped, NOW)[0].run.id == "run-0009"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["alpha", "beta", "gamma"]),
        ("ALPH", ["alpha"]),
        ("state:stuck", ["alpha"]),
        ("-state:stuck", ["beta", "gamma"]),
        ("state:running name:be", ["beta"]),
        ("agent:nobody", []),
        ("nofield:x", []),
        ("stuck", ["alpha"]),
    ],
)
def test_filter(query, found):
    assert names(arrange(three(), NOW, query=query)) == found


def test_terms():
    assert terms("-agent:Codex foo -") == [
        Term("agent", "codex", False),
        Term("", "foo"),
        Term("", "-"),
    ]


def test_a_filter_is_plain_text():
    assert not matches(Run(id="r", name="abc"), "running", terms(".*"))


def test_money_is_never_lost_in_the_rows():
    """A governed run's books hold its sub-agents' calls too."""
    fleet = seeded(40)
    governed = {id_ for id_, run in fleet.runs.items() if run.governed}
    rows = [row.run.nano for row in arrange(fleet, NOW) if row.run.parent not in governed]
    assert sum(rows) == sum(fleet.spent.values()) > NANO
