"""Grids for the tests of exports. Each cell's picture has a colour of its own, by which tests recognise it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image
from support.stores import opener

from services.request import parse_request
from services.run import Picture, Run, RunState, new_id
from services.sheets.fonts import Fonts
from services.sheets.layout import AxisLabels, GridLayout, Place, SheetCell
from services.stored import StoredRequest

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
OURS = Fonts([])
"""Our own typeface only, whatever fonts the machine has."""
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
"""Includes lone surrogates, control characters and letters of every script."""
NOT_MADE = SheetCell(None, None, None, "not made")


def colour_of(place: Place) -> tuple[int, int, int]:
    x, y, z = place
    return 40 + 40 * (x % 5), 40 + 40 * (y % 5), 60 + 60 * (z % 3)


def picture_file(folder: Path, place: Place, size: tuple[int, int] = (256, 192), ending: str = "png") -> Path:
    file = folder / f"{'-'.join(map(str, place))}.{ending}"
    Image.new("RGB", size, colour_of(place)).save(file, quality=95)
    return file


def made(file: Path, *, size: tuple[int, int] = (256, 192), **changes: Any) -> SheetCell:
    """A cell whose run succeeded; `changes` are settings, except for `took`, `cost` and `engine`."""
    took, cost, engine = changes.pop("took", 4.0), changes.pop("cost", 0.05), changes.pop("engine", "fal")
    settings = {"prompt": "A red fox", "seed": 42, "image_size": {"width": size[0], "height": size[1]}, **changes}
    run = Run(
        id=new_id(),
        visitor="v",
        engine=engine,
        key_of="owner",
        request=parse_request(settings),
        state=RunState.DONE,
        created_at=START,
        submitted_at=START,
        started_at=START,
        finished_at=START + timedelta(seconds=took),
        picture=Picture(
            name="p.png", thumb="p.webp", content_type="image/png", bytes=99_000, width=size[0], height=size[1]
        ),
        cost_usd=cost,
    )
    return SheetCell(run, opener(file), None, "")


def failed(words: str, **settings: Any) -> SheetCell:
    run = made(Path("none"), cost=0.0, **settings).run
    assert run is not None
    return SheetCell(run.model_copy(update={"state": RunState.FAILED, "picture": None}), None, None, words)


def axis(title: str, values: Sequence[object]) -> AxisLabels:
    return AxisLabels(title, tuple(str(value) for value in values))


def grid(
    folder: Path,
    *,
    title: str = "How many steps?",
    x: AxisLabels | None = None,
    y: AxisLabels | None = None,
    z: AxisLabels | None = None,
    instead: dict[Place, SheetCell] | None = None,
    size: tuple[int, int] = (256, 192),
    plan: dict[str, Any] | None = None,
    **settings: Any,
) -> GridLayout:
    """A grid with Steps on X by default; `instead` replaces cells; `settings` are those of every other cell."""
    x = x or axis("Steps", [10, 20, 30])
    asked = parse_request({"prompt": "A red fox", "seed": 42, "image_size": {"width": size[0], "height": size[1]}})
    own = {name: value for name, value in settings.items() if name in asked.model_fields_set | {"prompt"}}
    base = StoredRequest.of(asked.vary(**own))
    layout = GridLayout(title, base, x, y, z, {}, plan if plan is not None else {"axes": 1}, START)
    cells = {place: (instead or {}).get(place) for place in layout.places()}
    return GridLayout(
        title, base, x, y, z,
        {
            place: cell or made(picture_file(folder, place, size), size=size, **_on_x(x, place), **settings)
            for place, cell in cells.items()
        },
        layout.plan, START,
    )  # fmt: skip


def _on_x(x: AxisLabels, place: Place) -> dict[str, Any]:
    return {"num_inference_steps": int(x.values[place[0]])} if x.title == "Steps" else {}
