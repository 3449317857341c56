"""How fast a stop is, and what the table costs: `python -m tests.bench.stop`.

Key to dead: from the call of `stop` to its `RunStopped`. `late` is how much later than the death of
the last process that came.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time

from cockpit.agents.adapter import InterruptRule
from cockpit.core.events import RunStopped
from cockpit.engine.lookout import Lookout
from cockpit.engine.processes import created, snapshot
from cockpit.engine.stop import stop
from cockpit.engine.tree import Target

POLITE = "trap 'kill $!; exit 0' INT TERM; sleep 600 & wait"
DEAF = "trap '' INT TERM HUP; sleep 600 & setsid sleep 600 & wait"
RULE = InterruptRule(grace_ms=3_000)


def start(script):
    return subprocess.Popen(["bash", "-c", script], start_new_session=True)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def one(process, lookout, mode):
    target = Target("run", ((process.pid, created(process.pid)),))
    loop = asyncio.get_running_loop()
    died = loop.create_future()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, lambda: died.done() or died.set_result(time.monotonic()))
    began = time.monotonic()
    outcome = await stop(
        target, RULE, mode=mode, emit=lambda _: None, now=lambda: 0, lookout=lookout
    )
    ended = time.monotonic()
    assert isinstance(outcome, RunStopped), outcome
    dead = await died
    loop.remove_reader(descriptor)
    os.close(descriptor)
    process.wait()
    return (ended - began) * 1000, (ended - dead) * 1000


async def measure(name, script, mode, count, together):
    lookout = Lookout()
    processes = [start(script) for _ in range(count)]
    await asyncio.sleep(0.02 * count + 0.3)
    await lookout.fresh()
    began, cpu = time.monotonic(), time.process_time()
    if together:
        taken = await asyncio.gather(*(one(process, lookout, mode) for process in processes))
    else:
        taken = [await one(process, lookout, mode) for process in processes]
    whole, cpu = time.monotonic() - began, time.process_time() - cpu
    lookout.close()
    totals, late = [total for total, _ in taken], [late for _, late in taken]
    print(
        f"{name:34} p50 {statistics.median(totals):7.1f}  p99 {percentile(totals, 0.99):7.1f} ms"
        f"   late p50 {statistics.median(late):6.1f}  p99 {percentile(late, 0.99):6.1f} ms"
        f"   all {whole:5.2f} s   cpu {cpu:5.2f} s"
    )


def table(count):
    sleepers = [subprocess.Popen(["sleep", "600"]) for _ in range(count)]
    first, cold = snapshot(), time.process_time()
    snapshot()
    cold = time.process_time() - cold
    time.sleep(2)
    seen = snapshot(first)
    warm = time.process_time()
    for _ in range(10):
        seen = snapshot(seen)
    warm = (time.process_time() - warm) / 10
    print(
        f"table of {len(seen):5} processes          cold {cold * 1000:6.1f} ms cpu   warm {warm * 1000:6.1f} ms cpu"
    )
    for sleeper in sleepers:
        sleeper.kill()
        sleeper.wait()


async def main():
    await measure("polite, one after the other", POLITE, "stop", 50, together=False)
    await measure("polite, 100 together", POLITE, "stop", 100, together=True)
    await measure("panic, one after the other", DEAF, "panic", 30, together=False)
    await measure("panic, 100 deaf trees together", DEAF, "panic", 100, together=True)
    busy = threading.Event()

    def spin():
        while not busy.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=spin)
    thread.start()
    await measure("polite, another thread busy", POLITE, "stop", 20, together=False)
    busy.set()
    thread.join()
    for count in (200, 2_000) if len(sys.argv) == 1 else map(int, sys.argv[1:]):
        table(count)


if __name__ == "__main__":
    asyncio.run(main())
