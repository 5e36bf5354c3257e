"""Pictures scaled down to the size at which an export shows them, a few at a time to save memory."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from services.library.media import FORMATS
from services.sheets.layout import Place, SheetCell

T = TypeVar("T")
logger = logging.getLogger(__name__)

THREADS = min(4, os.cpu_count() or 1)
"""Pillow releases the interpreter lock (GIL) while it decodes and resizes."""
AHEAD = 2 * THREADS


@dataclass(frozen=True)
class Wanted:
    place: Place
    cell: SheetCell
    width: int
    height: int
    """The box in pixels that the picture must fit."""


def fitted(wanted: Iterable[Wanted], finish: Callable[[Image.Image], T]) -> Iterator[tuple[Wanted, T | None]]:
    """Each of `wanted`, in order, with what `finish` makes of its picture (RGB); None if no file can be read.

    `finish` runs in worker threads. At most `AHEAD` results are held besides the one yielded.
    """

    def work(each: Wanted) -> T | None:
        picture = _fit(each)
        return finish(picture) if picture else None

    with ThreadPoolExecutor(THREADS, thread_name_prefix="export") as pool:
        waiting: deque[tuple[Wanted, Future[T | None]]] = deque()
        for each in wanted:
            waiting.append((each, pool.submit(work, each)))
            if len(waiting) > AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _fit(wanted: Wanted) -> Image.Image | None:
    for opened in (wanted.cell.original, wanted.cell.thumb):
        if opened is None:
            continue
        try:
            with opened() as file, Image.open(file, formats=tuple(FORMATS)) as image:
                return _reduced(image, wanted.width, wanted.height)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            # deleted or damaged meanwhile: try the thumbnail
            logger.warning("the picture at %s cannot be read for an export: %s", wanted.place, error)
    return None


def _reduced(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture scaled to fit the box, but never enlarged; transparent parts become white."""
    scale = min(1.0, width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image.draft("RGB", size)  # JPEG: decoded at 1/2, 1/4 or 1/8 where that is still large enough
    small = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if "transparency" in image.info else "RGB")
    if small.size != size:
        small = small.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    small.load()
    if small.mode == "RGBA":
        ground = Image.new("RGB", size, "white")
        ground.paste(small, mask=small)
        return ground
    return small.copy() if small is image else small
