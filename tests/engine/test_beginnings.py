"""A run whose agent has ended at its cap, and the engine after it: raising the cap starts it where it was."""

import json
import os
import sys

import pytest

from cockpit.agents.launch.registry import recipe
from cockpit.engine import beginnings
from cockpit.engine.wanted import Wanted
from tests.engine.governed import AGENT, WithClaude

CLAUDE = (
    f"#!{sys.executable}\n"
    + AGENT
    + """
with open("began", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
os.environ["ANTHROPIC_API_KEY"] = os.environ["ANTHROPIC_AUTH_TOKEN"]
while call("go on")[0] == 200:
    time.sleep(0.05)
"""
)
PROMPT = "nobody else may read this"


class House(WithClaude):
    """`claude` on the PATH is a little agent that ends at its cap and writes down how it was begun."""

    def __init__(self):
        super().__init__(CLAUDE)

    def claude(self, *options, words=()):
        led = f"anthropic={self.upstream}/run/a"
        done = self.run(
            "run", "--detach", "--no-channel", "--upstream", led, *options, "--",
            "claude", "-p", PROMPT, "--model", "claude-sonnet-5-5", *words,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def began(self):
        return [json.loads(line) for line in (self.root / "began").read_text().splitlines()]


@pytest.fixture
def house():
    house = House()
    yield house
    house.end()


def is_over(row):
    return row["state"] == "deferred" and row["pid"] is None


def test_a_later_engine_starts_it_where_it_was(house):
    run = house.claude("--turns", "2")
    house.until_row(run, is_over)
    house.run("engine", "stop")
    kept = (house.state / "beginnings" / f"{run}.json").read_text()
    assert PROMPT not in kept
    assert "sk-the-real-key" not in kept
    house.run("engine", "start")
    assert house.run("budget", run, "--turns", "4").returncode == 0
    house.until(lambda: len(house.served()) == 4)
    row = house.until_row(run, is_over)
    assert row["turns"] == 4
    first, again = house.began()
    session = first[first.index("--session-id") + 1]
    assert again[again.index("--resume") + 1] == session
    assert again[-1] == beginnings.GO_ON
    assert again[again.index("--model") + 1] == "claude-sonnet-5-5"


def test_nothing_was_let_out_so_it_begins_from_the_beginning(house):
    run = house.claude("--budget", "0.0001usd")
    house.until_row(run, is_over)
    assert house.run("budget", run, "--money", "0.05").returncode == 0
    house.until(lambda: len(house.served()) > 0)
    assert house.run("stop", run).returncode == 0
    first, again = house.began()
    assert PROMPT in again
    assert "--resume" not in again
    assert first[first.index("--session-id") + 1] != again[again.index("--session-id") + 1]


def test_a_secret_on_the_command_line_is_not_written_down(house):
    run = house.claude(
        "--turns", "1", words=["--settings", '{"apiKey": "sk-ant-abcdefgh01234567"}']
    )
    house.until_row(run, is_over)
    house.run("engine", "stop")
    house.run("engine", "start")
    assert not (house.state / "beginnings" / f"{run}.json").exists()
    assert "cannot be started again" in house.run("resume", run).stderr


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path))
    return tmp_path


def kept(command, environment=None):
    wish = Wanted(command=command, cwd="/", environment=environment or {}, project="/p")
    beginnings.keep("run-a", wish, wish.recipe(), "")
    return beginnings.read("run-a")


def test_of_the_environment_only_what_leads_the_agent(place):
    given = {
        "PATH": "/bin", "CLAUDE_CONFIG_DIR": "/c", "ANTHROPIC_API_KEY": "abcdefgh12345",
        "OPENAI_BASE_URL": "https://me:hunter2x@host/v1", "OPENCODE_CONFIG_CONTENT": '{"a": 1}',
        "DB_PASS": "correct horse", "GEMINI_API_KEY": "abcdefgh12345",
    }  # fmt: skip
    assert kept(("claude", "-p", "x"), given).wish.environment == {
        "PATH": "/bin", "CLAUDE_CONFIG_DIR": "/c", "OPENCODE_CONFIG_CONTENT": '{"a": 1}',
    }  # fmt: skip
    (path,) = place.rglob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "command",
    [("codex", "exec", "x"), ("opencode", "run", "x"), ("gemini", "-p", "x"), ("qwen", "-p", "x")],
)
def test_each_agent_goes_on_with_its_session(place, command):
    again = kept(command).again("ses-1")
    assert "ses-1" in again.command
    assert "x" not in again.command
    assert again.recipe().agent == recipe(again.agent).agent
    assert again.environment["COCKPIT_HOME"] == os.environ["COCKPIT_HOME"]


def test_who_cannot_go_on_is_not_kept(place):
    assert kept(("sleep", "600")) is None


def test_the_forgotten_are_gone(place):
    kept(("claude",))
    beginnings.tidy({"run-b"})
    assert beginnings.read("run-a") is None
