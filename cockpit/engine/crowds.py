"""Runs that could together spend more than is left in the scope they share."""

from collections.abc import Collection

from cockpit.core.concentration import Scope
from cockpit.core.events import NoticeGiven
from cockpit.core.fleet import Run
from cockpit.core.money import dollars
from cockpit.engine.scopes import Scopes


class Crowds:
    """Remembers what was said, so that it is said again only when other runs are in it."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self._told: dict[str, frozenset[str]] = {}

    def news(self, runs: Collection[Run], now: int) -> list[NoticeGiven]:
        """A warning for each scope that became crowded since the last time."""
        table = self._scopes.table(runs, now)
        return [_warning(scope, now) for scope in table if self._is_news(scope)]

    def _is_news(self, scope: Scope) -> bool:
        runs = frozenset(claimant.run for claimant in scope.runs)
        if not scope.crowded:
            self._told.pop(scope.name, None)
            return False
        if len(runs) < 2 or self._told.get(scope.name) == runs:
            return False
        self._told[scope.name] = runs
        return True


def _warning(scope: Scope, now: int) -> NoticeGiven:
    names = ", ".join(claimant.name or claimant.run for claimant in scope.runs[:4])
    text = (
        f"{scope.name} has {dollars(scope.left or 0)} left, less than its"
        f" {len(scope.runs)} runs may spend together: {names}"
    )
    return NoticeGiven(run="", at=now, text=text, level="warning")
