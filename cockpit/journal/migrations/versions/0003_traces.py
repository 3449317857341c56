"""Evidence of runs: which there is, and where; the contents are files beside the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the table traces."""
    op.create_table(
        "traces",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("gone", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("traces_began", "traces", ["began"])
