"""Notes and tags: validation, and the tags in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select, true

from services.errors import FieldIssue, InvalidRequest
from services.library.dialect import caseless, constant, items_of
from services.library.history import History
from services.library.query import Query
from services.library.rules import found_by
from services.library.scope import Scope
from services.library.tables import runs

NOTES_MAX = 2_000
"""Characters of a picture's notes."""
TAG_MAX = 40
"""Characters of a tag."""
TAGS_MAX = 20
"""Tags of one picture."""
UNSEARCHABLE = re.compile('["“”|,\0-\x1f\x7f\ud800-\udfff]')
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class UsedTag:
    tag: str
    count: int


def sound_notes(notes: str) -> str:
    """The notes without surrounding white space and unstorable characters. Raises InvalidRequest if too long."""
    notes = UNSTORABLE.sub("", notes).strip()
    if len(notes) > NOTES_MAX:
        raise _fault("notes", f"The notes have {len(notes):,} characters. Allowed are {NOTES_MAX:,}.")
    return notes


def sound_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags in their order, without duplicates (case-insensitive), empty ones and a leading `#`. Raises
    InvalidRequest.
    """
    found: dict[str, str] = {}
    for tag in (" ".join(tag.split()).removeprefix("#") for tag in tags):
        if len(tag) > TAG_MAX:
            raise _fault("tags", f"The tag “{tag[:TAG_MAX]}…” has {len(tag)} characters. Allowed are {TAG_MAX}.")
        if UNSEARCHABLE.search(tag):
            raise _fault("tags", "A tag cannot hold quotes, commas, | or control characters: write several tags.")
        if tag:
            found.setdefault(tag.casefold(), tag)
    if len(found) > TAGS_MAX:
        raise _fault("tags", f"These are {len(found)} tags. A picture can have {TAGS_MAX}.")
    return tuple(found.values())


def used_tags(history: History, scope: Scope, query: Query, *, limit: int) -> list[UsedTag]:
    """The tags of the runs that a search finds, most frequent first. Tags that differ in case count as one, spelled as
    in the newest run.
    """
    each = items_of(runs.c.tags, "one_tag")
    count = func.count().label("count")
    tagged = select(each.c.value, count, func.max(runs.c.seq)).select_from(runs).join(each, true())
    rule = tagged.where(found_by(scope, query), runs.c.tags != constant("[]"))
    rows = history.table(rule.group_by(caseless(each.c.value)).order_by(count.desc(), each.c.value).limit(limit))
    return [UsedTag(tag, times) for tag, times, _ in rows]


def _fault(field: str, message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field=field, message=message),))
