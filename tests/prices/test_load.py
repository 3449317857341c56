"""Loading is light, and a newer genai-prices is taken up."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cockpit.prices import base, snapshot
from cockpit.prices.book import CACHED, Book
from cockpit.prices.describe import describe

NOW = 1_795_348_800_000  # 2026-11-22


def made(version: str, dollars: int) -> bytes:
    """A table with one model of one provider."""
    model = base.Model(
        "claude-opus-5-5",
        ["claude-opus-5-5"],
        [],
        None,
        [base.Condition(base.Prices(dollars * 10**9, dollars * 10**9))],
    )
    provider = base.Provider(
        "anthropic", msgspec.Raw(msgspec.json.encode([model])), base.Clause("*", "claude")
    )
    return msgspec.json.encode(base.Base(base.FORMAT, version, [provider]))


def price(book: Book) -> int:
    quote = book.quote("claude-opus-5-5", "anthropic", at=NOW)
    assert quote is not None
    return quote.rates.input


def test_a_newer_table_in_the_cache_wins_and_an_older_one_does_not(tmp_path: Path):
    (tmp_path / CACHED).write_bytes(made("99.0.1", 7))
    newer = Book.load(cache_dir=tmp_path)
    assert (newer.genai_prices, price(newer)) == ("99.0.1", 7 * 10**9)
    assert newer.fingerprint != Book.load().fingerprint
    (tmp_path / CACHED).write_bytes(made("0.0.1", 7))
    assert price(Book.load(cache_dir=tmp_path)) == 4 * 10**9


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"\xff" * 100, made("99.0.1", 7)[:-20], b'{"format":1,"genai_prices":"99"}'],
)
def test_a_damaged_cache_is_passed_over(tmp_path: Path, damage: bytes):
    (tmp_path / CACHED).write_bytes(damage)
    assert price(Book.load(cache_dir=tmp_path)) == 4 * 10**9


def test_a_cache_of_another_format_is_passed_over(tmp_path: Path):
    table = json.loads(made("99.0.1", 7)) | {"format": base.FORMAT + 1}
    (tmp_path / CACHED).write_text(json.dumps(table))
    assert price(Book.load(cache_dir=tmp_path)) == 4 * 10**9


def test_refresh_writes_only_what_is_newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shipped = tmp_path / "base.json"
    shipped.write_bytes(made("0.0.1", 1))
    monkeypatch.setattr(base, "SHIPPED", shipped)
    cache = tmp_path / "cache"
    written = snapshot.refresh(cache)
    assert written == cache / CACHED
    assert written.read_bytes() == snapshot.compile_installed()
    assert [path.name for path in cache.iterdir()] == [CACHED]
    assert written.stat().st_mode & 0o777 == 0o600
    assert snapshot.refresh(cache) is None
    monkeypatch.undo()
    assert snapshot.refresh(tmp_path / "other") is None


def test_versions_compare_as_numbers():
    assert base.parse_version("0.2.10") > base.parse_version("0.2.9")
    assert base.parse_version("1.0rc1") == (1,)
    assert base.version(b"nonsense") == ()


def test_asking_for_prices_loads_nothing_heavy():
    code = """
import sys
from cockpit.prices.book import Book
from cockpit.prices.describe import describe
assert describe(Book.load(), "claude-opus-5-5", 1795348800000)["priced"]
heavy = {"genai_prices", "pydantic", "httpx", "httpx2", "textual", "difflib", "cockpit.prices.snapshot"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_asked_providers_are_decoded():
    book = Book.load()
    book.quote("claude-opus-5-5", "anthropic", at=NOW)
    assert list(book._names._models) == ["anthropic"]


def test_describe_is_ready_for_json(book: Book):
    said = describe(book, "gpt-6-astra", NOW, prompt=300_000, tier="flex", geo="eu")
    assert json.loads(json.dumps(said)) == said
    assert said == {
        "model": "gpt-6-astra",
        "priced": True,
        "genai_prices": book.genai_prices,
        "canonical": "gpt-6-astra",
        "provider": "openai",
        "local": False,
        "assumed": False,
        "usd_per_mtok": {
            "input": "11.00",
            "cache_write_5m": "13.75",
            "cache_write_1h": "27.50",
            "cache_read": "1.10",
            "output": "41.25",
        },
        "usd_per_1000_searches": "10.00",
        "window": 1_050_000,
        "cache": {"ttl_s": 1800, "long_ttl_s": 43200, "policy": "minimum", "clock": "request"},
        "source": "overlay",
        "conditions": ["prompt above 272000 tokens", "tier flex", "geo eu x1.1"],
    }


def test_describe_says_when_a_condition_holds(book: Book):
    monday_peak = 1_795_395_600_000  # 2026-11-23 01:00
    said = describe(book, "deepseek-v4-pro", monday_peak)
    assert said["conditions"] == ["01:00-04:00 UTC mon+tue+wed+thu+fri"]
    assert describe(book, "gemini-4-argon", 1_796_083_200_000)["conditions"] == ["since 2026-12-01"]


def test_describe_of_the_unknown(book: Book):
    said = describe(book, "gpt-6.2-sol", NOW)
    assert said == {"model": "gpt-6.2-sol", "priced": False, "genai_prices": book.genai_prices}
