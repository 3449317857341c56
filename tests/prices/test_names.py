"""Ids as transcripts and proxies write them resolve; anything else stays unknown."""

import msgspec
import pytest

from cockpit.prices import base
from cockpit.prices.book import Book
from cockpit.prices.names import Names

NOW = 1_795_348_800_000  # 2026-11-22

SAME = [
    ("claude-sonnet-4-5-20250929", "", "anthropic", "claude-sonnet-4-5"),
    ("claude-opus-4-5-20251101", "anthropic", "anthropic", "claude-opus-4-5"),
    ("Claude-Opus-5-5", "Anthropic", "anthropic", "claude-opus-5-5"),
    ("claude-opus-4.8", "", "anthropic", "claude-opus-4-8"),
    ("claude-opus-5-5[1m]", "", "anthropic", "claude-opus-5-5"),
    ("claude-sonnet-4-5-20250929[1m]", "anthropic", "anthropic", "claude-sonnet-4-5"),
    ("anthropic/claude-opus-4-5", "", "anthropic", "claude-opus-4-5"),
    ("anthropic/claude-haiku-4.5", "", "anthropic", "claude-haiku-4-5"),
    ("anthropic/claude-opus-4-5", "anthropic", "anthropic", "claude-opus-4-5"),
    ("litellm/anthropic/claude-opus-4-5", "", "anthropic", "claude-opus-4-5"),
    ("claude-3-5-sonnet-20241022", "", "anthropic", "claude-3-5-sonnet"),
    (
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic",
        "aws",
        "regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock",
        "aws",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    (
        "arn:aws:bedrock:eu-west-1:123:inference-profile/eu.anthropic.claude-opus-5-5-v1:0",
        "",
        "aws",
        "regional.anthropic.claude-opus-5-5",
    ),
    ("bedrock/us.anthropic.claude-opus-5-5", "", "aws", "regional.anthropic.claude-opus-5-5"),
    ("openai.gpt-5.5", "", "aws", "openai.gpt-5.5"),
    ("claude-opus-4-5@20251101", "vertex", "google", "claude-opus-4-5"),
    ("vertex_ai/claude-opus-4-6@default", "", "google", "claude-opus-4-6"),
    ("openrouter/anthropic/claude-opus-5.5", "", "openrouter", "anthropic/claude-opus-5.5"),
    ("anthropic/claude-opus-5.5", "openrouter", "openrouter", "anthropic/claude-opus-5.5"),
    ("models/gemini-3.8-flash", "", "google", "gemini-3.8-flash"),
    ("models/gemini-3.8-flash", "gemini", "google", "gemini-3.8-flash"),
    ("publishers/google/models/gemini-2.5-pro", "", "google", "gemini-2.5-pro"),
    ("google/gemini-2.5-flash", "", "google", "gemini-2.5-flash"),
    ("gpt-5.2-codex", "", "openai", "gpt-5.2"),
    ("gpt-5.1-codex-max", "openai", "openai", "gpt-5.1"),
    ("gpt-5.3-codex-2026-02-05", "", "openai", "gpt-5.3-codex"),
    ("gpt-5.2-20251211", "", "openai", "gpt-5.2"),
    ("openai/gpt-5.4-nano", "", "openai", "gpt-5.4-nano"),
    ("azure/gpt-5.2", "", "azure", "gpt-5.2"),
    ("gpt-4o-2024-05-13", "", "openai", "gpt-4o-2024-05-13"),
    ("gpt-4o-20240513", "", "openai", "gpt-4o-2024-05-13"),  # a snapshot with its own price
    ("xai/grok-4.7", "", "x-ai", "grok-4.7"),
    ("glm-5.3", "", "zai", "GLM-5.3"),
    ("glm-5.3", "zhipuai", "zhipuai", "GLM-5.3"),
    ("z-ai/glm-5.3", "", "zai", "GLM-5.3"),
    ("accounts/fireworks/models/kimi-k2p5", "", "fireworks", "kimi-k2p5"),
    ("composer-2.5[fast=true]", "cursor", "cursor", "composer-2.5-fast"),
]


@pytest.mark.parametrize(("model", "provider", "seller", "meant"), SAME)
def test_dressed_ids_mean_the_model(book: Book, model: str, provider: str, seller: str, meant: str):
    quote = book.quote(model, provider, at=NOW)
    assert quote is not None
    assert (quote.provider, quote.model) == (seller, meant)
    assert not quote.assumed


UNKNOWN = [
    "claude-sonnet-4-5-turbo",
    "claude-opus-4-6-fast",
    "claude-opus-4-65",
    "claude-haiku-4-5-mini-20260101",
    "claude-opus-6",
    "claude-opus-5-6",
    "claude-sonet-4-5",
    "claude",
    "sonnet",
    "my-claude-opus-5-5",
    "not.anthropic.claude-opus-5-5x",
    "gpt-5.2-codex-spark",
    "gpt-5.3-codex-spark",
    "gpt-6.2-sol",
    "gpt-6.1-sol-pro",
    "gpt-6.1",
    "gpt-5.20",
    "gpt-5.2-codex[1m]",
    "gemini-3.7-flash-lite",
    "gemini-2.5-pro-ultra",
    "gemini-2.5-pro-preview-tts-2",
    "openrouter/anthropic/claude-opus-99",
    "models/claude-unknown",
    "grok-4-fast-turbo",
    "kimi-k3-nano",
    "deepseek-v4-prodigy",
    "deepseek-v4-pro-max",
    "meta-llama/Llama-3.3-70B-Instruct",
    "openai/gpt-oss-120b",
    "qwen3-coder-plus",
    "llama3",
    "x" * 5000,
    "claude-opus-5-5\n",
    "claude opus 5-5",
]


@pytest.mark.parametrize("model", UNKNOWN)
def test_unknown_variants_stay_unpriced(book: Book, model: str):
    quote = book.quote(model, at=NOW)
    trimmed = model != model.strip()
    assert (quote is not None) is trimmed


def test_the_ending_names_the_window(book: Book):
    plain = book.quote("claude-sonnet-4-5", at=NOW)
    wide = book.quote("claude-sonnet-4-5[1m]", at=NOW)
    assert plain is not None
    assert wide is not None
    assert (plain.window, wide.window) == (200_000, 1_000_000)
    assert plain.rates == wide.rates


def test_an_unknown_provider_is_told_apart(book: Book):
    quote = book.quote("claude-opus-5-5", "my-gateway", at=NOW)
    assert quote is not None
    assert quote.assumed
    assert quote.provider == "anthropic"
    assert book.quote("gpt-oss-120b", "my-gateway", at=NOW) is None


def test_a_named_provider_is_not_left_for_another(book: Book):
    assert book.quote("claude-opus-5-5", "deepseek", at=NOW) is None
    assert book.quote("gpt-5.2", "anthropic", at=NOW) is None


def test_what_stands_before_the_id_counts_too(book: Book):
    assert book.quote("claude-opus-5-5", "google", at=NOW) is not None
    assert book.quote("models/claude-opus-5-5", "google", at=NOW) is not None
    assert book.quote("un-claude-opus-5-5", "google", at=NOW) is None
    assert book.quote("unclaude-opus-5.5", "google", at=NOW) is None


def test_the_first_model_that_takes_an_id_has_it():
    def model(name: str, names: list[str], rules: list[base.Clause]) -> base.Model:
        return base.Model(name, names, rules, None, [])

    stored = [
        model("early rule", [], [base.Clause("^", "b-")]),
        model("exact", ["a-1", "b-1"], []),
        model("late rule", [], [base.Clause("^", "a-")]),
    ]
    provider = base.Provider("p", msgspec.Raw(msgspec.json.encode(stored)))
    names = Names(base.Base(base.FORMAT, "1", [provider]), [])
    meant = {
        text: found.model.id
        for text in ("a-1", "b-1", "a-2")
        if (found := names.find(text, "p")) and found.model
    }
    assert meant == {"a-1": "exact", "b-1": "early rule", "a-2": "late rule"}
