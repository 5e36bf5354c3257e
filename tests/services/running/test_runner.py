"""A picture's journey: real history, real files, fal's own client, and a scripted stand-in for fal."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pydantic import SecretStr
from support.clock import FakeClock
from support.folder import contents
from support.patience import PATIENCE_SECONDS
from support.standin import COMPLETED, NGINX, WAITING, WORKING, Lost, Reply, Seen, StandIn, Unsent, picture

from services.engines.fal import gateway as gateway_module
from services.library.disk import Disk
from services.library.media import Media
from services.library.media_folder import FolderStore
from services.library.media_store import Store
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import FINAL_STATES, Run, RunState, Ticket, new_id, now
from services.running import runner as runner_module
from services.settings import Settings

OWNER_KEY = "owner:secret"
VISITOR_KEY = "visitor:their-own-secret"
VISITOR, OTHER = "a" * 32, "b" * 32
REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))
BUSY = Reply(429, {"detail": "Too many requests"})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Pauses cost a millisecond."""
    return FakeClock().drive_fal_client(monkeypatch)


class Desk:
    """A playground on one folder, and what its history went through."""

    def __init__(self, folder: Path, clock: FakeClock, *, media: Media | None = None, **settings: Any) -> None:
        self.folder = folder
        defaults = {"fal_key": SecretStr(OWNER_KEY), "playground_history": "shared", "playground_engine": "fal"}
        defaults["fal_queue_run_host"] = "none.invalid"  # no list of requests there: test_lost.py is about it
        whole = Settings(**{**defaults, "playground_data_dir": folder, **settings})
        self.playground = Playground(whole, media=media, clock=clock)
        self.history, self.media = self.playground.history, self.playground.media
        self.versions: list[Run] = []
        self._tell, self.playground.changes.tell = self.playground.changes.tell, self._listen

    def _listen(self, visitor: str | None, changed: Iterable[Run] | None = None) -> None:
        known = self.versions[-1].revision if self.versions else 0
        self.versions += [entry.run for entry in self.history.changed_since(EVERYONE, known)]
        self._tell(visitor, changed)

    async def press(self, count: int = 1, visitor: str | None = None, **settings: Any) -> list[Run]:
        return await self.playground.generate(visitor, REQUEST.vary(**settings), count)

    async def make(self, **settings: Any) -> Run:
        """Press, and wait for the end."""
        (run,) = await self.press(**settings)
        return await self.ended(run)

    async def ended(self, run: Run) -> Run:
        return await asyncio.wait_for(self.playground.finished(None, run.id), PATIENCE_SECONDS)

    async def reaches(self, run: Run, state: RunState) -> Run:
        return await self.until(lambda: (seen := self.read(run)).state is state and seen)

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds, and return what it says."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := condition()):
            assert time.monotonic() < deadline, "it never came to that"
            await asyncio.sleep(0.002)
        return found

    def read(self, run: Run) -> Run:
        return self.history.get(run.id, EVERYONE)

    def states(self, run: Run) -> list[str]:
        """The run's states in the history in order, without repeats."""
        states = [version.state.value for version in self.versions if version.id == run.id]
        return [state for at, state in enumerate(states) if at == 0 or states[at - 1] != state]

    def notes(self, run: Run) -> list[tuple[str, str]]:
        return [(run.state.value, seen.note) for seen in self.versions if seen.id == run.id and seen.note]

    def row(self, run_id: str | None = None) -> dict[str, Any]:
        """The run as another process sees it: only what is committed."""
        with sqlite3.connect(self.folder / "history.sqlite3") as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute("SELECT * FROM runs WHERE id = coalesce(?, id)", (run_id,)).fetchall()
        connection.close()
        assert len(found) == 1
        return dict(found[0])


