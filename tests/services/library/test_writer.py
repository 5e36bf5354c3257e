"""Changes that come together share a transaction, and each is told only when it is committed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from support.patience import PATIENCE_SECONDS

from services.errors import CannotWrite, StorageBusy
from services.library.database import open_database, reading
from services.library.writer import Writer


def put(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        connection.execute(text("INSERT INTO counters VALUES (:name, 1)"), {"name": name})
        return name

    return work


class Gate:
    """A first change that keeps the writer busy until `open`: what is submitted meanwhile waits together."""

    def __init__(self, writer: Writer) -> None:
        self._entered, self._opened = threading.Event(), threading.Event()
        self.passed = writer.submit(self._work)
        assert self._entered.wait(PATIENCE_SECONDS)

    def _work(self, _connection: Connection) -> None:
        self._entered.set()
        assert self._opened.wait(PATIENCE_SECONDS)

    def open(self) -> None:
        self._opened.set()
        self.passed.result(PATIENCE_SECONDS)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "history.sqlite3"
        self.engine = open_database(folder)
        self.writer = Writer(self.engine)
        self.commits = 0
        event.listen(self.engine, "commit", self._count)

    def _count(self, _connection: Connection) -> None:
        self.commits += 1

    def committed(self) -> list[str]:
        """What another process sees."""
        with sqlite3.connect(self.file) as connection:
            found = connection.execute("SELECT name FROM counters ORDER BY rowid")
            names = [name for (name,) in found if name not in ("revision", "epoch", "removals", "erasures")]
        connection.close()
        return names


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.writer.close()
    desk.engine.dispose()


def test_what_waits_together_is_committed_together_and_in_order(desk: Desk) -> None:
    gate = Gate(desk.writer)
    names = [f"change {number}" for number in range(20)]
    changes = [desk.writer.submit(put(name)) for name in names]
    assert not any(change.done() for change in changes)
    gate.open()
    assert [change.result(PATIENCE_SECONDS) for change in changes] == names
    assert desk.committed() == names
    assert desk.commits == 2  # the gate's, and theirs


def test_a_change_is_told_only_when_others_can_see_it(desk: Desk) -> None:
    seen: list[list[str]] = []
    change = desk.writer.submit(put("one"))
    change.add_done_callback(lambda _: seen.append(desk.committed()))
    desk.writer.close()
    assert seen == [["one"]]


def test_one_that_fails_takes_no_other_with_it(desk: Desk) -> None:
    gate = Gate(desk.writer)
    before, twice, after = (desk.writer.submit(put(name)) for name in ("one", "one", "two"))
    gate.open()
    assert before.result(PATIENCE_SECONDS) == "one"
    with pytest.raises(IntegrityError):
        twice.result(PATIENCE_SECONDS)
    assert after.result(PATIENCE_SECONDS) == "two"
    assert desk.committed() == ["one", "two"]


def test_a_commit_that_fails_is_told_to_each(desk: Desk) -> None:
    def full_disk(_connection: Connection) -> None:
        raise OSError("disk full")

    event.listen(desk.engine, "commit", full_disk)
    changes = [desk.writer.submit(put(name)) for name in ("one", "two")]
    for change in changes:
        with pytest.raises(OSError, match="disk full"):
            change.result(PATIENCE_SECONDS)
    event.remove(desk.engine, "commit", full_disk)
    assert desk.writer.submit(put("three")).result(PATIENCE_SECONDS) == "three"
    assert desk.committed() == ["three"]


def test_closing_waits_for_what_was_submitted(desk: Desk) -> None:
    gate = Gate(desk.writer)
    change = desk.writer.submit(put("late"))
    closing = threading.Thread(target=desk.writer.close)
    closing.start()
    gate.open()
    closing.join(PATIENCE_SECONDS)
    assert change.done()
    assert desk.committed() == ["late"]
    assert desk.writer.submit(put("again")).result(PATIENCE_SECONDS) == "again"  # and it can begin anew


class TestWhatMayPass:
    """A lock and a full disk are raised as our errors, whether a change met them, its commit or a read."""

    def test_a_lock_is_storage_that_is_busy(self, desk: Desk) -> None:
        event.listen(desk.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
        desk.engine.dispose()
        with sqlite3.connect(desk.file, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="database is locked") as caught:
                desk.writer.submit(put("one")).result(PATIENCE_SECONDS)
            with pytest.raises(StorageBusy), desk.writer.alone() as connection:
                put("one")(connection)
        other.close()
        assert caught.value.reason == "database is locked"
        assert isinstance(caught.value.__cause__, OperationalError)
        assert desk.writer.submit(put("one")).result(PATIENCE_SECONDS) == "one"

    def test_a_full_disk_cannot_be_written(self, desk: Desk) -> None:
        def full_disk(_connection: Connection) -> None:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

        event.listen(desk.engine, "commit", full_disk)
        with pytest.raises(CannotWrite, match="disk is full") as caught:
            desk.writer.submit(put("one")).result(PATIENCE_SECONDS)
        assert type(caught.value) is CannotWrite

    def test_a_read_says_it_too(self, desk: Desk) -> None:
        with pytest.raises(CannotWrite, match="no such table: missing"), reading(desk.engine) as connection:
            connection.execute(text("SELECT * FROM missing"))


def submit_late(writer: Writer) -> None:
    writer.submit(put("late"))


def begin_another(writer: Writer) -> None:
    with writer.alone():
        pass


@pytest.mark.parametrize("do", [submit_late, begin_another])
def test_inside_a_transaction_of_its_own_a_thread_is_refused_rather_than_left_waiting(
    desk: Desk, do: Callable[[Writer], None]
) -> None:
    def write() -> None:
        with desk.writer.alone() as connection:
            put("lost")(connection)
            do(desk.writer)

    with pytest.raises(RuntimeError, match="write in it"):
        write()
    assert desk.committed() == []
    desk.writer.submit(put("next")).result(PATIENCE_SECONDS)
    assert desk.committed() == ["next"]


def test_other_threads_wait_for_that_transaction(desk: Desk) -> None:
    with desk.writer.alone() as connection:
        put("first")(connection)
        submitting = threading.Thread(target=lambda: desk.writer.submit(put("second")))
        submitting.start()
        submitting.join(PATIENCE_SECONDS)
    desk.writer.close()
    assert desk.committed() == ["first", "second"]
