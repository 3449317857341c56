"""The rows of evidence, for their one writer: the engine."""

from typing import Any

import sqlalchemy as sa

from cockpit.journal.evidence import Row
from cockpit.journal.store import Statement, Write, tables

traces = sa.Table(
    "traces",
    tables,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("began", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.BigInteger),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("gone", sa.Text, nullable=False, server_default=""),
    sa.Index("traces_began", "began"),
)
_KEEP = Write(
    0,
    sa.text(
        "INSERT INTO traces (run, agent, project, began, ended, bytes, body, gone)"
        " VALUES (:run, :agent, :project, :began, :ended, :bytes, :body, :gone)"
        " ON CONFLICT (run) DO UPDATE SET ended = excluded.ended, bytes = excluded.bytes,"
        " body = excluded.body, gone = excluded.gone"
    ),
)


def kept(row: Row) -> Statement:
    """Writes down that there is evidence; a later word on the same run replaces the earlier."""
    values: dict[str, Any] = {name: getattr(row, name) for name in row.__struct_fields__}
    return _KEEP, values
