"""What the panel of spend and storage takes on the server, with 10 and with 100,000 runs in two years."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import timezone
from pathlib import Path

import pytest
from benchmarks.make_history import NEWEST, fill, runs
from support.bench import show

from services.library.changes import Changes
from services.library.history import History
from services.library.media import open_media
from services.library.scope import EVERYONE
from services.library.spending import spending
from services.library.storage import Storage

SIZES = (10, 100_000)
ROUNDS = 7


def milliseconds(work: Callable[[], object]) -> float:
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - begun))
    return statistics.median(found)


@pytest.mark.parametrize("size", SIZES)
def test_panel(tmp_path: Path, size: int) -> None:
    history = History(tmp_path)
    fill(history, runs(size))
    room = Storage(history, open_media(tmp_path), Changes(), tmp_path, None)
    told = spending(history, EVERYONE, NEWEST, timezone.utc)
    assert told.month.pictures > 0
    show(
        f"The panel of spend and storage, {ROUNDS} times",
        ("runs", "spend", "storage", "whether originals were removed, when a page opens"),
        [
            (
                f"{size:,}",
                f"{milliseconds(lambda: spending(history, EVERYONE, NEWEST, timezone.utc)):.0f} ms",
                f"{milliseconds(lambda: room.usage(EVERYONE)):.0f} ms",
                f"{milliseconds(lambda: room.removed(EVERYONE, NEWEST)):.2f} ms",
            )
        ],
    )
    history.close()
