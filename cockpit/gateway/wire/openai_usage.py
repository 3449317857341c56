"""Usage as OpenAI's two wires and their many hosts tell it: totals, with the cached part inside."""

from cockpit.core.tokens import Tokens
from cockpit.gateway.wire.answer import lifetime_ms
from cockpit.gateway.wire.untrusted import Table, count, table, told, word

SHORT, LONG = "30m", "12h"


def told_usage(usage: object) -> bool:
    """Whether this is a usage object that counts something; hosts that do not count send zeros."""
    given = table(usage)
    names = ("prompt_tokens", "input_tokens", "completion_tokens", "output_tokens")
    return any(count(given.get(name)) for name in names)


def told_input(usage: object) -> bool:
    """Whether the prompt is among what was counted."""
    return told(_first(table(usage), "prompt_tokens", "input_tokens")) is not None


def tokens_of(usage: object) -> Tokens:
    """The classes, disjoint: cached and written tokens are taken out of the total of the prompt."""
    given = table(usage)
    total = count(_first(given, "prompt_tokens", "input_tokens"))
    read = min(total, _read(given))
    short, long = _written(_input_details(given), total - read)
    output = _output(given, total)
    details = _first(given, "completion_tokens_details", "output_tokens_details")
    reasoning = count(table(details).get("reasoning_tokens"))
    return Tokens(total - read - short - long, short, long, read, output, min(output, reasoning))


def _first(given: Table, *names: str) -> object:
    return next((given[name] for name in names if given.get(name) is not None), None)


def _input_details(given: Table) -> Table:
    return table(_first(given, "prompt_tokens_details", "input_tokens_details"))


def _read(given: Table) -> int:
    """Hits: OpenAI's own field, DeepSeek's, Kimi's."""
    hit = _input_details(given).get("cached_tokens")
    return count(hit) or count(_first(given, "prompt_cache_hit_tokens", "cached_tokens"))


def _written(details: Table, room: int) -> tuple[int, int]:
    """Writes by lifetime; without a split they have the short one."""
    split = table(details.get("cache_write_tokens_details"))
    long = min(room, count(split.get("ttl_12h_tokens")))
    short = count(split.get("ttl_30m_tokens"))
    whole = max(count(details.get("cache_write_tokens")), short + long)
    return min(room, whole) - long, long


def _output(given: Table, prompt: int) -> int:
    """Hosts that leave thinking out of the completion still have it in the total."""
    output = count(_first(given, "completion_tokens", "output_tokens"))
    return max(output, count(given.get("total_tokens")) - prompt)


def tier_of(service_tier: object) -> str:
    """The tier that was used; `on_demand` is Groq's name for the usual one."""
    tier = word(service_tier)
    return "default" if tier == "on_demand" else tier


def cache_lifetime_ms(usage: object, tokens: Tokens, asked: str) -> int | None:
    """The lifetime in force, None where nothing was cached or none is told.

    `cache_ttl_s` names the lifetime of a provider whose clock runs faster.
    """
    if not (tokens.cache_write_5m or tokens.cache_write_1h or tokens.cache_read):
        return None
    announced = told(_input_details(table(usage)).get("cache_ttl_s"))
    if announced is not None:
        return announced * 1000
    if tokens.cache_write_1h:
        return lifetime_ms(LONG)
    return lifetime_ms(asked) or (lifetime_ms(SHORT) if tokens.cache_write_5m else None)
