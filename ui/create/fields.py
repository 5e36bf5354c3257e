"""Parameters → Gradio components. What a control looks like follows from its Parameter; nothing is typed twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from services.request import PARAMETERS, PRESET_LABELS, PRESET_PIXELS, SIDE_MAX, SIDE_MIN, Parameter

CUSTOM = "custom"
"""The choice of Image size that shows width and height."""


def elem_id(name: str) -> str:
    """The id of a field's element on the page; scripts find the control of an error by it."""
    return f"field-{name}"


def field(name: str, *, locked: bool = False) -> gr.components.Component:
    """The component for one field of GenerationRequest. `locked`: it shows its default and stays there."""
    parameter = PARAMETERS[name]
    build = {
        "text": _text,
        "slider": _slider,
        "integer": _integer,
        "switch": _switch,
        "choice": _choice,
        "size": _size,
    }[parameter.kind]
    common = {
        "label": parameter.label,
        "elem_id": elem_id(name),
        "elem_classes": ["pg-field", f"pg-{parameter.kind}-field"],
    }
    component = build(parameter, common)
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


def _text(parameter: Parameter, common: dict[str, Any]) -> gr.Textbox:
    return gr.Textbox(
        **common, lines=4, max_lines=14, placeholder=parameter.help, autofocus=False, html_attributes=_no_spellcheck()
    )


def _no_spellcheck() -> gr.InputHTMLAttributes:
    return gr.InputHTMLAttributes(autocorrect="off", spellcheck=True)


def _slider(parameter: Parameter, common: dict[str, Any]) -> gr.Slider:
    low, high = parameter.minimum or 0, parameter.maximum or 0
    return gr.Slider(low, high, value=parameter.default, step=parameter.step, buttons=[], **common)


def _integer(parameter: Parameter, common: dict[str, Any]) -> gr.Number:
    return gr.Number(value=parameter.default, step=parameter.step or 1, interactive=True, buttons=[], **common)


def _switch(parameter: Parameter, common: dict[str, Any]) -> gr.Checkbox:
    return gr.Checkbox(value=parameter.default, **common)


def _choice(parameter: Parameter, _common: dict[str, Any]) -> gr.Radio:
    return segments(parameter.label, parameter.choices, parameter.default, parameter.name)


def segments(label: str, choices: Sequence[str], value: str, name: str) -> gr.Radio:
    """A few short choices in one row, as segments of one control."""
    classes = ["pg-field", "pg-segments"]
    return gr.Radio(list(choices), value=value, label=label, elem_id=elem_id(name), elem_classes=classes, buttons=[])


def _size(parameter: Parameter, common: dict[str, Any]) -> gr.Radio:
    choices = [(PRESET_LABELS[preset], preset) for preset in parameter.choices] + [("Custom", CUSTOM)]
    return gr.Radio(choices, value=parameter.default, buttons=[], **common)


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
