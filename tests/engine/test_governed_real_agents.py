"""Real agents behind the gateway: metered to the token, refused at their cap, held, told and stopped.

Needs the agents on the PATH: `npm install @anthropic-ai/claude-code @openai/codex opencode-ai
@google/gemini-cli @qwen-code/qwen-code`, then `PATH=node_modules/.bin:$PATH pytest -m real_agents`.
`HOLD_SECONDS=150` holds as long as the agents were measured to bear.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from tests.engine.governed import Governed
from tests.engine.machine import KEPT

pytestmark = pytest.mark.real_agents

MODEL = "gpt-6.1-sol"
HOLD_SECONDS = float(os.environ.get("HOLD_SECONDS", "12"))
CLASSES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


def claude(url, prompt):
    allowed = ["--allowedTools", "Bash", "Task", "Agent"]
    return ["claude", "-p", prompt, *allowed, "--model", "claude-opus-5"], {}, [f"anthropic={url}"]


def codex(url, prompt):
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    return ["codex", "exec", *free, "-m", MODEL, prompt], {}, [f"responses={url}/v1"]


def opencode(url, prompt):
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{url}/v1", "apiKey": "none"},
        "models": {MODEL: {"name": "demo"}},
    }
    settings = {"provider": {"demo": provider}, "permission": {"*": "allow"}}
    own = {"OPENCODE_CONFIG_CONTENT": json.dumps(settings)}
    return ["opencode", "run", prompt, "-m", f"demo/{MODEL}"], own, []


def gemini(url, prompt):
    own = {"GEMINI_API_KEY": "none", "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    return ["gemini", "-p", prompt, "--yolo", "-m", "gemini-2.5-pro"], own, [f"gemini={url}"]


def qwen(url, prompt):
    own = {"OPENAI_API_KEY": "none", "OPENAI_MODEL": MODEL}
    return ["qwen", "-p", prompt, "--yolo"], own, [f"chat={url}/v1"]


AGENTS = {"claude": claude, "codex": codex, "opencode": opencode, "gemini": gemini, "qwen": qwen}
every_agent = pytest.mark.parametrize("agent", list(AGENTS))


class Station(Governed):
    """A governed machine with real agents on it."""

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

    def begin_agent(self, agent, prompt, *options):
        command, self.own, upstreams = AGENTS[agent](f"{self.upstream}/run/a", prompt)
        if shutil.which(command[0]) is None:
            pytest.skip(f"no {command[0]} on PATH")
        led = [word for each in upstreams for word in ("--upstream", each)]
        done = subprocess.run(
            [sys.executable, "-m", "cockpit", "run", "--detach", *led, *options, "--", *command],
            env=self.environment, cwd=self.project, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + self.log()
        return done.stdout.strip()

    def begun(self, count=1):
        url = f"{self.upstream}/_served?begun={count}"
        urllib.request.urlopen(url, timeout=60).read()

    def paid(self):
        return [one for one in self.served() if one.get("tokens") and one["model"]]

    def left_alive(self, run):
        found = []
        for row in psutil.process_iter():
            try:
                if row.environ().get("COCKPIT_RUN") == run and row.status() != "zombie":
                    found.append(row.cmdline())
            except psutil.Error:
                continue
        return found


@pytest.fixture
def station():
    station = Station()
    yield station
    station.end()


def ended(row):
    return row["state"] in ("ended", "stopped", "deferred")


def classes(tokens):
    return {name: tokens.get(name, 0) for name in CLASSES}


@every_agent
@pytest.mark.parametrize("prompt", ["look at the project", "[[delegate]] let somebody look"])
def test_the_ledger_equals_what_was_served(station, agent, prompt):
    run = station.begin_agent(agent, prompt)
    row = station.until_row(run, ended, 90)
    assert "exit 0" in row["evidence"], row["evidence"] + station.log()
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["mark"] == "exact"
    assert len(station.paid()) == row["calls"]


@every_agent
def test_a_storm_is_free_and_what_follows_is_booked(station, agent):
    run = station.begin_agent(agent, "[[fail:529x2]] look at the project")
    row = station.until_row(run, ended, 120)
    assert sum(one["status"] == 529 for one in station.served()) == 2
    assert classes(row["tokens"]) == classes(station.served_tokens())


@every_agent
def test_a_cut_stream_is_estimated_and_never_below_what_was_read(station, agent):
    run = station.begin_agent(agent, "[[fail:cut@6]] look at the project")
    row = station.until_row(run, ended, 150)
    truth = station.served_tokens()
    ours = row["tokens"]
    prompt = sum(ours[name] for name in CLASSES[:4])
    assert prompt >= sum(truth.get(name, 0) for name in CLASSES[:4])
    assert ours["output"] >= truth["output"]
    assert row["mark"] == "estimated"


@every_agent
def test_zero_is_one_refused_request_and_raising_goes_on(station, agent):
    run = station.begin_agent(agent, "look at the project", "--turns", "2")
    row = station.until_row(run, lambda row: row["state"] == "deferred", 60)
    station.until_row(run, lambda row: row["pid"] is None, 30)
    assert len([one for one in station.paid() if one["status"] == 200]) == 2
    refused = station.row(run)["governed"]["refused"]
    assert refused <= (2 if agent in ("codex", "opencode") else 1), refused
    assert row["tokens"]["output"] > 0
    done = station.run("budget", run, "--turns", "40")
    assert done.returncode == 0, done.stderr
    row = station.until_row(run, lambda row: row["state"] == "ended", 90)
    assert len(station.paid()) > 2
    assert classes(row["tokens"]) == classes(station.served_tokens())


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
def test_a_held_call_is_billed_once_and_carries_the_word(station, agent):
    run = station.begin_agent(agent, "look at the project")
    station.begun()
    assert station.run("pause", run).returncode == 0
    assert station.run("say", run, "prefer", "uv").returncode == 0
    time.sleep(HOLD_SECONDS)
    before = len(station.paid())
    assert before < 4
    assert station.run("resume", run).returncode == 0
    row = station.until_row(run, ended, 90)
    assert sum("prefer uv" in one["heard"] for one in station.paid()) >= 1
    assert classes(row["tokens"]) == classes(station.served_tokens())
    assert row["governed"]["notes"][-1]["delivered"]


@every_agent
@pytest.mark.parametrize("prompt", ["[[slow]] tell me all", "[[sleep]] build it"])
def test_a_stop_leaves_nobody(station, agent, prompt):
    run = station.begin_agent(agent, prompt)
    station.begun()
    if "sleep" in prompt:
        station.until_row(
            run, lambda _: any("sleep" in c for line in station.left_alive(run) for c in line), 60
        )
    began = time.monotonic()
    done = station.run("stop", run, "--json")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + station.log()
    assert station.left_alive(run) == []
    row = station.row(run)
    truth = station.served_tokens()
    assert sum(row["tokens"][name] for name in CLASSES) >= sum(truth.get(n, 0) for n in CLASSES)
    print(f"{agent} {prompt}: {took:.2f} s, {json.loads(done.stdout)[0]['took_ms']} ms")
