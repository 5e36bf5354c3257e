"""What goes wrong with a file's settings, as sentences."""

from __future__ import annotations

from typing import Literal

from services.errors import PlaygroundError

Reason = Literal["not_a_picture", "too_large", "no_settings", "damaged"]

FILE_MAX = 64 * 2**20
"""Bytes of a file whose settings are read: as much as fal's largest pictures a few times over."""

_SENTENCES: dict[Reason, str] = {
    "not_a_picture": "This is no PNG, JPEG or WebP picture. Settings are read from these three.",
    "too_large": f"The file is larger than {FILE_MAX // 2**20} MB. Choose the picture as it was first saved.",
    "no_settings": "There are no settings in this picture. Messengers, websites and photo editors remove them: "
    "choose the file as it was first saved.",
    "damaged": "The settings in this picture are damaged. Choose the file as it was first saved, "
    "or enter the settings by hand.",
}


class MetadataError(PlaygroundError):
    """A file holds no settings that can be read, or can hold none. `reason` is a short stable name."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(_SENTENCES[reason])