@pytest.fixture
async def open_desk(fal: StandIn, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def open_(**settings: Any) -> Desk:
        desks.append(Desk(tmp_path, clock, **settings))
        return desks[-1]

    yield open_
    fal.finish.set()
    for desk in desks:
        await desk.playground.stop()


@pytest.fixture
async def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


def held(event: asyncio.Event) -> Callable[[Seen], Any]:
    """A step that is answered as usual, once the event is set."""

    async def step(_: Seen) -> None:
        await event.wait()

    return step


class TestJourney:
    @pytest.fixture
    async def desk(self, open_desk: Callable[..., Desk], new_store: Callable[[Path], Store], tmp_path: Path) -> Desk:
        return open_desk(media=Media(new_store(tmp_path)))

    async def test_states_come_in_order_and_each_is_in_the_database(self, desk, fal):
        run = await desk.make()
        assert desk.states(run)[-5:] == ["submitting", "submitted", "queued", "running", "done"]
        assert fal.accepted == fal.count("submit") == 1

    async def test_it_is_journaled_before_it_is_sent(self, desk, fal):
        rows = []
        fal.script("submit", lambda seen: rows.append(desk.row()))
        await desk.make()
        (row,) = rows
        assert row["state"] == "submitting"
        assert row["submitted_at"]
        assert row["ticket"] is None
        assert json.loads(row["request"])["seed"] == 7

    async def test_the_request_id_is_stored_before_the_first_look(self, desk, fal):
        rows = []
        fal.script("status", lambda seen: rows.append(desk.row()))
        await desk.make()
        assert rows[0]["state"] == "submitted"
        assert json.loads(rows[0]["ticket"])["request_id"] in fal.taken

    async def test_the_picture_is_kept_byte_for_byte_with_a_thumbnail(self, desk, fal):
        run = await desk.make(image_size={"width": 1024, "height": 512}, output_format="png")
        (taken,) = fal.taken.values()
        assert run.picture is not None
        assert desk.media.read("media", run.picture.name) == fal.picture(taken)
        assert (run.picture.width, run.picture.height, run.picture.content_type) == (1024, 512, "image/png")
        assert run.picture.note is None
        assert run.note is None  # it repeats nothing
        assert desk.media.shrunk(run.picture)
        with desk.media.open("thumbs", run.picture.thumb) as file, Image.open(file) as thumb:
            assert (thumb.format, thumb.size) == ("WEBP", (384, 192))

    async def test_it_is_told_to_be_done_only_when_file_and_folder_are_synced(self, open_desk, tmp_path):
        """Else a power cut leaves a run that is done, was paid for, and has no picture."""

        class Watched(Disk):
            """Notes the run's state in the history as each call ends."""

            def __init__(self) -> None:
                self.seen: list[tuple[str, str]] = []
                self.state: Callable[[], str] = lambda: "no run yet"

            def sync_file(self, descriptor: int) -> None:
                super().sync_file(descriptor)
                self.note("sync file")

            def replace(self, part: Path, file: Path) -> None:
                super().replace(part, file)
                self.note(f"replace in {file.parent.name}")

            def sync_folder(self, folder: Path) -> None:
                super().sync_folder(folder)
                self.note(f"sync {folder.name}")

            def note(self, call: str) -> None:
                self.seen.append((call, self.state()))

        disk = Watched()
        desk = open_desk(media=Media(FolderStore(tmp_path, disk)))
        disk.seen.clear()
        disk.state = lambda: desk.row()["state"]
        assert (await desk.make()).state is RunState.DONE
        before = [(call, state) for call, state in disk.seen if state != "done"]
        assert [call for call, _ in before] == ["sync file", "replace in media", "sync media"]

    async def test_a_thumbnail_that_nobody_asks_for_is_made_all_the_same(self, desk, clock):
        run = await desk.make()
        await desk.until(lambda: desk.media.size("thumbs", run.picture.thumb) is not None)
        assert clock.sleeps[-1] == runner_module.SHRINK_AFTER_SECONDS

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ZeroDivisionError("a fault of ours")])
    async def test_a_thumbnail_that_cannot_be_made_leaves_the_picture_done(self, desk, monkeypatch, caplog, error):
        def broken(_: Any) -> None:
            raise error

        monkeypatch.setattr("services.library.media.thumbnail", broken)
        run = await desk.make()
        await desk.until(lambda: str(error) in caplog.text)
        assert desk.read(run).state is RunState.DONE

    async def test_what_is_told_about_a_finished_run(self, desk, fal):
        fal.result_headers = {"x-fal-billable-units": "3"}
        fal.result_seed = lambda _: 99
        run = await desk.make()
        assert run.seed == run.seed_used == 99
        assert (run.billed_units, run.cost_usd) == (3.0, 0.15)
        assert run.created_at <= run.submitted_at <= run.started_at <= run.finished_at
        assert (run.progress, run.queue_position, run.note, run.failure) == (None, None, None, None)

    async def test_without_billed_units_the_estimate_stays(self, desk):
        run = await desk.make()
        assert (run.billed_units, run.cost_usd) == (None, 0.05)

    async def test_progress_and_position_are_stored_on_the_way(self, desk, fal):
        fal.stages = [{"status": "IN_QUEUE", "queue_position": 3}, fal.stages[1]]
        run = await desk.make()
        assert 3 in [seen.queue_position for seen in desk.versions if seen.id == run.id]
        assert 0.5 in [seen.progress for seen in desk.versions if seen.id == run.id]

    async def test_another_size_and_format_is_kept_and_said(self, desk, fal):
        fal.picture = lambda _: picture(80, 48, "png")
        run = await desk.make()
        assert run.state is RunState.DONE
        assert run.picture.note == "fal sent 80 × 48 instead of 64 × 64 and png instead of jpeg."
        assert run.picture.name.endswith(".png")
        assert desk.media.read("media", run.picture.name) == picture(80, 48, "png")

    async def test_sync_mode_brings_the_picture_inside_the_reply(self, desk, fal):
        run = await desk.make(sync_mode=True)
        assert run.state is RunState.DONE
        assert fal.count("media") == 0

    async def test_the_demo_engine_costs_nothing(self, open_desk, fal):
        desk = open_desk(playground_engine="demo")
        fal.result_headers = {"x-fal-billable-units": "3"}
        run = await desk.make()
        assert (run.engine, run.state, run.cost_usd) == ("demo", RunState.DONE, 0.0)


