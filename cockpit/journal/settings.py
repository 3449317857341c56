"""The operator's settings: one TOML file, every key known, every refusal with file, line and a hint."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cockpit.core.budget import AtZero, Budget
from cockpit.core.money import parse_money
from cockpit.core.quantities import parse_count, parse_duration
from cockpit.core.rule import Rule
from cockpit.journal.approval import ApproveSettings
from cockpit.journal.architect import ArchitectSettings
from cockpit.journal.keeping import EvidenceSettings
from cockpit.journal.providers import NAME, ProviderSettings


class SettingsError(Exception):
    """A settings file that cannot be used, with the place and what is accepted there."""


class BudgetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Caps for runs that were found: `money = "5usd"`, `time = "90m"`, `tokens = "2M"`, `turns = 80`.

    `window = 80` is percent of a subscription's fullest window, for runs behind the gateway.
    """

    money: str = ""
    time: str = ""
    tokens: str = ""
    turns: int = 0
    window: int = 0
    at_zero: AtZero = "warn"

    def budget(self) -> Budget | None:
        """The caps as numbers, None when nothing is capped.

        Raises:
            ValueError: naming what is wrong with an amount.
        """
        if not (self.money or self.time or self.tokens or self.turns or self.window):
            return None
        return Budget(
            money=parse_money(self.money) if self.money else None,
            time_ms=parse_duration(self.time) if self.time else None,
            tokens=parse_count(self.tokens) if self.tokens else None,
            turns=self.turns or None,
            window=self.window or None,
            at_zero=self.at_zero,
        )


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings with their defaults.

    `recent`: how long a run stays on the screen after its last event. `day_cap`: what the day may
    cost, shown in the header; `month_cap` and `fleet_cap` (all time) likewise, `project_caps` by
    directory: no governed call crosses them. `timezone`: IANA name for days, empty for the machine's. `poll`:
    seconds between looks where the file system reports no changes. `agents`: which agents to look
    for, empty for all. `roots`: further directories per agent. `budget`: caps for every run that is
    found, `budgets` for one agent's. `keys`: another key per command id. `providers`: where models
    are, beside those that cockpit knows. `approve`: which tool calls wait for a yes. `evidence`: what
    is kept of governed runs, and how long. `architect`: the model that is asked where runs alone do
    not explain a task; without one nobody is asked.
    """

    theme: str = "cockpit"
    recent: str = "24h"
    day_cap: str = ""
    month_cap: str = ""
    fleet_cap: str = ""
    project_caps: dict[str, str] = {}
    timezone: str = ""
    mouse: bool = True
    poll: int = 2
    agents: tuple[str, ...] = ()
    roots: dict[str, tuple[str, ...]] = {}
    budget: BudgetSettings = BudgetSettings()
    budgets: dict[str, BudgetSettings] = {}
    keys: dict[str, str] = {}
    providers: dict[str, ProviderSettings] = {}
    approve: ApproveSettings = ApproveSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    architect: ArchitectSettings = ArchitectSettings()

    def budget_for(self, agent: str) -> Budget | None:
        """The caps of a run that nobody capped by hand."""
        return self.budgets.get(agent, self.budget).budget()


def load(path: Path) -> Settings:
    """The settings in `path`; the defaults when there is no such file.

    Raises:
        SettingsError: for unreadable files, broken TOML, unknown keys and values of a wrong kind.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    import tomllib  # 10 ms that a start without settings does without

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from error
    _refuse_unknown(path, text, table)
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(_place(path, text, str(error))) from error
    _check_amounts(path, text, settings)
    return settings


def _refuse_unknown(path: Path, text: str, table: dict[str, Any]) -> None:
    caps = BudgetSettings.__struct_fields__
    parts: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
        ("", table, Settings.__struct_fields__)
    ]
    if isinstance(table.get("budget"), dict):
        parts.append(("budget", table["budget"], caps))
    for group, accepted in (("budgets", caps), ("providers", ProviderSettings.__struct_fields__)):
        tables = table.get(group)
        if isinstance(tables, dict):
            parts += [
                (f"{group}.{name}", entries, accepted)
                for name, entries in tables.items()
                if isinstance(entries, dict)
            ]
    parts += _approve_parts(table.get("approve"))
    if isinstance(table.get("evidence"), dict):
        parts.append(("evidence", table["evidence"], EvidenceSettings.__struct_fields__))
    if isinstance(table.get("architect"), dict):
        parts.append(("architect", table["architect"], ArchitectSettings.__struct_fields__))
    for prefix, entries, accepted in parts:
        for key in entries:
            if key not in accepted:
                raise SettingsError(_unknown(path, text, prefix, key, accepted))


def _approve_parts(table: Any) -> list[tuple[str, dict[str, Any], tuple[str, ...]]]:  # noqa: ANN401
    if not isinstance(table, dict):
        return []
    rules = table.get("rules")
    return [
        ("approve", table, ApproveSettings.__struct_fields__),
        *(
            ("approve.rules", rule, Rule.__struct_fields__)
            for rule in (rules if isinstance(rules, list) else [])
            if isinstance(rule, dict)
        ),
    ]


def _unknown(path: Path, text: str, prefix: str, key: str, accepted: tuple[str, ...]) -> str:
    full = f"{prefix}.{key}" if prefix else key
    import difflib

    near = difflib.get_close_matches(key, accepted, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{path}:{_line(text, key)}: unknown key {full!r}: {hint}accepted: {', '.join(accepted)}"


def _line(text: str, key: str) -> int:
    found = re.search(rf"^\s*(?:\[[^\]\n]*)?[\"']?{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _place(path: Path, text: str, message: str) -> str:
    key = message.rpartition("$.")[2].rstrip("`").split("[")[0].rpartition(".")[2]
    return f"{path}:{_line(text, key)}: {message}"


def _check_amounts(path: Path, text: str, settings: Settings) -> None:
    checks: list[tuple[str, Callable[[], object]]] = [
        ("recent", lambda: parse_duration(settings.recent)),
        *(
            (name, partial(_check_money, getattr(settings, name)))
            for name in ("day_cap", "month_cap", "fleet_cap")
        ),
        *((name, partial(_check_money, cap)) for name, cap in settings.project_caps.items()),
        ("budget", settings.budget.budget),
        *((name, budget.budget) for name, budget in settings.budgets.items()),
        *((name, provider.check) for name, provider in settings.providers.items()),
        *((name, partial(_check_name, name)) for name in settings.providers),
        *settings.approve.checks(),
        ("age", settings.evidence.check),
    ]
    for key, check in checks:
        try:
            check()
        except ValueError as error:
            raise SettingsError(f"{path}:{_line(text, key)}: {key}: {error}") from error
    if settings.poll < 1:
        raise SettingsError(f"{path}:{_line(text, 'poll')}: poll: at least 1 second")


def _check_money(text: str) -> None:
    if text:
        parse_money(text)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("a provider's name is letters, digits, dots, - and _")
