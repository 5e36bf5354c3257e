"""Search for runs. Pages of results use keyset pagination; a grid's runs can be reduced to one entry, its stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.sql.elements import UnaryExpression

from services.errors import NotFound
from services.library.history import History
from services.library.query import Query
from services.library.rows import Entry
from services.library.rules import found_by
from services.library.scope import EVERYONE, Scope
from services.library.tables import runs

Sort = Literal["newest", "oldest", "longest", "steps", "guidance", "seed"]


@dataclass(frozen=True)
class _Order:
    column: ColumnElement[Any]
    falling: bool

    @property
    def by_time(self) -> bool:
        return self.column is runs.c.seq

    @property
    def clauses(self) -> tuple[UnaryExpression[Any], ...]:
        """ORDER BY: ties are broken by seq, newest first. An order by time sorts by seq only."""
        if self.by_time:
            return (runs.c.seq.desc() if self.falling else runs.c.seq.asc(),)
        return (self.column.desc() if self.falling else self.column.asc(), runs.c.seq.desc())

    def after(self, seq: int, value: float | None) -> ColumnElement[bool]:
        """The condition for runs that come in this order after a run with this seq and this value of `column`. That run
        may have been purged or changed since. An order by time needs no value.
        """
        if self.by_time:
            return runs.c.seq < seq if self.falling else runs.c.seq > seq
        if self.falling:
            return tuple_(self.column, runs.c.seq) < tuple_(value, seq)
        return or_(self.column > value, and_(self.column == value, runs.c.seq < seq))

    def leads(self, query: Query) -> ColumnElement[bool]:
        """The condition for runs that are the first of their grid in this search, in an order by time. Runs without a
        grid always fulfil it.
        """
        sibling = runs.alias("sibling")
        before = sibling.c.seq > runs.c.seq if self.falling else sibling.c.seq < runs.c.seq
        # EVERYONE is enough here: all runs of a grid belong to one visitor, and the outer query checks the scope.
        same = select(sibling.c.seq).where(
            sibling.c.grid_id == runs.c.grid_id, before, found_by(EVERYONE, query, sibling)
        )
        return or_(runs.c.grid_id.is_(None), ~same.exists())


SORTS: dict[Sort, _Order] = {
    "newest": _Order(runs.c.seq, falling=True),
    "oldest": _Order(runs.c.seq, falling=False),
    "longest": _Order(func.coalesce(runs.c.seconds, -1), falling=True),
    "steps": _Order(runs.c.num_inference_steps, falling=True),
    "guidance": _Order(runs.c.guidance_scale, falling=True),
    "seed": _Order(func.coalesce(runs.c.seed, -1), falling=False),
}


class Search:
    """Methods block for some milliseconds; async callers use `History.pools`. Deleted runs are never found."""

    def __init__(self, history: History) -> None:
        self._history = history

    def page(
        self, scope: Scope, query: Query, sort: Sort = "newest", *, limit: int, after: int | None = None,
        at: float | None = None, skip: int = 0, stacked: bool = False,
    ) -> list[Entry]:  # fmt: skip
        """The first `limit` runs that match, or those after the run with seq `after`. `skip` leaves out as many first.

        `at`: what `value_at` returned of the run `after` when it was found. Without it the run's present value counts;
        raises NotFound if the order needs it and the run has been purged: what follows it is unknown, not nothing.

        With `stacked`, only the first run of each grid, if `stacks` is true for this search.
        """
        order, rule = SORTS[sort], found_by(scope, query)
        if after is not None:
            value = self.value_at(scope, sort, after) if at is None else at
            if value is None and not order.by_time:
                raise NotFound("picture")
            rule = and_(rule, order.after(after, value))
        if stacked and stacks(query, sort):
            rule = and_(rule, order.leads(query))
        chosen = select(runs.c.seq).where(rule).order_by(*order.clauses).limit(limit).offset(skip)
        return self._history.rows(select(runs).where(runs.c.seq.in_(chosen)).order_by(*order.clauses))

    def value_at(self, scope: Scope, sort: Sort, seq: int) -> float | None:
        """What the order sorts the run with this seq by, besides its seq: with both, `page` goes on after the run even
        if it is purged. None in an order by time, and if there is no such run.
        """
        if SORTS[sort].by_time:
            return None
        found = self._history.values(select(SORTS[sort].column).where(runs.c.seq == seq, scope.clause()))
        return found[0] if found else None

    def count(self, scope: Scope, query: Query, *, newer_than: int = 0) -> int:
        """How many runs match; with `newer_than`, only those with a seq above it."""
        rule = found_by(scope, query)
        if newer_than:
            rule = and_(rule, runs.c.seq > newer_than)
        (count,) = self._history.values(select(func.count()).select_from(runs).where(rule))
        return int(count)

    def ids(self, scope: Scope, query: Query, sort: Sort = "newest", *, limit: int) -> list[str]:
        """The ids of the first `limit` runs that match."""
        chosen = select(runs.c.id).where(found_by(scope, query)).order_by(*SORTS[sort].clauses).limit(limit)
        return self._history.values(chosen)


def stacks(query: Query, sort: Sort) -> bool:
    """Whether a grid's runs are shown as one stack: only in an order by time, and not in a search with `grid:`."""
    return SORTS[sort].by_time and not query.asks_for("grid")