class TestSlots:
    async def test_no_more_in_flight_than_allowed_and_first_come_first_served(self, open_desk, fal):
        desk = open_desk(playground_max_concurrent=2)
        fal.finish.clear()
        runs = await desk.press(5)
        await desk.until(lambda: fal.count("status") > 20)
        assert fal.accepted == 2
        assert [desk.read(run).state for run in runs[2:]] == [RunState.PENDING] * 3
        fal.finish.set()
        assert {(await desk.ended(run)).state for run in runs} == {RunState.DONE}
        assert [seen.json["seed"] for seen in fal.calls("submit")] == [7, 8, 9, 10, 11]

    async def test_each_key_has_a_lane_of_its_own(self, open_desk, fal):
        desk = open_desk(playground_max_concurrent=1)
        await desk.playground.enter_key(VISITOR, VISITOR_KEY)
        fal.finish.clear()
        await desk.press(2)
        await desk.press(2, visitor=VISITOR)
        await desk.until(lambda: fal.count("status") > 20)
        sent = [seen.headers["authorization"] for seen in fal.calls("submit")]
        assert sorted(sent) == [f"Key {OWNER_KEY}", f"Key {VISITOR_KEY}"]

    async def test_a_failure_gives_its_slot_back(self, open_desk, fal):
        desk = open_desk(playground_max_concurrent=1)
        fal.script("submit", Reply(500, {"detail": "boom"}), Lost(httpx.ReadTimeout("")), lambda seen: 1 / 0)
        runs = await desk.press(4)
        states = [(await desk.ended(run)).state for run in runs]
        assert states == [RunState.FAILED, RunState.UNKNOWN, RunState.UNKNOWN, RunState.DONE]


