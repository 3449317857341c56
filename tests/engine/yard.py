"""Runners with real processes in a home of their own, and scripts that do not want to end."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
import uuid
from concurrent.futures import Future

from msgspec.structs import replace

from cockpit.agents.adapter import InterruptRule
from cockpit.engine import frames
from cockpit.engine.lookout import Lookout
from cockpit.engine.reins import Spec
from cockpit.engine.runners import Runners
from cockpit.engine.stops import stop_held
from tests.engine import hostile
from tests.engine.hostile import MARK, Hostile

SETSID_DAEMON = """
spawn('os.setsid(); spawn("tell(); sleep(600)"); os._exit(0)').wait()
sleep(600)
"""
WIPED_DAEMON = """
spawn('os.setsid(); spawn("os.setsid(); tell(); sleep(600)", wiped=True); os._exit(0)').wait()
sleep(600)
"""
DETACHED_RESPAWNER = """
spawn('''os.setsid()
if os.fork(): os._exit(0)
os.setsid()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
child = spawn("os.setsid(); sleep(600)")
tell()
while True:
    if child.poll() is not None: child = spawn("os.setsid(); sleep(600)")
    time.sleep(0.005)
''').wait()
sleep(600)
"""
TREES = {
    "plain": (hostile.WITH_CHILDREN, 0),
    "orphan-in-group": (hostile.ORPHAN_IN_GROUP, 0),
    "setsid": (hostile.SETSID_CHILD, 1),
    "daemon": (SETSID_DAEMON, 1),
    "wiped-daemon": (WIPED_DAEMON, 1),
    "deaf": (hostile.DEAF, 0),
    "stopped": (hostile.STOPPED, 0),
    "detached-respawner": (DETACHED_RESPAWNER, 1),
}
QUICK = InterruptRule(grace_ms=150)


def now_ms():
    return time.time_ns() // 1_000_000


def script(code, argument=""):
    """A command line for one of the scripts."""
    prelude = hostile._PRELUDE
    return (sys.executable, "-SE", "-c", prelude + code, prelude, argument, "top")


async def until(condition, seconds=20):
    """Waits for something that nobody tells of."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


class Heard:
    """What an agent said on its output and on its errors."""

    def __init__(self):
        self.output = bytearray()
        self.errors = bytearray()
        self.news = asyncio.Event()

    def __call__(self, kind, data):
        if kind == frames.OUTPUT:
            self.output += data
        else:
            self.errors += data
        self.news.set()

    async def until(self, condition, seconds=20):
        async def wait():
            while not condition(self.output):
                self.news.clear()
                await self.news.wait()

        await asyncio.wait_for(wait(), seconds)


class Yard:
    """An engine's runners without the rest of the engine. Use in one event loop."""

    def __init__(self, home=None, mark=None, beat_seconds=0.1):
        self.home = home or tempfile.mkdtemp(prefix="ck-")
        os.environ["COCKPIT_HOME"] = self.home
        self.nest = Hostile()
        self.nest.mark = mark or self.nest.mark
        self.events = []
        self.ends = {}
        self.lookout = Lookout()
        self.runners = Runners(
            record=self.record,
            now=now_ms,
            lookout=self.lookout,
            ended=self.ended,
            rule=lambda _: QUICK,
            beat_seconds=beat_seconds,
        )

    def record(self, event):
        self.events.append(event)
        done = Future()
        done.set_result(len(self.events))
        return done

    async def ended(self, run, ended):
        self.ends[run] = ended

    async def spawn(self, argv, *, environment=None, hear=None, **more):
        more.setdefault("run", f"run-{uuid.uuid4().hex[:8]}")
        more.setdefault("cwd", self.home)
        given = {**os.environ, MARK: self.nest.mark, **(environment or {})}
        return await self.runners.spawn(Spec(argv=tuple(argv), environment=given, **more), hear)

    async def start(self, code, pids=0, **more):
        """A script, once it said `ready` and so many of its children told their pids."""
        heard = Heard()
        rein = await self.spawn(script(code), hear=heard, **more)
        await heard.until(lambda said: len(said.split()) >= pids + 1)
        return rein, [int(word) for word in heard.output.split() if word != b"ready"]

    async def stop(self, run, mode="panic", rule=QUICK, first=None, **more):
        """The outcome of a stop, and the rungs it climbed."""
        said = []

        def held():
            known = self.runners.held(run)
            return known and replace(known, first=first)

        outcome = await stop_held(
            held, rule, mode=mode, emit=said.append, now=now_ms,
            lookout=self.lookout, **more,
        )  # fmt: skip
        return outcome, [event.rung for event in said]

    async def gone(self, run, seconds=20):
        """How the run ended, once its books are closed."""

        await until(lambda: run in self.ends and self.runners.held(run) is None, seconds)
        return self.ends[run]

    def of(self, kind, run):
        return [event for event in self.events if isinstance(event, kind) and event.run == run]

    async def close(self):
        await self.runners.close()
        self.lookout.close()

    def clean_up(self):
        self.nest.clean_up()
        shutil.rmtree(self.home, ignore_errors=True)
