"""A scripted agent's hands: what it does is really done, and every call is written down as it was seen."""

import random
from dataclasses import dataclass, field

import msgspec

from cockpit.core.trace import Step
from tests.families import voices
from tests.families.place import Day, Place
from tests.families.voices import Call, Voice

GLANCES = (
    "pwd",
    "ls",
    "ls -la",
    "cat README.md",
    "git status --short",
    "find . -maxdepth 2 -not -path './.git*'",
)
BLUNDERS = (
    "cat NOTES.txt",
    "python3 make_it.py",
    "ls build/",
    "jq . missing.json",
    "cat config.jsn",
)


class CutOffError(Exception):
    """The run was cut off."""


@dataclass
class Noise:
    """How untidy an agent is, as chances a call."""

    glance: float = 0.12
    blunder: float = 0.08
    again: float = 0.08
    draft: float = 0.15
    check: float = 0.3
    fetch_fails: float = 0.06


QUIET = Noise(0, 0, 0, 0, 0, 0)


@dataclass
class Hands:
    place: Place
    day: Day
    voice: Voice
    chance: random.Random
    noise: Noise = field(default_factory=Noise)
    steps: list[Step] = field(default_factory=list)
    patience: int = 10_000

    # What a family's agent may do.

    def get(self, url: str) -> str:
        self._wander()
        if self.chance.random() < self.noise.fetch_fails:
            self._shell(voices.get(url.rsplit("/", 1)[0] + "/nope", self.chance))
        return self._twice(voices.get(url, self.chance))

    def read(self, path: str) -> str:
        self._wander()
        if self.voice.read and self.chance.random() < 0.8:
            text = (self.place.root / path).read_text()
            self._note(
                (self.voice.read, {self._path_word(): self._absolute(path)}), self.voice.shown(text)
            )
            return text
        return self._twice(voices.look(path, self.chance))

    def run(self, command: str) -> str:
        """A command of the task itself, said as it is."""
        self._wander()
        return self._shell(command)

    def seek(self, *ways: str) -> str:
        """A look that agents put in different words."""
        self._wander()
        return self._twice(self.chance.choice(ways) if self.noise is not QUIET else ways[0])

    def write(self, path: str, text: str) -> None:
        self._wander()
        if self.chance.random() < self.noise.draft:
            self._create(path, self._draft(text))
        self._create(path, text)
        if self.chance.random() < self.noise.check:
            self._shell(self.chance.choice((f"cat '{path}'", f"wc -l '{path}'", f"ls -l '{path}'")))

    def append(self, path: str, text: str) -> None:
        self._wander()
        self._shell(voices.append(path, text, self.chance))

    def summarise(self, url: str, told: str) -> None:
        """A fetch whose output a model wrote."""
        self._shell(voices.get(url, self.chance), hidden=True)
        step = Step(
            number=len(self.steps),
            tool=self.voice.fetch or "WebFetch",
            arguments={"url": url, "prompt": "What does this page say?"},
            output=told,
            opaque="summarised",
            at=self.day.at + 1000 * len(self.steps),
        )
        self.steps.append(step)

    def glimpse(self, command: str, limit: int) -> str:
        """A command whose output its agent cut: the trace has only the beginning, the world has it all."""
        output, _ = self.place.shell(command, self.day.now)
        self._note(self.voice.run(command), output[:limit] + "\n... [truncated]")
        self.steps[-1] = msgspec.structs.replace(self.steps[-1], opaque="truncated")
        return output

    # How it does it.

    def _shell(self, command: str, *, hidden: bool = False) -> str:
        said = self._worded(command)
        output, code = self.place.shell(said, self.day.now)
        if not hidden:
            self._note(self.voice.run(said), output, ok=code == 0)
        return output

    def _worded(self, command: str) -> str:
        if self.noise is QUIET or self.chance.random() > 0.1:
            return command
        return f"cd {self.place.root} && {command}"

    def _twice(self, command: str) -> str:
        output = self._shell(command)
        if self.chance.random() < self.noise.again:
            self._shell(command)
        return output

    def _create(self, path: str, text: str) -> None:
        if self.voice.write and self.chance.random() < 0.85:
            self.place.put(path, text)
            word = "file_path" if self._path_word() == "absolute_path" else self._path_word()
            arguments = {word: self._absolute(path), "content": text}
            self._note((self.voice.write, arguments), f"File created successfully at: {path}")
        elif self.voice.patch and self.chance.random() < 0.6 and self._patchable(path, text):
            self.place.put(path, text)
            self._note((self.voice.patch, {"input": voices.patch(path, text)}), "Done!")
        else:
            self._shell(voices.create(path, text, self.chance))

    def _patchable(self, path: str, text: str) -> bool:
        return text.endswith("\n") and not (self.place.root / path).exists()

    def _draft(self, text: str) -> str:
        lines = text.splitlines()
        kept = lines[: max(1, len(lines) - self.chance.randint(1, 2))]
        return "\n".join(kept) + "\n"

    def _wander(self) -> None:
        if self.chance.random() < self.noise.glance:
            self._shell(self.chance.choice(GLANCES))
        if self.chance.random() < self.noise.blunder:
            self._shell(self.chance.choice(BLUNDERS))

    def _note(self, call: Call, output: str, ok: bool = True) -> None:
        tool, arguments = call
        at = self.day.at + 1000 * len(self.steps)
        self.steps.append(
            Step(
                number=len(self.steps),
                tool=tool,
                arguments=arguments,
                output=output,
                ok=ok,
                at=at,
                took_ms=40,
            )
        )
        if len(self.steps) > self.patience:
            raise CutOffError

    def _path_word(self) -> str:
        return self.voice.path

    def _absolute(self, path: str) -> str:
        return f"{self.place.root}/{path}" if self.voice.agent != "opencode" else path
