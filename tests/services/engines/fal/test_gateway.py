"""The gateway to fal, with fal's own client in the path and a scripted stand-in behind it."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from typing import Any

import fal_client
import httpx
import pytest
from support.clock import FakeClock
from support.standin import COMPLETED, NGINX, WAITING, WORKING, Lost, Reply, StandIn, Unsent, addresses

from services.engines.fal import gateway as gateway_module
from services.engines.fal.gateway import FalGateway, Progress, Result, _Client, _fraction
from services.engines.fal.pacing import LONGEST_SECONDS, next_interval
from services.errors import Failure, NotAccepted, RequestFailed, SubmitUnanswered, Unreachable
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.run import RunState, Ticket

KEY = "id-of-the-key:very-secret"
FROM_FAL = {"x-fal-request-id": "0d0f8a52"}
REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))


@pytest.fixture
def fal() -> StandIn:
    return StandIn()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Neither we nor fal's client ever wait for real."""
    return FakeClock().drive_fal_client(monkeypatch)


@pytest.fixture
async def gateway(fal: StandIn, clock: FakeClock) -> AsyncIterator[FalGateway]:
    gateway = FalGateway(KEY, transport=fal.transport(), clock=clock)
    yield gateway
    await gateway.aclose()


async def looks(gateway: FalGateway, ticket: Ticket) -> list[Progress]:
    return [progress async for progress in gateway.follow(ticket)]


async def submit_failure(gateway: FalGateway, fal: StandIn, reply: Reply) -> Failure:
    fal.script("submit", reply)
    with pytest.raises(RequestFailed) as caught:
        await gateway.submit(REQUEST)
    assert fal.count("submit") == 1
    return caught.value.failure


async def result_failure(gateway: FalGateway, fal: StandIn, reply: Reply) -> Failure:
    ticket = await gateway.submit(REQUEST)
    fal.script("result", reply)
    with pytest.raises(RequestFailed) as caught:
        await gateway.result(ticket)
    return caught.value.failure


FailureOf = Callable[[FalGateway, StandIn, Reply], Awaitable[Failure]]
on_submit_and_as_result = pytest.mark.parametrize("failure_of", [submit_failure, result_failure])


def model_error(kind: str, message: str, *loc: str, status: int = 422, **headers: str) -> Reply:
    item = {"loc": ["body", *loc], "msg": message, "type": kind, "url": f"https://docs.fal.ai/errors#{kind}"}
    return Reply(status, {"detail": [item]}, {**FROM_FAL, **headers})


def infrastructure_error(status: int, detail: str, kind: str, **headers: str) -> Reply:
    return Reply(status, {"detail": detail, "error_type": kind}, {**FROM_FAL, "x-fal-error-type": kind, **headers})


