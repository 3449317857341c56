from hypothesis import given
from hypothesis import strategies as st

from cockpit.core import events as e
from cockpit.core.cache import CacheWindow, keep_warm, next_turn
from cockpit.core.export import run_detail
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold, fold_all
from cockpit.core.price import Rates, cost
from cockpit.core.tokens import Tokens

T0 = 1_795_000_000_000
SECOND, MINUTE = 1_000, 60_000
OPUS_5 = Rates(5 * 10**9, 6_250_000_000, 10 * 10**9, 500_000_000, 25 * 10**9)
PREFIX = 100_000


def rates_reading_at(share):
    return Rates(10**10, 12_500_000_000, 2 * 10**10, int(share * 10**10), 5 * 10**10)


def call(number, at, tokens, *, model="claude-opus-5", lifetime_ms=5 * MINUTE, **more):
    return e.CallSettled(
        run="r", at=at + 2 * SECOND, requested=at, call=f"m{number}", model=model, tokens=tokens,
        nano=cost(tokens, OPUS_5), rates=OPUS_5, lifetime_ms=lifetime_ms, **more,
    )  # fmt: skip


def cold(size=PREFIX):
    return Tokens(input=10, cache_write_5m=size, output=100)


def warm(size=PREFIX):
    return Tokens(input=10, cache_write_5m=500, cache_read=size, output=100)


def wakes(*gaps, hits=()):
    """A first call, then one after each gap (minutes, from request to request): cold but for `hits`."""
    at, events = T0, [call(0, T0, cold())]
    for number, gap in enumerate(gaps, 1):
        at += int(gap * MINUTE)
        is_hit = gap < 5 or number in hits
        events.append(call(number, at, warm() if is_hit else cold(PREFIX + 500 * number)))
    return events


def run_of(events):
    return fold_all(Fleet(), events).runs["r"]


def slow_timer_notices(events):
    return [n.text for n in fold_all(Fleet(), events).feed if "timer slower" in n.text]


# --- keep warm


