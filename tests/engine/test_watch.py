"""Files change in every way files do; what is told always equals a fresh scan."""

import os
import resource
import shutil
import time

import pytest
from watchdog.observers.api import BaseObserver

from tests.engine.live import Watched, now_ms, prompt, reply, totals


@pytest.fixture
def watched(tmp_path):
    watched = Watched(tmp_path)
    yield watched
    watched.close()


def calls(fleet, run="claude-code/s"):
    return fleet.runs[run].calls if run in fleet.runs else 0


def append(path, *lines):
    with path.open("ab") as file:
        for line in lines:
            file.write(line)


def test_appended_lines_are_told_by_themselves(watched):
    path = watched.transcript()
    append(path, prompt(0), reply(1))
    watched.start()
    assert calls(watched.fleet) == 1
    for number in range(2, 5):
        append(path, reply(number))
        watched.until(lambda fleet, number=number: calls(fleet) == number, 3)
    watched.agrees()


def test_half_a_line_waits_for_its_rest(watched):
    path = watched.transcript()
    append(path, reply(1))
    watched.start()
    line = reply(2)
    for cut in range(0, len(line), 97):
        append(path, line[cut : cut + 97])
    fleet = watched.agrees()
    assert calls(fleet) == 2
    append(path, reply(3)[:200])
    assert calls(watched.agrees()) == 2
    assert fleet.runs["claude-code/s"].bad_lines == 0


def test_a_last_line_without_end_counts_once(watched):
    path = watched.transcript()
    append(path, reply(1), reply(2)[:-1])
    watched.start()
    assert calls(watched.agrees()) == 2
    append(path, b"\n")
    assert calls(watched.agrees()) == 2
    append(path, reply(3)[:-1])
    assert calls(watched.agrees()) == 3
    append(path, b"\n" + reply(4))
    assert calls(watched.agrees()) == 4


def test_many_lines_at_once(watched):
    path = watched.transcript()
    append(path, reply(0))
    watched.start()
    append(path, *(reply(number) for number in range(1, 3_000)))
    assert calls(watched.agrees()) == 3_000


def test_growing_figures_of_one_call_count_once(watched):
    path = watched.transcript()
    append(path, reply(1, output=1))
    watched.start()
    for output in (5, 50, 500):
        append(path, reply(1, output=output))
        assert watched.agrees().runs["claude-code/s"].tokens.output == output
    assert calls(watched.fleet) == 1


def test_truncated_in_place(watched):
    path = watched.transcript()
    append(path, *(reply(number) for number in range(5)))
    watched.start()
    path.write_bytes(reply(7))
    fleet = watched.caught_up()
    assert calls(fleet) == 6  # what was spent stays spent
    append(path, reply(8))
    assert calls(watched.caught_up()) == 7
    watched.restart()
    assert calls(watched.fleet) == 7


def test_replaced_by_rename(watched):
    path = watched.transcript()
    append(path, *(reply(number) for number in range(5)))
    watched.start()
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(reply(number) for number in range(6)))
    new.replace(path)
    assert calls(watched.agrees()) == 6
    append(path, reply(6))
    assert calls(watched.agrees()) == 7


def test_rotated(watched):
    path = watched.transcript()
    append(path, reply(1), reply(2))
    watched.start()
    path.rename(path.with_suffix(".jsonl.1"))
    append(path, reply(3))
    assert calls(watched.caught_up()) == 3


def test_deleted_and_made_again(watched):
    path = watched.transcript()
    append(path, reply(1), reply(2))
    watched.start()
    path.unlink()
    assert calls(watched.caught_up()) == 2
    append(path, reply(2), reply(3))
    assert calls(watched.caught_up()) == 3


def test_a_new_session_in_a_new_directory_written_at_once(watched):
    watched.start()
    for number in range(20):
        path = watched.transcript(f"n{number}", project=f"-src-{number}")
        append(path, reply(f"{number}-1", f"n{number}"))
    watched.until(lambda fleet: len(fleet.runs) == 20, 3)
    watched.agrees()


