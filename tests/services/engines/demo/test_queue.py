"""The demo queue, spoken to in-process as fal's clients speak to fal."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.clock import FakeClock
from support.patience import PATIENCE_SECONDS

from services.engines.demo import picture_cache
from services.engines.demo.asgi import build_app
from services.engines.demo.progress import log_entries, progress_line, steps_done
from services.engines.demo.queue import DemoQueue
from services.engines.demo.records import Record, RecordStore
from services.stored import StoredRequest

SUBMIT = "/fal-ai/flux-2-flex"
KEY = {"Authorization": "Key anything"}
UNKNOWN = "5a3ab0b5-1f0e-4f0a-9d4e-0e3a1b7c2d11"


class StandInPainter:
    """Paints nothing: bytes that follow from the arguments. Remembers what it was asked; can be held back."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, **settings: Any) -> bytes:
        self.asked.append(settings)
        assert self.go_on.wait(10)
        return hashlib.sha256(repr(sorted(settings.items())).encode()).digest()


@pytest.fixture
def painter() -> StandInPainter:
    return StandInPainter()


@pytest.fixture
async def serve(painter: StandInPainter) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """serve(…DemoQueue's arguments) → a client with a key, at fal's own address."""
    open_ones: list[httpx.AsyncClient | DemoQueue] = []

    def start(base_url: str = "https://queue.fal.run", **settings: Any) -> httpx.AsyncClient:
        queue = DemoQueue(**{"step_seconds": 0, "paint": painter, **settings})
        client = httpx.AsyncClient(transport=httpx.ASGITransport(build_app(queue)), base_url=base_url, headers=KEY)
        open_ones.extend([client, queue])
        return client

    yield start
    painter.go_on.set()
    for one in open_ones:
        await one.aclose()


async def submit(client: httpx.AsyncClient, **settings: Any) -> dict[str, Any]:
    response = await client.post(SUBMIT, json={"prompt": "a fox", **settings})
    assert response.status_code == 200, response.text
    return response.json()


async def status(client: httpx.AsyncClient, handle: dict[str, Any], logs: bool = False) -> dict[str, Any]:
    response = await client.get(handle["status_url"], params={"logs": logs})
    body = response.json()
    assert response.status_code == (200 if body["status"] == "COMPLETED" else 202)
    return body


async def until(client: httpx.AsyncClient, handle: dict[str, Any], state: str = "COMPLETED") -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (body := await status(client, handle, logs=True))["status"] != state:
        assert time.monotonic() < deadline, f"still {body}"
        await asyncio.sleep(0.01)
    return body


async def result(client: httpx.AsyncClient, handle: dict[str, Any]) -> httpx.Response:
    await until(client, handle)
    return await client.get(handle["response_url"])


