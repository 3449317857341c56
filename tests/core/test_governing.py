"""What happens to a run behind the gateway: the states it shows and the books it keeps."""

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.clocks import due
from cockpit.core.composition import Composition
from cockpit.core.fleet import Fleet, active_until, claim, is_live
from cockpit.core.fold import fold_all
from cockpit.core.tokens import Tokens

NANO = 1_000_000_000
MINUTE = 60_000


def governed(*further: e.Event) -> Fleet:
    begun = e.RunGoverned(
        run="run-1",
        at=0,
        agent="claude-code",
        name="fix it",
        project="/p",
        token="h",
        purse="run:run-1",
    )
    bound = e.ProcessFound(run="run-1", at=1, pid=7, created=1, authority="wire")
    return fold_all(Fleet(), [begun, bound, *further])


def call(run: str, at: int, nano: int = NANO) -> e.CallSettled:
    return e.CallSettled(
        run=run, at=at, call=f"{run}-{at}", model="m", tokens=Tokens(10), nano=nano
    )


def test_a_governed_run_is_held_by_the_wire() -> None:
    run = governed(e.ProcessFound(run="run-1", at=2, pid=7, created=1, authority="process")).runs[
        "run-1"
    ]
    assert (run.authority, run.name, run.pid) == ("wire", "fix it", 7)
    assert claim(run, 10).state == "running"


def test_how_it_ended_stands_whatever_its_transcript_tells_after_that() -> None:
    ended = e.RunEnded(run="run-1", at=20, outcome="exit 0")
    late = e.PromptGiven(run="run-1", at=15, text="fix the tests")
    run = governed(ended, late).runs["run-1"]
    assert (claim(run, 30).state, claim(run, 30).evidence) == ("ended", "exit 0")


def test_a_pause_is_a_state_and_no_work() -> None:
    fleet = governed(e.RunPaused(run="run-1", at=MINUTE, channel="gateway"))
    run = fleet.runs["run-1"]
    assert claim(run, 3 * MINUTE).state == "held"
    assert active_until(run, 3 * MINUTE) == run.active_ms
    after = fold_all(fleet, [e.RunResumed(run="run-1", at=5 * MINUTE)]).runs["run-1"]
    assert claim(after, 5 * MINUTE).state == "running"
    assert active_until(after, 6 * MINUTE) == run.active_ms + MINUTE


def test_a_deferred_run_is_not_live_until_it_goes_on() -> None:
    fleet = governed(e.RunDeferred(run="run-1", at=5, reason="its $5 are used up"))
    run = fleet.runs["run-1"]
    assert claim(run, 9).state == "deferred"
    assert not is_live(run, 9)
    gone = fold_all(fleet, [e.ProcessEnded(run="run-1", at=6, pid=7)])
    assert claim(gone.runs["run-1"], 9).state == "deferred"
    again = fold_all(
        gone,
        [
            e.RunResumed(run="run-1", at=20),
            e.ProcessFound(run="run-1", at=21, pid=8, created=2, authority="wire"),
        ],
    )
    assert claim(again.runs["run-1"], 22).state == "running"


def test_an_approval_asks_until_it_is_answered() -> None:
    fleet = governed(e.ApprovalAsked(run="run-1", at=5, tool="t1", rule="push", text="git push"))
    assert claim(fleet.runs["run-1"], 6).state == "asks"
    answered = e.ApprovalAnswered(run="run-1", at=7, tool="t1", allowed=False, by="time-out")
    assert claim(fold_all(fleet, [answered]).runs["run-1"], 8).state == "running"


def test_sub_agents_of_a_governed_run_are_counted_once() -> None:
    """The wire booked their calls in the governed run; the transcript tells of them once more."""
    child = e.RunSeen(run="c", at=3, agent="claude-code", session="s", parent="run-1")
    fleet = governed(child, call("run-1", 4), call("c", 5))
    assert sum(fleet.spent.values()) == NANO
    assert fleet.runs["run-1"].nano == NANO
    assert fleet.runs["run-1"].child_nano == 0
    assert fleet.runs["c"].nano == NANO


def test_sub_agents_of_a_found_run_still_charge_it() -> None:
    parent = e.RunSeen(run="p", at=1, agent="claude-code", session="s")
    child = e.RunSeen(run="c", at=3, agent="claude-code", session="s", parent="p")
    fleet = fold_all(Fleet(), [parent, child, call("c", 5)])
    assert fleet.runs["p"].child_nano == NANO
    assert sum(fleet.spent.values()) == NANO


def test_zero_acts_as_the_budget_says() -> None:
    for at_zero, action in (("defer", "deferred"), ("halt", "halted"), ("ask", "asks")):
        capped = e.BudgetSet(run="run-1", at=2, budget=Budget(money=NANO, at_zero=at_zero))
        event = due(governed(capped, call("run-1", 4)).runs["run-1"], 5)
        assert isinstance(event, e.ClockExpired)
        assert event.action == action
    found = fold_all(
        Fleet(),
        [
            e.ProcessFound(run="f", at=1, pid=3, created=1, authority="signal"),
            e.BudgetSet(run="f", at=2, budget=Budget(money=NANO, at_zero="defer")),
            call("f", 4),
        ],
    )
    event = due(found.runs["f"], 5)
    assert isinstance(event, e.ClockExpired)
    assert event.action == "interrupted"


def test_a_note_is_told_once_and_then_delivered() -> None:
    said = e.RunSteered(run="run-1", at=5, text="use uv", channel="gateway")
    told = e.RunSteered(run="run-1", at=9, text="use uv", channel="gateway", delivered=9)
    notes = governed(said, told).runs["run-1"].notes
    assert [(note.text, note.delivered) for note in notes] == [("use uv", 9)]


def test_a_composition_keeps_its_sum_when_it_is_scaled() -> None:
    parts = Composition(system=10, tools=7, user=3, files=1).scaled(1_000, cached=400)
    assert parts.total == 1_000
    assert parts.cached == 400
    assert parts.system > parts.tools > parts.user > parts.files


def test_a_subscription_is_capped_by_its_window_and_costs_no_money() -> None:
    by_plan = e.CallSettled(
        run="run-1", at=4, call="c", model="m", tokens=Tokens(10), nano=NANO, billing="subscription"
    )
    capped = e.BudgetSet(run="run-1", at=2, budget=Budget(window=80, money=1, at_zero="defer"))
    told = e.WindowMeasured(run="run-1", at=5, window="5h", percent=81.0, resets=1_000)
    fleet = governed(capped, by_plan, told)
    run = fleet.runs["run-1"]
    assert (run.nano, run.plan_nano, sum(fleet.spent.values())) == (0, NANO, 0)
    event = due(run, 6)
    assert isinstance(event, e.ClockExpired)
    assert (event.ruling, event.action) == ("window", "deferred")
    assert due(run, 2_000) is None, "the window has started anew"
