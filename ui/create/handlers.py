"""What the Create tab does: one handler for each trigger, values → request → one call of the playground → updates."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from services.errors import FieldIssue, InvalidRequest, PlaygroundError
from services.intake.batch import combinations
from services.intake.wildcards import literal, read
from services.models.generation_request import PROMPT_MAX, GenerationRequest
from services.models.kinds.size import CUSTOM
from services.models.registry import PARAMETERS
from services.models.sizes import SIDE_MAX, SIDE_MIN, snap_side
from services.playground import Playground
from services.request import parse_request
from services.run import Run
from services.stored import AnyRequest, StoredRequest
from ui.create import words
from ui.presses import press_of_call
from ui.visitors import visitor_of

T = TypeVar("T")
MAIN_FIELDS = ("prompt", "image_size", "num_inference_steps", "guidance_scale", "seed")
"""Fields with a place of their own; all others are under Advanced."""
CONTROLS = (*PARAMETERS, "width", "height", "random_seed")
"""The controls that a request sets, in the order of the handlers' outputs."""
SETTINGS = (*CONTROLS, "images")
"""The controls whose values a press of Generate sends."""
EXAMPLE_PROMPT = "A red bicycle against a white wall"
"""The prompt of code examples for settings without one."""


class CreateHandlers:
    """One handler for each trigger: values → request → one call of the playground → updates.

    None blocks, so all are coroutines: Gradio would run functions in threads, where a later event's answer may come
    before an earlier one's.
    """

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._message = itertools.count(1)

    async def press_generate(self, request: gr.Request, **values: Any) -> tuple[Any, Any]:
        """Inputs: every control. Outputs: a message for the page, the seed used."""
        sides = {name: _snapped(values[name]) for name in ("width", "height")}  # the controls show it only on blur
        try:
            press = press_of_call(request, "press_generate", values)
            wanted = request_from({**values, **sides})
            count, visitor = int(values["images"]), visitor_of(request)
            runs = await self._playground.generate(visitor, wanted, count, expand=True, press=press)
        except InvalidRequest as error:
            return self._say(issues=[issue.model_dump() for issue in error.issues], of_press=True), gr.skip()
        except PlaygroundError as error:
            return self._say(issues=[], refused=str(error)), gr.skip()
        return self._say(asked=[run.id for run in runs]), runs[0].seed

    async def grid_base(self, **values: Any) -> dict[str, Any]:
        """The controls as the base of a grid. Inputs: every control. Outputs: the settings, or what is wrong."""
        try:
            return self._say(grid_base=_single(request_from(values)).model_dump(mode="json"), issues=[])
        except InvalidRequest as error:
            return self._say(error=str(error), issues=[issue.model_dump() for issue in error.issues])

    async def code_base(self, **values: Any) -> dict[str, Any]:
        """The controls for code examples. Inputs: every control; the prompt may be empty. Outputs: the settings, or
        what is wrong."""
        try:
            wanted = request_from({**values, "prompt": (values["prompt"] or "").strip() or EXAMPLE_PROMPT})
        except InvalidRequest as error:
            return self._say(error=str(error), issues=[issue.model_dump() for issue in error.issues])
        return self._say(code_base=wanted.model_dump(mode="json"), issues=[])

    async def estimate(
        self, prompt: str, size: Any, width: Any, height: Any, images: Any, request: gr.Request
    ) -> tuple[Any, Any, Any, Any]:
        """Inputs: prompt, size, width, height, images. Outputs: the button's words, the hint above it, the size in
        words, how many prompts the wildcards stand for."""
        prompts = combinations(str(prompt or "")[:PROMPT_MAX])
        pictures = int(images) * prompts
        note = words.wildcards(prompts, int(images))
        values = {"prompt": "any", "image_size": size, "width": _snapped(width), "height": _snapped(height)}
        try:
            wanted = request_from(values)
        except InvalidRequest:
            return f"Generate {pictures}", "", "", note
        estimate = self._playground.estimate(visitor_of(request), wanted, pictures)
        return words.generate(estimate), words.hint(estimate), words.size(*wanted.pixels), note

    async def sum_up(self, *values: Any) -> Any:
        """Inputs: the controls under Advanced. Outputs: its heading, which lists those not at their defaults."""
        names = [name for name in PARAMETERS if name not in MAIN_FIELDS]
        return gr.update(label=words.advanced(dict(zip(names, values, strict=True))))

    async def swap(self, width: Any, height: Any) -> tuple[Any, Any]:
        """Inputs: width, height. Outputs: height, width."""
        return height, width

    async def snap(self, width: Any, height: Any) -> tuple[Any, Any, Any]:
        """Inputs: width, height. Outputs: both as multiples of 16; a message on what was changed or is out of range.

        A side that is a multiple already gets no update: the user may be editing it before the answer arrives.
        """
        sides = {"width": width, "height": height}
        issues: list[dict[str, Any]] = []
        try:
            request_from({"prompt": "any", "image_size": CUSTOM, "width": _snapped(width), "height": _snapped(height)})
        except InvalidRequest as error:
            issues = [issue.model_dump() for issue in error.issues]
        notes = [
            {
                "side": name,
                "text": f"{name.title()} {_told(side)} → {_snapped(side)}: sides are multiples of 16.",
            }
            for name, side in sides.items()
            if _snapped(side) != side
        ]
        message = self._say(checked=["width", "height", "image_size"], issues=issues, size_notes=notes)
        return _changed(width), _changed(height), message

    async def reuse(self, request: gr.Request, event: gr.EventData, **before: Any) -> list[Any]:
        """Reuse all. Inputs: the picture's id. Outputs: every control, set as it was for that picture."""
        said = "All settings of that picture are in the controls."

        def all_of_it(run: Run) -> list[Any]:
            wanted = run.request.but(seed=run.seed)
            filled = self._fill(wanted, said)
            if issues := _not_allowed(wanted):
                filled[-1] = self._say(said=said, issues=issues)
            return filled

        return self._with_undo(before, await self._from_run(request, event, all_of_it))

    async def reuse_seed(self, request: gr.Request, event: gr.EventData, **before: Any) -> list[Any]:
        """Reuse seed. Inputs: the picture's id. Outputs: Seed and Random seed; the rest stays."""

        def only_seed(run: Run) -> list[Any]:
            return self._some(seed=run.seed, random_seed=False, message=self._say(said=f"Seed {run.seed} is set."))

        return self._with_undo(before, await self._from_run(request, event, only_seed))

    async def edit(self, request: gr.Request, event: gr.EventData, **before: Any) -> list[Any]:
        """Edit a request that fal refused. Inputs: the run's id. Outputs: its settings, the fault at its control."""

        def with_fault(run: Run) -> list[Any]:
            said = "Its settings are in the controls."
            filled = self._fill(run.request, said)
            if run.failure and run.failure.field:
                issue = FieldIssue(field=run.failure.field, message=run.failure.message)
                filled[-1] = self._say(said=said, issues=[issue.model_dump()])
            return filled

        return self._with_undo(before, await self._from_run(request, event, with_fault))

    async def _from_run(self, request: gr.Request, event: gr.EventData, fill: Callable[[Run], list[Any]]) -> list[Any]:
        """The updates that `fill` makes from the event's run, or an error message where there is no such run."""
        try:
            return fill(await self._playground.run(visitor_of(request), _sent(event, "id", str)))
        except PlaygroundError as error:
            return self._some(message=self._say(error=str(error)))

    async def use_prompt(self, event: gr.EventData, **before: Any) -> list[Any]:
        """Replace the prompt. Inputs: the text, and whether a user typed it; if not, its wildcards are escaped.
        Outputs: Prompt."""
        said = "The prompt is replaced." if str(before["prompt"]).strip() else ""
        text = _sent(event, "prompt", str)
        prompt = text if event._data.get("typed") else literal(text)
        filled = self._some(prompt=prompt, message=self._say(said=said, issues=[]))
        return self._with_undo(before, filled)

    async def put_back(self, event: gr.EventData) -> list[Any]:
        """Undo, and the draft after a reload. Inputs: the controls' values by name. Outputs: Images, the controls."""
        values = {name: value for name, value in _sent(event, "values", dict).items() if name in SETTINGS}
        values = {name: value for name, value in values.items() if _is_held(value)}
        images = values.pop("images", gr.skip())
        return [images, *self._some(**values, message=self._say(issues=[]))]

    def _with_undo(self, before: dict[str, Any], filled: list[Any]) -> list[Any]:
        """The updates `filled`. Where they change a control, their message also holds all values `before`, for Undo."""
        values = zip(CONTROLS, filled[:-1], strict=True)
        changed = any(value != gr.skip() and value != before[name] for name, value in values)
        if changed:
            filled[-1]["undo"] = before
        return filled

    async def open_link(self, event: gr.EventData) -> list[Any]:
        """Settings in the page's address. Inputs: its values by name. Outputs: the controls, and a message that names
        the values that cannot be used."""
        found = _sent(event, "values", dict)
        asked = {name: value for name, value in found.items() if name in PARAMETERS and value != ""}
        if "image_size" in asked:
            asked["image_size"] = _linked_size(asked["image_size"])
        return self._fill_what_can_be(asked, "The link") if asked else self._some(message=gr.skip())

    async def from_file(self, event: gr.EventData, **before: Any) -> list[Any]:
        """Settings read from a picture's file. Inputs: what was found in it. Outputs: the controls."""
        values = {name: value for name, value in _sent(event, "values", dict).items() if name in PARAMETERS}
        return self._with_undo(before, self._fill_what_can_be(values, "The picture", _sent(event, "said", str)))

    def _fill_what_can_be(self, asked: dict[str, Any], source: str, said: str = "") -> list[Any]:
        """Updates for settings from a link or a file: valid ones are set, the message names invalid ones, all other
        controls stay."""
        known = {"prompt": "none", **asked}
        issues: tuple[FieldIssue, ...] = ()
        try:
            wanted = parse_request(known)
        except InvalidRequest as error:
            issues = error.issues
            faulty = {"image_size" if issue.field in ("width", "height") else issue.field for issue in issues}
            asked = {name: value for name, value in asked.items() if name not in faulty}
            wanted = parse_request({"prompt": "none", **asked})
        problems = [f"{source}'s {issue.message[0].lower()}{issue.message[1:]}" for issue in issues]
        filled = self._fill(wanted, said)
        for place, name in enumerate(PARAMETERS):
            if name not in asked:
                filled[place] = gr.skip()
        if problems:
            filled[-1] = self._say(error=" ".join(filter(None, [said, *problems])))
        return filled

    def _fill(self, wanted: AnyRequest, said: str) -> list[Any]:
        """Updates that set every control to a request, whether its values are allowed or not."""
        unset = {name: parameter.default for name, parameter in PARAMETERS.items()}
        values = unset | wanted.values | {"prompt": literal(wanted.prompt)}
        size = values["image_size"]
        custom = isinstance(size, dict)
        width, height = (size["width"], size["height"]) if custom else (gr.skip(), gr.skip())
        values["image_size"] = CUSTOM if custom else size
        if wanted.seed is None:
            values["seed"] = gr.skip()
        return self._some(
            **values,
            width=width,
            height=height,
            random_seed=wanted.seed is None,
            message=self._say(said=said, issues=[]),
        )

    def _some(self, *, message: Any, **values: Any) -> list[Any]:
        """Updates in the order of CONTROLS, then the bridge's; controls not in `values`, and locked ones, stay."""
        values |= {name: gr.skip() for name in self._playground.limits.locked}
        return [*(values.get(name, gr.skip()) for name in CONTROLS), message]

    def _say(self, **message: Any) -> dict[str, Any]:
        """A message for the page's scripts. Its number makes the page notice the second of two equal messages."""
        return {"number": next(self._message), **message}


