"""The life of a script: which stage follows which, and what must have happened before.

    compiled → verified → approved → shadow → active ⇄ quarantined → repairing → … | retired

Pure: every step gives the next life, or says in a sentence for the operator why there is none.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from cockpit.core.script import GATES, Stage, Trial
from cockpit.core.shelf import Life

DAY = 86_400_000
WEEK = 7 * DAY

AGREEMENTS = 3
AGREEMENTS_UNATTENDED = 5
"""Shadow runs in a row that must agree with the agent's (facts: 3, and 5 before nobody looks)."""
QUARANTINES = 2
"""So many within a week give the task back to the agent."""
AUDIT_EVERY = 20
RETRIES_MS = (60_000, 300_000, 900_000)
"""Back-off where a source was not available (exit 4)."""

REVIEWED: frozenset[Stage] = frozenset({"verified", "shadow"})
WATCHED: frozenset[Stage] = frozenset({"approved", "shadow"})
"""Stages in which a script runs beside the agent, without effect."""
BY_AGENT: frozenset[Stage] = frozenset({"approved", "shadow", "quarantined", "repairing"})
"""Stages in which the agent does what is due."""


class NotNowError(ValueError):
    """The step is not open to the script in its stage; the text says why."""


def agreements(life: Life) -> int:
    """Shadow runs that must agree in a row."""
    return AGREEMENTS_UNATTENDED if life.unattended else AGREEMENTS


def compiled(content: str) -> Life:
    """The beginning."""
    return Life(stage="compiled", content=content)


