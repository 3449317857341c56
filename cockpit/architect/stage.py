"""A script on trial: it plays in a copy of a world that holds what it declared, and nothing else.

What it may read is copied there, what it may start is on its PATH, whom it may ask answers at a socket of its
own. What it did is the difference between the copy before and after. Nothing of it reaches the real world.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from cockpit.architect import driver
from cockpit.architect.blobs import Blobs
from cockpit.architect.broker import Answerer, Asked, Broker
from cockpit.architect.sandbox import PYTHON_FLAGS, Cell, Ended, Limits, Sandbox, python
from cockpit.core.script import Capabilities
from cockpit.core.trace import Tree

PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
JOB_SECONDS = 15.0
WORTH_TWO = 6
"""From so many scenes on, two sandboxes share them."""
NOT_REACHED = -3
"""The code of a scene whose sandbox ended before it."""
MEMORY = "/dev/shm"
ROOM = 1024 * 1024 * 1024
FILE_LIMIT = 64 * 1024 * 1024
TEXT_LIMIT = 64 * 1024
SHOWN = 4000
GIT = ".git/"
GIT_HISTORY = frozenset({"objects", "refs", "logs"})
GIT_MOMENTARY = frozenset(
    {"HEAD", "index", "packed-refs", "COMMIT_EDITMSG", "ORIG_HEAD", "FETCH_HEAD", "gc.log"}
)

Content = tuple[bytes, int]
"""Bytes and mode."""


class Scene(Struct, frozen=True, kw_only=True):
    """One performance: an empty `source` plays nothing, which tells the state of a world.

    `date` is the script's `--date`, `times` how often it runs in the same place.
    """

    name: str
    source: str
    capabilities: Capabilities
    before: Tree
    date: str
    answer: Answerer | None = None
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    times: int = 1


class Played(Struct, frozen=True, kw_only=True):
    """How it went: `made` are the files it made or changed (None: removed), `git` what the repository says."""

    name: str
    codes: tuple[int, ...] = ()
    report: dict[str, Any] | None = None
    output: str = ""
    errors: str = ""
    made: dict[str, Content | None] = {}
    git: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    took_ms: int = 0

    @property
    def code(self) -> int:
        return self.codes[0] if self.codes else 0


@functools.cache
def _matcher(pattern: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def covered(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means this path; `*` ends at a `/`, `**` does not, `[` is itself."""
    return any(_matcher(pattern).fullmatch(path) for pattern in patterns)


def uses_git(capabilities: Capabilities) -> bool:
    return any(command.split()[:1] == ["git"] for command in capabilities.commands)


def visible(tree: Tree, capabilities: Capabilities) -> Tree:
    """The part of a world that the script may see; whoever may use git sees all of it."""
    if uses_git(capabilities):
        return tree
    patterns = (*capabilities.read, *capabilities.write)
    return Tree(
        {
            path: file
            for path, file in tree.files.items()
            if not path.startswith(GIT) and covered(path, patterns)
        }
    )


def lay_out(tree: Tree, blobs: Blobs, root: Path) -> None:
    """Write the files of a tree below `root`.

    Raises:
        ValueError: where a path leads out of it.
    """
    for path, file in tree.files.items():
        target = root / path
        if ".." in target.parts or not target.is_relative_to(root):
            raise ValueError(f"{path!r} leads out of the workspace")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(blobs.get(file.content))
        target.chmod(file.mode & 0o777)
    if (root / ".git/HEAD").exists():
        for folder in ("objects", "refs/heads", "refs/tags"):
            (root / ".git" / folder).mkdir(parents=True, exist_ok=True)


def take(root: Path) -> dict[str, Content]:
    """All files below `root` but a repository's own; what is no plain file is told as what it is."""
    found: dict[str, Content] = {}
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        if here == root and ".git" in folders:
            folders.remove(".git")
        for name in [*names, *(one for one in folders if (here / one).is_symlink())]:
            path = here / name
            found[path.relative_to(root).as_posix()] = _content(path)
    return found


