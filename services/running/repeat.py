"""The result of running a picture again with the same seed."""

from __future__ import annotations

from services.compare.sameness import sameness
from services.errors import NotFound
from services.library.history import History
from services.library.media import Media
from services.library.scope import EVERYONE
from services.run import Picture

OPENING = "Run again: "


def note_of(history: History, media: Media, repeat_of: str, picture: Picture) -> str:
    """A sentence on whether the new `picture` equals that of the run `repeat_of`.

    Blocks for about 30 ms at one megapixel.
    """
    try:
        first = history.get(repeat_of, EVERYONE)
    except NotFound:
        return f"{OPENING}the first picture is gone, so they cannot be compared."
    if first.picture is None:
        return f"{OPENING}the first run left no picture to compare with."
    try:
        found = sameness(media.opener("media", first.picture.name), media.opener("media", picture.name))
    except OSError:
        return f"{OPENING}the first picture's file is gone or damaged, so they cannot be compared."
    return f"{OPENING}{found.words}."
