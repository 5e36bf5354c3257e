"""A history that begins from a copy: real processes, and a stand-in for fal that counts what it accepts.

What was copied while it waited was sent since by the history that it was copied from: the copy sends nothing by itself.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.newest import newest
from support.standin import Reply, Seen, Silent, StandIn
from support.tls import serve_tls
from support.workers import Workers, stored_states, wait_until

from services.failures import STOOD_IN_A_COPY
from services.library.history import History
from services.library.scope import EVERYONE
from services.run import Run, RunState

COUNT = 5
BUSY = Reply(429, {"detail": "Too many requests"}, {"retry-after": "0.2"})


@pytest.fixture
def fal() -> StandIn:
    return StandIn(media_host=None)


@pytest.fixture
def workers(fal: StandIn, tmp_path: Path) -> Iterator[Workers]:
    (tmp_path / "tls").mkdir()
    with serve_tls(fal, tmp_path / "tls") as address:
        with Workers(address, tmp_path, at_once=COUNT) as workers:
            yield workers
        fal.finish.set()


def copy_of(folder: Path, copy: Path) -> Path:
    """A copy as SQLite's own tool makes one of a file in use."""
    source, target = sqlite3.connect(folder / "history.sqlite3"), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()
    return copy


def put_in_place(copy: Path, folder: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (folder / f"history.sqlite3{ending}").unlink(missing_ok=True)
    shutil.copy(copy, folder / "history.sqlite3")


def runs_in(folder: Path) -> list[Run]:
    history = History(folder)
    found = [entry.run for entry in newest(history, EVERYONE, limit=COUNT + 1)]
    history.close()
    return found


def epoch_in(folder: Path) -> str:
    history = History(folder)
    history.close()
    return history.epoch


def refused_until(copied: Callable[[], bool]) -> Callable[[Seen], Reply | None]:
    """Answers submits with 429 until there is a copy, so that all wait in it."""
    return lambda _seen: None if copied() else BUSY


@pytest.fixture
def copied_while_five_wait(workers: Workers, fal: StandIn, tmp_path: Path) -> tuple[Path, subprocess.Popen[bytes]]:
    """The copy, and the process that goes on to send what waits in it."""
    copy = tmp_path / "copy.sqlite3"
    fal.script("submit", *[refused_until(copy.exists)] * 1000)
    process = workers.start(str(COUNT))
    wait_until(lambda: stored_states(workers.data) == ["pending"] * COUNT and fal.count("submit") >= COUNT, process)
    part = copy_of(workers.data, tmp_path / "copy.part")
    os.replace(part, copy)
    return copy, process


@pytest.mark.parametrize("end", ["it ended", "it was killed", "it was started again"])
def test_what_waited_in_a_copy_is_never_sent_from_it(workers, fal, end, request):
    if end == "it was killed":  # while fal makes all five, and no start comes between the kill and the copy
        fal.finish.clear()
    copy, process = request.getfixturevalue("copied_while_five_wait")
    if end == "it was killed":
        wait_until(lambda: stored_states(workers.data) == ["running"] * COUNT, process)
        process.kill()
        fal.finish.set()
    process.wait()
    if end == "it was started again":
        workers.run()
    assert fal.accepted == COUNT
    before = epoch_in(workers.data)
    put_in_place(copy, workers.data)
    workers.run()

    assert fal.accepted == COUNT, "nothing was paid for twice"
    assert [(run.state, run.note) for run in runs_in(workers.data)] == [(RunState.CANCELLED, STOOD_IN_A_COPY)] * COUNT
    assert epoch_in(workers.data) != before
    assert "this history begins from a copy" in workers.log
    workers.run()
    assert (fal.accepted, workers.log.count("begins from a copy")) == (COUNT, 1), "from then on it is the history"


def test_the_copy_in_another_folder_sends_nothing_either(copied_while_five_wait, workers, fal, tmp_path):
    copy, process = copied_while_five_wait
    process.wait()
    other = tmp_path / "other"
    other.mkdir()
    put_in_place(copy, other)
    workers.run(PLAYGROUND_DATA_DIR=str(other))
    assert fal.accepted == COUNT
    assert {run.state for run in runs_in(other)} == {RunState.CANCELLED}


def test_what_was_just_being_sent_is_unknown_and_what_fal_accepted_is_followed(workers, fal, tmp_path):
    fal.finish.clear()
    fal.script("submit", *[Silent()] * 2)
    process = workers.start(str(COUNT))
    states = ["running"] * (COUNT - 2) + ["submitting"] * 2
    wait_until(lambda: sorted(stored_states(workers.data)) == states, process)
    copy = copy_of(workers.data, tmp_path / "copy.sqlite3")
    process.kill()
    process.wait()
    fal.finish.set()
    workers.run()
    accepted = fal.accepted
    put_in_place(copy, workers.data)
    workers.run()

    found = runs_in(workers.data)
    assert sorted(run.state.value for run in found) == ["done"] * (COUNT - 2) + ["unknown"] * 2
    for run in found:
        if run.state is RunState.UNKNOWN:
            assert run.failure is not None
            assert "this history begins from" in run.failure.message
        else:
            assert run.picture is not None
    assert fal.accepted == accepted


def test_a_killed_server_is_no_copy(copied_while_five_wait, workers, fal):
    """The same five, killed while they wait: the next start sends them."""
    _, process = copied_while_five_wait
    process.kill()
    process.wait()
    workers.run()
    workers.run()
    assert [run.state for run in runs_in(workers.data)] == [RunState.DONE] * COUNT
    assert "begins from a copy" not in workers.log