def _sent(event: gr.EventData, name: str, kind: type[T]) -> T:
    """What the page's scripts sent with an event. Raises gr.Error where somebody else sent something else."""
    value = event._data.get(name) if isinstance(event._data, dict) else None
    if not isinstance(value, kind):
        raise gr.Error(f"The event has no {name} of the right type.", print_exception=False)
    return value


def _is_held(value: Any) -> bool:
    """Whether a control can hold it: no number beyond those that are exact in a browser."""
    return not isinstance(value, int | float) or abs(value) < 2**53


def _not_allowed(request: StoredRequest) -> list[dict[str, Any]]:
    """What cannot be asked for any more, as issues at the controls."""
    try:
        request.asked()
    except InvalidRequest as error:
        return [issue.model_dump() for issue in error.issues]
    return []


def request_from(values: dict[str, Any]) -> GenerationRequest:
    """The controls' values as a request. Raises InvalidRequest that names each control at fault."""
    settings = {name: _set(name, value) for name, value in values.items() if name in PARAMETERS}
    if settings.get("image_size") == CUSTOM:
        settings["image_size"] = {"width": values.get("width"), "height": values.get("height")}
    if values.get("random_seed", True):
        settings["seed"] = None
    elif settings.get("seed") is None:
        message = "Seed is empty. Enter a whole number, or tick Random seed."
        raise InvalidRequest((FieldIssue(field="seed", message=message),))
    return parse_request(settings)


