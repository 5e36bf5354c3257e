"""The first schema: runs and the counter of changes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("revision", sa.Integer, nullable=False, unique=True),
        sa.Column("visitor", sa.String(64)),
        sa.Column("engine", sa.String(8), nullable=False),
        sa.Column("key_of", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("submitted_at", sa.String(32)),
        sa.Column("started_at", sa.String(32)),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("ticket", sa.String),
        sa.Column("queue_position", sa.Integer),
        sa.Column("progress", sa.Float),
        sa.Column("note", sa.String),
        sa.Column("cancel_asked", sa.Boolean, nullable=False),
        sa.Column("failure", sa.String),
        sa.Column("seed_used", sa.Integer),
        sa.Column("picture", sa.String),
        sa.Column("media_name", sa.String(48), unique=True),
        sa.Column("billed_units", sa.Float),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("favourite", sa.Boolean, nullable=False),
        sa.Column("deleted_at", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_by_visitor", "runs", ["visitor", "seq"])
    op.create_index("runs_by_state", "runs", ["state"])
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "revision", "value": 0}])
