"""When a clock speaks: at 80 and 95 percent of the ruling cap, and when it reaches zero."""

from cockpit.core.events import ClockExpired, ClockWarned, Event
from cockpit.core.fleet import Run, clock_of, is_live

WARNINGS = (95, 80)


def due(run: Run, now: int) -> Event | None:
    """What the run's clock has to say now that it has not said yet."""
    if run.budget is None or run.warned >= 100 or not is_live(run, now):
        return None
    clock = clock_of(run, now)
    if clock.ruling is None:
        return None
    if clock.share >= 1:
        return ClockExpired(run=run.id, at=now, ruling=clock.ruling, action=_action(run))
    for share in WARNINGS:
        if clock.share * 100 >= share:
            return (
                None
                if run.warned >= share
                else ClockWarned(run=run.id, at=now, share=share, ruling=clock.ruling)
            )
    return None


_GOVERNED = {"defer": "deferred", "halt": "halted", "ask": "asks"}


def _action(run: Run) -> str:
    """What happens at zero; without a gateway to close, the only firm answer is an interrupt."""
    if run.budget is None or run.budget.at_zero == "warn":
        return "warned"
    if run.governed and run.budget.at_zero in _GOVERNED:
        return _GOVERNED[run.budget.at_zero]
    return "interrupted" if run.pid is not None else "no process to interrupt"
