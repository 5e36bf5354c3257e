"""A history of any length, as if its runs had been made one after the other over two years.

    make_history.py FOLDER COUNT [--pictures]

writes COUNT runs into the data folder FOLDER; with --pictures a few painted pictures stand for all of theirs. The same
COUNT always gives the same runs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.engines.demo.painting.painter import paint
from services.errors import Failure
from services.library.history import History
from services.library.media import open_media
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.integer import SEED_MAX
from services.models.sizes import PRESET_PIXELS, ImageSize
from services.run import Picture, Run, RunState, Ticket
from services.stored import StoredRequest

BATCH = 5_000
NEWEST = datetime(2026, 6, 30, 21, tzinfo=timezone.utc)
PAINTED = 24

SUBJECTS = (
    "a red fox", "an old lighthouse", "a paper-cut valley", "a glass teapot", "two astronauts", "a night market",
    "a cathedral of ice", "a fern under a loupe", "a tram in the rain", "a marble whale",
)  # fmt: skip
SCENES = ("at dusk", "in thick fog", "under a green sky", "by the sea", "in a snowstorm", "on the moon", "at dawn")
STYLES = ("Bauhaus poster", "35 mm photograph", "linocut", "oil painting", "isometric render", "botanical plate")
COLOURS = ("indigo and coral", "ochre and teal", "black and white", "pale mint", "deep crimson", "amber")
RARE = ("zeppelin", "axolotl", "kintsugi", "brutalist", "heliotrope")


def runs(count: int, visitor: str | None = None, *, seed: int = 1) -> Iterator[Run]:
    """Runs in the order in which they were asked for: groups of one prompt with different seeds."""
    dice = random.Random(seed)
    moment, prompt = NEWEST - timedelta(days=730), ""
    step = timedelta(days=730) / max(count, 1)
    for number in range(count):
        if number % 4 == 0:
            prompt = _prompt(dice)
        moment += step
        yield _run(dice, number, prompt, moment, visitor)


def _prompt(dice: random.Random) -> str:
    words = f"{dice.choice(SUBJECTS)} {dice.choice(SCENES)}, {dice.choice(STYLES)}, {dice.choice(COLOURS)}"
    if dice.random() < 0.3:
        words += f", {dice.choice(SUBJECTS)} far behind, soft light, fine grain, wide shot, quiet and slow"
    return f"{words}, {dice.choice(RARE)}" if dice.random() < 0.01 else words


def _run(dice: random.Random, number: int, prompt: str, moment: datetime, visitor: str | None) -> Run:
    """Built without validation, which would take most of the time."""
    request = Flux2FlexRequest.model_construct(
        prompt=prompt,
        image_size=dice.choice((*PRESET_PIXELS, ImageSize.model_construct(width=1536, height=640))),
        seed=dice.randint(0, SEED_MAX),
        num_inference_steps=dice.choice((10, 20, 28, 28, 28, 40, 50)),
        guidance_scale=dice.choice((2.0, 3.5, 3.5, 3.5, 5.0, 7.5)),
        enable_prompt_expansion=dice.random() < 0.7,
        safety_tolerance=dice.choice("22235"),
        output_format=dice.choice(("jpeg", "jpeg", "png")),
    )
    state = dice.choices((RunState.DONE, RunState.FAILED, RunState.CANCELLED), (94, 4, 2))[0]
    width, height = request.pixels
    name = f"{dice.getrandbits(128):032x}"
    picture = Picture.model_construct(name=f"{name}.jpg", thumb=f"{name}.webp", content_type="image/jpeg",
                                      bytes=dice.randint(90_000, 400_000), width=width, height=height)  # fmt: skip
    urls = {f"{what}_url": f"https://queue.fal.run/fal-ai/flux-2-flex/requests/{name}/{what}"
            for what in ("status", "response", "cancel")}  # fmt: skip
    return Run.model_construct(
        id=f"{dice.getrandbits(128):032x}",
        visitor=visitor,
        engine=dice.choice(("fal", "demo")),
        key_of="owner",
        request=StoredRequest.of(request),
        state=state,
        created_at=moment,
        submitted_at=moment,
        started_at=moment + timedelta(seconds=0.4),
        finished_at=moment + timedelta(seconds=1 + request.num_inference_steps * dice.uniform(0.3, 0.6)),
        ticket=Ticket.model_construct(request_id=name, **urls),
        seed_used=request.seed,
        failure=FAILURE if state is RunState.FAILED else None,
        picture=picture if state is RunState.DONE else None,
        cost_usd=0.05 * width * height / 2**20,
        favourite=number % 23 == 0,
    )


FAILURE = Failure(code="timeout", message="fal took too long and gave up. You were not charged.", retryable=True,
                  charged=False)  # fmt: skip


def fill(history: History, made: Iterator[Run]) -> None:
    while batch := list(itertools.islice(made, BATCH)):
        history.add(batch)


def give_pictures(folder: Path, made: Iterator[Run]) -> None:
    """A file for every finished run: links to a few that are painted."""
    media, dice = open_media(folder), random.Random(2)
    painted: dict[tuple[int, int], list[Picture]] = {}
    for number in range(PAINTED):
        size = list(PRESET_PIXELS)[number % len(PRESET_PIXELS)]
        request = Flux2FlexRequest(prompt=_prompt(dice), image_size=size, seed=number)
        width, height = request.pixels
        data = paint(prompt=request.prompt, width=width // 2, height=height // 2, seed=number, num_inference_steps=28,
                     guidance_scale=3.5, output_format="jpeg")  # fmt: skip
        painted.setdefault(request.pixels, []).append(media.keep(data, request))
    for run in made:
        if run.picture:
            shape = run.request.pixels
            like = dice.choice(painted.get(shape) or painted[1024, 576])
            os.link(folder / "media" / like.name, folder / "media" / run.picture.name)
            os.link(folder / "thumbs" / like.thumb, folder / "thumbs" / run.picture.thumb)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("count", type=int)
    arguments.add_argument("--pictures", action="store_true")
    asked = arguments.parse_args()
    history = History(asked.folder)
    fill(history, runs(asked.count))
    history.close()
    if asked.pictures:
        give_pictures(asked.folder, runs(asked.count))


if __name__ == "__main__":
    main()
