"""Exports and restores over the routes, as the page asks for them."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from support.clock import FakeClock
from support.projects import a_picture, lines_of, parts_of

from services.archive.errors import ArchiveError
from services.archive.import_ import Imported
from services.archive.room import ENTRY_BYTES, LEFT_FREE
from services.archive.tickets import TICKET_SECONDS, Tickets
from services.intake.uploads import A_VISITOR
from services.library.scope import EVERYONE, Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.playground import Playground
from services.run import Run, RunState, new_id, now
from services.settings import Settings
from ui.history.archive import archive_routes, sent
from ui.history.tab import history_routes
from ui.runs.routes import add_routes
from ui.visitors import HEADER, visitor_of

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
pytestmark = pytest.mark.anyio


class Desk:
    def __init__(self, folder: Path, **settings: Any) -> None:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}
        self.folder = folder
        self.clock = FakeClock()
        self.playground = Playground(
            Settings(**{**defaults, "playground_data_dir": folder, **settings}), clock=self.clock
        )
        app = FastAPI()
        add_routes(app, self.playground, "/ui-assets/v1")
        for routes in (history_routes, archive_routes):
            app.include_router(routes(self.playground))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")

    async def close(self) -> None:
        await self.client.aclose()
        await self.playground.stop()

    async def get(self, path: str, token: str | None = ANN) -> httpx.Response:
        return await self.client.get(path, headers={HEADER: token} if token else {})

    async def order(self, token: str | None = ANN, **body: Any) -> httpx.Response:
        return await self.client.post("/archive/exports", json=body, headers={HEADER: token} if token else {})

    async def export(self, token: str | None = ANN, **body: Any) -> bytes:
        asked = await self.order(token, **body)
        assert asked.status_code == 200, asked.text
        answer = await self.client.get(asked.json()["url"])
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert answer.headers["content-disposition"].startswith('attachment; filename="flux-2-flex_')
        return answer.content

    async def restore(self, data: bytes, token: str | None = ANN) -> dict[str, Any]:
        headers = {HEADER: token} if token else {}
        answer = await self.client.post("/archive/imports", content=data, headers=headers)
        return json.loads(answer.text.strip().splitlines()[-1])

    def add(self, prompt: str = "a fox", token: str = ANN, **fields: Any) -> Run:
        request = Flux2FlexRequest(prompt=prompt, seed=7, image_size="square")
        picture = self.playground.media.keep(a_picture(prompt), request)
        visitor = visitor_of(SimpleNamespace(headers={HEADER: token}))
        run = Run(id=new_id(), visitor=visitor, engine="demo", key_of="owner", request=request, picture=picture,
                  created_at=now(), state=RunState.DONE)  # fmt: skip
        return self.playground.history.add([run.model_copy(update=fields)])[0]

    def left(self) -> list[str]:
        return [file.name for file in (self.folder / "incoming").glob("*")]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "desk")
    yield desk
    await desk.close()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "other")
    yield desk
    await desk.close()


class TestExport:
    async def test_what_is_chosen(self, desk):
        runs = [desk.add(f"fox {number}") for number in range(3)]
        desk.add("cat")
        (named,) = lines_of(await desk.export(ids=[runs[1].id], kind="jsonl"))
        assert named["id"] == runs[1].id
        found = lines_of(await desk.export(query="fox", newest=99, but_for=[runs[0].id], kind="jsonl"))
        assert [line["id"] for line in found] == [runs[1].id, runs[2].id]
        assert len(lines_of(await desk.export(everything=True, kind="jsonl"))) == 4
        assert (await desk.export(everything=True, kind="csv")).count(b"\r\n") == 5
        assert len(parts_of(await desk.export(everything=True))) == 7

    async def test_another_visitor_gets_nothing(self, desk):
        run = desk.add()
        for body in ({"everything": True}, {"ids": [run.id]}, {"query": "fox", "newest": 99}):
            for token in (BOB, None):
                answer = await desk.order(token, **body)
                assert (answer.status_code, answer.json()["message"]) == (422, "There is nothing to export.")

    async def test_the_address_is_nobody_s_guess_and_ends(self, desk):
        desk.add()
        url = (await desk.order(everything=True)).json()["url"]
        assert (await desk.get(url)).status_code == 200
        assert (await desk.get(f"{url}x")).status_code == 404
        desk.clock.advance(TICKET_SECONDS)
        assert (await desk.get(url)).status_code == 404

    @pytest.mark.parametrize("body", [{"kind": "exe"}, {"query": "steps:many"}, {"colour": 1}, {"ids": "x"}])
    async def test_what_is_no_order_is_refused(self, desk, body):
        assert (await desk.order(**body)).status_code == 422

    async def test_other_work_goes_on_while_a_disk_is_slow(self, desk):
        def slow() -> Iterator[bytes]:
            time.sleep(0.2)
            yield b"block"

        download = await desk.playground.archive.export(Scope(None, everyone=True), None, "csv")
        answer, ticks = sent(replace(download, blocks=slow()), desk.playground.pools.transfers), 0
        reading = asyncio.ensure_future(anext(aiter(answer.body_iterator)))
        while not reading.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await reading, ticks > 3) == (b"block", True)
        download.close()

    async def test_one_visitors_exports_leave_a_place_to_anothers(self, desk, monkeypatch):
        archive, go_on = desk.playground.archive, threading.Event()
        prepare = archive._exporter.prepare

        def slow(scope: Scope, *args: Any, **more: Any) -> Any:
            assert scope.visitor != "ann" or go_on.wait(10)
            return prepare(scope, *args, **more)

        monkeypatch.setattr(archive._exporter, "prepare", slow)
        anns = [asyncio.ensure_future(archive.export(Scope("ann"), None, "csv")) for _ in range(6)]
        await asyncio.sleep(0)
        bobs = await asyncio.wait_for(archive.export(Scope("bob"), None, "csv"), 10)
        assert not [one for one in anns if one.done()]
        go_on.set()
        for download in [*await asyncio.gather(*anns), bobs]:
            download.close()
        assert not archive._turns

    def test_tickets_do_not_pile_up(self):
        clock = FakeClock()
        tickets = Tickets(clock)
        for _ in range(3):
            tickets.add(Scope("ann"), None, "zip")
        clock.advance(TICKET_SECONDS)
        tickets.add(Scope("ann"), None, "zip")
        assert len(tickets._tickets) == 1


class TestRestore:
    async def test_everything_comes_back(self, desk, other):
        run = desk.add("a fox", favourite=True, notes="nice")
        data = await desk.export(everything=True)
        assert await other.restore(data) == {"restored": 1, "here": 0, "originals": 1, "without": 0, "grids": []}
        assert (await other.restore(data))["here"] == 1
        (card,) = (await other.get("/history")).json()["runs"]
        assert (card["id"], card["favourite"], card["gone"]) == (run.id, True, None)
        assert (await other.get(card["media"])).content == a_picture("a fox")
        assert other.left() == []

    async def test_what_stands_below_all_that_was_here_is_paged_and_chosen_too(self, desk, other):
        for number in range(3):
            desk.add(f"old {number}", created_at=now() - timedelta(days=9 - number))
        other.add("new")
        await other.restore(await desk.export(everything=True))
        seen, after = [], ""
        for path in ("/history?limit=1&after={}", "/runs?limit=1&before={}"):
            after = ""
            while runs := (await other.get(path.format(after) if after else path.partition("&")[0])).json()["runs"]:
                seen.append(runs[0]["prompt"])
                after = str(runs[0]["seq"])
        assert seen == ["new", "old 2", "old 1", "old 0"] * 2
        assert int(after) < 0
        lowest = {"query": "old", "newest": int(after)}
        assert [line["seed_used"] for line in lines_of(await other.export(kind="jsonl", **lowest))] == [None]
        assert (await other.order()).status_code == 422

    async def test_of_the_visitor_who_drops_it(self, desk):
        desk.add("a fox")
        data = await desk.export(everything=True)
        assert (await desk.restore(data, BOB))["restored"] == 1
        assert (await desk.restore(data, None))["message"].startswith("Open the page first")
        assert len((await desk.get("/history", BOB)).json()["runs"]) == 1

    async def test_a_refusal_is_a_sentence(self, desk):
        said = await desk.restore(b"PK\x03\x04 and no more")
        assert said == {
            "message": "The end of the ZIP is missing: it was not copied or downloaded whole. Fetch it again. "
            "Nothing was restored."
        }
        assert desk.left() == []

    async def test_pages_hear_of_it(self, desk, other):
        run = desk.add("a fox")
        data = await desk.export(everything=True)
        with other.playground.changes.listen(Scope(run.visitor)) as wake:
            await other.restore(data)
            await asyncio.wait_for(wake.wait(), 5)

    async def test_pictures_that_wait_for_room_are_said_and_pages_hear_of_the_rest(self, desk, other, monkeypatch):
        def full(*_args: Any, **_more: Any) -> None:
            raise OSError(28, "No space left on device")

        desk.add()
        data = await desk.export(everything=True)
        monkeypatch.setattr(other.playground.media, "put", full)
        with other.playground.changes.listen(EVERYONE) as heard:
            answer = await other.restore(data)
            assert heard.is_set()
        assert answer["message"].startswith("Everything is restored but some pictures")
        assert "Nothing was restored" not in answer["message"]
        assert len((await other.get("/history")).json()["runs"]) == 1

    async def test_without_its_original_a_card_shows_what_there_is(self, desk, other):
        run = desk.add("a fox")
        await other.restore(await desk.export(everything=True, kind="jsonl"))
        (card,) = (await other.get("/history")).json()["runs"]
        assert card["gone"].startswith("Restored without its picture.")
        assert card["media"].startswith("data:image/svg+xml,")
        answer = await other.get(f"/runs/{run.id}/download")
        assert (answer.status_code, answer.json()["message"][:32]) == (410, "This was restored without its pi")


async def test_the_download_of_a_removed_original_is_refused_with_the_reason(desk):
    run = desk.add("a fox")
    desk.playground.history.change(run.id, original_removed_at=now())
    desk.playground.media.delete("media", run.picture.name)
    answer = await desk.get(f"/runs/{run.id}/download")
    assert answer.status_code == 410
    assert answer.json()["message"].startswith("The original was removed to save space")
    (card,) = (await desk.get("/history")).json()["runs"]
    assert card["media"] == card["thumb"] == f"/thumbs/{run.picture.thumb}"


class TestUpload:
    async def parts(self, *parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def refused(self, desk: Desk, size: int | None, *parts: bytes) -> str:
        with pytest.raises(ArchiveError) as caught:
            await desk.playground.archive.receive(self.parts(*parts), size)
        assert desk.left() == []
        return caught.value.reason

    async def test_larger_than_the_limit(self, tmp_path):
        desk = Desk(tmp_path, playground_import_limit_gb=0.001)
        assert await self.refused(desk, 2**30) == "too_large"
        assert await self.refused(desk, None, *[bytes(2**20)] * 3) == "too_large"
        answer = await desk.client.post("/archive/imports", content=bytes(2**21), headers={HEADER: ANN})
        assert answer.status_code == 400
        assert "PLAYGROUND_IMPORT_LIMIT_GB" in answer.json()["message"]
        await desk.close()

    async def test_switched_off(self, tmp_path):
        desk = Desk(tmp_path, playground_import_limit_gb=0)
        assert await self.refused(desk, 1) == "not_allowed"
        await desk.close()

    async def test_no_room_on_the_disk(self, desk, monkeypatch):
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
        assert await self.refused(desk, 600) == "no_room"

    async def test_a_disk_that_fills_up_on_the_way(self, desk, monkeypatch):
        file = desk.folder / "incoming" / "upload-x"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

        class Full(io.BytesIO):
            name = str(file)

            def write(self, _data: Any) -> int:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_options: Full())
        assert await self.refused(desk, None, b"PK") == "no_room"
        assert not file.exists()

    async def test_one_that_breaks_off_leaves_nothing(self, desk):
        async def broken() -> AsyncIterator[bytes]:
            yield b"x"
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await desk.playground.archive.receive(broken(), None)
        assert desk.left() == []

    async def test_of_nobody_it_is_refused_before_it_is_read(self, desk):
        async def never() -> AsyncIterator[bytes]:
            raise AssertionError
            yield b""

        answer = await desk.client.post("/archive/imports", content=never())
        assert answer.json()["message"].startswith("Open the page first")

    @pytest.mark.parametrize("path", ["/archive/imports", "/settings-of-file"])
    async def test_a_visitor_sends_a_few_at_once(self, desk, path):
        go_on = asyncio.Event()
        begun = [asyncio.Event() for _ in range(A_VISITOR)]

        async def waiting(number: int) -> AsyncIterator[bytes]:
            yield b"x"
            begun[number].set()
            await go_on.wait()

        def send(content: Any, token: str = ANN) -> Any:
            return asyncio.ensure_future(desk.client.post(path, content=content, headers={HEADER: token}))

        sending = [send(waiting(number)) for number in range(A_VISITOR)]
        await asyncio.gather(*(one.wait() for one in begun))
        refused = await send(b"x")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert refused.json()["message"].startswith(f"{A_VISITOR} files of yours are on their way")
        assert (await send(b"x", BOB)).status_code != 429
        go_on.set()
        await asyncio.gather(*sending)
        assert (await send(b"x")).status_code != 429
        assert not desk.playground.uploads._under_way

    async def test_a_place_is_held_until_all_is_restored(self, desk, other, monkeypatch):
        desk.add("a fox")
        data = await desk.export(everything=True)
        go_on, begun = threading.Event(), threading.Event()
        restore = other.playground.archive._importer.import_file

        def slow(*args: Any) -> Imported:
            begun.set()
            assert go_on.wait(10)
            return restore(*args)

        monkeypatch.setattr(other.playground.archive._importer, "import_file", slow)
        restoring = asyncio.ensure_future(other.restore(data))
        await other.playground.pools.chores(begun.wait, 10)
        assert other.playground.uploads._under_way.total() == 1
        go_on.set()
        assert (await restoring)["restored"] == 1
        assert not other.playground.uploads._under_way


class TestRoom:
    """An import adds what the disk and the owner's limits have room for, or nothing."""

    async def refused(self, desk: Desk, data: bytes) -> str:
        answer = await desk.restore(data)
        assert (await desk.get("/history")).json()["runs"] == []
        assert desk.left() == []
        return str(answer["message"])

    def disk(self, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    async def test_what_is_left_of_the_disk_is_for_pictures_that_are_paid_for(self, desk, other, monkeypatch):
        desk.add("a fox")
        data = await desk.export(everything=True, kind="jsonl")
        self.disk(monkeypatch, LEFT_FREE + 2 * len(data))
        said = await self.refused(other, data)
        assert re.fullmatch(r"It would add \S+ GB here, and the server's disk has room for \S+ GB. Nothing .*", said)
        self.disk(monkeypatch, LEFT_FREE + 2 * len(data) - 1)
        assert await self.refused(other, data) == "The server's disk has no room for it. Nothing was restored."
        self.disk(monkeypatch, LEFT_FREE + 2 * len(data) + ENTRY_BYTES)
        assert (await other.restore(data))["restored"] == 1

    async def test_uploads_on_their_way_count(self, desk, monkeypatch):
        room = desk.playground.archive._room
        self.disk(monkeypatch, LEFT_FREE + 100)
        with room.promised(60):
            with pytest.raises(ArchiveError), room.promised(41):
                pass
            with room.promised(40):
                pass
        with room.promised(100):
            pass

    async def test_an_upload_of_unknown_length_stops_before_the_disk_is_full(self, desk, monkeypatch):
        self.disk(monkeypatch, LEFT_FREE - 1)

        async def parts() -> AsyncIterator[bytes]:
            yield bytes(100)

        with pytest.raises(ArchiveError, match="no room"):
            await desk.playground.archive.receive(parts(), None)
        assert desk.left() == []

    @pytest.mark.parametrize("name", ["media_limit", "import_total"])
    async def test_the_owners_limits_hold_with_what_is_here_already(self, desk, tmp_path, name):
        for prompt in ("a fox", "a cat"):
            desk.add(prompt)
        one = await desk.export(query="fox", newest=99)
        both = await desk.export(everything=True)
        sizes = [len(part) for path, part in parts_of(both).items() if path.startswith("media/")]
        limited = Desk(tmp_path / name, **{f"playground_{name}_gb": (sum(sizes) - 1) / 2**30})
        said = await self.refused(limited, both)
        assert f"PLAYGROUND_{name.upper()}_GB" in said
        assert (await limited.restore(one))["restored"] == 1
        assert "message" in await limited.restore(both)
        assert (await limited.restore(one))["here"] == 1
        await limited.close()
