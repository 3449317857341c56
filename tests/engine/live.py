"""Transcripts that grow, and a watcher beside them: what it told must equal a fresh scan."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from cockpit.agents.registry import chosen
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all, reopened
from cockpit.core.tokens import NO_TOKENS, Tokens
from cockpit.engine.books import Pricing
from cockpit.engine.library import Library, scan
from cockpit.engine.watch import Watcher
from cockpit.journal.index import Index
from cockpit.prices.book import Book

BOOK = Book.load()
MODEL = "claude-sonnet-4-5-20250929"
DAY_MS = 24 * 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def reply(number, session="s", *, at=None, output=10, text="done", tool="", **more) -> bytes:
    """A line of Claude Code: one call of the model, distinct by its number."""
    part = {"type": "text", "text": text}
    if tool:
        part = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": tool,
            "input": {"command": "ls"},
        }
    message = {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": MODEL,
        "content": [part], "stop_reason": "tool_use" if tool else "end_turn",
        "usage": {
            "input_tokens": 3, "cache_creation_input_tokens": 100 + int(str(number).split("-")[-1]),
            "cache_read_input_tokens": 1000, "output_tokens": output,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 100 + int(str(number).split("-")[-1]),
                "ephemeral_1h_input_tokens": 0,
            },
        },
    }  # fmt: skip
    return _line(
        "assistant", number, session, at, {"message": message, "requestId": f"req_{number}", **more}
    )


def prompt(number, session="s", *, at=None, text="fix the tests") -> bytes:
    """A line of Claude Code: what its user typed."""
    return _line("user", number, session, at, {"message": {"role": "user", "content": text}})


def _line(kind, number, session, at, more) -> bytes:
    entry = {
        "parentUuid": None, "isSidechain": False, "userType": "external", "cwd": "/src/p",
        "sessionId": session, "version": "2.1.330", "gitBranch": "main", "type": kind,
        "uuid": f"{kind}-{number}", "timestamp": iso(now_ms() if at is None else at), **more,
    }  # fmt: skip
    return json.dumps(entry).encode() + b"\n"


class Watched:
    """A home with a watcher over it, and the fleet that comes of what it tells."""

    def __init__(self, root: Path, agents=("claude-code",), environment=None, **settings) -> None:
        self.root = root
        self.home = root / "home"
        self.projects = self.home / ".claude" / "projects"
        self.projects.mkdir(parents=True, exist_ok=True)
        self.library = Library(chosen(agents), self.home, environment or {})
        self.fleet = Fleet()
        self.scan = None
        self.told = 0
        self.order: list[str] = []
        self._changed = threading.Condition()
        self._settings = {"poll_seconds": 1, "recent_ms": DAY_MS, **settings}
        self.watcher = self._watcher()

    def _watcher(self) -> Watcher:
        return Watcher(
            self.library, Index.open(self.root / "index.db"), BOOK,
            happened=self._happened, opened=self._opened, progress=self._progress,
            now=now_ms, **self._settings,
        )  # fmt: skip

    def start(self) -> "Watched":
        self.watcher.start()
        assert self.watcher.catch_up(30)
        return self

    def restart(self) -> None:
        self.watcher.close()
        self.fleet = Fleet()
        self.watcher = self._watcher()
        self.start()

    def _happened(self, events) -> None:
        with self._changed:
            self.fleet = fold_all(self.fleet, events)
            self.told += len(events)
            self._changed.notify_all()

    def _opened(self, family) -> None:
        with self._changed:
            self.order += family.fleet.runs
            self.fleet = reopened(self.fleet, family.fleet, Fleet())
            self._changed.notify_all()

    def _progress(self, scan) -> None:
        self.scan = scan

    def until(self, condition, seconds=15.0) -> None:
        """Waits for the watcher to tell by itself, without being asked."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.fleet), seconds), self.fleet

    def transcript(self, session="s", project="-src-p") -> Path:
        path = self.projects / project / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def caught_up(self) -> Fleet:
        assert self.watcher.catch_up(30)
        return self.fleet

    def agrees(self) -> Fleet:
        """The fleet, after making sure that it says what a scan from nothing says."""
        fleet = self.caught_up()
        assert totals(fleet) == self.cold()
        return fleet

    def cold(self) -> dict[str, tuple[Tokens, int, int]]:
        path = self.root / f"cold-{time.monotonic_ns()}.db"
        index = Index.open(path)
        for _ in scan(self.library, index, Pricing(BOOK)):
            pass
        runs = [run.run for run in index.runs().values()]
        found = {run: list(index.calls_of(run)) for run in runs}
        index.close()
        return {
            run: (
                sum((each.added for each in booked), NO_TOKENS),
                sum(each.nano or 0 for each in booked),
                len(booked),
            )
            for run, booked in found.items()
            if booked
        }

    def close(self) -> None:
        self.watcher.close()


def totals(fleet: Fleet) -> dict[str, tuple[Tokens, int, int]]:
    return {run.id: (run.tokens, run.nano, run.calls) for run in fleet.runs.values() if run.calls}
