"""Marked words are written wherever a visitor can write, and searched for in every byte of the data folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.folder import contents
from support.whole import WholeApp, whole_app

from services.library.traces import FILES
from services.run import RunState
from ui.visitors import HEADER, visitor_of

# Gradio sums up its calls by means that pandas has deprecated.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:gradio\.queueing")

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
SMALL = {"num_inference_steps": 2, "image_size": {"width": 64, "height": 64}}
LEFT_OUT = "backups"
"""Backups go by age, not by erasure."""


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path) as whole:
        yield whole


class Visitor:
    """Writes its mark into everything that it can name or describe."""

    def __init__(self, whole: WholeApp, token: str, mark: str) -> None:
        self.whole, self.token, self.mark = whole, token, mark
        self.name = visitor_of(type("Request", (), {"headers": {HEADER: token}})()) or ""

    @property
    def marks(self) -> list[str]:
        return [f"{self.mark}{what}" for what in ("prompt", "note", "tag", "project", "axis", "refused", "gone")]

    async def post(self, path: str, body: Any = None) -> Any:
        answer = await self.whole.client.post(path, json=body or {}, headers={HEADER: self.token})
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    async def picture(self, prompt: str) -> str:
        path = "/gradio_api/call/v2/generate"
        event = (await self.post(path, {"prompt": prompt, **SMALL}))["event_id"]
        answer = await self.whole.client.get(f"/gradio_api/call/generate/{event}", headers={HEADER: self.token})
        assert answer.status_code == 200
        runs = (await self.whole.client.get("/runs?limit=1", headers={HEADER: self.token})).json()["runs"]
        return str(runs[0]["id"])

    async def write_everywhere(self) -> None:
        mark = self.mark
        await self.post("/projects", {"name": f"{mark}project"})
        run = await self.picture(f"a fox {mark}prompt")
        await self.picture(f"[refuse] {mark}refused")
        await self.post(f"/runs/{run}/notes", {"notes": f"say {mark}note"})
        await self.post(f"/runs/{run}/tags", {"tags": [f"{mark}tag"]})
        gone = await self.picture(f"an owl {mark}gone")
        await self.post(f"/runs/{gone}/delete")
        grid = await self.post(
            "/grids", {"run_id": run, "axes": [{"field": "prompt_sr", "values": f"fox, {mark}axis"}]}
        )
        await asyncio.wait_for(self.whole.playground.grids.finished(self.name, grid["id"]), 20)
        ballot = await self.post(f"/grids/{grid['id']}/blind", {"axis": 0, "mode": "pairs"})
        await self.post(f"/grids/{grid['id']}/blind/{ballot['ballot']}/verdict", {"round": 1, "choice": 0})
        for entry in (await self.whole.client.get("/runs?limit=200", headers={HEADER: self.token})).json()["runs"]:
            if entry["thumb"]:
                await self.whole.client.get(entry["thumb"])


def found(folder: Path, words: list[str]) -> dict[str, list[str]]:
    """Word → the files that hold it, as UTF-8 or UTF-16, in any case, in the name too."""
    files = {
        name: (name.encode() + data).lower()
        for name, data in contents(folder).items()
        if not name.startswith(f"{LEFT_OUT}/")
    }
    forms = {word: (word.lower().encode(), word.lower().encode("utf-16-le")) for word in words}
    return {
        word: places
        for word, wanted in forms.items()
        if (places := [name for name, data in files.items() if any(one in data for one in wanted)])
    }


def kept_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if not file.name.startswith("history.sqlite3.")}


async def test_no_byte_of_what_was_erased_is_left(whole: WholeApp, tmp_path: Path) -> None:
    ann, bob = Visitor(whole, ANN, "zanzibar"), Visitor(whole, BOB, "quixotic")
    for visitor in (ann, bob):
        await visitor.write_everywhere()
    names = [run.picture.name for entry in whole.playground.history.changed_since(whole.playground.scope(ann.name), 0)
             if (run := entry.run).picture]  # fmt: skip
    assert found(tmp_path, ann.marks).keys() == set(ann.marks), "each was written somewhere"
    assert found(tmp_path, [ann.name, *names]).keys() == {ann.name, *names}

    answer = await whole.client.delete("/my-data", headers={HEADER: ANN})
    assert answer.status_code == 200, answer.text

    assert found(tmp_path, [ann.mark, ann.name, ANN, *ann.marks, *names]) == {}, "while the server runs"
    assert found(tmp_path, bob.marks).keys() == set(bob.marks), "what is another's stays"
    assert kept_in(tmp_path) <= FILES.keys(), "a file that the table of what is kept does not know"
    await whole.playground.runner.stop()
    assert found(tmp_path, [ann.mark, ann.name]) == {}


async def test_a_deleted_picture_leaves_nothing_after_its_ten_minutes(whole: WholeApp, tmp_path: Path) -> None:
    ann = Visitor(whole, ANN, "zanzibar")
    run_id = await ann.picture(f"a fox {ann.mark}")
    await ann.picture("a fox of another kind")
    await ann.post(f"/runs/{run_id}/delete")
    playground = whole.playground
    deleted = playground.history.get(run_id, playground.scope(ann.name))
    assert deleted.picture
    playground.history.change(
        run_id, deleted_at=deleted.created_at.replace(year=2020), cost_usd=1.0, state=RunState.DONE
    )
    await playground._purge()
    await playground.erase.compact()
    assert found(tmp_path, [ann.mark, deleted.picture.name]) == {}
    assert found(tmp_path, [run_id]) == {run_id: ["erased.jsonl"]}, "by which a copy forgets it too"
