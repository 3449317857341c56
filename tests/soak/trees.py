"""`python -m tests.soak.trees [COUNT]`: detached respawners that ignore SIGTERM, all gone in one panic."""

import asyncio
import sys
import time

from cockpit.core.events import RunStopped
from tests.engine.yard import DETACHED_RESPAWNER, Yard

START_AT_ONCE = 8


async def soak(count):
    """Seconds until every stop had its census; who survived; how many were alive before."""
    yard = Yard()
    await yard.runners.start()
    few = asyncio.Semaphore(START_AT_ONCE)

    async def begin():
        async with few:
            return (await yard.start(DETACHED_RESPAWNER, 1))[0]

    try:
        reins = await asyncio.gather(*(begin() for _ in range(count)))
        before = len(yard.nest.alive())
        began = time.monotonic()
        outcomes = await asyncio.gather(*(yard.stop(rein.run) for rein in reins))
        took = time.monotonic() - began
        left = yard.nest.alive()
        failed = [outcome for outcome, _ in outcomes if not isinstance(outcome, RunStopped)]
        await asyncio.gather(*(yard.gone(rein.run) for rein in reins))
        return took, left, before, failed
    finally:
        await yard.close()
        yard.clean_up()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    took, left, before, failed = asyncio.run(soak(count))
    print(f"{count} trees, {before} processes: empty and proven in {took:.2f} s")
    print(f"survivors: {len(left)}; stops that failed: {len(failed)}")
    sys.exit(1 if left or failed or took > 2 else 0)


if __name__ == "__main__":
    main()
