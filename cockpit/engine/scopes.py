"""The scopes that a governed call is paid from, and what caps them."""

from collections.abc import Collection
from datetime import datetime, tzinfo

from cockpit.core.budget import Budget
from cockpit.core.concentration import Claimant, Scope, claimants
from cockpit.core.events import ScopeCapped
from cockpit.core.fleet import Run
from cockpit.core.money import parse_money
from cockpit.journal.ledger import Cap, Ledger
from cockpit.journal.purse import Amount
from cockpit.journal.settings import Settings

FLEET = "fleet"


class Scopes:
    """Names scopes by the calendar of the operator and keeps their caps in the ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, zone: tzinfo | None) -> None:
        self._settings = settings
        self._ledger = ledger
        self._zone = zone
        self._day = self._month = ""
        self._set: dict[str, int | None] = {}
        self._keep(FLEET, settings.fleet_cap)
        for project, cap in settings.project_caps.items():
            self._keep(f"project:{project}", cap)

    def turn(self, now: int) -> bool:
        """Whether a new day began: its scope, and its month's, are capped then."""
        day, month = self._calendar(now)
        if day == self._day:
            return False
        self._day, self._month = day, month
        self._keep(day, self._settings.day_cap)
        self._keep(month, self._settings.month_cap)
        return True

    def _keep(self, scope: str, setting: str) -> None:
        """The settings' cap, unless the operator set another one."""
        usual = parse_money(setting) if setting else None
        self.set(scope, self._set.get(scope, usual))

    def set(self, scope: str, nano: int | None) -> None:
        """Caps what many runs share."""
        self._ledger.cap(scope, None if nano is None else Cap(nano, None))

    def decided(self, event: ScopeCapped) -> None:
        """The operator's cap for a scope, now or before the engine's last start."""
        self._set[event.scope] = event.nano
        self.set(event.scope, event.nano)

    def named(self, name: str) -> str:
        """The scope that the operator means: `fleet`, `month`, `day` or `project:/path`.

        Raises:
            ValueError: for anything else.
        """
        if name in ("day", "month"):
            return self._day if name == "day" else self._month
        if name == FLEET or (name.startswith("project:") and len(name) > len("project:")):
            return name
        raise ValueError(f"{name!r} is no scope: day, month, fleet or project:/path")

    def cap_of(self, scope: str) -> int | None:
        """What the scope may cost, None without a cap."""
        cap = self._ledger.balance(scope).cap
        return None if cap is None else cap.nano

    @property
    def day_cap(self) -> int | None:
        return self.cap_of(self._day)

    def table(self, runs: Collection[Run], now: int) -> list[Scope]:
        """Every scope above the runs, with its books and the live governed runs that it pays for."""
        capped = (
            name.removeprefix("project:") for name in self._set if name.startswith("project:")
        )
        by_project: dict[str, list[Run]] = {
            name: [] for name in (*self._settings.project_caps, *capped)
        }
        for run in runs:
            if run.governed:
                by_project.setdefault(run.project, []).append(run)
        day, month = self._calendar(now)
        everybody = claimants(runs, now)
        return [
            *(self._row(name, everybody) for name in (FLEET, month, day)),
            *(
                self._row(f"project:{name}", claimants(own, now))
                for name, own in sorted(by_project.items())
            ),
        ]

    def _row(self, name: str, runs: tuple[Claimant, ...]) -> Scope:
        balance, cap = self._ledger.balance(name), self.cap_of(name)
        return Scope(name, cap, balance.settled.nano, balance.held.nano, balance.outside.nano, runs)

    def above(self, project: str, now: int) -> tuple[str, ...]:
        """The scopes above a run's purse, root first."""
        day, month = self._calendar(now)
        return (FLEET, month, day, f"project:{project}")

    def cap(self, purse: str, budget: Budget | None) -> None:
        """Caps a run's purse; time and turns are the clock's to watch."""
        firm = budget is not None and budget.at_zero != "warn"
        caps = Cap(budget.money, budget.tokens) if budget is not None and firm else None
        self._ledger.cap(purse, caps)

    def outside(self, now: int, today: int, earlier: int) -> None:
        """Tells the ledger what found runs spent, given what the whole machine did.

        `today` and `earlier` this month, in nano-dollars.
        """
        for scope, everything in zip(self._calendar(now), (today, earlier + today), strict=True):
            governed = self._ledger.balance(scope).settled.nano
            self._ledger.outside(scope, Amount(max(0, everything - governed), 0))

    def midnight(self, now: int) -> int:
        """When the operator's day began (ms)."""
        moment = self._moment(now).replace(hour=0, minute=0, second=0, microsecond=0)
        return int(moment.timestamp() * 1000)

    def first_of_month(self, now: int) -> int:
        """When the operator's month began (ms)."""
        moment = self._moment(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return int(moment.timestamp() * 1000)

    def _calendar(self, now: int) -> tuple[str, str]:
        moment = self._moment(now)
        return f"day:{moment:%Y-%m-%d}", f"month:{moment:%Y-%m}"

    def _moment(self, now: int) -> datetime:
        return datetime.fromtimestamp(now / 1000, self._zone).astimezone(self._zone)