class TestNotTaken:
    @pytest.mark.parametrize(
        ("step", "note"),
        [
            (BUSY, "waiting for a free slot at fal"),
            (Reply(503, NGINX), "waiting for a free slot at fal"),
            (Unsent(httpx.ConnectError("no route")), "waiting for the network"),
        ],
        ids=["429", "503", "no network"],
    )
    async def test_it_waits_as_pending_and_says_for_what(self, desk, fal, step, note):
        fal.script("submit", step, step)
        run = await desk.make()
        assert run.state is RunState.DONE
        assert fal.accepted == 1
        waiting = [seen for seen in desk.versions if seen.note]
        assert [(seen.state, seen.note, seen.submitted_at) for seen in waiting] == [(RunState.PENDING, note, None)] * 2
        assert "submitting pending submitting pending submitting submitted" in " ".join(desk.states(run))

    async def test_retry_after_is_kept_to(self, desk, fal, clock):
        fal.script("submit", Reply(429, {}, {"retry-after": "17"}))
        await desk.make()
        assert 17.0 in clock.sleeps

    async def test_pauses_grow(self, desk, fal, clock, monkeypatch):
        monkeypatch.setattr(runner_module.random, "uniform", lambda low, high: 1.0)
        fal.script("submit", *[BUSY] * 7)
        (run,) = await desk.press()
        await desk.reaches(run, RunState.DONE)
        assert clock.sleeps[:7] == [1, 2, 4, 8, 16, 30, 30]

    async def test_patience_ends_with_a_sentence_and_nothing_charged(self, desk, fal):
        fal.script("submit", *[BUSY] * 500)
        run = await desk.make()
        assert run.state is RunState.FAILED
        assert run.failure.message.startswith("fal had no free slot for a long time")
        assert run.failure.charged is False
        assert fal.accepted == 0

    async def test_a_refusal_is_final_and_names_the_field(self, desk, fal):
        detail = [{"loc": ["body", "guidance_scale"], "msg": "too much", "type": "less_than_equal"}]
        fal.script("submit", Reply(422, {"detail": detail}))
        run = await desk.make()
        assert (run.state, run.failure.field) == (RunState.FAILED, "guidance_scale")
        assert fal.count("submit") == 1


class TestUnknown:
    @pytest.mark.parametrize(
        "step", [Lost(httpx.ReadTimeout("")), Reply(502, NGINX), Reply(200, b"?")], ids=["lost", "502", "no JSON"]
    )
    async def test_sent_and_unanswered_is_unknown_and_sent_once(self, desk, fal, step):
        fal.script("submit", step)
        run = await desk.make()
        assert (run.state, run.ticket) == (RunState.UNKNOWN, None)
        assert run.failure.message.startswith("fal may have accepted this")
        await asyncio.sleep(0.05)
        assert fal.count("submit") == 1

    async def test_a_restart_does_not_send_it_again(self, desk, open_desk, fal):
        fal.script("submit", Lost(httpx.ReadError("")))
        run = await desk.make()
        await desk.playground.stop()
        again = open_desk()
        await again.playground.start()
        await asyncio.sleep(0.05)
        assert again.read(run).state is RunState.UNKNOWN
        assert fal.count("submit") == 1

    async def test_send_again_is_a_new_submission_of_the_same_request(self, desk, fal):
        fal.script("submit", Lost(httpx.ReadTimeout("")))
        unknown = await desk.make()
        (second,) = await desk.playground.retry(None, unknown.id)
        assert (await desk.ended(second)).state is RunState.DONE
        assert second.id != unknown.id
        assert second.request == unknown.request
        assert fal.count("submit") == 2
        assert desk.read(unknown).state is RunState.UNKNOWN

    async def test_an_error_of_ours_after_sending_is_unknown_too(self, desk, fal, monkeypatch):
        """The answer came and was not written down: a Retry that sends it again would be a second charge."""

        def mistake(*_: Any) -> Future[Run]:
            raise ValueError("a mistake")

        monkeypatch.setattr(desk.history, "accept_soon", mistake)
        run = await desk.make()
        assert fal.accepted == 1
        assert run.state is RunState.UNKNOWN
        assert "fal may have accepted this" in run.failure.message
        assert not run.failure.refetch


