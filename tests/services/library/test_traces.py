"""The table of what is kept of a visitor names everything that is kept, and erasing by it leaves nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Integer, Table, insert, select, text

from services.library.compaction import Compaction
from services.library.history import REMOVALS, History, count_up
from services.library.ledger import ERASED
from services.library.tables import counters, metadata
from services.library.traces import FILES, TABLES, Otherwise, erase_rows

ANN, BOB = "a" * 32, "b" * 32


def tables(history: History) -> list[str]:
    return history.values(select(text("name")).select_from(text("sqlite_master")).where(text("type = 'table'")))


def marked(table: Table, visitor: str) -> dict[str, Any]:
    """A row of the visitor's, whose every text says so."""

    def value(name: str, kind: Any) -> Any:
        if name == "visitor":
            return visitor
        if name in ("grid_id", "deleted") or (table.name, name) == ("grids", "id"):
            return f"grid of {visitor[0]}"
        return {int: 1, float: 1.0, bool: True}.get(kind.python_type, f"{name} of {visitor[0]}")

    return {
        column.name: value(column.name, column.type)
        for column in table.columns
        if not (column.primary_key and isinstance(column.type, Integer))
    }


def test_every_table_is_known(history: History) -> None:
    assert sorted(tables(history)) == sorted(TABLES)


def test_a_table_that_names_visitors_says_how_it_goes(history: History) -> None:
    for name, how in TABLES.items():
        if isinstance(how, Otherwise) and name != "runs":
            columns = history.values(select(text("name")).select_from(text(f"pragma_table_info('{name}')")))
            assert "visitor" not in columns, f"{name}: {how}"


@pytest.mark.parametrize("name", [name for name, how in TABLES.items() if not isinstance(how, Otherwise)])
def test_one_s_rows_go_and_another_s_stay(history: History, name: str) -> None:
    table = metadata.tables[name]
    wanted = {table, metadata.tables["grids"]}
    with history.writing() as connection:
        for visitor in (ANN, BOB):
            for one in wanted:
                connection.execute(insert(one).values(marked(one, visitor)))
    bobs = [row for row in history.table(select(table)) if "of a" not in str(row) and ANN not in str(row)]
    assert len(bobs) == 1
    with history.writing() as connection:
        erase_rows(connection, ANN)
    left = history.table(select(table))
    assert bobs[0] in left
    others = [row for row in left if row != bobs[0]]
    assert all(ANN not in str(row) and row.visitor == ERASED for row in others), "only sums stay, without a name"


def test_every_file_of_a_used_folder_is_known(history: History, tmp_path: Path) -> None:
    assert {file.name for file in tmp_path.iterdir()} <= FILES.keys()


async def test_what_becomes_due_meanwhile_stays_due(history: History) -> None:
    compaction = Compaction(history)
    await compaction.run(quiet=False)
    assert dict(history.table(due := select(counters.c.name, counters.c.value).where(counters.c.name != "epoch"))) == {
        "revision": 0, "removals": 0, "erasures": 1}  # fmt: skip
    await compaction.run(quiet=True)
    assert dict(history.table(due))["erasures"] == 0


async def test_a_reader_holds_it_up_and_no_writer(history: History, tmp_path: Path) -> None:
    """The log is emptied when the reader has ended; meanwhile others write."""
    log = tmp_path / "history.sqlite3-wal"
    compaction = Compaction(history)
    with history._engine.connect() as reader:
        assert reader.execute(select(counters.c.value)).first()
        history.write_soon(lambda connection: count_up(connection, REMOVALS)).result()
        await asyncio.wait_for(compaction.run(quiet=True), 5)
        assert log.stat().st_size > 0
        history.write_soon(lambda connection: count_up(connection, REMOVALS)).result(1)
    await compaction.run(quiet=True)
    assert history.values(select(counters.c.value).where(counters.c.name == "removals")) == [0]
