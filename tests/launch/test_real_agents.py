"""Real agents, started as their recipes say, reach the provider through the real gateway only.

Every one that is on the PATH is run: `npm install @anthropic-ai/claude-code @openai/codex opencode-ai
@google/gemini-cli @qwen-code/qwen-code @github/copilot cline @mariozechner/pi-coding-agent`, and from
PyPI `aider-chat mini-swe-agent kimi-cli mistral-vibe`; then `pytest -m real_agents tests/launch`.
"""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
import pytest

from cockpit.agents.launch.recipe import Door
from cockpit.agents.launch.registry import recipe
from cockpit.core import events as e
from cockpit.engine.api import Server
from cockpit.journal import paths
from tests.gateway.line import Line

pytestmark = pytest.mark.real_agents

SECRET = "sk-the-operators-own-key"
PATIENCE_S = 120
PROVIDER = {"baseURL": "https://acme.example/v1", "apiKey": SECRET}


class Real:
    """A command, the user's own files before it, and variables; `ends` tells that it ends by itself."""

    def __init__(self, command, files=None, ends=True, resumes=True, **environment):
        self.command = command
        self.files = files or {}
        self.ends = ends
        self.resumes = resumes
        self.environment = environment


LOOK = "look at the project"
AGENTS = {
    "claude-code": Real(
        ["claude", "-p", LOOK, "--model", "claude-opus-5", "--allowedTools", "Bash"],
        {".claude/settings.json": {"env": {"ANTHROPIC_BASE_URL": "https://acme.example"}}},
        ANTHROPIC_API_KEY=SECRET,
    ),
    "codex": Real(
        ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
         "-m", "gpt-6.1-sol", LOOK],
        {".codex/config.toml": 'model_reasoning_effort = "low"\n'},
        OPENAI_API_KEY=SECRET,
    ),
    "opencode": Real(
        ["opencode", "run", LOOK],
        {".config/opencode/opencode.json": {
            "$schema": "https://opencode.ai/config.json", "model": "anthropic/claude-opus-5",
            "provider": {"anthropic": {"npm": "@ai-sdk/anthropic", "models": {"claude-opus-5": {}}}}}},
        ANTHROPIC_API_KEY=SECRET,
    ),
    "gemini": Real(
        ["gemini", "-y", "--skip-trust", "-m", "gemini-2.5-pro", "-p", LOOK],
        {".gemini/settings.json": {"security": {"auth": {"selectedType": "gemini-api-key"}}}},
        GEMINI_API_KEY=SECRET,
    ),
    "qwen": Real(
        ["qwen", "-y", "-p", LOOK],
        {".qwen/settings.json": {"$version": 4, "model": {"name": "gpt-6.1-sol"}, "modelProviders": {
            "openai": [{"id": "gpt-6.1-sol", "baseUrl": "https://acme.example/v1", "envKey": "ACME"}]}}},
        ACME=SECRET,
    ),
    "copilot": Real(
        ["copilot", "--model", "claude-opus-5", "--allow-all-tools", "-p", LOOK], ANTHROPIC_API_KEY=SECRET
    ),
    "cline": Real(
        ["cline", LOOK],
        {".cline/data/settings/providers.json": {
            "version": 1, "lastUsedProvider": "openai-compatible", "modes": {}, "providers": {
                "openai-compatible": {"tokenSource": "manual", "settings": {
                    "provider": "openai-compatible", "model": "gpt-6.1-sol", "apiKey": SECRET,
                    "baseUrl": "https://acme.example/v1"}}}}},
        ends=False, resumes=False,
    ),
    "pi": Real(
        ["pi", "--model", "acme/gpt-6.1-sol", "-p", LOOK],
        {".pi/agent/models.json": {"providers": {"acme": {
            "baseUrl": "https://acme.example/v1", "api": "openai-completions", "apiKey": "ACME",
            "models": [{"id": "gpt-6.1-sol"}]}}}},
        ACME=SECRET,
    ),
    "vibe": Real(
        ["vibe", "--trust", "--auto-approve", "-p", LOOK],
        {".vibe/config.toml": 'active_model = "sol"\n[[providers]]\nname = "acme"\n'
            'api_base = "https://acme.example/v1"\napi_key_env_var = "ACME"\n[[models]]\n'
            'name = "gpt-6.1-sol"\nprovider = "acme"\nalias = "sol"\n'},
        ACME=SECRET,
    ),
    "aider": Real(
        ["aider", "--model", "openai/gpt-6.1-sol", "--no-check-update", "--no-analytics",
         "--no-show-model-warnings", "--yes-always", "--message", "[[text]] hi"],
        {"project/.env": "OPENAI_API_BASE=https://acme.example/v1\n"},
        OPENAI_API_KEY=SECRET,
    ),
    "mini-swe-agent": Real(
        ["mini", "-m", "openai/gpt-6.1-sol", "-y", "--exit-immediately", "-t", LOOK],
        ends=False, resumes=False, MSWEA_CONFIGURED="true", MSWEA_COST_TRACKING="ignore_errors",
        OPENAI_API_KEY=SECRET,
    ),
    "kimi": Real(
        ["kimi", "--print", "-p", LOOK],
        {".kimi/config.toml": 'default_model = "sol"\n[models.sol]\nprovider = "acme"\n'
            'model = "gpt-6.1-sol"\nmax_context_size = 200000\n[providers.acme]\n'
            f'type = "openai_legacy"\nbase_url = "https://acme.example/v1"\napi_key = "{SECRET}"\n'},
        ends=False, resumes=False,
    ),
}  # fmt: skip
SESSIONS = {
    "codex": ".codex/sessions/**/rollout-*.jsonl",
    "pi": ".pi/agent/sessions/*/*.jsonl",
    "vibe": ".vibe/logs/session/unified/*/meta.json",
}


