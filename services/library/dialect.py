"""Everything that is specific to SQLite, apart from the migrations. To use another database, replace both.

In this order: expressions, full-text search (FTS5), table options, the file and its connections.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    TableValuedAlias,
    create_engine,
    event,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.types import NullType

FileError = sqlite3.Error
"""Raised by the functions that work on files, if one cannot be read or written."""

# -- expressions -------------------------------------------------------------------------------------------------------


def one_of(values: Iterable[Any]) -> Select[Any]:
    """For `column.in_`: passes all values in one bound parameter, since SQLite limits the number of parameters."""
    return select(rows_of(values).c.value)


def rows_of(values: Iterable[Any]) -> TableValuedAlias:
    """A table with one row for each value, in the column `value`."""
    return func.json_each(json.dumps(list(values))).table_valued("value")


def items_of(column: ColumnElement[Any], name: str) -> TableValuedAlias:
    """A table called `name` with one row for each item of the column's JSON list, in the column `value`."""
    return func.json_each(column).table_valued("value", name=name)


def json_value(column: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """The value of one key of the column's JSON object."""
    return func.json_extract(column, f"$.{key}")


def caseless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column case-folded, for comparison with `str.casefold()`. SQLite's own lower() handles ASCII only."""
    return func.casefold(column)


def contains(column: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    """Whether the column's text contains `words` anywhere. Case-sensitive; no character is a wildcard."""
    return func.instr(column, words) > 0


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """Seconds between two moments that `rows.stamp` wrote."""
    return (func.julianday(end) - func.julianday(start)) * 86400


def hidden(table: FromClause, name: str) -> ColumnElement[Any]:
    """A column that the query planner must not use to choose an index. SQLite's unary "+" has no other effect."""
    return literal_column(f"+{table.name}.{name}")  # type: ignore[attr-defined]


def constant(value: str) -> ColumnElement[str]:
    """A text as a literal in the SQL: SQLite uses a partial index only for its literal condition, not a parameter."""
    escaped = value.replace("'", "''")
    return literal_column(f"'{escaped}'")


def insert_or_update(table: Table, keys: Sequence[str], column: str) -> Insert:
    """An insert that updates `column` instead if a row with the same `keys` exists."""
    new = insert(table)
    return new.on_conflict_do_update(index_elements=keys, set_={column: new.excluded[column]})


def highest_seq(connection: Connection, table: Table) -> int:
    """The highest seq that any row of the table ever had; 0 if it never had a row."""
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return connection.execute(query, {"name": table.name}).scalar() or 0


def reserve_seqs(connection: Connection, table: Table, count: int) -> int:
    """Reserve `count` seqs above every seq that any row of the table ever had, and return the first of them."""
    before = highest_seq(connection, table)
    values = {"name": table.name, "seq": before + count}
    known = connection.execute(text("UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"), values)
    if not known.rowcount:
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), values)
    return before + 1


def counter(connection: Connection, name: str) -> int | None:
    """The value of a row of the table `counters`, as the connection's transaction sees it; None if there is none.

    Read past SQLAlchemy, in 5 µs: it is read at the end of each transaction.
    """
    raw = connection.connection.driver_connection
    found = raw.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()  # type: ignore[union-attr]
    return int(found[0]) if found else None


# -- full-text search --------------------------------------------------------------------------------------------------

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts without spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese. FTS5 indexes a whole sentence
in them as one word."""


MERGED = 64


def full_text_index(metadata: MetaData, name: str, column: str) -> Table:
    """A full-text index of one column; its rowid is the indexed row's seq.

    Only a migration can create it. FTS5 stores it in shadow tables; they are declared here so that a comparison of the
    schema with the database finds no difference.
    """
    kept_in: dict[str, tuple[Column[Any], ...]] = {
        "data": (Column("id", Integer, primary_key=True, nullable=True), Column("block", LargeBinary)),
        "docsize": (Column("id", Integer, primary_key=True, nullable=True), Column("sz", LargeBinary)),
        "config": (Column("k", NullType, primary_key=True), Column("v", NullType)),
        "idx": (
            Column("segid", NullType, primary_key=True),
            Column("term", NullType, primary_key=True),
            Column("pgno", NullType),
        ),
    }
    for ending, columns in kept_in.items():
        Table(f"{name}_{ending}", metadata, *columns)
    return Table(name, metadata, Column(column, NullType))


def matches(index: Table, phrases: Iterable[str]) -> Select[Any]:
    """The seqs of the rows that contain all of the phrases, each written by `phrase`."""
    (indexed,) = index.c
    return select(literal_column("rowid")).select_from(index).where(indexed.match(" ".join(phrases)))


def merge_index(connection: Connection, index: Table, *, begun: bool) -> bool:
    """One step of merging a full-text index into one segment, in which no removed words are left; MERGED pages, some
    30 ms. Repeat it with `begun` until it returns False. The same in one step is FTS5's `optimize`, which takes half a
    second for 100,000 prompts.
    """
    driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
    before = driver.total_changes
    merge = text(f"INSERT INTO {index.name} ({index.name}, rank) VALUES ('merge', :pages)")  # noqa: S608  # nosec B608
    connection.execute(merge, {"pages": MERGED if begun else -MERGED})
    return driver.total_changes - before >= 2  # FTS5's documentation: fewer changes mean that nothing was left to do


def phrase(words: str, *, prefix: bool) -> str:
    """An FTS5 phrase: consecutive words; with `prefix`, the last one may be only the beginning of a word.

    FTS5 reads no operators inside quotes, and a quote inside is escaped by doubling it.
    """
    escaped = words.replace('"', '""')
    return f'"{escaped}"{" *" if prefix else ""}'


def is_indexed(words: str) -> bool:
    """Whether the full-text index can find these words: with letters or digits, and no script of UNSPACED."""
    return not UNSPACED.search(words) and any(char.isalnum() for char in words)


# -- tables ------------------------------------------------------------------------------------------------------------

SEQUENCES = "sqlite_sequence"
"""SQLite's own table of the highest seq that each table ever had."""
NEVER_REUSED: Mapping[str, Any] = {"sqlite_autoincrement": True}
"""Options for a Table: the seq of a deleted row is never reused."""


