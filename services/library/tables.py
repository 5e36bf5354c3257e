"""The history's schema, as SQLAlchemy tables. A change here needs a migration in `migrations/versions`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table

from services.library.dialect import NEVER_REUSED, full_text_index, only_where

metadata = MetaData()

SEARCHED = ("state", "key_of", "favourite", "engine", "created_at", "cost_usd", "seconds", "seed", "width", "height",
            "num_inference_steps", "guidance_scale", "enable_prompt_expansion", "safety_tolerance",
            "enable_safety_checker", "output_format", "sync_mode", "project_id", "grid_id")  # fmt: skip
"""Columns that the history is filtered, sorted and summed by. The indexes of everyone's, a visitor's and a grid's runs
contain all of them, so that no whole row is read. None of them has an index of its own: SQLite would prefer that one,
and then read the whole rows. What most runs do not have (notes, tags, a grid) has a partial index of the runs that have
it."""

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
    Column("model", String(40), nullable=False, server_default="flux-2-flex"),  # which the request is for
    Column("request", String, nullable=False),  # JSON of StoredRequest
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
    # Derived from the fields above, for searching; rows.py and history.py compute them.
    Column("seconds", Float),  # from submitted_at to finished_at
    Column("key", String(64)),  # of the request: services/keys.py
    Column("seed", Integer),  # seed_used, else the request's
    Column("width", Integer),
    Column("height", Integer),
    Column("num_inference_steps", Integer),
    Column("guidance_scale", Float),
    Column("enable_prompt_expansion", Boolean),
    Column("safety_tolerance", String(1)),
    Column("enable_safety_checker", Boolean),
    Column("output_format", String(8)),
    Column("sync_mode", Boolean),
    Column("grid_id", String(32)),  # the grid that made it; None for single pictures
    Column("project_id", String(32)),  # None: the Inbox
    Column("notes", String, nullable=False, server_default=""),
    Column("tags", String, nullable=False, server_default="[]"),  # JSON list of words
    Column("repeat_of", String(32)),  # the run that it repeats, to check whether the picture is the same
    Column("retry_of", String(32)),  # the run without a picture that it was asked for instead
    Column("original_removed_at", String(32)),  # when its original was removed to save space; the thumbnail stays
    Index("runs_of_everyone", "deleted_at", "seq", *SEARCHED),
    Index("runs_of_visitor", "visitor", "deleted_at", "seq", *SEARCHED),
    Index("runs_of_grid", "grid_id", "deleted_at", "seq", *(name for name in SEARCHED if name != "grid_id"),
          **only_where("grid_id IS NOT NULL")),
    Index("runs_with_key", "key"),
    Index("runs_retried", "retry_of", **only_where("retry_of IS NOT NULL")),
    Index("runs_with_notes", "deleted_at", "visitor", "seq", "notes", **only_where("notes <> ''")),
    Index("runs_with_tags", "deleted_at", "visitor", "seq", "tags", **only_where("tags <> '[]'")),
    **NEVER_REUSED,
)  # fmt: skip

projects = Table(
    "projects",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("visitor", String(64)),
    Column("name", String, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("deleted_at", String(32)),
    Index("projects_of_visitor", "visitor", "seq"),
    **NEVER_REUSED,
)
"""Projects that runs are sorted into. The Inbox has no row: its runs have project_id None."""

chosen_projects = Table(
    "chosen_projects",
    metadata,
    Column("visitor", String(64), primary_key=True),
    Column("project", String(32), nullable=False),  # a project's id, or "all" or "inbox"
)
"""The project that a visitor works in. A visitor without a row works in the Inbox."""

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Integer, nullable=False),
)
"""`revision`: the number of the newest change of any run. `epoch`: a random number, the name of this history.
`removals` and `erasures`: those whose leavings in the files are still to be removed (compaction.py). Named like a
folder of staged pictures: the import that counts already, but is not all in place (import_rows.py)."""

grids = Table(
    "grids",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("visitor", String(64)),
    Column("plan", String, nullable=False),  # JSON of GridPlan
    Column("created_at", String(32), nullable=False),
    Column("paused", Boolean, nullable=False),  # its pending runs are not sent
    Column("repeat", String),  # JSON of the two run ids of the repeat check
    Column("project_id", String(32)),  # None: the Inbox
    Column("deleted_at", String(32)),
    Index("grids_of_visitor", "visitor", "seq"),
    **NEVER_REUSED,
)

grid_cells = Table(
    "grid_cells",
    metadata,
    Column("grid_id", String(32), primary_key=True),
    Column("key", String(64), primary_key=True),  # identifies the cell's request, independent of its position
    Column("run_id", String(32), nullable=False),  # may be a run that is older than the grid
    Index("grid_cells_of_run", "run_id"),
)

ballots = Table(
    "ballots",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("grid_id", String(32), nullable=False),
    Column("ballot", String, nullable=False),  # JSON of one blind judgement
    Column("created_at", String(32), nullable=False),
    Column("deleted_at", String(32)),
    Index("ballots_of_grid", "grid_id", "seq"),
    **NEVER_REUSED,
)

deletions = Table(
    "deletions",
    metadata,
    Column("deleted", String(32), primary_key=True),  # the grid or project
    Column("member", String(32), primary_key=True),  # a run or grid that its deletion changed
    Column("field", String(16), primary_key=True),  # the changed field: grid_id, project_id or deleted_at
)
"""What the deletion of grids and projects changed in runs and grids, to be undone with it: deletion.py."""

erasures = Table("erasures", metadata, Column("id", String(32), primary_key=True))
"""The erasures of gone.py that were done in this history."""

ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(32), unique=True),  # None once the run is removed
    Column("visitor", String(64)),  # None: a caller without a token; ledger.ERASED: their data were erased
    Column("engine", String(8), nullable=False),
    Column("key_of", String(8), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("status", String(8), nullable=False),  # made, open, charged or free: services/library/ledger.py
    Column("project_id", String(32)),
    Column("cost_usd", Float, nullable=False),
    Column("billed_usd", Float, nullable=False),  # cost_usd where fal's reply contained the billed megapixels, else 0
    Index("ledger_by_time", "created_at"),
    **NEVER_REUSED,
)
"""What the runs that were asked for here cost. Rows outlive their runs; imported runs have none."""

presses = Table(
    "presses",
    metadata,
    Column("visitor", String(64), primary_key=True),  # "" for callers without a token
    Column("route", String, primary_key=True),
    Column("key", String(64), primary_key=True),  # a hash, as is the body
    Column("body", String(64), nullable=False),
    Column("runs", String, nullable=False),  # JSON list of the ids of the runs that it added
    Column("grid_id", String(32)),  # the grid that it made or added to
    Column("created_at", String(32), nullable=False),
    Index("presses_by_age", "created_at"),
)
"""Presses that came with an Idempotency-Key, kept for a day."""

prompts = full_text_index(metadata, "prompts", "prompt")
"""The full-text index of the prompts: its rowid is a run's seq. Triggers update it."""
