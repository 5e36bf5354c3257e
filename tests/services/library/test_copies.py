"""Which histories are recognised as copies, and that no crash at a start makes one of a history that goes on."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from services import failures
from services.errors import StartupError
from services.library import copies
from services.library.copies import COPY, FILE, Mark, MarkFile
from services.library.disk import Disk
from services.library.history import History
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, new_id, now
from services.stored import StoredRequest


def run_in(state: RunState) -> Run:
    request = StoredRequest.of(Flux2FlexRequest(prompt="a fox", seed=7))
    return Run(
        id=new_id(), visitor=None, engine="demo", key_of="owner", request=request, created_at=now(), state=state,
        submitted_at=None if state is RunState.PENDING else now(),
    )  # fmt: skip


def started(folder: Path, *states: RunState) -> History:
    history = History(folder)
    history.begin()
    history.add([run_in(state) for state in states])
    return history


def begins_from_a_copy(folder: Path) -> bool:
    history = History(folder)
    history.begin()
    history.close()
    return history.copied is not None


def file_of(folder: Path) -> Path:
    return folder / "history.sqlite3"


def aside(folder: Path) -> Path:
    """A whole copy of a history that is in use."""
    copy = folder / "aside.sqlite3"
    with sqlite3.connect(file_of(folder)) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    return copy


def put_in_place(copy: Path, folder: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{file_of(folder)}{ending}").unlink(missing_ok=True)
    shutil.copy(copy, file_of(folder))


def test_a_history_goes_on_however_often_it_is_started(tmp_path):
    for _ in range(3):
        history = started(tmp_path, RunState.PENDING)
        history.close()
        assert history.copied is None


def test_one_that_no_such_program_has_started_goes_on(tmp_path):
    history = History(tmp_path)
    history.add([run_in(RunState.PENDING)])
    history.close()
    assert not (tmp_path / FILE).exists()
    assert not begins_from_a_copy(tmp_path)
    assert not begins_from_a_copy(tmp_path)


def test_a_copy_of_before_the_last_change(tmp_path):
    history = started(tmp_path, RunState.PENDING)
    copy = aside(tmp_path)
    history.add([run_in(RunState.DONE)])
    history.close()
    put_in_place(copy, tmp_path)
    assert begins_from_a_copy(tmp_path)
    assert not begins_from_a_copy(tmp_path), "from then on it is the history"


def test_a_copy_of_before_the_last_start(tmp_path):
    history = started(tmp_path, RunState.PENDING)
    copy = aside(tmp_path)
    history.close()
    started(tmp_path).close()
    put_in_place(copy, tmp_path)
    assert begins_from_a_copy(tmp_path)


def test_one_that_went_on_elsewhere(tmp_path):
    """Both were started as often, and the other one holds more."""
    here, there = tmp_path / "here", tmp_path / "there"
    started(here, RunState.PENDING).close()
    shutil.copytree(here, there)
    started(here, RunState.DONE).close()
    started(there, RunState.DONE, RunState.DONE).close()
    put_in_place(file_of(there), here)
    assert begins_from_a_copy(here)


def test_one_in_a_folder_without_a_start(tmp_path):
    started(tmp_path, RunState.PENDING).close()
    (tmp_path / FILE).unlink()
    assert begins_from_a_copy(tmp_path)


def test_one_from_before_the_update_that_drew_the_first_number(tmp_path):
    history = History(tmp_path)
    history.add([run_in(RunState.PENDING)])
    copy = aside(tmp_path)
    history.begin()
    history.close()
    put_in_place(copy, tmp_path)
    assert begins_from_a_copy(tmp_path)


@pytest.mark.parametrize("where", ["beside it", "in a new folder"])
def test_what_this_program_copies_is_marked(tmp_path, where):
    history = started(tmp_path, RunState.PENDING)
    copies.take(file_of(tmp_path), tmp_path / "copy.sqlite3")
    history.close()
    folder = tmp_path if where == "beside it" else tmp_path / "new"
    folder.mkdir(exist_ok=True)
    put_in_place(tmp_path / "copy.sqlite3", folder)
    with sqlite3.connect(file_of(folder)) as connection:
        assert connection.execute("SELECT value FROM counters WHERE name = 'start'").fetchone() == (COPY,)
    connection.close()
    assert begins_from_a_copy(folder)


@pytest.mark.parametrize("written", [b"", b"nonsense", b"1 2 3\n"])
def test_a_start_that_cannot_be_read_agrees_with_nothing(tmp_path, written):
    started(tmp_path, RunState.PENDING).close()
    (tmp_path / FILE).write_bytes(written)
    assert begins_from_a_copy(tmp_path)


def test_an_empty_history_is_nobodys_copy(tmp_path):
    started(tmp_path, RunState.DONE).close()
    file_of(tmp_path).unlink()
    assert not begins_from_a_copy(tmp_path)


def test_what_is_ended_and_what_stays(tmp_path):
    history = started(tmp_path, RunState.PENDING, RunState.SUBMITTING, RunState.RUNNING, RunState.DONE)
    runs = {run.state: run.id for run in history.unfinished()}
    epoch, copy = history.epoch, aside(tmp_path)
    history.add([run_in(RunState.DONE)])
    history.close()
    put_in_place(copy, tmp_path)

    history = History(tmp_path)
    history.begin()
    waited, sent = (history.get(runs[state], EVERYONE) for state in (RunState.PENDING, RunState.SUBMITTING))
    assert (waited.state, waited.note, waited.finished_at is not None) == (
        RunState.CANCELLED, "It stood in a copy; ask again if you want it.", True,
    )  # fmt: skip
    assert (sent.state, sent.failure) == (RunState.UNKNOWN, failures.copied_while_submitting())
    assert sent.seconds is not None
    assert [run.id for run in history.unfinished()] == [runs[RunState.RUNNING]]
    assert history.copied is not None
    assert (history.copied.cancelled, history.copied.unanswered) == (1, (sent.id,))
    assert history.epoch != epoch
    history.close()


class Crash(Exception):
    """The process ends here."""


class CrashingDisk(Disk):
    """Ends the process at one of the disk's calls, counted from 0."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _call(self) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1

    def sync_file(self, descriptor: int) -> None:
        self._call()
        super().sync_file(descriptor)

    def replace(self, part: Path, file: Path) -> None:
        self._call()
        super().replace(part, file)

    def sync_folder(self, folder: Path) -> None:
        self._call()
        super().sync_folder(folder)


