"""What one appended line costs the engine, and what it costs to do nothing.

    python -m tests.bench.append [--runs 300] [--lines 1000]

A home of its own with live transcripts; CPU is the engine process's by the kernel's account.
"""

import argparse
import asyncio
import json
import random
import time

import psutil

from tests.engine.live import now_ms, prompt, reply
from tests.engine.machine import Machine, asked

IDLE_SECONDS = 20


def main() -> None:
    """Prints the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--lines", type=int, default=1000)
    options.add_argument("--gap-ms", type=int, default=60)
    chosen = options.parse_args()
    machine = Machine()
    try:
        print(json.dumps(measured(machine, chosen.runs, chosen.lines, chosen.gap_ms), indent=2))
    finally:
        machine.end()


def measured(machine: Machine, runs: int, lines: int, gap_ms: int) -> dict[str, float]:
    """CPU of the engine, beginning with an empty cockpit."""
    begin = now_ms() - 3_000_000
    for run in range(runs):
        history = [reply(f"{run}-{n}", f"s{run}", at=begin + n * 60_000) for n in range(1, 50)]
        path = machine.transcript(f"s{run}", f"-p{run % 30}")
        path.write_bytes(prompt(0, f"s{run}", at=begin) + b"".join(history))
    engine = psutil.Process(machine.start())
    asyncio.run(asked(machine, "sync"))
    opened = _cpu(engine)
    time.sleep(3)
    idle = _cpu(engine)
    time.sleep(IDLE_SECONDS)
    idle = _cpu(engine) - idle
    path = machine.transcript("s7", "-p7")
    before, began = _cpu(engine), time.monotonic()
    for number in range(1000, 1000 + lines):
        with path.open("ab") as file:
            file.write(reply(f"7-{number}", "s7", text="x" * random.randint(10, 4000)))
        time.sleep(gap_ms / 1000)
    asyncio.run(asked(machine, "sync"))
    busy, seconds = _cpu(engine) - before, time.monotonic() - began
    rest = idle / IDLE_SECONDS * seconds
    return {
        "runs": runs,
        "read_everything_cpu_s": round(opened, 2),
        "idle_percent_of_a_core": round(100 * idle / IDLE_SECONDS, 2),
        "lines": lines,
        "cpu_ms_per_line": round(1000 * busy / lines, 3),
        "cpu_ms_per_line_above_idle": round(1000 * (busy - rest) / lines, 3),
        "rss_mb": round(engine.memory_info().rss / 1e6, 1),
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
