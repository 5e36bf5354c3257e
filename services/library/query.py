"""Parser of the search box's language: text → frozen Query. Pure functions; `rules.py` turns a Query into SQL.

    red fox "at dusk" -cat           words and phrases in the prompt; the last word may be unfinished
    steps:>30 guidance:3-5 seed:42   a parameter by its short name: a value, a bound or a range
    is:favourite engine:fal|demo     state and engine; `|` separates alternatives
    project:"Slow Travel" tag:poster project, tags and notes
    -format:png                      `-` excludes

Every parameter of a model is a field here automatically, under its short name and parsed by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone, tzinfo
from typing import get_args

from services.errors import FieldIssue, InvalidRequest
from services.models import registry
from services.models.conditions import Condition, Exactly, Span, Text, Unreadable
from services.models.kind import Parameter
from services.models.kinds.choice import CHOICE
from services.models.kinds.numbers import span_of
from services.models.registry import PARAMETERS
from services.run import FINAL_STATES, Engine, RunState

MAX_TERMS = 100
FAVOURITE, RUNNING = "favourite", "running"
ALL, INBOX = "all", "inbox"
"""Values for `Query.project`: all projects, and runs without a project."""
ANY_GRID, NO_GRID = "any", "none"


@dataclass(frozen=True)
class Field:
    name: str
    """The name before the colon."""
    of: str
    """The parameter, or the field of Run, that it searches: state, engine, created_at, cost_usd, seconds, …"""
    read: Callable[[str, Field, tzinfo], Condition]
    """Parses what follows the colon. Raises Unreadable."""
    help: str
    examples: tuple[str, ...]
    """Example values for messages and suggestions."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Term:
    field: Field
    any_of: tuple[Condition, ...]
    excluded: bool = False


@dataclass(frozen=True)
class Query:
    """A run matches if all terms match. A Query without terms matches every run."""

    terms: tuple[Term, ...] = ()
    project: str = ALL
    """The project to search: an id, INBOX or ALL."""

    def within(self, project: str) -> Query:
        """This search limited to one project; unchanged if it has a `project:` term."""
        return self if self.asks_for("project") else replace(self, project=project)

    def asks_for(self, name: str) -> bool:
        """Whether any term searches the field `name`."""
        return any(term.field.name == name for term in self.terms)


# -- the fields --------------------------------------------------------------------------------------------------------


def _of_parameter(parameter: Parameter) -> Field:
    """The search field of a parameter, derived from its kind."""
    kind = parameter.kind
    choices = tuple(dict.fromkeys((*parameter.choices, *registry.former_values(parameter))))

    def read(text: str, field: Field, _zone: tzinfo) -> Condition:
        return kind.condition(text, field.choices)

    return Field(parameter.short, parameter.name, read, parameter.label, kind.examples(parameter), choices)


# -- what is typed after the colon, for the fields that are no parameters ----------------------------------------------


def _number(text: str, _field: Field, _zone: tzinfo) -> Span:
    return span_of(text)


def _choice(text: str, field: Field, _zone: tzinfo) -> Condition:
    return CHOICE.condition(text, field.choices)


def _state(text: str, field: Field, zone: tzinfo) -> Condition:
    return _choice({"favorite": FAVOURITE}.get(text.lower(), text), field, zone)


def _after(text: str, _field: Field, zone: tzinfo) -> Span:
    return Span(low=_midnight(text, zone))


def _before(text: str, _field: Field, zone: tzinfo) -> Span:
    return Span(high=_midnight(text, zone), open_high=True)


def _name(text: str, _field: Field, _zone: tzinfo) -> Exactly:
    if not text:
        raise Unreadable("a name")
    return Exactly(text)


def _notes(text: str, _field: Field, _zone: tzinfo) -> Text:
    if not text:
        raise Unreadable("a word")
    return Text(text)


GRID_ID = re.compile("[0-9a-f]{32}")


def _grid(text: str, _field: Field, _zone: tzinfo) -> Exactly:
    if text.lower() not in (ANY_GRID, NO_GRID) and not GRID_ID.fullmatch(text.lower()):
        raise Unreadable("a grid")
    return Exactly(text.lower())


DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)


def _midnight(text: str, zone: tzinfo) -> datetime:
    try:
        if not DAY.fullmatch(text):
            raise ValueError(text)
        day = date(*map(int, text.split("-")))
        moment = datetime(day.year, day.month, day.day, tzinfo=zone)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # no such day, or its midnight in UTC is outside the range of datetime
        raise Unreadable("a day") from None


