"""What came of running a picture again, seed and all."""

from __future__ import annotations

from services.compare.sameness import sameness
from services.errors import NotFound
from services.library.history import History
from services.library.media import Media
from services.library.scope import EVERYONE
from services.run import Picture

OPENING = "Run again: "


def note_of(history: History, media: Media, repeat_of: str, picture: Picture) -> str:
    """Whether `picture`, which has just come, is that of the run it repeats.

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
        return f"{OPENING}the first picture's file is gone, so they cannot be compared."
    return f"{OPENING}{found.words}."
