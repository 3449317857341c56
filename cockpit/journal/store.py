"""The journal: events in the order they happened, written by one thread, replayed at the start.

The ledger's rows go through the same thread, in the same commits. SQLAlchemy Core, so that the same
code runs on PostgreSQL when a fleet spans machines. On SQLite: WAL with synchronous FULL, BEGIN
IMMEDIATE and group commit; readers open read-only and never wait.
"""

import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from cockpit.core.events import Event, decode, encode
from cockpit.journal import paths

HEAD = "0006"
"""The newest migration: a journal at this revision needs no Alembic to open."""
GROUP_LIMIT = 500
LINGER_SECONDS = 0.02
"""So long what nobody waits for looks out for a commit that somebody waits for, to share it."""
RETRY_SECONDS = 1.0
BUSY_SECONDS = 30.0
"""So long another process may keep the file locked before a commit counts as failed."""

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


class Write(Struct, frozen=True, eq=False):
    """A statement that the writer runs for all its rows of a commit at once.

    Within a commit lower ranks go first: a row is inserted before it is updated. Rows that agree in
    the column `total_by` are first added up to one.
    """

    rank: int
    sql: sa.Insert | sa.Update | sa.TextClause
    total_by: str = ""


_APPEND = Write(0, sa.insert(events).inline())
_NEWEST = sa.select(sa.func.coalesce(sa.func.max(events.c.seq), 0))


class _Worded(Struct, frozen=True, eq=False):
    """A write in the driver's own words: finding them costs more CPU than the work itself.

    `given` are the values that the statement brings itself, `order` is None where values are named.
    """

    text: str
    given: dict[str, Any]
    order: Sequence[str] | None

    def values(self, row: dict[str, Any]) -> Any:  # noqa: ANN401 (as the driver takes them)
        values = {**self.given, **row}
        return values if self.order is None else tuple([values[name] for name in self.order])


Statement = tuple[Write, dict[str, Any]]
"""A write and the values of one row."""


class _Item(Struct, frozen=True, eq=False):
    """What must be committed together.

    `patient`: it may wait until the disk is well again. `awaited`: somebody waits for it.
    """

    rows: list[dict[str, Any]]
    statements: Sequence[Statement]
    patient: bool
    awaited: bool
    future: "Future[int]"