def failing(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """What speaks against the script; a run that cannot be replayed does not."""
    return tuple(trial for trial in trials if not trial.passed and not trial.unproven)


def missing(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Gates that nothing was tried at."""
    tried = {trial.gate for trial in trials}
    return tuple(gate for gate in GATES if gate not in tried)


def verified(life: Life, content: str, trials: Sequence[Trial], now: int = 0) -> Life:
    """The gates' word on `content`, which a script may have been changed to: approval is gone then."""
    if life.stage in ("retired", "repairing"):
        raise NotNowError(f"it is {life.stage}")
    if content == life.content and life.stage not in ("compiled", "verified"):
        return life if not failing(trials) else _out(life, why_not(trials), now)
    reason = why_not(trials)
    stage: Stage = "compiled" if reason else "verified"
    fresh = Life(stage=stage, content=content, unattended=life.unattended, reason=reason)
    return replace(fresh, approved=life.approved if life.approved == content else "")


def why_not(trials: Sequence[Trial]) -> str:
    """Why these results prove nothing; empty when all gates are passed.

    Single runs that cannot be replayed are no reason, as long as the gates found enough others.
    """
    against = [*failing(trials), *(one for one in trials if one.unproven and not one.run)]
    if against:
        first = against[0]
        return f"{first.gate}{' on ' if first.run else ''}{first.run}: {first.detail}"
    untried = missing(trials)
    return f"not tried: {', '.join(untried)}" if untried else ""


def watched(life: Life, trials: Sequence[Trial]) -> Life:
    """Shadow only: beside the agent, without effect, for as long as nobody approves."""
    if life.stage not in ("compiled", "verified"):
        raise NotNowError(f"it is {life.stage}")
    against = failing(trials)
    if against:
        raise NotNowError(f"a gate refused it: {why_not(against)}")
    return replace(life, stage="shadow", agreeing=0, reason="")


def approved(life: Life, content: str, trials: Sequence[Trial]) -> Life:
    """The operator's yes to one content."""
    if content != life.content:
        raise NotNowError(
            f"what you looked at ({content[:12]}) is not what is on the shelf"
            f" ({life.content[:12]}): look again"
        )
    if life.stage not in REVIEWED:
        raise NotNowError(f"it is {life.stage}; only what the gates passed can be approved")
    if why_not(trials):
        raise NotNowError(why_not(trials))
    life = replace(life, approved=content, reason="")
    return _promoted(life if life.stage == "shadow" else replace(life, stage="approved"))


def _promoted(life: Life) -> Life:
    ready = life.agreeing >= agreements(life) and life.approved == life.content
    return replace(life, stage="active", home="active", runs=0) if ready else life


def agreed(life: Life) -> Life:
    """Beside the agent it came to the same."""
    if life.stage in WATCHED:
        return _promoted(replace(life, stage="shadow", agreeing=life.agreeing + 1, reason=""))
    return replace(life, agreeing=life.agreeing + 1)


def disagreed(life: Life, reason: str, now: int) -> Life:
    """It ended well and came to something else than the agent: the worst that a script can do."""
    return _quarantined(life, reason, now)


def drifted(life: Life, reason: str, now: int, *, learning: bool = False) -> Life:
    """It refused, or failed, or broke its contract.

    `learning` is a refusal that was to be expected: a value that is known for some dates only and
    needs one more example.
    """
    if life.stage in WATCHED or learning:
        return _out(life, reason, now)
    return _quarantined(life, reason, now)


def _quarantined(life: Life, reason: str, now: int) -> Life:
    lately = (*(at for at in life.quarantines if at > now - WEEK), now)
    if len(lately) >= QUARANTINES:
        why = f"quarantined {len(lately)} times in a week, the agent does it again: {reason}"
        return replace(life, stage="retired", quarantines=lately, reason=why)
    return replace(_out(life, reason, now), quarantines=lately)


def _out(life: Life, reason: str, now: int) -> Life:
    home: Stage = "active" if life.stage == "active" else "shadow"
    home = life.home if life.stage in ("quarantined", "repairing") else home
    return replace(life, stage="quarantined", home=home, agreeing=0, reason=reason, since=now)


def ran(life: Life) -> Life:
    """An adopted script did its work."""
    return replace(life, runs=life.runs + 1)


def is_audited(life: Life) -> bool:
    """Whether the agent looks at the coming run."""
    return life.stage == "active" and life.runs % AUDIT_EVERY == AUDIT_EVERY - 1


def may_run(life: Life, content: str) -> str:
    """Why the script with this content may not act; empty when it may."""
    if life.stage != "active":
        return f"it is {life.stage}, not active"
    if content != life.content or content != life.approved:
        return f"its content is {content[:12]}, approved was {life.approved[:12] or 'nothing'}"
    return ""


def may_be_repaired(life: Life, now: int) -> str:
    """Why no repair may be tried now; empty when one may."""
    if life.stage != "quarantined":
        return f"it is {life.stage}"
    if life.repairs and life.repairs[-1] > now - DAY:
        return "it was repaired within a day"
    return ""


def repairing(life: Life, now: int) -> Life:
    """The one repair of the day begins."""
    refusal = may_be_repaired(life, now)
    if refusal:
        raise NotNowError(refusal)
    return replace(life, stage="repairing", repairs=(*life.repairs[-4:], now))


def repaired(life: Life, content: str, review: str) -> Life:
    """A repair that passed the gates. `review` says why a person must look at it, empty when none need.

    Without a review it goes back to where it came from, and was approved if what it mends was.
    """
    if life.stage != "repairing":
        raise NotNowError(f"it is {life.stage}")
    if review:
        return replace(life, stage="verified", content=content, agreeing=0, reason=review)
    in_force = life.approved == life.content
    life = replace(
        life, content=content, approved=content if in_force else "", agreeing=0, reason=""
    )
    back: Stage = "active" if life.home == "active" and in_force else "shadow"
    return replace(life, stage=back, runs=0)


def beyond_repair(life: Life, reason: str) -> Life:
    """No repair was found: the agent goes on until there is more evidence."""
    return replace(life, stage="quarantined", reason=reason)


def unattended(life: Life) -> Life:
    """Nobody will look: what has not agreed often enough for that goes back beside the agent."""
    life = replace(life, unattended=True)
    if life.stage == "active" and life.agreeing < agreements(life):
        return replace(life, stage="shadow")
    return life


def retired(life: Life, reason: str) -> Life:
    """The task is the agent's again."""
    return replace(life, stage="retired", reason=reason)
