"""`cockpit demo`: a simulated provider and a small fleet of real processes."""

import asyncio
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from cockpit.cli.output import fail
from cockpit.core.export import run_row

if TYPE_CHECKING:
    from cockpit.demo.fleet import Demo
    from cockpit.engine.client import Client


@click.command()
@click.option("--headless", is_flag=True, help="No screen; ends by itself.")
@click.option(
    "--seconds",
    default=20.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="How long, with --headless.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="With --headless: the fleet (keys of ps) and what was served.",
)
@click.option(
    "--mornings", is_flag=True,
    help="No screen: a task that an agent repeats becomes a script, in a minute of moved clocks.",
)  # fmt: skip
def demo(headless: bool, seconds: float, as_json: bool, mornings: bool) -> None:
    """Run cockpit on a machine with nothing: no key, no network, no agent.

    Real processes talk to a provider on loopback that keeps honest prefix caches, some of them
    behind the gateway, and write real files in a temporary directory. Nothing of it stays.
    """
    if mornings:
        asyncio.run(_mornings())
        return
    if not headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("the screen needs a terminal; without one: cockpit demo --headless --json")
    if not headless:
        asyncio.run(_on_screen())
        return
    answer = asyncio.run(_headless(seconds))
    text = json.dumps(answer, indent=2, ensure_ascii=False) if as_json else _sentence(answer)
    click.echo(text)


async def _mornings() -> None:
    from cockpit.architect.sandbox import best, why_none
    from cockpit.demo.mornings import Mornings
    from cockpit.demo.story import story

    if best() is None:
        fail(f"scripts are proven in a sandbox. {why_none()}")
    async with Mornings() as each:
        async for line in story(each):
            click.echo(line)


async def _headless(seconds: float) -> dict[str, Any]:
    from cockpit.demo.fleet import Demo

    began = time.monotonic()
    async with Demo() as demo:
        client = await _engine(demo)
        operating = asyncio.create_task(demo.operate(client))
        try:
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - began)))
            await client.ask("sync")
            fleet = await client.fleet()
            served = await demo.served()
        finally:
            await _end(client, operating)
    now = fleet.now
    return {"fleet": [run_row(run, now) for run in fleet.runs.values()], "provider": served}


async def _on_screen() -> None:
    """The screen comes first and starts the engine; the fleet is born before the watcher's eyes."""
    from cockpit.demo.fleet import Demo

    demo = Demo()
    os.environ.update(demo.environment())
    screen = await asyncio.create_subprocess_exec(sys.executable, "-m", "cockpit")
    fleet = asyncio.create_task(_born(demo))
    try:
        await screen.wait()
    finally:
        fleet.cancel()
        await asyncio.gather(fleet, return_exceptions=True)


async def _born(demo: "Demo") -> None:
    from cockpit.engine import service

    async with demo:
        client = await service.connect()
        operating = asyncio.create_task(demo.operate(client))
        try:
            await asyncio.Event().wait()
        finally:
            await _end(client, operating)


async def _engine(demo: "Demo") -> "Client":
    """An engine that sees the demo's directory only."""
    from cockpit.engine import service
    from cockpit.engine.client import EngineError

    os.environ.update(demo.environment())
    try:
        return await service.connect()
    except EngineError as error:
        fail(str(error))


async def _end(client: "Client", operating: "asyncio.Task[None]") -> None:
    from cockpit.demo.governing import end_engine

    operating.cancel()
    await asyncio.gather(operating, return_exceptions=True)
    await client.close()
    await asyncio.to_thread(end_engine)


def _sentence(answer: dict[str, Any]) -> str:
    runs = [f"{row['id']}  {row['state']}  {row['name']}  ${row['usd']}" for row in answer["fleet"]]
    return "\n".join([*runs, f"{len(answer['provider']['served'])} requests served"])
