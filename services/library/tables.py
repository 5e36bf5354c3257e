"""The history's schema, as SQLAlchemy tables. A change here needs a migration in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),  # the order in which runs were asked for
    Column("id", String(32), nullable=False, unique=True),
    Column("revision", Integer, nullable=False, unique=True),
    Column("visitor", String(64)),
    Column("engine", String(8), nullable=False),
    Column("key_of", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", String, nullable=False),  # JSON of GenerationRequest
    Column("created_at", String(32), nullable=False),  # ISO 8601 in UTC with microseconds: sorts as text
    Column("submitted_at", String(32)),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("ticket", String),  # JSON of Ticket
    Column("queue_position", Integer),
    Column("progress", Float),
    Column("note", String),
    Column("cancel_asked", Boolean, nullable=False),
    Column("failure", String),  # JSON of Failure
    Column("seed_used", Integer),
    Column("picture", String),  # JSON of Picture
    Column("media_name", String(48), unique=True),
    Column("billed_units", Float),
    Column("cost_usd", Float, nullable=False),
    Column("favourite", Boolean, nullable=False),
    Column("deleted_at", String(32)),
    Index("runs_by_visitor", "visitor", "seq"),
    Index("runs_by_state", "state"),
    sqlite_autoincrement=True,
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""One row, `revision`: the number of the newest change."""