class TestJourney:
    async def test_a_request_goes_out_once_and_comes_back_as_a_picture(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        seen = await looks(gateway, ticket)
        result = await gateway.result(ticket)
        picture = await gateway.download(result.url)

        assert fal.accepted == fal.count("submit") == 1
        assert fal.calls("submit")[0].json == REQUEST.payload()
        assert ticket.request_id in fal.taken
        assert seen == [
            Progress(RunState.QUEUED, position=0),
            Progress(RunState.RUNNING, fraction=0.5, log_line="14/28"),
        ]
        assert result.seed == 7
        assert picture == fal.picture(fal.taken[ticket.request_id])

    async def test_logs_are_asked_for(self, gateway, fal):
        await looks(gateway, await gateway.submit(REQUEST))
        assert all("logs=true" in seen.url for seen in fal.calls("status"))

    async def test_a_picture_inside_the_reply_needs_no_download(self, gateway, fal):
        ticket = await gateway.submit(REQUEST.vary(sync_mode=True))
        result = await gateway.result(ticket)
        assert result.url.startswith("data:image/jpeg;base64,")
        assert await gateway.download(result.url) == fal.picture(fal.taken[ticket.request_id])
        assert fal.count("media") == 0

    @pytest.mark.parametrize(
        ("headers", "units"),
        [({}, None), ({"x-fal-billable-units": "2"}, 2.0), ({"x-fal-billable-units": "0.75"}, 0.75),
         ({"x-fal-billable-units": "many"}, None), ({"x-fal-billable-units": "-1"}, None)],
    )  # fmt: skip
    async def test_billed_units_are_those_of_the_header(self, gateway, fal, headers, units):
        fal.result_headers = headers
        result = await gateway.result(await gateway.submit(REQUEST))
        assert result.billed_units == units

    @pytest.mark.parametrize("seed", [None, "7", 1.5, True, -1, 2**32, 2**70])
    async def test_a_seed_that_cannot_be_asked_for_again_is_not_believed(self, gateway, fal, seed):
        fal.result_seed = lambda _: seed
        assert (await gateway.result(await gateway.submit(REQUEST))).seed is None


class TestErrorTable:
    """Every row of fal's errors, as an answer to the submit and replayed as the result."""

    @on_submit_and_as_result
    async def test_401_says_where_the_key_is_set(self, gateway, fal, failure_of: FailureOf):
        failure = await failure_of(
            gateway, fal, infrastructure_error(401, "No user found for Key ID and Secret", "unauthorized")
        )
        assert failure.code == "unauthorized"
        assert failure.message.startswith("fal did not accept this key. Check FAL_KEY")
        assert "Key button" in failure.message
        assert failure.charged is False

    @on_submit_and_as_result
    async def test_403_is_fals_own_sentence_word_for_word(self, gateway, fal, failure_of: FailureOf):
        sentence = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
        failure = await failure_of(gateway, fal, infrastructure_error(403, sentence, "forbidden"))
        assert (failure.code, failure.message, failure.charged) == ("locked", sentence, False)
        assert failure.retryable

    async def test_403_without_words_still_says_something(self, gateway, fal):
        failure = await submit_failure(gateway, fal, Reply(403, {"detail": ""}))
        assert failure.message == "fal refused access."

    @on_submit_and_as_result
    @pytest.mark.parametrize(
        ("loc", "field", "label"),
        [
            (("num_inference_steps",), "num_inference_steps", "Steps"),
            (("guidance_scale",), "guidance_scale", "Guidance scale"),
            (("image_size", "ImageSize", "width"), "image_size", "Image size"),
        ],
    )
    async def test_422_names_the_field(self, gateway, fal, failure_of: FailureOf, loc, field, label):
        message = "Input should be less than or equal to 50"
        failure = await failure_of(gateway, fal, model_error("less_than_equal", message, *loc))
        assert failure.field == field
        assert failure.message == f"fal did not accept the settings. {label}: {message}"
        assert not failure.retryable
        assert failure.charged is False

    @pytest.mark.parametrize("detail", ["Unprocessable", [], [{"msg": "no"}], [{"loc": None, "msg": "no"}], None])
    async def test_422_of_another_shape_names_no_field(self, gateway, fal, detail):
        failure = await submit_failure(gateway, fal, Reply(422, {"detail": detail}, FROM_FAL))
        assert failure.code == "validation"
        assert failure.field is None
        assert failure.message.startswith("fal did not accept the settings. ")

    @on_submit_and_as_result
    async def test_a_refused_prompt_is_said_at_the_prompt(self, gateway, fal, failure_of: FailureOf):
        failure = await failure_of(gateway, fal, model_error("content_policy_violation", "flagged", "prompt"))
        assert failure.code == "content_policy"
        assert failure.field == "prompt"
        assert "content check refused this prompt" in failure.message
        assert not failure.retryable

    @on_submit_and_as_result
    async def test_no_media_generated_asks_for_another_prompt_or_seed(self, gateway, fal, failure_of: FailureOf):
        failure = await failure_of(gateway, fal, model_error("no_media_generated", "nothing came out", "prompt"))
        assert failure.code == "no_media"
        assert failure.message == ("fal ran the prompt and made no picture of it. Change the prompt or the seed.")
        assert not failure.retryable

    @on_submit_and_as_result
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (400, "fal could not run this request"),
            (500, "fal's model failed while making this picture"),
            (502, "fal's server for this model broke off"),
            (503, "fal has no free server for this model right now"),
            (504, "fal gave up waiting for the model"),
        ],
    )
    @pytest.mark.parametrize("retryable", [True, False])
    async def test_temporary_errors_offer_retry_where_fal_says_so(
        self, gateway, fal, failure_of: FailureOf, status, words, retryable
    ):
        reply = infrastructure_error(
            status, "the runner said no", "runner_error", **{"x-fal-retryable": str(retryable).lower()}
        )
        failure = await failure_of(gateway, fal, reply)
        assert failure.code == "runner_error"
        assert failure.message.startswith(f"{words} (the runner said no).")
        assert failure.retryable is retryable
        assert failure.message.endswith("Press Retry." if retryable else "change the settings.")
        assert failure.charged is (False if status >= 500 else None)

    async def test_the_error_type_is_read_from_the_header_too(self, gateway, fal):
        reply = Reply(500, {"detail": "boom"}, {**FROM_FAL, "x-fal-error-type": "runner_disconnected"})
        assert (await submit_failure(gateway, fal, reply)).code == "runner_disconnected"

    async def test_a_page_of_html_is_not_shown_to_the_user(self, gateway, fal):
        failure = await submit_failure(gateway, fal, Reply(500, b"<html>secret stack trace</html>", FROM_FAL))
        assert "<" not in failure.message
        assert failure.message.startswith("fal's model failed")

    async def test_404_as_the_result_says_that_it_is_gone(self, gateway, fal):
        failure = await result_failure(gateway, fal, Reply(404, {"detail": "Request not found"}))
        assert failure.code == "gone"
        assert "kept for about an hour" in failure.message
        assert not failure.refetch


