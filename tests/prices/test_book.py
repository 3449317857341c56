"""Prices as a person would look them up: the list prices of late 2026, and every modifier."""

from datetime import UTC, datetime

import pytest

from cockpit.core.price import CacheRule, Rates
from cockpit.core.tokens import Tokens
from cockpit.prices.base import Constraint
from cockpit.prices.book import Book

DOLLAR = 10**9


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


NOW = ms("2026-11-22T12:00")  # a Sunday


def rates(book: Book, model: str, provider: str = "", at: int = NOW, **how) -> list[float] | None:
    """Input, 5m write, 1h write, read, output in dollars per million tokens."""
    quote = book.quote(model, provider, at=at, **how)
    if quote is None:
        return None
    found = quote.rates
    order = (found.input, found.cache_write_5m, found.cache_write_1h, found.cache_read)
    return [rate / DOLLAR for rate in (*order, found.output)]


LIST = [
    ("claude-fable-5-2", [8, 10, 16, 0.20, 40], 1_000_000),
    ("claude-fable-5-1", [10, 12.5, 20, 0.25, 50], 1_000_000),
    ("claude-opus-5-5", [4, 5, 8, 0.20, 20], 1_000_000),
    ("claude-opus-5", [5, 6.25, 10, 0.50, 25], 1_000_000),
    ("claude-opus-4-8", [5, 6.25, 10, 0.50, 25], 1_000_000),
    ("claude-opus-4-7", [5, 6.25, 10, 0.50, 25], 1_000_000),
    ("claude-opus-4-6", [5, 6.25, 10, 0.50, 25], 1_000_000),
    ("claude-sonnet-5-5", [2, 2.5, 4, 0.10, 10], 1_000_000),
    ("claude-sonnet-5", [2, 2.5, 4, 0.20, 10], 1_000_000),
    ("claude-haiku-5-5", [0.10, 0.125, 0.20, 0.01, 0.50], 1_000_000),
    ("claude-haiku-4-5", [1, 1.25, 2, 0.10, 5], 200_000),
    ("gpt-6-astra", [10, 12.5, 25, 1, 50], 1_050_000),
    ("gpt-6.1-sol", [2, 2.5, 5, 0.10, 10], 1_050_000),
    ("gpt-6.1-terra", [1, 1.25, 2.5, 0.05, 5], 1_050_000),
    ("gpt-6-sol", [2, 2.5, 5, 0.20, 10], 1_050_000),
    ("gpt-6-luna", [0.10, 0.125, 0.25, 0.01, 0.50], 1_050_000),
    ("gpt-5.6-sol", [4, 5, 10, 0.40, 20], 1_050_000),
    ("gpt-5.5", [5, 5, 5, 0.50, 30], 1_050_000),  # writes are free: plain input
    ("deepseek-flash", [0.15, 0.15, 0.15, 0.003, 0.60], 1_000_000),
    ("deepseek-v4-pro", [0.66, 0.66, 0.66, 0.022, 1.98], 1_000_000),
    ("GLM-5.3", [1.4, 1.4, 1.4, 0.26, 4.4], 1_000_000),
    ("GLM-5.3-Flash", [0.15, 0.15, 0.15, 0.03, 0.5], 1_000_000),
    ("kimi-k3.1-pro", [2, 2, 4, 0.20, 10], 1_048_576),
    ("kimi-k3", [3, 3, 6, 0.30, 15], 1_048_576),
    ("gemini-4-argon", [2, 2, 2, 0.10, 10], 1_048_576),
    ("gemini-3.8-flash", [0.75, 0.75, 0.75, 0.075, 3.75], 1_000_000),
]


@pytest.mark.parametrize(("model", "wanted", "window"), LIST, ids=[row[0] for row in LIST])
def test_list_prices(book: Book, model: str, wanted: list[float], window: int):
    assert rates(book, model) == wanted
    quote = book.quote(model, at=NOW)
    assert quote is not None
    assert quote.window == window


def test_the_whole_request_is_dearer_above_a_tier(book: Book):
    assert rates(book, "claude-haiku-5-5", prompt=100_000) == [0.10, 0.125, 0.20, 0.01, 0.50]
    assert rates(book, "claude-haiku-5-5", prompt=100_001) == [0.5, 0.625, 1, 0.05, 2.5]
    assert rates(book, "gpt-6-astra", prompt=272_000) == [10, 12.5, 25, 1, 50]
    assert rates(book, "gpt-6-astra", prompt=272_001) == [20, 25, 50, 2, 75]


def test_cost_finds_the_tier_by_the_whole_prompt(book: Book):
    cached = Tokens(input=1, cache_read=100_000)
    assert book.cost("claude-haiku-5-5", "anthropic", cached, NOW) == 5_000_500
    below = Tokens(cache_read=100_000)
    assert book.cost("claude-haiku-5-5", "anthropic", below, NOW) == 1_000_000


