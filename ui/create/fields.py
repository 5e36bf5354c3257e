"""Parameters → Gradio components. What a control is follows from its kind; nothing is typed twice."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from services.models.registry import PARAMETERS
from services.models.sizes import PRESET_PIXELS, SIDE_MAX, SIDE_MIN


def elem_id(name: str) -> str:
    """The id of a field's element on the page; scripts find the control of an error by it."""
    return f"field-{name}"


def field(name: str, *, locked: bool = False) -> gr.components.Component:
    """The component for one parameter, as its kind says. `locked`: it shows its default and stays there."""
    parameter = PARAMETERS[name]
    spec = parameter.kind.component(parameter)
    options = {
        **spec.options,
        "label": parameter.label,
        "elem_id": elem_id(name),
        "elem_classes": ["pg-field", *(spec.classes or (f"pg-{parameter.kind.name}-field",))],
    }
    if attributes := options.get("html_attributes"):
        options["html_attributes"] = gr.InputHTMLAttributes(**attributes)
    component: gr.components.Component = getattr(gr, spec.type)(**options)
    if locked:
        component.interactive = False
        gr.HTML("Locked by the owner of this page.", elem_classes=["pg-locked"])
    return component


def help_for(*names: str) -> gr.HTML:
    """The help of these fields. Gradio's `info=` would become part of a control's accessible name, so help is an
    element of its own, which a script makes the control's description. Fields whose help is not shown on the page share
    one element."""
    texts = "".join(f'<p id="help-{name}" class="pg-help">{PARAMETERS[name].help}</p>' for name in names)
    return gr.HTML(texts, elem_classes=["pg-helps"])


def segments(label: str, choices: Sequence[str], value: str, name: str) -> gr.Radio:
    """A few short choices in one row, as segments of one control."""
    classes = ["pg-field", "pg-segments"]
    return gr.Radio(list(choices), value=value, label=label, elem_id=elem_id(name), elem_classes=classes, buttons=[])


def side(name: str) -> gr.Number:
    """Width or Height in pixels. The element has no limits: a value beyond them is to be reported, not clamped."""
    width, height = PRESET_PIXELS[PARAMETERS["image_size"].default]
    return gr.Number(
        value={"width": width, "height": height}[name],
        label=name.title(),
        elem_id=elem_id(name),
        elem_classes=["pg-field"],
        step=16,
        interactive=True,
        buttons=[],
        min_width=80,
        placeholder=f"{SIDE_MIN} to {SIDE_MAX}",
    )
