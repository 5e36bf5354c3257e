"""Projects, notes and tags; what does a run again; whose file was let go for want of room."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

INDEXED = (
    "state", "key_of", "favourite", "engine", "created_at", "cost_usd", "seconds", "seed", "width", "height",
    "num_inference_steps", "guidance_scale", "enable_prompt_expansion", "safety_tolerance",
    "enable_safety_checker", "output_format", "sync_mode", "project_id",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("runs", sa.Column("project_id", sa.String(32)))
    op.add_column("runs", sa.Column("notes", sa.String, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("tags", sa.String, nullable=False, server_default="[]"))
    op.add_column("runs", sa.Column("repeat_of", sa.String(32)))
    op.add_column("runs", sa.Column("original_removed_at", sa.String(32)))
    op.add_column("grids", sa.Column("project_id", sa.String(32)))
    op.create_table(
        "projects",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("visitor", sa.String(64)),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created_at", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("projects_of_visitor", "projects", ["visitor", "seq"])
    op.create_table(
        "chosen_projects",
        sa.Column("visitor", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(32), nullable=False),
    )
    _index_runs()


def _index_runs() -> None:
    for replaced in ("runs_of_everyone", "runs_of_visitor", "runs_of_grid"):
        op.drop_index(replaced, "runs")
    op.create_index("runs_of_everyone", "runs", ["deleted_at", "seq", *INDEXED, "grid_id"])
    op.create_index("runs_of_visitor", "runs", ["visitor", "deleted_at", "seq", *INDEXED, "grid_id"])
    partial = {
        "runs_of_grid": (["grid_id", "deleted_at", "seq", *INDEXED], "grid_id IS NOT NULL"),
        "runs_with_notes": (["deleted_at", "visitor", "seq", "notes"], "notes <> ''"),
        "runs_with_tags": (["deleted_at", "visitor", "seq", "tags"], "tags <> '[]'"),
    }
    for name, (columns, where) in partial.items():
        op.create_index(name, "runs", columns, sqlite_where=sa.text(where))