@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("kind", ["it goes on", "its first start", "a copy"])
def test_a_start_that_breaks_off_changes_nothing_for_the_next(tmp_path, at, kind):
    """At each step of writing the file, before the database's commit and after it."""
    if kind == "its first start":
        history = History(tmp_path)
        history.add([run_in(RunState.PENDING)])
        history.close()
    else:
        history = started(tmp_path, RunState.PENDING)
        copy = aside(tmp_path)
        history.add([run_in(RunState.PENDING)])
        history.close()
        if kind == "a copy":
            put_in_place(copy, tmp_path)
    history = History(tmp_path)
    history._mark = MarkFile(tmp_path, CrashingDisk(at))
    with pytest.raises(Crash):
        history.begin()
    history.close()

    again = History(tmp_path)
    again.begin()
    ended = {run.state for run in again.many([run.id for run in again.unfinished()], EVERYONE).values()}
    again.close()
    if kind == "a copy":
        assert ended == set(), "whatever waited is cancelled, in this start or in the one that broke off"
    else:
        assert (again.copied, ended) == (None, {RunState.PENDING})


def test_a_folder_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    history = History(tmp_path)
    monkeypatch.setattr(MarkFile, "write", full)
    with pytest.raises(StartupError, match=r"cannot be written \(.*No space left.*\)\. Make room"):
        history.begin()
    history.close()


def test_a_mark_that_cannot_be_renewed_stops_no_change(tmp_path, caplog):
    history = started(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    history.add([run_in(RunState.DONE)])
    assert history.revision() == 1
    assert f"{FILE} cannot be written" in caplog.text
    history.close()


def test_the_mark_follows_each_commit(tmp_path):
    history = started(tmp_path, RunState.PENDING)
    for _ in range(12):
        history.change(history.unfinished()[0].id, progress=0.5)
    assert MarkFile(tmp_path).read() == Mark(start := history._mark._mark.start, start, 13)
    history.close()
