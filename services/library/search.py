"""Find runs: a Query becomes SQL with bound parameters, and a page of the history is read by keyset.

Words are looked up in FTS5's index of the prompts; everything else in an index that holds all searched columns, so
that even a search that looks at every run reads no whole row but those it shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select, tuple_
from sqlalchemy.sql.elements import UnaryExpression

from services.library.history import Entry, History, Scope, stamp
from services.library.query import FAVOURITE, PROMPT, RUNNING, Condition, Field, Query, Span, Term, Text
from services.library.tables import prompts, runs
from services.run import FINAL_STATES, RunState

Sort = Literal["newest", "oldest", "longest", "steps", "guidance", "seed"]

LIVE = [state.value for state in RunState if state not in FINAL_STATES]


@dataclass(frozen=True)
class _Order:
    column: ColumnElement[Any]
    falling: bool

    @property
    def clauses(self) -> tuple[UnaryExpression[Any], ...]:
        """Of runs that are alike, the newest comes first; but oldest first goes on in the order of asking."""
        if self.column is runs.c.seq:
            return (runs.c.seq.desc() if self.falling else runs.c.seq.asc(),)
        return (self.column.desc() if self.falling else self.column.asc(), runs.c.seq.desc())

    def after(self, seq: int) -> ColumnElement[bool]:
        """What comes after that run, which may have been deleted since."""
        if self.column is runs.c.seq:
            return runs.c.seq < seq if self.falling else runs.c.seq > seq
        value = select(self.column).where(runs.c.seq == seq).scalar_subquery()
        if self.falling:
            return tuple_(self.column, runs.c.seq) < tuple_(value, seq)
        return or_(self.column > value, and_(self.column == value, runs.c.seq < seq))


SORTS: dict[Sort, _Order] = {
    "newest": _Order(runs.c.seq, falling=True),
    "oldest": _Order(runs.c.seq, falling=False),
    "longest": _Order(func.coalesce(runs.c.seconds, -1), falling=True),
    "steps": _Order(runs.c.num_inference_steps, falling=True),
    "guidance": _Order(runs.c.guidance_scale, falling=True),
    "seed": _Order(func.coalesce(runs.c.seed, -1), falling=False),
}


class Search:
    """Methods block for some milliseconds; async callers use `asyncio.to_thread`. Deleted runs are never found."""

    def __init__(self, history: History) -> None:
        self._history = history

    def page(
        self, scope: Scope, query: Query, sort: Sort = "newest", *, limit: int, after: int | None = None, skip: int = 0
    ) -> list[Entry]:
        """The first `limit` runs that match, or those that follow the run of seq `after`."""
        order, rule = SORTS[sort], found_by(scope, query)
        if after is not None:
            rule = and_(rule, order.after(after))
        chosen = select(runs.c.seq).where(rule).order_by(*order.clauses).limit(limit).offset(skip)
        return self._history.rows(select(runs).where(runs.c.seq.in_(chosen)).order_by(*order.clauses))

    def count(self, scope: Scope, query: Query, *, newer_than: int = 0) -> int:
        """How many match; with `newer_than`, of those whose seq is above it."""
        rule = found_by(scope, query)
        if newer_than:
            rule = and_(rule, runs.c.seq > newer_than)
        (count,) = self._history.values(select(func.count()).select_from(runs).where(rule))
        return int(count)


# -- Query → SQL -------------------------------------------------------------------------------------------------------


def found_by(scope: Scope, query: Query) -> ColumnElement[bool]:
    """The rule for runs of this scope that match and are not deleted."""
    words = [term.any_of[0] for term in query.terms if _is_indexed_word(term)]
    terms = [_term(term) for term in query.terms if not _is_indexed_word(term)]
    together = [_in_index(" ".join(_quoted(word) for word in words if isinstance(word, Text)))] if words else []
    return and_(scope.clause(), runs.c.deleted_at.is_(None), *together, *terms)


def _is_indexed_word(term: Term) -> bool:
    """Whether FTS5 can look it up together with the other words, which is faster than one after the other."""
    [first, *others] = term.any_of
    return isinstance(first, Text) and _is_indexed(first.words) and not others and not term.excluded


def _term(term: Term) -> ColumnElement[bool]:
    rule = or_(*(_condition(term.field, condition) for condition in term.any_of))
    return func.coalesce(rule, False) == False if term.excluded else rule  # noqa: E712  # SQL, where unknown is not true


def _condition(field: Field, condition: Condition) -> ColumnElement[bool]:
    if isinstance(condition, Text):
        return _text(condition)
    if isinstance(condition, Span):
        return _span(field, condition)
    if field.kind == "size":
        return tuple_(runs.c.width, runs.c.height) == tuple_(*condition.value)  # type: ignore[misc]
    if field.kind == "state":
        return _state(str(condition.value))
    return _column(field) == condition.value


def _column(field: Field) -> ColumnElement[Any]:
    """The field's own column. A parameter that has none yet is read from the request's JSON."""
    return runs.c[field.of] if _has_column(field.of) else func.json_extract(runs.c.request, f"$.{field.of}")


def _has_column(name: str) -> bool:
    return name in runs.c


def _span(field: Field, span: Span) -> ColumnElement[bool]:
    column = _column(field)
    low, high = (stamp(end) if isinstance(end, datetime) else end for end in (span.low, span.high))
    rules = []
    if low is not None:
        rules.append(column > low if span.open_low else column >= low)
    if high is not None:
        rules.append(column < high if span.open_high else column <= high)
    if field.of == "cost_usd":  # what did not become a picture carries an estimate only
        rules.append(runs.c.state == RunState.DONE.value)
    return and_(*rules)


def _state(value: str) -> ColumnElement[bool]:
    if value == FAVOURITE:
        return runs.c.favourite.is_(True)
    return runs.c.state.in_(LIVE) if value == RUNNING else runs.c.state == value


# -- words -------------------------------------------------------------------------------------------------------------

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese. FTS5 takes a whole
sentence of theirs for one word."""


def _is_indexed(words: str) -> bool:
    """Whether FTS5 knows these words: letters or digits, in a script with spaces."""
    return not UNSPACED.search(words) and any(char.isalnum() for char in words)


def _text(text: Text) -> ColumnElement[bool]:
    if _is_indexed(text.words):
        return _in_index(_quoted(text))
    return func.instr(func.json_extract(runs.c.request, f"$.{PROMPT.of}"), text.words) > 0


def _quoted(text: Text) -> str:
    """As FTS5 wants it: a string in quotes has no operators, and a quote inside is doubled."""
    escaped = text.words.replace('"', '""')
    return f'"{escaped}"{" *" if text.prefix else ""}'


def _in_index(match: str) -> ColumnElement[bool]:
    return runs.c.seq.in_(select(literal_column("rowid")).select_from(prompts).where(prompts.c.prompt.match(match)))
