"""Histories that older versions wrote, as they stood in the file, are brought up to date and lose nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command, op
from alembic.config import Config
from sqlalchemy import create_engine, select
from support.newest import newest

from services.errors import StartupError
from services.library import database, disk
from services.library.history import History
from services.library.query import parse
from services.library.scope import EVERYONE, Scope
from services.library.search import Search
from services.library.tables import SEARCHED, runs
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import RunState

DUMP = Path(__file__).parents[2] / "data" / "history-0001.sql"
COPY = f"history.sqlite3.before-{database.NEWEST_SCHEMA}"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A data folder with a history of schema 0001, whose newest rows stand in the write-ahead log only."""
    connection = sqlite3.connect(tmp_path / "history.sqlite3")
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;")
    connection.executescript(DUMP.read_text("utf-8"))
    for name in ("history.sqlite3", "history.sqlite3-wal"):  # closing would write the log into the file
        (tmp_path / f"{name}.kept").write_bytes((tmp_path / name).read_bytes())
    connection.close()
    for name in ("history.sqlite3", "history.sqlite3-wal"):
        (tmp_path / f"{name}.kept").rename(tmp_path / name)
    return tmp_path


def upgraded(folder: Path, schema: str) -> Path:
    """The same history as that schema's version left it."""
    engine = create_engine(f"sqlite:///{folder / 'history.sqlite3'}")
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(database.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, schema)
        connection.commit()
    engine.dispose()
    return folder


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def in_words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


class TestFrom0001:
    def test_every_run_is_kept(self, old):
        history = History(old)
        first, second, third, deleted = (history.get(f"{number:032x}", EVERYONE) for number in (1, 2, 3, 4))
        history.close()
        assert first.request.prompt == "a red fox at dusk; it's 'quoted'"
        assert (first.state, first.seed, first.favourite, first.seconds) == (RunState.DONE, 8, True, 12.5)
        assert first.picture is not None
        assert second.request == Flux2FlexRequest(**second.request.kept)
        assert second.request.pixels == (640, 512)
        assert second.failure is not None
        assert (second.note, second.revision) == ("seen", 5)
        assert (third.visitor, third.queue_position) == ("bob", 2)
        assert deleted.deleted_at is not None

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("", [3, 2, 1]),
            ("fox", [1]),
            ("cafe", [2]),
            ("猫", [3]),
            ("seed:8", [1]),
            ("seed:7", []),
            ("size:landscape_4_3", [1]),
            ("size:640x512", [2]),
            ("size:576x1024", [3]),
            ("steps:40 guidance:5.5 expansion:off safety:5 checker:off format:png unlisted:on", [2]),
            ("steps:28 expansion:on safety:2 checker:on format:jpeg unlisted:off took:12.4-12.6", [1]),
        ],
    )
    def test_it_can_be_searched(self, old, text, numbers):
        history = History(old)
        found = [int(entry.run.id, 16) for entry in Search(history).page(EVERYONE, parse(text), limit=9)]
        history.close()
        assert found == numbers

    def test_the_migration_fills_in_what_the_program_would_write(self, old, tmp_path_factory):
        """Rows that were migrated and rows that are written now are the same."""
        migrated, fresh = History(old), History(tmp_path_factory.mktemp("fresh"))
        fresh.add(migrated.get(f"{number:032x}", EVERYONE) for number in (1, 2, 3, 4))
        names = (*SEARCHED, "key", "model", "media_name", "notes", "tags", "repeat_of", "original_removed_at")
        columns = select(*(runs.c[name] for name in names)).order_by(runs.c.seq)
        rows = []
        for history in (migrated, fresh):
            with history._engine.connect() as connection:
                rows.append([tuple(_rounded(value) for value in row) for row in connection.execute(columns)])
            history.close()
        assert rows[0] == rows[1]

    @pytest.mark.parametrize("schema", database.OLDER_SCHEMAS)
    def test_every_schema_in_between_goes_on(self, old, schema):
        history = History(upgraded(old, schema))
        found = [int(entry.run.id, 16) for entry in Search(history).page(EVERYONE, parse("seed:7-9|42"), limit=9)]
        history.close()
        assert found == [2, 1]
        assert (old / COPY).exists()

    def test_numbers_go_on_where_they_were(self, old):
        history = History(old)
        run = history.get(f"{1:032x}", Scope("ann"))
        (added,) = history.add([run.model_copy(update={"id": "f" * 32, "picture": None})])
        assert added.revision == 6
        assert newest(history, EVERYONE, limit=1)[0].seq == 5
        history.close()

    def test_a_copy_of_all_that_was_there_is_kept_beside_it(self, old):
        History(old).close()
        kept, written = dump(old / COPY), DUMP.read_text("utf-8").splitlines()[1:]
        assert [line for line in kept if "'start'" in line] == ["INSERT INTO \"counters\" VALUES('start',-1);"]
        assert in_words([line for line in kept if "'start'" not in line]) == in_words(written)
        assert not (old / f"{COPY}.part").exists()

    def test_a_new_or_newest_history_is_not_copied(self, tmp_path):
        History(tmp_path).close()
        History(tmp_path).close()
        assert not (tmp_path / COPY).exists()

    def test_no_room_for_the_copy(self, old, monkeypatch):
        def no_room(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(disk.os, "replace", no_room)
        with pytest.raises(
            StartupError, match=r"before-\d{4} .* cannot be written .*No space left.*nothing was changed"
        ):
            History(old)
        assert "'0001'" in in_words(dump(old / "history.sqlite3"))

    def test_a_migration_that_fails_leaves_the_old_history(self, old, monkeypatch):
        execute = op.execute

        def fail_at_the_end(statement: str) -> None:
            if "prompt_removed" in statement:
                raise RuntimeError("the power went out")
            execute(statement)

        monkeypatch.setattr(op, "execute", fail_at_the_end)
        with pytest.raises(RuntimeError):
            History(old)
        assert in_words(dump(old / "history.sqlite3")) == in_words(DUMP.read_text("utf-8").splitlines()[1:])
        monkeypatch.undo()
        History(old).close()


def _rounded(value: object) -> object:
    return round(value, 2) if isinstance(value, float) else value