def test_prices_change_on_their_day(book: Book):
    before, after = ms("2026-11-30T23:59:59"), ms("2026-12-01")
    assert rates(book, "gemini-4-argon", at=before) == [2, 2, 2, 0.10, 10]
    assert rates(book, "gemini-4-argon", at=after) == [4, 4, 4, 0.20, 20]
    assert rates(book, "gemini-3.8-flash", at=ms("2027-01-01")) == [1.5, 1.5, 1.5, 0.15, 7.5]
    assert rates(book, "gpt-5.6-sol", at=ms("2026-08-20")) == [5, 6.25, 12.5, 0.5, 30]


PEAK = [1.32, 1.32, 1.32, 0.044, 3.96]
CALM = [0.66, 0.66, 0.66, 0.022, 1.98]


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("2026-11-22T03:50", CALM),  # Sunday
        ("2026-11-21T07:00", CALM),  # Saturday
        ("2026-11-23T00:59", CALM),  # Monday
        ("2026-11-23T01:00", PEAK),
        ("2026-11-23T03:59:59", PEAK),
        ("2026-11-23T04:00", CALM),
        ("2026-11-23T06:00", PEAK),
        ("2026-11-27T09:59", PEAK),  # Friday
        ("2026-11-27T10:00", CALM),
    ],
)
def test_deepseek_peaks_on_working_days_only(book: Book, moment: str, wanted: list[float]):
    assert rates(book, "deepseek-v4-pro", at=ms(moment)) == wanted
    flash = [0.3, 0.3, 0.3, 0.006, 1.2] if wanted == PEAK else [0.15, 0.15, 0.15, 0.003, 0.6]
    assert rates(book, "deepseek-flash", at=ms(moment)) == flash


TIERS = [
    ("claude-opus-5-5", "batch", NOW, [2, 2.5, 4, 0.1, 10]),
    ("claude-opus-5-5", "batch", ms("2026-10-01"), [2, 2.5, 4, 0.1, 10]),  # the rule, not the row
    ("claude-haiku-4-5", "batch", ms("2025-12-01"), [0.5, 0.625, 1, 0.05, 2.5]),
    ("claude-opus-5-5", "fast", NOW, [8, 10, 16, 0.4, 40]),
    ("claude-fable-5-2", "fast", NOW, [16, 20, 32, 0.4, 80]),
    ("claude-opus-5-5", "standard", NOW, [4, 5, 8, 0.2, 20]),
    ("gpt-6.1-sol", "flex", NOW, [1, 1.25, 2.5, 0.05, 5]),
    ("gpt-6.1-sol", "priority", NOW, [4, 5, 10, 0.2, 20]),
    ("gpt-6.1-sol", "fast", NOW, [4, 5, 10, 0.2, 20]),
    ("gpt-6.1-sol", "ultrafast", NOW, [12, 15, 30, 0.6, 60]),
    ("gpt-6.1-sol", "default", NOW, [2, 2.5, 5, 0.1, 10]),
    ("gpt-5.5", "priority", NOW, [12.5, 12.5, 12.5, 1.25, 75]),
    ("gpt-5.5", "priority", ms("2026-10-01"), [12.5, 12.5, 12.5, 1.25, 75]),
]


@pytest.mark.parametrize(("model", "tier", "at", "wanted"), TIERS)
def test_tiers(book: Book, model: str, tier: str, at: int, wanted: list[float]):
    assert rates(book, model, at=at, tier=tier) == wanted


def test_a_tier_without_a_price_is_unpriced(book: Book):
    assert rates(book, "claude-haiku-5-5", tier="fast") is None
    assert rates(book, "claude-opus-5-5", tier="priority") is None
    assert rates(book, "kimi-k3", tier="batch") is None
    assert rates(book, "gpt-6.1-sol", tier="moonshot") is None


def test_a_reseller_lends_the_standard_price_only(book: Book):
    assert rates(book, "claude-opus-5-5", "azure") == [4, 5, 8, 0.2, 20]
    assert rates(book, "claude-opus-5-5", "azure", tier="fast") is None


@pytest.mark.parametrize(
    ("minute", "active"),
    [(1379, False), (1380, True), (1439, True), (0, True), (119, True), (120, False)],
)
def test_hours_may_pass_midnight(minute: int, active: bool):
    night = Constraint(start=23 * 60, end=2 * 60)
    assert night.active(ms("2026-11-22") + minute * 60_000) is active


def test_places(book: Book):
    plain = [4, 5, 8, 0.2, 20]
    assert rates(book, "claude-opus-5-5", geo="us") == [4.4, 5.5, 8.8, 0.22, 22]
    assert rates(book, "claude-opus-5-5", geo="US", tier="batch") == [2.2, 2.75, 4.4, 0.11, 11]
    assert rates(book, "claude-opus-5-5", geo="global") == plain
    assert rates(book, "claude-opus-4-5", geo="not_available") == [5, 6.25, 10, 0.5, 25]
    assert rates(book, "claude-opus-5-5", geo="mars") is None
    assert rates(book, "gpt-6.1-sol", geo="eu") == [2.2, 2.75, 5.5, 0.11, 11]
    assert rates(book, "deepseek-v4-pro", geo="not_available") == CALM


