"""How dear the screen is, and how soon it answers a key while a fleet is at work.

    python -m tests.bench.screen [--runs 300] [--presses 150] [--idle 20] [--paints 5]

A home of its own with running transcripts, a real engine, and `cockpit` in a pty. Printed: CPU until the
first paint beside that of a Textual app of one label; CPU while clocks tick and nothing else happens; the
time from a key to the bytes it caused while lines arrive four times a second. The key is the mark, whose
sign nothing else draws.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import sys
import termios
import threading
import time

import psutil

from tests.engine.live import now_ms, prompt, reply
from tests.engine.machine import Machine

LABEL = """
from textual.app import App
from textual.widgets import Static
class Label(App):
    def compose(self):
        yield Static("fleet")
Label().run()
"""
COCKPIT = ("-m", "cockpit")
MARK = "•".encode()
BEAT_SECONDS = 0.25
LINES_A_BEAT = 10
PATIENCE_SECONDS = 15


class Terminal:
    """A program in a pty of 120x40, and what it has drawn since it was last asked."""

    def __init__(self, machine: Machine, *arguments: str) -> None:
        self.pid, self._tty = pty.fork()
        if self.pid == 0:
            os.chdir(machine.root)
            os.execve(sys.executable, [sys.executable, *arguments], machine.environment)
        fcntl.ioctl(self._tty, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def drawn(self, sign: bytes, seconds: float = PATIENCE_SECONDS) -> float:
        """Reads until `sign` is drawn; seconds it took."""
        began, seen = time.monotonic(), b""
        while sign not in seen:
            left = began + seconds - time.monotonic()
            assert left > 0, f"{sign!r} was not drawn"
            if select.select([self._tty], [], [], left)[0]:
                seen = seen[-len(sign) :] + os.read(self._tty, 1 << 16)
        return time.monotonic() - began

    def pressed(self, key: str) -> None:
        os.write(self._tty, key.encode())

    def watched(self, seconds: float) -> None:
        """Reads what is drawn, so that the program never waits for its terminal."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self._tty], [], [], left)[0]:
                os.read(self._tty, 1 << 16)

    def processes(self) -> list[psutil.Process]:
        """The program and its guard, not the engine that it started."""
        own = psutil.Process(self.pid)
        return [own, *(each for each in own.children(recursive=True) if not _is_engine(each))]

    def cpu(self) -> float:
        times = [each.cpu_times() for each in self.processes()]
        return sum(each.user + each.system for each in times)

    def end(self) -> None:
        for each in self.processes():
            each.kill()
        os.waitpid(self.pid, 0)
        os.close(self._tty)


def _is_engine(process: psutil.Process) -> bool:
    return any("cockpit.engine" in word for word in process.cmdline())


def main() -> None:
    """Prints the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--presses", type=int, default=150)
    options.add_argument("--idle", type=float, default=20)
    options.add_argument("--paints", type=int, default=5)
    chosen = options.parse_args()
    machine = Machine()
    try:
        begun(machine, chosen.runs)
        machine.start()
        figures = {"runs": chosen.runs, **painted(machine, chosen.paints)}
        figures |= lived(machine, chosen.runs, chosen.presses, chosen.idle)
        print(json.dumps({**figures, "load": round(os.getloadavg()[0], 1)}, indent=2))
    finally:
        machine.end()


def begun(machine: Machine, runs: int) -> None:
    """Transcripts of runs in the middle of a turn."""
    at = now_ms() - 60_000
    for run in range(runs):
        said = (
            reply(f"{run}-{n}", f"s{run}", at=at + n * 1_000, tool="Bash") for n in range(1, 20)
        )
        path = machine.transcript(f"s{run}", f"-p{run % 30}")
        path.write_bytes(prompt(0, f"s{run}", at=at) + b"".join(said))


def painted(machine: Machine, times: int) -> dict[str, float]:
    """CPU until the first paint, in turns with the app of one label."""
    ours, label = [], []
    for _ in range(times):
        for found, arguments in ((ours, COCKPIT), (label, ("-c", LABEL))):
            terminal = Terminal(machine, *arguments)
            terminal.drawn(b"fleet")
            found.append(terminal.cpu())
            terminal.end()
    return {
        "first_paint_cpu_s": round(statistics.median(ours), 3),
        "label_cpu_s": round(statistics.median(label), 3),
        "ratio": round(statistics.median(ours) / statistics.median(label), 2),
    }


def lived(machine: Machine, runs: int, presses: int, idle: float) -> dict[str, object]:
    """What it costs to do nothing, and how soon keys are answered."""
    terminal = Terminal(machine, *COCKPIT)
    terminal.drawn(f"{runs} runs".encode())
    terminal.watched(5)
    before = terminal.cpu()
    terminal.watched(idle)
    spent = terminal.cpu() - before
    memory = sum(each.memory_info().rss for each in terminal.processes())
    done = threading.Event()
    writing = threading.Thread(target=written, args=(machine, runs, done))
    writing.start()
    try:
        terminal.watched(2)
        waits = sorted(answered(terminal) for _ in range(presses))
    finally:
        done.set()
        writing.join()
        terminal.end()
    return {
        "idle_percent_of_a_core": round(100 * spent / idle, 2),
        "memory_mb": round(memory / 1e6, 1),
        "key_ms": {
            "p50": round(1000 * waits[len(waits) // 2], 1),
            "p95": round(1000 * waits[int(len(waits) * 0.95)], 1),
            "p99": round(1000 * waits[int(len(waits) * 0.99)], 1),
            "max": round(1000 * waits[-1], 1),
        },
    }


def answered(terminal: Terminal) -> float:
    """Marks a run and takes all marks away again; seconds until the mark was drawn."""
    terminal.pressed(" ")
    took = terminal.drawn(MARK)
    terminal.watched(0.05)
    terminal.pressed("\x1b")
    terminal.watched(0.2)
    return took


def written(machine: Machine, runs: int, done: threading.Event) -> None:
    """Lines for some of the runs at each beat."""
    number = 1000
    while not done.wait(BEAT_SECONDS):
        for _ in range(LINES_A_BEAT):
            number += 1
            run = number % runs
            with machine.transcript(f"s{run}", f"-p{run % 30}").open("ab") as file:
                file.write(reply(f"{run}-{number}", f"s{run}", tool="Bash"))


if __name__ == "__main__":
    main()
