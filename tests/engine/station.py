"""A governed machine with real agents on it, in a project that has somewhere to push to.

Needs the agents on the PATH: `npm install @anthropic-ai/claude-code @openai/codex opencode-ai
@google/gemini-cli @qwen-code/qwen-code`, then `PATH=node_modules/.bin:$PATH pytest -m real_agents`.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

import psutil
import pytest

from tests.engine.governed import Governed
from tests.engine.machine import KEPT

MODEL = "gpt-6.1-sol"
OLDER_MODEL = "gpt-5.3-codex"
CLASSES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
PROMPT = CLASSES[:4]


def claude(url, prompt, session=""):
    said = ["--resume", session] if session else []
    allowed = ["--allowedTools", "Bash", "Task", "Agent"]
    command = ["claude", *said, "-p", prompt, *allowed, "--model", "claude-opus-5"]
    return command, {}, [f"anthropic={url}"]


def codex(url, prompt, session="", model=MODEL):
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    said = ["resume", session, prompt] if session else [prompt]
    return ["codex", "exec", *free, "-m", model, *said], {}, [f"responses={url}/v1"]


def codex_older(url, prompt, session=""):
    return codex(url, prompt, session, OLDER_MODEL)


def opencode(url, prompt, session=""):
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "none"},
        "models": {MODEL: {"name": "demo"}},
    }
    settings = {"provider": {"demo": provider}, "permission": {"*": "allow"}}
    own = {"OPENCODE_CONFIG_CONTENT": json.dumps(settings)}
    said = ["-s", session] if session else []
    return ["opencode", "run", prompt, *said, "-m", f"demo/{MODEL}"], own, []


def gemini(url, prompt, session=""):
    own = {"GEMINI_API_KEY": "none", "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    said = ["--resume", session] if session else []
    command = ["gemini", *said, "-p", prompt, "--yolo", "-m", "gemini-2.5-pro"]
    return command, own, [f"gemini={url}"]


def qwen(url, prompt, session=""):
    own = {"OPENAI_API_KEY": "none", "OPENAI_MODEL": MODEL}
    said = ["--resume", session] if session else []
    return ["qwen", *said, "-p", prompt, "--yolo"], own, [f"chat={url}/v1"]


AGENTS = {"claude": claude, "codex": codex, "opencode": opencode, "gemini": gemini, "qwen": qwen}
ASKING = {"claude": claude, "codex": codex, "codex-older": codex_older}
every_agent = pytest.mark.parametrize("agent", list(AGENTS))


class Station(Governed):
    """`begin_agent` starts a real agent behind the gateway."""

    def __init__(self):
        super().__init__()
        self.own = {}
        self.project = self.root / "project"
        self.project.mkdir()
        settings = self.home / ".gemini" / "settings.json"
        settings.parent.mkdir()
        chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        settings.write_text(json.dumps(chosen))

    @property
    def environment(self):
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, **super().environment, "OPENAI_API_KEY": "none", **self.own}

    def begin_agent(self, agent, prompt, *options, session="", words=()):
        """The run's id. `words` are further arguments of the agent's own."""
        make = {**AGENTS, **ASKING}[agent]
        command, own, upstreams = make(f"{self.upstream}/run/a", prompt, session)
        if shutil.which(command[0]) is None:
            pytest.skip(f"no {command[0]} on PATH")
        self.own |= own
        led = [word for each in upstreams for word in ("--upstream", each)]
        done = subprocess.run(
            [sys.executable, "-m", "cockpit", "run", "--detach", *led, *options,
             "--", *command, *words],
            env=self.environment, cwd=self.project, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + self.log()
        return done.stdout.strip()

    def settings(self, text):
        path = self.cockpit_home / "config" / "settings.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def plan(self, *mishaps):
        body = json.dumps({"mishaps": mishaps, "run": "a"}).encode()
        urllib.request.urlopen(f"{self.upstream}/_plan", body, timeout=30).read()

    def begun(self, count=1):
        url = f"{self.upstream}/_served?begun={count}"
        urllib.request.urlopen(url, timeout=60).read()

    def until_served(self, count):
        url = f"{self.upstream}/_served?count={count}"
        urllib.request.urlopen(url, timeout=60).read()

    def paid(self):
        return [one for one in self.served() if one.get("tokens") and one["model"]]

    def told(self, run):
        """What the agent has printed, as far as it is kept."""
        return self.row(run)["evidence"]

    def a_place_to_push_to(self):
        """The project becomes a repository with one commit and an empty remote."""
        self.remote = self.root / "remote.git"
        for command in (
            f"init -q --bare {self.remote}",
            f"init -q {self.project}",
            f"-C {self.project} -c user.name=n -c user.email=e commit -q --allow-empty -m first",
            f"-C {self.project} remote add origin {self.remote}",
        ):
            subprocess.run(["git", *command.split()], check=True, env=self.environment)

    def pushed(self):
        """Whether anything has been pushed."""
        heads = self.remote / "refs" / "heads"
        return any(each.is_file() for each in heads.rglob("*"))

    def left_alive(self, run):
        found = []
        for row in psutil.process_iter():
            try:
                if row.environ().get("COCKPIT_RUN") == run and row.status() != "zombie":
                    found.append(row.cmdline())
            except psutil.Error:
                continue
        return found


def ended(row):
    return row["state"] in ("ended", "stopped", "deferred")


def classes(tokens):
    return {name: tokens.get(name, 0) for name in CLASSES}


def prompt_of(tokens):
    return sum(tokens.get(name, 0) for name in PROMPT)
