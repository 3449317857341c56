"""A run of a script remembers the values that it was given."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds script_runs.given, a JSON list of names and values."""
    column = sa.Column("given", sa.Text, nullable=False, server_default="[]")
    op.add_column("script_runs", column)
