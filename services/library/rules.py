"""Query → SQL: the rule for what a search finds, with bound parameters.

Words are looked up in FTS5's index of the prompts, notes and tags in indexes of the runs that have some; everything
else in an index that holds all searched columns, so that even a search that looks at every run reads no whole row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, literal_column, or_, select, true, tuple_

from services.library.query import (
    ALL,
    ANY_GRID,
    FAVOURITE,
    INBOX,
    NO_GRID,
    PROMPT,
    RUNNING,
    Condition,
    Exactly,
    Field,
    Query,
    Span,
    Term,
    Text,
)
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import projects, prompts, runs
from services.run import FINAL_STATES, RunState

LIVE = [state.value for state in RunState if state not in FINAL_STATES]


def found_by(scope: Scope, query: Query, of: FromClause = runs) -> ColumnElement[bool]:
    """The rule for runs of this scope that match and are not deleted. `of` is the runs table or an alias of it."""
    return _Rules(scope, of).all(query)


@dataclass(frozen=True)
class _Rules:
    scope: Scope
    of: FromClause

    def all(self, query: Query) -> ColumnElement[bool]:
        words = [term.any_of[0] for term in query.terms if _is_indexed_word(term)]
        terms = [self._term(term) for term in query.terms if not _is_indexed_word(term)]
        together = [self._indexed(" ".join(_quoted(word) for word in words if isinstance(word, Text)))] if words else []
        return and_(self._mine(self.of), self._in_project(query.project), *together, *terms)

    def _mine(self, of: FromClause) -> ColumnElement[bool]:
        return and_(self.scope.clause(of.c.visitor), of.c.deleted_at.is_(None))

    def _in_project(self, project: str) -> ColumnElement[bool]:
        if project == ALL:
            return true()
        return self.of.c.project_id.is_(None) if project == INBOX else self.of.c.project_id == project

    def _term(self, term: Term) -> ColumnElement[bool]:
        rule = or_(*(self._condition(term.field, condition) for condition in term.any_of))
        return func.coalesce(rule, False) == False if term.excluded else rule  # noqa: E712  # SQL: unknown is not true

    def _condition(self, field: Field, condition: Condition) -> ColumnElement[bool]:
        if isinstance(condition, Span):
            return self._span(field, condition)
        if isinstance(condition, Text):
            return self._text(condition) if field is PROMPT else self._noted(condition.words)
        return self._exactly(field, condition)

    def _exactly(self, field: Field, condition: Exactly) -> ColumnElement[bool]:
        said = str(condition.value)
        if field.kind == "size":
            return tuple_(self.of.c.width, self.of.c.height) == tuple_(*condition.value)  # type: ignore[misc]
        if field.kind == "state":
            return self._state(said)
        if field.kind == "project":
            return self._named_project(said)
        if field.kind == "tag":
            return self._tagged(said)
        if field.kind == "grid":
            grid = self.of.c.grid_id
            return {ANY_GRID: grid.is_not(None), NO_GRID: grid.is_(None)}.get(said, grid == said)
        return self._column(field) == condition.value

    def _column(self, field: Field) -> ColumnElement[Any]:
        """The field's own column. A parameter that has none yet is read from the request's JSON."""
        if _has_column(field.of):
            return self.of.c[field.of]
        return func.json_extract(self.of.c.request, f"$.{field.of}")

    def _span(self, field: Field, span: Span) -> ColumnElement[bool]:
        column = self._column(field)
        low, high = (stamp(end) if isinstance(end, datetime) else end for end in (span.low, span.high))
        rules = []
        if low is not None:
            rules.append(column > low if span.open_low else column >= low)
        if high is not None:
            rules.append(column < high if span.open_high else column <= high)
        if field.of == "cost_usd":  # what did not become a picture carries an estimate only
            rules.append(self.of.c.state == RunState.DONE.value)
        return and_(*rules)

    def _state(self, value: str) -> ColumnElement[bool]:
        if value == FAVOURITE:
            return self.of.c.favourite.is_(True)
        return self.of.c.state.in_(LIVE) if value == RUNNING else self.of.c.state == value

    # -- what its owner said of it ---------------------------------------------------------------------------------

    def _named_project(self, name: str) -> ColumnElement[bool]:
        """Names are looked up among this scope's own projects."""
        if name.casefold() == INBOX:
            return self.of.c.project_id.is_(None)
        called = func.casefold(projects.c.name) == name.casefold()
        return self.of.c.project_id.in_(
            select(projects.c.id).where(self.scope.clause(projects.c.visitor), called).correlate(None)
        )

    def _tagged(self, tag: str) -> ColumnElement[bool]:
        labelled = runs.alias("tagged")
        each = func.json_each(labelled.c.tags).table_valued("value", name="one_tag")
        chosen = select(labelled.c.seq).select_from(labelled).join(each, true())
        rule = and_(labelled.c.tags != literal_column("'[]'"), func.casefold(each.c.value) == tag.casefold())
        return self._one_of(chosen.where(self._mine(labelled), rule))

    def _noted(self, words: str) -> ColumnElement[bool]:
        labelled = runs.alias("noted")
        rule = func.instr(func.casefold(labelled.c.notes), words.casefold()) > 0
        chosen = select(labelled.c.seq).where(self._mine(labelled), labelled.c.notes != literal_column("''"), rule)
        return self._one_of(chosen)

    def _one_of(self, chosen: Select[Any]) -> ColumnElement[bool]:
        """An alias stands for the runs of some grids: "+" keeps SQLite's planner from going through all that was chosen
        to find those few."""
        seq = self.of.c.seq if self.of is runs else literal_column(f"+{self.of.name}.seq")  # type: ignore[attr-defined]
        return seq.in_(chosen.correlate(None))

    # -- words of the prompt ---------------------------------------------------------------------------------------

    def _text(self, text: Text) -> ColumnElement[bool]:
        if _is_indexed(text.words):
            return self._indexed(_quoted(text))
        return func.instr(func.json_extract(self.of.c.request, f"$.{PROMPT.of}"), text.words) > 0

    def _indexed(self, match: str) -> ColumnElement[bool]:
        return self._one_of(select(literal_column("rowid")).select_from(prompts).where(prompts.c.prompt.match(match)))


def _has_column(name: str) -> bool:
    return name in runs.c


UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese and Japanese. FTS5 takes a whole
sentence of theirs for one word."""


def _is_indexed(words: str) -> bool:
    """Whether FTS5 knows these words: letters or digits, in a script with spaces."""
    return not UNSPACED.search(words) and any(char.isalnum() for char in words)


def _is_indexed_word(term: Term) -> bool:
    """Whether FTS5 can look it up together with the other words, which is faster than one after the other."""
    [first, *others] = term.any_of
    return (
        term.field is PROMPT
        and isinstance(first, Text)
        and _is_indexed(first.words)
        and not others
        and not term.excluded
    )


def _quoted(text: Text) -> str:
    """As FTS5 wants it: a string in quotes has no operators, and a quote inside is doubled."""
    escaped = text.words.replace('"', '""')
    return f'"{escaped}"{" *" if text.prefix else ""}'
