"""A whole engine's panic over hostile trees: `python -m tests.soak.panic [--trees 100]`.

Runs of a real engine: each of the eight hostile trees, and as many detached respawners that ignore
SIGTERM as asked for. Then `panic`: at once, after every runner was killed with -9, after the engine was
(and started again), after both were. Nobody may be left two seconds after the request.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time

from tests.engine.machine import alive
from tests.engine.yard import TREES, script
from tests.soak.governed import BEGIN_AT_ONCE, MARK, PANIC_SECONDS, Fleet

CASES = ("nothing", "runners", "engine", "both")
SETTLED_SECONDS = 3.0
"""So long nothing may change before a case begins: runners write their trees down once a second."""


async def panicked(case, trees):
    """What a panic found, left, and how long it took, with this killed first."""
    fleet = Fleet("1usd")
    try:
        await fleet.is_up(fleet.start_engine())
        await begun(fleet, [*TREES, *["detached-respawner"] * trees])
        before = await settled(fleet)
        restart = await killed(fleet, case)
        client = await fleet.client()
        began, cpu = time.monotonic(), fleet.engine_cpu()
        await client.ask("panic")
        left = list(before)
        while left and time.monotonic() - began < 60:
            if alive(left[-1]):
                await asyncio.sleep(0.01)
            else:
                left.pop()
                left = left or list(fleet.survivors())
        took, cpu = time.monotonic() - began, fleet.engine_cpu() - cpu
        failed = await asyncio.to_thread(fleet.stops_that_failed)
        await client.close()
    finally:
        fleet.close()
    return {
        "killed_first": case, "runs": trees + len(TREES), "processes": len(before),
        "engine_up_seconds": restart, "seconds": round(took, 2), "engine_cpu": round(cpu, 2), "survivors": len(left),
        "stops_failed": failed, "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


async def begun(fleet, names):
    few = asyncio.Semaphore(BEGIN_AT_ONCE)

    async def begin(name):
        async with few:
            client = await fleet.client()
            code, _ = TREES[name]
            environment = {**fleet.environment, MARK: fleet.mark}
            await client.ask(
                "begin", command=list(script(code)), cwd=str(fleet.root), project="/p", name=name,
                environment=environment,
            )  # fmt: skip
            await client.close()

    await asyncio.gather(*map(begin, names))


async def settled(fleet):
    """Everybody, once nobody came or went for a while."""
    known, since = {}, time.monotonic()
    while time.monotonic() - since < SETTLED_SECONDS:
        now = fleet.survivors()
        if now.keys() != known.keys():
            known, since = now, time.monotonic()
        await asyncio.sleep(0.5)
    return known


async def killed(fleet, case):
    """Kills whom the case names; seconds until the engine was there again."""
    if case in ("runners", "both"):
        for run in fleet.names():
            pids = fleet.recorded(run)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[1], signal.SIGKILL)
    if case in ("engine", "both"):
        await fleet.is_up(fleet.kill_engine())
        return round(fleet.down[-1], 2)
    return 0.0


def main():
    """Prints a line of JSON for each case; ends with 1 when anybody was left."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trees", type=int, default=100)
    options.add_argument("--case", action="append", choices=CASES)
    chosen = options.parse_args()
    bad = False
    for case in chosen.case or CASES:
        answer = asyncio.run(panicked(case, chosen.trees))
        bad |= answer["survivors"] > 0 or answer["seconds"] > PANIC_SECONDS
        print(json.dumps(answer), flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
