"""Budgets as people type them: `5usd 90m 2M 80turns`."""

import re
from typing import get_args

from msgspec.structs import replace

from cockpit.core.budget import AtZero, Budget, Cap
from cockpit.core.money import parse_money
from cockpit.ui import text

_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+)s)?")
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)(k|K|M|tok|tokens)")
_TURNS = re.compile(r"(\d+)(?:t|turns?)")
_WINDOW = re.compile(r"(\d{1,3})%")
_MONEY = re.compile(r"\$.+|.+(?:usd|USD|\$)")
_SCALES = {"k": 1_000, "K": 1_000, "M": 1_000_000}
_CAPS: tuple[tuple[Cap, str], ...] = (
    ("money", "money"),
    ("tokens", "tokens"),
    ("time", "time_ms"),
    ("turns", "turns"),
    ("window", "window"),
)


_AT_ZERO: dict[str, AtZero] = {name: name for name in get_args(AtZero)}
_NEED_GATEWAY = ("defer", "halt", "ask")


def parse_budget(typed: str, *, governed: bool = False) -> Budget | None:
    """The caps in what was typed; None for `none` or nothing.

    A budget given by hand defers a governed run at zero and interrupts another one, unless another
    word says what is to happen.

    Raises:
        ValueError: naming the word that is no cap, or that such a run cannot obey.
    """
    words = typed.split()
    if not words or words == ["none"]:
        return None
    budget = Budget(at_zero=_usual(governed=governed))
    for word in words:
        if word in _NEED_GATEWAY and not governed:
            raise ValueError(f"{word} needs the gateway: only runs started with cockpit run can")
        budget = (
            replace(budget, at_zero=_AT_ZERO[word]) if word in _AT_ZERO else _with(budget, word)
        )
    return budget


def _usual(*, governed: bool) -> AtZero:
    """What happens at zero when nothing is said."""
    return "defer" if governed else "interrupt"


def _with(budget: Budget, word: str) -> Budget:
    if found := _TURNS.fullmatch(word):
        return replace(budget, turns=int(found[1]))
    if found := _WINDOW.fullmatch(word):
        return replace(budget, window=min(int(found[1]), 100))
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


def budget_text(budget: Budget | None, *, governed: bool = False) -> str:
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
    if budget.window is not None:
        words.append(f"{budget.window}%")
    is_possible = governed or budget.at_zero not in _NEED_GATEWAY
    if is_possible and budget.at_zero != _usual(governed=governed):
        words.append(budget.at_zero)
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
    if new is None or (new.at_zero == "warn" != old.at_zero):
        return True
    pairs = ((getattr(old, field), getattr(new, field)) for _, field in _CAPS)
    return any(before is not None and (after is None or after > before) for before, after in pairs)


def extended(budget: Budget, cap: Cap) -> Budget:
    """The budget with one cap raised by half."""
    field = dict(_CAPS)[cap]
    return replace(budget, **{field: -(-getattr(budget, field) * 3 // 2)})


def budget_command(run: str, budget: Budget, cap: Cap) -> str:
    """What raises one cap to twice as much in a shell; the other caps stay, for a budget is set whole."""
    field = dict(_CAPS)[cap]
    larger = replace(budget, **{field: 2 * getattr(budget, field)})
    words = ["cockpit", "budget", run]
    if larger.money is not None:
        words += ["--money", f"{larger.money / 1e9:.9f}".rstrip("0").rstrip(".")]
    if larger.time_ms is not None:
        words += ["--time", _time_text(larger.time_ms)]
    if larger.tokens is not None:
        words += ["--tokens", _tokens_text(larger.tokens).removesuffix("tok")]
    if larger.turns is not None:
        words += ["--turns", str(larger.turns)]
    return " ".join([*words, *(["--at-zero", larger.at_zero] if larger.at_zero != "defer" else [])])
