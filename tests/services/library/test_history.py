from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.newest import newest

from services.errors import Failure, NotFound
from services.library.history import History, Totals
from services.library.scope import EVERYONE, Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.integer import SEED_MAX
from services.models.sizes import PRESET_PIXELS, ImageSize
from services.run import Picture, Run, RunState, Ticket, new_id, now

ANN, BOB = Scope("ann"), Scope("bob")
NOBODY = Scope(None)
START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
TICKET = Ticket(request_id="r-1", status_url="https://q/s", response_url="https://q/r", cancel_url="https://q/c")
PICTURE = Picture(
    name=f"{'a' * 32}.jpg", thumb=f"{'a' * 32}.webp", content_type="image/jpeg", bytes=9, width=64, height=48, note="ok"
)


def a_run(**fields: Any) -> Run:
    """A run with everything at rest; `fields` say what matters."""
    defaults = {
        "id": new_id(),
        "visitor": "ann",
        "engine": "fal",
        "key_of": "owner",
        "request": Flux2FlexRequest(prompt="a fox", seed=7),
        "created_at": START,
    }
    return Run(**{**defaults, **fields})


def add(history: History, **fields: Any) -> Run:
    (run,) = history.add([a_run(**fields)])
    return run


def ids(entries: list[Any]) -> list[str]:
    return [entry.run.id for entry in entries]


def requests() -> st.SearchStrategy[Flux2FlexRequest]:
    characters = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
    sides = st.integers(4, 64).map(lambda count: count * 16)
    return st.builds(
        Flux2FlexRequest,
        prompt=st.text(characters, min_size=1, max_size=200).filter(str.strip),
        image_size=st.sampled_from(list(PRESET_PIXELS)) | st.builds(ImageSize, width=sides, height=sides),
        seed=st.integers(0, SEED_MAX),
        num_inference_steps=st.integers(2, 50),
        guidance_scale=st.floats(1.5, 10),
        enable_prompt_expansion=st.booleans(),
        safety_tolerance=st.sampled_from("12345"),
        enable_safety_checker=st.booleans(),
        output_format=st.sampled_from(["jpeg", "png"]),
        sync_mode=st.booleans(),
    )


