"""A driver at work on a little agent, and the engine's place beside it: real processes and sockets."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import msgspec
import psutil

from cockpit.agents.channels.plan import Plan
from cockpit.journal import paths

PLAIN = "import sys; print('the plain command', sys.stdin.read()); sys.exit(9)"
PATIENCE_S = 30


class Desk:
    """`start` begins the work, `word` is what the engine would say, `end` its code and output."""

    def __init__(self, home):
        self.home = home
        self.socket = home / "s.chan"
        self.process = None
        self.asked = []
        self.decision = None

    async def start(self, kind, script, prompt, given=None, **more):
        self.plan = Plan(
            kind, (sys.executable, "-c", PLAIN), (sys.executable, "-c", script), prompt,
            socket=str(self.socket), **more,
        )  # fmt: skip
        path = self.home / "plan.json"
        path.write_bytes(msgspec.json.encode(self.plan))
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "cockpit.agents.channels", str(path),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, cwd=self.home, start_new_session=True,
            env={**os.environ, "COCKPIT_HOME": str(self.home), "COCKPIT_RUN": "run-abcdefgh",
                 "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
            limit=2**27,
        )  # fmt: skip
        if given is not None:
            self.process.stdin.write(given)
        self.process.stdin.close()
        return self

    async def connect(self):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(OSError):
                    return await asyncio.open_unix_connection(self.socket)
                assert self.process.returncode is None, await self.process.stderr.read()
                await asyncio.sleep(0.02)

    async def word(self, **word):
        """Every answer to a word; said again while the agent has not begun."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                reader, writer = await self.connect()
                writer.write(json.dumps(word).encode() + b"\n")
                answers = [json.loads(line) async for line in reader]
                writer.close()
                early = (
                    "no turn is under way",
                    "the agent is not at work",
                    "the agent takes no word now",
                )
                if answers and answers[0].get("failed") not in early:
                    return answers
                if self.process.returncode is not None:
                    return answers
                await asyncio.sleep(0.02)

    def signal(self, number):
        os.killpg(self.process.pid, number)

    async def end(self):
        """Exit code, output, errors."""
        async with asyncio.timeout(PATIENCE_S):
            output, errors = await asyncio.gather(
                self.process.stdout.read(), self.process.stderr.read()
            )
            return await self.process.wait(), output.decode(), errors.decode()

    async def engine(self, decision):
        """Stands where the engine listens; answers what may run with `decision`."""
        self.decision = decision

        async def serve(reader, writer):
            self.asked.append(json.loads(await reader.readline()))
            if self.decision != "silence":
                writer.write(
                    json.dumps({"id": 1, "ok": {"allow": self.decision, "reason": "so"}}).encode()
                    + b"\n"
                )
            else:
                await asyncio.sleep(PATIENCE_S)
            writer.close()

        os.environ["COCKPIT_HOME"] = str(self.home)
        try:
            path = paths.engine_socket()
        finally:
            del os.environ["COCKPIT_HOME"]
        path.parent.mkdir(parents=True, exist_ok=True)
        return await asyncio.start_unix_server(serve, path)

    async def close(self):
        if self.process is not None and self.process.returncode is None:
            for pid in _below(self.process.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            await self.process.wait()


def _below(pid):
    with contextlib.suppress(psutil.Error):
        return [each.pid for each in psutil.Process(pid).children(recursive=True)] + [pid]
    return []
