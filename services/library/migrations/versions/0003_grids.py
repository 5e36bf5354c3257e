"""Grids: plans of many runs that are compared in a table, which run fills which cell, and what was judged blind."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("grid_id", sa.String(32)))
    op.create_index("runs_of_grid", "runs", ["grid_id", "seq"], sqlite_where=sa.text("grid_id IS NOT NULL"))
    op.create_table(
        "grids",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("visitor", sa.String(64)),
        sa.Column("plan", sa.String, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("repeat", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("grids_of_visitor", "grids", ["visitor", "seq"])
    op.create_table(
        "grid_cells",
        sa.Column("grid_id", sa.String(32), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("grid_id", "key"),
    )
    op.create_index("grid_cells_of_run", "grid_cells", ["run_id"])
    op.create_table(
        "ballots",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("grid_id", sa.String(32), nullable=False),
        sa.Column("ballot", sa.String, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ballots_of_grid", "ballots", ["grid_id", "seq"])