def _set(name: str, value: Any) -> Any:
    """A control's value; None for one that is cleared and may stay unset."""
    return None if value == "" and not PARAMETERS[name].required else value


def _single(request: GenerationRequest) -> GenerationRequest:
    """A request whose prompt is one prompt. Raises InvalidRequest where wildcards stand for several."""
    prompts = combinations(request.prompt)
    if prompts > 1:
        message = f"Prompt: its choices stand for {prompts:,} prompts, and a grid begins with one. Its axes vary words."
        raise InvalidRequest((FieldIssue(field="prompt", message=message),))
    return request.vary(prompt=read(request.prompt).prompts()[0])


def _snapped(value: Any) -> Any:
    """A side as a multiple of 16 where it is within the limits; else unchanged, so that the error message names it."""
    if isinstance(value, int | float) and not isinstance(value, bool) and SIDE_MIN <= value <= SIDE_MAX:
        return snap_side(value)
    return value


def _changed(value: Any) -> Any:
    """The update of a side: its snapped value, or none where it is a multiple of 16 already."""
    return gr.skip() if _snapped(value) == value else _snapped(value)


def _linked_size(text: str) -> Any:
    """`landscape_4_3` or `1280x720`, as links write it."""
    width, times, height = text.partition("x")
    return {"width": width, "height": height} if times and width.isdigit() else text


def _told(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
