"""A machine whose runs are governed: a simulated provider beside it, and little agents."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request

from tests.engine.machine import Machine

AGENT = """
import json, os, sys, time, urllib.error, urllib.request

def call(text, stream=False):
    body = {"model": "claude-sonnet-5-5", "max_tokens": 400, "stream": stream,
            "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", json.dumps(body).encode(),
        {"content-type": "application/json", "anthropic-version": "2026-10-21",
         "x-api-key": os.environ["ANTHROPIC_API_KEY"]})
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            data = answer.read()
            return answer.status, "" if stream else json.loads(data)["content"][0]["text"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()

print("ready", flush=True)
"""


class Governed(Machine):
    """`agent` starts a program behind the gateway; `served` is the provider's own account of it."""

    def __init__(self) -> None:
        super().__init__()
        self.provider = subprocess.Popen(
            [sys.executable, "-m", "cockpit.demo.provider"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=super().environment,
        )  # fmt: skip
        self.children.append(self.provider)
        self.upstream = json.loads(self.provider.stdout.readline())["url"]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "ANTHROPIC_API_KEY": "sk-the-real-key-9137"}

    def agent(self, program: str, *options: str, name: str = "a", upstream: str = "") -> str:
        """Begins a run detached; gives its id. `program` follows `AGENT`."""
        upstream = upstream or f"{self.upstream}/run/{name}"
        done = self.run(
            "run", "--detach", "--name", name, "--upstream", f"anthropic={upstream}", *options,
            "--", sys.executable, "-c", AGENT + program,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + self.log()
        return done.stdout.strip()

    def served(self, name: str = "a") -> list[dict]:
        with urllib.request.urlopen(f"{self.upstream}/_served", timeout=30) as answer:
            every = json.load(answer)["served"]
        return [one for one in every if one["run"] == name]

    def served_tokens(self, name: str = "a") -> dict[str, int]:
        total: dict[str, int] = {}
        for one in self.served(name):
            for kind, amount in one.get("tokens", {}).items():
                total[kind] = total.get(kind, 0) + amount
        return total

    def happened(self, run: str, kind: str) -> list[dict]:
        """The run's events of one kind, as the journal has them."""
        (path,) = self.cockpit_home.rglob("journal.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
            rows = journal.execute("select * from events where run = ?", (run,)).fetchall()
        events = [json.loads(row[-1]) for row in rows]
        return [event for event in events if event["event"] == kind]

    def row(self, run: str) -> dict:
        done = self.run("show", run, "--json")
        assert done.returncode == 0, done.stderr + self.log()
        return json.loads(done.stdout)

    def until_row(self, run: str, condition, seconds: float = 30.0) -> dict:
        deadline = time.monotonic() + seconds
        while True:
            row = self.row(run)
            if condition(row):
                return row
            assert time.monotonic() < deadline, (row, self.log())
            time.sleep(0.1)


class WithClaude(Governed):
    """`claude` on the PATH is a little agent of the test's own."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.programs = self.root / "bin"
        self.programs.mkdir()
        program = self.programs / "claude"
        program.write_text(source)
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        outer = super().environment
        return {**outer, "PATH": f"{self.programs}{os.pathsep}{outer.get('PATH', os.defpath)}"}
