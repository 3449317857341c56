"""Real Claude Code and Codex, seen on the real screen within two seconds and stopped by `x`.

Needs `claude` and `codex` on the PATH: `npm install @anthropic-ai/claude-code @openai/codex`, then
`PATH=node_modules/.bin:$PATH pytest -m real_agents`.
"""

import asyncio
import os
import shutil
import sys
import time

import pexpect
import psutil
import pyte
import pytest

from cockpit.demo.provider import Provider

pytestmark = [
    pytest.mark.real_agents,
    pytest.mark.skipif(
        not (shutil.which("claude") and shutil.which("codex")), reason="no claude or codex on PATH"
    ),
]

COLUMNS, LINES = 120, 40


class Screen:
    """The real `cockpit` in a real pty."""

    def __init__(self, environment):
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "cockpit"],
            env=environment,
            dimensions=(LINES, COLUMNS),
            timeout=5,
        )

    def text(self):
        while True:
            try:
                self._stream.feed(self.process.read_nonblocking(65536, timeout=0.02))
            except (pexpect.TIMEOUT, pexpect.EOF):
                return "\n".join(self._screen.display)

    async def shows(self, *words, seconds=20.0):
        """Seconds until all words stand on the screen."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            text = await asyncio.to_thread(self.text)
            if all(word in text for word in words):
                return time.monotonic() - began
        raise AssertionError(f"{words} not shown in {seconds} s:\n{text}")

    def press(self, key):
        self.process.send(key)


def claude(url):
    options = ["--allowedTools", "Bash", "--model", "claude-opus-5"]
    return (
        ["claude", "-p", "[[sleep]] wait for the build", *options],
        {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"},
    )


def codex(url):
    gateway = f'{{name="demo",base_url="{url}/v1",env_key="DEMO_KEY",wire_api="responses"}}'
    settings = [f"model_providers.demo={gateway}", 'model_provider="demo"', 'model="gpt-6.1-sol"']
    options = [word for setting in settings for word in ("-c", setting)]
    free = ["--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]
    return ["codex", "exec", *free, *options, "[[sleep]] wait for the build"], {"DEMO_KEY": "none"}


def first_line(home):
    """When the first transcript came into being."""
    roots = [home / ".claude" / "projects", home / ".codex" / "sessions"]
    files = [file for root in roots if root.exists() for file in root.rglob("*.jsonl")]
    return min((file.stat().st_ctime for file in files if file.stat().st_size), default=None)


async def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return answer


def sleepers(below):
    try:
        return [
            child
            for child in psutil.Process(below).children(recursive=True)
            if child.name() == "sleep"
        ]
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("agent", [claude, codex])
async def test_seen_within_two_seconds_and_stopped_by_x(tmp_path, agent):
    home = tmp_path / "home"
    project = home / "project"
    project.mkdir(parents=True)
    environment = {
        **os.environ,
        "HOME": str(home),
        "COCKPIT_HOME": str(tmp_path / "cockpit"),
        "TERM": "xterm-256color",
    }
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        environment.pop(name, None)
    async with Provider() as provider:
        screen = Screen(environment)
        try:
            await screen.shows("fleet")
            command, keys = agent(provider.url)
            process = await asyncio.create_subprocess_exec(
                *command, cwd=project, env={**environment, **keys, "TERM": "dumb"},
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            written = await until(lambda: first_line(home))
            await screen.shows("[[sleep]]")
            seen = time.time() - written
            tools = await until(lambda: sleepers(process.pid))
            await screen.shows("1 running", "$")
            await asyncio.sleep(1.5)  # a census a second pairs the process with its run
            screen.press("x")
            stopped = await screen.shows("no survivor")
            assert not any(
                tool.is_running() and tool.status() != psutil.STATUS_ZOMBIE for tool in tools
            )
            await asyncio.wait_for(process.wait(), 5)
            print(
                f"\n{agent.__name__}: seen {seen:.2f} s after its first line, stopped {stopped:.2f} s after x"
            )
            assert seen < 2
        finally:
            screen.press("q")
            await asyncio.to_thread(screen.process.close, True)
            stop = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "cockpit",
                "engine",
                "stop",
                env=environment,
                stdout=asyncio.subprocess.DEVNULL,
            )
            await stop.wait()
