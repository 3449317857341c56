"""A gate without anything to try a script on says so in a column of its own, not by how its words begin."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BEGINNINGS = (
    "its workspace was not",
    "its repository was too",
    "a part of its record",
    "too few workspaces were",
)


def upgrade() -> None:
    """Adds script_trials.unproven."""
    column = sa.Column("unproven", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("script_trials", column)
    for words in BEGINNINGS:
        op.execute(
            sa.text(
                "UPDATE script_trials SET unproven = 1 WHERE NOT passed AND detail LIKE :like"
            ).bindparams(like=f"{words}%")
        )
