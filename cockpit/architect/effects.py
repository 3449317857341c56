"""What a run changed: its files as the trees before and after tell, and the commands it gave.

How an agent wrote a file does not matter where the world was kept: drafts, edits and programs of
its own come to the same tree. Without a world the calls themselves must tell.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, structs

from cockpit.architect.blobs import Blobs
from cockpit.architect.commands import program, subcommand
from cockpit.architect.operations import Operation, masked, operations, untold
from cockpit.core.trace import File, Trace

ActKind = Literal["write", "copy", "move", "remove", "command", "post", "unknown"]
FILES = frozenset(("write", "copy", "move", "remove"))
_GIT_QUIET = ("-q", "--quiet", "-v", "--verbose", "--no-verify")


class Act(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One effect. `words` are a path, two paths, or a command; `text` is the whole new content.

    `before` is the content that the file had, None where there was none; `why` what is wrong with it.
    """

    kind: ActKind
    words: tuple[str, ...]
    text: str | None = None
    before: str | None = None
    step: int = 0
    why: str = ""
    told: tuple[str, ...] = ()
    """What the prompt told the run: values that are no part of the key."""

    @property
    def key(self) -> str:
        """Equal for effects that do the same in different runs."""
        match self.kind:
            case "write" | "remove":
                return f"{self.kind} {self._masked(self.words[0])}"
            case "copy" | "move":
                places = [self._masked(posixpath.dirname(word)) for word in self.words]
                return f"{self.kind} {places[0]} {places[1]}"
            case "command":
                told = f"{program(self.words)} {subcommand(self.words)}"
                flags = " ".join(word for word in self.words[1:] if word.startswith("-"))
                return f"command {told} {self._masked(flags)}"
        return f"{self.kind} {self._masked(self.words[0])}"

    @property
    def coarse(self) -> str:
        """As `key`, but of a path only its folder and what it ends in."""
        if self.kind in ("write", "remove"):
            folder, name = posixpath.split(self.words[0])
            return f"{self.kind} {self._masked(folder)}/*{posixpath.splitext(name)[1]}"
        return self.key

    def _masked(self, text: str) -> str:
        return masked(untold(text, self.told))


def text_of(file: File | None, blobs: Blobs) -> str | None:
    """The content as text, None where it is none or is no longer kept."""
    if file is None:
        return None
    try:
        return blobs.get(file.content).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return None


def effects(trace: Trace, blobs: Blobs, told: tuple[str, ...] = ()) -> tuple[Act, ...]:
    """The effects of a run in their order; `told` are values from its prompt."""
    done = operations(trace)
    if trace.world is None or trace.world.after is None:
        acts = list(_by_calls(done))
    else:
        acts = list(_by_world(trace, done, blobs))
    if told:
        acts = [structs.replace(act, told=told) for act in acts]
    return tuple(_ordered(_git(acts)))


def _by_calls(done: tuple[Operation, ...]) -> Iterator[Act]:
    for one in done:
        match one.kind:
            case "write" if not one.target.startswith("/"):
                why = "" if one.text is not None else "nobody recorded what was written"
                yield Act(kind="write", words=(one.target,), text=one.text, step=one.step, why=why)
            case "append":
                yield Act(kind="write", words=(one.target,), step=one.step,
                          why="something was added to a file that nobody recorded")  # fmt: skip
            case "move" | "copy":
                yield Act(kind=one.kind, words=(one.target, one.destination), step=one.step)
            case "remove":
                yield Act(kind="remove", words=(one.target,), step=one.step)
            case "command" | "post" | "unknown":
                yield _command(one)


def _command(one: Operation) -> Act:
    words = one.argv if one.kind == "command" else (one.target, *one.argv)
    return Act(kind=one.kind, words=words, step=one.step, why=one.why)  # type: ignore[arg-type]


def _by_world(trace: Trace, done: tuple[Operation, ...], blobs: Blobs) -> Iterator[Act]:
    world = trace.world
    assert world is not None
    assert world.after is not None
    changed = {path: file for path, file in world.changed().items() if not path.startswith(".git/")}
    told: set[str] = set()
    last = _last_writers(done)
    for place, one in enumerate(done):
        match one.kind:
            case "write" | "append" if last.get(one.target) == place and one.target in changed:
                told.add(one.target)
                yield _written(trace, one.target, blobs, one.step)
            case "move" | "copy" if one.destination in changed:
                told |= {one.target, one.destination}
                yield from _carried(trace, one, blobs)
            case "remove" if changed.get(one.target, one) is None and one.target not in told:
                told.add(one.target)
                yield Act(kind="remove", words=(one.target,), step=one.step)
            case "compute":
                for path in _left(changed, told, done[place + 1 :]):
                    told.add(path)
                    yield _written(trace, path, blobs, one.step)
            case "command" | "post" | "unknown":
                yield _command(one)
    if not any(_may_write(one) for one in done):
        for path in _left(changed, told, ()):
            yield _written(trace, path, blobs, done[-1].step if done else 0)


