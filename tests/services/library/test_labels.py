from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from services.errors import InvalidRequest
from services.library.history import History
from services.library.labels import NOTES_MAX, TAG_MAX, TAGS_MAX, UsedTag, sound_notes, sound_tags, used_tags
from services.library.query import Query
from services.library.scope import Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, new_id


def add(history: History, *tags: str, **fields: Any) -> None:
    values = {"visitor": "ann", "engine": "demo", "key_of": "owner", "created_at": datetime.now(timezone.utc), **fields}
    history.add([Run(id=new_id(), request=Flux2FlexRequest(prompt="a fox"), tags=tags, **values)])


def test_tags_are_tidied_and_each_is_there_once():
    assert sound_tags([" poster ", "#Slow  Travel", "POSTER", "", "  "]) == ("poster", "Slow Travel")


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        (["x" * (TAG_MAX + 1)], f"has {TAG_MAX + 1} characters. Allowed are {TAG_MAX}"),
        (["a,b"], "cannot hold quotes, commas"),
        (['"a"'], "cannot hold quotes"),
        (["a|b"], "cannot hold quotes"),
        (["\ud800"], "control characters"),
        ([str(number) for number in range(TAGS_MAX + 1)], f"A picture can have {TAGS_MAX}"),
    ],
)
def test_tags_that_cannot_be_had(tags, why):
    with pytest.raises(InvalidRequest, match=why):
        sound_tags(tags)


def test_notes():
    assert sound_notes("  for\nthe client\0 \n") == "for\nthe client"
    assert sound_notes("x" * NOTES_MAX) == "x" * NOTES_MAX
    with pytest.raises(InvalidRequest, match=r"The notes have 2,001 characters\. Allowed are 2,000\."):
        sound_notes("x" * (NOTES_MAX + 1))


def test_the_tags_in_use_those_of_most_pictures_first(history):
    add(history, "Poster", "draft")
    add(history, "poster", project_id="p")
    add(history, "other", visitor="bob")
    add(history, "gone", deleted_at=datetime.now(timezone.utc))
    assert used_tags(history, Scope("ann"), Query(), limit=9) == [UsedTag("poster", 2), UsedTag("draft", 1)]
    assert used_tags(history, Scope("ann"), Query(project="p"), limit=9) == [UsedTag("poster", 1)]
    assert used_tags(history, Scope("ann"), Query(), limit=1) == [UsedTag("poster", 2)]
