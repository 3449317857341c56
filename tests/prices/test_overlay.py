"""The user's own prices win, and a mistake in them is told with its place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cockpit.core.price import CacheRule
from cockpit.core.tokens import Tokens
from cockpit.prices import overlay
from cockpit.prices.book import Book
from cockpit.prices.entry import Quote
from cockpit.prices.overlay import OverlayError

NOW = 1_795_348_800_000  # 2026-11-22
DOLLAR = 10**9


def booked(tmp_path: Path, text: str) -> Book:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    return Book.load(path)


def quoted(book: Book, model: str, provider: str = "", at: int = NOW, **how) -> Quote:
    quote = book.quote(model, provider, at=at, **how)
    assert quote is not None
    return quote


def test_a_new_model_gets_a_price(tmp_path: Path):
    book = booked(
        tmp_path,
        """
        [[model]]
        provider = "openai"
        names = ["gpt-6.2-sol"]
        input = 3
        output = "12.5"
        cache_read = 0.15
        window = 1_050_000
        above = [{tokens = 272_000, input = 6, output = 18.75}]
        """,
    )
    quote = quoted(book, "gpt-6.2-sol")
    assert (quote.source, quote.provider, quote.window) == ("user", "openai", 1_050_000)
    assert (quote.rates.input, quote.rates.output) == (3 * DOLLAR, 12_500_000_000)
    assert quote.rates.cache_read == 150_000_000
    assert quote.rates.cache_write_5m == quote.rates.cache_write_1h == 3 * DOLLAR
    assert quote.cache == CacheRule(1_800_000, 43_200_000, "minimum", "request")
    dear = quoted(book, "gpt-6.2-sol", prompt=272_001).rates
    assert (dear.input, dear.cache_read, dear.output) == (6 * DOLLAR, 150_000_000, 18_750_000_000)
    assert quoted(book, "openai/GPT-6.2-Sol", "openai").source == "user"
    assert book.quote("gpt-6.2-astra", at=NOW) is None
    assert book.quote("gpt-6.2-sol", "anthropic", at=NOW) is None


def test_a_model_of_any_provider(tmp_path: Path):
    book = booked(tmp_path, '[[model]]\nnames = ["house-model"]\ninput = 1\noutput = 2\n')
    for provider in ("", "my-gateway", "openai"):
        assert book.cost("house-model", provider, Tokens(10**6, output=10**6), NOW) == 3 * DOLLAR


def test_own_prices_win_and_the_rest_stays(tmp_path: Path):
    book = booked(
        tmp_path,
        '[[model]]\nprovider = "anthropic"\nnames = ["claude-opus-5-5"]\ninput = 3\nwindow = 400000\n',
    )
    quote = quoted(book, "claude-opus-5-5")
    assert (quote.source, quote.window) == ("user", 400_000)
    assert (quote.rates.input, quote.rates.output) == (3 * DOLLAR, 20 * DOLLAR)
    assert quoted(book, "claude-opus-5-5", tier="batch").rates.input == 1_500_000_000
    assert quoted(book, "claude-opus-5").source == "base"


def test_a_price_from_a_day_on(tmp_path: Path):
    book = booked(
        tmp_path,
        '[[model]]\nprovider = "openai"\nnames = ["gpt-6.1-sol"]\ninput = 1\nsince = 2026-12-24\n',
    )
    christmas = int(datetime(2026, 12, 24, tzinfo=UTC).timestamp()) * 1000
    assert quoted(book, "gpt-6.1-sol", at=christmas - 1).rates.input == 2 * DOLLAR
    after = quoted(book, "gpt-6.1-sol", at=christmas).rates
    assert (after.input, after.cache_write_1h) == (DOLLAR, 2_500_000_000)


def test_own_long_write_price_beats_our_factor(tmp_path: Path):
    book = booked(
        tmp_path,
        '[[model]]\nprovider = "openai"\nnames = ["gpt-6.1-*"]\ncache_write_1h = 9\n',
    )
    assert quoted(book, "gpt-6.1-sol").rates.cache_write_1h == 9 * DOLLAR
    assert quoted(book, "gpt-6-sol").rates.cache_write_1h == 5 * DOLLAR


def test_own_names_places_tiers_and_lifetimes(tmp_path: Path):
    book = booked(
        tmp_path,
        """
        [[provider]]
        id = "anthropic"
        aliases = ["corp-proxy"]
        [[provider]]
        id = "rack"
        local = true
        [[tier]]
        provider = "anthropic"
        tier = "corp"
        factor = 0.8
        [[tier]]
        provider = "anthropic"
        names = ["claude-3*"]
        tier = "batch"
        factor = 0.25
        [[geo]]
        provider = "anthropic"
        geo = ["us"]
        factor = 1.5
        [[cache]]
        provider = "anthropic"
        ttl_s = 60
        policy = "minimum"
        clock = "response"
        [[suffix]]
        text = "-corp"
        window = 123
        """,
    )
    quote = quoted(book, "claude-opus-5-5-corp", "corp-proxy", tier="corp", geo="us")
    assert not quote.assumed
    assert quote.rates.input == 4_800_000_000  # 4 x 0.8 x 1.5
    assert quote.cache == CacheRule(60_000, None, "minimum", "response")
    assert quote.window == 123
    assert quoted(book, "anything", "rack").local
    assert quoted(book, "claude-3-opus-20240229", tier="batch").rates.input == 3_750_000_000


def test_a_price_can_be_taken_away(tmp_path: Path):
    book = booked(tmp_path, '[[model]]\nnames = ["claude-opus-*"]\nunpriced = true\n')
    assert book.quote("claude-opus-5-5", at=NOW) is None
    assert quoted(book, "claude-sonnet-5-5").source == "base"
    assert Book.load().quote("gpt-oss-120b", "openai", at=NOW) is None


MISTAKES = [
    ('[[model]]\nnames = ["x"]\n\n[[model]]\nnames = ["y"]\ninptu = 3\n', 6, "inptu", "input"),
    ('[[modle]]\nnames = ["x"]\n', 1, "modle", "model"),
    ('[[model]]\nnames = ["x"]\nabove = [{tokens = 3, imput = 2}]\n', 3, "imput", "input"),
    ('# hi\n[[cache]]\nprovider = "x"\nttl = 5\n', 4, "ttl", "ttl_s"),
    ('[[geo]]\nprovider = "x"\ngeos = ["us"]\nfactor = 1\n', 3, "geos", "geo"),
    ('[[provider]]\nid = "x"\nalias = ["y"]\n', 3, "alias", "aliases"),
]


@pytest.mark.parametrize(("text", "line", "key", "nearest"), MISTAKES)
def test_an_unknown_key_is_refused_with_its_place(
    tmp_path: Path, text: str, line: int, key: str, nearest: str
):
    with pytest.raises(OverlayError) as refused:
        booked(tmp_path, text)
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'prices.toml'}:{line}: ")
    assert repr(key) in said
    assert f"did you mean {nearest!r}?" in said


VALUES = [
    ('[[model]]\nnames = ["x"]\ninput = "cheap"\n', ":3: input: "),
    ('[[model]]\nnames = ["x"]\ninput = -1\n', ": input in [[model]] number 1"),
    ('[[model]]\nnames = ["x"]\ninput = nan\n', ": input"),
    ('[[model]]\nnames = ["x"]\nwindow = 0\n', ": window in [[model]] number 1"),
    ('[[model]]\nnames = "x"\n', ":2: names: "),
    ("[[model]]\ninput = 1\n", ":1: model: Object missing required field `names`"),
    ('[[cache]]\nprovider = "x"\npolicy = "forever"\n', ":3: policy: Invalid enum value"),
    ('[[weekdays]]\nprovider = "x"\nnames = ["y"]\ndays = ["funday"]\n', ":4: days: "),
    ('[[tier]]\nprovider = "x"\ntier = "y"\nfactor = -2\n', ": factor in [[tier]] number 1"),
    ("[[model]\n", "line 1"),
    ("a = \xff", ""),
]


@pytest.mark.parametrize(("text", "said"), VALUES)
def test_a_bad_value_is_refused(text: str, said: str):
    with pytest.raises(OverlayError) as refused:
        overlay.parse(text.encode("latin-1"), Path("prices.toml"))
    assert "prices.toml" in str(refused.value)
    assert said in str(refused.value)


def test_a_provider_nobody_knows_is_refused(tmp_path: Path):
    with pytest.raises(OverlayError) as refused:
        booked(tmp_path, '[[tier]]\nprovider = "antropic"\ntier = "batch"\nfactor = 1\n')
    said = str(refused.value)
    assert "provider in [[tier]] number 1: 'antropic' is unknown" in said
    assert "did you mean 'anthropic'?" in said


def test_a_provider_may_be_called_by_any_of_its_names(tmp_path: Path):
    rule = '[[model]]\nprovider = "Vertex"\nnames = ["gemini-4-argon"]\ninput = 1\n'
    assert quoted(booked(tmp_path, rule), "gemini-4-argon").rates.input == DOLLAR


def test_an_id_with_brackets_is_no_pattern(tmp_path: Path):
    rule = '[[model]]\nprovider = "cursor"\nnames = ["composer-2.5[fast=true]"]\ninput = 1\n'
    book = booked(tmp_path, rule)
    assert quoted(book, "composer-2.5[fast=true]", "cursor").source == "user"
    assert quoted(book, "composer-2.5", "cursor").source == "base"


def test_a_local_model_may_be_given_a_price(tmp_path: Path):
    book = booked(
        tmp_path, '[[model]]\nprovider = "ollama"\nnames = ["big:*"]\ninput = 0.1\noutput = 0.2\n'
    )
    dear = quoted(book, "big:70b", "ollama")
    assert (dear.local, dear.source, dear.rates.output) == (True, "user", 200_000_000)
    assert quoted(book, "small:1b", "ollama").rates.output == 0


def test_no_file_is_no_overlay(tmp_path: Path):
    assert Book.load(tmp_path / "none.toml").fingerprint == Book.load().fingerprint


def test_the_fingerprint_follows_the_prices(tmp_path: Path):
    plain = Book.load().fingerprint
    first = booked(tmp_path, '[[model]]\nnames = ["x"]\ninput = 1\noutput = 2\n').fingerprint
    second = booked(tmp_path, '[[model]]\nnames = ["x"]\ninput = 1\noutput = 3\n').fingerprint
    assert len({plain, first, second}) == 3
    assert Book.load().fingerprint == plain


def test_every_pattern_of_ours_means_something(book: Book):
    """A correction of a model that the table no longer has is dead weight, or a typing error."""
    from fnmatch import fnmatchcase

    from cockpit.prices import base

    table = base.decode(base.SHIPPED.read_bytes())
    ids = {p.id: [model.id.lower() for model in base.models(p)] for p in table.providers}
    ours = overlay.parse(overlay.SHIPPED.read_bytes(), overlay.SHIPPED)
    corrections = [rule for rule in ours.model if rule.input is None]
    for rule in (*corrections, *ours.weekdays, *ours.tier, *ours.geo, *ours.cache):
        for pattern in rule.names:
            known = ids.get(rule.provider, [""])
            assert any(fnmatchcase(name, pattern.lower()) for name in known), (rule, pattern)
