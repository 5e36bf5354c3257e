"""How long a change of a run waits for its commit while an export of 200,000 lines is restored into the same history.

Beside it the same changes with nothing else under way: the disk's own share of a wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.make_history import runs
from support.bench import Sample, show
from support.projects import GROUP, LIMITS, Shelf

from services.archive.lines import run_line

LINES = 200_000
PAUSE_SECONDS = 0.01
IDLE_SECONDS = 5.0


def waits(shelf: Shelf, run_id: str, under_way: Callable[[], bool]) -> Sample:
    """Seconds that changes of one run waited for their commit, one after the other for as long as `under_way`."""
    found = []
    while under_way():
        begun = time.perf_counter()
        shelf.history.change(run_id, progress=len(found) % 100 / 100)
        found.append(time.perf_counter() - begun)
        time.sleep(PAUSE_SECONDS)
    return Sample(tuple(found))


def test_changes_are_committed_while_lines_are_restored(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    with file.open("wb") as lines:
        lines.writelines(run_line(run, {}) for run in runs(LINES))
    shelf = Shelf(tmp_path / "data")
    mine = shelf.add("a fox", picture=False)
    end = time.perf_counter() + IDLE_SECONDS
    idle = waits(shelf, mine.id, lambda: time.perf_counter() < end)
    restored = []
    restoring = threading.Thread(target=lambda: restored.append(shelf.importer.import_file(file, GROUP, LIMITS)))
    begun = time.perf_counter()
    restoring.start()
    busy = waits(shelf, mine.id, restoring.is_alive)
    seconds = time.perf_counter() - begun
    shelf.close()
    assert restored[0].restored == LINES
    rows = [(name, f"{len(sample.values):,}", sample.told(digits=3), f"{sorted(sample.values)[-1] * 1000:.0f} ms",
             f"{sorted(sample.values)[int(len(sample.values) * 0.99)] * 1000:.0f} ms")
            for name, sample in (("idle", idle), (f"{LINES:,} lines restored", busy))]  # fmt: skip
    show(
        f"A change of a run, committed; the restore took {seconds:.0f} s",
        ("", "changes", "wait", "longest", "p99"),
        rows,
    )
