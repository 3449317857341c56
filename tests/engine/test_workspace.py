import os
import subprocess
import time
from pathlib import Path

import pytest

from cockpit.core.redaction import Redactor
from cockpit.engine import workspace
from cockpit.engine.workspace import Workspaces
from cockpit.journal.blobs import BlobStore

KEY = "sk-ant-api03-" + "Ab3_" * 12
QUIET = Redactor()


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "work"
    root.mkdir()
    return root


def git(root, *words):
    told = ["git", "-C", str(root), "-c", "user.name=n", "-c", "user.email=e", *words]
    subprocess.run(told, check=True, capture_output=True)


def put(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_regular_files_with_their_modes_and_nothing_else(root, blobs):
    put(root, "a.txt", "hello\n")
    put(root, "sub/run.sh", "true\n")
    (root / "sub/run.sh").chmod(0o755)
    put(root, "node_modules/x.js", "x")
    put(root, ".env", "A=1")
    put(root, "certs/site.key", "x")
    (root / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert {path: file.mode for path, file in tree.files.items()} == {
        "a.txt": 0o644,
        "sub/run.sh": 0o755,
    }
    assert blobs.get(tree.files["a.txt"].content) == b"hello\n"
    assert set(tree.left_out) == {
        ".env: may hold secrets",
        "certs/site.key: may hold a key",
        "link: a link",
        "node_modules/: not evidence",
        "pipe: no regular file",
    }


def test_homes_and_the_system_are_not_walked(root, blobs, monkeypatch):
    monkeypatch.setenv("HOME", str(root / "home" / "mo"))
    (root / "home" / "mo").mkdir(parents=True)
    for place in (root / "home" / "mo", root / "home", root, Path("/"), Path("/usr")):
        tree = Workspaces(blobs).take(str(place), QUIET)
        assert tree.files == {}
        assert not workspace.is_known(tree)


def test_of_a_large_workspace_nothing_is_taken(root, blobs, monkeypatch):
    monkeypatch.setattr(workspace, "FILES_LIMIT", 5)
    for number in range(8):
        put(root, f"f{number}.txt", "old")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert tree.files == {}
    assert tree.left_out == (f"8 files are more than 5: {workspace.UNKNOWN}",)
    assert not workspace.is_known(tree)
    monkeypatch.setattr(workspace, "LOOKED_AT_LIMIT", 3)
    assert not workspace.is_known(Workspaces(blobs).take(str(root), QUIET))
    monkeypatch.undo()
    assert workspace.is_known(Workspaces(blobs).take(str(root), QUIET))


def test_secrets_are_replaced_in_text_and_left_out_elsewhere(root, blobs):
    put(root, "config.ini", f"key = {KEY}\nname = x\n")
    (root / "data.bin").write_bytes(b"\0\1" + KEY.encode())
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert (
        blobs.get(tree.files["config.ini"].content) == b"key = {{secret:ANTHROPIC_KEY}}\nname = x\n"
    )
    assert tree.left_out == ("data.bin: holds a secret",)
    for path in blobs.root.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


@pytest.mark.parametrize("packed", [False, True])
def test_a_repository_is_taken_unless_a_secret_is_in_its_history(root, blobs, packed):
    git(root, "init", "-q")
    put(root, "a.txt", "hello\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert ".git/HEAD" in tree.files
    assert any(path.startswith(".git/objects/") for path in tree.files)
    put(root, "a.txt", f"{KEY}\n")
    git(root, "commit", "-qam", "a mistake")
    put(root, "a.txt", "hello again\n")
    git(root, "commit", "-qam", "taken back")
    if packed:
        git(root, "gc", "-q")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert list(tree.files) == ["a.txt"]
    assert ".git/: an object of it cannot be kept" in tree.left_out


def test_a_packed_repository_without_secrets_is_taken(root, blobs):
    git(root, "init", "-q")
    for number in range(30):
        put(root, "log.txt", "".join(f"line {each}\n" for each in range(number * 20)))
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"change {number}")
    git(root, "gc", "-q")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert [path for path in tree.files if path.endswith(".pack")]


def test_a_second_look_reads_nothing_that_did_not_change(root, blobs, monkeypatch):
    for number in range(50):
        put(root, f"f{number}.txt", f"text {number}")
        os.utime(root / f"f{number}.txt", (1, 1))
    monkeypatch.setattr(workspace, "RACY_NS", -1)
    looking = Workspaces(blobs)
    first = looking.take(str(root), QUIET)
    put(root, "f7.txt", "other")
    read: list[str] = []
    content = workspace._content
    monkeypatch.setattr(workspace, "_content", lambda place: read.append(place) or content(place))
    second = looking.take(str(root), QUIET)
    assert [Path(place).name for place in read] == ["f7.txt"]
    assert {path for path in first.files if first.files[path] != second.files[path]} == {"f7.txt"}


def test_what_changed_since_the_run_began_is_named(root, blobs):
    for path in ("a/old.txt", "b/gone.txt", "c.txt"):
        put(root, path, "old")
    time.sleep(0.02)  # the file system's clock ticks more slowly than ours
    began = time.time_ns()
    time.sleep(0.02)
    looking = Workspaces(blobs)
    assert looking.take(str(root), QUIET, began=began).left_out == ()
    (root / "b/gone.txt").unlink()
    put(root, "b/other.txt", "x")
    put(root, "c.txt", "new")
    assert looking.take(str(root), QUIET, began=began).left_out == tuple(
        f"{path}: {workspace.CHANGED}" for path in ("b/", "b/other.txt", "c.txt")
    )


def test_names_that_are_no_text_are_left_out(root, blobs):
    put(root, "fine; rm -rf ~ $(x).txt", "x")
    (root / os.fsdecode(b"b\xff.txt")).write_bytes(b"y")
    tree = Workspaces(blobs).take(str(root), QUIET)
    assert list(tree.files) == ["fine; rm -rf ~ $(x).txt"]
    assert "its name is no text" in tree.left_out[0]
