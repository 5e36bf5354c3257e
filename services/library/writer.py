"""A single writer thread: changes that are submitted close together share one transaction, and so one sync of the disk.

A caller gets its result only after the commit. On a slow disk, waiting changes share one sync instead of waiting for
one sync each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from services.library.database import writing

T = TypeVar("T")
MOST_TOGETHER = 64


class _Change(Generic[T]):
    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.committed: Future[T] = Future()


def nothing(_connection: Connection) -> Callable[[], None]:
    return lambda: None


class Writer:
    def __init__(self, engine: Engine, committing: Callable[[Connection], Callable[[], None]] = nothing) -> None:
        """`committing` is called at the end of each transaction, and what it returns after the commit."""
        self._engine, self._committing = engine, committing
        self._waiting: SimpleQueue[_Change[Any] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()  # held by whoever writes
        self._alone: int | None = None  # the thread in `alone`

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Run `work` in the writer thread. The future has its result after the commit, or its error.

        Raises RuntimeError inside `alone`. `work` may run twice: if any change of a shared transaction fails, each is
        repeated in its own transaction.
        """
        if self._alone == threading.get_ident():
            raise RuntimeError("The history's writer waits for the transaction that this thread has open: write in it.")
        change = _Change(work)
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="history-writer", daemon=True)
                self._thread.start()
            self._waiting.put(change)
        return change.committed

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A separate transaction, for work on several tables that must not run twice. Other changes wait.

        Inside it the same thread can neither submit changes nor begin a second one: it would wait for itself.
        """
        if self._alone == threading.get_ident():
            raise RuntimeError("This thread has a transaction open: write in it.")
        with self._turn:
            self._alone = threading.get_ident()
            try:
                with self._transaction() as connection:
                    yield connection
            finally:
                self._alone = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            yield connection
            committed = self._committing(connection)
        committed()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """For work that is no transaction: nothing else is written meanwhile."""
        with self._turn:
            yield

    def close(self) -> None:
        """Returns when all submitted changes are committed."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread:
                self._waiting.put(None)
        if thread:
            thread.join()

    def _write(self) -> None:
        while changes := self._next():
            with self._turn:
                self._commit(changes)

    def _next(self) -> list[_Change[Any]]:
        """Up to MOST_TOGETHER waiting changes; blocks until there is one. Empty when the writer is closed."""
        found = []
        change = self._waiting.get()
        while change is not None:
            if change.committed.set_running_or_notify_cancel():
                found.append(change)
            if len(found) == MOST_TOGETHER:
                return found
            try:
                change = self._waiting.get_nowait() if found else self._waiting.get()
            except Empty:
                return found
        if found:
            self._waiting.put(None)  # return these changes first; the next call sees None again and ends
        return found

    def _commit(self, changes: list[_Change[Any]]) -> None:
        try:
            with self._transaction() as connection:
                results = [change.work(connection) for change in changes]
        except BaseException as error:
            if len(changes) == 1:
                changes[0].committed.set_exception(error)
                return
            for change in changes:  # one transaction each, so that only the faulty change fails
                self._commit([change])
            return
        for change, result in zip(changes, results, strict=True):
            change.committed.set_result(result)