class TestSubmit:
    async def test_reply_names_the_urls_on_the_host_it_was_asked_at(self, serve):
        handle = await submit(serve(base_url="https://localhost:8443"))
        url = f"https://localhost:8443{SUBMIT}/requests/{uuid.UUID(handle['request_id'])}"
        assert handle == {
            "status": "IN_QUEUE",
            "queue_position": 0,
            "request_id": handle["request_id"],
            "response_url": url,
            "status_url": f"{url}/status",
            "cancel_url": f"{url}/cancel",
        }

    async def test_painter_gets_the_settings_and_the_drawn_seed(self, serve, painter):
        client = serve()
        settings = {"image_size": {"width": 640, "height": 320}, "guidance_scale": 7, "num_inference_steps": 9}
        body = (await result(client, await submit(client, output_format="png", **settings))).json()
        assert painter.asked == [
            {
                "prompt": "a fox",
                "width": 640,
                "height": 320,
                "seed": body["seed"],
                "num_inference_steps": 9,
                "guidance_scale": 7,
                "output_format": "png",
            }
        ]

    async def test_a_seed_is_kept_and_an_unset_one_is_drawn_anew(self, serve):
        client = serve()
        seeds = [(await result(client, await submit(client, seed=seed))).json()["seed"] for seed in (0, 7, None, None)]
        assert seeds[:2] == [0, 7]
        assert seeds[2] != seeds[3]

    async def test_unknown_fields_are_ignored(self, serve):
        client = serve()
        size = {"width": 64, "height": 64, "depth": 3}
        assert (await result(client, await submit(client, num_images=4, image_size=size))).status_code == 200

    @pytest.mark.parametrize(
        ("settings", "loc", "kind", "told"),
        [
            ({"prompt": None}, ["body", "prompt"], "string_type", "Prompt"),
            ({"prompt": " "}, ["body", "prompt"], "value_error", "Prompt is empty"),
            ({"num_inference_steps": 51}, ["body", "num_inference_steps"], "less_than_equal", "above 50"),
            ({"guidance_scale": 1}, ["body", "guidance_scale"], "greater_than_equal", "below 1.5"),
            ({"image_size": "huge"}, ["body", "image_size"], "literal_error", "“huge”"),
            ({"image_size": {"width": 100}}, ["body", "image_size", "width"], "value_error", "multiple of 16"),
            ({"image_size": {"height": 32}}, ["body", "image_size", "height"], "greater_than_equal", "below 64"),
            ({"image_size": {"width": 2560, "height": 2560}}, ["body", "image_size"], "value_error", "4 MP"),
            ({"prompt": "half \ud800"}, ["body", "prompt"], "value_error", "surrogate"),
        ],
    )
    async def test_a_broken_rule_is_told_at_its_field(self, serve, painter, settings, loc, kind, told):
        response = await serve().post(SUBMIT, content=json.dumps({"prompt": "a fox", **settings}))
        assert response.status_code == 422
        (item,) = response.json()["detail"]
        assert (item["loc"], item["type"]) == (loc, kind)
        assert told in item["msg"]
        assert item["url"].endswith(f"#{kind}")
        assert painter.asked == []

    async def test_each_field_at_fault_has_its_item_with_limit_and_input(self, serve):
        response = await serve().post(SUBMIT, json={"num_inference_steps": 1, "seed": -1})
        items = {item["loc"][-1]: item for item in response.json()["detail"]}
        assert items.keys() == {"prompt", "num_inference_steps", "seed"}
        assert items["prompt"]["type"] == "missing"
        assert (items["seed"]["ctx"], items["seed"]["input"]) == ({"ge": 0}, -1)

    @pytest.mark.parametrize(
        "body", ["", "{", "[]", "3", '"text"', '{"prompt": NaN}', "[" * 100_000, '{"prompt": "x", "seed": 1e999}']
    )
    async def test_a_body_that_is_no_request_is_refused_in_the_same_shape(self, serve, body):
        response = await serve().post(SUBMIT, content=body)
        assert response.status_code == 422
        strictly = json.loads(response.text, parse_constant=pytest.fail)
        assert strictly["detail"][0]["loc"][0] == "body"


class TestKeys:
    @pytest.mark.parametrize("header", [None, "", "Key", "Key  ", "Bearer abc", "abc", "Key an-invalid-key"])
    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", ""), ("GET", "/status"), ("GET", "/status/stream"), ("GET", "/response"), ("PUT", "/cancel")],
    )
    async def test_no_route_works_without_a_key(self, serve, header, method, path):
        client = serve()
        url = SUBMIT if method == "POST" else f"{(await submit(client))['response_url']}{path}"
        del client.headers["Authorization"]
        headers = {} if header is None else {"Authorization": header}
        response = await client.request(method, url, headers=headers)
        assert response.status_code == 401
        body = response.json()
        assert isinstance(body["detail"], str)
        assert body["error_type"] == response.headers["X-Fal-Error-Type"] == "unauthorized"


