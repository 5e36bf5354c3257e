"""The model of a run, and the key of its request, by which a finished picture of the same settings is found; the epoch
of the history, by which a page knows whether it is still the same one."""

import hashlib
import json
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BASE: dict[str, Any] = {
    "prompt": None,
    "image_size": "landscape_4_3",
    "seed": None,
    "num_inference_steps": 28,
    "guidance_scale": 3.5,
    "enable_prompt_expansion": True,
    "safety_tolerance": "2",
    "enable_safety_checker": True,
    "output_format": "jpeg",
    "sync_mode": False,
}
"""Keys of version 1, as services/keys.py makes them: written out here, since a migration never changes."""
BATCH = 2_000


def upgrade() -> None:
    op.add_column("runs", sa.Column("model", sa.String(40), nullable=False, server_default="flux-2-flex"))
    op.add_column("runs", sa.Column("key", sa.String(64)))
    _fill_in()
    op.create_index("runs_with_key", "runs", ["key"])
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    op.bulk_insert(counters, [{"name": "epoch", "value": secrets.randbits(62)}])


def _fill_in() -> None:
    connection, after = op.get_bind(), None
    select = sa.text("SELECT seq, request FROM runs WHERE :after IS NULL OR seq > :after ORDER BY seq LIMIT :batch")
    update = sa.text("UPDATE runs SET key = :key WHERE seq = :seq")
    while rows := connection.execute(select, {"after": after, "batch": BATCH}).all():
        connection.execute(update, [{"seq": seq, "key": _key(json.loads(request))} for seq, request in rows])
        after = rows[-1].seq


def _key(values: dict[str, Any]) -> str:
    settings = BASE | values
    if type(settings["guidance_scale"]) is int:
        settings["guidance_scale"] = float(settings["guidance_scale"])
    return hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
