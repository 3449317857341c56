"""Runs that become scripts, a second of processor time: `python -m tests.bench.compile [RUNS]`.

The baseline is a script that parses what the compiler reads: every output as JSON, nothing inferred.
"""

import json
import sys
import time
from contextlib import suppress

from cockpit.architect.compile import compile_task
from tests.architect.tail import TASKS
from tests.architect.worlds import Blobs

RUNS_A_TASK = 8


def main(runs):
    """Prints both times and their ratio."""
    blobs = Blobs()
    tasks = []
    while len(tasks) * RUNS_A_TASK < runs:
        task = TASKS[len(tasks) % len(TASKS)]
        tasks.append((f"{task.name}-{len(tasks)}", task.traces(blobs, RUNS_A_TASK, len(tasks))))
    read = timed(lambda: [parsed(trace) for _, traces in tasks for trace in traces])
    made = timed(lambda: [compile_task(name, traces, blobs) for name, traces in tasks])
    print(f"{runs} runs: {made:.2f} s, reading alone {read:.3f} s, {made / read:.0f} x")


def parsed(trace):
    for step in trace.steps:
        with suppress(ValueError):
            json.loads(step.output)


def timed(work):
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000)
