import os
import stat
import threading

import pytest

from cockpit.core.trace import Fetch, File, Step, Trace, Tree, World
from cockpit.journal import evidence, traces
from cockpit.journal.blobs import BLOB_LIMIT, YOUNG_SECONDS, BlobStore
from cockpit.journal.evidence import Evidence, Row, named, outlived
from cockpit.journal.keeping import EvidenceSettings
from cockpit.journal.settings import SettingsError, load
from cockpit.journal.store import Journal

DAY = 86_400_000


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "evidence")


def trace_with(blobs, run="r1", content=b"hello\n"):
    kept = File(blobs.put(content), len(content))
    world = World(
        root="/w",
        before=Tree({"a.txt": kept}, ("b: a link",)),
        after=Tree({"a.txt": kept, "n.txt": File(blobs.put(b"new" + content), 9, 0o755)}),
        fetches=(Fetch(method="GET", url="http://h/x", status=200, body=blobs.put(b"{}")),),
        environment={"PWD": "/w"},
    )
    steps = (Step(number=1, tool="Bash", arguments={"command": "cat a.txt"}, output="hello\n"),)
    return Trace(
        run=run, agent="codex", began=1, ended=2, prompts=("do",), steps=steps, world=world
    )


def row(run, began, body="b", ended=1, size=10):
    return Row(
        run=run, agent="codex", project="/w", began=began, ended=ended, bytes=size, body=body
    )


def test_a_content_is_kept_once_and_privately(blobs):
    digest = blobs.put(b"x" * 1000)
    assert blobs.put(b"x" * 1000) == digest
    assert blobs.get(digest) == b"x" * 1000
    assert blobs.added == blobs.size() == 1000
    files = [path for path in blobs.root.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (blobs.root, files[0].parent)} == {0o700}


def test_a_damaged_content_is_none(blobs):
    digest = blobs.put(b"right")
    (blobs.root / digest[:2] / digest[2:]).write_bytes(b"wrong")
    for wanted in (digest, "0" * 64, "../../etc/passwd", ""):
        with pytest.raises(KeyError):
            blobs.get(wanted)


def test_what_is_too_large_is_refused(blobs):
    with pytest.raises(ValueError, match="more than one piece"):
        blobs.put(b"0" * (BLOB_LIMIT + 1))
    assert blobs.size() == 0


def test_threads_write_the_same_content_at_once(blobs):
    contents = [f"content {number}".encode() * 50 for number in range(40)]
    threads = [threading.Thread(target=lambda: [*map(blobs.put, contents)]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([path for path in blobs.root.rglob("*") if path.is_file()]) == 40


def test_a_trace_comes_back_as_it_was(blobs):
    trace = trace_with(blobs)
    assert evidence.get(blobs, evidence.put(blobs, trace)) == trace
    bare = Trace(run="r2", agent="codex", began=1, ended=2)
    assert evidence.get(blobs, evidence.put(blobs, bare)) == bare


def test_a_trace_whose_tree_is_gone_is_none(blobs):
    body = evidence.put(blobs, trace_with(blobs))
    blobs.sweep({body}, now=4e9)
    with pytest.raises(KeyError):
        evidence.get(blobs, body)


def test_the_last_word_on_a_run_counts(tmp_path, blobs):
    journal = Journal(tmp_path / "journal.db")
    journal.write([traces.kept(row("r1", 5, ended=None))])
    journal.write([traces.kept(row("r2", 3))])
    journal.write([traces.kept(row("r1", 5, body="c", ended=9))]).result(5)
    with Evidence.reading(tmp_path / "journal.db", blobs) as kept:
        assert [(one.run, one.body, one.ended) for one in kept.rows()] == [
            ("r2", "b", 1),
            ("r1", "c", 9),
        ]
    journal.close()


def test_where_nothing_was_kept_there_is_nothing(tmp_path, blobs):
    with Evidence.reading(tmp_path / "none.db", blobs) as kept:
        assert kept is None


def test_age_and_size_let_the_oldest_go_with_the_reason():
    rows = [row("old", 1 * DAY), row("mid", 50 * DAY, size=800_000), row("new", 99 * DAY)]
    settings = EvidenceSettings(age="60d", megabytes=1)
    gone = outlived(rows, settings, 900_000, 100 * DAY)
    assert [(one.run, one.body, one.gone) for one in gone] == [("old", "", "older than 60d")]
    gone = outlived(rows[1:], settings, 1_500_000, 100 * DAY)
    assert [one.run for one in gone] == ["mid"]
    assert "more than 1 MB" in gone[0].gone
    assert outlived([row("live", 1, ended=None)], settings, 9_000_000, 100 * DAY) == []
    assert outlived([row("gone", 1, body="")], settings, 9_000_000, 100 * DAY) == []


def test_a_sweep_leaves_what_a_trace_names_and_what_is_young(blobs):
    kept = evidence.put(blobs, trace_with(blobs))
    lost = evidence.put(blobs, trace_with(blobs, "r2", b"other\n"))
    names = named(blobs, [row("r1", 1, body=kept), row("r2", 2, body="")])
    young = blobs.put(b"just now")
    for path in blobs.root.rglob("*"):
        if path.is_file() and not path.match(f"{young[:2]}/{young[2:]}"):
            os.utime(path, (1, 1))
    freed = blobs.sweep(names)
    assert freed > 0
    assert evidence.get(blobs, kept).run == "r1"
    assert blobs.get(young) == b"just now"
    with pytest.raises(KeyError):
        evidence.get(blobs, lost)
    assert YOUNG_SECONDS >= 600


def test_the_settings_say_what_is_wrong(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text('[evidence]\non = false\nage = "30d"\nmegabytes = 500\n')
    assert load(path).evidence == EvidenceSettings(False, "30d", 500)
    for text, word in (
        ('[evidence]\nage = "long"\n', "duration"),
        ("[evidence]\nmegabytes = 0\n", "megabytes"),
        ("[evidence]\nkeep = true\n", "unknown key 'evidence.keep'"),
    ):
        path.write_text(text)
        with pytest.raises(SettingsError, match=word):
            load(path)
