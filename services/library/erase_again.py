"""Erases in this history what was erased elsewhere: it may begin from a copy that was made before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from sqlalchemy import Connection, Table, delete, insert, select

from services.library.compaction import Compaction
from services.library.deletion import remove_grids, remove_projects
from services.library.dialect import one_of
from services.library.gone import Gone, GoneList, hashed
from services.library.history import ERASURES, REMOVALS, History, count_up, forget
from services.library.media import open_media
from services.library.tables import ballots, erasures, grids, metadata, projects, runs
from services.library.traces import erase_rows
from services.run import Run


def erase_again(history: History, gone: GoneList) -> list[Run]:
    """Call it before any run is worked on. Returns the removed runs, so that their files can be deleted. Blocks."""
    done = set(history.values(select(erasures.c.id)))
    due = [one for one in gone.all() if one.id not in done]
    if not due:
        return []
    with history.writing() as connection:
        removed = _visitors(connection, {one.visitor for one in due if one.visitor}) + _things(connection, due)
        for counter in (REMOVALS, ERASURES):
            count_up(connection, counter)
        connection.execute(insert(erasures), [{"id": one.id} for one in due])
    return removed


def erase_again_in(folder: Path) -> Callable[[History], None]:
    """`erase_again` for a history of this folder that no server has opened yet, with the files of its pictures."""

    def erase(history: History) -> None:
        media = open_media(folder)
        for run in erase_again(history, GoneList(folder)):
            if run.picture:
                media.remove(run.picture)
        asyncio.run(Compaction(history).run(quiet=True))

    return erase


def prune(history: History, kept: Iterable[str]) -> None:
    """Forget the erasures that stand in the list no longer."""
    with history.writing() as connection:
        connection.execute(delete(erasures).where(erasures.c.id.not_in(one_of(kept))))


def _visitors(connection: Connection, hashes: set[str]) -> list[Run]:
    if not hashes:
        return []
    named = [table for table in metadata.tables.values() if "visitor" in table.c]
    visitors = {visitor for table in named for visitor in _distinct(connection, table) if hashed(visitor) in hashes}
    removed = []
    for visitor in visitors:
        removed += forget(connection, runs.c.visitor == visitor, even_unfinished=True)
        erase_rows(connection, visitor)
    return removed


def _distinct(connection: Connection, table: Table) -> list[str]:
    return list(connection.execute(select(table.c.visitor).where(table.c.visitor.is_not(None)).distinct()).scalars())


def _things(connection: Connection, due: list[Gone]) -> list[Run]:
    removed = forget(connection, runs.c.id.in_(one_of(_ids(due, "runs"))), even_unfinished=True)
    for table, remove in ((grids, remove_grids), (projects, remove_projects)):
        ids = connection.execute(select(table.c.id).where(table.c.id.in_(one_of(_ids(due, table.name)))))
        remove(connection, list(ids.scalars()))
    connection.execute(delete(ballots).where(ballots.c.id.in_(one_of(_ids(due, "ballots")))))
    return removed


def _ids(due: list[Gone], kind: str) -> list[str]:
    return [one_id for one in due for one_id in getattr(one, kind)]
