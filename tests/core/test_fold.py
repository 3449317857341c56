import string

from hypothesis import given
from hypothesis import strategies as st

from cockpit.core import events as e
from cockpit.core.budget import Budget
from cockpit.core.clocks import due
from cockpit.core.fleet import Fleet, burn_per_hour, claim, clock_of, is_live, spent_since, usage
from cockpit.core.fold import fold, fold_all
from cockpit.core.tokens import Tokens

T0 = 1_795_000_000_000
MINUTE = 60_000


def call(run="r", at=T0, number=0, nano=10**8, **more):
    return e.CallSettled(
        run=run, at=at, call=f"m{number}", model="claude-opus-5", nano=nano,
        tokens=more.pop("tokens", Tokens(10, 100, 0, 5000, 50)), **more,
    )  # fmt: skip


def one(*events):
    return fold_all(Fleet(), events).runs["r"]


def test_a_run_from_its_first_line_to_its_end():
    run = one(
        e.RunSeen(run="r", at=T0, agent="claude-code", session="s"),
        e.PromptGiven(run="r", at=T0, text="port the\nparser"),
        call(at=T0 + 1000),
        e.ToolStarted(run="r", at=T0 + 1100, tool="t", name="Bash", summary="pytest -q"),
    )
    assert run.name == "port the parser"
    assert run.action == "Bash pytest -q"
    assert claim(run, T0 + 2000).state == "running"
    assert (run.turns, run.nano, run.tokens.total) == (1, 10**8, 5160)
    done = one(call(), e.TurnEnded(run="r", at=T0 + 5))
    assert claim(done, T0 + MINUTE).state == "waiting"
    assert claim(done, T0 + 11 * MINUTE).state == "idle"
    assert claim(done, T0 + 31 * MINUTE).state == "ended"


def test_a_title_wins_over_a_first_prompt_which_wins_over_later_ones():
    run = one(
        e.PromptGiven(run="r", at=T0, text="first"),
        e.PromptGiven(run="r", at=T0 + 1, text="second"),
        e.RunDescribed(run="r", at=T0 + 2, name="ignored"),
    )
    assert run.name == "first"
    assert (
        one(
            e.PromptGiven(run="r", at=T0, text="first"),
            e.RunDescribed(run="r", at=T0, name="T", titled=True),
        ).name
        == "T"
    )


def test_idle_time_does_not_dilute_the_burn():
    busy = [call(at=T0 + i * 10_000, number=i) for i in range(60)]
    end = T0 + 59 * 10_000
    pause = [
        e.TurnEnded(run="r", at=end + 1),
        e.PromptGiven(run="r", at=end + 8 * 3_600_000, text="go on"),
    ]
    before = burn_per_hour(one(*busy), end)
    after = burn_per_hour(one(*busy, *pause), end + 8 * 3_600_000)
    assert abs(after - before) < before * 0.01


def test_the_clock_freezes_while_the_run_waits():
    run = one(
        *[call(at=T0 + i * 10_000, number=i) for i in range(5)],
        e.TurnEnded(run="r", at=T0 + 40_001),
        e.BudgetSet(run="r", at=T0, budget=Budget(money=10**10)),
    )
    early, late = clock_of(run, T0 + MINUTE), clock_of(run, T0 + 9 * MINUTE)
    assert early.frozen
    assert early.left_ms == late.left_ms


def test_a_revision_adds_tokens_but_no_turn():
    run = one(call(), call(at=T0 + 1, nano=5, tokens=Tokens(output=7), revision=True))
    assert (run.turns, run.nano, run.last_call.output) == (1, 10**8 + 5, 57)


def test_sub_agents_count_against_their_parents_budget():
    fleet = fold_all(
        Fleet(),
        [
            call(),
            e.RunSeen(run="c", at=T0, agent="claude-code", session="s", parent="r"),
            e.RunSeen(run="g", at=T0, agent="claude-code", session="s", parent="c"),
            call(run="g", nano=3),
        ],
    )
    assert usage(fleet.runs["r"], T0).money == 10**8 + 3
    assert usage(fleet.runs["c"], T0).money == 3
    assert fleet.runs["r"].nano == 10**8
    assert spent_since(fleet, T0 - 900_000) == 10**8 + 3