class TestRoundTrip:
    @settings(
        derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(requests())
    def test_any_request_comes_back_exactly(self, history, request_):
        run = add(history, request=request_)
        assert history.get(run.id, EVERYONE) == run
        assert history.get(run.id, EVERYONE).request == request_

    def test_every_field_comes_back_exactly(self, history):
        moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
        full = a_run(
            state=RunState.DONE, submitted_at=moment, started_at=moment, finished_at=moment, ticket=TICKET,
            queue_position=0, progress=0.25, note="waiting", cancel_asked=True,
            failure=Failure(code="locked", message="User is locked.", field="prompt", retryable=True, charged=False),
            seed_used=SEED_MAX, picture=PICTURE, billed_units=1.5, cost_usd=0.05, favourite=True, deleted_at=moment,
            grid_id="e" * 32, project_id="d" * 32, notes="for the client\n✓", tags=("poster", "Käse"),
            repeat_of="c" * 32, retry_of="b" * 32, original_removed_at=moment, model="another",
        )  # fmt: skip
        untold = {name for name in Run.model_fields if getattr(full, name) == Run.model_fields[name].default}
        assert untold == {"revision"}, "this test should set every field"
        (added,) = history.add([full])
        assert history.get(full.id, EVERYONE) == added == full.model_copy(update={"revision": added.revision})

    def test_a_time_of_another_zone_is_the_same_moment(self, history):
        local = START.astimezone(timezone(timedelta(hours=-7)))
        assert history.get(add(history, created_at=local).id, EVERYONE).created_at == START

    def test_a_change_is_seen_by_another_history_on_the_same_file(self, history, tmp_path):
        run = add(history)
        history.change(run.id, state=RunState.SUBMITTED, ticket=TICKET)
        other = History(tmp_path)
        assert other.get(run.id, EVERYONE).ticket == TICKET
        other.close()


class TestChange:
    def test_only_what_is_named_changes(self, history):
        run = add(history)
        changed = history.change(run.id, state=RunState.QUEUED, queue_position=3)
        expected = {"state": RunState.QUEUED, "queue_position": 3, "revision": changed.revision}
        assert changed == run.model_copy(update=expected)
        assert history.get(run.id, EVERYONE) == changed

    def test_none_takes_back(self, history):
        run = add(history, picture=PICTURE, failure=Failure(code="x", message="X."), note="n")
        changed = history.change(run.id, picture=None, failure=None, note=None)
        assert (changed.picture, changed.failure, changed.note) == (None, None, None)
        assert history.media_run(PICTURE.name) is None

    def test_of_an_unknown_run(self, history):
        with pytest.raises(NotFound, match="There is no picture here"):
            history.change("nobody", note="hello")

    def test_change_from_needs_the_state(self, history):
        run = add(history)
        sent = history.change_from(RunState.PENDING, run.id, state=RunState.SUBMITTING)
        assert sent is not None
        assert history.change_from(RunState.PENDING, run.id, state=RunState.CANCELLED) is None
        assert history.get(run.id, EVERYONE) == sent

    def test_revisions_strictly_grow(self, history):
        first, second = history.add([a_run(), a_run()])
        third = history.change(first.id, note="a")
        history.change_from(RunState.DONE, first.id, note="not this one")
        fourth = history.change(second.id, note="b")
        revisions = [run.revision for run in (first, second, third, fourth)]
        assert revisions == sorted(set(revisions))
        assert history.revision() == revisions[-1]

    def test_two_threads_write_without_a_lost_or_doubled_revision(self, history):
        runs = history.add([a_run() for _ in range(4)])
        seen: list[int] = []

        def write(run: Run) -> None:
            seen.extend(history.change(run.id, progress=step / 25).revision for step in range(25))

        threads = [threading.Thread(target=write, args=[run]) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == len(set(seen)) == 100
        assert history.revision() == max(seen)

    def test_of_two_that_want_to_send_only_one_may(self, history):
        for _ in range(10):
            run, won, barrier = add(history), [], threading.Barrier(2)

            def claim(run: Run = run, won: list[Any] = won, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                won.append(history.change_from(RunState.PENDING, run.id, state=RunState.SUBMITTING))

            threads = [threading.Thread(target=claim) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sum(run is not None for run in won) == 1

    def test_two_histories_on_one_file_take_turns(self, history, tmp_path):
        other = History(tmp_path)
        run = add(history)

        def write() -> None:
            for step in range(20):
                other.change(run.id, progress=step / 20)

        thread = threading.Thread(target=write)
        thread.start()
        revisions = [history.change(run.id, note=str(step)).revision for step in range(20)]
        thread.join()
        other.close()
        assert revisions == sorted(set(revisions))
        assert history.revision() == 41


class TestPage:
    def test_newest_first_in_pages_without_gaps(self, history):
        added = history.add([a_run() for _ in range(7)])
        pages, before = [], None
        while page := newest(history, EVERYONE, limit=3, after=before):
            pages.append(ids(page))
            before = page[-1].seq
        assert [len(page) for page in pages] == [3, 3, 1]
        assert [run for page in pages for run in page] == [run.id for run in reversed(added)]

    def test_new_runs_do_not_shift_the_next_page(self, history):
        history.add([a_run() for _ in range(4)])
        first = newest(history, EVERYONE, limit=2)
        history.add([a_run() for _ in range(3)])
        second = newest(history, EVERYONE, limit=2, after=first[-1].seq)
        assert [entry.seq for entry in first + second] == [4, 3, 2, 1]

    def test_deleted_ones_are_left_out_and_can_still_be_read(self, history):
        kept, gone = add(history), add(history)
        history.change(gone.id, deleted_at=now())
        assert ids(newest(history, EVERYONE, limit=9)) == [kept.id]
        assert history.count(EVERYONE) == 1
        assert history.get(gone.id, ANN).deleted_at

    def test_changed_since_tells_changes_in_their_order_deleted_ones_too(self, history):
        first, second, third = history.add([a_run() for _ in range(3)])
        cursor = history.revision()
        assert history.changed_since(EVERYONE, cursor) == []
        history.change(third.id, note="x")
        history.change(first.id, deleted_at=now())
        history.change(third.id, note="y")
        told = history.changed_since(EVERYONE, cursor)
        assert ids(told) == [first.id, third.id]
        assert told[1].run.note == "y"
        assert ids(history.changed_since(EVERYONE, told[0].run.revision)) == [third.id]
        assert second.id not in ids(told)

    def test_changed_since_is_limited_and_goes_on(self, history):
        history.add([a_run() for _ in range(5)])
        first = history.changed_since(EVERYONE, 0, limit=3)
        rest = history.changed_since(EVERYONE, first[-1].run.revision, limit=3)
        assert [entry.seq for entry in first + rest] == [1, 2, 3, 4, 5]


class TestScopes:
    @pytest.fixture
    def theirs(self, history: History) -> dict[str | None, Run]:
        return {who: add(history, visitor=who) for who in ("ann", "bob", None)}

    @pytest.mark.parametrize(("scope", "who"), [(ANN, ["ann"]), (BOB, ["bob"]), (NOBODY, []), (Scope(""), [])])
    def test_a_visitor_sees_only_their_own(self, history, theirs, scope, who):
        expected = [theirs[name].id for name in who]
        assert ids(newest(history, scope, limit=9)) == expected
        assert ids(history.changed_since(scope, 0)) == expected
        assert history.count(scope) == len(expected)

    def test_everyone_sees_all(self, history, theirs):
        assert set(ids(newest(history, EVERYONE, limit=9))) == {run.id for run in theirs.values()}

    def test_anothers_run_is_not_found(self, history, theirs):
        for scope in (BOB, NOBODY):
            with pytest.raises(NotFound):
                history.get(theirs["ann"].id, scope)

    def test_waiting_for_a_key_is_ones_own_unfinished_work(self, history):
        mine = [add(history, key_of="visitor", state=state) for state in (RunState.PENDING, RunState.QUEUED)]
        add(history, key_of="visitor", state=RunState.DONE)
        add(history, key_of="visitor", state=RunState.UNKNOWN)
        add(history, key_of="owner", state=RunState.PENDING)
        add(history, key_of="visitor", visitor="bob")
        assert [run.id for run in history.waiting_for_key("ann")] == [run.id for run in mine]

    def test_unfinished_is_everyones_oldest_first(self, history):
        runs = {state: add(history, state=state) for state in RunState}
        unfinished = [RunState.PENDING, RunState.SUBMITTING, RunState.SUBMITTED, RunState.QUEUED, RunState.RUNNING]
        assert [run.id for run in history.unfinished()] == [runs[state].id for state in unfinished]


class TestMoney:
    def test_totals_count_finished_pictures_since(self, history):
        add(history, state=RunState.DONE, cost_usd=0.05)
        add(history, state=RunState.DONE, cost_usd=0.10, created_at=START + timedelta(hours=1))
        add(history, state=RunState.FAILED, cost_usd=0.05)
        add(history, state=RunState.DONE, cost_usd=0.05, visitor="bob")
        assert history.totals(ANN, START) == Totals(2, 0.15)
        assert history.totals(ANN, START + timedelta(minutes=1)) == Totals(1, 0.10)
        assert history.totals(EVERYONE, START) == Totals(3, 0.20)
        assert history.totals(ANN, START + timedelta(days=1)) == Totals(0, 0.0)

    def test_many_small_sums_do_not_drift(self, history):
        history.add([a_run(state=RunState.DONE, cost_usd=0.1) for _ in range(30)])
        assert history.totals(ANN, START).cost_usd == 3.0

    @pytest.mark.parametrize("state", list(RunState))
    def test_spending_counts_all_that_may_be_charged(self, history, state):
        add(history, state=state, cost_usd=0.05)
        spent = 0.0 if state in (RunState.FAILED, RunState.CANCELLED) else 0.05
        assert history.owners_spending(START, "ann") == spent

    def test_spending_is_of_the_owners_key_and_of_whom_is_asked(self, history):
        add(history, cost_usd=0.05)
        add(history, cost_usd=0.05, key_of="visitor")
        add(history, cost_usd=0.20, visitor="bob")
        add(history, cost_usd=0.40, visitor=None)
        add(history, cost_usd=0.80, created_at=START - timedelta(seconds=1))
        assert history.owners_spending(START, "ann") == 0.05
        assert history.owners_spending(START, None) == 0.40
        assert history.owners_spending(START, everyone=True) == 0.65

    def test_a_deleted_picture_is_still_paid_for_and_so_is_one_that_is_gone(self, history):
        run = add(history, state=RunState.DONE, cost_usd=0.05)
        for remove in (lambda: history.change(run.id, deleted_at=START), lambda: history.purge(now())):
            remove()
            assert history.owners_spending(START, "ann") == 0.05
            assert history.totals(ANN, START) == Totals(1, 0.05)
            assert history.owners_asked_since("ann", START - timedelta(seconds=1)) == 1


class TestPurge:
    def test_only_what_was_deleted_before_goes(self, history):
        old = add(history, state=RunState.DONE, deleted_at=START, picture=PICTURE)
        young = add(history, deleted_at=START + timedelta(minutes=5))
        alive = add(history)
        assert [run.id for run in history.purge(START + timedelta(minutes=1))] == [old.id]
        assert {run.id for run in (young, alive)} == set(ids(history.changed_since(EVERYONE, 0)))
        with pytest.raises(NotFound):
            history.get(old.id, EVERYONE)
        assert history.purge(START + timedelta(minutes=1)) == []

    def test_a_number_is_not_used_again(self, history):
        add(history, deleted_at=START)
        seq = history.changed_since(EVERYONE, 0)[-1].seq
        history.purge(START + timedelta(minutes=1))
        add(history)
        assert newest(history, EVERYONE, limit=1)[0].seq > seq


def test_a_pictures_run_is_found_by_its_file(history):
    run = add(history)
    history.change(run.id, picture=PICTURE)
    assert history.media_run(PICTURE.name).id == run.id
    assert history.media_run("b" * 32 + ".jpg") is None
