"""The errors of reading and writing settings in files, with their texts."""

from __future__ import annotations

from typing import Literal

from services.errors import PlaygroundError

Reason = Literal["not_a_picture", "too_large", "no_settings", "damaged"]

FILE_MAX = 64 * 2**20
"""Largest file in bytes whose settings are read: several times the size of fal's largest pictures."""

_SENTENCES: dict[Reason, str] = {
    "not_a_picture": "This is no PNG, JPEG or WebP picture. Settings are read from these three.",
    "too_large": f"The file is larger than {FILE_MAX // 2**20} MB. Choose the picture as it was first saved.",
    "no_settings": "There are no settings in this picture. Messengers, websites and photo editors remove them: "
    "choose the file as it was first saved.",
    "damaged": "The settings in this picture are damaged. Choose the file as it was first saved, "
    "or enter the settings by hand.",
}


class MetadataError(PlaygroundError):
    """A file contains no readable settings, or its format cannot hold any. `reason` is a short stable name."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])