class TestSubmitOnce:
    """There is no idempotency key: one POST, and an honest account of what became of it."""

    @pytest.mark.parametrize(
        "step",
        [
            pytest.param(Lost(httpx.ReadTimeout("no answer")), id="read timeout"),
            pytest.param(Lost(httpx.WriteTimeout("stuck")), id="write timeout"),
            pytest.param(Lost(httpx.ReadError("reset by peer")), id="dropped connection"),
            pytest.param(Lost(httpx.RemoteProtocolError("disconnected without a response")), id="hung up"),
            pytest.param(Reply(408, {"detail": "Request Timeout"}), id="408"),
            pytest.param(Reply(409, {"detail": "Conflict"}), id="409"),
            pytest.param(Reply(502, NGINX), id="nginx 502"),
            pytest.param(Reply(504, NGINX), id="nginx 504"),
            pytest.param(Reply(502, b""), id="bare 502"),
            pytest.param(Reply(200, b"not json"), id="200, no JSON"),
            pytest.param(Reply(200, {"status": "IN_QUEUE"}), id="200, no request id"),
            pytest.param(Reply(200, ["IN_QUEUE"]), id="200, a list"),
            pytest.param(Reply(200, b"\xff\xfe\x00"), id="200, no text"),
            pytest.param(
                lambda seen: Reply(200, {**addresses(seen, "x"), "request_id": 12}), id="200, a number for an id"
            ),
        ],
    )
    async def test_no_clear_answer_is_unknown_and_never_repeated(self, gateway, fal, step):
        fal.script("submit", step)
        with pytest.raises(SubmitUnanswered) as caught:
            await gateway.submit(REQUEST)
        assert fal.count("submit") == 1
        assert caught.value.failure.message.startswith("fal may have accepted this; it was not sent again.")
        assert "fal.ai/dashboard/requests" in caught.value.failure.message

    @pytest.mark.parametrize(
        "error",
        [
            httpx.ConnectError("refused"),
            httpx.ConnectTimeout("slow"),
            httpx.PoolTimeout("full"),
            httpx.ProxyError("no"),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_what_never_left_the_machine_may_be_sent_again(self, gateway, fal, error):
        fal.script("submit", Unsent(error))
        with pytest.raises(NotAccepted) as caught:
            await gateway.submit(REQUEST)
        assert fal.count("submit") == 0
        assert caught.value.waiting_for == "waiting for the network"
        assert "nothing was sent" in caught.value.failure.message

        await gateway.submit(REQUEST)
        assert fal.accepted == 1

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(Reply(429, {"detail": "Too many"}), id="429"),
            pytest.param(infrastructure_error(429, "Queue is full", "queue_full"), id="429 of fal's server"),
            pytest.param(Reply(503, NGINX), id="nginx 503"),
            pytest.param(Reply(503, b""), id="bare 503"),
        ],
    )
    async def test_a_full_queue_is_waited_for(self, gateway, fal, reply):
        fal.script("submit", reply)
        with pytest.raises(NotAccepted) as caught:
            await gateway.submit(REQUEST)
        assert fal.count("submit") == 1
        assert caught.value.waiting_for == "waiting for a free slot at fal"
        assert caught.value.retry_after is None

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("12", 12.0), ("0.5", 0.5), ("0", 0.0), ("soon", None), ("", None), ("nan", None), ("-3", None)],
    )
    async def test_retry_after_in_seconds(self, gateway, fal, header, seconds):
        fal.script("submit", Reply(429, {"detail": "Too many"}, {"retry-after": header}))
        with pytest.raises(NotAccepted) as caught:
            await gateway.submit(REQUEST)
        assert caught.value.retry_after == seconds

    @pytest.mark.parametrize(("ahead", "least", "most"), [(60, 57, 60), (-60, 0, 0)])
    async def test_retry_after_as_a_date(self, gateway, fal, ahead, least, most):
        date = formatdate(time.time() + ahead, usegmt=True)
        fal.script("submit", Reply(429, {"detail": "Too many"}, {"retry-after": date}))
        with pytest.raises(NotAccepted) as caught:
            await gateway.submit(REQUEST)
        assert caught.value.retry_after is not None
        assert least <= caught.value.retry_after <= most


