from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from services.errors import StartupError
from services.library.database import MIGRATIONS, NEWEST_SCHEMA, open_database, schema_of
from services.library.tables import metadata


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path)
    yield engine
    engine.dispose()


class TestSchema:
    def test_the_newest_schema_is_the_newest_migration(self):
        assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [NEWEST_SCHEMA]

    def test_a_new_file_has_the_newest_schema(self, engine):
        with engine.connect() as connection:
            assert schema_of(connection) == NEWEST_SCHEMA

    def test_the_migrations_make_what_the_tables_say(self, engine):
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []

    def test_no_run_number_is_ever_used_twice(self, engine):
        """AUTOINCREMENT: a page that asks for runs before some number never meets another run under it."""
        with engine.connect() as connection:
            made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'runs'")).scalar_one()
        assert "AUTOINCREMENT" in made.upper()

    def test_opening_again_changes_nothing_and_needs_no_alembic(self, engine, tmp_path):
        engine.dispose()
        code = (
            "import sys; from pathlib import Path; from services.library.database import open_database; "
            f"open_database(Path({str(tmp_path)!r})).dispose(); print('alembic' in sys.modules)"
        )
        environ = {**os.environ, "PYTHONPATH": os.getcwd()}
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120)
        assert (done.stdout.strip(), done.stderr) == ("False", "")


class TestDurability:
    @pytest.mark.parametrize(
        ("pragma", "value"),
        [
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("busy_timeout", 30000),
            ("secure_delete", 1),
        ],
    )
    def test_every_connection_is_prepared(self, engine, pragma, value):
        with engine.connect() as first, engine.connect() as second:
            for connection in (first, second):
                assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value

    def test_a_transaction_that_fails_leaves_nothing(self, engine):
        def fail_half_way() -> None:
            with engine.begin() as connection:
                connection.execute(text("UPDATE counters SET value = 7"))
                raise RuntimeError("half way")

        with pytest.raises(RuntimeError):
            fail_half_way()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT value FROM counters")).scalar() == 0


class TestStartup:
    def test_missing_folders_are_made(self, tmp_path):
        open_database(tmp_path / "a" / "b").dispose()
        assert (tmp_path / "a" / "b" / "history.sqlite3").is_file()

    def test_a_path_below_a_file(self, tmp_path):
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(StartupError, match=r"The data folder .*file/data cannot be written .*PLAYGROUND_DATA_DIR"):
            open_database(tmp_path / "file" / "data")

    def test_a_folder_that_may_not_be_written(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(StartupError, match=r"cannot be written \(not writable\)\. Make it writable"):
            open_database(tmp_path)

    def test_a_folder_in_the_files_place(self, tmp_path):
        (tmp_path / "history.sqlite3").mkdir()
        with pytest.raises(StartupError, match="cannot be opened"):
            open_database(tmp_path)

    def test_another_programs_database(self, tmp_path):
        with sqlite3.connect(tmp_path / "history.sqlite3") as connection:
            connection.execute("CREATE TABLE runs (name TEXT)")
        connection.close()
        with pytest.raises(StartupError, match=r"history\.sqlite3"):
            open_database(tmp_path)

    def test_a_history_of_a_newer_version(self, tmp_path):
        open_database(tmp_path).dispose()
        with sqlite3.connect(tmp_path / "history.sqlite3") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()
        with pytest.raises(
            StartupError, match=r"history\.sqlite3 was written by a newer version .*PLAYGROUND_DATA_DIR"
        ):
            open_database(tmp_path)
