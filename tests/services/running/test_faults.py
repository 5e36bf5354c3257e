"""What may go wrong on the way to fal and on this machine: each ends with its picture or a sentence, paid once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from support.clock import FakeClock
from support.standin import NGINX, WORKING, Lost, Reply, Seen, StandIn, Unsent, picture
from support.tls import serve_tls

from services.engines.fal.transport import SubmitOnceTransport
from services.errors import CannotWrite, NotAccepted
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import Run, RunState
from services.settings import Settings

REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))
DONE, FAILED, UNKNOWN = RunState.DONE, RunState.FAILED, RunState.UNKNOWN
DISK_FULL = "database or disk is full"


@pytest.fixture
async def playground(tmp_path: Path, fal: StandIn, clock: FakeClock) -> AsyncIterator[Playground]:
    settings = {"fal_key": SecretStr("owner:secret"), "playground_engine": "fal", "playground_history": "shared"}
    settings |= {"playground_data_dir": tmp_path, "fal_queue_run_host": "none.invalid"}
    playground = Playground(Settings(**settings), clock=clock)
    yield playground
    await playground.stop()


async def make(playground: Playground) -> Run:
    (run,) = await playground.generate(None, REQUEST)
    return await asyncio.wait_for(playground.finished(None, run.id), 10)


def drip(seen: Seen) -> Any:
    async def slowly() -> Reply:
        await asyncio.sleep(0.05)
        return Reply(200, picture(64, 64))

    return slowly()


GATEWAY_ERRORS = [Reply(502, NGINX), Reply(503, NGINX), Reply(504, NGINX)]
NO_NETWORK = [Unsent(httpx.ConnectError("Name or service not known")), Unsent(httpx.ConnectError("no route"))]
CUT = [Lost(httpx.ReadTimeout("")), Lost(httpx.RemoteProtocolError("peer closed")), Lost(httpx.ReadError(""))]

FAULTS: dict[str, tuple[Any, list[Any], RunState]] = {
    "429 with a time to wait, then again without": ("submit", [Reply(429, {}, {"retry-after": "2"}), Reply(429)], DONE),
    "a burst of 503 before the submit is taken": ("submit", [Reply(503, NGINX)] * 4, DONE),
    "no network for half a minute": ("submit", NO_NETWORK * 6, DONE),
    "502 at the submit": ("submit", [Reply(502, NGINX)], UNKNOWN),
    "504 at the submit": ("submit", [Reply(504, NGINX)], UNKNOWN),
    "500 at the submit": ("submit", [Reply(500, {"detail": "boom"})], FAILED),
    "a cut connection at the submit": ("submit", [CUT[1]], UNKNOWN),
    "JSON that is no JSON at the submit": ("submit", [Reply(200, b"{")], UNKNOWN),
    "JSON without an id at the submit": ("submit", [Reply(200, {"status": "IN_QUEUE"})], UNKNOWN),
    "429 at the status": ("status", [Reply(429, {}, {"retry-after": "1"})] * 2, DONE),
    "a burst of gateway errors at the status": ("status", GATEWAY_ERRORS * 3, DONE),
    "500 at the status": ("status", [Reply(500, {"detail": "boom"})] * 4, DONE),
    "no network at the status": ("status", NO_NETWORK * 6, DONE),
    "cut connections at the status": ("status", CUT * 2, DONE),
    "JSON that is no JSON at the status": ("status", [Reply(200, b"<html>"), Reply(200, b"[]")], DONE),
    "an unknown status, and no logs": ("status", [Reply(202, {"status": "DREAMING"}), Reply(202, {})], DONE),
    "gateway errors at the result": ("result", GATEWAY_ERRORS, DONE),
    "429 at the result": ("result", [Reply(429, {"detail": "slow down"})], DONE),
    "no network at the result": ("result", NO_NETWORK + CUT, DONE),
    "the result is gone": ("result", [Reply(404, {"detail": "Request not found"})], FAILED),
    "the model failed": ("result", [Reply(500, {"detail": "boom"})], FAILED),
    "a result that is no JSON": ("result", [Reply(200, b"{")], FAILED),
    "a result without pictures": ("result", [Reply(200, {"images": []})], FAILED),
    "a burst at the media host": ("media", [Reply(500), Reply(503)], DONE),
    "no network at the media host": ("media", NO_NETWORK, DONE),
    "cut connections at the media host": ("media", CUT[:2], DONE),
    "a slow picture": ("media", [drip], DONE),
    "a picture called text": ("media", [Reply(200, picture(64, 64), {"content-type": "text/html"})], DONE),
    "text called a picture": ("media", [Reply(200, b"<html>no", {"content-type": "image/jpeg"})], FAILED),
    "a picture that is cut off": ("media", [Reply(200, picture(64, 64)[:100])], FAILED),
    "another host has the picture": ("media", [Reply(302, b"", {"location": "https://cdn.example/files/x"})], FAILED),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "steps", "end"), FAULTS.values(), ids=FAULTS.keys())
async def test_each_ends_with_its_picture_or_a_sentence_and_is_sent_once(
    playground: Playground, fal: StandIn, tmp_path: Path, kind: Any, steps: list[Any], end: RunState
) -> None:
    fal.script(kind, *steps)
    run = await make(playground)
    assert run.state is end, run.failure
    assert fal.accepted <= 1
    if end is DONE:
        assert run.picture is not None
        assert (tmp_path / "media" / run.picture.name).read_bytes() == picture(64, 64, seed=7) or kind == "media"
        assert (run.failure, run.note) == (None, None)
    else:
        assert run.failure is not None
        assert len(run.failure.message) > 40
        assert "<" not in run.failure.message
        assert run.failure.retryable
    # The server goes on, and what was paid for can still be had.
    if run.failure and run.failure.refetch:
        await playground.retry(None, run.id)
        again = await asyncio.wait_for(playground.finished(None, run.id), 10)
        assert (again.state, fal.accepted) == (DONE, 1)
    assert (await make(playground)).state is DONE


async def test_the_status_may_tell_anything_and_still_comes_to_its_end(playground: Playground, fal: StandIn) -> None:
    odd: list[Any] = [
        {"status": "IN_QUEUE"},
        {"status": "IN_QUEUE", "queue_position": None},
        {"status": "IN_PROGRESS"},
        {"status": "IN_PROGRESS", "logs": [None, 7, {"message": None}, {"message": "300%"}]},
        {**WORKING, "logs": {}},
        {"status": None},
    ]
    fal.script("status", *[Reply(202, body) for body in odd])
    assert (await make(playground)).state is DONE


async def test_a_clock_that_jumps_back_does_no_harm(playground: Playground, fal: StandIn, clock: FakeClock) -> None:
    fal.script("status", lambda seen: clock.set_back(timedelta(hours=3)))
    run = await make(playground)
    assert run.state is DONE
    assert run.seconds == 0
    assert run.queue_seconds == 0


class TestThisMachine:
    def full_for(self, playground: Playground, monkeypatch: Any, state: RunState, times: int) -> None:
        """The disk is full when a run is to be written as `state`, so many times."""
        history, left = playground.history, [times]

        def full(written: RunState | None, write: Callable[[], Future[Run]]) -> Future[Run]:
            if written is state and left[0]:
                left[0] -= 1
                raise CannotWrite(DISK_FULL)
            return write()

        change, accept = history.change_soon, history.accept_soon
        monkeypatch.setattr(
            history, "change_soon", lambda run_id, **fields: full(fields.get("state"), lambda: change(run_id, **fields))
        )
        monkeypatch.setattr(history, "accept_soon", lambda *of: full(RunState.SUBMITTED, lambda: accept(*of)))

    @pytest.mark.parametrize("state", [RunState.SUBMITTED, RunState.QUEUED, RunState.RUNNING, DONE])
    async def test_a_disk_that_is_full_for_a_while_is_waited_for(self, playground, fal, monkeypatch, caplog, state):
        self.full_for(playground, monkeypatch, state, 6)
        run = await make(playground)
        assert (run.state, fal.count("submit")) == (DONE, 1)
        assert "the history cannot be written (database or disk is full)" in caplog.text

    async def test_what_fal_accepted_is_written_however_long_the_disk_is_full(self, playground, fal, monkeypatch):
        """For an hour and more: only this process knows the request's id."""
        self.full_for(playground, monkeypatch, RunState.SUBMITTED, 150)
        run = await make(playground)
        assert (run.state, fal.count("submit")) == (DONE, 1)
        assert run.ticket.request_id in fal.taken

    async def test_a_press_on_a_full_disk_sends_nothing_and_says_why(self, playground, fal, monkeypatch):
        def full(*_: Any) -> Any:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(DISK_FULL))

        with monkeypatch.context() as patched:
            patched.setattr("services.library.history.insert", full)
            with pytest.raises(CannotWrite, match=r"disk is full.*nothing was sent.*Make room"):
                await playground.generate(None, REQUEST)
        assert fal.seen == []
        assert (await make(playground)).state is DONE

    async def test_a_media_folder_that_went_is_made_again(self, playground, fal, tmp_path):
        for file in (tmp_path / "media", tmp_path / "thumbs"):
            file.rmdir()
        run = await make(playground)
        assert run.state is DONE
        assert (tmp_path / "media" / run.picture.name).is_file()

    async def test_a_media_folder_that_cannot_be_written_is_said(self, playground, fal, tmp_path):
        (tmp_path / "media").rmdir()
        (tmp_path / "media").write_text("a file in its place")
        run = await make(playground)
        assert run.failure.message.startswith("The picture could not be stored (")
        (tmp_path / "media").unlink()
        await playground.retry(None, run.id)
        assert (await asyncio.wait_for(playground.finished(None, run.id), 10)).state is DONE
        assert fal.accepted == 1


class TestRealSockets:
    async def submit(self, address: str) -> None:
        async with httpx.AsyncClient(transport=SubmitOnceTransport(httpx.AsyncHTTPTransport()), timeout=5) as client:
            await client.post(address, json={})

    async def test_a_name_that_is_not_known(self):
        with pytest.raises(NotAccepted) as caught:
            await self.submit("https://queue.fal.invalid/fal-ai/flux-2-flex")
        assert caught.value.waiting_for == "waiting for the network"

    async def test_nobody_listens(self):
        with pytest.raises(NotAccepted):
            await self.submit("https://127.0.0.1:9/fal-ai/flux-2-flex")

    async def test_a_certificate_that_nobody_vouches_for(self, tmp_path):
        fal = StandIn()
        with serve_tls(fal, tmp_path) as server, pytest.raises(NotAccepted):
            await self.submit(f"https://{server.host}/fal-ai/flux-2-flex")
        assert fal.seen == [], "nothing was sent to whoever that is"
