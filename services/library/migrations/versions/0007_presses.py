"""Which run a retry makes again; presses by their Idempotency-Key, with what came of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("runs", sa.Column("retry_of", sa.String(32)))
    op.create_index("runs_retried", "runs", ["retry_of"], sqlite_where=sa.text("retry_of IS NOT NULL"))
    op.create_table(
        "presses",
        sa.Column("visitor", sa.String(64), primary_key=True),
        sa.Column("route", sa.String, primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("body", sa.String(64), nullable=False),
        sa.Column("runs", sa.String, nullable=False),
        sa.Column("grid_id", sa.String(32)),
        sa.Column("created_at", sa.String(32), nullable=False),
    )
    op.create_index("presses_by_age", "presses", ["created_at"])
