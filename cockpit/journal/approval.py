"""`[approve]`: which tool calls wait for the operator, how long, and what happens when nobody answers."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from cockpit.core.quantities import parse_duration
from cockpit.core.rule import Rule


class ApproveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Rules for tool calls.

    `on` switches all of it off when false. `off` names shipped rules that are not wanted. `rules`
    are the operator's own (`[[approve.rules]]`), looked at before the shipped ones. A call that
    nobody answers within `timeout` gets the `default`.
    """

    on: bool = True
    off: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    timeout: str = "10m"
    default: Literal["deny", "allow"] = "deny"

    def in_force(self) -> tuple[Rule, ...]:
        """The rules to hold tool calls against; none when switched off."""
        if not self.on:
            return ()
        from cockpit.core.rules_shipped import SHIPPED  # a screen needs no rules

        return (*self.rules, *(rule for rule in SHIPPED if rule.name not in self.off))

    def timeout_s(self) -> float:
        return parse_duration(self.timeout) / 1000

    def checks(self) -> list[tuple[str, Callable[[], None]]]:
        """For each key a look at it that raises ValueError, naming what is wrong."""
        if self == _DEFAULT:
            return []
        return [
            ("off", self._check_names),
            ("rules", self._check_rules),
            ("timeout", self._check_timeout),
        ]

    def _check_names(self) -> None:
        from cockpit.core.rules_shipped import NAMES

        for name in self.off:
            if name not in NAMES:
                raise ValueError(f"no rule {name!r} is shipped: {', '.join(NAMES)}")

    def _check_rules(self) -> None:
        from cockpit.core.rules import mistake

        for rule in self.rules:
            if said := mistake(rule):
                raise ValueError(said)

    def _check_timeout(self) -> None:
        if not 1_000 <= parse_duration(self.timeout) <= LONGEST_MS:
            raise ValueError("from 1s to 6h")


LONGEST_MS = 6 * 3_600_000
"""Shorter than an agent's hook may take: a hook that times out lets the tool run."""
_DEFAULT = ApproveSettings()
