"""The Create tab: controls on the left, the stage and the gallery on the right. Layout first, wiring second."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from services.intake.batch import IMAGES_MAX, IMAGES_MIN
from services.models.registry import PARAMETERS
from services.models.sizes import PRESET_PIXELS
from services.playground import Playground
from ui.create import fields, words
from ui.create.handlers import CONTROLS, MAIN_FIELDS, SETTINGS, CreateHandlers
from ui.widgets import bridge, widget

EVENTS = ("link", "reuse", "reuse_seed", "edit", "use_prompt", "from_file", "put_back", "grid_base", "code_base")
"""What the page's scripts may trigger."""


@dataclass(frozen=True)
class CreatePanel:
    fields: dict[str, Any]
    """GenerationRequest name → component."""
    width: gr.Number
    height: gr.Number
    swap: gr.Button
    random_seed: gr.Checkbox
    images: gr.Radio
    prompt_note: gr.HTML
    """How many prompts and pictures the wildcards in the prompt stand for."""
    size_note: gr.HTML
    advanced: gr.Accordion
    generate: gr.Button
    hint: gr.HTML
    bridge: gr.HTML
    """Carries messages to the page's scripts, and their events to the handlers."""

    @property
    def size_inputs(self) -> list[Any]:
        return [self.fields["image_size"], self.width, self.height, self.images]

    @property
    def estimate_inputs(self) -> list[Any]:
        """The controls that decide how many pictures a press of Generate makes, and what they cost."""
        return [self.fields["prompt"], *self.size_inputs]

    @property
    def advanced_inputs(self) -> list[Any]:
        return [component for name, component in self.fields.items() if name not in MAIN_FIELDS]

    @property
    def settings_inputs(self) -> dict[str, Any]:
        """The controls whose values a press of Generate sends, by name."""
        return self._named(SETTINGS)

    @property
    def settings_outputs(self) -> list[Any]:
        return [*self._named(CONTROLS).values()]

    def _named(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.fields[name] if name in self.fields else getattr(self, name) for name in names}


def build_create(locked: Collection[str] = ()) -> CreatePanel:
    """`locked` names fields that stay at their defaults."""
    with gr.Row(elem_id="create", equal_height=False):
        with gr.Column(elem_id="controls", min_width=0):
            controls = _build_controls(locked)
        with gr.Column(elem_id="results", min_width=0):
            widget("stage")
            widget("gallery")
    return CreatePanel(**controls, bridge=bridge(EVENTS, PARAMETERS))


def _build_controls(locked: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with gr.Column(elem_id="controls-scroll", min_width=0):
        found["prompt"] = fields.field("prompt")
        prompt_note = gr.HTML("", elem_id="prompt-told")
        widget("prompts")
        size_note = gr.HTML(words.size(*PRESET_PIXELS[PARAMETERS["image_size"].default]), elem_id="size-told")
        found["image_size"] = fields.field("image_size")
        with gr.Row(elem_id="custom-size", equal_height=False):
            width = fields.side("width")
            swap = gr.Button("Swap width and height", elem_id="swap", size="sm", min_width=36)
            height = fields.side("height")
        found["num_inference_steps"] = fields.field("num_inference_steps")
        found["guidance_scale"] = fields.field("guidance_scale")
        with gr.Row(elem_id="seed-row", equal_height=False):
            found["seed"] = fields.field("seed")
            random_seed = gr.Checkbox(True, label="Random seed", elem_id="field-random_seed", elem_classes=["pg-field"])
        choices = [str(number) for number in range(IMAGES_MIN, IMAGES_MAX + 1)]
        images = fields.segments("Images", choices, choices[0], "images")
        with gr.Accordion("Advanced", open=False, elem_id="advanced") as advanced:
            for name in PARAMETERS:
                if name not in MAIN_FIELDS:
                    found[name] = fields.field(name, locked=name in locked)
                    fields.help_for(name)
        fields.help_for(*MAIN_FIELDS)
    with gr.Column(elem_id="generate-bar", min_width=0):
        hint = gr.HTML("", elem_id="price-hint")
        generate = gr.Button("Generate", variant="primary", elem_id="generate")
    in_order = {name: found[name] for name in PARAMETERS}
    return {
        "fields": in_order,
        "width": width,
        "height": height,
        "swap": swap,
        "random_seed": random_seed,
        "images": images,
        "prompt_note": prompt_note,
        "size_note": size_note,
        "advanced": advanced,
        "generate": generate,
        "hint": hint,
    }


def wire_create(panel: CreatePanel, playground: Playground, page: gr.Blocks) -> None:
    """Triggers → handlers. None of them waits for a picture, so none goes through Gradio's queue.

    Frequent events have few outputs, each a plain value: Gradio makes a new component for every update, even for
    `gr.skip()`, and keeps it for as long as the session.
    """
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    handlers = CreateHandlers(playground)
    panel.generate.click(
        handlers.press_generate,
        inputs_kwargs=panel.settings_inputs,
        outputs=[panel.bridge, panel.fields["seed"]],
        preprocess=False,
        trigger_mode="multiple",
        **quick,
    )
    estimated = [panel.generate, panel.hint, panel.size_note, panel.prompt_note]
    estimating: dict[str, Any] = {"inputs": panel.estimate_inputs, "outputs": estimated, "preprocess": False}
    # One event for all its sources, page load included: of two events under way at once, the older answer might arrive
    # last.
    changed = [page.load, *(source.change for source in panel.estimate_inputs)]
    gr.on(changed, handlers.estimate, **estimating, trigger_mode="always_last", **quick)
    advanced = [source.change for source in panel.advanced_inputs]
    gr.on(advanced, handlers.sum_up, panel.advanced_inputs, panel.advanced, trigger_mode="always_last", **quick)
    sides = [panel.width, panel.height]
    left = [event for side in sides for event in (side.blur, side.submit)]
    gr.on(left, handlers.snap, sides, [*sides, panel.bridge], trigger_mode="always_last", **quick)
    panel.swap.click(handlers.swap, sides, sides, **quick)
    filled = [*panel.settings_outputs, panel.bridge]
    before = {"inputs_kwargs": panel.settings_inputs, "preprocess": False, **quick}  # what Undo puts back
    panel.bridge.link(handlers.open_link, None, filled, **quick)
    panel.bridge.reuse(handlers.reuse, outputs=filled, **before)
    panel.bridge.reuse_seed(handlers.reuse_seed, outputs=filled, **before)
    panel.bridge.edit(handlers.edit, outputs=filled, **before)
    panel.bridge.use_prompt(handlers.use_prompt, outputs=filled, **before)
    panel.bridge.from_file(handlers.from_file, outputs=filled, **before)
    panel.bridge.put_back(handlers.put_back, None, [panel.images, *filled], **quick)
    panel.bridge.grid_base(
        handlers.grid_base, inputs_kwargs=panel.settings_inputs, outputs=panel.bridge, preprocess=False, **quick
    )
    panel.bridge.code_base(
        handlers.code_base, inputs_kwargs=panel.settings_inputs, outputs=panel.bridge, preprocess=False, **quick
    )
