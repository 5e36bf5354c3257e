"""What the demo queue knows about a request, and where it keeps that: in memory, and as small files in a folder.

A record holds all that its picture depends on, so a picture that was dropped from memory can be painted again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from services.keys import DEFAULT_MODEL
from services.stored import StoredRequest

log = logging.getLogger(__name__)

Outcome = Literal["pending", "done", "refused", "cancelled", "failed"]

KEEP_SECONDS = 24 * 3600
"""A stored request is forgotten a day after it was accepted."""
IN_MEMORY = 1024
"""Without a folder, older requests than this many are forgotten."""
SWEEP_SECONDS = 3600
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Record:
    """One accepted request. Its seed is set: drawn when the request was accepted, if the caller gave none."""

    id: str
    request: StoredRequest
    accepted: float
    """Unix seconds."""
    outcome: Outcome = "pending"
    started: float | None = None
    """Unix seconds; None if it ended without having run."""
    seconds: float | None = None
    """How long it ran."""
    steps: int = 0
    """Steps it had done when it ended."""

    @property
    def ended(self) -> bool:
        return self.outcome != "pending"


class RecordStore:
    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._recent: OrderedDict[str, Record] = OrderedDict()
        self._swept = 0.0
        self._sweep()

    def save(self, record: Record) -> None:
        """Keep a record. A full disk costs only the memory of it after a restart, so it is logged, not raised."""
        self._recent[record.id] = record
        self._recent.move_to_end(record.id)
        while len(self._recent) > IN_MEMORY:
            self._recent.popitem(last=False)
        if self._folder is None:
            return
        try:
            _write(self._folder / f"{record.id}.json", record)
        except OSError as error:
            log.warning("the demo request %s could not be stored: %s", record.id, error)
        self._sweep()

    def load(self, request_id: str) -> Record | None:
        """The record, or None where this id is unknown."""
        if request_id in self._recent:
            return self._recent[request_id]
        if self._folder is None or not _ID.fullmatch(request_id):
            return None
        return _read(self._folder / f"{request_id}.json")

    def forget(self, request_id: str) -> None:
        """Drop a record from memory; its file is the caller's to delete."""
        self._recent.pop(request_id, None)

    def _sweep(self) -> None:
        now = time.time()
        if self._folder is None or now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for path in self._folder.glob("*.json*"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > KEEP_SECONDS:
                    path.unlink()


def _write(path: Path, record: Record) -> None:
    """Under a temporary name first: a server that is killed leaves the old file or the new one, never half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = asdict(record) | {"request": dict(record.request.kept), "model": record.request.model}
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(content), encoding="utf-8")
    os.replace(part, path)


def _read(path: Path) -> Record | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        model = content.pop("model", DEFAULT_MODEL)
        return Record(**content | {"request": StoredRequest.read(content["request"], model)})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the stored demo request %s cannot be read: %s", path.name, error)
        return None
