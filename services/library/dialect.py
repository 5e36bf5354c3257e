"""SQLite's own words: whatever another database would say differently stands here, and in the migrations.

Expressions come first, then full-text search (FTS5), then the tables' options, then the file and its connections.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
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
"""What `copy_into` raises where the copy cannot be written."""

# -- expressions -------------------------------------------------------------------------------------------------------


def one_of(values: Iterable[Any]) -> Select[Any]:
    """For `column.in_`: one parameter however many values there are, for SQLite bounds the number of parameters."""
    return select(rows_of(values).c.value)


def rows_of(values: Iterable[Any]) -> TableValuedAlias:
    """Values as the rows of a table, in its column `value`."""
    return func.json_each(json.dumps(list(values))).table_valued("value")


def items_of(column: ColumnElement[Any], name: str) -> TableValuedAlias:
    """The items of a column's JSON list as the rows of a table called `name`, in its column `value`."""
    return func.json_each(column).table_valued("value", name=name)


def json_value(column: ColumnElement[Any], key: str) -> ColumnElement[Any]:
    """One value of a column's JSON object."""
    return func.json_extract(column, f"$.{key}")


def caseless(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Compare it with `str.casefold()`: SQLite's own lower() knows ASCII only."""
    return func.casefold(column)


def contains(column: ColumnElement[Any], words: str) -> ColumnElement[bool]:
    """Whether the words, or signs, stand anywhere in a text. None is special, and case counts."""
    return func.instr(column, words) > 0


def seconds_between(start: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[float]:
    """Of two moments as `rows.stamp` writes them."""
    return (func.julianday(end) - func.julianday(start)) * 86400


def hidden(table: FromClause, name: str) -> ColumnElement[Any]:
    """A column that the query planner must not choose an index by. "+" changes nothing but that."""
    return literal_column(f"+{table.name}.{name}")  # type: ignore[attr-defined]


def constant(value: str) -> ColumnElement[str]:
    """A text that stands in the SQL itself: a partial index is used only where its condition does, not a parameter."""
    escaped = value.replace("'", "''")
    return literal_column(f"'{escaped}'")


def insert_or_update(table: Table, keys: Sequence[str], column: str) -> Insert:
    """Insert rows; where one with these keys is there already, change its `column` instead."""
    new = insert(table)
    return new.on_conflict_do_update(index_elements=keys, set_={column: new.excluded[column]})


def highest_seq(connection: Connection, table: Table) -> int:
    """The highest seq that any row of the table ever had; 0 where it never had a row."""
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return connection.execute(query, {"name": table.name}).scalar() or 0


# -- full-text search --------------------------------------------------------------------------------------------------

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese. FTS5 takes a whole
sentence of theirs for one word."""


def full_text_index(metadata: MetaData, name: str, column: str) -> Table:
    """An index of the texts in one column; its rowid is the indexed row's seq.

    Only a migration can make it. FTS5 keeps it in other tables; they are named so that the schema can be compared.
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
    """The seqs of what holds all of these, as `phrase` writes them."""
    (indexed,) = index.c
    return select(literal_column("rowid")).select_from(index).where(indexed.match(" ".join(phrases)))


def phrase(words: str, *, prefix: bool) -> str:
    """Words that follow each other; with `prefix`, the last may be the beginning of one.

    A string in quotes has no operators, and a quote inside is doubled.
    """
    escaped = words.replace('"', '""')
    return f'"{escaped}"{" *" if prefix else ""}'


def is_indexed(words: str) -> bool:
    """Whether a full-text index knows these words: letters or digits, in a script with spaces."""
    return not UNSPACED.search(words) and any(char.isalnum() for char in words)


# -- tables ------------------------------------------------------------------------------------------------------------

NEVER_REUSED: Mapping[str, Any] = {"sqlite_autoincrement": True}
"""For a Table: the seq of a row that is gone is not given to another."""


def only_where(condition: str) -> dict[str, Any]:
    """For an Index: it holds the rows of this condition only."""
    return {"sqlite_where": text(condition)}


def has_table(connection: Connection, name: str) -> bool:
    query = text("SELECT name FROM sqlite_master WHERE name = :name")
    return connection.execute(query, {"name": name}).first() is not None


# -- the file and its connections --------------------------------------------------------------------------------------


def engine_on(file: Path) -> Engine:
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def for_single_reads(connection: Connection) -> Connection:
    """Without BEGIN, SQLite ends a read's transaction with its last row: two statements less for each read."""
    return connection.execution_options(playground_reading=True)


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get("playground_reading"):
        connection.exec_driver_sql("BEGIN")


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    """Settings that SQLite keeps for each connection.

    synchronous=FULL: a commit is on the disk before the request it speaks of is sent, so that not even a power cut
    makes us forget a picture that is being paid for. secure_delete=ON: what is deleted is overwritten in the file.
    """
    connection.isolation_level = None  # SQLAlchemy's recipe: we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)


def is_locked(reason: str) -> bool:
    """Whether an error's text says that another program, or another connection, holds the file."""
    return "locked" in reason


def copy_into(connection: Connection, file: Path) -> None:
    """Copy the whole database, what stands in its write-ahead log too. Raises FileError."""
    target = sqlite3.connect(file)
    try:
        connection.connection.driver_connection.backup(target)  # type: ignore[union-attr]
    finally:
        target.close()


def damage_in(file: Path, *, thorough: bool) -> str | None:
    """What is wrong with the file in SQLite's words; None where nothing is, or where another program holds it.

    Only a thorough look reads all of it.
    """
    connection = sqlite3.connect(file, timeout=1)
    try:
        found = connection.execute(f"PRAGMA {'quick_check(1)' if thorough else 'schema_version'}").fetchone()[0]
    except sqlite3.OperationalError:
        return None  # locked, or no file that can be opened: opening it says so
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return str(found) if thorough and found != "ok" else None
