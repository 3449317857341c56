"""The shell as others script against it: a real engine, real files, stable keys."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN_KEYS = {
    "id", "parent", "agent", "name", "model", "project", "branch", "pid", "state", "authority",
    "turns", "started", "last_event", "usd", "mark", "tokens", "clock", "cache", "context",
    "burn_usd_per_h",
}  # fmt: skip
CLASSES = {"input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "reasoning"}
SPENT_KEYS = {
    "usd", "tokens", "calls", "unpriced_calls", "estimated_usd", "subscription_usd",
}  # fmt: skip


def line(**more):
    return json.dumps(more, separators=(",", ":")) + "\n"


LONG_AGO = "2026-11-20T10:00:0%d.000Z"


def an_hour_ago():
    return (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:0%%d.000Z")


def transcript(session, model="claude-opus-5", output=1000, at=LONG_AGO):
    base = {"sessionId": session, "cwd": "/work/parser", "gitBranch": "main", "isSidechain": False}
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
    }
    message = {
        "id": f"msg_{session}", "type": "message", "role": "assistant", "model": model, "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "done"}], "usage": usage,
    }  # fmt: skip
    prompt = {"role": "user", "content": "port the parser"}
    return line(type="user", message=prompt, uuid="u1", timestamp=at % 0, **base) + line(
        type="assistant",
        message=message,
        requestId=f"req_{session}",
        uuid="u2",
        timestamp=at % 1,
        **base,
    )


class Shell:
    def __init__(self, home):
        self.home = home
        self.environment = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("CLAUDE", "CODEX", "XDG", "COCKPIT"))
            },
            "HOME": str(home),
            "COCKPIT_HOME": str(home / "cockpit"),
        }

    def __call__(self, *words, ok=True):
        done = subprocess.run(
            [sys.executable, "-m", "cockpit", *words],
            env=self.environment, capture_output=True, text=True, cwd=ROOT, timeout=60,
        )  # fmt: skip
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout if ok else done.stderr or done.stdout

    def json(self, *words):
        return json.loads(self(*words, "--json"))

    def write(self, session, text):
        path = self.home / ".claude" / "projects" / "-work-parser" / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell("engine", "stop")


def test_help_names_every_command(shell):
    text = shell("--help")
    for command in (
        "demo",
        "ps",
        "show",
        "spend",
        "stop",
        "panic",
        "budget",
        "engine",
        "doctor",
        "themes",
        "prices",
    ):
        assert command in text
        assert "Usage" in shell(command, "--help")
    readme = (ROOT / "README.md").read_text()
    assert all(
        f"cockpit {command}" in readme for command in ("ps", "spend", "stop", "budget", "doctor")
    )


@pytest.mark.parametrize("by", ["run", "agent", "model", "project", "day", "tool"])
def test_spend_without_an_engine(shell, by):
    shell.write("a", transcript("a"))
    shell.write("b", transcript("b", model="nobody-knows-this") + "not json\n")
    answer = shell.json("spend", "--by", by, "--tz", "UTC")
    total = answer["total"]
    assert set(total) == SPENT_KEYS | {"bad_lines"}
    assert set(total["tokens"]) == CLASSES
    assert (total["calls"], total["unpriced_calls"], total["bad_lines"]) == (2, 1, 1)
    assert total["usd"] == "0.03755"  # 10*5 + 2000*6.25 + 1000*25 dollars a million
    assert set(answer["rows"][0]) == SPENT_KEYS | {"key", "name"}
    assert sum(row["calls"] for row in answer["rows"]) == 2
    keys = {"run": "claude-code/a", "agent": "claude-code", "model": "claude-opus-5", "project": "/work/parser", "day": "2026-11-20", "tool": "(no tool)"}  # fmt: skip
    assert keys[by] in {row["key"] for row in answer["rows"]}
    assert shell("engine", "status", ok=False).startswith("no engine")


def test_a_journal_that_cannot_be_read_is_said_and_not_left_out(shell):
    shell.write("a", transcript("a"))
    journal = shell.home / "cockpit" / "data" / "journal.db"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"this is no database" * 1000)
    assert "the books cannot be read" in shell("spend", ok=False)


def test_spend_between_moments(shell):
    shell.write("a", transcript("a"))
    assert shell.json("spend", "--since", "2026-11-21", "--tz", "UTC")["total"]["calls"] == 0
    assert shell.json("spend", "--until", "2026-11-21", "--tz", "UTC")["total"]["calls"] == 1
    assert "neither a date" in shell("spend", "--since", "soon", ok=False)
    assert "no time zone" in shell("spend", "--tz", "Mars/Base", ok=False)


def test_spend_sees_what_the_engine_is_reading(shell):
    shell.write("a", transcript("a"))
    shell("engine", "start")
    assert shell.json("spend")["total"]["calls"] == 1
    shell.write("b", transcript("b"))
    assert shell.json("spend")["total"]["calls"] == 2


def test_runs_and_budgets(shell):
    shell.write("a", transcript("a", at=an_hour_ago()))
    (run,) = shell.json("ps", "--all")
    assert set(run) == RUN_KEYS
    assert set(run["tokens"]) == CLASSES
    assert set(run["clock"]) == {"left_s", "ruling", "frozen"}
    assert set(run["cache"]) == {"state", "expires", "ttl_s", "warm_usd", "cold_usd"}
    assert (run["id"], run["name"], run["usd"], run["mark"]) == (
        "claude-code/a",
        "port the parser",
        "0.03755",
        "exact",
    )
    assert (run["project"], run["branch"], run["context"]["tokens"]) == (
        "/work/parser",
        "main",
        3010,
    )
    assert run["authority"] == "view"
    capped = shell.json("budget", "parser", "--money", "5", "--time", "90m", "--turns", "80")
    assert capped["budget"] == {"usd": "5.00", "tokens": None, "time_s": 5400, "turns": 80, "window_percent": None, "at_zero": "interrupt", "by": "operator"}  # fmt: skip
    assert "name at least one cap" in shell("budget", "parser", ok=False)
    assert "not an amount" in shell("budget", "parser", "--money", "lots", ok=False)
    shell("engine", "stop")
    assert shell.json("show", "a")["budget"]["usd"] == "5.00"
    assert shell.json("budget", "a", "--none")["budget"] is None


def test_a_run_that_cannot_be_stopped_says_why(shell):
    shell.write("a", transcript("a", at=an_hour_ago()))
    shell("engine", "start")
    shell.json("ps")
    assert "no process is known" in shell("stop", "a", ok=False)
    assert shell.json("show", "a")["state"] != "stop failed"
    assert "no run is called" in shell("stop", "zzz", ok=False)
    assert shell.json("panic") == []


def test_several_meanings_are_refused(shell):
    shell.write("ab1", transcript("ab1", at=an_hour_ago()))
    shell.write("ab2", transcript("ab2", at=an_hour_ago()))
    assert "could be any of 2 runs" in shell("show", "ab", ok=False)


def test_settings_mistakes_are_named_everywhere(shell):
    directory = shell.home / "cockpit" / "config"
    directory.mkdir(parents=True)
    (directory / "settings.toml").write_text('them = "paper"\n')
    for words in (["spend"], ["doctor"], ["engine", "start"]):
        assert "settings.toml:1: unknown key 'them': did you mean 'theme'?" in shell(
            *words, ok=False
        )
    shutil.rmtree(directory)


def test_doctor_themes_prices(shell):
    findings = shell.json("doctor")
    assert {"settings", "engine", "claude-code", "prices", "keyring", "stopping"} <= {
        one["about"] for one in findings
    }
    assert all(set(one) == {"about", "state", "text", "fix"} for one in findings)
    assert {"cockpit", "in-time", "paper", "high-contrast", "terminal"} <= set(
        shell.json("themes")["themes"]
    )
    assert "claude-opus-5" in shell("prices", "claude-opus-5")
    shell("prices", "nobody-knows-this", ok=False)


def test_the_screen_needs_a_terminal(shell):
    assert "needs a terminal" in shell(ok=False)
    assert "needs a terminal" in shell("demo", ok=False)
