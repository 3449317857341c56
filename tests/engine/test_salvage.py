"""A stopped run leaves its changes and its last words behind, and its work tree as it was."""

import stat
import subprocess
from pathlib import Path

import pytest

from cockpit.engine.salvage import salvage


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COCKPIT_HOME", str(tmp_path / "home"))
    directory = tmp_path / "project"
    directory.mkdir()
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(directory)], check=True)
    (directory / "kept.py").write_text("one\n")
    subprocess.run(["git", "-C", str(directory), "add", "."], check=True)
    subprocess.run(["git", "-C", str(directory), *who, "commit", "-qm", "first"], check=True)
    return directory


async def test_changes_and_last_words_are_kept(project: Path) -> None:
    (project / "kept.py").write_text("two\n")
    (project / "new.py").write_text("new\n")
    saved = await salvage("run-1", str(project), "I was \x1b[31mnearly done")
    assert saved is not None
    diff = (saved / "changes.diff").read_text()
    assert "-one" in diff
    assert "+two" in diff
    assert "?? new.py" in diff
    assert "\x1b" not in (saved / "last.txt").read_text()
    assert stat.S_IMODE((saved / "changes.diff").stat().st_mode) == 0o600
    assert (project / "kept.py").read_text() == "two\n"


async def test_nothing_to_save_makes_nothing(project: Path) -> None:
    assert await salvage("run-1", str(project), "") is None
    assert await salvage("run-1", str(project / "gone"), "") is None
    assert await salvage("run-1", "", "") is None
