"""What the ledger costs: holds placed and settled a second, and how long a call waits to be let out.

    python -m tests.bench.ledger [--runs 300] [--seconds 10] [--think-ms 0] [--home DIRECTORY]

Each run places a hold in six scopes, thinks, checkpoints and settles, again and again; latency is
from asking to the durable grant. CPU is the whole process's. The home decides which disk is measured.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from cockpit.core.tokens import Tokens
from cockpit.engine.process import SWITCH_SECONDS
from cockpit.journal.ledger import Amount, Cap, Granted, Hold, Ledger, Settlement
from cockpit.journal.store import Journal

SHARED = ("fleet", "month:2026-11", "day:2026-11-22", "project:/p")


def price(output):
    return Amount(1_000_000 + 25_000 * output, 1_000 + output)


async def run(ledger, name, until, think, waits):
    """One run that calls until the time is over."""
    scopes = (*SHARED, f"run:{name}", f"stage:{name}/s")
    number = 0
    while time.monotonic() < until:
        number += 1
        hold = Hold(call=f"{name}-{number}", run=name, scopes=scopes, model="m", provider="p")
        began = time.perf_counter()
        granted = await ledger.place(hold, price, 4_000, 100)
        waits.append(time.perf_counter() - began)
        assert isinstance(granted, Granted)
        if think:
            await asyncio.sleep(random.expovariate(1 / think))
            ledger.checkpoint(hold.call, Tokens(input=1_000, output=500), 13_500_000)
        bill = Settlement(tokens=Tokens(input=1_000, output=900), nano=23_500_000)
        ledger.settle(hold.call, bill)


async def measured(home, runs, seconds, think_ms):
    """Figures of one load."""
    journal = Journal(home / "journal.db")
    ledger = Ledger(journal, lambda: int(time.time() * 1000))
    ledger.cap("fleet", Cap(10**17, 10**14))
    ledger.cap("day:2026-11-22", Cap(10**17))
    waits, before, began = [], cpu(), time.monotonic()
    until = began + seconds
    await asyncio.gather(
        *(run(ledger, f"r{number}", until, think_ms / 1000, waits) for number in range(runs))
    )
    took = time.monotonic() - began
    spent = cpu() - before
    await asyncio.wrap_future(journal.append())
    journal.close()
    ledger.close()
    waits.sort()
    return {
        "runs": runs, "think_ms": think_ms, "calls": len(waits),
        "place_and_settle_a_second": round(len(waits) / took),
        "grant_ms": {
            name: round(1000 * waits[min(len(waits) - 1, int(len(waits) * share))], 2)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))
        },
        "cpu_us_a_call": round(1e6 * spent / len(waits)),
    }  # fmt: skip


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    """Prints the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--seconds", type=float, default=10)
    options.add_argument("--think-ms", type=float, default=0)
    options.add_argument("--home", type=Path)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.home) as home:
        sys.setswitchinterval(SWITCH_SECONDS)  # as the engine does
        figures = asyncio.run(measured(Path(home), chosen.runs, chosen.seconds, chosen.think_ms))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
