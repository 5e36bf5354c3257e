"""Our routes on a bare FastAPI, with a playground on the demo engine behind them."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message
from support.patience import PATIENCE_SECONDS

from services.errors import Failure
from services.library.history import History
from services.library.media import Media
from services.library.media_store import Store
from services.metadata import read_settings
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import Run, RunState, new_id, now
from services.settings import Settings
from services.stored import StoredRequest
from services.version import VERSION
from ui.cards import PROMPT_CUT
from ui.runs.routes import ASSETS, add_routes
from ui.visitors import VisitorCookie, visitor_of

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
REQUEST = Flux2FlexRequest(prompt="a fox <b>&</b>", seed=7, num_inference_steps=2,
                            image_size=ImageSize(width=64, height=64))  # fmt: skip
KEY = "0a1b2c3d:their-very-secret-key"


def as_(token: str | None) -> dict[str, str]:
    return {"X-Playground-Visitor": token} if token else {}


class Desk:
    """A playground, its routes, and a client for them."""

    def __init__(self, folder: Path, *, media: Media | None = None, **settings: Any) -> None:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}
        self.folder = folder
        self.playground = Playground(Settings(**{**defaults, "playground_data_dir": folder, **settings}), media=media)
        self.app = FastAPI()
        add_routes(self.app, self.playground, "/ui-assets/v1")
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://page")

    async def get(self, path: str, token: str | None = ANN, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={**as_(token), **headers})

    async def post(self, path: str, body: Any = None, token: str | None = ANN) -> httpx.Response:
        return await self.client.post(path, json=body, headers=as_(token))

    def add(self, token: str | None = ANN, **fields: Any) -> Run:
        """A run in the history that nobody works on."""
        visitor = self.name_of(token)
        defaults = {"id": new_id(), "visitor": visitor, "engine": "demo", "key_of": "owner", "request": REQUEST,
                    "created_at": now()}  # fmt: skip
        return self.playground.history.add([Run(**{**defaults, **fields})])[0]

    def name_of(self, token: str | None) -> str | None:
        return visitor_of(httpx.Request("GET", "http://page/", headers=as_(token)))

    async def make(self, token: str | None = ANN, **settings: Any) -> Run:
        (run,) = await self.playground.generate(self.name_of(token), REQUEST.vary(**settings))
        return await asyncio.wait_for(self.playground.finished(None, run.id), PATIENCE_SECONDS)

    def change(self, run: Run, **fields: Any) -> Run:
        changed = self.playground.history.change(run.id, **fields)
        self.playground.changes.tell(changed.visitor)
        return changed


@pytest.fixture
async def open_desk(tmp_path: Path) -> AsyncIterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def open_(**settings: Any) -> Desk:
        desks.append(Desk(tmp_path, **settings))
        return desks[-1]

    yield open_
    for desk in desks:
        await desk.client.aclose()
        await desk.playground.stop()


@pytest.fixture
async def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


class Events:
    """An open event stream. ASGITransport hands out whole bodies only, so this speaks ASGI itself."""

    def __init__(self) -> None:
        self.status = 0
        self.first: tuple[str, str, dict[str, Any]] | None = None
        """`hello` or `anew`."""
        self.headers: dict[str, str] = {}
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._text = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self._chunks.put_nowait(message.get("body", b""))

    async def next(self) -> tuple[int, dict[str, Any]]:
        """(revision, data) of the next event of a run."""
        name, event_id, data = await self.any()
        assert name == "run"
        epoch, _, revision = event_id.rpartition(".")
        assert re.fullmatch("h[0-9a-f]{1,16}", epoch)
        return int(revision), data

    async def any(self) -> tuple[str, str, dict[str, Any]]:
        """(name, id, data) of the next event."""
        while "\r\n\r\n" not in self._text:
            self._text += (await asyncio.wait_for(self._chunks.get(), PATIENCE_SECONDS)).decode()
        block, self._text = self._text.split("\r\n\r\n", 1)
        fields = dict(line.split(": ", 1) for line in block.split("\r\n"))
        return fields["event"], fields.get("id", ""), json.loads(fields["data"])

    async def quiet(self) -> bool:
        """Whether nothing comes for a moment."""
        await asyncio.sleep(0.08)
        return self._chunks.empty() and not self._text


@asynccontextmanager
async def listening(desk: Desk, query: str = "", token: str | None = ANN, **headers: str) -> AsyncIterator[Events]:
    events, gone = Events(), asyncio.Event()
    raw = [(name.lower().encode(), value.encode()) for name, value in {**as_(token), **headers}.items()]
    scope = {"type": "http", "method": "GET", "path": "/events", "raw_path": b"/events", "root_path": "",
             "query_string": query.encode(), "headers": raw, "scheme": "http", "http_version": "1.1",
             "server": ("page", 80), "client": ("127.0.0.1", 1)}  # fmt: skip
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await gone.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    task = asyncio.create_task(desk.app(scope, receive, events.send))
    while not events.status:
        await asyncio.sleep(0.002)
        assert not task.done() or task.exception() is None
    await asyncio.sleep(0.02)  # it listens from here on
    events.first = await events.any()
    try:
        yield events
    finally:
        gone.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


class TestHealth:
    @pytest.mark.parametrize(
        ("settings", "engine"), [({}, "demo"), ({"playground_engine": "auto", "fal_key": SecretStr("a:b")}, "fal")]
    )
    async def test_it_says_which_engine(self, open_desk, settings, engine):
        response = await open_desk(**settings).get("/healthz", token=None)
        assert (response.status_code, response.json()) == (200, {"status": "ok", "engine": engine, "version": VERSION})

    async def test_gradios_deep_links_are_refused(self, desk):
        assert (await desk.get("/gradio_api/deep_link?session_hash=abc")).status_code == 404

    async def test_assets_are_served_for_good(self, desk):
        response = await desk.get("/ui-assets/v1/css/style.css", token=None)
        assert response.content == (ASSETS / "css" / "style.css").read_bytes()
        assert "immutable" in response.headers["cache-control"]
        stylesheet = await desk.get("/ui-assets/v1/page.css", token=None)
        assert all(file.read_bytes() in stylesheet.content for file in ASSETS.glob("css/*.css"))
        assert (await desk.get("/ui-assets/v1/../../app.py")).status_code == 404
        assert (await desk.get("/ui-assets/v1/..%2f..%2fapp.py")).status_code == 404


class TestRuns:
    async def test_an_empty_history(self, desk):
        response = await desk.get("/runs")
        assert response.json() == {
            "cursor": 0, "epoch": desk.playground.history.epoch, "version": VERSION,
            "more": False, "runs": [], "visit": {"pictures": 0, "cost_usd": 0.0}, "engine": "demo",
            "own_key": False, "own_history": True, "backup_days": 7, "notice": None,
            "stacks": {}, "projects": [], "project": "inbox",
        }  # fmt: skip

    async def test_notes_and_tags(self, desk):
        run = desk.add()
        await desk.post(f"/runs/{run.id}/notes", {"notes": " for <b>the</b> client " + "x" * 400})
        await desk.post(f"/runs/{run.id}/tags", {"tags": ["Poster", "poster", "#b"]})
        [card] = (await desk.get("/runs")).json()["runs"]
        assert (card["tags"], len(card["notes"]), card["notes_cut"]) == (["Poster", "b"], 280, True)
        assert (await desk.get(f"/runs/{run.id}")).json()["notes"] == "for <b>the</b> client " + "x" * 400
        for name, body in (("notes", {"notes": "x" * 2001}), ("tags", {"tags": ["a,b"]})):
            refused = await desk.post(f"/runs/{run.id}/{name}", body)
            assert (refused.status_code, refused.json()["issues"][0]["field"]) == (422, name)
            assert (await desk.post(f"/runs/{run.id}/{name}", body, BOB)).status_code == 404
        await desk.post(f"/runs/{run.id}/tags", {"tags": "not a list"})
        assert (await desk.get("/runs")).json()["runs"][0]["tags"] == []

    async def test_of_a_grid_one_card_is_sent_and_what_it_stands_for(self, desk):
        cells = [desk.add(grid_id="a" * 32) for _ in range(3)]
        single = desk.add()
        page = (await desk.get("/runs")).json()
        assert [card["id"] for card in page["runs"]] == [single.id, cells[-1].id]
        assert page["stacks"]["a" * 32]["count"] == 3
        assert page["runs"][1]["grid"] == "a" * 32

    async def test_pages_follow_each_other(self, desk):
        runs = [desk.add() for _ in range(5)]
        ids, query = [], "/runs?limit=2"
        for more in (True, True, False):
            page = (await desk.get(query)).json()
            assert page["more"] is more
            ids += [card["id"] for card in page["runs"]]
            query = f"/runs?limit=2&before={page['runs'][-1]['seq']}"
        assert ids == [run.id for run in reversed(runs)]
        assert page["cursor"] == 5

    @pytest.mark.parametrize(("limit", "shown"), [(0, 1), (-5, 1), (3, 3), (10**6, 200)])
    async def test_the_page_size_has_limits(self, desk, limit, shown):
        run = desk.add()
        desk.playground.history.add([run.model_copy(update={"id": new_id()}) for _ in range(210)])
        assert len((await desk.get(f"/runs?limit={limit}")).json()["runs"]) == shown

    async def test_a_finished_card_tells_all_that_the_page_shows(self, desk):
        run = await desk.make()
        (card,) = (await desk.get("/runs")).json()["runs"]
        assert (card["id"], card["state"], card["seed"], card["engine"]) == (run.id, "done", 7, "demo")
        assert card["prompt"] == "a fox <b>&</b>"
        assert card["media"] == f"/media/{run.picture.name}"
        assert card["thumb"] == f"/thumbs/{run.picture.thumb}"
        assert (card["width"], card["height"], card["content_type"]) == (64, 64, "image/jpeg")
        assert (card["failure"], card["cancelling"], card["favourite"], card["deleted"]) == (None, False, False, False)
        assert card["settings"]["num_inference_steps"] == 2
        assert "visitor" not in card
        assert "ticket" not in card

    async def test_a_long_prompt_travels_cut_and_the_details_whole(self, desk):
        prompt = "x" * (PROMPT_CUT + 1)
        run = desk.add(request=REQUEST.vary(prompt=prompt))
        (card,) = (await desk.get("/runs")).json()["runs"]
        assert (len(card["prompt"]), card["prompt_cut"]) == (PROMPT_CUT, True)
        details = (await desk.get(f"/runs/{run.id}")).json()
        assert details["request"]["prompt"] == prompt
        assert details["request"]["seed"] == 7

    async def test_details_of_a_finished_run_name_fals_request(self, desk):
        run = await desk.make()
        details = (await desk.get(f"/runs/{run.id}")).json()
        assert details["id"] == run.id
        assert details["request_id"] == run.ticket.request_id

    async def test_the_visit_counts_from_its_beginning(self, desk):
        done = {"state": RunState.DONE, "cost_usd": 0.05}
        desk.add(**done, created_at=now() - timedelta(days=2))
        desk.add(**done, created_at=now() - timedelta(hours=2))
        desk.add(**done)
        hour_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).timestamp() * 1000
        assert (await desk.get(f"/runs/visit?since={hour_ago}")).json() == {"pictures": 1, "cost_usd": 0.05}
        for odd in ("0", "-1e300", "nan", "-inf"):
            visit = (await desk.get(f"/runs/visit?since={odd}")).json()
            assert visit == {"pictures": 2, "cost_usd": 0.1}, "a day at most, whatever the browser's clock says"

    @pytest.mark.parametrize("language", ["python", "javascript", "curl"])
    async def test_code_of_a_run(self, desk, language):
        run = desk.add()
        code = (await desk.get(f"/runs/{run.id}/snippet?language={language}")).json()["code"]
        assert "fal-ai/flux-2-flex" in code
        assert "a fox <b>&</b>" in code

    async def test_the_download_carries_its_settings_under_a_telling_name(self, desk):
        run = await desk.make()
        response = await desk.get(f"/runs/{run.id}/download")
        original = desk.playground.media.read("media", run.picture.name)
        assert read_settings(response.content).request == run.request
        assert Image.open(io.BytesIO(response.content)).tobytes() == Image.open(io.BytesIO(original)).tobytes()
        assert re.search(r'filename="flux-2-flex_\d{8}-\d{6}_seed7\.jpg"', response.headers["content-disposition"])

    async def test_a_download_without_a_picture(self, desk):
        response = await desk.get(f"/runs/{desk.add().id}/download")
        assert response.status_code == 404
        assert response.json()["message"].startswith("There is no picture file here.")


class TestVisitors:
    async def test_each_sees_only_their_own(self, desk):
        anns, bobs, nobodys = desk.add(ANN), desk.add(BOB), desk.add(None)

        async def seen(token: str | None) -> list[str]:
            return [card["id"] for card in (await desk.get("/runs", token=token)).json()["runs"]]

        assert await seen(ANN) == [anns.id]
        assert await seen(BOB) == [bobs.id]
        assert await seen(None) == []
        for path in ("", "/snippet?language=python", "/download"):
            assert (await desk.get(f"/runs/{anns.id}{path}", token=BOB)).status_code == 404
            assert (await desk.get(f"/runs/{nobodys.id}{path}", token=None)).status_code == 404

    async def test_nobody_else_can_press_a_button(self, desk):
        run = desk.add(ANN)
        for action in ("cancel", "retry", "delete", "restore", "new-seeds", "nearby", "favourite"):
            for token in (BOB, None):
                response = await desk.post(f"/runs/{run.id}/{action}", {"field": "guidance_scale", "on": True}, token)
                assert response.status_code == 404, action
                assert "belong to another visitor" in response.json()["message"]
        assert await desk.playground.run(desk.name_of(ANN), run.id) == run

    async def test_in_shared_mode_all_see_all(self, open_desk):
        desk = open_desk(playground_history="shared")
        run = desk.add(ANN)
        for token in (ANN, BOB, None):
            assert [card["id"] for card in (await desk.get("/runs", token=token)).json()["runs"]] == [run.id]

    async def test_the_cookie_is_as_good_as_the_header_and_the_header_wins(self, desk):
        anns, bobs = desk.add(ANN), desk.add(BOB)
        by_cookie = await desk.get("/runs", token=None, cookie=f"playground_visitor={ANN}")
        assert [card["id"] for card in by_cookie.json()["runs"]] == [anns.id]
        both = await desk.get("/runs", token=BOB, cookie=f"playground_visitor={ANN}")
        assert [card["id"] for card in both.json()["runs"]] == [bobs.id]

    @pytest.mark.parametrize("token", ["", "short", "a" * 31, "a" * 129, "a" * 31 + "!", "a" * 40 + "\tb", "é" * 40])
    def test_what_is_no_token_is_nobody(self, token):
        assert visitor_of(type("Request", (), {"headers": {"x-playground-visitor": token}})()) is None
        assert visitor_of(type("Request", (), {"headers": {"cookie": f"playground_visitor={token}"}})()) is None

    async def test_the_token_itself_is_not_the_name_in_the_history(self, desk):
        name = desk.name_of(ANN)
        assert name is not None
        assert len(name) == 32
        assert name not in ANN
        assert name != desk.name_of(BOB)
        assert visitor_of(None) is None


class TestVisitorCookie:
    async def opened(self, path: str = "/", scheme: str = "http", **headers: str) -> httpx.Response:
        app: ASGIApp = VisitorCookie(PlainTextResponse("page"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://page") as client:
            return await client.get(path, headers=headers)

    async def test_opening_the_page_brings_a_token(self):
        cookie = (await self.opened()).headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        token = SimpleCookie(cookie)["playground_visitor"].value
        assert visitor_of(httpx.Request("GET", "http://page", headers=as_(token)))

    async def test_each_browser_gets_another_one(self):
        assert (await self.opened()).headers["set-cookie"] != (await self.opened()).headers["set-cookie"]

    async def test_behind_https_it_survives_in_a_frame(self):
        cookie = (await self.opened(scheme="https")).headers["set-cookie"]
        assert "SameSite=None; Secure; Partitioned" in cookie

    @pytest.mark.parametrize(
        ("path", "headers"),
        [("/", {"cookie": f"playground_visitor={ANN}"}), ("/", as_(ANN)), ("/runs", {}), ("/media/x", {})],
    )
    async def test_nothing_is_set_where_it_is_not_needed(self, path, headers):
        assert "set-cookie" not in (await self.opened(path, **headers)).headers


class TestActions:
    async def test_favourite(self, desk):
        run = desk.add()
        for on in (True, False):
            assert (await desk.post(f"/runs/{run.id}/favourite", {"on": on})).json() == {"runs": [run.id]}
            assert (await desk.get("/runs")).json()["runs"][0]["favourite"] is on

    async def test_delete_and_restore(self, desk):
        run = desk.add(state=RunState.DONE)
        assert (await desk.post(f"/runs/{run.id}/delete")).status_code == 200
        assert (await desk.get("/runs")).json()["runs"] == []
        await desk.post(f"/runs/{run.id}/restore")
        assert [card["id"] for card in (await desk.get("/runs")).json()["runs"]] == [run.id]

    async def test_cancel_before_it_is_sent(self, desk):
        run = desk.add()
        await desk.post(f"/runs/{run.id}/cancel")
        assert (await desk.get("/runs")).json()["runs"][0]["state"] == "cancelled"

    @pytest.mark.parametrize(
        ("action", "body", "count"),
        [("new-seeds", None, 4), ("nearby", {"field": "guidance_scale"}, 4), ("retry", None, 1)],
    )
    async def test_variations_name_the_new_runs(self, desk, action, body, count):
        run = desk.add(state=RunState.FAILED)
        runs = (await desk.post(f"/runs/{run.id}/{action}", body)).json()["runs"]
        assert len(set(runs) - {run.id}) == count
        shown = {card["id"] for card in (await desk.get("/runs")).json()["runs"]}
        assert set(runs) < shown

    async def test_faults_come_as_a_sentence_with_their_field(self, desk):
        run = desk.add()
        response = await desk.post(f"/runs/{run.id}/nearby", {"field": "seed"})
        sentence = "Nearby works on guidance_scale, num_inference_steps."
        assert response.status_code == 422
        assert response.json() == {"message": sentence, "issues": [{"field": "seed", "message": sentence}]}
        response = await desk.get(f"/runs/{run.id}/snippet?language=cobol")
        assert response.status_code == 422
        assert response.json()["issues"][0]["field"] == "language"

    async def test_an_unknown_run_is_said(self, desk):
        for response in (await desk.get("/runs/nope"), await desk.post("/runs/nope/cancel")):
            assert response.status_code == 404
            assert response.json()["message"].startswith("There is no picture here.")

    async def test_no_budget_left_is_402(self, open_desk):
        desk = open_desk(playground_engine="fal", fal_key=SecretStr("a:b"), playground_visitor_budget_usd=0.0)
        run = desk.add(state=RunState.FAILED, engine="fal")
        response = await desk.post(f"/runs/{run.id}/retry")
        assert response.status_code == 402
        assert response.json()["message"].startswith("Each visitor may spend $0.00 a day;")

    async def test_too_much_at_once_is_429_and_says_when(self, open_desk):
        desk = open_desk(playground_pictures_per_minute=1)
        run = desk.add(state=RunState.FAILED)
        response = await desk.post(f"/runs/{run.id}/retry")
        assert (response.status_code, response.headers["retry-after"]) == (429, "60")
        assert "may ask for 1 pictures a minute" in response.json()["message"]

    async def test_no_key_is_401(self, open_desk):
        desk = open_desk(playground_engine="fal", fal_key=None)
        response = await desk.post(f"/runs/{desk.add(state=RunState.FAILED).id}/retry")
        assert response.status_code == 401
        assert "set FAL_KEY" in response.json()["message"]

    @pytest.mark.parametrize(
        ("state", "failure", "action"),
        [
            (RunState.UNKNOWN, {"retryable": True}, "Send again"),
            (RunState.FAILED, {"retryable": True}, "Retry"),
            (RunState.FAILED, {"field": "prompt", "retryable": True}, "Edit settings"),
            (RunState.FAILED, {}, None),
        ],
    )
    async def test_a_failure_offers_what_may_help(self, desk, state, failure, action):
        desk.add(state=state, failure=Failure(code="x", message="It did not work.", **failure))
        (card,) = (await desk.get("/runs")).json()["runs"]
        assert (card["failure"]["action"], card["failure"]["message"]) == (action, "It did not work.")


class TestEvents:
    async def test_a_picture_is_told_from_press_to_done(self, desk):
        async with listening(desk) as events:
            assert events.status == 200
            assert events.headers["content-type"].startswith("text/event-stream")
            assert events.headers["x-accel-buffering"] == "no"
            run = await desk.make()
            states, told = [], {}
            while told.get("state") != "done":
                _, delta = await events.next()
                assert delta["id"] == run.id
                told |= delta
                states += [delta["state"]] if "state" in delta else []
            assert states[-1] == "done"
            assert told["media"] == f"/media/{run.picture.name}"
        assert told == (await desk.get("/runs")).json()["runs"][0]

    async def test_only_what_changed_is_sent(self, desk):
        run = desk.add()
        async with listening(desk, "after=0") as events:
            _, whole = await events.next()
            assert whole["prompt"] == "a fox <b>&</b>"
            changed = desk.change(run, state=RunState.RUNNING, progress=0.5)
            number, delta = await events.next()
            assert number == changed.revision
            changes = {"revision": changed.revision, "state": "running", "progress": 0.5}
            assert delta == {"id": run.id, "seq": 1, **changes}

    async def test_it_goes_on_after_the_last_event_that_was_seen(self, desk):
        first, _, third = desk.add(), desk.add(), desk.add()
        async with listening(desk, "after=0") as events:
            (_, _), (last, _) = await events.next(), await events.next()
        desk.change(first, note="while nobody listened")
        async with listening(desk, "after=0", **{"Last-Event-ID": str(last)}) as events:
            told = [(await events.next())[1] for _ in range(2)]
            assert [delta["id"] for delta in told] == [third.id, first.id]
            assert told[1]["note"] == "while nobody listened"
            assert told[1]["prompt"], "a new stream knows nothing of what the old one sent"
            assert await events.quiet()

    async def test_without_a_place_it_begins_now(self, desk):
        desk.add()
        async with listening(desk) as events:
            assert await events.quiet()
            run = desk.add()
            desk.playground.changes.tell(run.visitor)
            assert (await events.next())[1]["id"] == run.id

    async def test_the_cursor_of_the_first_page_misses_nothing(self, desk):
        desk.add()
        cursor = (await desk.get("/runs")).json()["cursor"]
        late = desk.add()
        async with listening(desk, f"after={cursor}") as events:
            assert (await events.next())[1]["id"] == late.id
            assert await events.quiet()

    async def test_nobody_hears_of_anothers_pictures(self, desk):
        async with listening(desk, "after=0", token=BOB) as bobs, listening(desk, "after=0", token=None) as nobodys:
            desk.change(desk.add(ANN), note="x")
            desk.change(desk.add(None), note="x")
            assert await bobs.quiet()
            assert await nobodys.quiet()

    async def test_a_deleted_picture_is_told_as_deleted(self, desk):
        run = desk.add(state=RunState.DONE)
        async with listening(desk) as events:
            await desk.post(f"/runs/{run.id}/delete")
            _, delta = await events.next()
            assert (delta["id"], delta["deleted"]) == (run.id, True)

    async def test_more_than_one_batch_comes_without_another_change(self, desk):
        run = desk.add()
        desk.playground.history.add([run.model_copy(update={"id": new_id()}) for _ in range(250)])
        async with listening(desk, "after=0") as events:
            assert [(await events.next())[0] for _ in range(251)] == list(range(1, 252))

    @pytest.mark.parametrize("given", ["header", "query"])
    @pytest.mark.parametrize(
        ("last_id", "name", "revisions"),
        [
            ("{epoch}.1", "hello", [2]),
            ("{epoch}.2", "hello", []),
            ("", "hello", []),
            ("1", "hello", [2]),  # as the version before wrote it
            ("3", "anew", []),  # of a history that had come further
            ("{epoch}.3", "anew", []),
            ("h0.1", "anew", []),
            ("NaN", "anew", []),
            ("{epoch}.x", "anew", []),
            ("☃", "anew", []),
        ],
    )
    async def test_it_goes_on_after_an_event_of_this_history_only(self, desk, given, last_id, name, revisions):
        desk.add()
        desk.add()
        epoch = desk.playground.history.epoch
        last_id = last_id.format(epoch=epoch)
        if given == "header" and not last_id.isascii():
            pytest.skip("no header holds it")
        asked = {"Last-Event-ID": last_id} if given == "header" and last_id else {}
        query = f"after={quote(last_id)}" if given == "query" else ""
        async with listening(desk, query, **asked) as events:
            assert events.first == (name, "", {"epoch": epoch, "version": VERSION})
            assert [(await events.next())[0] for _ in revisions] == revisions
            assert await events.quiet()

    async def test_another_history_has_another_epoch_and_a_restart_the_same(self, open_desk, tmp_path):
        first, second = History(tmp_path / "a"), History(tmp_path / "b")
        again = History(tmp_path / "a")
        assert first.epoch == again.epoch != second.epoch
        for history in (first, second, again):
            history.close()

    async def test_stopping_the_server_ends_the_stream(self, desk):
        async with listening(desk):
            desk.playground.changes.close()


class TestMedia:
    @pytest.fixture
    def desk(self, open_desk: Callable[..., Desk], new_store: Callable[[Path], Store], tmp_path: Path) -> Desk:
        return open_desk(media=Media(new_store(tmp_path)))

    async def test_originals_and_thumbnails(self, desk):
        run = await desk.make()
        response = await desk.get(f"/media/{run.picture.name}", token=None)
        assert response.content == desk.playground.media.read("media", run.picture.name)
        assert response.headers["content-type"] == "image/jpeg"
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"
        thumb = await desk.get(f"/thumbs/{run.picture.thumb}", token=None)
        assert thumb.headers["content-type"] == "image/webp"
        with desk.playground.media.open("thumbs", run.picture.thumb) as file, Image.open(file) as image:
            assert image.size == (64, 64)

    @pytest.mark.parametrize(
        "path",
        [
            "/media/" + "0" * 32 + ".jpg",
            "/media/..%2fhistory.sqlite3",
            "/media/%2e%2e%2fhistory.sqlite3",
            "/media/../history.sqlite3",
            "/media/..%5chistory.sqlite3",
            "/media/history.sqlite3",
            "/media/%00",
            "/media/",
            "/thumbs/..%2fmedia",
        ],
    )
    async def test_nothing_else_is_served(self, desk, path):
        response = await desk.get(path)
        assert response.status_code == 404
        assert b"SQLite" not in response.content

    async def test_a_thumbnail_that_was_deleted_is_made_again(self, desk):
        run = await desk.make()
        desk.playground.media.delete("thumbs", run.picture.thumb)
        response = await desk.get(f"/thumbs/{run.picture.thumb}")
        assert Image.open(io.BytesIO(response.content)).size == (64, 64)

    async def test_a_damaged_original_without_a_thumbnail_has_none_to_serve(self, desk):
        run = await desk.make()
        desk.playground.media.put("media", run.picture.name, b"damaged")
        desk.playground.media.delete("thumbs", run.picture.thumb)
        response = await desk.get(f"/thumbs/{run.picture.thumb}")
        assert (response.status_code, response.json()) == (404, {"detail": "There is no such picture."})
        assert (await desk.get(f"/media/{run.picture.name}")).content == b"damaged"

    async def test_a_media_folder_deleted_under_the_server_is_made_again(self, open_desk):
        desk = open_desk()
        gone = await desk.make()
        shutil.rmtree(desk.folder / "media")
        shutil.rmtree(desk.folder / "thumbs")
        assert (await desk.get(f"/media/{gone.picture.name}")).status_code == 404
        assert (await desk.get(f"/thumbs/{gone.picture.thumb}")).status_code == 404
        assert (await desk.get(f"/runs/{gone.id}/download")).json()["message"].startswith("There is no picture file")
        run = await desk.make()
        assert run.state is RunState.DONE
        assert (await desk.get(f"/media/{run.picture.name}")).status_code == 200


class TestMyData:
    async def test_all_that_is_ones_own_goes_with_the_cookie(self, desk):
        await desk.make()
        bobs = desk.add(BOB, state=RunState.DONE)
        response = await desk.client.delete("/my-data", headers=as_(ANN))
        assert response.json() == {"pictures": 1}
        assert response.headers["set-cookie"].startswith("playground_visitor=; Path=/; Max-Age=0; HttpOnly")
        assert (await desk.get("/runs")).json()["runs"] == []
        assert [card["id"] for card in (await desk.get("/runs", token=BOB)).json()["runs"]] == [bobs.id]

    async def test_who_has_no_history_of_their_own_is_told(self, open_desk):
        assert (await open_desk().client.delete("/my-data")).status_code == 404
        shared = open_desk(playground_history="shared")
        response = await shared.client.delete("/my-data", headers=as_(ANN))
        assert response.json()["message"].startswith("There is no history of your own here.")
        assert (await shared.get("/runs")).json()["own_history"] is False


@pytest.mark.parametrize("reason", ["database is locked", "database or disk is full"])
async def test_a_history_that_cannot_be_written_is_said_and_logged(desk, monkeypatch, caplog, reason):
    run = desk.add()

    def refuse(*_: Any, **_more: Any) -> Any:
        raise OperationalError("UPDATE", {}, sqlite3.OperationalError(reason))

    with monkeypatch.context() as patched:
        patched.setattr("services.library.history._update", refuse)
        answer = await desk.post(f"/runs/{run.id}/favourite", {"on": True})
    assert answer.status_code == 507
    assert answer.json()["message"].startswith(f"The history cannot be written ({reason}), so nothing was sent.")
    assert f"/runs/{run.id}/favourite: the history cannot be read or written ({reason})" in caplog.text
    assert (await desk.post(f"/runs/{run.id}/favourite", {"on": True})).status_code == 200


async def test_a_history_that_was_set_aside_is_said(tmp_path):
    (tmp_path / "history.sqlite3").write_bytes(b"These are my memoirs. " * 400)
    desk = Desk(tmp_path)
    notice = (await desk.get("/runs")).json()["notice"]
    assert notice.startswith("The history was damaged. It was set aside as history.sqlite3.damaged-")
    await desk.client.aclose()
    await desk.playground.stop()


async def test_a_history_that_was_put_back_from_a_copy_is_said(tmp_path):
    desk = Desk(tmp_path, playground_history="shared")
    assert (await desk.get("/runs")).json()["notice"] is None
    request = StoredRequest.of(Flux2FlexRequest(prompt="a fox", seed=7))
    run = Run(id=new_id(), visitor=None, engine="demo", key_of="owner", request=request, created_at=now())
    desk.playground.history.add([run])
    await desk.client.aclose()
    await desk.playground.stop()
    (tmp_path / "history.start").unlink()

    desk = Desk(tmp_path, playground_history="shared")
    shown = (await desk.get("/runs")).json()
    assert shown["notice"].startswith("This history was put back from a copy.")
    assert [(card["state"], card["note"]) for card in shown["runs"]] == [
        ("cancelled", "It stood in a copy; ask again if you want it.")
    ]
    await desk.client.aclose()
    await desk.playground.stop()


class TestKeys:
    async def test_a_key_is_kept_and_never_shown(self, desk):
        entered = await desk.post("/key", {"key": KEY})
        assert (entered.status_code, entered.json()) == (200, {"engine": "fal", "own_key": True})
        page = await desk.get("/runs")
        assert (page.json()["engine"], page.json()["own_key"]) == ("fal", True)
        others = (await desk.get("/runs", token=BOB)).json()
        assert (others["engine"], others["own_key"]) == ("demo", False)
        for response in (entered, page):
            for part in (KEY, KEY.split(":")[0], KEY[-6:]):
                assert part not in response.text + str(response.headers)

        forgotten = await desk.client.delete("/key", headers=as_(ANN))
        assert forgotten.json() == {"engine": "demo", "own_key": False}
        assert (await desk.get("/runs")).json()["own_key"] is False

    @pytest.mark.parametrize("body", [{"key": f"{KEY} with a space"}, {"key": ""}, {"key": None}, {}, None])
    async def test_what_is_no_key_is_refused_without_repeating_it(self, desk, body):
        response = await desk.post("/key", body)
        assert response.status_code == 422
        assert response.json()["issues"][0]["field"] == "key"
        assert KEY not in response.text

    async def test_a_key_needs_its_visitor(self, desk):
        response = await desk.post("/key", {"key": KEY}, token=None)
        assert response.status_code == 401
        assert KEY not in response.text
        assert (await desk.client.delete("/key")).json()["own_key"] is False