def test_nested_directories_that_were_moved_in(watched, tmp_path):
    watched.start()
    made = tmp_path / "made" / "deep"
    made.mkdir(parents=True)
    (made / "m.jsonl").write_bytes(reply(1, "m"))
    made.parent.rename(watched.projects / "made")
    watched.until(lambda fleet: len(fleet.runs) == 1, 3)
    watched.agrees()


def test_a_root_that_appears_later_goes_and_comes_back(watched):
    shutil.rmtree(watched.home)
    watched.start()
    assert watched.fleet.runs == {}
    append(watched.transcript(), reply(1))
    watched.until(lambda fleet: calls(fleet) == 1)
    shutil.rmtree(watched.home)
    time.sleep(0.3)
    append(watched.transcript(), reply(2))
    watched.until(lambda fleet: calls(fleet) == 2)
    append(watched.transcript(), reply(3))
    watched.until(lambda fleet: calls(fleet) == 3, 5)


def test_without_notices_it_polls(watched, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(BaseObserver, "schedule", refuse)
    append(watched.transcript(), reply(1))
    watched.start()
    append(watched.transcript(), reply(2))
    watched.until(lambda fleet: calls(fleet) == 2, 5)
    append(watched.transcript("t"), reply("t-1", "t"))
    watched.until(lambda fleet: calls(fleet, "claude-code/t") == 1, 5)
    assert "is polled" in watched.fleet.feed[0].text
    watched.agrees()


def test_a_root_behind_a_link(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home" / ".claude" / "projects").symlink_to(real)
    watched = Watched(tmp_path)
    append(watched.transcript(), reply(1))
    watched.start()
    append(watched.transcript(), reply(2))
    watched.until(lambda fleet: calls(fleet) == 2, 3)
    watched.agrees()
    watched.close()


def test_an_unreadable_source_stops_nothing(watched):
    """A directory in a transcript's place: it can be opened by nobody, root included."""
    watched.transcript("bad").mkdir()
    append(watched.transcript(), reply(1))
    watched.start()
    append(watched.transcript(), reply(2))
    watched.until(lambda fleet: calls(fleet) == 2, 3)
    watched.transcript("bad").rmdir()
    append(watched.transcript("bad"), reply("b-1", "bad"))
    watched.until(lambda fleet: calls(fleet, "claude-code/bad") == 1, 5)


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_we_may_not_read(watched):
    path = watched.transcript()
    append(path, reply(1))
    path.chmod(0)
    watched.start()
    assert watched.fleet.runs == {}
    path.chmod(0o600)
    assert calls(watched.agrees()) == 1


def test_a_line_of_a_hundred_megabytes(watched):
    path = watched.transcript()
    append(path, reply(1))
    watched.start()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with path.open("ab") as file:
        file.write(b'{"type":"assistant","text":"')
        for _ in range(100):
            file.write(b"x" * (1024 * 1024))
        file.write(b'"}\n' + reply(2))
    fleet = watched.agrees()
    assert (calls(fleet), fleet.runs["claude-code/s"].bad_lines) == (2, 1)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 160 * 1024, f"{grown} kB"


# --- families, restarts, the whole machine


def side(number, agent="a", at=None):
    return reply(number, at=at, isSidechain=True, agentId=agent)


def side_path(watched, agent="a", session="s"):
    path = watched.transcript(session).with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_sub_agent_is_charged_to_its_parent_the_same_after_a_restart(watched):
    start = now_ms() - 600_000
    append(watched.transcript(), prompt(0, at=start), reply(1, at=start + 1000, tool="Task"))
    watched.start()
    for step in range(1, 30):
        at = start + 1000 + step * 5_000
        append(side_path(watched), side(f"side-{step}", at=at))
        append(watched.transcript(), reply(step + 1, at=at + 1_000, tool="Bash"))
        watched.caught_up()
    live = watched.agrees()
    parent = live.runs["claude-code/s"]
    assert parent.child_nano == live.runs["claude-code/s/a"].nano > 0
    watched.restart()
    again = watched.fleet
    assert again.runs.keys() == live.runs.keys()
    for name, run in again.runs.items():
        before = live.runs[name]
        differ = [
            field
            for field in run.__struct_fields__
            if getattr(run, field) != getattr(before, field)
        ]
        assert differ == [], [(getattr(before, field), getattr(run, field)) for field in differ]
    assert again.spent == live.spent


def test_a_fork_found_before_its_origin_moves_no_money(watched):
    history = [reply(number) for number in range(5)]
    watched.start()
    append(watched.transcript("fork"), *history, reply(9, "fork"))
    assert watched.agrees().runs["claude-code/fork"].calls == 6
    origin = watched.transcript()
    origin.write_bytes(b"".join(history))
    old = time.time() - 3600
    os.utime(origin, (old, old))
    fleet = watched.caught_up()
    assert sum(run.calls for run in fleet.runs.values()) == 6
    assert calls(fleet) == 5
    assert sum(fleet.spent.values()) == sum(run.nano for run in fleet.runs.values())


def test_old_runs_are_in_the_books_and_come_whole_when_they_go_on(watched):
    old = now_ms() - 3 * 24 * 3_600_000
    append(watched.transcript(), *(reply(number, at=old + number) for number in range(5)))
    watched.start()
    assert watched.fleet.runs == {}
    append(watched.transcript(), reply(9))
    watched.until(lambda fleet: calls(fleet) == 6, 3)
    watched.agrees()


def test_a_run_that_was_forgotten_comes_back_whole(watched):
    append(watched.transcript(), *(reply(number) for number in range(5)))
    watched.start()
    watched.fleet = type(watched.fleet)()
    watched.watcher.forget("claude-code/s")
    append(watched.transcript(), reply(9))
    watched.until(lambda fleet: calls(fleet) == 6, 3)
    watched.agrees()


def test_what_the_machine_spent_counts_runs_that_are_not_shown(watched):
    recent = now_ms() - 30 * 3_600_000
    append(watched.transcript("old"), *(reply(f"o-{n}", "old", at=recent) for n in range(5)))
    append(watched.transcript(), reply(1))
    watched.start()
    assert list(watched.fleet.runs) == ["claude-code/s"]
    books = watched.cold()
    watched.until(lambda fleet: sum(fleet.spent.values()) == sum(b[1] for b in books.values()))


def test_newest_first_with_progress(tmp_path):
    watched = Watched(tmp_path)
    for number in range(30):
        path = watched.transcript(f"s{number}")
        append(path, reply(f"{number}-1", f"s{number}", at=now_ms() - number * 60_000))
        stamp = time.time() - number * 60
        os.utime(path, (stamp, stamp))
    watched.start()
    assert watched.order == [f"claude-code/s{number}" for number in range(30)]
    assert watched.scan.done
    assert watched.scan.files == watched.scan.files_done == 30
    watched.close()


def test_lines_that_cannot_be_read_are_counted(watched):
    append(watched.transcript(), reply(1), b'{"type":"assistant","message":{"usage": broken\n')
    watched.start()
    append(watched.transcript(), b'{"type":"assistant","message":{"usage": broken too\n', reply(2))
    fleet = watched.agrees()
    bad = fleet.runs["claude-code/s"].bad_lines
    assert bad == 2
    watched.restart()
    assert watched.fleet.runs["claude-code/s"].bad_lines == bad


def test_killed_between_two_commits_nothing_counts_twice(watched, tmp_path):
    """The index as a crash leaves it: copied while it is open, uncommitted work lost."""
    append(watched.transcript(), *(reply(number) for number in range(5)))
    watched.start()
    append(watched.transcript(), reply(6))
    watched.caught_up()
    after = totals(watched.fleet)
    for suffix in ("", "-wal"):
        shutil.copyfile(tmp_path / f"index.db{suffix}", tmp_path / f"copy.db{suffix}")
    watched.watcher.close()
    for suffix in ("", "-wal"):
        shutil.copyfile(tmp_path / f"copy.db{suffix}", tmp_path / f"index.db{suffix}")
    watched.fleet = type(watched.fleet)()
    watched.watcher = watched._watcher()
    watched.start()
    assert totals(watched.fleet) == after == watched.cold()
