"""The shelf: scripts, their contents, what proves them, who said yes, what they did and cost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the tables scripts, script_contents, _trials, _decisions, _runs and _costs."""
    op.create_table(
        "scripts",
        sa.Column("name", sa.Text, primary_key=True),
        *_texts("task", "stage", "content", "approved", "workspace"),
        sa.Column("changed", sa.BigInteger, nullable=False),
        *_texts("body"),
    )
    op.create_table(
        "script_contents",
        sa.Column("content", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("source", "capabilities", "contract", "holes", "guards", "body"),
    )
    op.create_table(
        "script_trials",
        *_texts("content"),
        sa.Column("number", sa.Integer, nullable=False),
        *_texts("gate", "run"),
        sa.Column("passed", sa.Boolean, nullable=False),
        *_texts("detail"),
        sa.PrimaryKeyConstraint("content", "number"),
    )
    op.create_table(
        "script_decisions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("name", "content", "decision", "by"),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("reason"),
    )
    op.create_table(
        "script_runs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("name", "content", "kind"),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        *_texts("reason", "outputs", "skipped", "beside"),
        sa.Column("agreed", sa.Boolean),
        sa.Column("saved_nano", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "script_costs",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        *_texts("name"),
        sa.Column("at", sa.BigInteger, nullable=False),
        *_texts("what"),
        sa.Column("nano", sa.BigInteger, nullable=False),
        *_texts("run"),
    )
    for table in ("script_decisions", "script_runs", "script_costs"):
        op.create_index(f"{table}_name", table, ["name", "number"])


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
