"""What runner, wire and transcript tell of one run, put together into its evidence."""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace

from cockpit.core.fleet import Run
from cockpit.core.redaction import Redactor, known_secrets
from cockpit.core.text import clean
from cockpit.core.trace import Opaque, Outcome, Step, Trace
from cockpit.engine.reins import Ended
from cockpit.gateway.wire.tool_calls import ToolCall

OUTPUT_LIMIT = 1024 * 1024
VALUE_LIMIT = 4_000
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


def zone_name(zone: tzinfo | None) -> str:
    """What the zone is called: the operator's, else the machine's, UTC where nobody tells."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone.key
    try:
        name = os.environ.get("TZ", "") or str(Path("/etc/localtime").resolve())
        name = name.removeprefix(":").rpartition("zoneinfo/")[2]
        return ZoneInfo(name).key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "UTC"


def date(at: int, zone: str) -> str:
    """The day of a moment (ms) in a zone, ISO 8601."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def outcome(how: Ended, run: Run | None) -> Outcome:
    """How a run went, by its exit code and by who ended it."""
    if run is not None and (run.stopping is not None or run.halted or run.deferred):
        return "stopped"
    if how.code is None:
        return "unknown"
    return "done" if how.code == 0 else "failed"


def joined(trace: Trace, told: Trace | None, run: Run | None) -> Trace:
    """What the runner knows, with what the agent's own story and the wire's books say."""
    distrusted = trace.distrusted
    if run is not None and (run.halted or run.deferred):
        distrusted = distrusted or f"it was held: {run.halted or run.deferred}"
    if told is not None:
        how = trace.outcome if trace.outcome != "unknown" else told.outcome
        prompts = told.prompts or trace.prompts
        trace = replace(trace, prompts=prompts, steps=told.steps, outcome=how)
    if run is not None:
        trace = replace(
            trace, model=run.model or (told.model if told else ""), tokens=run.tokens.total,
            nano=None if run.mark == "unpriced" else run.nano, mark=run.mark,
        )  # fmt: skip
    return replace(trace, distrusted=distrusted)


def heard_steps(heard: Iterable[tuple[ToolCall, int]], redactor: Redactor) -> tuple[Step, ...]:
    """Tool calls that passed the gateway, each with when it was first told (ms)."""
    return tuple(
        Step(
            number=number,
            tool=call.name,
            arguments=redactor.value(call.arguments),
            output=redactor.text(clean(call.output or "", OUTPUT_LIMIT)),
            ok=call.ok,
            opaque=_opaque(call),
            at=at,
        )
        for number, (call, at) in enumerate(heard, 1)
    )


def _opaque(call: ToolCall) -> Opaque:
    if call.output is None:
        return "missing"
    return "truncated" if len(call.output) > OUTPUT_LIMIT else ""


def variables(steps: Iterable[Step], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that the run's own commands name, but for those that hold secrets."""
    told = "\n".join(
        text for step in steps for text in step.arguments.values() if isinstance(text, str)
    )
    named = set(_VARIABLE.findall(told))
    secret = known_secrets(environment)
    return {
        name: value
        for name, value in environment.items()
        if name in named and name not in secret and len(value) <= VALUE_LIMIT
    }
