from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cockpit.core.cache import CacheWindow
from cockpit.core.fleet import Run
from cockpit.core.money import NANO
from cockpit.ui import text


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "00:00"),
        (-5, "00:00"),
        (2_630_000, "43:50"),
        (4_561_000, "76:01"),
        (5_999_999, "99:59"),
        (6_000_000, "1:40:00"),
        (43_805_000, "12:10:05"),
        (100 * text.HOUR, "4d 04h"),
    ],
)
def test_clock(ms, said):
    assert text.clock(ms) == said


@pytest.mark.parametrize(
    ("ms", "said"),
    [(-1, "0s"), (59_000, "59s"), (61_000, "1m"), (3 * text.HOUR, "3h"), (50 * text.HOUR, "2d")],
)
def test_age(ms, said):
    assert text.age(ms) == said


@pytest.mark.parametrize(
    ("nano", "said"),
    [
        (0, "$0.00"),
        (41_000_000, "$0.0410"),
        (2_290_500_000, "$2.29"),
        (999 * NANO, "$999.00"),
        (1_234 * NANO, "$1.2k"),
        (2_500_000 * NANO, "$2.5M"),
    ],
)
def test_money(nano, said):
    assert text.money(nano) == said
    assert len(said) <= 7


def test_money_is_marked_as_far_as_it_can_be_trusted():
    assert text.spent(Run(id="r", nano=2 * NANO, calls=3)) == "$2.00"
    assert text.spent(Run(id="r", nano=2 * NANO, calls=3, estimated_nano=1)) == "~$2.00"
    assert text.spent(Run(id="r", nano=2 * NANO, calls=3, unpriced_calls=1)) == "~$2.00"
    assert text.spent(Run(id="r", calls=3, unpriced_calls=3)) == "?"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0"),
        (980, "980"),
        (152_300, "152k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (1_200_000, "1.2M"),
    ],
)
def test_tokens(count, said):
    assert text.tokens(count) == said


@pytest.mark.parametrize(
    ("share", "full"), [(0, 0), (0.001, 1), (0.5, 4), (0.999, 7), (1, 8), (3, 8), (-1, 0)]
)
def test_gauge_is_empty_only_at_nothing_and_full_only_at_all(share, full):
    filled, rest = text.gauge(share, 8)
    assert (len(filled), len(rest)) == (full, 8 - full)


def test_spark():
    assert text.spark((0, 0, 0), 5) == "     "
    assert text.spark((0, 1, 50, 100), 6) == "  ▁▂▄▇"
    assert text.spark((9, 9, 0, 4), 2) == "▁▇"


@given(st.text(max_size=60), st.integers(0, 40), st.booleans())
def test_fit_fills_exactly_the_cells_it_is_given(words, width, right):
    assert cell_len(text.fit(text.safe(words), width, right=right)) == width


@given(st.text(max_size=200), st.integers(2, 30), st.integers(1, 4))
def test_wrap_keeps_to_its_box(words, width, lines):
    rows = text.wrap(text.safe(words), width, lines)
    assert len(rows) <= lines
    assert all(cell_len(row) <= width for row in rows)


def test_wrap_breaks_at_words_and_cuts_the_last_line():
    assert text.wrap("may I delete the fixture", 10, 2) == ["may I", "delete th…"]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_safe_leaves_nothing_a_terminal_could_act_on(words):
    said = text.safe(words)
    assert all(ord(letter) >= 0x20 and not 0x7F <= ord(letter) < 0xA0 for letter in said)
    assert not set(said) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")


def test_the_day_begins_at_local_midnight():
    noon = 1_790_000_000_000
    assert text.midnight(noon, UTC) % text.DAY == 0
    east = timezone(timedelta(hours=9))
    assert text.midnight(noon, east) % text.DAY == 15 * text.HOUR
    assert noon - text.DAY < text.midnight(noon, east) <= noon


def test_the_day_the_clocks_change_begins_in_the_old_offset():
    zone = ZoneInfo("Europe/Berlin")
    evening = 1_774_814_400_000  # 2026-03-29 22:00 in Berlin, summer time since 02:00
    assert text.time_of_day(text.midnight(evening, zone), zone) == "00:00"
    assert evening - text.midnight(evening, zone) == 21 * text.HOUR


def test_time_of_day():
    assert text.time_of_day(1_790_000_467_000, UTC) == "14:21"
    assert text.time_of_day(1_790_000_467_000, UTC, seconds=True) == "14:21:07"


@pytest.mark.parametrize(
    ("model", "long", "short"),
    [("claude-opus-4-6", "04:12", "04:12"), ("moonshotai/kimi-k3-0905", "≤04:12", "≤4m")],
)
def test_a_lifetime_that_nobody_promised_is_no_firm_timer(model, long, short):
    cache = CacheWindow(lifetime_ms=300_000, prefix=1, model=model)
    assert text.warm_for(cache, 252_000) == long
    assert text.warm_for(cache, 252_000, short=True) == short
