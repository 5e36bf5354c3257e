"""Search: an index of the prompts' words, and columns and indexes for what the history is filtered and sorted by."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS: dict[str, tuple[Any, str | None]] = {
    "seconds": (sa.Float, "(julianday(finished_at) - julianday(submitted_at)) * 86400"),
    "seed": (sa.Integer, "coalesce(seed_used, json_extract(request, '$.seed'))"),
    "width": (sa.Integer, None),
    "height": (sa.Integer, None),
    "num_inference_steps": (sa.Integer, "json_extract(request, '$.num_inference_steps')"),
    "guidance_scale": (sa.Float, "json_extract(request, '$.guidance_scale')"),
    "enable_prompt_expansion": (sa.Boolean, "json_extract(request, '$.enable_prompt_expansion')"),
    "safety_tolerance": (sa.String(1), "json_extract(request, '$.safety_tolerance')"),
    "enable_safety_checker": (sa.Boolean, "json_extract(request, '$.enable_safety_checker')"),
    "output_format": (sa.String(8), "json_extract(request, '$.output_format')"),
    "sync_mode": (sa.Boolean, "json_extract(request, '$.sync_mode')"),
}
"""Column → its type, and where its value comes from in rows that are there already."""

PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Sizes in pixels as they were when this was written: a migration must not change with the program."""

INDEXED = (
    "state", "key_of", "favourite", "engine", "created_at", "cost_usd", "seconds", "seed", "width", "height",
    "num_inference_steps", "guidance_scale", "enable_prompt_expansion", "safety_tolerance",
    "enable_safety_checker", "output_format", "sync_mode",
)  # fmt: skip


def upgrade() -> None:
    for name, (kind, _) in COLUMNS.items():
        op.add_column("runs", sa.Column(name, kind))
    values = {name: source for name, (_, source) in COLUMNS.items() if source} | {"width": _side(0), "height": _side(1)}
    columns = ", ".join(f"{name} = {source}" for name, source in values.items())
    op.execute(f"UPDATE runs SET {columns}")  # noqa: S608  # nosec B608: our own names only
    for replaced in ("runs_by_visitor", "runs_by_state"):
        op.drop_index(replaced, "runs")
    op.create_index("runs_of_everyone", "runs", ["deleted_at", "seq", *INDEXED])
    op.create_index("runs_of_visitor", "runs", ["visitor", "deleted_at", "seq", *INDEXED])
    _index_prompts()


def _side(index: int) -> str:
    """SQL for the width (0) or the height (1) that a request asks for."""
    cases = " ".join(f"WHEN '{preset}' THEN {pixels[index]}" for preset, pixels in PRESETS.items())
    custom = f"json_extract(request, '$.image_size.{('width', 'height')[index]}')"
    return f"CASE json_extract(request, '$.image_size') {cases} ELSE {custom} END"


def _index_prompts() -> None:
    """The index keeps no copy of the text: to forget a row, FTS5 is told again what it said."""
    add = "INSERT INTO prompts (rowid, prompt) VALUES (new.seq, json_extract(new.request, '$.prompt'));"
    said = "json_extract(old.request, '$.prompt')"
    forget = f"INSERT INTO prompts (prompts, rowid, prompt) VALUES ('delete', old.seq, {said});"  # noqa: S608  # nosec B608
    op.execute(
        "CREATE VIRTUAL TABLE prompts USING fts5 "
        "(prompt, content = '', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')"
    )
    op.execute("INSERT INTO prompts (rowid, prompt) SELECT seq, json_extract(request, '$.prompt') FROM runs")
    op.execute(f"CREATE TRIGGER prompt_added AFTER INSERT ON runs BEGIN {add} END")
    op.execute(f"CREATE TRIGGER prompt_changed AFTER UPDATE OF request ON runs BEGIN {forget} {add} END")
    op.execute(f"CREATE TRIGGER prompt_removed AFTER DELETE ON runs BEGIN {forget} END")