class TestCancel:
    async def test_pending_is_never_sent(self, open_desk, fal):
        desk = open_desk(playground_max_concurrent=1)
        fal.finish.clear()
        first, second = await desk.press(2)
        await desk.reaches(first, RunState.RUNNING)
        cancelled = await desk.playground.cancel(None, second.id)
        assert cancelled.state is RunState.CANCELLED
        fal.finish.set()
        await desk.ended(first)
        await asyncio.sleep(0.02)
        assert fal.count("submit") == 1
        assert fal.count("cancel") == 0
        assert desk.read(second).state is RunState.CANCELLED

    async def test_pending_between_two_offers_is_never_sent(self, desk, fal, clock):
        clock.wakes.clear()
        fal.script("submit", BUSY)
        (run,) = await desk.press()
        await asyncio.wait_for(clock.asleep.wait(), PATIENCE_SECONDS)
        assert (await desk.playground.cancel(None, run.id)).state is RunState.CANCELLED
        clock.wakes.set()
        await asyncio.sleep(0.02)
        assert fal.count("submit") == 1
        assert desk.read(run).state is RunState.CANCELLED

    async def test_while_submitting_fal_is_asked_as_soon_as_it_answered(self, desk, fal):
        answer = asyncio.Event()
        fal.script("submit", held(answer))
        (run,) = await desk.press()
        await desk.until(lambda: fal.count("submit"))
        assert (await desk.playground.cancel(None, run.id)).state is RunState.SUBMITTING
        assert fal.count("cancel") == 0
        answer.set()
        assert (await desk.ended(run)).state is RunState.CANCELLED
        assert fal.count("cancel") == 1

    async def test_while_submitting_that_is_not_taken_ends_it(self, desk, fal):
        answer = asyncio.Event()

        async def busy(_: Seen) -> Reply:
            await answer.wait()
            return BUSY

        fal.script("submit", busy)
        (run,) = await desk.press()
        await desk.until(lambda: fal.count("submit"))
        await desk.playground.cancel(None, run.id)
        answer.set()
        assert (await desk.ended(run)).state is RunState.CANCELLED
        assert (fal.count("submit"), fal.accepted) == (1, 0)

    async def test_while_submitting_that_is_never_answered_stays_unknown(self, desk, fal):
        answer = asyncio.Event()

        async def lost(_: Seen) -> Reply:
            await answer.wait()
            raise httpx.ReadTimeout("")

        fal.script("submit", lost)
        (run,) = await desk.press()
        await desk.until(lambda: fal.count("submit"))
        await desk.playground.cancel(None, run.id)
        answer.set()
        assert (await desk.ended(run)).state is RunState.UNKNOWN

    @pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
    async def test_at_fal_the_put_reaches_it(self, desk, fal, state):
        fal.stages = [stage for stage in fal.stages if stage["status"] == "IN_QUEUE"] if state is RunState.QUEUED else (
            fal.stages
        )  # fmt: skip
        fal.finish.clear()
        (run,) = await desk.press()
        await desk.reaches(run, state)
        asked = await desk.playground.cancel(None, run.id)
        assert asked.cancel_asked
        ended = await desk.ended(run)
        assert (ended.state, ended.failure, ended.picture) == (RunState.CANCELLED, None, None)
        assert [seen.request_id for seen in fal.calls("cancel")] == [ended.ticket.request_id]

    async def test_a_picture_that_came_anyway_is_kept_and_said(self, desk, fal):
        fal.stops_on_cancel = False
        fal.finish.clear()
        (run,) = await desk.press()
        await desk.reaches(run, RunState.RUNNING)
        await desk.playground.cancel(None, run.id)
        fal.finish.set()
        ended = await desk.ended(run)
        assert ended.state is RunState.DONE
        assert ended.note == "It was finished before the cancel reached fal, so it was kept."
        assert desk.media.find("media", ended.picture.name)

    async def test_a_cancel_that_does_not_reach_fal_is_said(self, desk, fal):
        fal.finish.clear()
        (run,) = await desk.press()
        await desk.reaches(run, RunState.RUNNING)
        fal.script("cancel", Reply(500, {"detail": "boom"}))
        await desk.playground.cancel(None, run.id)
        assert "The cancel did not reach fal; it goes on." in [seen.note for seen in desk.versions]
        fal.finish.set()
        assert (await desk.ended(run)).state is RunState.DONE

    async def test_what_fal_has_not_begun_can_be_cancelled_alone(self, desk, fal):
        fal.stages = [WAITING]
        fal.finish.clear()
        (run,) = await desk.press()
        await desk.reaches(run, RunState.QUEUED)
        await desk.playground.runner.cancel_unbegun(run)
        assert (await desk.ended(run)).state is RunState.CANCELLED

    @pytest.mark.parametrize("steps", [[WORKING], [Reply(500, {"detail": "boom"})]], ids=["begun", "unknown"])
    async def test_what_fal_may_have_begun_goes_on(self, desk, fal, clock, steps):
        """It began after our last look at it; or fal does not say whether it has."""
        clock.wakes.clear()
        fal.stages = [WAITING]
        (run,) = await desk.press()
        queued = await desk.reaches(run, RunState.QUEUED)
        fal.stages = []
        fal.script("status", *steps)
        assert (await desk.playground.runner.cancel_unbegun(queued)).state is RunState.QUEUED
        clock.wakes.set()
        assert (await desk.ended(run)).state is RunState.DONE
        assert fal.count("cancel") == 0

    @pytest.mark.parametrize("steps", [[], [Reply(500, {"detail": "x"})], [Lost(httpx.ReadTimeout(""))]])
    async def test_what_has_ended_stays_as_it_ended(self, desk, fal, steps):
        fal.script("submit", *steps)
        run = await desk.make()
        assert await desk.playground.cancel(None, run.id) == run
        assert fal.count("cancel") == 0


