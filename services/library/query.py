"""Parser of the search box's language: text → frozen Query. Pure functions; `rules.py` turns a Query into SQL.

    red fox "at dusk" -cat           words and phrases in the prompt; the last word may be unfinished
    steps:>30 guidance:3-5 seed:42   a parameter by its short name: a value, a bound or a range
    is:favourite engine:fal|demo     state and engine; `|` separates alternatives
    project:"Slow Travel" tag:poster project, tags and notes
    -format:png                      `-` excludes

Every parameter of GenerationRequest is a field here automatically, under its short name and parsed by its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone, tzinfo
from typing import get_args

from services import keys
from services.errors import FieldIssue, InvalidRequest
from services.request import PARAMETERS, PRESET_PIXELS, Kind, Parameter
from services.run import FINAL_STATES, Engine, RunState

MAX_TERMS = 100
FAVOURITE, RUNNING = "favourite", "running"
ALL, INBOX = "all", "inbox"
"""Values for `Query.project`: all projects, and runs without a project."""
ANY_GRID, NO_GRID = "any", "none"


@dataclass(frozen=True)
class Text:
    """Consecutive words of a prompt or of notes. With `prefix`, the last one may be only the beginning of a word."""

    words: str
    prefix: bool = False


@dataclass(frozen=True)
class Span:
    """From `low` to `high`; None is unbounded. A bound is included unless `open_low` or `open_high` is set."""

    low: float | datetime | None = None
    high: float | datetime | None = None
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True)
class Exactly:
    """One value: a choice, on or off, a state, a name, or (width, height) in pixels."""

    value: str | bool | tuple[int, int]


Condition = Text | Span | Exactly


@dataclass(frozen=True)
class Field:
    name: str
    """The name before the colon."""
    of: str
    """The field of GenerationRequest or Run that it searches: state, engine, created_at, cost_usd, seconds, …"""
    kind: Kind | str
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
    middle = f"{parameter.default:g}" if parameter.kind == "slider" else "42"
    low, high = f"{parameter.minimum or 0:g}", f"{parameter.maximum or 0:g}"
    examples: dict[Kind, tuple[str, ...]] = {
        "text": ("fox",),
        "slider": (f">{middle}", f"{low}-{middle}", high),
        "integer": (middle,),
        "switch": ("on", "off"),
        "choice": parameter.choices,
        "size": ("1024x768", "square_hd"),
    }
    found = examples[parameter.kind]
    choices = dict.fromkeys((*parameter.choices, *keys.VALUES.get(parameter.key_name, ())))
    return Field(parameter.short, parameter.name, parameter.kind, parameter.label, found, tuple(choices))


STATES = (FAVOURITE, RUNNING, *(state.value for state in RunState if state in FINAL_STATES))
OTHERS = (
    Field("is", "state", "state", "Favourites, or how it ended", STATES, STATES),
    Field("engine", "engine", "choice", "Who made it", get_args(Engine), get_args(Engine)),
    Field("after", "created_at", "after", "Made on that day or later", ("2026-01-31",)),
    Field("before", "created_at", "before", "Made before that day", ("2026-01-31",)),
    Field("cost", "cost_usd", "number", "US dollars of a finished picture", (">0.05", "0.02-0.1")),
    Field("took", "seconds", "number", "Seconds from sending to the picture", (">10", "2-5")),
    Field("project", "project_id", "project", "A project's name", (INBOX, '"Slow Travel"')),
    Field("tag", "tags", "tag", "A tag that it was given", ("poster",)),
    Field("notes", "notes", "notes", "Words of the notes, as they stand there", ("client", '"for client"')),
    Field("grid", "grid_id", "grid", "Made by a grid, by none, or by the one of that id", (ANY_GRID, NO_GRID)),
)
FIELDS: dict[str, Field] = {
    field.name: field for field in (*(_of_parameter(parameter) for parameter in PARAMETERS.values()), *OTHERS)
}
"""Name in the search box → Field: the parameters in the model's order, then OTHERS."""
PROMPT = next(field for field in FIELDS.values() if field.kind == "text")