def _last_writers(done: tuple[Operation, ...]) -> dict[str, int]:
    return {one.target: place for place, one in enumerate(done) if one.kind in ("write", "append")}


def _left(
    changed: dict[str, File | None], told: set[str], later: tuple[Operation, ...]
) -> list[str]:
    """Changed files that nothing named, now or later."""
    named = {one.target for one in later} | {one.destination for one in later}
    return sorted(path for path in changed if path not in told and path not in named)


def _may_write(one: Operation) -> bool:
    """Whether a command may itself have made files that no call names."""
    if one.kind == "unknown":
        return True
    git = program(one.argv) == "git" and subcommand(one.argv) in ("add", "commit", "tag")
    return one.kind == "command" and not git


def _written(trace: Trace, path: str, blobs: Blobs, step: int) -> Act:
    world = trace.world
    assert world is not None
    assert world.after is not None
    if path not in world.after.files:
        return Act(kind="remove", words=(path,), step=step)
    text = text_of(world.after.files[path], blobs)
    before = text_of(world.before.files.get(path), blobs)
    why = "" if text is not None else "what was written is no text"
    return Act(kind="write", words=(path,), text=text, before=before, step=step, why=why)


def _carried(trace: Trace, one: Operation, blobs: Blobs) -> Iterator[Act]:
    """A move or a copy, as long as the content is still the same at the end."""
    world = trace.world
    assert world is not None
    assert world.after is not None
    source = world.before.files.get(one.target)
    target = world.after.files.get(one.destination)
    if source is not None and target is not None and source.content == target.content:
        yield Act(kind=one.kind, words=(one.target, one.destination), step=one.step)  # type: ignore[arg-type]
        return
    yield _written(trace, one.destination, blobs, one.step)
    if one.kind == "move" and one.target not in world.after.files and source is not None:
        yield Act(kind="remove", words=(one.target,), step=one.step)


# -- git --------------------------------------------------------------------------------------


def _git(acts: list[Act]) -> Iterator[Act]:
    """`git add` with the files that changed since, whatever words were used; commits without flags."""
    files: list[str] = []
    for one in acts:
        if one.kind in FILES:
            files += one.words
            yield one
        elif one.kind == "command" and program(one.words) == "git":
            yield from _git_command(one, sorted(set(files)))
            if subcommand(one.words) == "commit":
                files = []
        else:
            yield one


def _git_command(one: Act, files: list[str]) -> Iterator[Act]:
    words = tuple(word for word in one.words if word not in _GIT_QUIET)
    name = subcommand(words)
    if name == "add" and files:
        named = [posixpath.normpath(word) for word in words[2:] if not word.startswith("-")]
        everything = {"-A", "--all", "."} & set(words[2:])
        if everything or all(any(_covers(name, file) for name in named) for file in files):
            yield structs.replace(one, words=("git", "add", "--", *files))
            return
    elif name == "commit":
        message = _message(words)
        whole = any(re.fullmatch(r"-[a-z]*a[a-z]*", word) or word == "--all" for word in words[2:])
        if message is not None:
            if whole and files:
                yield structs.replace(one, words=("git", "add", "--", *files))
            yield structs.replace(one, words=("git", "commit", "-q", "-m", message))
            return
    yield structs.replace(one, words=words)


def _covers(name: str, file: str) -> bool:
    return name == file or file.startswith(name.rstrip("/") + "/")


def _message(words: tuple[str, ...]) -> str | None:
    """The message of a commit that has one and no other words that matter."""
    message: list[str] = []
    rest = iter(words[2:])
    for word in rest:
        if re.fullmatch(r"-a?m", word) or word == "--message":
            message.append(next(rest, ""))
        elif word.startswith("--message="):
            message.append(word.partition("=")[2])
        elif word not in ("-a", "--all"):
            return None
    return "\n\n".join(message) if message else None


# -- order ------------------------------------------------------------------------------------


def _ordered(acts: Iterator[Act]) -> Iterator[Act]:
    """Files between two commands in the order of their keys: which was first means nothing."""
    held: list[Act] = []
    for one in acts:
        if one.kind in FILES:
            held.append(one)
            continue
        yield from sorted(held, key=lambda act: (act.key, act.words))
        held = []
        yield one
    yield from sorted(held, key=lambda act: (act.key, act.words))