class TestHosts:
    """The key goes to the queue's host and nowhere else."""

    async def test_the_key_goes_to_the_queue_and_never_to_the_media_host(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        await looks(gateway, ticket)
        await gateway.download((await gateway.result(ticket)).url)
        await gateway.cancel(ticket)

        for seen in fal.seen:
            if seen.kind == "media":
                assert seen.host == "v3.fal.media"
                assert "authorization" not in seen.headers
                assert KEY not in repr(seen)
            else:
                assert seen.host == "queue.fal.run"
                assert seen.headers["authorization"] == f"Key {KEY}"
        assert {seen.kind for seen in fal.seen} == {"submit", "status", "result", "media", "cancel"}

    @pytest.mark.parametrize("field", ["status_url", "response_url", "cancel_url"])
    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/fal-ai/flux-2-flex/requests/abc",
            "http://queue.fal.run/fal-ai/flux-2-flex/requests/abc",
            "https://queue.fal.run.evil.example/requests/abc",
            "https://queue.fal.run:444/requests/abc",
            "https://queue.fal.run@evil.example/requests/abc",
            "/fal-ai/flux-2-flex/requests/abc",
            "https://[broken",
            "",
            None,
            7,
        ],
    )
    async def test_a_reply_that_names_another_host_is_followed_at_the_queue(self, gateway, fal, field, url):
        def reply(seen: Any) -> Reply:
            usual = fal._submit(seen).body
            return Reply(200, {**usual, field: url})

        fal.script("submit", reply)
        ticket = await gateway.submit(REQUEST)
        await looks(gateway, ticket)
        await gateway.result(ticket)
        await gateway.cancel(ticket)
        assert ticket.request_id in fal.taken
        assert {seen.host for seen in fal.seen} == {"queue.fal.run"}
        assert all(seen.url.startswith("https://") for seen in fal.seen)
        assert {"status", "result", "cancel"} <= {seen.kind for seen in fal.seen}

    async def test_a_ticket_of_another_host_is_refused_before_anything_is_sent(self, gateway, fal):
        url = "https://localhost:9999/fal-ai/flux-2-flex/requests/abc"
        foreign = Ticket(request_id="abc", status_url=f"{url}/status", response_url=url, cancel_url=f"{url}/cancel")
        for use in (looks(gateway, foreign), gateway.result(foreign), gateway.cancel(foreign)):
            with pytest.raises(RequestFailed, match="localhost") as caught:
                await use
            assert caught.value.failure.code == "foreign_host"
            assert caught.value.failure.refetch
        assert fal.seen == []

    async def test_a_redirect_is_not_followed_with_the_key(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        elsewhere = Reply(307, b"", {"location": "https://evil.example/"})
        fal.script("status", elsewhere)
        fal.script("result", elsewhere)
        with pytest.raises(Unreachable):
            await looks(gateway, ticket)
        with pytest.raises((Unreachable, RequestFailed)):
            await gateway.result(ticket)
        assert {seen.host for seen in fal.seen} == {"queue.fal.run"}


class TestFollow:
    async def test_missing_logs_and_position_are_no_trouble(self, gateway, fal):
        fal.stages = [{"status": "IN_QUEUE"}, {"status": "IN_PROGRESS"}]
        seen = await looks(gateway, await gateway.submit(REQUEST))
        assert seen == [Progress(RunState.QUEUED), Progress(RunState.RUNNING)]

    async def test_completed_without_logs_or_metrics_is_the_end(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        fal.script("status", Reply(200, {"status": "COMPLETED"}))
        assert await looks(gateway, ticket) == []

    async def test_an_unknown_status_counts_as_work(self, gateway, fal):
        fal.stages = [{"status": "WARMING_UP", "logs": None}, WORKING]
        seen = await looks(gateway, await gateway.submit(REQUEST))
        assert [progress.state for progress in seen] == [RunState.RUNNING, RunState.RUNNING]

    async def test_the_position_is_told(self, gateway, fal):
        fal.stages = [{**WAITING, "queue_position": 4}, WAITING]
        seen = await looks(gateway, await gateway.submit(REQUEST))
        assert [progress.position for progress in seen] == [4, 0]

    async def test_completed_with_an_error_ends_in_the_error_of_the_result(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        fal.script("status", Reply(200, {**COMPLETED, "error": "it broke", "error_type": "internal_error"}))
        fal.script("result", infrastructure_error(500, "it broke", "internal_error"))
        assert await looks(gateway, ticket) == []
        with pytest.raises(RequestFailed, match="it broke"):
            await gateway.result(ticket)

    @pytest.mark.parametrize("status", [401, 403, 404])
    async def test_a_final_word_on_the_status_ends_it(self, gateway, fal, status):
        ticket = await gateway.submit(REQUEST)
        fal.script("status", Reply(status, {"detail": "no"}))
        with pytest.raises(RequestFailed):
            await looks(gateway, ticket)

    @pytest.mark.parametrize(
        "reply",
        [Reply(500, {"detail": "boom"}), Reply(503, b"", FROM_FAL), Reply(200, b"no json"), Reply(200, [1, 2]),
         Reply(307, b"", {"location": "https://evil.example"})],
    )  # fmt: skip
    async def test_a_look_that_fails_is_unreachable_and_not_the_end(self, gateway, fal, reply):
        ticket = await gateway.submit(REQUEST)
        fal.script("status", reply)
        with pytest.raises(Unreachable) as caught:
            await looks(gateway, ticket)
        assert caught.value.failure.refetch
        assert len(await looks(gateway, ticket)) == 2, "asking again goes on where it was"
        assert fal.count("submit") == 1

    async def test_a_look_that_hangs_is_given_up(self, gateway, fal, clock):
        async def never(_: Any) -> None:
            clock.advance(gateway_module.STATUS_SECONDS)
            await asyncio.Event().wait()

        ticket = await gateway.submit(REQUEST)
        fal.script("status", never)
        with pytest.raises(Unreachable):
            await looks(gateway, ticket)

    async def test_a_cancel_is_never_lost_however_it_falls(self, gateway, fal):
        """`asyncio.wait_for` before Python 3.12 returns a result in the place of a cancel that came with it."""
        fal.finish.clear()
        ticket = await gateway.submit(REQUEST)
        for turns in range(60):
            following = asyncio.create_task(looks(gateway, ticket))
            for _ in range(turns):
                await asyncio.sleep(0)
            following.cancel()
            done, _ = await asyncio.wait([following], timeout=20)
            following.cancel()
            assert done, f"after {turns} turns of the loop"

    async def test_short_trouble_on_the_way_is_passed_over(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        fal.script("status", Unsent(httpx.ConnectError("gone")), Reply(429, b""), Reply(502, NGINX))
        assert len(await looks(gateway, ticket)) == 2

    @pytest.mark.parametrize(
        "step",
        [Unsent(httpx.ConnectError("gone")), Lost(httpx.ReadTimeout("slow")), Reply(502, NGINX), Reply(429, {}),
         Reply(408, {"detail": "slow"}), Reply(500, b"<html>")],
    )  # fmt: skip
    async def test_a_result_that_cannot_be_had_now_can_be_had_later(self, gateway, fal, step):
        ticket = await gateway.submit(REQUEST)
        fal.script("result", step)
        with pytest.raises(Unreachable):
            await gateway.result(ticket)
        assert isinstance(await gateway.result(ticket), Result)

    @pytest.mark.parametrize(
        "body",
        [b"no json", [], {"images": []}, {"images": None}, {"images": [{}]}, {"seed": 3}, {"images": ["x"]}, "images"],
    )
    async def test_a_result_without_a_picture_can_be_fetched_again(self, gateway, fal, body):
        ticket = await gateway.submit(REQUEST)
        fal.script("result", Reply(200, body))
        with pytest.raises(RequestFailed) as caught:
            await gateway.result(ticket)
        assert caught.value.failure.code == "unreadable_result"
        assert caught.value.failure.refetch

    @pytest.mark.parametrize(
        ("line", "fraction"),
        [
            ("62%", 0.62),
            ("  4%|▍         | 1/28 [00:00<00:15]", 0.04),
            ("100%|██████████| 28/28", 1.0),
            ("62.5 % done", 0.625),
            ("step 7/28", 0.25),
            ("0/28", 0.0),
            ("120%", 1.0),
            ("30/28", None),
            ("3/0", None),
            ("loading the model", None),
            ("", None),
        ],
    )
    def test_progress_as_log_lines_tell_it(self, line, fraction):
        assert _fraction(line) == fraction

    async def test_the_newest_line_that_tells_progress_counts(self, gateway, fal):
        lines = [{"message": "7/28"}, {"message": "14/28"}, {"message": "saving"}, "no dict"]
        fal.stages = [{"status": "IN_PROGRESS", "logs": lines}]
        (progress,) = await looks(gateway, await gateway.submit(REQUEST))
        assert progress == Progress(RunState.RUNNING, fraction=0.5, log_line="saving")


class TestPacing:
    """A generation of 16 s costs few looks, and its end is not noticed late."""

    STEPS, SECONDS = 28, 16.0

    @pytest.mark.parametrize("with_logs", [True, False])
    @pytest.mark.parametrize("queued", [0.0, 6.0])
    async def test_at_most_40_looks_and_a_short_delay(self, gateway, fal, clock, with_logs, queued):
        start = clock.passed

        def stage(_: Any) -> Reply:
            passed = clock.passed - start
            if passed >= self.SECONDS:
                return Reply(200, COMPLETED)
            if passed < queued:
                return Reply(202, WAITING)
            done = int(self.STEPS * (passed - queued) / (self.SECONDS - queued))
            logs = [{"message": f"{step}/{self.STEPS}"} for step in range(1, done + 1)] if with_logs else None
            return Reply(202, {"status": "IN_PROGRESS", "logs": logs})

        fal.script("status", *[stage] * 500)
        await looks(gateway, await gateway.submit(REQUEST))
        assert 10 < fal.count("status") <= 40
        assert clock.passed - start - self.SECONDS <= (0.6 if with_logs and not queued else 1.6)

    def test_the_interval_grows_with_the_time_waited_up_to_a_limit(self):
        intervals = [next_interval(seconds) for seconds in (0, 1, 4, 8, 12, 60, 3600)]
        assert intervals == sorted(intervals)
        assert intervals[0] <= 0.1
        assert intervals[-1] == LONGEST_SECONDS

    def test_near_the_end_it_looks_sooner_but_never_in_a_tight_loop(self):
        assert next_interval(16, 0.97) < next_interval(16, 0.9) < next_interval(16)
        assert next_interval(16, 0.9999) >= 0.005
        assert next_interval(16, 0.2) == next_interval(16, 1.0) == next_interval(16, None)


class TestCancel:
    async def test_202_is_yes(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        assert await gateway.cancel(ticket) is True
        assert fal.taken[ticket.request_id].cancelled
        assert [seen.method for seen in fal.calls("cancel")] == ["PUT"]

    @pytest.mark.parametrize(("status", "word"), [(400, "ALREADY_COMPLETED"), (404, "NOT_FOUND")])
    async def test_too_late_is_no(self, gateway, fal, status, word):
        ticket = await gateway.submit(REQUEST)
        fal.script("cancel", Reply(status, {"status": word}))
        assert await gateway.cancel(ticket) is False

    @pytest.mark.parametrize("status", [401, 500])
    async def test_another_answer_is_trouble_on_the_way(self, gateway, fal, status):
        ticket = await gateway.submit(REQUEST)
        fal.script("cancel", Reply(status, {"detail": "no"}))
        with pytest.raises(Unreachable):
            await gateway.cancel(ticket)

    async def test_a_dead_network_is_trouble_on_the_way(self, gateway, fal):
        ticket = await gateway.submit(REQUEST)
        fal.script("cancel", *[Unsent(httpx.ConnectError("gone"))] * 20)
        with pytest.raises(Unreachable):
            await gateway.cancel(ticket)


class TestSeams:
    """What stands on fal_client's own inside, and what the outside relies on."""

    def test_fal_client_sends_all_it_sends_by_the_private_seam(self):
        source = inspect.getsource(fal_client.AsyncClient.submit)
        assert "await self._client" in source
        assert "_client" in vars(fal_client.AsyncClient), "the seam that _Client overrides is gone"
        handle = inspect.signature(fal_client.AsyncRequestHandle).parameters
        assert list(handle) == ["request_id", "response_url", "status_url", "cancel_url", "client"]
        assert hasattr(fal_client.AsyncRequestHandle, "_parse_status")

    async def test_our_client_is_the_one_that_fal_client_uses(self, fal):
        async with httpx.AsyncClient(transport=fal.transport()) as http:
            client = _Client(http)
            assert await client._client is http
            await client.submit("fal-ai/flux-2-flex", {"prompt": "a fox"})
        assert fal.accepted == 1

    @pytest.mark.parametrize(
        ("environ", "queue"),
        [
            ({}, "https://queue.fal.run/fal-ai/flux-2-flex"),
            ({"FAL_QUEUE_RUN_HOST": "localhost:8443"}, "https://localhost:8443/fal-ai/flux-2-flex"),
            ({"FAL_RUN_HOST": "fal.example"}, "https://queue.fal.example/fal-ai/flux-2-flex"),
        ],
    )
    def test_the_hosts_of_the_environment_are_honoured(self, environ, queue):
        code = """
            import asyncio
            from support.standin import StandIn
            from services.engines.fal.gateway import FalGateway
            from services.models.flux_2_flex import Flux2FlexRequest

            async def main():
                fal = StandIn()
                gateway = FalGateway("key:secret", transport=fal.transport())
                ticket = await gateway.submit(Flux2FlexRequest(prompt="a fox"))
                async for _ in gateway.follow(ticket):
                    pass
                await gateway.result(ticket)
                print(fal.seen[0].url, *{seen.host for seen in fal.seen})

            asyncio.run(main())
        """
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FAL_")}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**clean, **environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), os.path.join(os.getcwd(), "tests")])},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [queue, queue.split("/")[2]]
