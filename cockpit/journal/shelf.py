"""The shelf on disk: scripts by the hash of their content, what proves them, who said yes, what they did.

A content is never changed and never removed: what runs is taken from here, not from any file that
somebody may have edited. The engine is the only writer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import asdict

from cockpit.core.script import Script, Trial
from cockpit.core.shelf import Cost, Decided, Entry, Given, Output, ScriptRun
from cockpit.journal.store import Statement, Write, tables


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _amounts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _log(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """What happened to scripts, by their names, numbered by the disk."""
    number = sa.Column("number", sa.Integer, primary_key=True, autoincrement=True)
    by_name = sa.Index(f"{name}_name", "name", "number")
    return sa.Table(name, tables, number, *_texts("name"), *columns, by_name)


scripts = sa.Table(
    "scripts",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    *_texts("task", "stage", "content", "approved", "workspace"),
    *_amounts("changed"),
    *_texts("body"),
)
contents = sa.Table(
    "script_contents",
    tables,
    sa.Column("content", sa.Text, primary_key=True),
    *_amounts("at"),
    *_texts("source", "capabilities", "contract", "holes", "guards", "body"),
)
trials = sa.Table(
    "script_trials",
    tables,
    *_texts("content"),
    sa.Column("number", sa.Integer, nullable=False),
    *_texts("gate", "run"),
    sa.Column("passed", sa.Boolean, nullable=False),
    *_texts("detail"),
    sa.Column("unproven", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.PrimaryKeyConstraint("content", "number"),
)
decisions = _log(
    "script_decisions", *_texts("content", "decision", "by"), *_amounts("at"), *_texts("reason")
)
runs = _log(
    "script_runs",
    *_texts("content", "kind"),
    *_amounts("began", "ended"),
    sa.Column("exit_code", sa.Integer, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    *_texts("reason", "outputs", "skipped", "beside"),
    sa.Column("agreed", sa.Boolean),
    *_amounts("saved_nano"),
    *_texts("given"),
)
costs = _log("script_costs", *_amounts("at"), *_texts("what"), *_amounts("nano"), *_texts("run"))

_ENTER = Write(
    0,
    sa.text(
        "INSERT INTO scripts (name, task, stage, content, approved, workspace, changed, body)"
        " VALUES (:name, :task, :stage, :content, :approved, :workspace, :changed, :body)"
        " ON CONFLICT (name) DO UPDATE SET task = excluded.task, stage = excluded.stage,"
        " content = excluded.content, approved = excluded.approved,"
        " workspace = excluded.workspace, changed = excluded.changed, body = excluded.body"
    ),
)
_CONTENT = Write(
    0,
    sa.text(
        "INSERT INTO script_contents"
        " (content, at, source, capabilities, contract, holes, guards, body)"
        " VALUES (:content, :at, :source, :capabilities, :contract, :holes, :guards, :body)"
        " ON CONFLICT (content) DO NOTHING"
    ),
)
_UNTRY = Write(0, sa.text("DELETE FROM script_trials WHERE content = :content"))
_TRY = Write(1, sa.insert(trials).inline())
_DECIDE = Write(0, sa.insert(decisions).inline())
_RUN = Write(0, sa.insert(runs).inline())
_COST = Write(0, sa.insert(costs).inline())


def _told(value: object) -> str:
    return msgspec.json.encode(value).decode()


def entered(entry: Entry) -> Statement:
    """A script as it stands now; replaces what was said of it before."""
    return _ENTER, {
        "name": entry.name,
        "task": entry.task,
        "stage": entry.life.stage,
        "content": entry.life.content,
        "approved": entry.life.approved,
        "workspace": entry.workspace,
        "changed": entry.changed,
        "body": _told(entry),
    }


def written(script: Script, at: int) -> Statement:
    """A content, once and for ever."""
    return _CONTENT, {
        "content": script.content,
        "at": at,
        "source": script.source,
        "capabilities": _told(script.capabilities),
        "contract": _told(script.contract),
        "holes": _told(script.holes),
        "guards": _told(script.guards),
        "body": _told(script),
    }


def tried(content: str, results: Sequence[Trial]) -> list[Statement]:
    """The results of all gates for one content, in place of earlier ones."""
    rows = [
        (_TRY, {"content": content, "number": number, **asdict(trial)})
        for number, trial in enumerate(results)
    ]
    return [(_UNTRY, {"content": content}), *rows]


def decided(name: str, what: Decided) -> Statement:
    """Who said yes or no to which content."""
    return _DECIDE, {"name": name, **asdict(what)}


def happened(name: str, run: ScriptRun) -> Statement:
    """A run of the script; its number is given by the disk."""
    told = {"outputs": _told(run.outputs), "given": _told(run.given)}
    values = {"name": name, **asdict(run), **told}
    del values["number"]
    return _RUN, values


def paid(name: str, cost: Cost) -> Statement:
    """Money that the script cost."""
    return _COST, {"name": name, **asdict(cost)}


class Shelf:
    """What is written, read back."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def _rows(self, asked: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(asked).fetchall()

    def entries(self) -> list[Entry]:
        """Every script, oldest change first."""
        found = self._rows(sa.select(scripts.c.body).order_by(scripts.c.changed))
        return [_entries.decode(row.body) for row in found]

    def script(self, content: str) -> Script | None:
        """The content with this hash; None when it is not here, or is no longer what it was."""
        found = self._rows(sa.select(contents.c.body).where(contents.c.content == content))
        if not found:
            return None
        try:
            script = _scripts.decode(found[0].body)
        except msgspec.MsgspecError:
            return None
        return script if script.content == content else None

    def trials(self, content: str) -> tuple[Trial, ...]:
        found = self._numbered(trials, trials.c.content == content, Trial)
        return tuple(Trial(**row) for row in found)

    def decisions(self, name: str) -> tuple[Decided, ...]:
        """Oldest first."""
        found = self._numbered(decisions, decisions.c.name == name, Decided)
        return tuple(Decided(**row) for row in found)

    def runs(self, name: str) -> tuple[ScriptRun, ...]:
        """Oldest first."""
        found = self._numbered(runs, runs.c.name == name, ScriptRun)
        return tuple(
            ScriptRun(
                **{
                    **row,
                    "outputs": _outputs.decode(row["outputs"]),
                    "given": _given.decode(row["given"]),
                }
            )
            for row in found
        )

    def costs(self, name: str) -> tuple[Cost, ...]:
        """Oldest first."""
        return tuple(Cost(**row) for row in self._numbered(costs, costs.c.name == name, Cost))

    def _numbered(
        self, table: sa.Table, which: sa.ColumnElement[bool], kind: type[msgspec.Struct]
    ) -> list[sa.RowMapping]:
        """The columns that are called like fields of `kind`, in the order of the rows' numbers."""
        fields = [table.c[field] for field in kind.__struct_fields__]
        asked = sa.select(*fields).where(which).order_by(table.c.number)
        return [row._mapping for row in self._rows(asked)]


def last_approved(said: Iterable[Decided], except_for: str) -> str:
    """The content that was approved last, other than the one that is looked at; empty without one."""
    found = [
        each.content
        for each in said
        if each.decision in ("approve", "repair") and each.content != except_for
    ]
    return found[-1] if found else ""


_entries = msgspec.json.Decoder(Entry)
_scripts = msgspec.json.Decoder(Script)
_outputs = msgspec.json.Decoder(tuple[Output, ...])
_given = msgspec.json.Decoder(Given)