class TestTroubleWithThePicture:
    async def fetched_again(self, desk: Desk, fal: StandIn, failed: Run) -> None:
        assert (failed.state, failed.failure.refetch) == (RunState.FAILED, True)
        (again,) = await desk.playground.retry(None, failed.id)
        assert again.id == failed.id
        assert again.failure is None
        done = await desk.ended(again)
        assert (done.state, done.failure) == (RunState.DONE, None)
        assert fal.count("submit") == 1

    async def test_a_download_that_fails_is_fetched_by_retry_without_paying_again(self, desk, fal):
        fal.script("media", Reply(404, b"gone"))
        failed = await desk.make()
        assert failed.failure.message.endswith("Press Retry to fetch it again, which costs nothing.")
        await self.fetched_again(desk, fal, failed)

    @pytest.mark.parametrize("body", [b"<html>login</html>", picture(64, 64, "png")[:60], b""])
    async def test_what_is_no_picture_is_fetched_by_retry(self, desk, fal, body):
        fal.script("media", Reply(200, body))
        await self.fetched_again(desk, fal, await desk.make())

    async def test_a_full_disk_is_said_and_the_picture_fetched_by_retry(self, desk, fal, monkeypatch):
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(desk.media, "keep_original", full)
            failed = await desk.make()
        assert failed.failure.message.startswith("The picture could not be stored (No space left on device).")
        await self.fetched_again(desk, fal, failed)

    async def test_an_error_of_ours_is_fetched_by_retry(self, desk, fal, monkeypatch, caplog):
        with monkeypatch.context() as patched:
            patched.setattr(desk.media, "keep_original", lambda *_: 1 / 0)
            failed = await desk.make()
        assert failed.failure.code == "internal"
        assert "ZeroDivisionError" in caplog.text
        await self.fetched_again(desk, fal, failed)

    async def test_a_locked_account_at_the_result_is_fetched_by_retry(self, desk, fal):
        fal.script("result", Reply(403, {"detail": "User is locked."}))
        failed = await desk.make()
        assert failed.failure.message == "User is locked."
        await self.fetched_again(desk, fal, failed)

    async def test_a_network_that_is_away_for_long_is_waited_for(self, desk, fal):
        fal.script("status", *[Reply(500, {"detail": "boom"})] * 6)
        run = await desk.make()
        assert run.state is RunState.DONE
        assert run.note is None
        assert "fal cannot be reached just now; trying again" in [seen.note for seen in desk.versions]
        assert fal.count("submit") == 1

    async def test_an_hour_without_an_answer_ends_in_a_retry_that_costs_nothing(self, desk, fal):
        fal.script("status", *[Reply(500, {"detail": "boom"})] * 200)
        failed = await desk.make()
        fal._scripts["status"].clear()
        assert "It is not lost" in failed.failure.message
        await self.fetched_again(desk, fal, failed)

    async def test_a_retry_of_a_final_refusal_asks_anew(self, desk, fal):
        fal.script("result", Reply(500, {"detail": "boom"}))
        failed = await desk.make()
        (second,) = await desk.playground.retry(None, failed.id)
        assert (await desk.ended(second)).state is RunState.DONE
        assert second.id != failed.id
        assert fal.count("submit") == 2

    async def test_retry_of_a_finished_picture_does_nothing(self, desk, fal):
        run = await desk.make()
        assert await desk.playground.retry(None, run.id) == [run]
        assert fal.count("submit") == 1

    async def test_two_quick_presses_of_retry_fetch_once(self, desk, fal):
        fal.script("media", Reply(404, b"gone"))
        failed = await desk.make()
        retry = desk.playground.retry
        await asyncio.gather(*(retry(None, failed.id) for _ in range(3)))
        await desk.ended(failed)
        assert fal.count("submit") == 1
        assert fal.count("result") == 2