def installed(name):
    program = shutil.which(AGENTS[name].command[0])
    return pytest.param(name, marks=[] if program else pytest.mark.skip(reason="not on the PATH"))


EACH = [installed(name) for name in AGENTS]


class Start:
    """Starts an agent of the machine in a home of its own, as its recipe says."""

    def __init__(self, name, folder, url, asks=()):
        self.real = AGENTS[name]
        self.recipe = recipe(name)
        self.home = folder / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        for path, content in self.real.files.items():
            file = self.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        self.before = self.hashes()
        self.outer = {
            "HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "dumb", "IS_SANDBOX": "1",
            "PWD": str(self.project), **self.real.environment,
        }  # fmt: skip
        self.door = Door(url, folder / "scratch", asks)
        self.launch = self.recipe.launch(self.real.command, self.door, self.outer)

    def hashes(self):
        return {
            path: hashlib.sha256((self.home / path).read_bytes()).hexdigest()
            for path in self.real.files
        }

    def environment(self, **more):
        laid = {**self.outer, **self.launch.environment, **more}
        return {name: value for name, value in laid.items() if value is not None}

    async def run(self, launch=None, until=None, **more):
        """Exit code and output; with `until`, it is ended as soon as that is done."""
        launch = launch or self.launch
        for path, data in launch.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with (self.home / "out").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *launch.argv, cwd=self.project, env=self.environment(**more),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE_S):
                await (until if until is not None else process.wait())
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            end_what_is_left(self.home)
        return process.returncode, (self.home / "out").read_text(errors="replace")


def end_what_is_left(home):
    """Tools in sessions of their own, and daemons that outlive their agent (Cline's hub)."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                process.kill()


async def served(line, count):
    await line.demo.until(count=count)


@pytest.mark.parametrize("name", EACH)
async def test_every_call_goes_through_the_gateway_and_no_file_of_the_users_changes(name, tmp_path):
    async with Line(tmp_path) as line:
        start = Start(name, tmp_path, line.run(agent=name).url)
        code, output = await start.run(until=None if start.real.ends else served(line, 1))
        assert SECRET not in repr((start.launch.argv, start.environment(), start.launch.files))
        assert line.demo.served(), output
        if start.real.ends:
            assert code == 0, output
            assert len(line.of(e.CallSettled)) == len(line.demo.served())
        assert {one.run for one in line.demo.served()} == {""}
        assert start.hashes() == start.before
        spoken = {one.dialect for one in line.demo.served()}
        assert spoken <= set(start.launch.wires), spoken


@pytest.mark.parametrize(
    "name", [one for one in EACH if AGENTS[one.values[0]].resumes and one.values[0] != "aider"]
)
async def test_a_session_goes_on(name, tmp_path):
    async with Line(tmp_path) as line:
        start = Start(name, tmp_path, line.run(agent=name).url)
        code, output = await start.run()
        assert code == 0, output
        count = len(line.demo.served())
        session = start.launch.session or written_session(name, start.home)
        again = start.recipe.resume(start.real.command, session, "[[text]] go on")
        launch = start.recipe.launch(again, start.door, start.outer)
        code, output = await start.run(launch)
        assert code == 0, output
        assert len(line.demo.served()) > count
        prompts = [one.tokens.prompt for one in line.demo.served()]
        assert max(prompts[count:]) > prompts[0]


def written_session(name, home):
    if name == "opencode":
        import sqlite3

        with sqlite3.connect(home / ".local/share/opencode/opencode.db") as database:
            return database.execute("select id from session").fetchone()[0]
    [path] = home.glob(SESSIONS[name])
    return path.parent.name if name == "vibe" else path.stem[-36:]


@pytest.mark.parametrize("answer", ["no", "nothing there"])
@pytest.mark.parametrize("name", [one for one in EACH if one.values[0] in ("claude-code", "codex")])
async def test_a_tool_call_that_is_denied_does_not_run(name, answer, tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    asked = []

    async def approve(request):
        asked.append(request)
        return msgspec.json.encode({"allow": False, "reason": "the operator said no"})

    server = Server({"approve": approve}, {})
    if answer == "no":
        await server.listen(paths.engine_socket())
    hook = (sys.executable, "-m", "cockpit.cli.hook")
    async with Line(tmp_path) as line:
        start = Start(name, tmp_path, line.run(agent=name).url, hook)
        more = {
            "COCKPIT_HOME": str(tmp_path),
            "COCKPIT_RUN": "run-k3f9",
            "PYTHONPATH": str(Path.cwd()),
        }
        code, output = await start.run(**more)
        assert code == 0, output
        assert not (start.project / "NOTES.md").exists()
        assert len(line.demo.served()) == 4  # the model is told, and goes on
    if answer == "no":
        await server.close()
        assert len(asked) == 3
        assert {call["tool"] for call in asked} == {"Bash"}