# -- reading -----------------------------------------------------------------------------------------------------------

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Characters that no prompt contains and that the database does not accept as a parameter."""
QUOTES = '"“”'
QUOTED = '["“”][^"“”]*["“”]?'  # phones type “these”; a phrase without a closing quote extends to the end
PIECE = rf"(?:{QUOTED}|[^\s|{QUOTES}]+)"
CHOICE = rf"(?(name){PIECE}(?:\|{PIECE})+|(?!))"  # alternatives, each may be quoted; only after a field name
TERM = re.compile(rf"(?P<minus>-?)(?:(?P<name>[^\W\d_]\w*):)?(?P<value>{CHOICE}|{QUOTED}|\S*)")


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
    return Term(field, tuple(_READ[field.kind](field, one, zone) for one in values), excluded)


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field="query", message=message),))


def _unreadable(field: Field, text: str, what: str) -> InvalidRequest:
    ways = [f"{field.name}:{example}" for example in dict.fromkeys((*field.examples, *field.choices))]
    shown = f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
    said = f"{field.name}: {shown} is not {what}" if text else f"{field.name}: the value is missing"
    return _fault(f"{said}. Write {' or '.join([', '.join(ways[:-1]), ways[-1]] if ways[:-1] else ways)}.")


NUMBER = r"\$?((?:\d+\.?\d*|\.\d+))"
BOUND = re.compile(rf"(>=|<=|>|<|=|)\s*{NUMBER}", re.ASCII)
RANGE = re.compile(rf"{NUMBER}\s*(?:-|–|\.\.)\s*{NUMBER}", re.ASCII)


def _number(field: Field, text: str, _zone: tzinfo) -> Span:
    if both := RANGE.fullmatch(text):
        low, high = sorted(map(float, both.groups()))
        return Span(low, high)
    if not (one := BOUND.fullmatch(text)):
        raise _unreadable(field, text, "a number")
    bound, value = one[1], float(one[2])
    if bound.startswith(">"):
        return Span(low=value, open_low=bound == ">")
    if bound.startswith("<"):
        return Span(high=value, open_high=bound == "<")
    return Span(value, value)


def _switch(field: Field, text: str, _zone: tzinfo) -> Exactly:
    said = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}.get(text.lower())
    if said is None:
        raise _unreadable(field, text, "on or off")
    return Exactly(said)


def _choice(field: Field, text: str, _zone: tzinfo) -> Exactly:
    if text.lower() not in field.choices:
        raise _unreadable(field, text, "one of its values")
    return Exactly(text.lower())


def _state(field: Field, text: str, zone: tzinfo) -> Exactly:
    return _choice(field, {"favorite": FAVOURITE}.get(text.lower(), text), zone)


SIZE = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})", re.ASCII | re.IGNORECASE)


def _size(field: Field, text: str, _zone: tzinfo) -> Exactly:
    """A preset stands for its pixels: it also finds runs with the same custom size."""
    if sides := SIZE.fullmatch(text):
        return Exactly((int(sides[1]), int(sides[2])))
    if text.lower() not in PRESET_PIXELS:
        raise _unreadable(field, text, "a size")
    return Exactly(PRESET_PIXELS[text.lower()])


def _after(field: Field, text: str, zone: tzinfo) -> Span:
    return Span(low=_midnight(field, text, zone))


def _before(field: Field, text: str, zone: tzinfo) -> Span:
    return Span(high=_midnight(field, text, zone), open_high=True)


def _name(field: Field, text: str, _zone: tzinfo) -> Exactly:
    if not text:
        raise _unreadable(field, text, "a name")
    return Exactly(text)


def _notes(field: Field, text: str, _zone: tzinfo) -> Text:
    if not text:
        raise _unreadable(field, text, "a word")
    return Text(text)


GRID_ID = re.compile("[0-9a-f]{32}")


def _grid(field: Field, text: str, _zone: tzinfo) -> Exactly:
    if text.lower() not in (ANY_GRID, NO_GRID) and not GRID_ID.fullmatch(text.lower()):
        raise _unreadable(field, text, "a grid")
    return Exactly(text.lower())


DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)


def _midnight(field: Field, text: str, zone: tzinfo) -> datetime:
    try:
        if not DAY.fullmatch(text):
            raise ValueError(text)
        day = date(*map(int, text.split("-")))
        moment = datetime(day.year, day.month, day.day, tzinfo=zone)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # no such day, or its midnight in UTC is outside the range of datetime
        raise _unreadable(field, text, "a day") from None


_READ: dict[str, Callable[[Field, str, tzinfo], Condition]] = {
    "slider": _number,
    "integer": _number,
    "number": _number,
    "switch": _switch,
    "choice": _choice,
    "size": _size,
    "state": _state,
    "after": _after,
    "before": _before,
    "project": _name,
    "tag": _name,
    "notes": _notes,
    "grid": _grid,
}
