"""Runs and the ledger's owner killed with -9 at random: never over the cap, nothing served unbooked.

    python -m tests.soak.ledger [--runs 300] [--run-kills 150] [--owner-kills 20] [--cap 100]

Real processes on Unix sockets: runs ask the owner, which holds, forwards, streams, checkpoints and
settles; the provider counts what it really served and is never killed. A killed run comes back, a
killed owner recovers. It ends when the cap refuses every run. Then: what was served is at most the
cap, the books hold at least what was served, and no hold is open.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

DOLLAR = 10**9
PROMPT = 1_000
MOST_OUTPUT = 8_000
CHUNK = 500
NANO_A_TOKEN = 1_000
"""A dollar a million, in and out: a call is held at $0.009 and costs $0.005 in the middle."""


def nano(output):
    return NANO_A_TOKEN * (PROMPT + output)


# --- the provider


async def provide(home):
    """Serves calls by the chunk; each is counted before it leaves."""
    served, truth = 0, os.open(home / "truth", os.O_WRONLY | os.O_CREAT, 0o600)
    chance = random.Random(1)

    def count(amount):
        nonlocal served
        served += amount
        os.pwrite(truth, b"%020d" % served, 0)

    async def serve(reader, writer):
        with contextlib.suppress(OSError):
            most = int(await reader.readline() or -1)
            if most < 0:
                return  # the owner was killed before it asked
            count(nano(0))
            output = chance.randrange(most + 1)
            for said in range(0, output, CHUNK):
                await asyncio.sleep(chance.random() * 0.02)
                if reader.at_eof():
                    break
                more = min(CHUNK, output - said)
                count(NANO_A_TOKEN * more)
                writer.write(b"%d\n" % more)
                await writer.drain()
            writer.write(b"end\n")
            writer.close()

    async with await asyncio.start_unix_server(serve, home / "provider", backlog=4096):
        print("ready", flush=True)
        await asyncio.Event().wait()


# --- the owner


class Owner:
    """The gateway's part: nothing is forwarded without a grant, everything served is settled."""

    def __init__(self, home, ledger):
        self.home = home
        self.ledger = ledger
        self.number = 0

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError):
            while run := (await reader.readline()).decode().strip():
                writer.write(b"%s\n" % await self.one(run, reader))
                await writer.drain()
        writer.close()

    async def one(self, run, reader):
        from cockpit.journal.ledger import Amount, Granted, Hold, call_id

        self.number += 1
        hold = Hold(
            call=call_id(run, f"{os.getpid()}.{self.number}", 1), run=run, model="m",
            scopes=("fleet", "month:2026-11", "day:2026-11-22", "project:/p", f"run:{run}"),
        )  # fmt: skip
        granted = await self.ledger.place(
            hold, lambda out: Amount(nano(out), PROMPT + out), MOST_OUTPUT, CHUNK
        )
        if not isinstance(granted, Granted):
            return granted.reason.encode()
        forwarding = asyncio.create_task(self.forward(granted))
        leaving = asyncio.create_task(gone(reader))
        await asyncio.wait((forwarding, leaving), return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not forwarding.done():
            forwarding.cancel()
        await asyncio.wait((forwarding,))
        return b"done"

    async def forward(self, granted):
        upstream, said, ended = None, 0, False
        try:
            incoming, upstream = await asyncio.open_unix_connection(self.home / "provider")
            upstream.write(b"%d\n" % granted.max_output)
            while not ended:
                line = await incoming.readline()
                ended = not line.strip().isdigit()
                said += 0 if ended else int(line)
                if not ended:
                    self.ledger.checkpoint(granted.call, used(said), nano(said))
        finally:
            if upstream is not None:
                upstream.close()
            self.settle(granted, said, ended)

    def settle(self, granted, said, ended):
        """Of a stream that we cut, two chunks may have been said that we did not hear."""
        from cockpit.journal.ledger import Settlement

        said = said if ended else min(granted.max_output, said + 2 * CHUNK)
        mark = "exact" if ended else "estimated"
        self.ledger.settle(granted.call, Settlement(tokens=used(said), nano=nano(said), mark=mark))


def used(output):
    from cockpit.core.tokens import Tokens

    return Tokens(input=PROMPT, output=output)


async def gone(reader):
    """Done when the client has hung up: it says nothing while it waits for its answer."""
    await reader.read(1)


async def own(home, cap):
    """Serves runs until it is killed."""
    from cockpit.journal.ledger import Cap, Ledger
    from cockpit.journal.store import Journal

    journal = Journal(home / "journal.db")
    ledger = Ledger(journal, lambda: int(time.time() * 1000))
    ledger.recover()
    if ledger.open_holds():
        raise SystemExit("holds are open after recovery")
    ledger.cap("fleet", Cap(cap))
    (home / "owner").unlink(missing_ok=True)
    serve = Owner(home, ledger).serve
    async with await asyncio.start_unix_server(serve, home / "owner", backlog=4096):
        print("ready", flush=True)
        await asyncio.Event().wait()


# --- the runs


def run(home, name):
    """Calls until it is refused for good; an owner that is gone is waited for."""
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as door:
            door.connect(str(home / "owner"))
            answers = door.makefile("rb")
            while True:
                door.sendall(name.encode() + b"\n")
                match answers.readline().strip():
                    case b"done":
                        continue
                    case b"":
                        break
                    case b"cap" | b"soft":
                        return
                    case other:
                        raise SystemExit(f"refused: {other!r}")
        time.sleep(0.05)


def fork(home, name):
    if child := os.fork():
        return child
    code = 1
    try:
        run(home, name)
        code = 0
    finally:
        os._exit(code)


# --- the soak


class Soak:
    def __init__(self, home, cap, seed):
        self.home = home
        self.cap = cap
        self.chance = random.Random(seed)
        self.provider = self.start("provider")
        self.owner = self.start("owner")
        self.runs = {}
        self.kills = Counter()
        self.wrong = []

    def start(self, role):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.ledger", "--be", role, "--home", str(self.home),
             "--cap", str(self.cap / DOLLAR)],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        if process.stdout.readline() != b"ready\n":
            raise SystemExit(f"the {role} did not start")
        return process

    def served(self):
        try:
            return int((self.home / "truth").read_bytes() or 0)
        except FileNotFoundError:
            return 0

    def kill_owner(self):
        self.owner.kill()
        self.owner.wait()
        self.owner.stdout.close()
        self.owner = self.start("owner")
        self.kills["owner"] += 1

    def kill_run(self):
        pid = self.chance.choice(sorted(self.runs))
        os.kill(pid, signal.SIGKILL)
        self.kills["run"] += 1

    def reap(self):
        """Runs that were killed come back; those that were refused are done.

        Each is asked for by its pid: whoever runs this may have children of his own.
        """
        for pid in list(self.runs):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            name = self.runs.pop(pid)
            if os.WIFSIGNALED(status):
                self.runs[fork(self.home, name)] = name
            elif status:
                self.wrong.append(f"{name} ended with {status}")

    def go(self, runs, run_kills, owner_kills):
        """Kills at random moments of the spending, evenly over its first half."""
        half = self.cap // 2
        moments = [(self.chance.randrange(half), self.kill_run) for _ in range(run_kills)]
        moments += [(self.chance.randrange(half), self.kill_owner) for _ in range(owner_kills)]
        moments.sort(key=lambda each: each[0])
        for number in range(runs):
            name = f"run-{number}"
            self.runs[fork(self.home, name)] = name
        while self.runs:
            while moments and self.runs and moments[0][0] <= self.served():
                moments.pop(0)[1]()
            self.reap()
            time.sleep(0.005)
        if moments:
            self.wrong.append(f"the cap was reached before {len(moments)} of the kills")

    def end(self):
        for process in (self.owner, self.provider):
            process.kill()
            process.wait()
            process.stdout.close()
        for pid in self.runs:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def compared(soak):
    """The provider's truth against the books, after one more recovery."""
    from cockpit.journal.ledger import Ledger
    from cockpit.journal.store import Journal

    journal = Journal(soak.home / "journal.db")
    ledger = Ledger(journal, lambda: int(time.time() * 1000))
    ledger.recover()
    again, served = ledger.recover(), soak.served()
    journal.append().result(30)
    booked, rows = ledger.balance("fleet").settled.nano, ledger.settled_since(0)
    while len(rows) % 10_000 == 0 and (more := ledger.settled_since(rows[-1].seq)):
        rows += more
    by_run = sum(ledger.balance(f"run:{run}").settled.nano for run in {row.run for row in rows})
    checks = {
        "served more than the cap": served > soak.cap,
        "served more than is booked": served > booked,
        "booked more than the cap": booked > soak.cap,
        "holds are open after recovery": bool(ledger.open_holds()),
        "a second recovery found something": bool(again),
        "rows and balances differ": sum(row.bill.nano for row in rows) != booked,
        "runs and fleet differ": by_run != booked,
        "a call was booked twice": len({row.call for row in rows}) != len(rows),
    }
    marks = Counter(row.bill.mark for row in rows)
    journal.close()
    ledger.close()
    return {
        "cap": soak.cap / DOLLAR, "served": served / DOLLAR, "booked": booked / DOLLAR,
        "calls": len(rows), "marks": dict(marks), "kills": dict(soak.kills),
        "open_holds": len(ledger.open_holds()),
        "wrong": [*soak.wrong, *(name for name, wrong in checks.items() if wrong)],
    }  # fmt: skip


def soak(runs, run_kills, owner_kills, cap, seed):
    """What happened; `wrong` is empty when all is well."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        test = Soak(Path(home), int(cap * DOLLAR), seed)
        try:
            test.go(runs, run_kills, owner_kills)
        finally:
            test.end()
        figures = compared(test)
    seconds = time.monotonic() - began
    return figures | {
        "seconds": round(seconds, 1),
        "calls_a_second": round(figures["calls"] / seconds),
    }


def main():
    """Prints the figures as JSON; ends with 1 when anything is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--run-kills", type=int, default=150)
    options.add_argument("--owner-kills", type=int, default=20)
    options.add_argument("--cap", type=float, default=100.0, help="dollars")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--be", choices=("provider", "owner"), help=argparse.SUPPRESS)
    options.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    match chosen.be:
        case "provider":
            asyncio.run(provide(chosen.home))
        case "owner":
            asyncio.run(own(chosen.home, int(chosen.cap * DOLLAR)))
        case _:
            answer = soak(
                chosen.runs, chosen.run_kills, chosen.owner_kills, chosen.cap, chosen.seed
            )
            print(json.dumps(answer, indent=2))
            sys.exit(1 if answer["wrong"] else 0)


if __name__ == "__main__":
    main()
