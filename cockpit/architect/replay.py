"""A recorded run as a stage: its world before, its fetches as the only answers, its changes as the truth."""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from cockpit.architect.blobs import Blobs
from cockpit.architect.broker import Recorded
from cockpit.architect.compare import Comparison, differences
from cockpit.architect.sandbox import Sandbox
from cockpit.architect.stage import GIT, Content, Played, Scene, play, uses_git
from cockpit.core.script import EXIT_DONE, Capabilities, Script
from cockpit.core.trace import Trace, Tree, World

Arguments = Callable[[Script, Trace], tuple[str, ...] | None]
"""The inputs of a run for a script's command line; None where its prompt does not tell them."""


def no_arguments(_script: Script, _trace: Trace) -> tuple[str, ...] | None:
    return ()


class Told(Struct, frozen=True):
    """The agent's own result: files it changed, and what its repository said afterwards."""

    files: dict[str, Content | None]
    git: tuple[str, ...] = ()
    moved: bool = False
    """Whether the repository says something else than before."""


def local_date(trace: Trace) -> str:
    """The day of a run, where it was: what `--date` means."""
    try:
        zone = ZoneInfo(trace.zone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return datetime.fromtimestamp(trace.began / 1000, zone).date().isoformat()


def unplayable(trace: Trace, blobs: Blobs) -> str:
    """Why a run cannot be replayed, in a sentence; empty if it can."""
    world = trace.world
    if world is None or world.after is None:
        return "its workspace was not recorded"
    if any(left.startswith(".git") for left in world.before.left_out + world.after.left_out):
        return "its repository was too large to be recorded"
    try:
        for file in (*world.before.files.values(), *world.after.files.values()):
            blobs.get(file.content)
        for fetch in world.fetches:
            blobs.get(fetch.body)
    except KeyError:
        return "a part of its record is no longer kept"
    return ""


def scene(
    script: Script, trace: Trace, blobs: Blobs, arguments: tuple[str, ...] = (), times: int = 1
) -> Scene:
    """The script in the world of a run.

    Raises:
        ValueError: where the run has no world.
    """
    if trace.world is None:
        raise ValueError(f"{trace.run} has no world")
    return Scene(
        name=trace.run,
        source=script.source,
        capabilities=script.capabilities,
        before=trace.world.before,
        date=local_date(trace),
        answer=Recorded(trace.world.fetches, blobs),
        arguments=arguments,
        times=times,
    )


def tell(traces: Sequence[Trace], blobs: Blobs, sandbox: Sandbox) -> dict[str, Told]:
    """What the agents did in these runs, by run; repositories are read in the sandbox too."""
    looking = Capabilities(commands=("git",))
    scenes = [
        Scene(name=trace.run, source="", capabilities=looking, before=tree, date=local_date(trace))
        for trace in traces
        if trace.world is not None
        for tree in (_repository(trace.world.before), _repository(trace.world.after or Tree()))
        if tree.files
    ]
    seen: dict[str, list[tuple[str, ...]]] = {}
    for one in play(scenes, blobs, sandbox):
        seen.setdefault(one.name, []).append(one.git)
    return {
        trace.run: _told(trace.world, seen.get(trace.run, []), blobs)
        for trace in traces
        if trace.world is not None
    }


def _repository(tree: Tree) -> Tree:
    """A tree with its repository; without one there is nothing to look at."""
    return tree if f"{GIT}HEAD" in tree.files else Tree()


def _told(world: World, seen: list[tuple[str, ...]], blobs: Blobs) -> Told:
    files: dict[str, Content | None] = {
        path: None
        if file is None
        else (blobs.get(file.content), 0o755 if file.mode & 0o100 else 0o644)
        for path, file in world.changed().items()
        if not path.startswith(GIT)
    }
    git = seen[-1] if seen else ()
    return Told(files, git, moved=len(set(seen)) > 1)


def judged(
    script: Script, played: Played, told: Told, comparisons: tuple[Comparison, ...] = ()
) -> list[str]:
    """What speaks against this performance, in sentences; empty when it equals the agent's."""
    if played.code != EXIT_DONE:
        return [f"exit {played.code}: {last_line(played.errors)}"]
    if played.report is None:
        return ["it did not say what it did"]
    git = told.git
    if not uses_git(script.capabilities):
        if told.moved:
            return ["the agent changed the repository, the script does not"]
        git = ()
    return differences(told.files, played, git, comparisons)


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