def _content(path: Path) -> Content:
    if path.is_symlink():
        return b"symbolic link to " + os.fsencode(path.readlink()), 0o120000
    if not path.is_file():
        return b"no plain file", 0o010000
    stat = path.stat()
    if stat.st_size > FILE_LIMIT or not os.access(path, os.R_OK):
        return f"{stat.st_size} bytes that nobody reads".encode(), 0o010000
    return path.read_bytes(), 0o755 if stat.st_mode & 0o100 else 0o644


def repository(root: Path) -> tuple[str, str]:
    """Which branch a repository is on, and all in it that is neither content nor history: its settings."""
    git = root / ".git"
    settings = hashlib.sha256()
    for folder, folders, names in os.walk(git):
        top = Path(folder) == git
        folders[:] = sorted(one for one in folders if not top or one not in GIT_HISTORY)
        for name in sorted(names):
            if not top or name not in GIT_MOMENTARY:
                content, mode = _content(Path(folder, name))
                line = f"{folder[len(str(git)) :]}/{name} {mode} {len(content)}\n"
                settings.update(line.encode("utf-8", "replace") + content)
    head = _content(git / "HEAD")[0] if (git / "HEAD").exists() else b""
    return head.decode("utf-8", "replace"), settings.hexdigest()


def difference(
    before: Mapping[str, Content], after: Mapping[str, Content]
) -> dict[str, Content | None]:
    changed: dict[str, Content | None] = {
        path: content for path, content in after.items() if before.get(path) != content
    }
    return changed | {path: None for path in before if path not in after}


def play(
    scenes: Sequence[Scene], blobs: Blobs, sandbox: Sandbox, *, hash_seed: int = 0
) -> list[Played]:
    """Perform the scenes, each in a world of its own; one the sandbox did not come to gets a second chance."""
    halves = [scenes] if len(scenes) < WORTH_TWO else [scenes[::2], scenes[1::2]]
    with ThreadPoolExecutor(len(halves)) as pool:
        told = list(pool.map(lambda some: _played(some, blobs, sandbox, hash_seed), halves))
    played = [one for pair in itertools.zip_longest(*told) for one in pair if one is not None]
    missed = [place for place, one in enumerate(played) if one.codes == (NOT_REACHED,)]
    again = _played([scenes[place] for place in missed], blobs, sandbox, hash_seed)
    for place, one in zip(missed, again, strict=True):
        played[place] = one
    return played


def _played(scenes: Sequence[Scene], blobs: Blobs, sandbox: Sandbox, seed: int) -> list[Played]:
    if not scenes:
        return []
    with contextlib.ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(
            prefix="cockpit-stage-", dir=_quick(), ignore_cleanup_errors=True
        )
        base = Path(stack.enter_context(folder)).resolve()
        programs = _programs(scenes, base / "bin")
        places = [
            _Place(scene, base / str(number), blobs, stack) for number, scene in enumerate(scenes)
        ]
        shutil.copyfile(driver.__file__, base / "driver.py")
        (base / "jobs.json").write_text(json.dumps([place.job() for place in places]))
        ended = sandbox.run(
            [python(), *PYTHON_FLAGS, str(base / "driver.py"), str(base / "jobs.json")],
            _cell(base, scenes, programs, seed),
        )
        told = _told(ended)
        return [place.played(told.get(number), ended) for number, place in enumerate(places)]


def _quick() -> str | None:
    """A folder in memory, where there is one with room; else wherever temporary files are."""
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return MEMORY if free > ROOM and os.access(MEMORY, os.W_OK) else None


