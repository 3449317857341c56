"""The world of a family: a real directory with real programs, a clock of its own and a web of its own."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from cockpit.core.trace import Fetch, File, Tree
from tests.families.blobs import Blobs
from tests.families.web import Page, Seen, Web


@dataclass(frozen=True)
class Day:
    """The occasion of a run: its number in the family and its local time."""

    number: int
    now: datetime

    @property
    def date(self) -> date:
        return self.now.date()

    def __str__(self) -> str:
        return self.date.isoformat()

    def before(self, days: int) -> date:
        return self.date - timedelta(days=days)

    @property
    def at(self) -> int:
        return int(self.now.timestamp() * 1000)


@dataclass
class Place:
    base: Path
    name: str
    web: Web
    blobs: Blobs
    memory: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.root, self.home, self.programs):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        return self.base / self.name

    @property
    def home(self) -> Path:
        return self.base / ".home"

    @property
    def programs(self) -> Path:
        return self.base / ".bin"

    # What a family furnishes its world with.

    def put(self, path: str, content: str | bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def serve(self, url: str, content: object, status: int = 200, method: str = "GET") -> None:
        """Text is served as it is, anything else as JSON."""
        if isinstance(content, bytes | str):
            body, kind = content.encode() if isinstance(content, str) else content, "text/plain"
        else:
            body, kind = json.dumps(content).encode(), "application/json"
        self.web.pages[f"{method} {url}"] = Page(body, status, kind)

    def repository(self, now: datetime) -> None:
        self.shell(
            "git init -q -b main && git config user.name Mo && git config user.email mo@example.com"
            " && git config commit.gpgsign false && git config gc.auto 0"
            " && rm -rf .git/hooks .git/info .git/description && git add -A && git commit -q -m Begin",
            now,
        )

    def commit(self, message: str, now: datetime) -> None:
        self.shell(f"git add -A && git commit -q -m '{message}'", now)

    def environment(self, now: datetime) -> dict[str, str]:
        stamp = now.isoformat()
        return {
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "http_proxy": self.web.address,
            "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_DATE": stamp,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def clock(self, now: datetime) -> None:
        """`date` tells the time of the run."""
        program = self.programs / "date"
        local = now.replace(tzinfo=None).isoformat(sep=" ")
        program.write_text(f'#!/bin/sh\nexec /bin/date -d "{local}" "$@"\n')
        program.chmod(0o755)

    def shell(self, command: str, now: datetime) -> tuple[str, int]:
        """What a tool shows of a command: both streams, and its exit code."""
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.root,
            env=self.environment(now),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
        )
        return done.stdout.decode("utf-8", "replace"), done.returncode

    # What is kept of it.

    def tree(self) -> Tree:
        return Tree(dict(sorted(self._files())))

    def _files(self):
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                content = path.read_bytes()
                mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                yield (
                    path.relative_to(self.root).as_posix(),
                    File(self.blobs.put(content), len(content), mode),
                )

    def fetched(self, seen: list[Seen], at: int) -> tuple[Fetch, ...]:
        return tuple(
            Fetch(
                method=one.method,
                url=one.url,
                status=one.page.status,
                body=self.blobs.put(one.page.body),
                kind=one.page.kind,
                at=at,
            )
            for one in seen
        )

    def restore(self, tree: Tree) -> None:
        shutil.rmtree(self.root)
        self.root.mkdir()
        lay_out(tree, self.blobs, self.root)


def lay_out(tree: Tree, blobs: Blobs, root: Path) -> None:
    """Write the files of a tree below `root`."""
    for path, file in tree.files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(blobs.get(file.content))
        target.chmod(file.mode)
    if (root / ".git/HEAD").exists():
        for folder in ("objects", "refs/heads"):
            (root / ".git" / folder).mkdir(parents=True, exist_ok=True)
