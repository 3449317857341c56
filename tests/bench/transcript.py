"""What the transcript costs at 10,000 turns, in a real pty: one appended entry, one page scrolled, one opened run.

python tests/bench/transcript.py [TURNS]
"""

import asyncio
import fcntl
import json
import os
import pty
import resource
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from cockpit.core import events as e
from cockpit.core.fleet import Fleet
from cockpit.core.spending import By, SpentReport
from cockpit.core.tokens import Tokens
from cockpit.engine.client import Page

APPENDS, SCROLLS = 200, 200


def turn(number: int) -> list[e.Event]:
    """One turn of a run: words, a tool, its answer, its cost; every tenth begins with a prompt."""
    at = 1_795_000_000_000 + number * 10_000
    said: list[e.Event] = []
    if number % 10 == 0:
        said.append(
            e.PromptGiven(run="r", at=at, text=f"Step {number}: go on with the port.\n" * 3)
        )
    return [
        *said,
        e.ReplyGiven(run="r", at=at + 1, text="The grammar needs a rule for unary minus. " * 12),
        e.ToolStarted(
            run="r", at=at + 2, tool=f"t{number}", name="Bash", summary="pytest -q tests/lark"
        ),
        e.CallSettled(
            run="r",
            at=at + 3,
            call=f"c{number}",
            model="m",
            tokens=Tokens(100, output=50),
            nano=10**7,
        ),
        e.ToolEnded(run="r", at=at + 900, tool=f"t{number}", output="214 passed in 3.01s\n" * 40),
    ]


def story(turns: int) -> Iterator[e.Event]:
    return (event for number in range(turns) for event in turn(number))


class Silent:
    """An engine with one run that says nothing by itself."""

    async def fleets(self) -> AsyncIterator[Fleet]:
        await asyncio.Event().wait()
        yield Fleet()

    async def transcript(self, run: str, before: int | None = None, limit: int = 300) -> Page:
        return Page([])

    async def story(self, run: str) -> AsyncIterator[list[e.Event]]:
        await asyncio.Event().wait()
        yield []

    async def spend(self, by: By, *_: object, **__: object) -> SpentReport:
        return SpentReport()


async def measured(app, work) -> float:
    """Milliseconds of CPU from a change until it is on the screen."""
    begun = time.process_time()
    work()
    painted = asyncio.Event()
    app.call_after_refresh(painted.set)
    await painted.wait()
    await asyncio.sleep(0.005)  # the writer thread encodes and sends
    return (time.process_time() - begun) * 1_000


def child(turns: int, answer: Path) -> None:
    from cockpit.ui.app import CockpitApp
    from cockpit.ui.widgets.transcript import Transcript

    class Bench(CockpitApp):
        def on_ready(self) -> None:
            self.open_run("r")
            self.set_timer(0.5, self.begin)

        def begin(self) -> None:
            self.run_worker(self.measure())

        async def measure(self) -> None:
            transcript = self.screen.query_one(Transcript)
            figures: dict[str, list[float]] = {}
            figures["open"] = [
                await measured(self, lambda: transcript.begin(story(turns), complete=True))
            ]
            figures["nothing"] = [await measured(self, lambda: None) for _ in range(50)]
            figures["append"] = [
                await measured(self, lambda n=n: self.screen._happened(turn(turns + n)[-4:]))
                for n in range(APPENDS)
            ]
            figures["page up"] = [
                await measured(self, lambda: transcript.page(-1)) for _ in range(SCROLLS)
            ]
            figures["line up"] = [
                await measured(self, lambda: transcript.scroll(-1)) for _ in range(SCROLLS)
            ]
            figures["unfold all"] = [await measured(self, transcript.fold_all) for _ in range(10)]
            figures["page before"] = [
                await measured(self, lambda n=n: transcript.add_before(story(100), complete=False))
                for n in range(10)
            ]
            figures["search"] = [
                await measured(self, lambda: transcript.search("bracket")) for _ in range(5)
            ]
            figures["entries"] = [len(transcript.story.entries)]
            figures["rss MB"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
            answer.write_text(json.dumps(figures))
            self.exit()

    Bench(Silent()).run()


def main() -> None:
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    answer = Path(tempfile.mkdtemp()) / "figures.json"
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(turns), str(answer)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(follower)
    tail = b""
    while process.poll() is None:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                tail = (tail + os.read(leader, 65536))[-3000:]
            except OSError:
                break
    process.wait()
    if not answer.exists():
        sys.exit(tail.decode(errors="replace"))
    print(f"{turns:,} turns, 120x40, a real pty; CPU milliseconds, all threads")
    for name, values in json.loads(answer.read_text()).items():
        values.sort()
        middle, high = (
            values[len(values) // 2],
            values[min(len(values) - 1, len(values) * 99 // 100)],
        )
        print(f"{name:12} n {len(values):4}  median {middle:9.2f}  p99 {high:9.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
