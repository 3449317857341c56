"""Transcripts of real agents grow before a watcher's eyes, and end where a fresh scan ends."""

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from cockpit.agents.registry import MODULES
from tests.engine.live import Watched, totals

FIXTURES = Path(__file__).parent.parent / "fixtures"
LONG_AGO_MS = 100 * 365 * 24 * 3_600_000
GROWING = {".jsonl", ".md"}


def cases():
    for agent in MODULES:
        folder = FIXTURES / agent.replace("-", "_")
        for case in sorted(folder.iterdir()) if folder.exists() else []:
            yield pytest.param(agent, case / "home", id=f"{agent}-{case.name}")


def environment(agent: str, home: Path) -> dict[str, str]:
    histories = list(home.rglob(".aider.chat.history.md"))
    return {"AIDER_CHAT_HISTORY_FILE": str(histories[0])} if agent == "aider" and histories else {}


def grow(source: Path, target: Path, watched: Watched, chance: random.Random) -> None:
    """All files at once, each in pieces cut anywhere; what is not appended to is there at once."""
    left: dict[Path, bytes] = {}
    for path in sorted(source.rglob("*")):
        goal = target / path.relative_to(source)
        if path.is_dir():
            goal.mkdir(parents=True, exist_ok=True)
        elif path.suffix in GROWING:
            left[goal] = path.read_bytes()
        else:
            shutil.copy2(path, goal)
    while left:
        path = chance.choice(sorted(left))
        size = chance.choice((1, 100, 2_000, 20_000))
        with path.open("ab") as file:
            file.write(left[path][:size])
        left[path] = left[path][size:]
        if not left[path]:
            del left[path]
        if chance.random() < 0.2:
            watched.caught_up()


def whole(found: dict) -> tuple[int, int, int]:
    """Tokens, nano-dollars and calls of all runs: of a fork, either side may own what both tell."""
    return (
        sum(tokens.total for tokens, _, _ in found.values()),
        sum(nano for _, nano, _ in found.values()),
        sum(calls for _, _, calls in found.values()),
    )


@pytest.mark.parametrize(("agent", "home"), list(cases()))
def test_grown_live_read_cold_and_read_again(agent, home, tmp_path):
    (tmp_path / "home").mkdir()
    shutil.copytree(home, tmp_path / "shape")
    named = environment(agent, tmp_path / "shape")
    named = {name: value.replace("/shape/", "/home/") for name, value in named.items()}
    watched = Watched(tmp_path, (agent,), named, recent_ms=LONG_AGO_MS)
    watched.start()
    try:
        grow(home, watched.home, watched, random.Random(agent))
        live = watched.caught_up()
        assert whole(totals(live)) == whole(watched.cold()) > (0, 0, 0)
        watched.restart()
        assert totals(watched.fleet) == totals(live)
        for name, run in watched.fleet.runs.items():
            before = live.runs[name]
            for field in ("name", "model", "project", "branch", "parent", "window", "phase"):
                assert getattr(run, field) == getattr(before, field), (name, field)
            assert run.active_ms == pytest.approx(before.active_ms, abs=2_000), name
    finally:
        watched.close()


def test_as_it_grew_when_it_was_recorded(tmp_path):
    """Claude Code with a sub-agent, at the recorded moments, five times as fast."""
    case = FIXTURES / "claude_code" / "subagent"
    growth = json.loads((case / "growth.json").read_text())
    full = {path: size for _, path, size in growth}
    watched = Watched(tmp_path, recent_ms=LONG_AGO_MS)
    watched.start()
    began = time.monotonic()
    for second, path, size in growth:
        source = case / "home" / path.lstrip("/")
        if not source.exists() or source.suffix != ".jsonl":
            continue
        time.sleep(max(0.0, began + second / 5 - time.monotonic()))
        goal = watched.home / path.lstrip("/")
        goal.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        data = data[: len(data) * size // full[path]]
        with goal.open("ab") as file:
            file.write(data[goal.stat().st_size :])
    books = watched.cold()
    watched.until(lambda fleet: totals(fleet) == books, 3)
    assert len(books) == 2
    watched.close()
