"""Asking the engine from a command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cockpit.cli.output import fail
from cockpit.core.fleet import Fleet, Run, is_live
from cockpit.engine import service
from cockpit.engine.client import Client, EngineError

Answer = TypeVar("Answer")


def ask(question: Callable[[Client], Awaitable[Answer]], *, start: bool = True) -> Answer:
    """What the engine answers; it is started when missing. Its refusal ends the command."""

    async def connected() -> Answer:
        client = await service.connect(start_missing=start)
        try:
            return await question(client)
        finally:
            await client.close()

    try:
        return asyncio.run(connected())
    except EngineError as error:
        fail(str(error))


async def settled_fleet(client: Client) -> Fleet:
    """The fleet once the engine has looked at everything that had changed when we asked."""
    await client.ask("sync")
    return await client.fleet()


def pick(fleet: Fleet, wanted: str) -> Run:
    """The run meant by an id, by the beginning of its session, or by a part of its name.

    Of several the only live one is meant. Ends the command when none or several are left.
    """
    exact = fleet.runs.get(wanted)
    if exact is not None:
        return exact
    runs = list(fleet.runs.values())
    for candidates in (
        [run for run in runs if wanted in (run.session, run.name)],
        [run for run in runs if run.id.startswith(wanted) or run.session.startswith(wanted)],
        [run for run in runs if wanted.lower() in run.name.lower()],
    ):
        live = [run for run in candidates if is_live(run, fleet.now)]
        for meant in (candidates, live):
            if len(meant) == 1:
                return meant[0]
        if candidates:
            several = ", ".join(run.id for run in candidates[:5])
            fail(f"{wanted!r} could be any of {len(candidates)} runs: {several}")
    fail(f"no run is called {wanted!r}: cockpit ps lists them")
