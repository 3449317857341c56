import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.agents.opencode import OpenCode
from cockpit.core import events as e
from tests.agents.reading import as_truth, folded, home, merged, read_all, truth, writes_as_input

AGENT = OpenCode()
DATABASE = Path(".local/share/opencode/opencode.db")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "opencode.db"
    shutil.copyfile(home("opencode", "basic") / DATABASE, path)
    return path


def change(path: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(sql, values)
    connection.close()


def add_message(path: Path, id_: str, session: str, data: dict, at: int = 1795318200000) -> None:
    change(path, "INSERT INTO message VALUES (?,?,?,?,?)", id_, session, at, at, json.dumps(data))


def add_part(path: Path, id_: str, message: str, session: str, data: object, at: int) -> None:
    values = (id_, message, session, at, at, json.dumps(data))
    change(path, "INSERT INTO part VALUES (?,?,?,?,?,?)", *values)


def session_of(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT id FROM session").fetchone()[0]


@pytest.mark.parametrize("case", ["basic", "subagent"])
def test_totals_are_those_of_all_main_calls_and_marked(case):
    calls, events, bad = read_all(AGENT, home("opencode", case))
    assert as_truth(calls) == writes_as_input(truth("opencode", case, "totals_main_only"))
    assert {call.mark for call in calls} == {"estimated"}
    assert all(call.reason for call in calls)
    assert bad == 0
    caveats = {event.run for event in events if isinstance(event, e.RunCaveat)}
    assert caveats == {call.run for call in calls}


def test_sub_session_is_found_under_its_parent():
    calls, events, _ = read_all(AGENT, home("opencode", "subagent"))
    runs = folded(events).runs
    child = next(run for run in runs.values() if run.parent)
    assert child.parent in runs
    assert {call.run for call in calls} == set(runs)


def test_story_of_a_run():
    _, events, _ = read_all(AGENT, home("opencode", "basic"))
    (run,) = folded(events).runs.values()
    assert run.project == "/home/operator/src/opencode/basic/repo"
    assert run.model == "mock-model"
    assert run.phase == "waiting"
    assert not run.open_tools
    started = [event for event in events if isinstance(event, e.ToolStarted)]
    ended = {event.tool: event.ok for event in events if isinstance(event, e.ToolEnded)}
    assert [event.summary for event in started][:2] == [
        "ls -la",
        "/home/operator/src/opencode/basic/repo/calc.py",
    ]
    assert list(ended.values()).count(False) == 1
    prompts = [event.text for event in events if isinstance(event, e.PromptGiven)]
    assert prompts == ['"[[basic]] add a mul function to calc.py and run the tests"']


def test_reading_on_tells_only_what_is_new(database):
    books, _ = AGENT.read(database, b"", since=0)
    again, told = AGENT.read(database, books.memory, since=0)
    assert (again.calls, told) == ([], [])
    session = session_of(database)
    tokens = {"input": 5, "output": 7, "reasoning": 0, "cache": {"read": 1, "write": 2}}
    add_message(
        database,
        "msg_new",
        session,
        {"role": "assistant", "time": {"created": 1795318200000}, "modelID": "m", "tokens": tokens},
    )
    part = {
        "type": "tool",
        "tool": "bash",
        "callID": "c",
        "state": {"status": "running", "input": {"command": "sleep 9"}},
    }
    add_part(database, "prt_new", "msg_new", session, part, 1795318200500)
    more, told = AGENT.read(database, again.memory, since=0)
    assert [call.tokens.total for call in more.calls] == [15]
    assert [event.summary for event in told if isinstance(event, e.ToolStarted)] == ["sleep 9"]

    part["state"] |= {"status": "completed", "output": "ok"}
    change(database, "UPDATE part SET data=? WHERE id='prt_new'", json.dumps(part))
    _, told = AGENT.read(database, more.memory, since=0)
    assert [type(event) for event in told] == [e.ToolEnded]


def test_a_message_that_completes_later_is_read_again(database):
    books, _ = AGENT.read(database, b"", since=0)
    session = session_of(database)
    message = {"role": "assistant", "time": {"created": 1795318200000}, "modelID": "m"}
    add_message(database, "msg_late", session, message)
    opened, _ = AGENT.read(database, books.memory, since=0)
    assert opened.calls == []
    message |= {"tokens": {"input": 3, "output": 4}, "finish": "stop"}
    message["time"] |= {"completed": 1795318201000}
    change(database, "UPDATE message SET data=? WHERE id='msg_late'", json.dumps(message))
    closed, _ = AGENT.read(database, opened.memory, since=0)
    assert [(call.tokens.total, call.at) for call in closed.calls] == [(7, 1795318201000)]


def test_an_aborted_message_is_an_interruption(database):
    session = session_of(database)
    error = {"name": "MessageAbortedError", "data": {"message": "aborted"}}
    message = {"role": "assistant", "time": {"created": 1795318200000}, "error": error}
    add_message(database, "msg_cut", session, message)
    _, told = AGENT.read(database, b"", since=0)
    assert [event.text for event in told if isinstance(event, e.RunInterrupted)] == ["aborted"]


def test_a_fork_is_not_counted_again(database):
    before = merged(AGENT.read(database, b"", since=0)[0].calls)
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT id, data FROM message").fetchall()
        connection.execute(
            "INSERT INTO session (id, project_id, slug, directory, title, version, time_created,"
            " time_updated) SELECT 'ses_fork', project_id, 's', directory, 'fork', version,"
            " time_created, time_updated FROM session"
        )
    connection.close()
    for number, (_, data) in enumerate(rows):
        add_message(database, f"msg_2114c2c4{number:01x}001copy", "ses_fork", json.loads(data))
    assert merged(AGENT.read(database, b"", since=0)[0].calls).keys() == before.keys()


def test_rows_that_were_replaced_are_all_read_again(database):
    books, _ = AGENT.read(database, b"", since=0)
    change(database, "DELETE FROM message WHERE rowid = (SELECT max(rowid) FROM message)")
    again, _ = AGENT.read(database, books.memory, since=0)
    assert len(again.calls) == len(books.calls) - 1


def test_old_sessions_are_booked_but_not_told(database):
    books, told = AGENT.read(database, b"", since=1 << 42)
    assert len(books.calls) == 6
    assert told == []


def test_pages_lead_back_to_the_beginning(database):
    run = f"opencode/{session_of(database)}"
    before, pages = None, []
    while True:
        events, before = AGENT.page(database, run, before, 7)
        pages.append(events)
        if before is None:
            break
    paged = [event for page in reversed(pages) for event in page]
    assert sum(isinstance(event, e.ToolEnded) for event in paged) == 6
    first = [type(event) for event in paged[:4]]
    assert first == [e.RunSeen, e.RunDescribed, e.RunCaveat, e.PromptGiven]
    assert isinstance(paged[-1], e.TurnEnded)


def test_a_live_log_is_read_without_writing_beside_it(database):
    writer = sqlite3.connect(database)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE message SET time_updated = time_updated + 1")
    before = {path.name: path.stat().st_mtime_ns for path in database.parent.iterdir()}
    books, _ = AGENT.read(database, b"", since=0)
    assert len(books.calls) == 6
    assert {path.name: path.stat().st_mtime_ns for path in database.parent.iterdir()} == before
    writer.rollback()
    writer.close()


def test_a_log_that_nobody_has_open_is_read_from_a_copy(database, tmp_path):
    writer = sqlite3.connect(database)
    writer.execute("PRAGMA journal_mode=WAL")
    session = session_of(database)
    add_message(
        database,
        "msg_in_wal",
        session,
        {"role": "assistant", "time": {"created": 1, "completed": 2}, "tokens": {"input": 1}},
    )
    left = tmp_path / "left"
    left.mkdir()
    for name in ("opencode.db", "opencode.db-wal"):
        shutil.copyfile(database.parent / name, left / name)
    writer.close()
    books, _ = AGENT.read(left / "opencode.db", b"", since=0)
    assert len(books.calls) == 7
    assert sorted(path.name for path in left.iterdir()) == ["opencode.db", "opencode.db-wal"]


def test_a_locked_database_is_asked_again_later(database):
    books, _ = AGENT.read(database, b"", since=0)
    writer = sqlite3.connect(database)
    writer.execute("BEGIN EXCLUSIVE")
    locked, told = AGENT.read(database, books.memory, since=0)
    writer.close()
    assert (locked.calls, locked.memory, told) == ([], books.memory, [])


def test_a_table_with_other_columns_is_read_as_far_as_it_goes(database):
    change(database, "ALTER TABLE session DROP COLUMN model")
    change(database, "ALTER TABLE session ADD COLUMN mood text")
    books, told = AGENT.read(database, b"", since=0)
    assert len(books.calls) == 6
    assert any(isinstance(event, e.RunSeen) for event in told)


def test_bad_rows_are_counted(database):
    change(database, "UPDATE message SET data='{' WHERE rowid=2")
    change(database, "UPDATE part SET data='[1' WHERE rowid=2")
    books, _ = AGENT.read(database, b"", since=0)
    assert (len(books.calls), books.bad_lines) == (5, 1)


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_a_file_that_is_no_database_is_counted_once(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bad") / "opencode.db"
    path.write_bytes(b"SQLite?" + data)
    books, told = AGENT.read(path, b"", since=0)
    assert (books.calls, told) == ([], [])
    again, _ = AGENT.read(path, books.memory, since=0)
    assert again.bad_lines == 0


def test_output_that_already_holds_the_reasoning(database):
    tokens = {"input": 10, "output": 8, "reasoning": 3, "total": 18}
    message = {"role": "assistant", "time": {"created": 1, "completed": 2}, "tokens": tokens}
    add_message(database, "msg_total", session_of(database), message)
    books, _ = AGENT.read(database, b"", since=0)
    assert books.calls[-1].tokens.output == 8


def test_changes_beside_the_database_belong_to_it(tmp_path):
    root = AGENT.roots(tmp_path, {"XDG_DATA_HOME": str(tmp_path / "x")})[0]
    assert root == tmp_path / "x" / "opencode"
    source = AGENT.source(root / "opencode.db-wal", root)
    assert source is not None
    assert source.path == str(root / "opencode.db")
    assert AGENT.source(root / "log" / "a.log", root) is None
