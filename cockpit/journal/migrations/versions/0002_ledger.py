"""The ledger: calls with their holds, and what each scope has spent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TOKENS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output", "reasoning")


def upgrade() -> None:
    """Makes the tables calls and balances."""
    op.create_table(
        "calls",
        sa.Column("call", sa.Text, primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("allowance", sa.Text),
        sa.Column("billing", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("max_output", sa.BigInteger, nullable=False),
        sa.Column("hold_nano", sa.BigInteger, nullable=False),
        sa.Column("hold_tokens", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in TOKENS),
        sa.Column("nano", sa.BigInteger),
        sa.Column("mark", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("message", sa.Text, nullable=False, server_default=""),
        sa.Column("requested", sa.BigInteger, nullable=False),
        sa.Column("first_byte", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sa.Column("lifetime_ms", sa.BigInteger),
        sa.Column("window", sa.BigInteger),
        sa.Column("tier", sa.Text, nullable=False, server_default=""),
        sa.Column("geo", sa.Text, nullable=False, server_default=""),
        sa.Column("searches", sa.Integer, nullable=False, server_default="0"),
        sa.Column("rates", sa.Text),
        sa.Column("owner_pid", sa.BigInteger, nullable=False),
        sa.Column("owner_start", sa.BigInteger, nullable=False),
        sa.Column("owner_boot", sa.Text, nullable=False),
        sa.Column("checkpoint", sa.BigInteger),
        sa.Column("adjusts", sa.Text),
        sa.Column("seq", sa.BigInteger),
    )
    op.create_index("calls_seq", "calls", ["seq"], unique=True)
    op.create_index("calls_run", "calls", ["run", "seq"])
    op.create_index("calls_adjusts", "calls", ["adjusts"])
    unsettled = sa.text("state IN ('open', 'dispatched')")
    op.create_index(
        "calls_unsettled", "calls", ["state"], sqlite_where=unsettled, postgresql_where=unsettled
    )
    op.create_table(
        "balances",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("nano", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
    )
