"""Compares reading a history of transcripts with the fastest peers; prints, asserts nothing.

    python -m tests.bench.scan HOME [REPEATS]

HOME holds `.claude/projects`. Each command runs REPEATS times in turn with the others, so that a
busy machine slows all alike; the best CPU time (user + system) of each counts. A peer that is not
installed is left out.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

PEERS = {
    "aiburn": ["aiburn"],
    "ccusage": ["ccusage", "daily", "--offline", "--json"],
    "tokscale": ["tokscale", "--json"],
}
BOOKS = """
import sys
from pathlib import Path
from cockpit.agents import tail
from cockpit.agents.claude_code import ClaudeCode
adapter, calls = ClaudeCode(), 0
for root in adapter.roots(Path(sys.argv[1]), {}):
    for source in adapter.sources(root):
        memory = b""
        for block in tail.blocks(source.path, tail.begin(source.path, None)):
            found = adapter.history(block.read, block.length, source, memory)
            memory, calls = found.memory, calls + len(found.told)
print(calls)
"""


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, int]:
    """CPU seconds and peak resident megabytes of one run; no seconds when it failed."""
    silent = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, silent, target) for target in (0, 1, 2)]
    pid = os.posix_spawnp(command[0], command, environment, file_actions=actions)
    os.close(silent)
    _, status, used = os.wait4(pid, 0)
    if status:
        return float("inf"), 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def contestants(home: Path) -> dict[str, list[str]]:
    ours = {"cockpit books": [sys.executable, "-c", BOOKS, str(home)]}
    if shutil.which("cockpit"):
        ours["cockpit spend"] = ["cockpit", "spend", "--json"]
    found = {name: command for name, command in PEERS.items() if shutil.which(command[0])}
    return {**ours, **found}


def main(home: Path, repeats: int) -> None:
    best: dict[str, tuple[float, int]] = {}
    for _ in range(repeats):
        for name, command in contestants(home).items():
            with tempfile.TemporaryDirectory() as scratch:
                environment = {**os.environ, "HOME": str(home), "COCKPIT_HOME": scratch}
                result = measure(command, environment)
            best[name] = min(best.get(name, result), result)
    peers = [cpu for name, (cpu, _) in best.items() if name in PEERS]
    for name, (cpu, megabytes) in best.items():
        ratio = f"{cpu / min(peers):5.2f} of the best peer" if peers else ""
        print(f"{name:14} {cpu:6.2f} s CPU  {megabytes:4} MB  {ratio}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
