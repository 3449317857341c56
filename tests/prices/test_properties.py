"""What must hold for every model, prompt and moment."""

from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.tokens import Tokens
from cockpit.prices import base
from cockpit.prices.book import Book

BOOK = Book.load()
TABLE = base.decode(base.SHIPPED.read_bytes())
MODELS = sorted(
    (provider.id, name)
    for provider in TABLE.providers
    if provider.id in ("anthropic", "openai", "google", "deepseek", "moonshotai", "zai")
    for model in base.models(provider)
    for name in model.names[:1]
    if BOOK.quote(name, provider.id, at=1_795_348_800_000)
)
COUNT = st.integers(0, 3_000_000)
CALL = st.builds(Tokens, COUNT, COUNT, COUNT, COUNT, COUNT)
MOMENT = st.integers(1_700_000_000_000, 1_900_000_000_000)


@given(st.sampled_from(MODELS), CALL, CALL, MOMENT)
def test_rates_add_up(which: tuple[str, str], first: Tokens, second: Tokens, at: int):
    """Two calls cost what one of both sizes would at the same rates, but for one rounding each."""
    from cockpit.core.price import cost

    provider, model = which
    quote = BOOK.quote(model, provider, at=at, prompt=first.prompt)
    assert quote is not None
    apart = cost(first, quote.rates) + cost(second, quote.rates)
    assert abs(apart - cost(first + second, quote.rates)) <= 1


@given(st.sampled_from(MODELS), CALL, CALL, MOMENT)
def test_more_tokens_never_cost_less(which: tuple[str, str], call: Tokens, more: Tokens, at: int):
    provider, model = which
    less = BOOK.cost(model, provider, call, at)
    greater = BOOK.cost(model, provider, call + more, at)
    assert type(less) is int
    assert type(greater) is int
    assert 0 <= less <= greater


@given(st.sampled_from(MODELS), CALL, MOMENT)
def test_a_fresh_book_says_the_same(which: tuple[str, str], call: Tokens, at: int):
    """Answers do not depend on what was asked before."""
    provider, model = which
    warm = BOOK.quote(model, provider, at=at, prompt=call.prompt)
    cold = Book(*BOOK._data).quote(model, provider, at=at, prompt=call.prompt)
    assert warm == cold


@given(st.text(max_size=300), st.text(max_size=20), MOMENT)
def test_any_text_is_answered(model: str, provider: str, at: int):
    quote = BOOK.quote(model, provider, at=at, prompt=10, tier=provider, geo=model)
    assert quote is None or quote.local or quote.rates.output > 0


@given(st.sampled_from(MODELS), st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6))
def test_a_word_more_is_another_model(which: tuple[str, str], word: str):
    """Appending a word never yields the price of the shorter id unless the table lists it."""
    provider, model = which
    quote = BOOK.quote(f"{model}-{word}", provider, at=1_795_348_800_000)
    if quote is not None and word not in ("latest", "preview", "default"):
        listed = next(item for item in TABLE.providers if item.id == provider)
        found = next(item for item in base.models(listed) if item.id == quote.model)
        told = [rule.text for rule in found.rules if rule.text.endswith("-")]
        assert f"{model}-{word}" in found.names or any(
            f"{model}-".startswith(text) for text in told
        )
