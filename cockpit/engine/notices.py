"""The file system's notices, where it gives any."""

from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

NEWS: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirMovedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent
]  # fmt: skip
"""Nothing else is asked for: our own reading would come back as notices of opened files."""


class Notices:
    """Calls `noticed` with the path of whatever changes below the roots that can be watched."""

    def __init__(self, noticed: Callable[[str], None]) -> None:
        self._noticing = _Noticing(noticed)
        self._observer: BaseObserver = Observer()
        self._watched: dict[Path, ObservedWatch] = {}
        self._refused: set[Path] = set()

    def watch(self, root: Path) -> str | None:
        """Watches a root as soon as it exists; says why not, once, where the system refuses."""
        if self._is_watched(root) or root in self._refused or not root.exists():
            return None
        if root in self._watched:  # it was taken away and has come back
            self._observer.unschedule(self._watched.pop(root))
        try:
            if not self._observer.is_alive():
                self._observer.start()
            self._watched[root] = self._observer.schedule(
                self._noticing, str(root), recursive=root.is_dir(), event_filter=NEWS
            )
        except (OSError, RuntimeError) as error:
            self._refused.add(root)
            return str(error)
        return None

    def watches(self, roots: Iterable[Path]) -> bool:
        """Whether every one of these roots that exists is being watched."""
        return all(self._is_watched(root) or not root.exists() for root in roots)

    def _is_watched(self, root: Path) -> bool:
        watch = self._watched.get(root)
        return any(each.watch == watch and each.is_alive() for each in self._observer.emitters)

    def close(self) -> None:
        """Ends watching."""
        if self._observer.is_alive():
            self._observer.stop()


class _Noticing(FileSystemEventHandler):
    def __init__(self, noticed: Callable[[str], None]) -> None:
        self._noticed = noticed

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._noticed(str(event.dest_path or event.src_path))