STATES = (FAVOURITE, RUNNING, *(state.value for state in RunState if state in FINAL_STATES))
OTHERS = (
    Field("is", "state", _state, "Favourites, or how it ended", STATES, STATES),
    Field("engine", "engine", _choice, "Who made it", get_args(Engine), get_args(Engine)),
    Field("after", "created_at", _after, "Made on that day or later", ("2026-01-31",)),
    Field("before", "created_at", _before, "Made before that day", ("2026-01-31",)),
    Field("cost", "cost_usd", _number, "US dollars of a finished picture", (">0.05", "0.02-0.1")),
    Field("took", "seconds", _number, "Seconds from sending to the picture", (">10", "2-5")),
    Field("project", "project_id", _name, "A project's name", (INBOX, '"Slow Travel"')),
    Field("tag", "tags", _name, "A tag that it was given", ("poster",)),
    Field("notes", "notes", _notes, "Words of the notes, as they stand there", ("client", '"for client"')),
    Field("grid", "grid_id", _grid, "Made by a grid, by none, or by the one of that id", (ANY_GRID, NO_GRID)),
)
FIELDS: dict[str, Field] = {
    field.name: field for field in (*(_of_parameter(parameter) for parameter in PARAMETERS.values()), *OTHERS)
}
"""Name in the search box → Field: the parameters in the model's order, then OTHERS."""
PROMPT = next(field for field in FIELDS.values() if field.of == "prompt")


# -- reading -----------------------------------------------------------------------------------------------------------

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that no prompt contains and that the database does not accept as a parameter."""
QUOTES = '"“”'
QUOTED = '["“”][^"“”]*["“”]?'  # phones type “these”; a phrase without a closing quote extends to the end
PIECE = rf"(?:{QUOTED}|[^\s|{QUOTES}]+)"
ALTERNATIVES = rf"(?(name){PIECE}(?:\|{PIECE})+|(?!))"  # alternatives, each may be quoted; only after a field name
TERM = re.compile(rf"(?P<minus>-?)(?:(?P<name>[^\W\d_]\w*):)?(?P<value>{ALTERNATIVES}|{QUOTED}|\S*)")


def parse(text: str, zone: tzinfo = timezone.utc) -> Query:
    """Parse a search; days begin at midnight in `zone`. Raises InvalidRequest with a message that names the term."""
    text = UNSTORABLE.sub(" ", text)
    found = [match for match in TERM.finditer(text) if match[0].strip("-")]
    if len(found) > MAX_TERMS:
        raise _fault(f"These are {len(found)} terms, and {MAX_TERMS} is the limit. Put a long passage in quotes.")
    terms = [_term(match, zone, is_last=match.end() == len(text)) for match in found]
    return Query(tuple(term for term in terms if term))


def _term(match: re.Match[str], zone: tzinfo, *, is_last: bool) -> Term | None:
    name, value, excluded = match["name"], match["value"], bool(match["minus"])
    field = FIELDS.get(name.lower()) if name else PROMPT
    if field is None and value:
        known = ", ".join(FIELDS)
        shown = match[0][:40].replace('"', "")
        raise _fault(f'There is no field “{name[:40]}”. Fields are {known}. For the text itself, quote it: "{shown}".')
    if field is None:  # a word that happens to end in a colon
        field, value = PROMPT, f"{name}:"
    if field is PROMPT:
        words = value.strip(QUOTES).strip()
        unfinished = is_last and not excluded and value[-1:] not in QUOTES
        return Term(field, (Text(words, prefix=unfinished),), excluded) if words else None
    values = [one.strip().strip(QUOTES).strip() for one in value.split("|")]
    return Term(field, tuple(_condition(field, one, zone) for one in values), excluded)


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field="query", message=message),))


def _condition(field: Field, text: str, zone: tzinfo) -> Condition:
    try:
        return field.read(text, field, zone)
    except Unreadable as error:
        ways = [f"{field.name}:{example}" for example in dict.fromkeys((*field.examples, *field.choices))]
        shown = f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
        said = f"{field.name}: {shown} is not {error}" if text else f"{field.name}: the value is missing"
        listed = " or ".join([", ".join(ways[:-1]), ways[-1]] if ways[:-1] else ways)
        raise _fault(f"{said}. Write {listed}.") from error
