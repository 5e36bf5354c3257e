"""A backup of 100,000 runs while others write: how long it takes, and how long a writer waits meanwhile."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.make_history import fill, runs
from support.bench import show

from services.clock import SYSTEM
from services.library.backups import Backups
from services.library.dialect import damage_in
from services.library.history import History

COUNT = 100_000
WRITES_EACH_SECONDS = 0.005
LONGEST_WAIT_SECONDS = 0.5
"""Above what was measured on a busy machine (0.03 to 0.13 s), and below what a page shows as waiting."""


def waits_during(history: History, work: Callable[[], object]) -> tuple[float, list[float]]:
    """Seconds that `work` took, and the seconds of each change that was made meanwhile."""
    run = history.lately("demo", "owner", None, 1)[0]
    waits: list[float] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(WRITES_EACH_SECONDS):
            start = time.perf_counter()
            history.change(run.id, progress=0.5)
            waits.append(time.perf_counter() - start)

    writer = threading.Thread(target=write)
    writer.start()
    start = time.perf_counter()
    work()
    took = time.perf_counter() - start
    ended.set()
    writer.join()
    return took, waits


@pytest.mark.benchmark
def test_writers_go_on_while_a_backup_is_made(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.begin()
    fill(history, runs(COUNT))
    backups = Backups(history, tmp_path, 1, SYSTEM)
    _, idle = waits_during(history, lambda: time.sleep(3))
    took, busy = waits_during(history, backups.look)
    history.close()
    (made,) = (tmp_path / "backups").iterdir()
    size = made.stat().st_size / 2**20
    assert damage_in(made, thorough=True) is None
    rows = [
        (name, f"{1000 * statistics.median(waits):.1f}", f"{1000 * max(waits):.1f}", len(waits))
        for name, waits in (("nothing else", idle), (f"the backup, {took:.1f} s for {size:.0f} MB", busy))
    ]
    show(f"A change of a history with {COUNT:,} runs, in ms, beside", ("", "median", "longest", "changes"), rows)
    assert max(busy) < LONGEST_WAIT_SECONDS
