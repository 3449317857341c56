"""What we compile says what genai-prices says, for every model it can speak of."""

import random
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage, data_snapshot, types
from genai_prices.data import providers

from cockpit.core.price import cost
from cockpit.core.tokens import Tokens
from cockpit.prices import base, snapshot
from cockpit.prices.entry import Draft, Entry
from cockpit.prices.names import Found, Names

TABLE = base.decode(snapshot.compile_installed())
STORED = {provider.id: base.models(provider) for provider in TABLE.providers}
ROUNDING = 3
"""Nano-dollars: half a nano for the call, and for rates that are thirds of a cent."""


def priced(provider: types.Provider) -> list[tuple[types.ModelInfo, base.Model]]:
    pairs = zip(provider.models, STORED[provider.id], strict=True)
    return [(theirs, ours) for theirs, ours in pairs if snapshot.expressible(theirs)]


def moments(model: types.ModelInfo, chance: random.Random) -> list[datetime]:
    """Random moments, and both sides of every border the model has."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    found = [start + timedelta(minutes=chance.randrange(3 * 365 * 1440)) for _ in range(2)]
    conditions = model.prices if isinstance(model.prices, list) else []
    for item in (*conditions, *(model.price_variants or ())):
        match item.constraint:
            case types.StartDateConstraint(start_date=day):
                border = datetime.combine(day, time(), UTC)
            case types.TimeOfDateConstraint(start_time=begin):
                border = datetime.combine(found[0], begin)
            case None:
                continue
        found += [border, border - timedelta(seconds=1)]
    return found


def prompts(ours: base.Model, chance: random.Random) -> list[int]:
    """Prompt sizes on both sides of every tier, and one at random."""
    starts = Entry(Draft(Found("", ours.id, ours), "", "", ()))._thresholds
    return [chance.randrange(4, 2_000_000), *(n for start in starts for n in (start, start + 1))]


def split(prompt: int, output: int, chance: random.Random) -> Tokens:
    cuts = sorted(chance.randrange(prompt + 1) for _ in range(3))
    read, short, long = cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]
    return Tokens(prompt - cuts[2], short, long, read, output)


def usage(tokens: Tokens) -> Usage:
    return Usage(
        input_tokens=tokens.prompt,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write_5m + tokens.cache_write_1h,
        cache_write_1h_tokens=tokens.cache_write_1h,
        output_tokens=tokens.output,
    )


def theirs_nano(
    model: types.ModelInfo,
    provider: types.Provider,
    tokens: Tokens,
    at: datetime,
    context: dict[str, str] | None = None,
) -> Decimal:
    price = model.calc_price(
        usage(tokens), provider, genai_request_timestamp=at, price_context=context
    )
    return price.total_price * 10**9


def ours_nano(
    provider: str, model: base.Model, tokens: Tokens, at: datetime, tier: str = ""
) -> int | None:
    entry = Entry(Draft(Found(provider, model.id, model), tier, "", ()))
    quote = entry.quote(int(at.timestamp()) * 1000, tokens.prompt)
    return None if quote is None else cost(tokens, quote.rates)


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_standard_prices_agree(provider: types.Provider):
    chance = random.Random(provider.id)
    for theirs, ours in priced(provider):
        for at in moments(theirs, chance):
            for prompt in prompts(ours, chance):
                tokens = split(prompt, chance.randrange(200_000), chance)
                got = ours_nano(provider.id, ours, tokens, at)
                assert got is not None, ours.id
                wanted = theirs_nano(theirs, provider, tokens, at)
                assert abs(got - wanted) <= ROUNDING, (ours.id, at, tokens)


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_tiers_agree_where_they_have_a_price(provider: types.Provider):
    chance = random.Random(provider.id)
    for theirs, ours in priced(provider):
        for variant in theirs.price_variants or ():
            (pair,) = variant.when.items()
            tier = snapshot._TIERS.get(pair)
            if tier is None:
                continue
            at = moments(theirs, chance)[-1] + timedelta(days=500)
            tokens = split(chance.randrange(4, 2_000_000), chance.randrange(200_000), chance)
            got = ours_nano(provider.id, ours, tokens, at, tier)
            assert got is not None, (ours.id, tier)
            wanted = theirs_nano(theirs, provider, tokens, at, variant.when)
            assert abs(got - wanted) <= ROUNDING, (ours.id, tier)


def test_a_tier_before_its_price_began_is_not_the_standard_price():
    provider = next(item for item in providers if item.id == "anthropic")
    ours = next(model for model in STORED["anthropic"] if model.id == "claude-opus-5-5")
    early = datetime(2026, 10, 13, tzinfo=UTC)
    assert ours_nano(provider.id, ours, Tokens(1000), early, "batch") is None


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_every_listed_name_means_the_same_model(provider: types.Provider):
    names = Names(TABLE, [])
    for ours in STORED[provider.id]:
        for name in ours.names:
            found = names.find(name, provider.id)
            _, wanted = data_snapshot.get_snapshot().find_provider_model(
                name, None, provider.id, None
            )
            assert found is not None, name
            assert found.model is not None, name
            assert found.model.id == wanted.id, name


def test_only_models_that_tokens_do_not_price_are_left_without_one():
    unpriced = {
        (provider.id, model.id)
        for provider in providers
        for model in provider.models
        if not snapshot.expressible(model)
    }
    stored = {
        (provider, model.id)
        for provider, models in STORED.items()
        for model in models
        if not model.conditions
    }
    assert stored == unpriced
    assert ("openai", "whisper-1") in unpriced
    assert ("perplexity", "sonar-pro") in unpriced
    assert not {name for provider, name in unpriced if provider == "anthropic"}


def test_the_shipped_table_is_what_its_package_compiles_to():
    shipped = base.SHIPPED.read_bytes()
    if TABLE.genai_prices != base.decode(shipped).genai_prices:
        pytest.skip("another genai-prices is installed than the table was compiled from")
    assert snapshot.compile_installed() == shipped
