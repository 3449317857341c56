"""Against a worked table: an 800k-token session, 500 new and 300 answered tokens a wake, 8 hours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cockpit.cli.page import _timer
from cockpit.core import events as e
from cockpit.core.composition import Composition
from cockpit.core.export import run_detail
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.core.forecast import (
    NIGHT,
    Timer,
    cheapest,
    cures,
    cures_of,
    forecast,
    forecast_of,
    hits,
    misses,
    refuses_timer,
    timer_of,
)
from cockpit.core.price import Rates, cost
from cockpit.core.tokens import Tokens

T0 = 1_795_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
SPAN = 8 * HOUR


def rates(*dollars):
    """Dollars per million: input, write, long write, read, output."""
    return Rates(*(round(price * 10**9) for price in dollars))


OPUS_5 = rates(5, 6.25, 10, 0.50, 25)
OPUS_5_5 = rates(4, 5, 8, 0.20, 20)
SONNET_5_5 = rates(2, 2.5, 4, 0.10, 10)
FABLE_5_2 = rates(8, 10, 16, 0.20, 40)
ASTRA = rates(20, 25, 50, 2, 75)
SOL = rates(4, 5, 10, 0.20, 15)


def timer(rates, minutes, *, lifetime=5 * MINUTE, **more):
    """Before its first request: 799,700 tokens of the session and 800 new ones are 800,500."""
    every = minutes * MINUTE
    return Timer(
        every_ms=every,
        gap_ms=every,
        lifetime_ms=lifetime,
        prefix=799_700,
        new=800,
        grown=800,
        output=300,
        rates=rates,
        **more,
    )


def whole(minutes):
    """A span with a wake at its beginning and its end."""
    return SPAN // (minutes * MINUTE) * minutes * MINUTE + minutes * MINUTE


def cents(nano):
    return round(nano / 10**9 + 1e-9, 2)


def warmed(timer, minutes):
    count = timer.wakes(whole(minutes))
    return misses(timer, 1, timer.prefix) + hits(timer, count - 1, timer.prefix + timer.grown)


@pytest.mark.parametrize(
    ("prices", "first", "long_first", "hit", "miss"),
    [
        (OPUS_5, 5.01, 8.01, 0.413, 5.016),
        (OPUS_5_5, 4.01, 6.41, 0.170, 4.013),
        (SONNET_5_5, 2.00, 3.21, 0.085, 2.006),
        (FABLE_5_2, 8.02, 12.82, 0.180, 8.025),
        (ASTRA, 20.04, 40.05, 1.643, 20.055),
        (SOL, 4.01, 8.01, 0.169, 4.0105),
    ],
)
def test_one_wake(prices, first, long_first, hit, miss):
    one = timer(prices, 6)
    long = replace(one, long_lived=True)
    assert misses(one, 1, 799_700) / 10**9 == pytest.approx(first, abs=0.0055)
    assert misses(long, 1, 799_700) / 10**9 == pytest.approx(long_first, abs=0.0055)
    assert hits(one, 1, 800_500) / 10**9 == pytest.approx(hit, abs=0.00055)
    assert misses(one, 1, 800_500) / 10**9 == pytest.approx(miss, abs=0.00055)


@pytest.mark.parametrize(
    ("prices", "four", "six", "pinged", "long", "four_long"),
    [
        (OPUS_5, 57.40, 422.06, 73.01, 42.54, 60.76),
        (OPUS_5_5, 25.56, 337.65, 31.61, 20.72, 28.25),
        (SONNET_5_5, 12.78, 168.82, 15.80, 10.36, 14.13),
        (FABLE_5_2, 30.77, 675.30, 36.42, 28.12, 36.15),
    ],
)
def test_the_night_and_its_cures_to_the_cent(prices, four, six, pinged, long, four_long):
    fire = timer(prices, 6)
    night = forecast(fire, whole(6))
    offered = {cure.name: cents(cure.nano) for cure in cures(fire, whole(6))}
    assert (night.wakes, cents(night.nano)) == (81, six)
    assert offered["shorter interval"] == four
    assert offered["keep warm"] == pinged
    assert offered["long cache"] == long
    assert offered["script"] == 0
    assert cents(warmed(timer(prices, 4, long_lived=True), 4)) == four_long


@pytest.mark.parametrize(
    ("prices", "four", "six", "late", "late_long"),
    [(ASTRA, 228.68, 156.57, 322.96, 65.17), (SOL, 25.38, 18.00, 64.59, 10.62)],
)
def test_thirty_minutes_of_lifetime(prices, four, six, late, late_long):
    """At OpenAI 4 or 6 minutes make no difference to the cache; the cliff is at 30."""
    assert cents(warmed(timer(prices, 4, lifetime=30 * MINUTE), 4)) == four
    assert cents(warmed(timer(prices, 6, lifetime=30 * MINUTE), 6)) == six
    slow = timer(prices, 31, lifetime=30 * MINUTE)
    assert cents(forecast(slow, whole(31)).nano) == late
    offered = {cure.name: cents(cure.nano) for cure in cures(slow, whole(31))}
    assert offered["long cache"] == late_long


def test_sixty_one_minutes_with_an_hour_of_lifetime():
    slow = timer(OPUS_5, 61, lifetime=HOUR, long_lived=True)
    assert cents(misses(slow, 1, 800_500)) == 8.02
    names = {cure.name for cure in cures(slow)}
    assert "long cache" not in names
    assert names >= {"keep warm", "shorter interval", "fresh session"}


def test_a_timer_within_the_lifetime_is_forecast_warm():
    four = timer(OPUS_5, 4)
    assert forecast(four).nano == hits(four, 120, four.prefix)
    assert "shorter interval" not in {cure.name for cure in cures(four)}


def test_a_fresh_session_is_more_than_ten_times_cheaper():
    fire = timer(OPUS_5, 6)
    offered = {cure.name: cure for cure in cures(fire)}
    assert forecast(fire).nano > 10 * offered["fresh session"].nano
    assert not offered["fresh session"].keeps


def test_cures_come_cheapest_first_and_the_cheapest_keeps_the_session():
    offered = cures(timer(OPUS_5, 6))
    assert [cure.nano for cure in offered] == sorted(cure.nano for cure in offered)
    assert cheapest(offered).name == "long cache"
    assert offered[0].name == "script"
    assert cheapest(()) is None


def test_pings_are_offered_only_while_they_pay():
    names = [{c.name for c in cures(timer(OPUS_5, m))} for m in (6, 49, 60)]
    assert ["keep warm" in found for found in names] == [True, True, False]


def test_no_long_lifetime_where_none_is_sold_or_it_would_be_too_short():
    unsold = replace(OPUS_5, cache_write_1h=0)
    assert "long cache" not in {cure.name for cure in cures(timer(unsold, 6))}
    assert "long cache" not in {cure.name for cure in cures(timer(OPUS_5, 61))}


@given(
    st.integers(1, 90),
    st.integers(1, 2_000_000),
    st.integers(0, 50_000),
    st.integers(0, 50_000),
    st.sampled_from([OPUS_5, OPUS_5_5, FABLE_5_2, SOL]),
)
def test_no_cure_costs_more_than_the_fire(minutes, prefix, new, output, prices):
    fire = replace(timer(prices, minutes), prefix=prefix, new=new, grown=new, output=output)
    night = forecast(fire)
    assert all(0 <= cure.nano < night.nano for cure in cures(fire))
    assert night.hit <= night.miss
    assert forecast(fire, 0).nano == 0


@given(st.integers(0, 60), st.integers(1, 900_000), st.integers(0, 5_000))
def test_many_wakes_cost_what_each_costs(count, prefix, step):
    one = replace(timer(OPUS_5, 6), new=step, grown=step)
    warm = sum(hits(one, 1, prefix + step * at) for at in range(count))
    cold = sum(misses(one, 1, prefix + step * at) for at in range(count))
    assert abs(hits(one, count, prefix) - warm) <= count
    assert abs(misses(one, count, prefix) - cold) <= count


# --- from a run


def call(number, at, tokens, lifetime_ms=5 * MINUTE):
    return e.CallSettled(
        run="r", at=at + 2_000, requested=at, call=f"m{number}", model="claude-opus-5",
        tokens=tokens, nano=cost(tokens, OPUS_5), rates=OPUS_5, lifetime_ms=lifetime_ms,
    )  # fmt: skip


def fire(wakes, minutes=6):
    """One request a wake, 500 new and 300 answered, as the provider would bill it."""
    cold = minutes >= 5
    events = []
    for at in range(wakes):
        prompt = 800_500 + 800 * at
        new = prompt if cold or at == 0 else 800
        tokens = Tokens(cache_write_5m=new, cache_read=prompt - new, output=300)
        events.append(call(at, T0 + at * minutes * MINUTE, tokens))
    return events


def run_of(events):
    return fold_all(Fleet(), events).runs["r"]


def test_a_run_in_the_fire_is_forecast_as_it_will_go_on():
    run, now = run_of(fire(5)), T0 + 24 * MINUTE + 2_000
    timer = timer_of(run)
    assert (timer.every_ms, timer.gap_ms) == (6 * MINUTE, 6 * MINUTE)
    assert (timer.prefix, timer.new, timer.output) == (803_700, 800, 300)
    night = forecast_of(run, now)
    later = run_of(fire(85))
    assert night.wakes == 80
    assert night.nano == later.nano - run.nano
    assert cures_of(run)[0].name == "script"
    assert cheapest(cures_of(run)).name == "long cache"
    assert 9 < night.nano / cheapest(cures_of(run)).nano < 10.5


def test_show_prints_the_verdict_with_the_cures():
    run, now = run_of(fire(5)), T0 + 24 * MINUTE + 2_000
    told = run_detail(Fleet(runs={"r": run}), run, now)["timer"]
    assert (told["every_s"], told["wakes"], told["span_s"]) == (360, 80, 28_800)
    assert [cure["name"] for cure in told["cures"]][:2] == ["script", "fresh session"]
    assert forecast_of(run, now).text == (
        "every 6m is slower than the 5m cache: $418.65 in the next 8h, $5.04 a wake instead of $0.41"
    )
    lines = [text for _, text in _timer(run, now)]
    assert lines[1].strip() == "$0.00  let a script look, and wake the agent when it must act"
    assert not list(_timer(run_of(fire(2)), now))


def test_a_fresh_session_is_as_large_as_the_wire_saw():
    run = replace(run_of(fire(5)), composition=Composition(system=2_000, tools=5_000, user=9_000))
    assert timer_of(run).fresh == 10_000


def test_a_wake_of_several_calls_is_forecast_with_all_of_them():
    def wakes(count):
        events = []
        for at in range(count):
            begin, prompt = T0 + at * 6 * MINUTE, 400_000 + 1_000 * at
            first = Tokens(cache_write_5m=prompt, output=100)
            second = Tokens(cache_read=prompt, cache_write_5m=500, output=200)
            events += [call(2 * at, begin, first), call(2 * at + 1, begin + 5_000, second)]
        return events

    run = run_of(wakes(6))
    timer = timer_of(run)
    assert (timer.every_ms, timer.gap_ms) == (6 * MINUTE, 6 * MINUTE - 5_000)
    assert (timer.new, timer.grown) == (500, 1_000)
    # The further calls are taken as dear as those of the last wake, though they grow a little too.
    night, later = forecast_of(run, T0 + 31 * MINUTE), run_of(wakes(86))
    assert night.nano == pytest.approx(later.nano - run.nano, rel=0.01)


def test_no_forecast_without_a_timer():
    now = T0 + HOUR
    assert forecast_of(run_of(fire(2)), T0 + 6 * MINUTE) is None
    assert forecast_of(run_of(fire(9, minutes=4)), T0 + 36 * MINUTE) is None
    assert forecast_of(run_of(fire(5)), now) is None
    assert cures_of(run_of(fire(9, minutes=4))) == ()


# --- our own loops


def test_a_loop_slower_than_its_cache_is_refused_with_the_price():
    said = refuses_timer(6 * MINUTE, 5 * MINUTE, 800_000, OPUS_5)
    assert said == (
        "Every 6m is slower than the 5m cache: each wake would pay $5.00 for 800,000 tokens that"
        " cost $0.40 warm. Wake it every 4m, use a longer cache lifetime, start fresh with a"
        " digest, or let a script look."
    )
    assert "$8.00" in refuses_timer(61 * MINUTE, HOUR, 800_000, OPUS_5, long_lived=True)


@pytest.mark.parametrize(
    ("minutes", "lifetime", "prefix"),
    [(4, 5 * MINUTE, 800_000), (6, None, 800_000), (6, 5 * MINUTE, 10_000), (6, HOUR, 800_000)],
)
def test_a_loop_that_wastes_nothing_is_not_refused(minutes, lifetime, prefix):
    assert refuses_timer(minutes * MINUTE, lifetime, prefix, OPUS_5) == ""


def test_a_night_is_eight_hours():
    assert NIGHT == SPAN
