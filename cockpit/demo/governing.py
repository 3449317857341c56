"""What the operator of the demo does: starts agents behind the gateway, caps others, ends it all."""

import asyncio
import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from cockpit.core.fleet import Fleet
from cockpit.demo.plan import COMMANDS, Place, Plan
from cockpit.engine import service
from cockpit.engine.client import EngineError

END_S = 10.0
PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that an agent gets of the environment outside: no key, no proxy, no setting of a real one."""


def wanted(plan: Plan, place: Place, programs: Path, environment: dict[str, str]) -> dict[str, Any]:
    """The request `begin` for a plan, as `cockpit run` would make it."""
    outer = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "command": [program(plan, place, programs), "--session-id", plan.session, "-p", plan.task],
        "cwd": place.workspace,
        "environment": {**outer, **environment},
        "project": place.workspace,
        "name": plan.name,
        "budget": plan.budget,
        "upstreams": {"anthropic": f"{place.provider}/run/{plan.name}"},
    }


def program(plan: Plan, place: Place, programs: Path) -> str:
    """A program with the agent's name that is this one agent; nothing of its workspace is imported."""
    path = programs / plan.name / COMMANDS[plan.agent]
    path.parent.mkdir(parents=True, exist_ok=True)
    given = ("--plan", _json(plan), "--place", _json(place))
    words = shlex.join((sys.executable, "-P", "-m", "cockpit.demo.worker", *given))
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    path.chmod(0o700)
    return str(path)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def end_engine() -> None:
    """Ends the engine with everything that it governs; nothing happens where there is none."""
    with suppress(EngineError, OSError, TimeoutError):
        asyncio.run(_end_governed())
    with suppress(EngineError, OSError):
        service.stop()


async def _end_governed() -> None:
    client = await service.connect(start_missing=False)
    try:
        living = _living(await client.fleet())
        if living:
            await client.stop(living, "panic")
        async with asyncio.timeout(END_S):
            async for fleet in client.fleets():
                if not _living(fleet):
                    return
    finally:
        await client.close()


def _living(fleet: Fleet) -> list[str]:
    return [run.id for run in fleet.runs.values() if run.governed and not run.process_gone]
