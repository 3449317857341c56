"""The architect's half of the engine, wired: the shelf, the bench, the clock of the scripts."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cockpit.core.events import Event
from cockpit.core.fleet import Run
from cockpit.core.script import Task
from cockpit.core.shelf import Wish
from cockpit.core.trace import Trace
from cockpit.engine.api import Answer
from cockpit.engine.architects import Architects
from cockpit.engine.archive import Archive
from cockpit.engine.compiling import Compiler
from cockpit.engine.making import Making
from cockpit.engine.occurrences import Occurrences
from cockpit.engine.script_orders import ScriptOrders
from cockpit.engine.scripts import Scripts
from cockpit.engine.wanted import Wanted
from cockpit.engine.workbench import Workbench
from cockpit.gateway.providers import KNOWN
from cockpit.journal import paths
from cockpit.journal.blobs import BlobStore
from cockpit.journal.settings import Settings
from cockpit.journal.shelf import Shelf
from cockpit.journal.store import Journal


class Workshop:
    """Belongs to the engine's event loop. `bench` is where scripts run.

    `publish` shows events that are in the journal, `begin` starts a governed run. `tasks` looks for
    repeats, `told` reads a run's transcript; both are called in threads; `run` is what is
    known of a run, `alive` whether its agent still works.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        journal: Journal,
        blobs: BlobStore,
        publish: Callable[[Iterable[Event]], None],
        begin: Callable[[Wanted], Awaitable[str]],
        tasks: Callable[[], Sequence[Task]],
        told: Callable[[str], Trace | None],
        run: Callable[[str], Run | None],
        alive: Callable[[str], bool],
        now: Callable[[], int],
    ) -> None:
        self._begin = begin
        self._looking: asyncio.Task[str] | None = None
        self.bench = Workbench(
            blobs, secrets=os.environ.get, models=lambda: model_hosts(settings, paths.state())
        )
        self._archive = Archive(journal.engine, blobs, tasks, told)
        self._architects = Architects(
            settings.architect, begin=begin, run=run, environment=lambda: dict(os.environ)
        )
        self._scripts = Scripts(store=Shelf(journal.engine), book=journal, publish=publish, now=now)
        making = Making(
            scripts=self._scripts,
            evidence=self._archive,
            maker=Compiler(blobs, self._architects.consultation),
            wish=self._archive.wish,
            now=now,
        )
        self._occurrences = Occurrences(
            scripts=self._scripts,
            making=making,
            evidence=self._archive,
            bench=self.bench,
            begin=self._begun,
            script_of=self._script_of,
            alive=alive,
            now=now,
        )
        self._orders = ScriptOrders(
            scripts=self._scripts,
            making=making,
            occurrences=self._occurrences,
            held=lambda: self.bench.held,
            now=now,
        )

    def answers(self) -> dict[str, Answer]:
        """By the name of the request."""
        return self._orders.answers()

    async def start(self) -> None:
        """Takes up what a former engine left; what holds scripts here is found out meanwhile."""
        await self._occurrences.start()
        self._architects.start()
        self._looking = asyncio.create_task(asyncio.to_thread(lambda: self.bench.held))

    async def close(self) -> None:
        await self._occurrences.close()
        if self._looking is not None:
            await asyncio.wait((self._looking,))

    def tick(self) -> None:
        """Once a second."""
        self._occurrences.tick()

    def witnessed(self, run: str) -> None:
        """There is new evidence of a run."""
        self._occurrences.witnessed(run)

    async def _begun(self, wish: Wish) -> str:
        return await self._begin(
            Wanted(
                command=wish.command,
                cwd=wish.cwd,
                environment=dict(os.environ),
                project=wish.project or wish.cwd,
                name=wish.name,
                agent=wish.agent,
                upstreams=dict(each.split("=", 1) for each in wish.upstreams),
            )
        )

    async def _script_of(self, run: str) -> str:
        """The script whose task the run did, by the evidence that both share."""
        task = await asyncio.to_thread(self._archive.task_of, run) if list(self._scripts) else None
        entry = self._scripts.of_runs(each for each in task.runs if each != run) if task else None
        return entry.name if entry is not None else ""


def model_hosts(settings: Settings, state: Path) -> frozenset[str]:
    """Where models are, as `name` or `name:port`: every known provider, the operator's own, the gateway."""
    urls = [url for provider in KNOWN.values() for url in provider.urls.values()]
    urls += [provider.base_url for provider in settings.providers.values()]
    hosts = {_host(url) for url in urls} - {""}
    try:
        port = int((state / "gateway.port").read_text())
    except (OSError, ValueError):
        return frozenset(hosts)
    return frozenset(hosts | {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"})


def _host(url: str) -> str:
    """The host of a URL; on this machine only together with its port."""
    place = urlsplit(url)
    return place.netloc.lower() if place.port else place.hostname or ""