class TestRecover:
    """What a server finds that another one left."""

    def left(self, desk: Desk, state: RunState, **fields: Any) -> Run:
        run = Run(id=new_id(), visitor=None, engine="fal", key_of="owner", request=REQUEST, created_at=now(),
                  **{"state": state, **fields})  # fmt: skip
        return desk.history.add([run])[0]

    async def ticket(self, fal: StandIn) -> Ticket:
        gateway = gateway_module.FalGateway(OWNER_KEY, transport=fal.transport())
        ticket = await gateway.submit(REQUEST)
        await gateway.aclose()
        return ticket

    async def test_pending_is_sent(self, desk, fal):
        run = self.left(desk, RunState.PENDING)
        await desk.playground.start()
        assert (await desk.ended(run)).state is RunState.DONE
        assert fal.accepted == 1

    async def test_submitting_becomes_unknown_and_is_not_sent(self, desk, fal):
        run = self.left(desk, RunState.SUBMITTING, submitted_at=now())
        await desk.playground.start()
        ended = desk.read(run)
        assert ended.state is RunState.UNKNOWN
        assert ended.failure.message.startswith("The server stopped while this was being sent")
        await asyncio.sleep(0.03)
        assert fal.seen == []

    @pytest.mark.parametrize("state", [RunState.SUBMITTED, RunState.QUEUED, RunState.RUNNING])
    async def test_with_a_request_id_it_is_followed(self, desk, fal, state):
        run = self.left(desk, state, ticket=await self.ticket(fal), submitted_at=now())
        await desk.playground.start()
        assert (await desk.ended(run)).state is RunState.DONE
        assert fal.accepted == 1

    async def test_what_fal_no_longer_knows_is_said(self, desk, fal):
        url = "https://queue.fal.run/fal-ai/flux-2-flex/requests/old"
        ticket = Ticket(request_id="old", status_url=f"{url}/status", response_url=url, cancel_url=f"{url}/cancel")
        run = self.left(desk, RunState.RUNNING, ticket=ticket)
        await desk.playground.start()
        assert (await desk.ended(run)).failure.code == "gone"
        assert fal.count("submit") == 0

    @pytest.mark.parametrize("state", sorted(FINAL_STATES))
    async def test_what_has_ended_is_left_alone(self, desk, fal, state):
        run = self.left(desk, state)
        await desk.playground.start()
        await asyncio.sleep(0.02)
        assert desk.read(run) == run
        assert fal.seen == []

    async def test_stopping_keeps_what_is_at_fal_and_the_next_start_goes_on(self, desk, open_desk, fal):
        fal.finish.clear()
        runs = await desk.press(3)
        for run in runs:
            await desk.reaches(run, RunState.RUNNING)
        await desk.playground.stop()
        assert desk.playground.runner._tasks == {}
        fal.finish.set()
        again = open_desk()
        assert {again.read(run).state for run in runs} == {RunState.RUNNING}
        await again.playground.start()
        assert {(await again.ended(run)).state for run in runs} == {RunState.DONE}
        assert fal.accepted == 3

    async def test_an_error_caused_by_stopping_is_no_failure(self, desk, open_desk, fal, monkeypatch):
        fal.finish.clear()
        (run,) = await desk.press()
        await desk.reaches(run, RunState.RUNNING)
        monkeypatch.setattr(desk.playground.runner, "_stopping", True)
        await desk.playground.engines.aclose()
        await desk.until(lambda: not desk.playground.runner._tasks)
        assert desk.read(run).state is RunState.RUNNING

    async def test_stopping_waits_for_the_answer_to_a_submit(self, desk, open_desk, fal):
        answer = asyncio.Event()
        fal.script("submit", held(answer))
        (run,) = await desk.press()
        await desk.until(lambda: fal.count("submit"))
        asyncio.get_running_loop().call_later(0.05, answer.set)
        await desk.playground.stop()
        again = open_desk()
        left = again.read(run)
        assert left.state is RunState.SUBMITTED
        assert left.ticket.request_id in fal.taken