def test_the_long_lifetime_follows_the_prompt_tier(book: Book):
    tokens = Tokens(cache_write_1h=300_000)
    assert book.cost("gpt-6-astra", "openai", tokens, NOW) == 15 * DOLLAR  # 300k at 2 x 2.5 x 10


def test_a_million_token_session_waking(book: Book):
    """Worked example: 800,000 tokens warm, 500 new and 300 answered on each wake."""
    hit = Tokens(cache_read=800_000, cache_write_5m=500, output=300)
    miss = Tokens(cache_write_5m=800_500, output=300)
    assert book.cost("claude-opus-5", "anthropic", hit, NOW) == 410_625_000
    assert book.cost("claude-opus-5", "anthropic", miss, NOW) == 5_010_625_000
    assert book.cost("claude-fable-5-2", "anthropic", hit, NOW) == 177_000_000


def test_web_searches_have_their_own_price(book: Book):
    tokens = Tokens(1_000_000)
    assert book.cost("claude-opus-5-5", "", tokens, NOW, searches=3) == 4_030_000_000
    assert book.cost("gemini-4-argon", "", tokens, NOW, searches=1) == 2_014_000_000
    assert book.cost("deepseek-v4-pro", "", tokens, NOW, searches=0) == 660_000_000
    assert book.cost("deepseek-v4-pro", "", tokens, NOW, searches=1) is None


def test_unknown_is_none_and_never_zero(book: Book):
    for model in (
        "gpt-6.2-sol",
        "gpt-6.2-astra",
        "mock-model",
        "<synthetic>",
        "",
        "  ",
        "whisper-1",
    ):
        assert book.quote(model, at=NOW) is None, model
        assert book.cost(model, "", Tokens(1), NOW) is None, model


def test_a_model_that_is_free_by_its_list_price_is_priced(book: Book):
    assert rates(book, "glm-4.7-flash") == [0, 0, 0, 0, 0]
    free = book.quote("glm-4.7-flash", at=NOW)
    assert free is not None
    assert not free.local


def test_local_models_cost_nothing_because_they_are_local(book: Book):
    for model, provider in (("qwen3:30b", "ollama"), ("ollama/qwen3", ""), ("x", "LM-Studio")):
        quote = book.quote(model, provider, at=NOW)
        assert quote is not None
        assert quote.local
        assert quote.rates == Rates(0, 0, 0, 0, 0)
        assert book.cost(model, provider, Tokens(10**6, output=10**6), NOW) == 0
    assert book.quote("qwen3:30b", at=NOW) is None
    assert book.quote("kimi-k3:cloud", "ollama", at=NOW) is None
    assert book.quote("gpt-oss:120b-cloud", "ollama", at=NOW) is None
    priced = book.quote("claude-opus-5-5", at=NOW)
    assert priced is not None
    assert not priced.local


RULES = [
    ("claude-opus-5-5", "", CacheRule(300_000, 3_600_000, "refresh", "request")),
    ("claude-opus-5-5", "vertex", CacheRule(300_000, 3_600_000, "refresh", "request")),
    ("us.anthropic.claude-opus-5-5", "", CacheRule(300_000, 3_600_000, "refresh", "request")),
    ("gpt-6.1-sol", "", CacheRule(1_800_000, 43_200_000, "minimum", "request")),
    ("gpt-5.5", "", CacheRule(None, None, "unknown", "request")),
    ("gpt-5.2", "", CacheRule(None, None, "unknown", "request")),
    ("deepseek-v4-pro", "", CacheRule(None, None, "evict", "request")),
    ("gemini-4-argon", "", CacheRule(None, None, "unknown", "request")),
    ("kimi-k3", "", CacheRule(300_000, 3_600_000, "unknown", "request")),
    ("qwen3", "ollama", CacheRule(300_000, None, "refresh", "response")),
    ("qwen3", "lmstudio", CacheRule(3_600_000, None, "refresh", "request")),
    ("qwen3", "llama.cpp", CacheRule(None, None, "evict", "request")),
]


@pytest.mark.parametrize(("model", "provider", "wanted"), RULES)
def test_cache_rules(book: Book, model: str, provider: str, wanted: CacheRule):
    quote = book.quote(model, provider, at=NOW)
    assert quote is not None
    assert quote.cache == wanted


def test_the_source_is_told(book: Book):
    sources = {
        model: quote.source
        for model in ("claude-opus-5-5", "gpt-6.1-sol", "deepseek-v4-pro")
        if (quote := book.quote(model, at=NOW))
    }
    assert sources == {
        "claude-opus-5-5": "base",
        "gpt-6.1-sol": "overlay",
        "deepseek-v4-pro": "overlay",
    }


def test_many_ids_do_not_grow_the_book_without_end():
    book = Book.load()
    for number in range(10_000):
        book.quote(f"model-{number}", at=NOW)
    assert len(book._answers) <= 4096
    assert rates(book, "claude-opus-5-5") == [4, 5, 8, 0.2, 20]
