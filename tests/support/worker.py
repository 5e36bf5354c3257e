"""The playground without its page, as a process that tests kill: `python worker.py [number of pictures] [grid]`.

With `grid`, the pictures are the cells of a grid.

Settings come from the environment. The process resumes the history's unfinished runs, starts the new ones, and ends
when no run is unfinished.
"""

from __future__ import annotations

import asyncio
import sys

from services.grids.plan import parse_plan
from services.intake.batch import IMAGES_MAX
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.settings import load_settings

REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))


async def main(count: int = 0, grid: bool = False) -> None:
    playground = Playground(load_settings())
    await playground.start()
    if grid:
        await playground.grids.make(None, parse_plan(REQUEST, [("seed", f"1-{count}")]))
    for first in range(0, 0 if grid else count, IMAGES_MAX):
        await playground.generate(None, REQUEST.vary(seed=7 + first), min(IMAGES_MAX, count - first))
    for run in playground.history.unfinished():
        await playground.finished(None, run.id)
    await playground.stop()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:2]), grid="grid" in sys.argv))