class TestStatus:
    async def test_a_queue_moves_up_one_by_one(self, serve, painter):
        client = serve(max_running=1)
        painter.go_on.clear()
        first, second, third = [await submit(client) for _ in range(3)]
        assert [first["queue_position"], second["queue_position"], third["queue_position"]] == [0, 0, 1]
        running = await status(client, first)
        assert running["status"] == "IN_PROGRESS"
        assert "queue_position" not in running
        waiting = [await status(client, handle) for handle in (second, third)]
        assert [(body["status"], body["queue_position"]) for body in waiting] == [("IN_QUEUE", 0), ("IN_QUEUE", 1)]
        await client.put(second["cancel_url"])
        assert (await status(client, third))["queue_position"] == 0
        painter.go_on.set()
        assert (await result(client, third)).status_code == 200

    async def test_completed_tells_the_time_it_took(self, serve):
        client = serve(step_seconds=0.01)
        body = await until(client, await submit(client, num_inference_steps=20))
        assert 0.2 <= body["metrics"]["inference_time"] < 2
        assert "error" not in body

    async def test_every_status_names_the_request_and_its_urls(self, serve):
        client = serve()
        handle = await submit(client)
        body = await until(client, handle)
        assert {name: body[name] for name in handle if name not in ("status", "queue_position")} == {
            name: handle[name] for name in handle if name not in ("status", "queue_position")
        }

    async def test_logs_are_null_unless_asked_for(self, serve):
        client = serve()
        handle = await submit(client)
        await until(client, handle)
        told = [(await client.get(f"{handle['status_url']}{query}")).json()["logs"] for query in ("", "?logs=0")]
        assert told == [None, None]
        assert (await client.get(f"{handle['status_url']}?logs=1")).json()["logs"]

    async def test_logs_count_the_steps(self, serve):
        client = serve(step_seconds=0.04)
        handle = await submit(client, num_inference_steps=20)
        midway: list[dict[str, Any]] = []
        while len(midway) < 5:
            await asyncio.sleep(0.02)
            midway = (await status(client, handle, logs=True))["logs"] or []
        assert len(midway) < 20
        lines = (await until(client, handle))["logs"]
        assert len(lines) == 20
        assert lines[: len(midway)] == midway
        assert lines[-1]["message"].startswith("100%|██████████| 20/20 ")
        assert lines[0].keys() == {"message", "level", "source", "timestamp"}

    async def test_the_last_step_ends_with_the_picture(self, serve, painter):
        client = serve()
        painter.go_on.clear()
        handle = await submit(client, num_inference_steps=10)
        body = await status(client, handle, logs=True)
        assert body["logs"][-1]["message"].startswith(" 90%|")
        painter.go_on.set()

    async def test_unknown_requests(self, serve):
        client = serve()
        for path in (f"/requests/{UNKNOWN}/status", f"/requests/{UNKNOWN}", "/requests/..%2Fx/status"):
            response = await client.get(f"{SUBMIT}{path}")
            assert response.status_code == 404
        response = await client.get(f"{SUBMIT}/requests/{UNKNOWN}/status/stream")
        assert (response.status_code, response.json()) == (404, {"detail": "Request not found"})
        assert (await client.post("/fal-ai/another")).json() == {"detail": "Not Found"}


class TestStream:
    async def test_events_tell_the_whole_way_and_each_log_line_once(self, serve):
        client = serve(step_seconds=0.01, max_running=1)
        await submit(client, num_inference_steps=10)
        handle = await submit(client, num_inference_steps=20)
        response = await client.get(f"{handle['status_url']}/stream", params={"logs": 1})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.text.endswith("\n\n")
        events = [json.loads(event.removeprefix("data: ")) for event in response.text.split("\n\n") if event]
        states = [event["status"] for event in events]
        assert sorted(set(states), key=states.index) == ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
        assert states.count("COMPLETED") == 1
        lines = [entry["message"] for event in events for entry in event["logs"]]
        assert [f" {step}/20 " in line for step, line in enumerate(lines, 1)] == [True] * 20

    async def test_a_finished_request_is_one_event(self, serve):
        client = serve()
        handle = await submit(client)
        await until(client, handle)
        response = await client.get(f"{handle['status_url']}/stream")
        assert response.text.count("data: ") == 1
        assert json.loads(response.text.removeprefix("data: "))["logs"] is None


