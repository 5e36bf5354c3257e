"""Grids, projects and ballots can be deleted, and restored for a while; which erasures were done in this history."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for table in ("grids", "projects", "ballots"):
        op.add_column(table, sa.Column("deleted_at", sa.String(32)))
    op.create_table(
        "deletions",
        sa.Column("deleted", sa.String(32), primary_key=True),
        sa.Column("member", sa.String(32), primary_key=True),
        sa.Column("field", sa.String(16), primary_key=True),
    )
    op.create_table("erasures", sa.Column("id", sa.String(32), primary_key=True))
