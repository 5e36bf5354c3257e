from __future__ import annotations

import io
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from benchmarks.make_history import fill
from benchmarks.make_history import runs as many_runs
from support.projects import lines_of, parts_of

from services.archive.export import Extra
from services.grids.plan import parse_plan
from services.library.bulk import Matching, Named
from services.library.query import parse
from services.library.scope import EVERYONE, Scope
from services.library.tables import grid_cells, grids, projects
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import new_id, now


class TestZip:
    def test_originals_are_stored_byte_for_byte_under_their_names(self, shelf):
        run = shelf.add("a fox")
        parts = parts_of(data := shelf.export())
        assert parts[f"media/{run.picture.name}"] == shelf.files()[run.picture.name]
        assert list(parts) == ["README.txt", "history.jsonl", "history.csv", f"media/{run.picture.name}"]
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert {part.compress_type for part in archive.infolist()} == {zipfile.ZIP_STORED}
        assert b"1 runs, 1 pictures" in parts["README.txt"]

    def test_other_programs_read_it(self, shelf, tmp_path: Path):
        shelf.add("a fox")
        (tmp_path / "export.zip").write_bytes(shelf.export())
        done = subprocess.run(["unzip", "-tqq", tmp_path / "export.zip"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_a_line_has_every_field_but_whose_it_is(self, shelf):
        run = shelf.add('a "fox"\n狐', favourite=True, notes="=1+1", tags=("x", "y"))
        (line,) = lines_of(parts_of(shelf.export())["history.jsonl"])
        mine = run.model_dump(mode="json", exclude={"visitor", "revision", "deleted_at", "retry_of"})
        assert mine.pop("model") == "flux-2-flex", "it is not written where nobody doubts it"
        assert line == {"format": 1, **mine, "project": None}

    def test_the_order_is_that_of_asking_and_the_deleted_stay_out(self, shelf):
        first, _, last = (shelf.add(f"fox {number}", picture=False) for number in range(3))
        shelf.history.change_all(Named((_.id,)).rule(EVERYONE), deleted_at=now())
        assert [line["id"] for line in lines_of(shelf.export("jsonl"))] == [first.id, last.id]

    def test_only_what_is_chosen_and_only_of_the_scope(self, shelf):
        mine = [shelf.add(f"fox {number}", picture=False) for number in range(3)]
        cat = shelf.add("cat", picture=False)
        theirs = shelf.add("fox", visitor="bob", picture=False)
        ann = Scope("ann")
        found = Matching(parse("fox"), newest=3, but_for=(mine[0].id,))
        named = Named((cat.id, theirs.id))
        assert [line["id"] for line in lines_of(shelf.export("jsonl", ann, found))] == [mine[1].id, mine[2].id]
        assert [line["id"] for line in lines_of(shelf.export("jsonl", ann, named))] == [cat.id]

    def test_grids_come_with_the_cells_whose_runs_are_exported(self, shelf):
        grid, project = new_id(), new_id()
        plan = parse_plan(Flux2FlexRequest(prompt="π", seed=7), [("seed", "1, 2")])
        shelf.write(projects, id=project, visitor="ann", name="Foxes", created_at=now().isoformat())
        shelf.write(grids, id=grid, visitor="ann", plan=plan.model_dump_json(), paused=False,
                    created_at=now().isoformat(), repeat=None, project_id=project)  # fmt: skip
        one, two = (shelf.add(f"fox {number}", grid_id=grid, project_id=project) for number in range(2))
        for run in (one, two):
            shelf.write(grid_cells, grid_id=grid, key=run.id[:8], run_id=run.id)
        only_one = Named((one.id,))
        (line,) = lines_of(parts_of(shelf.export(chosen=only_one))["grids.jsonl"])
        assert (line["id"], line["plan"], line["project"]["name"]) == (grid, plan.model_dump(mode="json"), "Foxes")
        assert line["cells"] == [{"key": one.id[:8], "run_id": one.id}]

    def test_a_grid_can_bring_files_of_its_own(self, shelf):
        parts = parts_of(shelf.export(extras=[Extra("sheet.png", b"png"), Extra("../../table.csv", b"csv")]))
        assert (parts["grid/sheet.png"], parts["grid/table.csv"]) == (b"png", b"csv")

    def test_where_the_original_was_removed_its_thumbnail_goes_along(self, shelf):
        run = shelf.add("a fox")
        shelf.history.change(run.id, original_removed_at=now())
        shelf.media.delete("media", run.picture.name)
        parts = parts_of(shelf.export())
        assert parts[f"thumbs/{run.picture.thumb}"] == shelf.media.read("thumbs", run.picture.thumb)

    def test_nothing_is_an_export_too(self, shelf, other):
        assert lines_of(parts_of(shelf.export())["history.jsonl"]) == []
        assert other.restore(shelf.export()).restored == 0

    def test_it_is_broken_off_rather_than_short(self, shelf):
        """A file that vanishes while the ZIP goes out."""
        run = shelf.add("a fox")
        download = shelf.exporter.prepare(EVERYONE, None, "zip")
        shelf.media.remove(run.picture)
        with pytest.raises(FileNotFoundError):
            b"".join(download.blocks)
        download.close()

    def test_temporary_files_leave_nothing(self, shelf):
        shelf.add("a fox")
        shelf.export()
        assert list((shelf.folder / "incoming").iterdir()) == []


def test_memory_stays_where_it_is(shelf):
    """600 pictures of 300 KB are 170 MB; a twelfth of it may be held."""
    fill(shelf.history, many_runs(600))
    data = bytes(300_000)
    for run in many_runs(600):
        if run.picture:
            shelf.media.put("media", run.picture.name, data, sync=False)
    tracemalloc.start()
    download = shelf.exporter.prepare(EVERYONE, None, "zip")
    size = sum(len(block) for block in download.blocks)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    download.close()
    assert size == download.size > 150 * 2**20
    assert most < 14 * 2**20, f"{most / 2**20:.0f} MB"
