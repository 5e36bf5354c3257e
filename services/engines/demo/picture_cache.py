"""Finished pictures in memory, within bounds. What falls off is painted again when it is asked for."""

from __future__ import annotations

from collections import OrderedDict

from services.clock import Clock

KEEP_PICTURES = 64
KEEP_BYTES = 128 * 2**20
KEEP_SECONDS = 3600.0


class PictureCache:
    """The newest finished pictures, within `KEEP_PICTURES`, `KEEP_BYTES` and `KEEP_SECONDS`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pictures: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def get(self, request_id: str) -> bytes | None:
        self.trim()
        kept = self._pictures.get(request_id)
        return kept[1] if kept else None

    def drop(self, request_id: str) -> None:
        self._pictures.pop(request_id, None)

    def put(self, request_id: str, picture: bytes) -> None:
        self._pictures.pop(request_id, None)
        self._pictures[request_id] = (self._clock.monotonic(), picture)
        self.trim()

    def trim(self) -> None:
        """Drop what is too old or too much; the newest picture always stays for its hour."""
        size = sum(len(picture) for _, picture in self._pictures.values())
        while self._pictures:
            put, picture = next(iter(self._pictures.values()))
            too_much = len(self._pictures) > KEEP_PICTURES or (size > KEEP_BYTES and len(self._pictures) > 1)
            if not too_much and self._clock.monotonic() - put < KEEP_SECONDS:
                return
            self._pictures.popitem(last=False)
            size -= len(picture)