def connect(path: Path | str, *, read_only: bool = False) -> sa.Engine:
    """A database engine for the journal's file (made 0600, never wider), or for a database's URL."""
    if isinstance(path, str):
        return sa.create_engine(path, hide_parameters=True)
    if read_only:
        return sa.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true", hide_parameters=True)
    paths.private(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    engine = sa.create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": "IMMEDIATE"},
        hide_parameters=True,
    )
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

    def __init__(self, path: Path | str, on_trouble: Callable[[str], None] = log.error) -> None:
        """Opens and migrates the journal at `path`, a file or the URL of a database.

        `on_trouble` hears, from the writer thread, when nothing can be written; events are kept in
        memory and tried again until they can.
        """
        self.path = path
        self.engine = connect(path)
        migrate(self.engine)
        self.on_trouble = on_trouble
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="journal", daemon=True)
        self._closing = threading.Event()
        self._ended = False
        self._troubled = False
        self._last: int | None = None
        self._connection: sa.Connection | None = None
        self._worded: dict[Write, _Worded] = {}
        self._writer.start()

    def append(self, *happened: Event) -> "Future[int]":
        """Puts events at the journal's end; the future gives the last sequence number once durable."""
        return self.write((), happened)

    def write(
        self,
        statements: Sequence[Statement],
        happened: Sequence[Event] = (),
        *,
        patient: bool = True,
        awaited: bool = True,
    ) -> "Future[int]":
        """Commits statements and events together; the future gives the last event's number.

        While nothing can be written the patient wait in memory and are tried again; the impatient
        fail at once, and are then certain never to be written. What is not `awaited` may be held
        back for some milliseconds, so that it is not in the way of what is: a disk syncs one commit
        after the other.
        """
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()  # what is queued cannot be called back
        try:
            rows = [_row(event) for event in happened]
        except (UnicodeError, msgspec.MsgspecError) as error:
            future.set_exception(error)
            return future
        self._queue.put(_Item(rows, statements, patient, awaited, future))
        return future

    def replay(self) -> Iterator[tuple[int, Event]]:
        """Every event ever appended, in order; ones this version does not know are left out."""
        with self.engine.connect() as connection:
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
        if self._connection is not None:
            self._connection.close()
        self.engine.dispose()

    def _write(self) -> None:
        while not self._ended:
            first = self._queue.get()
            if first is None:
                return
            self._commit(self._group(self._gathered(first), GROUP_LIMIT))

    def _gathered(self, first: _Item) -> list[_Item]:
        """What nobody waits for, up to the first that somebody does."""
        batch = [first]
        until = time.monotonic() + LINGER_SECONDS
        while not batch[-1].awaited and len(batch) < GROUP_LIMIT:
            try:
                further = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if further is None:
                self._ended = True
                break
            batch.append(further)
        return batch

    def _group(self, batch: list[_Item], limit: float) -> list[_Item]:
        """The batch and what else is waiting."""
        while len(batch) < limit:
            try:
                further = self._queue.get_nowait()
            except queue.Empty:
                break
            if further is None:
                self._ended = True
                break
            batch.append(further)
        return batch

    def _commit(self, batch: list[_Item]) -> None:
        while batch:
            try:
                last = self._insert(batch)
            except Exception as error:  # the one writer must outlive everything
                batch = self._after(error, batch)
                continue
            self._tell_well()
            for item in batch:
                item.future.set_result(last)
            return

    def _after(self, error: Exception, batch: list[_Item]) -> list[_Item]:
        """What is to be tried again, once it is time to."""
        if _is_wrong_itself(error):
            if len(batch) == 1:
                _refuse(batch, error)
            else:
                for item in batch:
                    self._commit([item])
            return []
        self._tell_trouble(error)
        _refuse([item for item in batch if not item.patient], error)
        batch = [item for item in batch if item.patient]
        if not batch:
            return []
        if self._closing.wait(RETRY_SECONDS):
            _refuse(batch, error)
            return []
        return self._group(batch, math.inf)  # no impatient one may wait behind the patient

    def _tell_trouble(self, error: Exception) -> None:
        if not self._troubled:
            self._troubled = True
            reason = getattr(error, "orig", None) or error
            self.on_trouble(
                "the journal cannot be written: events are kept in memory, no call is let out:"
                f" {reason}"
            )

    def _tell_well(self) -> None:
        if self._troubled:
            self._troubled = False
            self.on_trouble("the journal is being written again")

    def _insert(self, batch: list[_Item]) -> int:
        rows = [row for item in batch for row in item.rows]
        by_write: dict[Write, list[dict[str, Any]]] = {_APPEND: rows} if rows else {}
        for item in batch:
            for write, values in item.statements:
                by_write.setdefault(write, []).append(values)
        with self._transaction() as connection:
            for write in sorted(by_write, key=lambda write: write.rank):
                self._execute(connection, write, _totals(by_write[write], write.total_by))
            if rows or self._last is None:
                self._last = int(connection.execute(_NEWEST).scalar_one())
            return self._last

    def _execute(self, connection: sa.Connection, write: Write, rows: list[dict[str, Any]]) -> None:
        worded = self._worded.get(write)
        if worded is None:
            worded = self._worded[write] = _worded(write, self.engine.dialect, rows[0])
        connection.exec_driver_sql(worded.text, [worded.values(row) for row in rows])

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """On the writer's own connection; a new one after anything went wrong."""
        connection = self._connection or self.engine.connect()
        self._connection = None
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._connection = connection


def _row(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "run": event.run,
        "kind": type(event).__struct_config__.tag,
        "body": encode(event).decode(),
    }


def _worded(write: Write, dialect: sa.Dialect, row: dict[str, Any]) -> _Worded:
    """Every row of a write has the columns of its first."""
    compiled = write.sql.compile(dialect=dialect, column_keys=list(row))
    given = {name: value for name, value in compiled.params.items() if name not in row}
    return _Worded(str(compiled), given, compiled.positiontup if compiled.positional else None)


def _totals(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    if not key:
        return rows
    totals: dict[Any, dict[str, Any]] = {}
    for row in rows:
        total = totals.setdefault(row[key], dict.fromkeys(row, 0) | {key: row[key]})
        for name, value in row.items():
            if name != key:
                total[name] += value
    return list(totals.values())


def _is_wrong_itself(error: Exception) -> bool:
    """Whether a row is at fault, not the disk: trying it again would only hold up the others."""
    return not isinstance(error, sa.exc.DBAPIError) or isinstance(
        error, (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError)
    )


def _refuse(batch: list[_Item], error: Exception) -> None:
    for item in batch:
        item.future.set_exception(error)
