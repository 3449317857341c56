"""Engine and screen killed with -9 at random while transcripts grow: nothing lost, nothing twice.

    python -m tests.soak.kill9 [--kills 50] [--seed 1]

Sessions, sub-agents and forks are appended to at random moments, in whole lines and in halves, with
calls told again and with growing figures. The engine, the screen (in a pty) or both are killed at
random; the screen's terminal must be in order after each kill. At the end the fleet, the books and
what was really written must agree to the token, and every confirmed budget must still stand.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import termios
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pexpect

from cockpit.core.budget import Budget
from cockpit.core.money import decimal_string
from cockpit.core.tokens import Tokens
from cockpit.engine.client import Client, EngineError
from tests.engine.live import BOOK, MODEL, now_ms, prompt, reply
from tests.engine.machine import Machine

SESSIONS = 8


class Growing(threading.Thread):
    """Writes transcripts as agents do, and remembers what a perfect reader would know."""

    def __init__(self, machine: Machine, seed: int) -> None:
        super().__init__(name="growing", daemon=True)
        self.machine = machine
        self.random = random.Random(seed)
        self.truth: dict[str, Tokens] = {}
        self.lines = 0
        self.number = 0
        self.ending = threading.Event()

    def run(self) -> None:
        while not self.ending.is_set():
            for line, path in self.said():
                self.write(path, line)
            time.sleep(self.random.expovariate(1 / 0.02))

    def said(self) -> list[tuple[bytes, Path]]:
        session = f"s{self.random.randrange(SESSIONS)}"
        path = self.machine.transcript(session)
        match self.random.randrange(12):
            case 0:
                return [(prompt(self.number, session), path)]
            case 1:
                return [(self.call(session, isSidechain=True, agentId="a"), self.side(session))]
            case 2:  # one answer in three lines, each with more of it
                self.number += 1
                figures = [1, self.random.randrange(2, 50), self.random.randrange(50, 500)]
                return [(self.told(self.number, session, figure), path) for figure in figures]
            case 3:  # a fork carries a copy of what was said before
                copied = (
                    b"".join(
                        line for line in path.read_bytes().splitlines(True) if line.endswith(b"\n")
                    )
                    if path.exists()
                    else b""
                )
                fork = self.machine.transcript(f"{session}-fork{self.random.randrange(3)}")
                if fork.exists() or len(copied) > 200_000:
                    return [(self.call(session), path)]
                return [(copied, fork), (self.call(fork.stem), fork)]
            case _:
                return [(self.call(session), path)]

    def side(self, session: str) -> Path:
        path = self.machine.transcript(session).with_suffix("") / "subagents" / "agent-a.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def call(self, session: str, **more: Any) -> bytes:
        self.number += 1
        return self.told(self.number, session, self.random.randrange(500), **more)

    def told(self, number: int, session: str, output: int, **more: Any) -> bytes:
        text = "x" * self.random.choice((5, 100, 3000))
        written = Tokens(3, 100 + number, 0, 1000, output)
        known = self.truth.get(f"msg_{number}", Tokens())
        self.truth[f"msg_{number}"] = known.largest(written)
        return reply(number, session, output=output, text=text, **more)

    def write(self, path: Path, line: bytes) -> None:
        """In one piece, or torn in two as a full pipe would."""
        self.lines += 1
        cut = self.random.randrange(len(line)) if line and self.random.random() < 0.2 else 0
        with path.open("ab", buffering=0) as file:
            for part in (line[:cut], line[cut:]):
                file.write(part)
                if cut:
                    time.sleep(self.random.random() * 0.05)


class Screen:
    """`cockpit` in a pty, its output drained."""

    def __init__(self, machine: Machine) -> None:
        self.process = pexpect.spawn(
            sys.executable, ["-m", "cockpit"], env=machine.environment, dimensions=(40, 120)
        )
        self.modes = termios.tcgetattr(self.process.fileno())
        self.written = bytearray()
        self.draining = threading.Thread(target=self._drain, daemon=True)
        self.draining.start()

    def _drain(self) -> None:
        with contextlib.suppress(pexpect.EOF, OSError, ValueError):
            while True:
                with contextlib.suppress(pexpect.TIMEOUT):
                    self.written += self.process.read_nonblocking(65536, 1)
                    del self.written[:-65536]

    def kill(self) -> bool:
        """kill -9; whether the terminal is in order then."""
        os.kill(self.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, termios.error):
                if termios.tcgetattr(self.process.fileno()) == self.modes:
                    self.process.close()
                    return True
            time.sleep(0.02)
        self.process.close()
        return False


async def confirmed(machine: Machine, run: str, budget: Budget) -> bool:
    """Whether the engine, if there is one at the moment, said that the budget stands."""
    try:
        client = await Client.connect(machine.socket)
    except EngineError:
        return False
    try:
        await asyncio.wait_for(client.set_budget(run, budget), 5)
    except (EngineError, TimeoutError):
        return False
    finally:
        await client.close()
    return True


def soak(kills: int, seed: int) -> dict[str, Any]:
    """Kills, restarts, compares; what differs is under `wrong`, empty when all is well."""
    machine = Machine()
    chance = random.Random(seed)
    growing = Growing(machine, seed)
    wrong: list[str] = []
    counted = Counter[str]()
    budgets: dict[str, Budget] = {}
    try:
        machine.start()
        growing.start()
        screen = Screen(machine)
        for number in range(kills):
            time.sleep(chance.uniform(0.1, 1.2))
            run = f"claude-code/s{chance.randrange(SESSIONS)}"
            budget = Budget(money=10**12 + number, turns=10**6)
            if asyncio.run(confirmed(machine, run, budget)):
                budgets[run] = budget
            victim = chance.choice(("engine", "engine", "screen", "both"))
            counted[victim] += 1
            if victim != "screen":
                _kill_engine(machine)
            if victim != "engine":
                if not screen.kill():
                    wrong.append(f"kill {number}: the terminal was not restored")
                screen = Screen(machine)
        growing.ending.set()
        growing.join(10)
        if not screen.kill():
            wrong.append("the terminal was not restored at the end")
        return _compared(machine, growing, budgets, wrong) | {"kills": dict(counted)}
    finally:
        growing.ending.set()
        growing.join(10)
        machine.end()


def _kill_engine(machine: Machine) -> None:
    """The screen starts another one by itself; sometimes there is none yet."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(machine.pid(), signal.SIGKILL)


