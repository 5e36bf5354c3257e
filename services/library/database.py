"""Open the history's database and upgrade its schema; read and write it, raising the project's own errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from services.errors import CannotWrite, StartupError, StorageBusy
from services.library import copies
from services.library.dialect import FileError, engine_on, for_single_reads, has_table, is_locked
from services.library.folder import create_private, prepare

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
NEWEST_SCHEMA = "0008"
"""Number of the newest file in migrations/versions; a test compares them. Repeated here so that a start with a current
schema need not import Alembic."""

OLDER_SCHEMAS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Schemas that this program can upgrade."""


def open_database(folder: Path) -> Engine:
    """Open `folder`/history.sqlite3 and upgrade its schema. Raises StartupError that says what to do."""
    file = folder / "history.sqlite3"
    prepare(folder)
    create_private(file)
    engine = engine_on(file)
    try:
        with engine.connect() as connection:
            upgrade(connection)
    except OperationalError as error:
        raise StartupError(
            f"The history {file} cannot be opened ({error.orig}). Is another program using it?"
        ) from error
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for single reads: each statement sees what was committed when it began. Raises CannotWrite."""
    with our_errors(), engine.connect() as connection:
        yield for_single_reads(connection)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: committed at the end of the block, rolled back if the block raises. Raises CannotWrite."""
    with our_errors(), engine.begin() as connection:
        yield connection


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the database's operational errors (a lock, a full disk) into StorageBusy or CannotWrite, so that callers
    need not know the database.

    Other database errors are bugs of this program and are passed on unchanged.
    """
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig)
        raise (StorageBusy if is_locked(reason) else CannotWrite)(reason) from error


def upgrade(connection: Connection) -> None:
    """Upgrade the schema. Does nothing, and does not import Alembic, if it is current. Raises StartupError.

    An older history is copied first to `history.sqlite3.before-<NEWEST_SCHEMA>`.
    """
    found = schema_of(connection)
    if found == NEWEST_SCHEMA:
        return
    if found in OLDER_SCHEMAS:
        back_up(Path(str(connection.engine.url.database)))
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:  # no migration has the number of this schema: a newer program wrote it
        raise StartupError(
            f"The history {connection.engine.url.database} was written by a newer version of this program. Start that "
            "version, or set PLAYGROUND_DATA_DIR to another folder."
        ) from error
    connection.commit()


def back_up(file: Path) -> None:
    """Copy the whole database before an update. Raises StartupError."""
    copy = file.with_name(f"{file.name}.before-{NEWEST_SCHEMA}")
    try:
        copies.take(file, copy)
    except (OSError, FileError) as error:
        raise StartupError(
            f"The history has to be brought up to date, and the copy {copy} that is made first cannot be written "
            f"({error}). Make room in that folder and start again; nothing was changed."
        ) from error


def schema_of(connection: Connection) -> str | None:
    """The schema's number in the file; None if the file is new."""
    begun = has_table(connection, "alembic_version")
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if begun else None
    connection.rollback()
    return found
