"""`cockpit demo --headless` as somebody with nothing would run it."""

import json
import os
import subprocess
import sys

from cockpit.core.tokens import Tokens


def test_the_fleet_agrees_with_what_the_provider_served(tmp_path):
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    done = subprocess.run(
        [sys.executable, "-m", "cockpit", "demo", "--headless", "--seconds", "20", "--json"],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {"id", "state", "usd", "clock", "cache", "tokens"} <= set(answer["fleet"][0])
    assert {"codex", "qwen", "copilot"} <= {run["agent"] for run in answer["fleet"]}
    told = sum((Tokens(**run["tokens"]) for run in answer["fleet"]), Tokens())
    served = answer["provider"]["served"]
    billed = sum((Tokens(**request["tokens"]) for request in served), Tokens())
    last = max(Tokens(**request["tokens"]).total for request in served)
    assert 0 < told.total <= billed.total
    assert billed.total - told.total <= last * len(answer["fleet"])  # a call each may be under way
    assert not list(home.iterdir())
    assert not list(temporary.iterdir())