def _compared(
    machine: Machine, growing: Growing, budgets: dict[str, Budget], wrong: list[str]
) -> dict[str, Any]:
    truth = sum(growing.truth.values(), Tokens())
    nano = sum(BOOK.cost(MODEL, "", each, now_ms()) or 0 for each in growing.truth.values())
    machine.start()
    fleet = asyncio.run(_fleet(machine))
    spent = json.loads(machine.run("spend", "--json").stdout)["total"]
    shown = sum((run.tokens for run in fleet.runs.values()), Tokens())
    figures = {
        "tokens": (truth.by_class(), shown.by_class(), spent["tokens"]),
        "usd": (
            decimal_string(nano),
            decimal_string(sum(run.nano for run in fleet.runs.values())),
            spent["usd"],
        ),
        "calls": (
            len(growing.truth), sum(run.calls for run in fleet.runs.values()), spent["calls"],
        ),
        "bad lines": (0, sum(run.bad_lines for run in fleet.runs.values()), spent["bad_lines"]),
        "spent by the hour": (nano, sum(fleet.spent.values()), nano),
    }  # fmt: skip
    for name, (written, on_screen, in_books) in figures.items():
        if not written == on_screen == in_books:
            wrong.append(f"{name}: written {written}, fleet {on_screen}, books {in_books}")
    for run, budget in budgets.items():
        if fleet.runs[run].budget != budget:
            wrong.append(f"{run}: budget {fleet.runs[run].budget}, confirmed {budget}")
    if "Traceback" in machine.log():
        wrong.append(machine.log()[-3000:])
    return {
        "lines": growing.lines, "runs": len(fleet.runs), "calls": len(growing.truth),
        "usd": decimal_string(nano), "budgets": len(budgets), "wrong": wrong,
    }  # fmt: skip


async def _fleet(machine: Machine) -> Any:
    client = await machine.client()
    try:
        await client.ask("sync")
        return await client.fleet()
    finally:
        await client.close()


def main() -> None:
    """Prints what happened as JSON; ends with 1 when anything is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    began = time.monotonic()
    answer = soak(chosen.kills, chosen.seed)
    print(json.dumps(answer | {"seconds": round(time.monotonic() - began)}, indent=2))
    sys.exit(1 if answer["wrong"] else 0)


if __name__ == "__main__":
    main()
