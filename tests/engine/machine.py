"""A machine of its own: a home, a cockpit, and the commands run as processes."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cockpit.engine.client import Client

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")


class Machine:
    """Home and cockpit in a short directory, because a socket's path is limited.

    Commands work in it: the evidence of what they run is not this repository.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="ck-"))
        self.home = self.root / "home"
        self.cockpit_home = self.root / "ck"
        self.projects = self.home / ".claude" / "projects"
        self.projects.mkdir(parents=True)
        self.state = self.cockpit_home / "state"
        self.socket = self.state / "engine.sock"
        self.children: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "COCKPIT_HOME": str(self.cockpit_home),
            "TERM": "xterm-256color",
        }

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cockpit", *arguments],
            env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-m", "cockpit", *arguments],
            env=self.environment, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.children.append(child)
        return child

    def start(self) -> int:
        done = self.run("engine", "start")
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[-1])

    def pid(self) -> int:
        return int((self.state / "engine.lock").read_text())

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: not alive(pid))

    async def client(self) -> Client:
        return await Client.connect(self.socket)

    def until(self, condition, seconds=15.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def log(self) -> str:
        path = self.state / "engine.log"
        return path.read_text() if path.exists() else "(no log)"

    def transcript(self, session: str, project: str = "-src-p") -> Path:
        path = self.projects / project / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def end(self) -> None:
        with contextlib.suppress(Exception):
            self.run("engine", "stop")
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid(), signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return sys.platform != "linux"
    return state != b"Z"


async def asked(machine: Machine, do: str, **arguments):
    client = await machine.client()
    try:
        return await asyncio.wait_for(client.ask(do, **arguments), 30)
    finally:
        await client.close()
