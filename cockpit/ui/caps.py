"""Budgets as people type them: `5usd 90m 2M 80turns`."""

import re

from msgspec.structs import replace

from cockpit.core.budget import AtZero, Budget, Cap
from cockpit.core.money import parse_money
from cockpit.ui import text

_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)(k|K|M|tok|tokens)")
_TURNS = re.compile(r"(\d+)(?:t|turns?)")
_MONEY = re.compile(r"\$.+|.+(?:usd|USD|\$)")
_SCALES = {"k": 1_000, "K": 1_000, "M": 1_000_000}
_CAPS: tuple[tuple[Cap, str], ...] = (
    ("money", "money"),
    ("tokens", "tokens"),
    ("time", "time_ms"),
    ("turns", "turns"),
)


def parse_budget(typed: str) -> Budget | None:
    """The caps in what was typed; None for `none` or nothing.

    A budget given by hand interrupts at zero unless the word `warn` is in it.

    Raises:
        ValueError: naming the word that is no cap.
    """
    words = typed.split()
    if not words or words == ["none"]:
        return None
    at_zero: AtZero = "warn" if "warn" in words else "interrupt"
    budget = Budget(at_zero=at_zero)
    for word in words:
        if word not in ("warn", "interrupt"):
            budget = _with(budget, word)
    return budget


def _with(budget: Budget, word: str) -> Budget:
    if found := _TURNS.fullmatch(word):
        return replace(budget, turns=int(found[1]))
    if found := _TOKENS.fullmatch(word):
        return replace(budget, tokens=int(float(found[1]) * _SCALES.get(found[2], 1)))
    if (found := _TIME.fullmatch(word)) and any(found.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return replace(
            budget,
            time_ms=days * text.DAY
            + hours * text.HOUR
            + minutes * text.MINUTE
            + seconds * text.SECOND,
        )
    if _MONEY.fullmatch(word):
        return replace(budget, money=parse_money(word))
    raise ValueError(f"{word!r} is no cap: write 5usd, 90m, 2M (tokens), 80turns, warn or none")


def budget_text(budget: Budget | None) -> str:
    """A budget as one would type it."""
    if budget is None:
        return ""
    words = []
    if budget.money is not None:
        words.append(f"{budget.money / 1e9:.9f}".rstrip("0").rstrip(".") + "usd")
    if budget.time_ms is not None:
        words.append(_time_text(budget.time_ms))
    if budget.tokens is not None:
        words.append(_tokens_text(budget.tokens))
    if budget.turns is not None:
        words.append(f"{budget.turns}turns")
    if budget.at_zero == "warn":
        words.append("warn")
    return " ".join(words)


def _time_text(time_ms: int) -> str:
    seconds = time_ms // text.SECOND
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


def _tokens_text(tokens: int) -> str:
    for unit, scale in (("M", 1_000_000), ("k", 1_000)):
        if tokens % scale == 0:
            return f"{tokens // scale}{unit}"
    return f"{tokens}tok"


def raises(old: Budget | None, new: Budget | None) -> bool:
    """Whether the new budget lets more through than the old one."""
    if old is None:
        return False
    if new is None:
        return True
    pairs = ((getattr(old, field), getattr(new, field)) for _, field in _CAPS)
    return any(before is not None and (after is None or after > before) for before, after in pairs)


def extended(budget: Budget, cap: Cap) -> Budget:
    """The budget with one cap raised by half."""
    field = dict(_CAPS)[cap]
    return replace(budget, **{field: -(-getattr(budget, field) * 3 // 2)})
