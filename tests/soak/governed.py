"""Governed runs and their engine killed with -9 at random: never over the cap, nothing served unbooked.

    python -m tests.soak.governed [--runs 300] [--cap 100usd] [--run-kills 150] [--engine-kills 20]

Everything is real: an engine in a home of its own, runs begun by its request `begin`, a runner and a
process tree each, the gateway, and a simulated provider whose own account is the truth. Agents and
runners are killed, a killed run comes back; the engine is killed and started again at once. It ends
when the cap refuses every run. Then: what was served, priced by the book, is at most the cap; the books
hold at least that, run by run; no hold is open, nobody survives a panic and no run is left live.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import msgspec
import psutil

from cockpit.core.money import decimal_string, parse_money
from cockpit.core.tokens import Tokens
from cockpit.engine.client import EngineError
from cockpit.prices.book import Book
from tests.engine.governed import Governed
from tests.engine.hostile import MARK
from tests.engine.machine import alive

CALLER = Path(__file__).with_name("caller.py")
BEGIN_AT_ONCE = 6
CALLS_A_SECOND = 20
KILLS_WITHIN = 0.35
"""All kills fall before so much of the cap was spent on calls that ended: what a killed engine leaves
under way is presumed and fills the cap too."""
LOOK_SECONDS = 2.0
QUIET_SECONDS = 120
PANIC_SECONDS = 2.0


class Fleet(Governed):
    """A machine with a cap, an engine that is our own child, and what is on its disk."""

    def __init__(self, cap):
        super().__init__()
        self.mark = uuid.uuid4().hex
        config = self.cockpit_home / "config"
        config.mkdir(parents=True)
        (config / "settings.toml").write_text(f'fleet_cap = "{cap}"\n')
        self.engine = None
        self.down, self.starting = [], []

    @property
    def environment(self):
        return {**super().environment, "OPENAI_API_KEY": "sk-the-real-key-9137"}

    def start_engine(self):
        began = time.monotonic()
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "engine.log").open("ab") as log:
            self.engine = subprocess.Popen(
                [sys.executable, "-m", "cockpit.engine"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return began

    def kill_engine(self):
        self.engine.kill()
        self.engine.wait()
        return self.start_engine()

    async def is_up(self, began):
        while True:
            with contextlib.suppress(EngineError):
                await (await self.client()).close()
                self.down.append(time.monotonic() - began)
                self.starting.append(self.engine_cpu())
                return
            if self.engine.poll() is not None:
                raise SystemExit(f"the engine ended by itself:\n{self.log()[-3000:]}")
            await asyncio.sleep(0.02)

    def engine_cpu(self):
        """Seconds of CPU that the engine has used."""
        times = psutil.Process(self.engine.pid).cpu_times()
        return times.user + times.system

    def rows(self, query):
        """Rows of the journal as they are on the disk."""
        with contextlib.closing(sqlite3.connect(self.journal, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    @property
    def journal(self):
        return self.cockpit_home / "data" / "journal.db"

    def booked(self):
        """Nano-dollars in the books of the whole fleet."""
        rows = self.rows("SELECT nano FROM balances WHERE scope = 'fleet'")
        return rows[0][0] if rows else 0

    def ended(self):
        """Nano-dollars of the calls whose end was seen."""
        ((nano,),) = self.rows("SELECT sum(nano) FROM calls WHERE mark IN ('exact', 'estimated')")
        return nano or 0

    def recorded(self, run):
        """Pids of agent and runner, None once the run's record is gone."""
        try:
            record = json.loads((self.state / "runners" / f"{run}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return record["pid"], record["runner"]

    def survivors(self):
        """Everybody who carries our mark, and every runner of ours."""
        found, ours, mark = {}, self.names(), f"{MARK}={self.mark}".encode()
        for entry in os.scandir("/proc"):
            with contextlib.suppress(OSError):
                place = Path(entry.path)
                words = (place / "cmdline").read_bytes() if entry.name.isdigit() else b""
                is_runner = b"cockpit.engine.runner" in words
                is_ours = is_runner and words.split(b"\0")[-2].decode() in ours
                if is_ours or (words and mark in (place / "environ").read_bytes()):
                    found[int(entry.name)] = words.replace(b"\0", b" ").decode()[-80:]
        return found

    def alive(self, pids):
        """Those of them that still live."""
        return [pid for pid in pids if alive(pid)]

    def stops_that_failed(self):
        rows = self.rows("SELECT body FROM events WHERE kind = 'stop_failed'")
        return [json.loads(body)["reason"] for (body,) in rows]

    def close(self):
        """Ends the engine and whoever is left."""
        if self.engine is not None:
            self.engine.terminate()
            self.engine.wait()
        for pid in self.survivors():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.end()

    def names(self):
        """The name of each run by its id."""
        rows = self.rows("SELECT body FROM events WHERE kind = 'run_governed'")
        told = [json.loads(body) for (body,) in rows]
        return {each["run"]: each.get("name", "") for each in told}


class Soak:
    def __init__(self, fleet, cap, seed):
        self.fleet = fleet
        self.cap = cap
        self.chance = random.Random(seed)
        self.few = asyncio.Semaphore(BEGIN_AT_ONCE)
        self.live = {}
        self.killed = set()
        self.kills = Counter()
        self.begun = self.failed = 0
        self.waiting = set()
        self.wrong = []

    # --- the runs

    async def slot(self, number, think):
        """One of the runs, begun again whenever it was killed, until a cap refuses it."""
        for attempt in range(1, 1_000):
            name = f"a{number}.{attempt}"
            run = await self.begin(name, number, think)
            if run is None:
                return
            self.live[run] = name
            while self.fleet.recorded(run) is not None:
                if run in self.waiting and run not in self.killed:
                    return
                await asyncio.sleep(0.2)
            del self.live[run]
            if run not in self.killed:
                return

    async def begin(self, name, number, think):
        """The run's id; None when the cap lets no run begin any more."""
        options = [word for word in ("detach", "stay") if self.chance.random() < 0.3]
        seed = self.chance.randrange(2**60)
        wish = {
            "command": [
                sys.executable, "-I", "-S", str(CALLER), str(seed), str(think), *options,
            ],
            "cwd": str(self.fleet.root), "project": f"/p{number % 7}", "name": name,
            "environment": {**self.fleet.environment, MARK: self.fleet.mark},
            "upstreams": {
                "anthropic": f"{self.fleet.upstream}/run/{name}",
                "chat": f"{self.fleet.upstream}/run/{name}/v1",
            },
        }  # fmt: skip
        while True:
            try:
                async with self.few:
                    answer = await self.ask("begin", **wish)
                self.begun += 1
                return json.loads(answer)["run"]
            except EngineError as error:
                if "cap" in str(error):
                    return None
                if "engine" not in str(error):
                    self.wrong.append(f"{name} could not begin: {error}")
                    return None
                self.failed += 1
                await asyncio.sleep(self.chance.random())

    async def ask(self, do, **arguments):
        client = await self.fleet.client()
        try:
            return await asyncio.wait_for(client.ask(do, **arguments), 60)
        finally:
            await client.close()

    # --- the kills

    async def kills_over(self, run_kills, engine_kills):
        """Kills at random moments of the spending."""
        until = int(self.cap * KILLS_WITHIN)
        moments = [(self.chance.randrange(until), self.kill_run) for _ in range(run_kills)]
        moments += [(self.chance.randrange(until), self.kill_engine) for _ in range(engine_kills)]
        for moment, kill in sorted(moments, key=lambda each: each[0]):
            while self.fleet.ended() < moment:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.1)
            await kill()

    async def kill_engine(self):
        self.kills["engine"] += 1
        await self.fleet.is_up(self.fleet.kill_engine())

    async def kill_run(self):
        """The agent, its runner, or both, in either order."""
        while True:
            run = self.chance.choice(sorted(self.live) or [""])
            pids = self.fleet.recorded(run) if run not in self.killed else None
            if pids is not None:
                break
            await asyncio.sleep(0.01)
        agent, runner = pids
        what = self.chance.choice(("agent", "agent", "runner", "both"))
        victims = {"agent": [agent], "runner": [runner], "both": [runner, agent]}[what]
        self.killed.add(run)
        self.kills[what] += 1
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # --- the whole

    async def go(self, runs, run_kills, engine_kills, pace):
        await self.fleet.is_up(self.fleet.start_engine())
        think = runs / pace
        killing = asyncio.create_task(self.kills_over(run_kills, engine_kills))
        slots = [asyncio.create_task(self.slot(number, think)) for number in range(runs)]
        looking = asyncio.create_task(self.look())
        done, _ = await asyncio.wait(slots, timeout=3_000)
        if len(done) < len(slots):
            self.wrong.append(f"{len(slots) - len(done)} runs never came to the cap")
        if not killing.done():
            self.wrong.append("the cap was reached before all kills were done")
        killing.cancel()
        looking.cancel()
        for result in await asyncio.gather(killing, *slots, looking, return_exceptions=True):
            if isinstance(result, Exception):
                self.wrong.append(repr(result))

    async def look(self):
        """Who waits at a cap, told by the engine; how far it is, told to who watches."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(EngineError, TimeoutError):
                fleet = json.loads(await self.ask("fleet"))
                self.waiting = {run["id"] for run in fleet["runs"].values() if run.get("deferred")}
            print(
                f"{self.begun} begun, {len(self.live)} live, {len(self.waiting)} deferred,"
                f" ${self.fleet.booked() / 1e9:.2f} booked, kills {dict(self.kills)}",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    async def quiet(self):
        """No hold is open any more: every call under way has ended."""
        for _ in range(QUIET_SECONDS * 10):
            ((number,),) = self.fleet.rows(
                "SELECT count(*) FROM calls WHERE state IN ('open', 'dispatched')"
            )
            if not number:
                return
            await asyncio.sleep(0.1)
        self.wrong.append(f"{number} holds are open")

    async def panic(self):
        """Seconds until nobody was left."""
        before = self.fleet.survivors()
        began = time.monotonic()
        await self.ask("panic")
        while self.fleet.alive(before) and time.monotonic() - began < 30:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        took = time.monotonic() - began
        left = self.fleet.survivors()
        if left:
            self.wrong.append(f"survivors: {left}")
        return {"processes": len(before), "seconds": round(took, 2)}

    async def nobody_lives(self):
        """Every run has ended for the engine too."""
        live = []
        for _ in range(100):
            fleet = json.loads(await self.ask("fleet"))
            live = [run for run in fleet["runs"].values() if run.get("phase") != "ended"]
            if not live:
                return
            await asyncio.sleep(0.1)
        self.wrong.append(f"left live: {[(run['id'], run.get('phase')) for run in live][:5]}")

    def nothing_is_kept(self):
        """No scratch file, no socket and no record of a run that has ended."""
        for name in ("scratch", "runners"):
            left = [path.name for path in (self.fleet.state / name).rglob("*")]
            if left:
                self.wrong.append(f"{len(left)} files left in {name}: {left[:5]}")


def compared(soak):
    """The provider's truth against the books: altogether, by run, and call by call."""
    fleet, book = soak.fleet, Book.load()
    booked = dict(
        fleet.rows("SELECT substr(scope, 5), nano FROM balances WHERE scope LIKE 'run:%'")
    )
    by_name = Counter()
    for run, name in fleet.names().items():  # a begin that a killed engine broke off is done again
        by_name[name] += booked.get(run, 0)
    rows = fleet.rows("SELECT message, nano, mark FROM calls WHERE state = 'settled'")
    by_message = {message: nano for message, nano, _ in rows if message}
    truth, by_run, short = 0, Counter(), []
    served = _served(fleet)
    for one in served:
        cost = _cost(book, one)
        truth += cost
        by_run[one["run"]] += cost
        if cost > by_message.get(one.get("id"), cost):
            short.append((one, by_message[one["id"]], cost))
    spent = json.loads(fleet.run("spend", "--json", "--by", "run").stdout)["total"]["usd"]
    total = fleet.booked()
    checks = {
        "served more than the cap": truth > soak.cap,
        "served more than is booked": truth > total,
        "booked more than the cap": total > soak.cap,
        "cockpit spend says otherwise": parse_money(spent) != total,
        "rows and balances differ": sum(nano for _, nano, _ in rows) != total,
        "the cap was not reached": total < soak.cap * 0.9,
        "a traceback in the engine's log": "Traceback" in fleet.log(),
    }
    under = [name for name, cost in by_run.items() if cost > by_name[name]]
    soak.wrong += [name for name, wrong in checks.items() if wrong]
    soak.wrong += [f"{name}: served more than is booked" for name in under[:5]]
    soak.wrong += [f"booked {nano} of {cost}: {one}" for one, nano, cost in short[:5]]
    return {
        "cap": decimal_string(soak.cap), "served": decimal_string(truth),
        "booked": decimal_string(total), "spend": spent, "calls_served": len(served),
        "calls_booked": len(rows), "marks": dict(Counter(mark for *_, mark in rows)),
        "cancelled": sum(one.get("cancelled", False) for one in served),
    }  # fmt: skip


def _served(fleet):
    import urllib.request

    with urllib.request.urlopen(f"{fleet.upstream}/_served", timeout=120) as answer:
        return json.load(answer)["served"]


def _cost(book, one):
    vendor = "anthropic" if one["dialect"] == "anthropic" else "openai"
    tokens = msgspec.convert(one.get("tokens", {}), Tokens)
    return book.cost(one["model"], vendor, tokens, one["at"]) or 0 if one.get("model") else 0


def outcomes(fleet):
    """How the runs ended, in groups."""
    rows = fleet.rows("SELECT body FROM events WHERE kind = 'run_ended'")
    return Counter(json.loads(body)["outcome"][:60] for (body,) in rows)


async def soak(runs, run_kills, engine_kills, cap, seed, pace=CALLS_A_SECOND):
    """What happened; `wrong` is empty when all is well."""
    began = time.monotonic()
    fleet = Fleet(cap)
    try:
        test = Soak(fleet, parse_money(cap), seed)
        await test.go(runs, run_kills, engine_kills, pace)
        await test.quiet()
        panic = await test.panic()
        await test.nobody_lives()
        test.nothing_is_kept()
        figures = compared(test)
        ended = outcomes(fleet)
        if odd := [how for how in ended if how.startswith(("exit 3", "exit 4", "exit 1:"))]:
            test.wrong.append(f"agents met what they should not: {odd}")
        return figures | {
            "begun": test.begun, "begins_broken_off": test.failed, "kills": dict(test.kills),
            "engine_up_seconds": [round(each, 2) for each in sorted(fleet.down)],
            "engine_up_cpu": [round(each, 2) for each in sorted(fleet.starting)],
            "panic": panic, "outcomes": dict(ended), "load": os.getloadavg(),
            "seconds": round(time.monotonic() - began, 1), "wrong": test.wrong,
        }  # fmt: skip
    finally:
        fleet.close()


def main():
    """Prints the figures as JSON; ends with 1 when anything is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=300)
    options.add_argument("--cap", default="100usd")
    options.add_argument("--run-kills", type=int, default=150)
    options.add_argument("--engine-kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    answer = asyncio.run(
        soak(chosen.runs, chosen.run_kills, chosen.engine_kills, chosen.cap, chosen.seed)
    )
    print(json.dumps(answer, indent=2))
    sys.exit(1 if answer["wrong"] else 0)


if __name__ == "__main__":
    main()
