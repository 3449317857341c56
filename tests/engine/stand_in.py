"""An engine that can be killed: starts the trees it is told, says what it started, and waits.

`python -m tests.engine.stand_in HOME MARK LEASE NAME…` prints one JSON object with the runs.
"""

import asyncio
import json
import sys

from tests.engine.yard import TREES, Yard


async def _main(home, mark, lease, names):
    yard = Yard(home, mark)
    await yard.runners.start()
    trees = [yard.start(*TREES[name], lease=float(lease)) for name in names]
    runs = {
        rein.run: {"tree": name, "runner": rein.record.runner, "pids": pids}
        for name, (rein, pids) in zip(names, await asyncio.gather(*trees), strict=True)
    }
    print(json.dumps(runs), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:4], sys.argv[4:]))
