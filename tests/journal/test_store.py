import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from cockpit.core.events import BudgetSet, NoticeGiven, PromptGiven
from cockpit.journal import store
from cockpit.journal.shelf import Shelf
from cockpit.journal.store import Journal
from tests.journal.earlier import journal_of


def notice(number):
    return NoticeGiven(run="r", at=number, text=f"n{number}")


def test_what_was_appended_is_replayed_in_order(tmp_path):
    path = tmp_path / "home" / "journal.db"
    journal = Journal(path)
    journal.append(notice(1), notice(2))
    assert journal.append(notice(3)).result(5) == 3
    journal.close()
    again = Journal(path)
    assert list(again.replay()) == [(1, notice(1)), (2, notice(2)), (3, notice(3))]
    again.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_many_threads_one_order(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    threads = [
        threading.Thread(target=lambda: [journal.append(notice(n)) for n in range(100)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.append().result(5) == 800
    assert [seq for seq, _ in journal.replay()] == list(range(1, 801))
    journal.close()


def test_an_event_of_a_newer_version_is_left_out_not_fatal(tmp_path):
    path = tmp_path / "journal.db"
    journal = Journal(path)
    journal.append(notice(1)).result(5)
    journal.close()
    import sqlite3

    with sqlite3.connect(path) as database:
        database.execute(
            """INSERT INTO events (at, run, kind, body) VALUES (2, 'r', 'x', '{"event":"from_2030"}')"""
        )
    again = Journal(path)
    again.append(notice(3)).result(5)
    assert [event for _, event in again.replay()] == [notice(1), notice(3)]
    again.close()


WRITER = """
import sys
from pathlib import Path
from cockpit.core.events import PromptGiven
from cockpit.journal.store import Journal
journal = Journal(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    number += 1
    journal.append(PromptGiven(run="r", at=number, text="x")).result()
    print(number, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "journal.db"
    acknowledged = 0
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(acknowledged)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged % 40 == 39:
                os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        journal = Journal(path)
        kept = [event.at for _, event in journal.replay()]
        journal.close()
        assert kept == list(range(1, len(kept) + 1))
        assert len(kept) >= acknowledged
        acknowledged = len(kept)


def test_a_full_disk_keeps_events_until_there_is_room(tmp_path, monkeypatch):
    import sqlalchemy as sa

    said = []
    journal = Journal(tmp_path / "journal.db", said.append)
    full = threading.Event()
    full.set()
    insert = journal._insert

    def maybe(rows):
        if full.is_set():
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
        return insert(rows)

    monkeypatch.setattr(journal, "_insert", maybe)
    monkeypatch.setattr("cockpit.journal.store.RETRY_SECONDS", 0.01)
    future = journal.append(BudgetSet(run="r", at=1, budget=None))
    with pytest.raises(TimeoutError):
        future.result(0.1)
    full.clear()
    assert future.result(5) == 1
    assert "kept in memory" in said[0]
    assert "written again" in said[-1]
    journal.close()


def test_prompts_with_any_text_survive(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    event = PromptGiven(run="r", at=1, text='"quotes" \\ \u2603 日本 \n')
    journal.append(event).result(5)
    assert [kept for _, kept in journal.replay()] == [event]
    journal.close()


def test_what_nobody_waits_for_shares_the_next_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("cockpit.journal.store.LINGER_SECONDS", 60)
    journal = Journal(tmp_path / "journal.db")
    commits = []
    insert = journal._insert
    monkeypatch.setattr(journal, "_insert", lambda batch: commits.append(batch) or insert(batch))
    assert journal.append(notice(1)).result(5) == 1
    idle = journal.write((), [notice(2)], awaited=False)
    with pytest.raises(TimeoutError):
        idle.result(0.1)
    assert journal.append(notice(3)).result(5) == 3
    assert idle.result(5) == 3
    assert [len(batch) for batch in commits] == [1, 2]
    late = journal.write((), [notice(4)], awaited=False)
    journal.close()
    assert late.result(0) == 4


def test_what_nobody_waits_for_is_written_all_the_same(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    assert journal.write((), [notice(1)], awaited=False).result(5) == 1
    journal.close()


def test_trials_of_an_earlier_version_are_unproven_where_their_words_said_so(tmp_path):
    path = tmp_path / "journal.db"
    tried = ((0, "its workspace was not recorded"), (0, "a.md differs"), (1, ""))
    rows = (
        "INSERT INTO script_trials (content, number, gate, run, passed, detail)"
        f" VALUES ('c', {number}, 'V1', 'r', {passed}, '{detail}')"
        for number, (passed, detail) in enumerate(tried)
    )
    journal_of(path, "0004", *rows)
    Journal(path).close()
    engine = store.connect(path)
    assert [trial.unproven for trial in Shelf(engine).trials("c")] == [True, False, False]
    engine.dispose()
