"""Backups of a history that is written to meanwhile, and the way back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.clock import FakeClock
from support.newest import newest

from services.errors import StartupError
from services.library import backups as backups_module
from services.library import copies
from services.library import restore as restore_module
from services.library.backups import Backups, Stopped
from services.library.database import NEWEST_SCHEMA
from services.library.disk import Disk
from services.library.history import History
from services.library.restore import restore
from services.library.scope import EVERYONE
from services.library.tables import runs
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, new_id
from services.stored import StoredRequest

DUMP_0001 = Path(__file__).parents[2] / "data" / "history-0001.sql"
DAY = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


CHANGES = {
    "another program": "DROP TABLE runs",
    "newer": "UPDATE alembic_version SET version_num = '9999'",
}


class DayClock(FakeClock):
    """A clock of one day at a time."""

    day = DAY

    def now(self) -> datetime:
        return self.day


def a_run(**fields: Any) -> Run:
    request = StoredRequest.of(Flux2FlexRequest(prompt="a fox " * 200, seed=7))
    made = {"id": new_id(), "visitor": None, "engine": "demo", "key_of": "owner", "request": request, "created_at": DAY}
    return Run(**{**made, **fields})


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path)
    history.begin()
    history.add([a_run() for _ in range(3)])
    yield history
    history.close()


@pytest.fixture
def clock() -> DayClock:
    return DayClock()


def backups(history: History, folder: Path, clock: DayClock, days: int = 7) -> Backups:
    return Backups(history, folder, days, clock)


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "backups").iterdir()) if (folder / "backups").exists() else []


def count_in(file: Path) -> int:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
    connection.close()
    return int(count)


class TestMaking:
    def test_one_a_day_with_all_that_is_committed(self, history, tmp_path, clock):
        made = backups(history, tmp_path, clock)
        made.look()
        history.add([a_run()])
        made.look()
        assert names(tmp_path) == ["history-20260301.sqlite3"]
        assert count_in(tmp_path / "backups" / "history-20260301.sqlite3") == 3
        clock.day = DAY + timedelta(days=1)
        made.look()
        assert names(tmp_path) == ["history-20260301.sqlite3", "history-20260302.sqlite3"]
        assert count_in(tmp_path / "backups" / "history-20260302.sqlite3") == 4

    def test_days_that_are_too_old_go_and_other_files_stay(self, history, tmp_path, clock):
        made = backups(history, tmp_path, clock, days=3)
        for day in range(5):
            clock.day = DAY + timedelta(days=day)
            made.look()
        for other in ("history-mine.sqlite3", "history-20269901.sqlite3", "notes.txt"):
            (tmp_path / "backups" / other).touch()
        made.look()
        assert names(tmp_path) == [
            "history-20260303.sqlite3", "history-20260304.sqlite3", "history-20260305.sqlite3",
            "history-20269901.sqlite3", "history-mine.sqlite3", "notes.txt",
        ]  # fmt: skip

    def test_none_are_kept_where_the_operator_wants_none(self, history, tmp_path, clock):
        backups(history, tmp_path, clock).look()
        backups(history, tmp_path, clock, days=0).look()
        assert names(tmp_path) == []

    def test_an_empty_history_waits_for_its_first_picture(self, tmp_path, clock):
        history = History(tmp_path)
        made = backups(history, tmp_path, clock)
        made.look()
        assert names(tmp_path) == []
        history.add([a_run()])
        made.look()
        assert names(tmp_path) == ["history-20260301.sqlite3"]
        history.close()

    def test_a_failure_leaves_the_old_ones_and_no_half_file(self, history, tmp_path, clock, monkeypatch):
        made = backups(history, tmp_path, clock, days=1)
        made.look()
        clock.day = DAY + timedelta(days=1)
        (tmp_path / "backups" / "history-20260228.sqlite3.part").touch()  # of a server that was killed

        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Disk, "put", no_room)
            with pytest.raises(OSError, match="No space left"):
                made.look()
        assert names(tmp_path) == ["history-20260301.sqlite3"]
        made.look()
        assert names(tmp_path) == ["history-20260302.sqlite3"]

    def test_a_damaged_copy_is_no_backup(self, history, tmp_path, clock, monkeypatch):
        monkeypatch.setattr(copies, "damage_in", lambda file, thorough: "row 7 missing from index")
        with pytest.raises(OSError, match="row 7 missing"):
            backups(history, tmp_path, clock).look()
        assert names(tmp_path) == []

    def test_it_ends_at_once_when_the_server_stops(self, history, tmp_path, clock):
        made = backups(history, tmp_path, clock)
        made.stop()
        with pytest.raises(Stopped):
            made.look()
        assert names(tmp_path) == []

    def test_it_is_of_one_moment_and_writers_go_on(self, history, tmp_path, clock, monkeypatch):
        """Between two steps of the copying others commit: none of that is in it, and it does not begin anew."""
        history.add([a_run() for _ in range(2000)])
        monkeypatch.setattr(copies, "SYNCED_BYTES", 2**18)
        steps = []

        def another(_seconds: float) -> None:
            steps.append(history.add([a_run()]))

        monkeypatch.setattr(backups_module.time, "sleep", another)
        backups(history, tmp_path, clock).look()
        assert len(steps) > 10
        assert count_in(tmp_path / "backups" / "history-20260301.sqlite3") == 2003
        assert len(history.values(runs_query())) == 2003 + len(steps)

    def test_only_its_owner_reads_it(self, history, tmp_path, clock):
        (tmp_path / "history.sqlite3").chmod(0o600)
        backups(history, tmp_path, clock).look()
        assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "backups" / "history-20260301.sqlite3").stat().st_mode & 0o777 == 0o600


def runs_query() -> Any:
    return select(runs.c.seq)


class TestRestoring:
    @pytest.fixture
    def backup(self, history: History, tmp_path: Path, clock: DayClock) -> Path:
        """A backup of three waiting runs, all of which ended since; a fourth was asked for."""
        backups(history, tmp_path, clock).look()
        for run in history.unfinished():
            history.change(run.id, state=RunState.DONE)
        history.add([a_run(state=RunState.DONE)])
        history.close()
        return tmp_path / "backups" / "history-20260301.sqlite3"

    def test_it_is_the_history_and_the_one_before_is_kept(self, backup, tmp_path):
        restored = restore(backup, tmp_path)
        assert (restored.history, restored.pictures) == (tmp_path / "history.sqlite3", 3)
        assert restored.aside is not None
        assert restored.aside.name.startswith("history.sqlite3.before-restore-2")
        assert count_in(restored.aside) == 4
        assert "3 pictures, the newest of 2026-03-01 12:00 UTC" in str(restored)
        assert restored.aside.name in str(restored)
        assert backup.exists()

        history = History(tmp_path)
        history.begin()
        assert [entry.run.state for entry in newest(history, EVERYONE)] == [RunState.CANCELLED] * 3
        assert history.copied is not None
        history.close()

    def test_what_is_only_in_the_write_ahead_log_is_kept_too(self, backup, tmp_path):
        """The server before was killed: its newest commits are in no other file."""
        other = tmp_path / "killed"
        other.mkdir()
        history = History(tmp_path)
        history.add([a_run(state=RunState.DONE) for _ in range(3)])
        for name in ("history.sqlite3", "history.sqlite3-wal"):
            shutil.copy(tmp_path / name, other / name)
        history.close()
        assert restore(backup, other).aside is not None
        (aside,) = other.glob("history.sqlite3.before-restore-*")
        assert count_in(aside) == 7
        assert not (other / "history.sqlite3-wal").exists()

    def test_into_an_empty_folder(self, backup, tmp_path):
        (tmp_path / "empty").mkdir()
        restored = restore(backup, tmp_path / "empty")
        assert restored.aside is None
        assert "is kept as" not in str(restored)
        assert count_in(tmp_path / "empty" / "history.sqlite3") == 3

    def test_in_place_of_a_damaged_history(self, backup, tmp_path):
        damaged = b"These are my memoirs. " * 400
        (tmp_path / "history.sqlite3").write_bytes(damaged)
        restored = restore(backup, tmp_path)
        assert restored.aside is not None
        assert restored.aside.read_bytes() == damaged
        assert count_in(tmp_path / "history.sqlite3") == 3

    def test_a_backup_of_an_older_schema_is_brought_up_to_date(self, tmp_path):
        with sqlite3.connect(tmp_path / "old.sqlite3") as connection:
            connection.executescript(DUMP_0001.read_text("utf-8"))
        connection.close()
        schemas = []
        restored = restore(tmp_path / "old.sqlite3", tmp_path, lambda history: schemas.append(schema_of(history)))
        assert (schemas, restored.pictures) == ([NEWEST_SCHEMA], 4)

    def test_what_has_to_be_done_before_a_server_opens_it(self, backup, tmp_path):
        """Here: a run is forgotten again that was erased since the backup was made."""
        erased = newest(History(tmp_path), EVERYONE)[-1].run.id

        def erase_again(history: History) -> None:
            with history.writing() as connection:
                connection.exec_driver_sql("DELETE FROM runs WHERE id = ?", (erased,))

        assert restore(backup, tmp_path, erase_again).pictures == 2
        history = History(tmp_path)
        history.begin()
        assert history.copied is not None, "the server still finds a copy"
        history.close()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "There is no file .* Name a backup"),
            (b"These are my memoirs. " * 400, r"cannot be restored: file is not a database\. The history is as it was"),
            (b"", "holds no history of this program"),
            ("cut off", "cannot be restored: .*name another backup"),
            ("another program", "holds no history of this program"),
            ("newer", "written by a newer version"),
            ("itself", "is the history itself"),
        ],
    )
    def test_what_is_no_backup_changes_nothing(self, backup, tmp_path, content, message):
        file = tmp_path / "given.sqlite3"
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content == "cut off":
            file.write_bytes(backup.read_bytes()[: backup.stat().st_size // 8192 * 4096])
        elif content == "itself":
            file = tmp_path / "history.sqlite3"
        elif content:
            shutil.copy(backup, file)
            with sqlite3.connect(file) as connection:
                connection.execute(
                    "DROP TABLE runs"
                    if content == "another program"
                    else "UPDATE alembic_version SET version_num = '9999'"
                )
            connection.close()
        before = (tmp_path / "history.sqlite3").read_bytes()
        with pytest.raises(StartupError, match=message):
            restore(file, tmp_path)
        assert (tmp_path / "history.sqlite3").read_bytes() == before
        assert not list(tmp_path.glob("*before-restore*"))
        assert not list(tmp_path.glob("*.restored*"))

    @pytest.mark.parametrize("at", ["copy", "aside", "in place"])
    def test_no_room_leaves_the_history_where_it_is(self, backup, tmp_path, monkeypatch, at):
        before, put = (tmp_path / "history.sqlite3").read_bytes(), Disk.put

        def full(self: Disk, part: Path, file: Path) -> None:
            if (at == "in place") is (file.name == "history.sqlite3"):
                raise OSError(28, "No space left on device")
            put(self, part, file)

        if at == "aside":
            monkeypatch.setattr(restore_module, "_keep_aside", lambda _: full(Disk(), tmp_path, tmp_path))
        else:
            monkeypatch.setattr(Disk, "put", full)
        with pytest.raises(StartupError, match=r"could not be restored .*No space left.* is as it was"):
            restore(backup, tmp_path)
        assert (tmp_path / "history.sqlite3").read_bytes() == before
        assert not list(tmp_path.glob("*.restored*"))


def schema_of(history: History) -> str:
    with history.writing() as connection:
        return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
