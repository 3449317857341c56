"""Compiles the installed genai-prices into our own small table.

`python -m cockpit.prices.snapshot` writes the table shipped with the package. Only this module
imports genai-prices, which costs 200 ms and 30 MB.
"""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cockpit.core.money import NANO
from cockpit.prices import base
from cockpit.prices.book import CACHED

if TYPE_CHECKING:
    from genai_prices import types

_FIELDS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "web_searches_kcount": "search",
}
# Prices that the five token classes cannot express: a model that has one stays unpriced, because
# a price that is sometimes wrong is worse than none.
_INEXPRESSIBLE = {"requests_kcount", "output_reasoning_mtok", "output_citation_mtok"}
_TIERS = {
    ("processing", "batch"): "batch",
    ("service_tier", "flex"): "flex",
    ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast",
    ("speed", "fast"): "fast",
}


def nano(dollars: Decimal) -> int:
    """Nano-dollars, half up: a few list prices are thirds of a cent with float dust."""
    return int((dollars * NANO).to_integral_value(ROUND_HALF_UP))


def _price(value: "Decimal | types.TieredPrices") -> base.Price:
    if isinstance(value, Decimal):
        return nano(value)
    steps = [number for tier in value.tiers for number in (tier.start, nano(tier.price))]
    return [nano(value.base), *steps]


def _prices(source: "types.ModelPrice") -> base.Prices:
    found = {key: value for key, value in vars(source).items() if value is not None}
    return base.Prices(
        **{_FIELDS[key]: _price(value) for key, value in found.items() if key in _FIELDS}
    )


def _minute(value: time) -> int:
    moment = value.replace(tzinfo=value.tzinfo or UTC)
    utc = datetime.combine(datetime(1970, 1, 2, tzinfo=UTC), moment).astimezone(UTC)
    return utc.hour * 60 + utc.minute


def _constraint(
    source: "types.StartDateConstraint | types.TimeOfDateConstraint | None",
) -> base.Constraint:
    from genai_prices import types

    match source:
        case None:
            return base.ALWAYS
        case types.StartDateConstraint(start_date=day):
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            return base.Constraint(since=int(moment.timestamp()) * 1000)
        case types.TimeOfDateConstraint(start_time=start, end_time=end):
            return base.Constraint(start=_minute(start), end=_minute(end))


def _clause(source: "types.MatchLogic") -> base.Clause:
    from genai_prices import types

    match source:
        case types.ClauseStartsWith(starts_with=text):
            return base.Clause("^", text.lower())
        case types.ClauseEndsWith(ends_with=text):
            return base.Clause("$", text.lower())
        case types.ClauseContains(contains=text):
            return base.Clause("*", text.lower())
        case types.ClauseEquals(equals=text):
            return base.Clause("=", text.lower())
        case types.ClauseRegex(regex=text):
            return base.Clause("~", text)
        case types.ClauseOr(or_=parts):
            return base.Clause("|", "", [_clause(part) for part in parts])
        case types.ClauseAnd(and_=parts):
            return base.Clause("&", "", [_clause(part) for part in parts])


def _conditions(model: "types.ModelInfo") -> list["types.ConditionalPrice"]:
    from genai_prices import types

    if isinstance(model.prices, types.ModelPrice):
        return [types.ConditionalPrice(prices=model.prices)]
    return model.prices


def expressible(model: "types.ModelInfo") -> bool:
    """Whether input and output tokens decide the price, or the model is free by its name."""
    for condition in _conditions(model):
        keys = {key for key, value in vars(condition.prices).items() if value is not None}
        free = not keys and model.id.endswith(":free")
        if keys & _INEXPRESSIBLE or not (free or {"input_mtok", "output_mtok"} <= keys):
            return False
    return True


def _variants(model: "types.ModelInfo") -> Iterator[base.Variant]:
    for variant in model.price_variants or ():
        tier = _TIERS.get(next(iter(variant.when.items()))) if len(variant.when) == 1 else None
        if tier is not None:
            yield base.Variant(tier, _prices(variant.prices), _constraint(variant.constraint))


def _standard(prices: base.Prices, name: str) -> base.Prices:
    return base.Prices(input=0, output=0) if name.endswith(":free") else prices


def compiled_model(model: "types.ModelInfo") -> base.Model:
    """One model of genai-prices in our shape; without any price where tokens do not decide it.

    Such a model stays in the table, or a looser rule of another one could catch its ids.
    """
    clause = _clause(model.match)
    parts = clause.parts if clause.op == "|" else [clause]
    return base.Model(
        id=model.id,
        names=[part.text for part in parts if part.op == "="],
        rules=[part for part in parts if part.op != "="],
        window=model.context_window,
        conditions=[
            base.Condition(_standard(_prices(item.prices), model.id), _constraint(item.constraint))
            for item in _conditions(model)
            if expressible(model)
        ],
        variants=list(_variants(model)),
    )


def _provider(provider: "types.Provider") -> base.Provider:
    return base.Provider(
        id=provider.id,
        models=msgspec.Raw(
            msgspec.json.encode([compiled_model(model) for model in provider.models])
        ),
        claims=_clause(provider.model_match) if provider.model_match else None,
        fallback=provider.fallback_model_providers or [],
    )


def compile_installed() -> bytes:
    """The table of the genai-prices that is installed, as JSON with one provider a line."""
    from genai_prices.data import providers

    head = msgspec.json.encode(installed_version("genai-prices")).decode()
    rows = ",\n".join(msgspec.json.encode(_provider(item)).decode() for item in providers)
    text = f'{{"format":{base.FORMAT},"genai_prices":{head},"providers":[\n{rows}\n]}}\n'
    return text.encode()


def refresh(cache_dir: Path) -> Path | None:
    """Recompiles into `cache_dir` when the installed genai-prices is newer than what we have.

    Returns the file written, or None when nothing newer is installed. Costs about 0.5 s then.
    """
    target = cache_dir / CACHED
    try:
        installed = base.parse_version(installed_version("genai-prices"))
    except PackageNotFoundError:
        return None
    held = [base.version(path.read_bytes()) for path in (base.SHIPPED, target) if path.exists()]
    if installed <= max(held, default=()):
        return None
    cache_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_suffix(f".{os.getpid()}")
    temporary.touch(0o600)
    temporary.write_bytes(compile_installed())
    temporary.replace(target)
    return target


def main() -> None:
    """Writes the shipped table."""
    data = compile_installed()
    base.SHIPPED.write_bytes(data)
    sys.stdout.write(f"{base.SHIPPED}: {len(data)} bytes\n")


if __name__ == "__main__":
    main()
