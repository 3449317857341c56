"""What the screens ask the engine about tasks and scripts, and its answers."""

from typing import Any, Literal

import msgspec

from cockpit.core.script import Task
from cockpit.core.shelf import Built, Given, Schedule, ScriptRun, Sheet, ShelfRow
from cockpit.engine.client import Remote

Word = Literal["approve", "shadow", "refuse", "retire"]

_tasks = msgspec.json.Decoder(list[Task])
_rows = msgspec.json.Decoder(list[ShelfRow])
_row = msgspec.json.Decoder(ShelfRow)
_sheet = msgspec.json.Decoder(Sheet)
_built = msgspec.json.Decoder(Built)
_run = msgspec.json.Decoder(ScriptRun)


async def tasks(remote: Remote) -> list[Task]:
    """Tasks that repeat, over all agents' runs; the first time takes seconds where there are many."""
    return _tasks.decode(await remote.ask("tasks"))


async def scripts(remote: Remote) -> list[ShelfRow]:
    """Everything on the shelf."""
    return _rows.decode(await remote.ask("scripts"))


async def sheet(remote: Remote, name: str) -> Sheet:
    """A script as it is reviewed."""
    return _sheet.decode(await _script(remote, "show", name))


async def build(remote: Remote, task: str) -> Built:
    """A script from a task, proven on its runs, or the reason why there is none."""
    return _built.decode(await remote.ask("script", action="build", task=task))


async def verify(remote: Remote, name: str, source: str = "") -> Sheet:
    """Put a script through all gates; `source` takes the place of what it was."""
    edited = {"source": source} if source else {}
    return _sheet.decode(await _script(remote, "verify", name, **edited))


async def decide(remote: Remote, name: str, word: Word, said: str) -> ShelfRow:
    """The operator's word: approve and shadow say the content they mean, refuse and retire a reason."""
    field = "content" if word in ("approve", "shadow") else "reason"
    return _row.decode(await _script(remote, word, name, **{field: said}))


async def run(
    remote: Remote, name: str, *, dry: bool, yes: bool = False, given: Given = ()
) -> ScriptRun:
    """Run a script once; `yes` is the operator's, where no sandbox holds it."""
    words: dict[str, Any] = {"dry": dry, "yes": yes}
    words |= {"given": dict(given)} if given else {}
    return _run.decode(await _script(remote, "run", name, **words))


async def schedule(remote: Remote, name: str, wanted: Schedule | None) -> ShelfRow:
    """When a script runs by itself; None takes its schedule away."""
    told: dict[str, Any] = {}
    if wanted is not None:
        told = {"cron": wanted.cron, "zone": wanted.zone, "missed": wanted.missed}
        told["keeper"] = wanted.keeper
        told |= {"given": wanted.given} if wanted.given else {}
    return _row.decode(await _script(remote, "schedule", name, **told))


async def _script(remote: Remote, action: str, name: str, **more: Any) -> bytes:  # noqa: ANN401
    return await remote.ask("script", action=action, name=name, **more)
