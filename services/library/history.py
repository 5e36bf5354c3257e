"""The history of runs. Every change is committed before its caller gets the result.

All methods block for about a millisecond; async callers use the threads of `History.pools`, or the `…_soon` methods,
which do not block.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from services import failures
from services.errors import CannotWrite, NotFound, StartupError
from services.library import copies, ledger
from services.library.damage import set_aside_if_damaged
from services.library.database import open_database, our_errors, reading
from services.library.dialect import hidden, json_value, one_of, rebuild, seconds_between, truncate_log
from services.library.rows import Entry, columns_of, entry_of, row_of, stamp
from services.library.scope import Scope
from services.library.tables import counters, grids, runs
from services.library.tables import ledger as ledger_rows
from services.library.writer import Writer
from services.pools import Pools
from services.run import AT_FAL_STATES, FINAL_STATES, Run, RunState, Ticket, now

log = logging.getLogger(__name__)

T = TypeVar("T")
Among = Callable[[Connection, list[Run]], list[Run]]
"""Writes what belongs to new runs in the transaction that adds them, and returns those of them that are to be added:
not those that another press has added already."""
REMOVALS, ERASURES = "removals", "erasures"
"""Counters of what `compaction.py` has still to do: removals of rows, and erasures of all data of a visitor."""


@dataclass(frozen=True)
class Totals:
    """Number of finished pictures and their cost in US dollars (estimated where fal reported no billed units)."""

    pictures: int
    cost_usd: float


@dataclass(frozen=True)
class Copied:
    """What was ended in a history that begins from a copy."""

    cancelled: int
    """Number of runs that waited to be sent."""
    unanswered: tuple[str, ...]
    """Ids of the runs that were being sent."""


class History:
    def __init__(self, folder: Path) -> None:
        """Opens the database in `folder`. Raises StartupError."""
        self._folder = folder
        self.pools = Pools()
        """Threads for methods that block, of the history and of what stands around it."""
        self.set_aside = set_aside_if_damaged(folder / "history.sqlite3")
        self._engine = open_database(folder)
        self._mark = copies.MarkFile(folder)
        self._writer = Writer(self._engine, self._note_revision)
        self.epoch = self._read_epoch()
        """A name of this history: another one, begun anew or put in its place, has another. It begins with a letter."""
        self.copied: Copied | None = None
        """Set by `begin` where this history begins from a copy of another one, or of itself."""

    def begin(self) -> None:
        """Call it once, before any run is worked on. In a history that begins from a copy it ends the runs that would
        be sent, and gives the history a new epoch; `copied` then tells of it. Raises StartupError.
        """
        ended: list[Copied] = []
        try:
            with self._writer.alone() as connection:
                copies.begin(connection, self._mark, lambda writing: ended.append(end_what_waits(writing)))
            with reading(self._engine) as connection:
                copies.confirm(connection, self._mark)
        except (OSError, CannotWrite) as error:
            raise StartupError(
                f"The history in {self._folder} cannot be written ({getattr(error, 'reason', error)}). Make room "
                "there, close what else uses it, and start again."
            ) from error
        if ended:
            (self.copied,) = ended
            self.epoch = self._read_epoch()
            log.warning(
                "this history begins from a copy: nothing in it is sent by itself. %d waiting pictures were cancelled, "
                "%d that were being sent are shown as unanswered, and what fal accepted is followed",
                self.copied.cancelled,
                len(self.copied.unanswered),
            )

    def _note_revision(self, connection: Connection) -> Callable[[], None]:
        revision = copies.revision_of(connection)
        return lambda: self._mark.reached(revision)

    def close(self) -> None:
        self.pools.close()
        self._writer.close()
        self._mark.close()
        self._engine.dispose()

    def add(self, new: Iterable[Run]) -> list[Run]:
        """Write new runs in one transaction, and return them with their revisions."""
        return self.add_soon(new).result()

    def add_soon(self, new: Iterable[Run], among: Among | None = None) -> Future[list[Run]]:
        """`add` without blocking. With `among`, only those that it returns are written and returned."""
        asked = list(new)

        def work(connection: Connection) -> list[Run]:
            # First, for it locks out all others that add or change runs: what `among` reads stays true.
            first = _next_revision(connection, len(asked)) - len(asked) + 1
            kept = among(connection, asked) if among else asked
            added = [run.model_copy(update={"revision": first + place}) for place, run in enumerate(kept)]
            if added:
                connection.execute(insert(runs), [row_of(run) for run in added])
                ledger.enter(connection, first, first + len(added) - 1)
            return added

        return self._writer.submit(work)

    def change(self, run_id: str, /, **fields: Any) -> Run:
        """Change some fields of a run, commit, and return the new version. Raises NotFound."""
        return self.change_soon(run_id, **fields).result()

    def change_soon(self, run_id: str, /, **fields: Any) -> Future[Run]:
        """`change` without blocking: the future has its result when the change is committed."""

        def work(connection: Connection) -> Run:
            changed = _update(connection, CHANGE, fields, run_id=run_id)
            if changed is None:
                raise NotFound("picture")
            return changed

        return self._writer.submit(work)

    def change_from(self, before: RunState, run_id: str, /, **fields: Any) -> Run | None:
        """`change`, but only if the run is in the state `before`; otherwise nothing is changed and None is returned."""
        return self.change_from_soon(before, run_id, **fields).result()

    def change_from_soon(self, before: RunState, run_id: str, /, **fields: Any) -> Future[Run | None]:
        return self._writer.submit(
            lambda connection: _update(connection, CHANGE_FROM, fields, run_id=run_id, before=before.value)
        )

    def accept_soon(self, run_id: str, ticket: Ticket, note: str | None = None) -> Future[Run]:
        """Write what fal replied to a run's submit, whatever state the run is in: its request id must not be lost.

        The run becomes submitted, unless it is done or was known already to be at fal. Raises NotFound.
        """
        fields = {"state": RunState.SUBMITTED, "ticket": ticket, "failure": None, "finished_at": None, "note": note}

        def work(connection: Connection) -> Run:
            of = {"run_id": run_id}
            accepted = _update(connection, ACCEPT, fields, **of) or _update(connection, CHANGE, {}, **of)
            if accepted is None:
                raise NotFound("picture")
            return accepted

        return self._writer.submit(work)

    def begin_soon(self, run_id: str, moment: datetime) -> Future[Run | None]:
        """Move a run from pending to submitting; None and no change if it is not pending, or if its grid is paused."""
        fields = {"state": RunState.SUBMITTING, "submitted_at": moment, "note": None}
        return self._writer.submit(
            lambda connection: _update(connection, BEGIN, fields, run_id=run_id, before=RunState.PENDING.value)
        )

    def change_all(self, rule: ColumnElement[bool], /, **fields: Any) -> list[str]:
        """Change some fields of all runs that `rule` selects, in one transaction. Returns their ids."""
        return self._writer.submit(lambda connection: change_all(connection, rule, **fields)).result()

    def write_soon(self, work: Callable[[Connection], T]) -> Future[T]:
        """Run `work` in a transaction, after the changes that wait already. It may run twice: see Writer.submit."""
        return self._writer.submit(work)

    def rebuild(self) -> None:
        """Write the whole file anew, without anything of removed rows. Other changes wait: 1 s with 100,000 runs."""
        with self._writer.turn(), our_errors():
            rebuild(self._engine)

    def truncate_log(self) -> bool:
        """Move the write-ahead log into the file, and empty it. False if another connection is using it."""
        return truncate_log(self._engine)

    def get(self, run_id: str, scope: Scope) -> Run:
        """One run; also a deleted one until it is purged. Raises NotFound."""
        found = self.rows(select(runs).where(runs.c.id == run_id, scope.clause()))
        if not found:
            raise NotFound("picture")
        return found[0].run

    def changed_since(self, scope: Scope, revision: int, *, limit: int = 200) -> list[Entry]:
        """Runs changed after `revision`, including deleted ones, in the order of their newest changes."""
        # Hidden from the planner: with the index of visitors, it would read all runs of the visitor to find a few.
        mine = scope.clause(hidden(runs, "visitor"))
        query = select(runs).where(mine, runs.c.revision > revision)
        return self.rows(query.order_by(runs.c.revision).limit(limit))

    def _read_epoch(self) -> str:
        with reading(self._engine) as connection:
            return f"h{connection.execute(select(counters.c.value).where(counters.c.name == 'epoch')).scalar_one():x}"

    def revision(self) -> int:
        """The number of the newest change of any run."""
        with reading(self._engine) as connection:
            return connection.execute(select(counters.c.value).where(counters.c.name == "revision")).scalar_one()

    def unfinished(self) -> list[Run]:
        """Runs that have not ended, oldest first. At the start: those that were under way when the server stopped."""
        final = [state.value for state in FINAL_STATES]
        return [entry.run for entry in self.rows(select(runs).where(runs.c.state.not_in(final)).order_by(runs.c.seq))]

    def waiting_for_key(self, visitor: str) -> list[Run]:
        """Unfinished runs that need this visitor's own key to go on, oldest first. Unanswered submits are excluded."""
        states = [state.value for state in (RunState.PENDING, *AT_FAL_STATES)]
        query = select(runs).where(runs.c.visitor == visitor, runs.c.key_of == "visitor", runs.c.state.in_(states))
        return [entry.run for entry in self.rows(query.order_by(runs.c.seq))]

    def many(self, ids: Iterable[str], scope: Scope) -> dict[str, Run]:
        """Id → run, for those of the ids that are in the scope, including deleted ones until they are purged."""
        query = select(runs).where(scope.clause(), runs.c.id.in_(one_of(ids)))
        return {entry.run.id: entry.run for entry in self.rows(query)}

    def present(self, ids: Iterable[str], scope: Scope) -> set[str]:
        """Those of the ids that are in the scope and not deleted."""
        query = select(runs.c.id).where(scope.clause(), runs.c.id.in_(one_of(ids)), runs.c.deleted_at.is_(None))
        return set(self.values(query))

    def of_grid(self, grid_id: str, state: RunState | None = None) -> list[Run]:
        """The runs that a grid made, oldest first; with `state`, only those in that state."""
        rule = (
            runs.c.grid_id == grid_id if state is None else (runs.c.grid_id == grid_id) & (runs.c.state == state.value)
        )
        return [entry.run for entry in self.rows(select(runs).where(rule).order_by(runs.c.seq))]

    def made(self, scope: Scope, engine: str, keys: Iterable[str]) -> dict[str, str]:
        """Key of a request → the id of the newest finished picture of exactly that request, for those that have one."""
        query = select(runs.c.key, runs.c.id).where(
            runs.c.key.in_(one_of(keys)),
            scope.clause(hidden(runs, "visitor")),
            hidden(runs, "deleted_at").is_(None),
            runs.c.original_removed_at.is_(None),
            runs.c.state == RunState.DONE.value,
            runs.c.engine == engine,
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(runs.c.seq)).all()
        return dict(rows)

    def lately(self, engine: str, key_of: str, visitor: str | None, limit: int) -> list[Run]:
        """The last `limit` runs of one key that made a picture, newest first."""
        mine = runs.c.visitor == visitor if key_of == "visitor" else true()
        rules = (runs.c.engine == engine, runs.c.key_of == key_of, runs.c.state == RunState.DONE.value, mine)
        return [entry.run for entry in self.rows(select(runs).where(*rules).order_by(runs.c.seq.desc()).limit(limit))]

    def media_run(self, name: str) -> Run | None:
        """The run whose original is called `name`."""
        found = self.rows(select(runs).where(runs.c.media_name == name))
        return found[0].run if found else None

    def count(self, scope: Scope) -> int:
        query = select(func.count()).select_from(runs).where(scope.clause(), runs.c.deleted_at.is_(None))
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one()

    def owners_waiting(self) -> int:
        """Number of unfinished runs that the owner pays for."""
        live = runs.c.state.not_in([state.value for state in FINAL_STATES])
        (count,) = self.values(select(func.count()).where(runs.c.key_of == "owner", live))
        return int(count)

    def owners_asked_since(self, visitor: str | None, since: datetime) -> int:
        """Number of runs that the owner pays for and a visitor asked for after `since`, including those that are gone.
        `visitor` None: all callers without a token together.
        """
        mine = ledger_rows.c.visitor == visitor if visitor else ledger_rows.c.visitor.is_(None)
        rules = (mine, ledger_rows.c.key_of == "owner", ledger_rows.c.created_at > stamp(since))
        (count,) = self.values(select(func.count()).where(*rules))
        return int(count)

    def submitting_ids(self) -> set[str]:
        """Ids of the runs whose submit has no answer yet."""
        return set(self.values(select(runs.c.id).where(runs.c.state == RunState.SUBMITTING.value)))

    def has_request_id(self, request_id: str) -> bool:
        """Whether any run has a ticket with this request id of fal's."""
        known = select(runs.c.id).where(json_value(runs.c.ticket, "request_id") == request_id)
        return bool(self.values(known))

    def totals(self, scope: Scope, since: datetime) -> Totals:
        """Totals of the pictures that were asked for since `since`, including those that are gone."""
        return self._totals(scope.clause(ledger_rows.c.visitor), since, ledger.MADE)

    def owners_spending(self, since: datetime, visitor: str | None = None, *, everyone: bool = False) -> float:
        """US dollars charged to the owner's key for runs asked for since `since`, including unfinished runs, unanswered
        submits and runs that are gone. `visitor` None: of all callers without a token; `everyone`: of all.
        """
        whose = ledger_rows.c.visitor
        mine = true() if everyone else whose == visitor if visitor else whose.is_(None)
        paid = mine & (ledger_rows.c.key_of == "owner")
        return self._totals(paid, since, ledger.MADE, ledger.OPEN, ledger.CHARGED).cost_usd

    def _totals(self, rule: ColumnElement[bool], since: datetime, *statuses: str) -> Totals:
        cost = func.coalesce(func.sum(ledger_rows.c.cost_usd), 0.0)
        rules = (rule, ledger_rows.c.status.in_(statuses), ledger_rows.c.created_at >= stamp(since))
        with reading(self._engine) as connection:
            pictures, usd = connection.execute(select(func.count(), cost).where(*rules)).one()
        return Totals(pictures, round(usd, 6))

    def purge(self, deleted_before: datetime) -> list[Run]:
        """Remove ended runs that were deleted before `deleted_before`, and return them so that the caller can delete
        their files.
        """
        return self.forget(runs.c.deleted_at < stamp(deleted_before))

    def forget(self, rule: ColumnElement[bool], *, even_unfinished: bool = False) -> list[Run]:
        """Remove the ended runs that `rule` selects permanently, and return them."""
        return self._writer.submit(
            lambda connection: forget(connection, rule, even_unfinished=even_unfinished)
        ).result()

    def rows(self, query: Select[Any]) -> list[Entry]:
        """The runs of a query that selects whole rows of `runs`."""
        with reading(self._engine) as connection:
            return [entry_of(row) for row in connection.execute(query)]

    def values(self, query: Select[Any]) -> list[Any]:
        """The first column of a query's rows."""
        with reading(self._engine) as connection:
            return list(connection.execute(query).scalars())

    def table(self, query: Select[Any]) -> list[Any]:
        """A query's rows as tuples."""
        with reading(self._engine) as connection:
            return list(connection.execute(query))

    def records(self, query: Select[Any]) -> list[RowMapping]:
        """A query's rows as mappings of column name → value."""
        with reading(self._engine) as connection:
            return list(connection.execute(query).mappings())

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction over several tables; other writers wait. It is rolled back if the block raises."""
        with self._writer.alone() as connection:
            yield connection


def change_all(connection: Connection, rule: ColumnElement[bool], /, **fields: Any) -> list[str]:
    """`History.change_all` as part of a larger transaction."""
    chosen = select(runs.c.seq, func.row_number().over(order_by=runs.c.seq).label("place")).where(rule).subquery()
    count = connection.execute(select(func.count()).select_from(chosen)).scalar_one()
    before = _next_revision(connection, count) - count
    values = {**columns_of(fields), "revision": before + chosen.c.place}
    change = update(runs).where(runs.c.seq == chosen.c.seq).values(values)
    changed = list(connection.execute(change.returning(runs.c.id)).scalars())
    ledger.follow(connection, fields, before + 1, before + count)
    return changed


def forget(connection: Connection, rule: ColumnElement[bool], *, even_unfinished: bool = False) -> list[Run]:
    """`History.forget` as part of a larger transaction."""
    if not even_unfinished:
        rule &= runs.c.state.in_([state.value for state in FINAL_STATES])
    gone = [entry_of(row).run for row in connection.execute(select(runs).where(rule))]
    connection.execute(runs.delete().where(rule))
    ledger.let_go(connection, [run.id for run in gone])
    if gone:
        count_up(connection, REMOVALS)
    return gone


def count_up(connection: Connection, counter: str, by: int = 1) -> None:
    connection.execute(update(counters).where(counters.c.name == counter).values(value=counters.c.value + by))


def end_what_waits(connection: Connection) -> Copied:
    """End what the history would send: it may have been sent by the history that it was copied from. What fal accepted
    stays under way.
    """
    moment = now()
    waits, sent = (runs.c.state == state.value for state in (RunState.PENDING, RunState.SUBMITTING))
    stood = {"state": RunState.CANCELLED, "note": failures.STOOD_IN_A_COPY, "finished_at": moment}
    cancelled = change_all(connection, waits, **stood)
    lost = {"state": RunState.UNKNOWN, "failure": failures.copied_while_submitting(), "note": None}
    unanswered = list(connection.execute(select(runs.c.id).where(sent).order_by(runs.c.seq)).scalars())
    for run_id in unanswered:
        _update(connection, CHANGE, {**lost, "finished_at": moment}, run_id=run_id)
    return Copied(len(cancelled), tuple(unanswered))


# Constant statements, so that SQLAlchemy compiles each of them only once. A run changes about ten times while it is
# made, and many are made at once; building a statement anew would take more than half of the time of a change.
_ONE = runs.c.id == bindparam("run_id")
_IN_STATE = _ONE & (runs.c.state == bindparam("before"))
_PAUSED = select(grids.c.id).where(grids.c.paused.is_(True))
CHANGE = update(runs).where(_ONE).returning(runs)
CHANGE_FROM = update(runs).where(_IN_STATE).returning(runs)
_NOT_KNOWN_THERE = runs.c.ticket.is_(None) | runs.c.state.not_in([state.value for state in AT_FAL_STATES])
ACCEPT = update(runs).where(_ONE, runs.c.state != RunState.DONE.value, _NOT_KNOWN_THERE).returning(runs)
BEGIN = update(runs).where(_IN_STATE, runs.c.grid_id.is_(None) | runs.c.grid_id.not_in(_PAUSED)).returning(runs)
_SECONDS = seconds_between(runs.c.submitted_at, bindparam("ended"))
_TAKE_REVISIONS = (
    update(counters)
    .where(counters.c.name == "revision")
    .values(value=counters.c.value + bindparam("count"))
    .returning(counters.c.value)
)


def _update(connection: Connection, statement: ReturningUpdate[Any], fields: dict[str, Any], **of: str) -> Run | None:
    """Change the run that `statement` selects with the bound parameters `of`; None if it selects none."""
    revision = _next_revision(connection)
    values = {**columns_of(fields), "revision": revision}
    if "finished_at" in fields:
        statement, of = statement.values(seconds=_SECONDS), {**of, "ended": values["finished_at"]}
    found = connection.execute(statement, {**values, **of}).first()
    if found is None:
        return None
    ledger.follow(connection, fields, revision, revision, fields.get("state"))
    return entry_of(found).run


def _next_revision(connection: Connection, count: int = 1) -> int:
    """Reserve `count` revisions and return the last of them."""
    return connection.execute(_TAKE_REVISIONS, {"count": count}).scalar_one()