class TestResult:
    async def test_result_names_the_picture(self, serve):
        client = serve(base_url="https://localhost:8443")
        handle = await submit(client, image_size="portrait_16_9", seed=5)
        response = await result(client, handle)
        assert response.status_code == 200
        assert response.headers["x-fal-request-id"] == handle["request_id"]
        body = response.json()
        (image,) = body["images"]
        assert (image["width"], image["height"], image["content_type"]) == (576, 1024, "image/jpeg")
        assert body["seed"] == 5
        assert image["url"].startswith("https://localhost:8443/files/")
        assert image["url"].endswith(f"/{image['file_name']}")
        again = await client.get(f"{handle['response_url']}/response")
        assert again.json() == body

    @pytest.mark.parametrize(("output_format", "extension"), [("jpeg", "jpg"), ("png", "png")])
    async def test_picture_is_served_to_whoever_knows_its_address(self, serve, output_format, extension):
        client = serve()
        image = (await result(client, await submit(client, output_format=output_format))).json()["images"][0]
        del client.headers["Authorization"]
        response = await client.get(image["url"])
        assert response.headers["content-type"] == f"image/{output_format}" == image["content_type"]
        assert len(response.content) == image["file_size"] > 0
        assert image["file_name"].endswith(f".{extension}")

    async def test_other_file_addresses_are_not_found(self, serve, painter):
        client = serve()
        url = (await result(client, await submit(client))).json()["images"][0]["url"]
        painter.go_on.clear()
        running = await submit(client)
        unfinished = running["request_id"].replace("-", "")
        wrong = (url + "x", f"/files/{uuid.UUID(UNKNOWN).hex}/x.jpg", "/files/nonsense/x.jpg")
        for address in (*wrong, f"/files/{unfinished}/{unfinished[:16]}.jpg"):
            assert (await client.get(address)).status_code == 404, address

    async def test_sync_mode_puts_the_picture_into_the_reply_and_nowhere_else(self, serve):
        client = serve()
        handle = await submit(client, sync_mode=True, output_format="png", seed=1)
        image = (await result(client, handle)).json()["images"][0]
        linked = (await result(client, await submit(client, output_format="png", seed=1))).json()["images"][0]
        head, _, content = image["url"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(content, validate=True) == (await client.get(linked["url"])).content
        key = handle["request_id"].replace("-", "")
        assert (await client.get(f"/files/{key}/{image['file_name']}")).status_code == 404

    async def test_not_finished_yet(self, serve, painter):
        client = serve()
        painter.go_on.clear()
        response = await client.get((await submit(client))["response_url"])
        assert (response.status_code, response.json()) == (400, {"detail": "Request is still in progress"})

    async def test_a_refused_prompt_is_completed_and_its_result_says_so(self, serve, painter):
        client = serve()
        handle = await submit(client, prompt="please [refuse] this")
        assert (await until(client, handle))["error_type"] == "content_policy_violation"
        response = await client.get(handle["response_url"])
        assert response.status_code == 422
        (item,) = response.json()["detail"]
        assert (item["type"], item["loc"]) == ("content_policy_violation", ["body", "prompt"])
        assert painter.asked == []

    async def test_a_painter_that_fails_is_an_internal_error_of_the_model(self, serve, caplog):
        def fail(**_: Any) -> bytes:
            raise RuntimeError("no paint left")

        client = serve(paint=fail, max_running=1)
        with caplog.at_level(logging.ERROR):
            handle = await submit(client)
            response = await result(client, handle)
        assert response.status_code == 500
        assert response.json()["detail"][0]["type"] == "internal_server_error"
        assert "no paint left" in caplog.text
        assert (await until(client, await submit(client)))["error_type"] == "internal_server_error"

    async def test_the_real_painter_paints(self, serve):
        client = serve(paint=None)
        handle = await submit(client, image_size={"width": 96, "height": 64}, output_format="png")
        image = (await result(client, handle)).json()["images"][0]
        with Image.open(io.BytesIO((await client.get(image["url"])).content)) as picture:
            assert (picture.size, picture.format) == ((96, 64), "PNG")


class TestCancel:
    async def test_a_waiting_request_is_dropped(self, serve, painter):
        client = serve(max_running=1)
        painter.go_on.clear()
        running, waiting = await submit(client), await submit(client)
        response = await client.put(waiting["cancel_url"])
        assert (response.status_code, response.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
        body = await status(client, waiting)
        assert (body["status"], body["error_type"]) == ("COMPLETED", "client_cancelled")
        painter.go_on.set()
        await until(client, running)
        assert len(painter.asked) == 1
        response = await client.get(waiting["response_url"])
        assert response.status_code == 499
        assert response.headers["X-Fal-Error-Type"] == response.json()["error_type"] == "client_cancelled"

    async def test_a_running_request_stops_and_makes_room(self, serve):
        client = serve(step_seconds=0.1, max_running=1)
        running, waiting = await submit(client, num_inference_steps=5), await submit(client)
        assert (await client.put(running["cancel_url"])).status_code == 202
        assert (await status(client, running))["error_type"] == "client_cancelled"
        assert (await status(client, waiting))["status"] == "IN_PROGRESS"
        await asyncio.sleep(0.7)  # longer than it would have taken
        assert (await status(client, running))["error_type"] == "client_cancelled"

    async def test_too_late(self, serve):
        client = serve()
        handle = await submit(client)
        await until(client, handle)
        response = await client.put(handle["cancel_url"])
        assert (response.status_code, response.json()) == (400, {"status": "ALREADY_COMPLETED"})
        assert (await client.get(handle["response_url"])).status_code == 200

    async def test_unknown(self, serve):
        response = await serve().put(f"{SUBMIT}/requests/{UNKNOWN}/cancel")
        assert (response.status_code, response.json()) == (404, {"status": "NOT_FOUND"})


class TestClock:
    async def test_twenty_at_once_take_the_time_of_one(self, serve):
        client = serve(step_seconds=0.02)
        start = time.monotonic()
        handles = [await submit(client, num_inference_steps=30) for _ in range(20)]
        await asyncio.gather(*(until(client, handle) for handle in handles))
        assert 0.6 <= time.monotonic() - start < 9  # one after the other: 12

    async def test_no_more_than_the_workers_paint_at_once(self, serve, painter):
        client = serve(workers=2)
        painter.go_on.clear()
        handles = [await submit(client) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert len(painter.asked) == 2
        painter.go_on.set()
        await asyncio.gather(*(until(client, handle) for handle in handles))
        assert len(painter.asked) == 5

    def test_built_outside_an_event_loop(self, painter):
        queue = DemoQueue(step_seconds=0, paint=painter)

        async def use() -> int:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(build_app(queue)), base_url="https://queue.fal.run", headers=KEY
            ) as client:
                status_code = (await result(client, await submit(client))).status_code
            await queue.aclose()
            return status_code

        assert asyncio.run(use()) == 200

    @settings(deadline=None)
    @given(st.floats(0, 1e4), st.floats(0, 10), st.integers(2, 50))
    def test_steps_grow_with_time_and_stop_before_the_last(self, elapsed: float, step_seconds: float, total: int):
        done = steps_done(elapsed, step_seconds, total)
        assert 0 <= done <= total - 1
        assert done <= steps_done(elapsed + 1, step_seconds, total)

    def test_lines_read_like_those_of_tqdm(self):
        assert progress_line(17, 28, 0.03) == " 61%|██████    | 17/28 [00:00<00:00, 33.33it/s]"
        assert progress_line(20, 28, 0.03) == " 71%|███████▏  | 20/28 [00:00<00:00, 33.33it/s]"
        assert progress_line(50, 50, 3) == "100%|██████████| 50/50 [02:30<00:00, 0.33it/s]"
        assert progress_line(1, 2, 0).endswith("?it/s]")

    def test_lines_are_stamped_with_the_time_of_their_step(self):
        stamps = [entry["timestamp"] for entry in log_entries(0, 0.5, 2, 3)]
        assert stamps == ["1970-01-01T00:00:00.500000+00:00", "1970-01-01T00:00:01+00:00"]


class TestMemory:
    """What falls out of the cache is painted again, to the same bytes."""

    async def pictures(self, client: httpx.AsyncClient, count: int) -> list[tuple[str, bytes]]:
        found = []
        for _ in range(count):
            url = (await result(client, await submit(client))).json()["images"][0]["url"]
            found.append((url, (await client.get(url)).content))
        return found

    async def test_only_the_newest_stay(self, serve, painter, monkeypatch):
        monkeypatch.setattr(picture_cache, "KEEP_PICTURES", 2)
        client = serve()
        made = await self.pictures(client, 3)
        for url, content in reversed(made[1:]):
            assert (await client.get(url)).content == content
        assert len(painter.asked) == 3
        for _ in range(2):  # the second time from memory
            assert (await client.get(made[0][0])).content == made[0][1]
            assert len(painter.asked) == 4

    async def test_no_more_bytes_than_allowed(self, serve, painter, monkeypatch):
        monkeypatch.setattr(picture_cache, "KEEP_BYTES", 40)  # a picture of the stand-in has 32
        client = serve()
        made = await self.pictures(client, 2)
        assert (await client.get(made[1][0])).content == made[1][1]
        assert len(painter.asked) == 2
        assert (await client.get(made[0][0])).content == made[0][1]
        assert len(painter.asked) == 3

    async def test_no_longer_than_allowed(self, serve, painter):
        clock = FakeClock()
        client = serve(clock=clock)
        made = await self.pictures(client, 1)
        clock.advance(picture_cache.KEEP_SECONDS)
        assert (await client.get(made[0][0])).content == made[0][1]
        assert len(painter.asked) == 2


class TestRestart:
    """A second queue on the same folder is a restarted server."""

    async def test_an_unfinished_request_is_run_again_with_the_same_seed(self, serve, tmp_path, painter):
        before = DemoQueue(step_seconds=5, paint=painter, store=tmp_path)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(build_app(before)), base_url="https://queue.fal.run", headers=KEY
        ) as client:
            handle = await submit(client, sync_mode=True)
            await asyncio.sleep(0.05)
        await asyncio.wait_for(before.aclose(), PATIENCE_SECONDS)
        client = serve(store=tmp_path)
        body = (await result(client, handle)).json()
        assert [asked["seed"] for asked in painter.asked] == [body["seed"]] * 2
        assert painter.asked[0] == painter.asked[1]

    async def test_what_comes_in_while_the_server_closes_waits_for_the_next_one(self, serve, tmp_path, painter):
        before = DemoQueue(step_seconds=0, paint=painter, store=tmp_path)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(build_app(before)), base_url="https://queue.fal.run", headers=KEY
        ) as client:
            await before.aclose()
            handle = await submit(client)
            await asyncio.sleep(0.05)
            assert (await status(client, handle))["status"] == "IN_QUEUE"
        assert (await result(serve(store=tmp_path), handle)).status_code == 200

    async def test_a_finished_request_stays_finished_and_keeps_its_picture(self, serve, tmp_path):
        client = serve(store=tmp_path)
        handle = await submit(client)
        body = (await result(client, handle)).json()
        content = (await client.get(body["images"][0]["url"])).content
        later = serve(store=tmp_path)
        assert (await status(later, handle))["status"] == "COMPLETED"
        assert (await later.get(handle["response_url"])).json() == body
        assert (await later.get(body["images"][0]["url"])).content == content

    async def test_a_cancelled_request_stays_cancelled(self, serve, tmp_path, painter):
        painter.go_on.clear()
        client = serve(store=tmp_path)
        handle = await submit(client)
        await client.put(handle["cancel_url"])
        later = serve(store=tmp_path)
        assert (await status(later, handle))["error_type"] == "client_cancelled"

    async def test_requests_of_the_day_before_are_forgotten(self, serve, tmp_path):
        client = serve(store=tmp_path)
        old, new = await submit(client), await submit(client)
        path = tmp_path / f"{old['request_id']}.json"
        await until(client, old)
        os.utime(path, (time.time() - 25 * 3600,) * 2)
        later = serve(store=tmp_path)
        assert (await later.get(old["status_url"])).status_code == 404
        assert (await later.get(new["status_url"])).status_code in (200, 202)

    async def test_a_broken_file_is_an_unknown_request(self, serve, tmp_path, caplog):
        for content in ("", "{}", "[]", '{"id": 1, "request": {"prompt": ""}}'):
            (tmp_path / f"{UNKNOWN}.json").write_text(content)
            assert (await serve(store=tmp_path).get(f"{SUBMIT}/requests/{UNKNOWN}")).status_code == 404
        assert "cannot be read" in caplog.text

    async def test_files_are_whole_and_stay_in_the_folder(self, serve, tmp_path: Path):
        folder = tmp_path / "made" / "when needed"
        (tmp_path / "secret.json").write_text("{}")
        client = serve(store=folder)
        handle = await submit(client, prompt="“Ünïcode”\n🦊")
        await until(client, handle)
        assert [path.name for path in folder.iterdir()] == [f"{handle['request_id']}.json"]
        assert (await client.get(f"{SUBMIT}/requests/..%2F..%2Fsecret/status")).status_code == 404

    def test_no_id_leads_out_of_the_folder(self, tmp_path):
        record = Record(id=UNKNOWN, request=StoredRequest({"prompt": "a fox", "seed": 1}), accepted=time.time())
        RecordStore(tmp_path).save(record)
        (tmp_path / "inner").mkdir()
        assert RecordStore(tmp_path).load(UNKNOWN) == record
        assert RecordStore(tmp_path / "inner").load(f"../{UNKNOWN}") is None

    async def test_a_full_disk_costs_no_picture(self, serve, tmp_path, caplog):
        blocked = tmp_path / "a file"
        blocked.write_text("where the folder should be")
        client = serve(store=blocked / "demo")
        assert (await result(client, await submit(client))).status_code == 200
        assert "could not be stored" in caplog.text
