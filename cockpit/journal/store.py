"""The journal: events in the order they happened, written by one thread, replayed at the start.

SQLAlchemy Core, so that the same code runs on PostgreSQL when a fleet spans machines. On SQLite:
WAL with synchronous FULL and group commit; readers open read-only and never wait.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from cockpit.core.events import Event, decode, encode
from cockpit.journal import paths

HEAD = "0001"
"""The newest migration: a journal at this revision needs no Alembic to open."""
GROUP_LIMIT = 500
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)

tables = sa.MetaData()
events = sa.Table(
    "events",
    tables,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("events_run", "run", "seq"),
    sqlite_autoincrement=True,
)

_Batch = list[tuple[list[Event], "Future[int]"]]


def connect(path: Path, *, read_only: bool = False) -> sa.Engine:
    """A database engine for the journal file; files are made 0600, never wider."""
    if read_only:
        return sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    paths.private(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
    sa.event.listen(engine, "connect", _tune)
    return engine


def _tune(connection: Any, _: Any) -> None:  # noqa: ANN401 (the driver's own types)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def migrate(engine: sa.Engine) -> None:
    """Brings the journal to `HEAD`; a journal of a newer cockpit is refused.

    Raises:
        RuntimeError: when the journal was written by a newer version.
    """
    if _revision(engine) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise RuntimeError(f"the journal was written by a newer cockpit: {error}") from error


def _revision(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


class Journal:
    """The open journal and its one writer thread."""

    def __init__(self, path: Path, on_trouble: Callable[[str], None] = log.error) -> None:
        """Opens and migrates the journal at `path`.

        `on_trouble` hears, from the writer thread, when events cannot be written; they are kept in
        memory and tried again until they can.
        """
        self._engine = connect(path)
        migrate(self._engine)
        self.on_trouble = on_trouble
        self._queue: queue.Queue[tuple[list[Event], Future[int]] | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._closing = threading.Event()
        self._writer.start()

    def append(self, *happened: Event) -> "Future[int]":
        """Puts events at the journal's end; the future gives the last sequence number once durable."""
        future: Future[int] = Future()
        self._queue.put((list(happened), future))
        return future

    def replay(self) -> Iterator[tuple[int, Event]]:
        """Every event ever appended, in order; ones this version does not know are left out."""
        with self._engine.connect() as connection:
            for seq, body in connection.execute(
                sa.select(events.c.seq, events.c.body).order_by(events.c.seq)
            ):
                try:
                    yield seq, decode(body)
                except msgspec.MsgspecError as error:
                    log.warning("journal event %d was left out: %s", seq, error)

    def close(self) -> None:
        """Writes what is queued and stops the writer."""
        self._closing.set()
        self._queue.put(None)
        self._writer.join()
        self._engine.dispose()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._group(first)
            self._commit(batch)
            if last:
                return

    def _group(self, first: tuple[list[Event], "Future[int]"]) -> tuple[_Batch, bool]:
        batch = [first]
        while len(batch) < GROUP_LIMIT:
            try:
                further = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            if further is None:
                return batch, True
            batch.append(further)
        return batch, False

    def _commit(self, batch: _Batch) -> None:
        rows = [
            {
                "at": event.at,
                "run": event.run,
                "kind": type(event).__struct_config__.tag,
                "body": encode(event).decode(),
            }
            for happened, _ in batch
            for event in happened
        ]
        told = False
        while True:
            try:
                last = self._insert(rows)
                break
            except sa.exc.SQLAlchemyError as error:
                if not told:
                    self.on_trouble(
                        f"the journal cannot be written, events are kept in memory: {error}"
                    )
                told = True
                if self._closing.wait(RETRY_SECONDS):
                    for _, future in batch:
                        future.set_exception(error)
                    return
        if told:
            self.on_trouble("the journal is being written again")
        for _, future in batch:
            future.set_result(last)

    def _insert(self, rows: list[dict[str, Any]]) -> int:
        with self._engine.begin() as connection:
            if rows:
                connection.execute(sa.insert(events), rows)
            return int(
                connection.execute(
                    sa.select(sa.func.coalesce(sa.func.max(events.c.seq), 0))
                ).scalar_one()
            )
