"""Little worlds without a disk: a task, what it reads, what an agent makes of it, as traces."""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from cockpit.core.trace import Fetch, File, Step, Trace, Tree, World

ROOT = "/w"


class Blobs:
    def __init__(self):
        self.held = {}

    def put(self, content):
        digest = hashlib.sha256(content).hexdigest()
        self.held[digest] = content
        return digest

    def get(self, digest):
        return self.held[digest]


@dataclass
class Hands:
    """What the work may do; every call becomes a step."""

    day: date
    pages: dict
    files: dict
    steps: list = field(default_factory=list)
    fetched: list = field(default_factory=list)

    def get(self, url):
        body = self.pages[url]
        text = body if isinstance(body, str) else json.dumps(body)
        self.fetched.append((url, text))
        self.call("Bash", {"command": f"curl -s '{url}'"}, text)
        return text if isinstance(body, str) else json.loads(text)

    def read(self, path):
        self.call("Read", {"file_path": f"{ROOT}/{path}"}, self.files[path])
        return self.files[path]

    def names(self, folder):
        found = sorted(
            path.rpartition("/")[2] for path in self.files if path.rpartition("/")[0] == folder
        )
        self.call("Bash", {"command": f"ls {folder}"}, "\n".join(found) + "\n")
        return found

    def look(self, command, output=""):
        self.call("Bash", {"command": command}, output)

    def write(self, path, text):
        self.files[path] = text
        self.call("Write", {"file_path": f"{ROOT}/{path}", "content": text})

    def append(self, path, text):
        self.files[path] = self.files.get(path, "") + text
        self.call("Bash", {"command": f"cat >> {path} <<'EOF'\n{text}EOF"})

    def move(self, path, target):
        self.files[target] = self.files.pop(path)
        self.call("Bash", {"command": f"mv -- '{path}' '{target}'"})

    def run(self, command):
        self.call("Bash", {"command": command})

    def call(self, tool, arguments, output=""):
        self.steps.append(
            Step(number=len(self.steps), tool=tool, arguments=arguments, output=output)
        )


@dataclass(frozen=True)
class Little:
    """A task: `world(day, chance)` gives pages and files, `work(hands)` does it."""

    name: str
    world: Callable
    work: Callable
    prompt: str = "Do it for {day}"
    first: date = date(2026, 3, 2)
    step: int = 1

    def days(self, count):
        return [self.first + timedelta(days=self.step * number) for number in range(count)]

    def traces(self, blobs, count=8, seed=1):
        return [
            self.trace(blobs, day, f"{self.name} {seed} {number}")
            for number, day in enumerate(self.days(count))
        ]

    def trace(self, blobs, day, seed):
        pages, files = self.world(day, random.Random(seed))
        before = tree(files, blobs)
        hands = Hands(day, pages, dict(files))
        self.work(hands)
        at = int(datetime(day.year, day.month, day.day, 9, tzinfo=UTC).timestamp() * 1000)
        fetches = tuple(
            Fetch(method="GET", url=url, status=200, body=blobs.put(text.encode()))
            for url, text in hands.fetched
        )
        return Trace(
            run=seed.replace(" ", "-"),
            agent="claude-code",
            began=at,
            ended=at + 60_000,
            root=ROOT,
            prompts=(self.prompt.format(day=day),),
            outcome="done",
            steps=tuple(hands.steps),
            world=World(root=ROOT, before=before, after=tree(hands.files, blobs), fetches=fetches),
        )


def tree(files, blobs):
    return Tree(
        {
            path: File(blobs.put(text.encode()), len(text.encode()))
            for path, text in sorted(files.items())
        }
    )
