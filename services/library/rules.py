"""Query → SQL condition for the runs that a search finds, with bound parameters.

Words are looked up in a full-text index of the prompts, notes and tags in partial indexes of the runs that have some.
Everything else is in an index that covers all searched columns: even a search over all runs reads no whole row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, or_, select, true, tuple_

from services.library.dialect import (
    caseless,
    constant,
    contains,
    hidden,
    is_indexed,
    items_of,
    json_value,
    matches,
    phrase,
)
from services.library.query import ALL, ANY_GRID, FAVOURITE, INBOX, NO_GRID, PROMPT, RUNNING, Field, Query, Term
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import projects, prompts, runs
from services.models import registry
from services.models.conditions import Condition, Pixels, Span, Text
from services.models.registry import MODELS, PARAMETERS
from services.run import FINAL_STATES, RunState

LIVE = [state.value for state in RunState if state not in FINAL_STATES]


def found_by(scope: Scope, query: Query, of: FromClause = runs) -> ColumnElement[bool]:
    """The condition for runs of `scope` that match `query` and are not deleted. `of` is `runs` or an alias of it."""
    return _Rules(scope, of).all(query)


@dataclass(frozen=True)
class _Rules:
    scope: Scope
    of: FromClause

    def all(self, query: Query) -> ColumnElement[bool]:
        words = [term.any_of[0] for term in query.terms if _is_indexed_word(term)]
        terms = [self._term(term) for term in query.terms if not _is_indexed_word(term)]
        together = [self._indexed(word for word in words if isinstance(word, Text))] if words else []
        return and_(self._mine(self.of), self._in_project(query.project), *together, *terms)

    def _mine(self, of: FromClause) -> ColumnElement[bool]:
        return and_(self.scope.clause(of.c.visitor), of.c.deleted_at.is_(None))

    def _in_project(self, project: str) -> ColumnElement[bool]:
        if project == ALL:
            return true()
        return self.of.c.project_id.is_(None) if project == INBOX else self.of.c.project_id == project

    def _term(self, term: Term) -> ColumnElement[bool]:
        rule = or_(*(self._condition(term.field, condition) for condition in term.any_of))
        return func.coalesce(rule, False) == False if term.excluded else rule  # noqa: E712  # NULL counts as no match

    def _condition(self, field: Field, condition: Condition) -> ColumnElement[bool]:
        rule = self._matches(field, condition)
        having = registry.having(field.of)
        return and_(self.of.c.model.in_(having), rule) if 0 < len(having) < len(MODELS) else rule

    def _matches(self, field: Field, condition: Condition) -> ColumnElement[bool]:
        if isinstance(condition, Span):
            return self._span(field, condition)
        if isinstance(condition, Text):
            return self._text(field, condition)
        if isinstance(condition, Pixels):
            sides = tuple_(self.of.c.width, self.of.c.height)
            return sides == tuple_(condition.width, condition.height)
        own = {
            "state": self._state,
            "project_id": self._named_project,
            "tags": self._tagged,
            "grid_id": self._of_grid,
        }.get(field.of)
        return own(str(condition.value)) if own else self._column(field) == condition.value

    def _column(self, field: Field) -> ColumnElement[Any]:
        """The field's column, or, for a parameter without one, its value in the request's JSON."""
        parameter = PARAMETERS.get(field.of)
        name = parameter.key_name if parameter else field.of
        if parameter is None or _has_column(name):
            return self.of.c[name]
        written = [json_value(self.of.c.request, each) for each in (parameter.name, *parameter.aliases)]
        recorded = registry.recorded(parameter.name)
        return func.coalesce(*written, recorded) if recorded is not None or len(written) > 1 else written[0]

    def _span(self, field: Field, span: Span) -> ColumnElement[bool]:
        column = self._column(field)
        low, high = (stamp(end) if isinstance(end, datetime) else end for end in (span.low, span.high))
        rules = []
        if low is not None:
            rules.append(column > low if span.open_low else column >= low)
        if high is not None:
            rules.append(column < high if span.open_high else column <= high)
        if field.of == "cost_usd":  # runs without a picture have only an estimate
            rules.append(self.of.c.state == RunState.DONE.value)
        return and_(*rules)

    def _state(self, value: str) -> ColumnElement[bool]:
        if value == FAVOURITE:
            return self.of.c.favourite.is_(True)
        return self.of.c.state.in_(LIVE) if value == RUNNING else self.of.c.state == value

    def _of_grid(self, value: str) -> ColumnElement[bool]:
        grid = self.of.c.grid_id
        return {ANY_GRID: grid.is_not(None), NO_GRID: grid.is_(None)}.get(value, grid == value)

    # -- project, tags and notes -----------------------------------------------------------------------------------

    def _named_project(self, name: str) -> ColumnElement[bool]:
        """Runs of the scope's project of this name (case-insensitive), or of the Inbox."""
        if name.casefold() == INBOX:
            return self.of.c.project_id.is_(None)
        called = caseless(projects.c.name) == name.casefold()
        return self.of.c.project_id.in_(
            select(projects.c.id)
            .where(self.scope.clause(projects.c.visitor), projects.c.deleted_at.is_(None), called)
            .correlate(None)
        )

    def _tagged(self, tag: str) -> ColumnElement[bool]:
        labelled = runs.alias("tagged")
        each = items_of(labelled.c.tags, "one_tag")
        chosen = select(labelled.c.seq).select_from(labelled).join(each, true())
        rule = and_(labelled.c.tags != constant("[]"), caseless(each.c.value) == tag.casefold())
        return self._one_of(chosen.where(self._mine(labelled), rule))

    def _noted(self, words: str) -> ColumnElement[bool]:
        labelled = runs.alias("noted")
        rule = contains(caseless(labelled.c.notes), words.casefold())
        chosen = select(labelled.c.seq).where(self._mine(labelled), labelled.c.notes != constant(""), rule)
        return self._one_of(chosen)

    def _one_of(self, chosen: Select[Any]) -> ColumnElement[bool]:
        """The runs whose seq is in `chosen`. If `of` is an alias, it stands for the runs of a few grids: its seq is
        hidden from the planner, which otherwise would go through all of `chosen` to find those few.
        """
        seq = self.of.c.seq if self.of is runs else hidden(self.of, "seq")
        return seq.in_(chosen.correlate(None))

    # -- words of the prompt ---------------------------------------------------------------------------------------

    def _text(self, field: Field, text: Text) -> ColumnElement[bool]:
        if field.of == "notes":
            return self._noted(text.words)
        if field is PROMPT and is_indexed(text.words):
            return self._indexed([text])
        return contains(json_value(self.of.c.request, field.of), text.words)

    def _indexed(self, texts: Iterable[Text]) -> ColumnElement[bool]:
        return self._one_of(matches(prompts, [phrase(text.words, prefix=text.prefix) for text in texts]))


def _has_column(name: str) -> bool:
    return name in runs.c


def _is_indexed_word(term: Term) -> bool:
    """Whether a term can be combined with the other words into one full-text query, which is faster than several."""
    [first, *others] = term.any_of
    return (
        term.field is PROMPT
        and isinstance(first, Text)
        and is_indexed(first.words)
        and not others
        and not term.excluded
    )
