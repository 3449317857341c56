"""What is saved of a run that was stopped: the changes it left and its last words."""

import asyncio
import os
from pathlib import Path

from cockpit.core.text import clean
from cockpit.journal import paths

DIFF_LIMIT = 16 * 1024 * 1024
GIT_SECONDS = 10.0
CALM = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


async def salvage(run: str, project: str, last_words: str) -> Path | None:
    """Writes `changes.diff` and `last.txt` of a run; None when there is nothing to save.

    The work tree itself is left as it is. Where it is no git repository only the words are kept.
    """
    diff = await _changes(project)
    words = clean(last_words)
    if not diff and not words:
        return None
    directory = paths.private(paths.data() / "salvage" / run.replace("/", "_"))
    await asyncio.to_thread(_write, directory, diff, words)
    return directory


async def _changes(project: str) -> bytes:
    """Staged, unstaged and new files against the last commit; empty where git has no answer."""
    if not project or not Path(project).is_dir():
        return b""
    status = await _git(project, "status", "--porcelain", "--untracked-files=all")
    if not status:
        return b""
    diff = await _git(project, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
    return b"".join(b"# " + line + b"\n" for line in status.splitlines()) + diff


async def _git(project: str, *words: str) -> bytes:
    try:
        child = await asyncio.create_subprocess_exec(
            "git", "-C", project, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, env={**os.environ, **CALM},
        )  # fmt: skip
    except OSError:
        return b""
    try:
        output, _ = await asyncio.wait_for(child.communicate(), GIT_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
        return b""
    return output[:DIFF_LIMIT]


def _write(directory: Path, diff: bytes, words: str) -> None:
    for name, data in (("changes.diff", diff), ("last.txt", words.encode())):
        if data:
            path = directory / name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
