"""A grid's exports: how long 36 cells of one megapixel take, and how much memory 400 do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.bench import Sample, clean_environment, show
from support.server import ROOT

ROUNDS = 5
TARGET_SECONDS = 1.5
TARGET_MB = 500
MAKE = """
import json, resource, sys, time
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [".", "tests"]
from PIL import Image
from services.sheets.html import write_page
from services.sheets.png import contact_sheet
from services.sheets.pdf import contact_sheet_pdf
from services.engines.demo.painting.painter import paint
from services.library.media import thumbnail
from support.grids import axis, grid, made

folder, side, ending, rounds = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
cells = {}
for number in range(min(side * side, 36)):
    file = folder / f"{number}.{ending}"
    if not file.exists():
        settings = {"width": 1024, "height": 1024, "seed": number, "num_inference_steps": 28, "guidance_scale": 3.5}
        file.write_bytes(paint(prompt="a misty forest", output_format={"jpg": "jpeg"}.get(ending, ending), **settings))
        file.with_suffix(".webp").write_bytes(thumbnail(Image.open(file)))
    cells[number] = replace(made(file, size=(1024, 1024)), thumb=file.with_suffix(".webp"))
places = [(x, y, 0) for y in range(side) for x in range(side)]
layout = grid(folder, x=axis("Seed", range(side)), y=axis("Guidance scale", range(side)), size=(1024, 1024),
              instead={place: cells[at % len(cells)] for at, place in enumerate(places)})
exports = {
    "PNG": lambda file: contact_sheet(layout, "technical", file),
    "PDF": lambda file: contact_sheet_pdf(layout, "technical", file),
    "HTML": lambda file: write_page(layout, file),
}
found = {}
for name in sys.argv[5].split(","):
    seconds, busy = [], []
    for _ in range(rounds):
        start, busy_before = time.perf_counter(), time.process_time()
        exports[name](folder / f"grid.{name}")
        seconds.append(time.perf_counter() - start)
        busy.append(time.process_time() - busy_before)
    found[name] = {"seconds": seconds, "busy": busy, "bytes": (folder / f"grid.{name}").stat().st_size}
print(json.dumps({"exports": found, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def measured(folder: Path, side: int, ending: str, rounds: int, exports: str) -> dict[str, Any]:
    command = [sys.executable, "-c", MAKE, str(folder), str(side), ending, str(rounds), exports]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(name: str, export: dict[str, Any]) -> list[str]:
    seconds, busy = Sample(tuple(export["seconds"])), Sample(tuple(export["busy"]))
    return [name, seconds.told(), busy.told(), f"{export['bytes'] / 2**20:.1f} MB"]


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_36_cells(tmp_path: Path, ending: str) -> None:
    """Processor time is that of all threads together: what other work on the machine disturbs least."""
    found = measured(tmp_path, 6, ending, ROUNDS, "PNG,PDF,HTML")["exports"]
    show(
        f"36 cells of 1 MP ({ending}), {ROUNDS} rounds; target for the PNG ≤ {TARGET_SECONDS} s",
        ("export", "time", "processor time", "size"),
        [row(name, export) for name, export in found.items()],
    )


def test_400_cells_in_bounded_memory(tmp_path: Path) -> None:
    """Each export in a process of its own: the most memory that it ever held, with Python and its modules."""
    measured(tmp_path, 6, "jpg", 1, "HTML")  # paints the pictures
    rows = []
    for name in ("PNG", "PDF", "HTML"):
        found = measured(tmp_path, 20, "jpg", 1, name)
        rows.append([*row(name, found["exports"][name]), f"{found['mb']:.0f} MB"])
        assert found["mb"] < TARGET_MB
    show(
        f"400 cells of 1 MP; target < {TARGET_MB} MB",
        ("export", "time", "processor time", "size", "memory"),
        rows,
    )
