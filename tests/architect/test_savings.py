"""To the cent: what counts, once, and what is taken off."""

from cockpit.architect.savings import savings
from cockpit.core.shelf import Cost, ScriptRun

CENT = 10_000_000


def run(kind="active", *, passed=True, agreed=None, saved=7 * CENT, code=0):
    return ScriptRun(
        content="c", kind=kind, began=0, ended=1, exit_code=code, passed=passed, agreed=agreed,
        saved_nano=saved,
    )  # fmt: skip


def test_only_runs_that_did_the_work_and_kept_the_contract_count():
    runs = [
        run(),
        run(),
        run("shadow", agreed=True),
        run(passed=False, code=3),
        run("audit", agreed=True),
        run("audit", agreed=False),
        run("asked"),
    ]
    told = savings(runs, [], [6 * CENT, 7 * CENT, 9 * CENT])
    assert (told.counted, told.gross_nano, told.baseline_nano) == (3, 21 * CENT, 7 * CENT)


def test_everything_it_cost_is_taken_off():
    costs = [
        Cost(1, "synthesis", 3 * CENT),
        Cost(2, "shadow", 7 * CENT),
        Cost(3, "shadow", 8 * CENT),
        Cost(4, "repair", 1 * CENT),
        Cost(5, "audit", 6 * CENT + 1),
    ]
    told = savings([run()] * 4, costs, [7 * CENT])
    assert told.costs == {
        "audit": 6 * CENT + 1, "repair": CENT, "shadow": 15 * CENT, "synthesis": 3 * CENT
    }  # fmt: skip
    assert told.net_nano == 28 * CENT - 25 * CENT - 1


def test_the_median_is_a_price_that_was_paid():
    assert savings([], [], [1, 2, 5, 9]).baseline_nano == 2
    assert savings([], [], []).baseline_nano is None
