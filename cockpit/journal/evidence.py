"""What is kept of runs as evidence: rows in the journal, contents in files, an end to both.

A trace is one content; the trees of its world are contents of their own, so that a workspace that
did not change is kept once. Readers use plain SQLite: they need no engine.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cockpit.core.quantities import parse_duration
from cockpit.core.trace import Fetch, Trace, Tree, World
from cockpit.journal import paths
from cockpit.journal.blobs import BlobStore
from cockpit.journal.keeping import EvidenceSettings

DAY_MS = 86_400_000
MEGABYTE = 1_000_000


class Row(Struct, frozen=True, kw_only=True):
    """A run with evidence. `ended` is None while it works; `gone` says why its contents are no more."""

    run: str
    agent: str
    project: str
    began: int
    ended: int | None
    bytes: int
    body: str
    gone: str = ""


class _Stored(Struct, frozen=True, omit_defaults=True):
    """A trace with its trees by their digests."""

    trace: Trace
    root: str = ""
    before: str = ""
    after: str = ""
    fetches: tuple[Fetch, ...] = ()
    environment: dict[str, str] = {}


def store() -> BlobStore:
    """The contents of this operator."""
    return BlobStore(paths.data() / "evidence")


def put(blobs: BlobStore, trace: Trace) -> str:
    """Keeps a trace; the digest of its body."""
    world = trace.world
    stored = _Stored(trace)
    if world is not None:
        stored = _Stored(
            replace(trace, world=None),
            world.root,
            blobs.put(_encoder.encode(world.before)),
            blobs.put(_encoder.encode(world.after)) if world.after is not None else "",
            world.fetches,
            world.environment,
        )
    return blobs.put(_encoder.encode(stored))


def get(blobs: BlobStore, body: str) -> Trace:
    """The trace that `put` kept.

    Raises:
        KeyError: when it, or a tree of it, is no longer there or not readable.
    """
    try:
        stored = _stored.decode(blobs.get(body))
        if not stored.before:
            return stored.trace
        world = World(
            root=stored.root,
            before=_trees.decode(blobs.get(stored.before)),
            after=_trees.decode(blobs.get(stored.after)) if stored.after else None,
            fetches=stored.fetches,
            environment=stored.environment,
        )
    except msgspec.MsgspecError as error:
        raise KeyError(body) from error
    return replace(stored.trace, world=world)


class Evidence:
    """The journal's rows and the contents, opened read-only."""

    def __init__(self, database: sqlite3.Connection, blobs: BlobStore) -> None:
        self._database = database
        self.blobs = blobs

    @classmethod
    @contextmanager
    def reading(cls, path: Path, blobs: BlobStore) -> Iterator[Self | None]:
        """None where there is no journal, or one from before there was evidence."""
        if not path.exists():
            yield None
            return
        address = f"{path.absolute().as_uri()}?mode=ro"
        database = sqlite3.connect(address, uri=True, check_same_thread=False)
        try:
            found = database.execute(
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'traces'"
            )
            yield cls(database, blobs) if found.fetchone()[0] else None
        finally:
            database.close()

    def rows(self) -> list[Row]:
        """Every run that ever left evidence, oldest first."""
        return self._rows("")

    def row(self, run: str) -> Row | None:
        """What one run left, None when it left nothing."""
        return next(iter(self._rows("WHERE run = ?", run)), None)

    def _rows(self, which: str, *values: str) -> list[Row]:
        names = ", ".join(Row.__struct_fields__)
        found = self._database.execute(
            f"SELECT {names} FROM traces {which} ORDER BY began, run", values
        )
        return [Row(**dict(zip(Row.__struct_fields__, row, strict=True))) for row in found]

    def trace(self, row: Row) -> Trace | None:
        """The evidence itself, None when it is gone."""
        if not row.body:
            return None
        try:
            return get(self.blobs, row.body)
        except KeyError:
            return None


def outlived(rows: Sequence[Row], settings: EvidenceSettings, held: int, now: int) -> list[Row]:
    """The rows whose contents must go now, each with its reason; `held` are the bytes of all."""
    age, limit = parse_duration(settings.age), settings.megabytes * MEGABYTE
    gone: list[Row] = []
    for row in sorted((row for row in rows if row.body and row.ended is not None), key=_began):
        if row.began < now - age:
            reason = f"older than {settings.age}"
        elif held > limit:
            reason = f"the oldest when more than {settings.megabytes:,} MB were kept"
        else:
            continue
        held -= row.bytes
        gone.append(replace(row, body="", bytes=0, gone=reason))
    return gone


def named(blobs: BlobStore, rows: Iterable[Row]) -> set[str]:
    """Every content that these rows lead to."""
    found: set[str] = set()
    trees: set[str] = set()
    for body in {row.body for row in rows if row.body}:
        found.add(body)
        try:
            stored = _stored.decode(blobs.get(body))
        except (KeyError, msgspec.MsgspecError):
            continue
        found.update(fetch.body for fetch in stored.fetches)
        trees.update(tree for tree in (stored.before, stored.after) if tree)
    for tree in trees:
        found.update(_files_of(blobs, tree))
    return found | trees


def _files_of(blobs: BlobStore, tree: str) -> list[str]:
    try:
        files = _trees.decode(blobs.get(tree)).files
    except (KeyError, msgspec.MsgspecError):
        return []
    return [file.content for file in files.values()]


def _began(row: Row) -> int:
    return row.began


_encoder = msgspec.json.Encoder()
_stored = msgspec.json.Decoder(_Stored)
_trees = msgspec.json.Decoder(Tree)