class TestVisitorsKey:
    @pytest.fixture
    async def waiting(self, desk: Desk, open_desk: Callable[..., Desk], fal: StandIn) -> tuple[Desk, list[Run]]:
        """A server that was restarted, so that the key is forgotten: one run at fal, one not sent."""
        await desk.playground.enter_key(VISITOR, VISITOR_KEY)
        fal.finish.clear()
        (at_fal,) = await desk.press(visitor=VISITOR)
        await desk.reaches(at_fal, RunState.RUNNING)
        await desk.playground.stop()
        fal.finish.set()
        again = open_desk()
        (pending,) = again.history.add(
            [at_fal.model_copy(update={"id": new_id(), "state": RunState.PENDING, "ticket": None})]
        )
        await again.playground.start()
        await again.until(lambda: all(again.read(run).note for run in (at_fal, pending)))
        return again, [at_fal, pending]

    async def test_it_waits_for_the_key_and_says_so(self, waiting, fal):
        desk, runs = waiting
        assert [desk.read(run).note for run in runs] == ["Enter your key to fetch it."] * 2
        assert [desk.read(run).state for run in runs] == [RunState.RUNNING, RunState.PENDING]
        assert fal.count("submit") == 1

    async def test_it_goes_on_when_the_key_is_entered(self, waiting, fal):
        desk, runs = waiting
        await desk.playground.enter_key(VISITOR, VISITOR_KEY)
        assert {(await desk.ended(run)).state for run in runs} == {RunState.DONE}
        assert fal.accepted == 2
        assert {seen.headers.get("authorization") for seen in fal.seen} == {f"Key {VISITOR_KEY}", None}

    async def test_another_visitors_key_does_not_fetch_it(self, waiting, fal):
        desk, runs = waiting
        seen = len(fal.seen)
        await desk.playground.enter_key(OTHER, "someone:elses-secret")
        await asyncio.sleep(0.03)
        assert len(fal.seen) == seen
        assert not any(desk.read(run).state.is_final for run in runs)

    async def test_no_key_is_ever_written(self, waiting):
        desk, _ = waiting
        await desk.playground.enter_key(VISITOR, VISITOR_KEY)
        files = contents(desk.folder)
        assert files
        for name, data in files.items():
            assert VISITOR_KEY.encode() not in data, name
            assert OWNER_KEY.encode() not in data, name


async def test_a_picture_that_decodes_is_needed_for_done(desk, fal):
    fal.picture = lambda _: b"\x89PNG" + bytes(100)
    run = await desk.make()
    assert run.state is RunState.FAILED
    assert list((desk.folder / "media").iterdir()) == []


async def test_completed_with_an_error_ends_as_fal_said(desk, fal):
    fal.script("status", Reply(200, {**COMPLETED, "error": "x", "error_type": "content_policy_violation"}))
    detail = [{"loc": ["body", "prompt"], "msg": "flagged", "type": "content_policy_violation"}]
    fal.script("result", Reply(422, {"detail": detail}))
    run = await desk.make()
    assert (run.state, run.failure.code, run.failure.field) == (RunState.FAILED, "content_policy", "prompt")


async def test_a_thumbnail_is_a_whole_picture(desk):
    run = await desk.make()
    assert desk.media.shrunk(run.picture)
    with desk.media.open("thumbs", run.picture.thumb) as file, Image.open(file) as image:
        image.load()
        assert max(image.size) <= 384