def _cell(base: Path, scenes: Sequence[Scene], programs: list[str], seed: int) -> Cell:
    seconds = 10.0 + 2 * JOB_SECONDS + 2.0 * sum(scene.times for scene in scenes)
    return Cell(
        folder=str(base),
        readable=(str(base),),
        writable=tuple(str(base / str(number)) for number in range(len(scenes))),
        programs=tuple(programs),
        environment={"PYTHONHASHSEED": str(seed), "PATH": str(base / "bin")},
        seed=seed + 1,
        limits=Limits(seconds=seconds),
    )


def _programs(scenes: Sequence[Scene], folder: Path) -> list[str]:
    """Links to what the scenes may start; the programs they lead to."""
    folder.mkdir()
    words = {
        command.split()[0] for scene in scenes for command in scene.capabilities.commands if command
    }
    found = []
    for word in sorted(words):
        path = shutil.which(word, path=PROGRAMS) if "/" not in word else None
        if path is not None:
            (folder / word).symlink_to(path)
            found += [path, str(Path(path).resolve())]
    return found


class _Place:
    """Where one scene plays."""

    def __init__(self, scene: Scene, here: Path, blobs: Blobs, stack: contextlib.ExitStack) -> None:
        self.scene = scene
        self.here = here
        self.work, self.home = here / "work", here / "home"
        self.program = here.parent / f"script-{here.name}.py"
        self.work.mkdir(parents=True)
        self.home.mkdir()
        lay_out(visible(scene.before, scene.capabilities), blobs, self.work)
        self.program.write_text(scene.source, encoding="utf-8")
        self.before = take(self.work)
        self.broker = (
            stack.enter_context(Broker(here / "broker", scene.answer)) if scene.answer else None
        )

    def job(self) -> dict[str, Any]:
        """What the driver is told."""
        return {
            "work": str(self.work),
            "program": str(self.program) if self.scene.source else "",
            "arguments": ["--date", self.scene.date, *self.scene.arguments],
            "environment": self._environment(),
            "out": str(self.here / "out"),
            "err": str(self.here / "err"),
            "git": uses_git(self.scene.capabilities) and (self.work / ".git/HEAD").exists(),
            "times": self.scene.times,
            "seconds": JOB_SECONDS,
        }

    def _environment(self) -> dict[str, str]:
        noon = f"{self.scene.date}T12:00:00+00:00"
        told = {"HOME": str(self.home), "TMPDIR": str(self.home), **self.scene.environment}
        told |= {"GIT_AUTHOR_DATE": noon, "GIT_COMMITTER_DATE": noon}
        told["GIT_TEST_DATE_NOW"] = str(int(datetime.fromisoformat(noon).timestamp()))
        return told | ({"COCKPIT_BROKER": str(self.broker.path)} if self.broker else {})

    def played(self, told: dict[str, Any] | None, ended: Ended) -> Played:
        asked = tuple(self.broker.asked) if self.broker else ()
        if told is None:
            why = f"the sandbox ended first ({ended.how}): {_shown(ended.errors)}"
            return Played(name=self.scene.name, codes=(NOT_REACHED,), errors=why, asked=asked)
        output = _text(self.here / "out")
        return Played(
            name=self.scene.name,
            codes=tuple(told["codes"]),
            report=_report(output),
            output=output[-SHOWN:],
            errors=_text(self.here / "err")[-SHOWN:],
            made=difference(self.before, take(self.work)),
            git=(*told["git"], *repository(self.work)) if told["git"] else (),
            asked=asked,
            took_ms=told["took"],
        )


def _told(ended: Ended) -> dict[int, dict[str, Any]]:
    told = {}
    for line in ended.output.splitlines():
        with contextlib.suppress(ValueError):
            one = json.loads(line)
            told[one["number"]] = one
    return told


def _text(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TEXT_LIMIT))
        return _shown(file.read())


def _shown(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _report(output: str) -> dict[str, Any] | None:
    lines = output.strip().splitlines()
    with contextlib.suppress(ValueError, IndexError):
        told = json.loads(lines[-1])
        return told if isinstance(told, dict) else None
    return None