def test_the_same_error_four_times_is_stuck_and_success_clears_it():
    def failing(number):
        return [
            e.ToolStarted(
                run="r", at=T0 + number, tool=f"t{number}", name="Bash", summary="pytest"
            ),
            e.ToolEnded(run="r", at=T0 + number, tool=f"t{number}", ok=False, output="exit 1"),
        ]

    events = [event for number in range(4) for event in failing(number)]
    assert claim(one(*events), T0 + 10).state == "stuck"
    cleared = [*events, e.ToolEnded(run="r", at=T0 + 9, tool="t", ok=True)]
    assert claim(one(*cleared), T0 + 10).state == "running"


def test_a_stop_is_claimed_only_after_the_census():
    events = [call(), e.StopRequested(run="r", at=T0 + 1, by="operator")]
    assert claim(one(*events), T0 + 2).state == "stopping"
    failed = [*events, e.StopFailed(run="r", at=T0 + 3, pids=(7,))]
    assert claim(one(*failed), T0 + 4).evidence == "still alive: 7"
    assert is_live(one(*failed), T0 + 4)
    stopped = [*events, e.RunStopped(run="r", at=T0 + 9, took_ms=8)]
    assert not is_live(one(*stopped), T0 + 10)


def test_the_clock_says_each_thing_once():
    budget = e.BudgetSet(run="r", at=T0, budget=Budget(money=10**9))
    events = [budget]
    said = []
    for number in range(12):
        events.append(call(at=T0 + number, number=number))
        while (event := due(one(*events), T0 + number)) is not None:
            said.append(type(event).__name__)
            events.append(event)
    assert said == ["ClockWarned", "ClockExpired"]


def test_money_without_a_price_is_unpriced_not_free():
    run = one(call(nano=None))
    assert run.mark == "unpriced"
    assert run.unpriced_calls == 1


def test_unknown_runs_and_any_order_are_fine():
    events = [
        e.BudgetSet(run="r", at=T0, budget=Budget(turns=3)),
        call(at=T0 + 5),
        e.RunSeen(run="r", at=T0, agent="codex", session="s"),
    ]
    assert one(*events).agent == "codex"
    assert one(*reversed(events)).budget == Budget(turns=3)


texts = st.text(string.printable, max_size=20)
moments = st.integers(T0, T0 + 10**8)
calls = st.builds(
    lambda at, number, nano, count: call(at=at, number=number, nano=nano, tokens=Tokens(output=count)),
    moments, st.integers(0, 5), st.integers(0, 10**10), st.integers(0, 10**6),
)  # fmt: skip
others = st.one_of(
    st.builds(e.PromptGiven, run=st.just("r"), at=moments, text=texts),
    st.builds(e.ToolStarted, run=st.just("r"), at=moments, tool=texts, name=texts),
    st.builds(e.ToolEnded, run=st.just("r"), at=moments, tool=texts, ok=st.booleans()),
    st.builds(e.TurnEnded, run=st.just("r"), at=moments),
    st.builds(e.StopRequested, run=st.just("r"), at=moments, by=texts),
    st.builds(
        e.ProcessFound,
        run=st.just("r"),
        at=moments,
        pid=st.integers(2, 99),
        created=moments,
        authority=st.just("signal"),
    ),
)


@given(st.lists(st.one_of(calls, others), max_size=40))
def test_the_books_hold_whatever_the_order(events):
    forward, backward = fold_all(Fleet(), events), fold_all(Fleet(), reversed(events))
    spent = sum(event.nano or 0 for event in events if isinstance(event, e.CallSettled))
    for fleet in (forward, backward):
        assert sum(run.nano for run in fleet.runs.values()) == spent
        assert sum(fleet.spent.values()) == spent
        for run in fleet.runs.values():
            assert run.active_ms >= 0
            assert clock_of(run, T0 + 10**8).share >= 0
            assert claim(run, T0 + 10**8).state


@given(st.lists(st.one_of(calls, others), max_size=20))
def test_events_survive_the_journal(events):
    assert [e.decode(e.encode(event)) for event in events] == events


def test_fold_keeps_old_snapshots_untouched():
    before = fold(Fleet(), call())
    kept = before.runs["r"]
    fold(before, call(at=T0 + 1, number=1))
    assert before.runs["r"] is kept
