"""The shelf on disk: scripts by the hash of their content, what proves them, who said yes, what they did.

A content is never changed and never removed: what runs is taken from here, not from any file that
somebody may have edited. The engine is the only writer.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from cockpit.core.script import Script, Trial
from cockpit.core.shelf import Cost, Decided, Entry, Output, ScriptRun
from cockpit.journal.store import Statement, Write, tables

scripts = sa.Table(
    "scripts",
    tables,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("approved", sa.Text, nullable=False),
    sa.Column("workspace", sa.Text, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
contents = sa.Table(
    "script_contents",
    tables,
    sa.Column("content", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("capabilities", sa.Text, nullable=False),
    sa.Column("contract", sa.Text, nullable=False),
    sa.Column("holes", sa.Text, nullable=False),
    sa.Column("guards", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
trials = sa.Table(
    "script_trials",
    tables,
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("gate", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.PrimaryKeyConstraint("content", "number"),
)
decisions = sa.Table(
    "script_decisions",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("script_decisions_name", "name", "number"),
)
runs = sa.Table(
    "script_runs",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("began", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger, nullable=False),
    sa.Column("exit_code", sa.Integer, nullable=False),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("outputs", sa.Text, nullable=False),
    sa.Column("skipped", sa.Text, nullable=False),
    sa.Column("beside", sa.Text, nullable=False),
    sa.Column("agreed", sa.Boolean),
    sa.Column("saved_nano", sa.BigInteger, nullable=False),
    sa.Index("script_runs_name", "name", "number"),
)
costs = sa.Table(
    "script_costs",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("nano", sa.BigInteger, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Index("script_costs_name", "name", "number"),
)

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
    rows: list[Statement] = [
        (
            _TRY,
            {
                "content": content, "number": number, "gate": trial.gate, "run": trial.run,
                "passed": trial.passed, "detail": trial.detail,
            },
        )
        for number, trial in enumerate(results)
    ]  # fmt: skip
    return [(_UNTRY, {"content": content}), *rows]


def decided(name: str, what: Decided) -> Statement:
    """Who said yes or no to which content."""
    return _DECIDE, {
        "name": name, "content": what.content, "decision": what.decision, "by": what.by,
        "at": what.at, "reason": what.reason,
    }  # fmt: skip


def happened(name: str, run: ScriptRun) -> Statement:
    """A run of the script; its number is given by the disk."""
    return _RUN, {
        "name": name, "content": run.content, "kind": run.kind, "began": run.began,
        "ended": run.ended, "exit_code": run.exit_code, "passed": run.passed, "reason": run.reason,
        "outputs": _told(run.outputs), "skipped": run.skipped, "beside": run.beside,
        "agreed": run.agreed, "saved_nano": run.saved_nano,
    }  # fmt: skip


def paid(name: str, cost: Cost) -> Statement:
    """Money that the script cost."""
    return _COST, {
        "name": name, "at": cost.at, "what": cost.what, "nano": cost.nano, "run": cost.run
    }  # fmt: skip


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
        asked = sa.select(trials).where(trials.c.content == content).order_by(trials.c.number)
        return tuple(
            Trial(row.gate, row.run, bool(row.passed), row.detail) for row in self._rows(asked)
        )

    def decisions(self, name: str) -> tuple[Decided, ...]:
        """Oldest first."""
        asked = sa.select(decisions).where(decisions.c.name == name).order_by(decisions.c.number)
        return tuple(
            Decided(row.content, row.decision, row.by, row.at, row.reason)
            for row in self._rows(asked)
        )

    def runs(self, name: str) -> tuple[ScriptRun, ...]:
        """Oldest first."""
        asked = sa.select(runs).where(runs.c.name == name).order_by(runs.c.number)
        return tuple(map(_run, self._rows(asked)))

    def costs(self, name: str) -> tuple[Cost, ...]:
        """Oldest first."""
        asked = sa.select(costs).where(costs.c.name == name).order_by(costs.c.number)
        return tuple(Cost(row.at, row.what, row.nano, row.run) for row in self._rows(asked))


def last_approved(said: Iterable[Decided], except_for: str) -> str:
    """The content that was approved last, other than the one that is looked at; empty without one."""
    found = [
        each.content
        for each in said
        if each.decision in ("approve", "repair") and each.content != except_for
    ]
    return found[-1] if found else ""


def _run(row: sa.Row[Any]) -> ScriptRun:
    return ScriptRun(
        number=row.number, content=row.content, kind=row.kind, began=row.began, ended=row.ended,
        exit_code=row.exit_code, passed=bool(row.passed), reason=row.reason,
        outputs=_outputs.decode(row.outputs), skipped=row.skipped, beside=row.beside,
        agreed=None if row.agreed is None else bool(row.agreed), saved_nano=row.saved_nano,
    )  # fmt: skip


_entries = msgspec.json.Decoder(Entry)
_scripts = msgspec.json.Decoder(Script)
_outputs = msgspec.json.Decoder(tuple[Output, ...])