def test_pings_pay_as_long_as_the_published_multipliers_say():
    """11 pings (~55 min) at 0.1x, 23 (~1 h 48) at 0.05x, 48 (~3 h 40) at 0.025x; 8.7, 4.2, 2.0 %."""
    window = CacheWindow(since=T0, lifetime_ms=5 * MINUTE, prefix=800_000)
    said = [keep_warm(window, rates_reading_at(share)) for share in (0.1, 0.05, 0.025)]
    assert [one.pings for one in said] == [11, 23, 48]
    assert [one.pays_ms // MINUTE for one in said] == [54, 108, 220]
    assert [round(one.chance * 100, 1) for one in said] == [8.7, 4.2, 2.0]
    assert keep_warm(window, OPUS_5).nano == 400_000_000


def test_an_hour_of_lifetime_is_paid_at_its_own_write_rate():
    window = CacheWindow(since=T0, lifetime_ms=60 * MINUTE, prefix=1000, long_lived=True)
    assert keep_warm(window, OPUS_5).pings == 18


def test_nothing_is_said_without_price_lifetime_prefix_or_loss():
    known = CacheWindow(since=T0, lifetime_ms=MINUTE, prefix=1000)
    assert keep_warm(known, None) is None
    assert keep_warm(CacheWindow(since=T0, prefix=1000), OPUS_5) is None
    assert keep_warm(CacheWindow(since=T0, lifetime_ms=MINUTE), OPUS_5) is None
    assert keep_warm(known, Rates(0, 0, 0, 0, 0)) is None
    assert keep_warm(known, Rates(5, 5, 5, 5, 5)) is None


@given(
    st.integers(1, 10**7),
    st.integers(1, 10**10),
    st.integers(1, 10**11),
    st.integers(SECOND, 86_400_000),
)
def test_the_pings_that_pay_cost_less_than_the_miss_and_one_more_does_not(
    prefix, read, more, lifetime
):
    rates = Rates(read, read + more, read + more, read, read)
    said = keep_warm(CacheWindow(since=T0, lifetime_ms=lifetime, prefix=prefix), rates)
    saved = prefix * more
    assert said.pings * prefix * read < saved
    assert (said.pings + 1) * prefix * read >= saved
    assert said.pays_ms <= (said.pings + 1) * lifetime


# --- misses


def test_a_timer_slower_than_the_cache_is_said_once_with_its_price():
    said = slow_timer_notices(wakes(6, 6, 6, 6, 6))
    extra = 3 * 0.575 * PREFIX / 10**5  # (6.25 - 0.50) dollars a million tokens
    assert said == [f"timer slower than the 5m cache: 3 misses cost ${extra:.2f} more than warm"]
    run = run_of(wakes(6, 6, 6, 6, 6))
    assert run.misses.count == 5
    assert run.misses.is_slow_timer(run.last_event)
    assert not run.misses.is_slow_timer(run.last_event + 16 * MINUTE)


def test_what_a_miss_cost_is_the_difference_of_the_forecasts():
    first = call(0, T0, cold())
    before = run_of([first])
    missed = run_of([first, call(1, T0 + 6 * MINUTE, cold(PREFIX + 110))]).misses
    turn = next_turn(before.cache, before.last_call, OPUS_5)
    assert missed.count == 1
    assert abs(missed.nano - (turn.cold - turn.warm)) < 2 * 10**6


def test_a_timer_within_the_lifetime_a_day_away_and_a_lucky_hit_are_none():
    assert run_of(wakes(4, 4, 4, 4)).misses.count == 0
    assert run_of(wakes(5.1, 5.1, 5.1, hits=(1, 2, 3))).misses.count == 0
    away = run_of(wakes(600, 600, 600, 600)).misses
    assert (away.count, away.row) == (4, 0)
    assert not slow_timer_notices(wakes(6, 6, 600, 6, 6))


def test_misses_with_an_hour_of_work_between_them_are_no_timer():
    work = [4.5] * 13
    events = wakes(6, *work, 6, *work, 6, *work, 6)
    assert run_of(events).misses.count == 4
    assert not slow_timer_notices(events)


def test_hits_within_each_turn_do_not_hide_the_timer():
    assert slow_timer_notices(wakes(6, 0.1, 0.1, 6, 0.2, 6, 0.1))


def test_another_model_a_compaction_and_a_revision_are_no_misses():
    first, later = call(0, T0, cold()), T0 + 6 * MINUTE
    other = call(1, later, cold(), model="claude-haiku-4-5")
    assert run_of([first, other]).misses.count == 0
    compacted = [
        e.ContextCompacted(run="r", at=later - 1, before=PREFIX),
        call(1, later, cold(PREFIX // 4)),
    ]
    assert run_of([first, *compacted]).misses.count == 0
    assert run_of([first, call(0, later, cold(), revision=True)]).misses.count == 0


def test_what_an_agent_asks_beside_its_work_does_not_hide_the_timer():
    """Titles by a small model at each wake, and sub-agents with prompts of their own."""
    events = []
    for number, event in enumerate(wakes(6, 6, 6, 6)):
        title = call(f"t{number}", event.requested - 500, cold(300), model="claude-haiku-4-5")
        helper = [
            call(f"s{number}.{at}", event.requested + at * SECOND, cold(7_000 + at))
            for at in (10, 20)
        ]
        events += [title, event, *helper]
    run = run_of(events)
    assert (run.misses.row, run.misses.is_slow_timer(run.last_event)) == (4, True)
    assert run.misses.wake.every_ms == run.misses.wake.gap_ms == 6 * MINUTE
    assert run.misses.wake.between == sum(cost(cold(size), OPUS_5) for size in (7_010, 7_020, 300))
    assert slow_timer_notices(events)


def test_misses_after_a_compaction_are_counted():
    small = [call(f"c{at}", T0 + (1 + 6 * at) * MINUTE, cold(20_000 + at)) for at in range(9)]
    run = run_of([call("big", T0, cold()), *small])
    assert run.misses.count == 8
    assert run.misses.is_slow_timer(run.last_event)


def test_a_conversation_grows_with_its_revisions():
    first, later = call("a", T0, cold(1_000)), T0 + 6 * MINUTE
    more = call("a", T0, Tokens(cache_write_5m=9_000), revision=True)
    missed = run_of([first, more, call("b", later, cold(10_100))]).misses
    assert missed.nano == 10_000 * 5_750


def test_what_never_was_kept_cannot_be_missed():
    plain = Tokens(input=PREFIX, output=100)
    events = [call(0, T0, plain), call(1, T0 + 6 * MINUTE, plain)]
    assert run_of(events).misses.count == 0
    unknown = [call(0, T0, cold(), lifetime_ms=None), call(1, T0 + 6 * MINUTE, cold())]
    assert run_of(unknown).misses.count == 0


def test_a_fork_begins_without_a_window():
    """A fork's file repeats its origin's calls, which stay the origin's: its own first one is cold."""
    forked = e.RunSeen(run="fork", at=T0, agent="claude-code", session="f")
    own = e.CallSettled(
        run="fork", at=T0 + 7 * MINUTE, call="own", model="claude-opus-5", tokens=cold(),
        nano=1, rates=OPUS_5, lifetime_ms=5 * MINUTE,
    )  # fmt: skip
    fleet = fold_all(Fleet(), [call(0, T0, cold()), forked, own])
    assert fleet.runs["fork"].misses.count == fleet.runs["r"].misses.count == 0


gaps = st.lists(st.sampled_from([0.1, 1, 4.9, 5.1, 6, 14, 16, 700]), max_size=30)


@given(gaps)
def test_what_misses_cost_is_never_more_than_was_spent(gaps):
    run = run_of(wakes(*gaps))
    assert 0 <= run.misses.row_nano <= run.misses.nano < run.nano
    assert run.misses.row <= run.misses.longest <= run.misses.count
    assert run.misses.count == sum(gap > 5 for gap in gaps)


@given(gaps, st.data())
def test_prompts_that_were_not_read_change_nothing(gaps, data):
    """A long story is opened from its beginning and its end; the calls are all in the books."""
    events = wakes(*gaps)
    told, fleet = [], Fleet()
    for event in events:
        if data.draw(st.booleans()):
            told.append(e.PromptGiven(run="r", at=event.requested, text="again"))
        told.append(event)
    for event in told:
        fleet = fold(fleet, event)
    assert fleet.runs["r"].misses == run_of(events).misses


def test_show_names_the_misses_and_what_a_ping_costs():
    run = run_of(wakes(6, 6, 6))
    detail = run_detail(Fleet(runs={"r": run}), run, run.last_event)
    assert (detail["cache_misses"], detail["slow_timer"]) == (3, True)
    assert detail["missed_usd"].startswith("1.7")
    assert detail["keep_warm"]["pings"] == 11
