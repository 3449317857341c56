"""Runs each within limits, together not."""

from cockpit.core.budget import Budget
from cockpit.core.concentration import Claimant, Scope, claimants
from cockpit.core.fleet import Run


def run(name: str, money: int | None, spent: int = 0, **more) -> Run:
    budget = None if money is None else Budget(money=money, at_zero="defer")
    return Run(
        id=name, name=name, authority="wire", pid=1, started=1, last_event=1, budget=budget,
        nano=spent, **more,
    )  # fmt: skip


def test_each_within_its_budget_and_together_beyond_the_day() -> None:
    runs = claimants([run("a", 60, 10), run("b", 40)], now=2)
    assert runs == (Claimant("a", "a", 50), Claimant("b", "b", 40))
    assert Scope("day:x", 100, settled=20, runs=runs).crowded
    assert not Scope("day:x", 100, settled=10, runs=runs).crowded
    assert not Scope("day:x", None, settled=10, runs=runs).crowded


def test_what_others_spent_is_taken_from_what_is_left() -> None:
    runs = claimants([run("a", 60)], now=2)
    assert Scope("day:x", 100, settled=10, outside=31, runs=runs).crowded


def test_a_run_without_a_cap_may_want_everything() -> None:
    runs = claimants([run("a", None), run("b", 5)], now=2)
    assert runs[0] == Claimant("a", "a", None)
    assert Scope("day:x", 100, runs=runs).crowded


def test_runs_that_cannot_spend_claim_nothing() -> None:
    found = Run(id="f", authority="signal", pid=1, last_event=1)
    assert claimants([run("a", 5, deferred="cap"), found], now=2) == ()
