"""The texts of a contact sheet, without their layout. Pure functions of a GridLayout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from services.compare.diff import RESULTS
from services.intake.pricing import dollars
from services.models import registry
from services.models.registry import PARAMETERS
from services.request import NOT_KNOWN, value_text
from services.run import Run, RunState
from services.sheets.layout import AxisLabels, GridLayout, Place, SheetCell

Preset = Literal["client", "technical"]
"""`client` shows the pictures and what was compared; `technical` adds all that is needed to make them again."""

DEMO_NOTE = "Painted by the demo engine, which is no AI model."
NOTHING_SAID = "no picture"
UNREADABLE = "The picture's file cannot be read."


@dataclass(frozen=True)
class SheetWords:
    title: str
    facts: str
    """One line under the title."""
    notes: tuple[tuple[str, str], ...]
    """(label, text): the prompt, the settings."""
    x: AxisLabels
    y: AxisLabels | None
    z: AxisLabels | None
    captions: Mapping[Place, str]
    """Under pictures."""
    in_place: Mapping[Place, str]
    """What stands in a cell whose picture is not there."""
    foot: tuple[str, ...]


def words_of(layout: GridLayout, preset: Preset) -> SheetWords:
    runs = [cell.run for cell in layout.cells.values() if cell.run is not None]
    made = [run for run in runs if run.state is RunState.DONE]
    technical = preset == "technical"
    x, y, z = (axis if technical or axis is None else _without_seeds(axis) for axis in (layout.x, layout.y, layout.z))
    assert x is not None  # noqa: S101  # nosec B101: a grid has an x axis
    return SheetWords(
        title=layout.title,
        facts=_facts(layout, made, technical),
        notes=_notes(layout, runs) if technical else (),
        x=x,
        y=y,
        z=z,
        captions=_captions(layout, made) if technical else {},
        in_place={place: _in_place(layout.cell(place), technical) for place in layout.places()},
        foot=(DEMO_NOTE,) if any(run.engine == "demo" for run in runs) else (),
    )


def varying(layout: GridLayout, runs: list[Run]) -> set[str]:
    """The parameters in which the runs differ: what the axes change."""
    return {name for name in PARAMETERS if len({str(setting(run, name)) for run in runs}) > 1}


def setting(run: Run, name: str) -> Any:
    """A parameter as it was asked for; the seed as it was used."""
    return run.seed if name == "seed" else run.request.values.get(name)


def _without_seeds(axis: AxisLabels) -> AxisLabels:
    """A seed axis as `Variation` 1, 2, 3: seeds mean nothing to a client, but a number to refer to is useful."""
    if axis.title != PARAMETERS["seed"].label:
        return axis
    return replace(axis, title="Variation", values=tuple(str(number + 1) for number in range(len(axis.values))))


def _facts(layout: GridLayout, runs: list[Run], technical: bool) -> str:
    pictures = sum(1 for cell in layout.cells.values() if cell.original or cell.thumb)
    places = len(layout.places())
    count = f"{pictures} of {places} pictures" if pictures < places else f"{places} picture{'s' * (places > 1)}"
    words = [f"{layout.made_at.day} {layout.made_at:%B %Y}", count]
    if technical:
        engines = {run.engine for run in runs}
        models = {run.model for run in runs if run.engine != "demo"} or ({layout.base.model} if not runs else set())
        words += sorted(registry.name_of(model) for model in models)
        words += ["demo engine"] if "demo" in engines else []
        words += _costs(runs)
    return " · ".join(words)


def _costs(runs: list[Run]) -> list[str]:
    """What one picture cost, if all cost the same, and the total."""
    each = {RESULTS["cost"][1](run) for run in runs}
    total = sum(run.cost_usd for run in runs)
    if not total:
        return ["$0"]
    return [*(f"{cost} each" for cost in each if len(each) == 1), f"{dollars(total)} in all"]


def _notes(layout: GridLayout, runs: list[Run]) -> tuple[tuple[str, str], ...]:
    on_axes = varying(layout, runs)
    like = runs[0] if runs else None
    settings = []
    for name, parameter in PARAMETERS.items():
        if parameter.kind.is_long or name in on_axes:
            continue
        value = setting(like, name) if like else layout.base.values.get(name)
        if value is not None:
            settings.append(f"{parameter.label}: {value_text(name, value)}")
    prompt = PARAMETERS["prompt"].label
    return (
        (f"Base {prompt.lower()}" if "prompt" in on_axes else prompt, layout.base.prompt),
        ("Settings", " · ".join(settings)),
    )


def _captions(layout: GridLayout, runs: list[Run]) -> dict[Place, str]:
    """Captions with seed, time and cost, each only if pictures differ in it and it is on no axis."""
    axes = {axis.title for axis in (layout.x, layout.y, layout.z) if axis}
    seed = PARAMETERS["seed"]
    readers = [RESULTS[name][1] for name in ("took", "cost")]
    if seed.label not in axes:
        readers.insert(0, lambda run: f"{seed.short} {value_text(seed.name, run.seed)}")
    differing = [read for read in readers if len({read(run) for run in runs}) > 1]

    def caption(run: Run) -> str:
        return " · ".join(text for read in differing if (text := read(run)) != NOT_KNOWN)

    return {place: caption(cell.run) for place, cell in layout.cells.items() if cell.run and cell.original}


def _in_place(cell: SheetCell, technical: bool) -> str:
    """The text in place of a missing picture; for a client without what was charged."""
    if technical:
        return cell.words or NOTHING_SAID
    parts = [part for part in cell.words.split(" · ") if "charged" not in part and "$" not in part]
    return " · ".join(parts) or NOTHING_SAID
