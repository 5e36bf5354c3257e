"""The ledger of what runs cost, filled once from the runs that are there. Restored ones, whose revision is not above 0,
were paid for elsewhere. And counters of removals
and erasures whose words may still be in the files: those that were made before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

FILL = """
INSERT INTO ledger (run_id, visitor, engine, key_of, created_at, project_id, cost_usd, billed_usd, status)
SELECT id, visitor, engine, key_of, created_at, project_id, cost_usd,
  CASE WHEN billed_units IS NULL THEN 0.0 ELSE cost_usd END,
  CASE WHEN state = 'done' THEN 'made'
       WHEN state IN ('pending', 'submitting', 'submitted', 'queued', 'running', 'unknown') THEN 'open'
       WHEN state = 'failed' AND json_extract(failure, '$.charged') = 1 THEN 'charged'
       ELSE 'free' END
FROM runs WHERE revision > 0 ORDER BY seq
"""


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.String(32), unique=True),
        sa.Column("visitor", sa.String(64)),
        sa.Column("engine", sa.String(8), nullable=False),
        sa.Column("key_of", sa.String(8), nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("project_id", sa.String(32)),
        sa.Column("cost_usd", sa.Float, nullable=False),
        sa.Column("billed_usd", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_by_time", "ledger", ["created_at"])
    op.execute(FILL)
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": "removals", "value": 1}, {"name": "erasures", "value": 1}])