def only_where(condition: str) -> dict[str, Any]:
    """Options for an Index: a partial index of the rows that fulfil the condition."""
    return {"sqlite_where": text(condition)}


def has_table(connection: Connection, name: str) -> bool:
    query = text("SELECT name FROM sqlite_master WHERE name = :name")
    return connection.execute(query, {"name": name}).first() is not None


# -- the file and its connections --------------------------------------------------------------------------------------


BUSY_MS = 30_000
"""How long a statement waits for a lock that another program holds."""
KEPT = 16
"""Connections that stay open when they are not in use: to open one takes longer than most reads."""


def engine_on(file: Path) -> Engine:
    """Nobody waits for a connection: there are as many as threads that read or write at the moment. KEPT stay open."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30}, pool_size=KEPT, max_overflow=-1)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def for_single_reads(connection: Connection) -> Connection:
    """The connection without explicit BEGIN: SQLite then ends a read's transaction with its last row, which saves two
    statements for each read.
    """
    return connection.execution_options(playground_reading=True)


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("playground_reading"):
        connection.exec_driver_sql("BEGIN")


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Set what SQLite keeps for each connection.

    synchronous=FULL: a run's commit is on the disk before its request is sent, so that even after a power cut a picture
    that is being paid for is known. secure_delete=ON: deleted data are overwritten in the file.
    """
    connection.isolation_level = None  # SQLAlchemy's recipe: `_begin` sends BEGIN itself
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)


def rebuild(engine: Engine) -> None:
    """Write the whole file anew. `secure_delete` overwrites removed rows where they stood, but SQLite leaves pieces of
    rows in the unused part of pages when it moves rows between pages; a new file has none. Raises OperationalError.
    """
    with engine.connect() as connection:
        for_single_reads(connection).exec_driver_sql("VACUUM")


def truncate_log(engine: Engine) -> bool:
    """Copy the write-ahead log into the file and make it empty; False if another connection is in the way.

    Most is copied without a lock. The rest holds off writers, so it is given up after 200 ms.
    """
    with engine.connect() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        driver.execute("PRAGMA busy_timeout=200")
        try:
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return not busy


def is_locked(reason: str) -> bool:
    """Whether an error's text says that another program or connection has locked the file."""
    return "locked" in reason


def copy_into(source: Path, target: Path, between: Callable[[], None], step_bytes: int) -> None:
    """Copy the database file `source`, including its write-ahead log, to `target` as it stands at one moment. Others
    may write to it meanwhile. `between` is called after each `step_bytes`; what it raises ends the copying.

    The copy is not synced. Raises FileError.
    """
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        writing.execute("PRAGMA synchronous=OFF")
        # One read transaction for the whole copy: without it each write by others would begin the copy anew.
        reading.execute("BEGIN")
        page_bytes = reading.execute("PRAGMA page_size").fetchone()[0]
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=step_bytes // page_bytes, progress=lambda *_: between())
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def set_counter(file: Path, name: str, value: int) -> None:
    """Set a row of the table `counters` in a file that nobody else uses. Raises FileError."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def schema_in(file: Path) -> str | None:
    """The schema's number in a file; None if it holds no history. Raises FileError."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"alembic_version", "runs", "counters"} <= tables:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else None


def damage_in(file: Path, *, thorough: bool) -> str | None:
    """SQLite's error text for the file; None if it is sound, locked by another program, or cannot be opened.

    Only a `thorough` check reads the whole file.
    """
    connection = sqlite3.connect(file, timeout=1)
    try:
        found = connection.execute(f"PRAGMA {'quick_check(1)' if thorough else 'schema_version'}").fetchone()[0]
    except sqlite3.OperationalError:
        return None  # locked, or cannot be opened: `open_database` reports it
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return str(found) if thorough and found != "ok" else None
