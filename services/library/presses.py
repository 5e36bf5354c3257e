"""Presses and what came of them: the same one again adds nothing, however often it is sent and to which server.

Methods block for about a millisecond, but for those that make an `Among`, which runs in the transaction that adds runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, FromClause, delete, exists, insert, select

from services.clock import Clock
from services.errors import KeyReused
from services.library.history import Among, History
from services.library.rows import stamp
from services.library.tables import presses, runs
from services.press import Press
from services.run import Run, RunState

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Outcome:
    """What came of a press."""

    run_ids: tuple[str, ...]
    """The runs that it added, in the order in which they were asked for."""
    grid_id: str | None


class Presses:
    def __init__(self, history: History, clock: Clock) -> None:
        self._history, self._clock = history, clock

    def outcome(self, press: Press) -> Outcome | None:
        """What came of this press; None if it is new. Raises KeyReused."""
        columns = (presses.c.body, presses.c.runs, presses.c.grid_id)
        found = self._history.records(select(*columns).where(_same(press), presses.c.created_at > self._oldest()))
        if not found:
            return None
        _check(press, found[0]["body"])
        return Outcome(tuple(json.loads(found[0]["runs"])), found[0]["grid_id"])

    def once(self, press: Press, grid_id: str | None, then: Among | None) -> Among:
        """Adds the runs that `then` returns (None: all), unless the press has been written before; raises KeyReused if
        that was with another body."""

        def among(connection: Connection, new: list[Run]) -> list[Run]:
            connection.execute(delete(presses).where(presses.c.created_at <= self._oldest()))
            known = connection.execute(select(presses.c.body).where(_same(press))).scalar()
            if known is not None:
                _check(press, known)
                return []
            kept = then(connection, new) if then else new
            ids = [run.id for run in kept[::-1]]  # the first one of a batch is written last
            named = {"visitor": press.visitor or "", "route": press.route, "key": press.key, "body": press.body}
            came = {"runs": json.dumps(ids), "grid_id": grid_id, "created_at": stamp(self._clock.now())}
            connection.execute(insert(presses), {**named, **came})
            return kept

        return among

    def sweep(self) -> None:
        """Remove what is older than KEPT."""
        with self._history.writing() as connection:
            connection.execute(delete(presses).where(presses.c.created_at <= self._oldest()))

    def _oldest(self) -> str:
        return stamp(self._clock.now() - KEPT)

    # -- runs that are made again ------------------------------------------------------------------------------------

    def newest(self, run_id: str) -> Run | None:
        """The newest of the runs that came of retries of a run, and of their retries; None if none did. Runs that were
        deleted, and what came of those, do not count."""
        chain = select(runs.c.id, runs.c.seq).where(_made_again(run_id, runs)).cte(recursive=True)
        later = runs.alias()
        chain = chain.union(select(later.c.id, later.c.seq).where(_made_again(chain.c.id, later)))
        last = select(chain.c.id).order_by(chain.c.seq.desc()).limit(1).scalar_subquery()
        found = self._history.rows(select(runs).where(runs.c.id == last))
        return found[0].run if found else None


def instead_of(run_id: str, states: Iterable[RunState], then: Among | None = None) -> Among:
    """Adds the new runs if the run is in one of `states`, and was not made again yet; else none."""
    names = [state.value for state in states]

    def among(connection: Connection, new: list[Run]) -> list[Run]:
        ended = runs.c.state.in_(names) & ~exists().where(_made_again(run_id, runs.alias()))
        if connection.execute(select(runs.c.id).where(runs.c.id == run_id, ended)).first() is None:
            return []
        return then(connection, new) if then else new

    return among


def _made_again(run_id: ColumnElement[str] | str, by: FromClause) -> ColumnElement[bool]:
    """Whether the run in the row `by` makes this one again."""
    return (by.c.retry_of == run_id) & by.c.deleted_at.is_(None)


def _same(press: Press) -> ColumnElement[bool]:
    visitor = presses.c.visitor == (press.visitor or "")
    return visitor & (presses.c.route == press.route) & (presses.c.key == press.key)


def _check(press: Press, body: str) -> None:
    if body != press.body:
        raise KeyReused
