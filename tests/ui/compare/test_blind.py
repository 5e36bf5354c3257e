"""The blind pick's routes: what a page is told, and what it must not be told before the result."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.blind import GRID, SEEDS, STEPS, GridInMemory

from services.grids.blind.blind import Judging
from ui.visitors import HEADER, visitor_of

MINE, THEIRS = "m" * 32, "t" * 32
STEPS_AXIS, SEED_AXIS, SINGLE_AXIS = range(3)
pytestmark = pytest.mark.anyio


class Desk:
    """A grid of mine, and a client for its blind pick. `told` is all that was answered."""

    def __init__(self, folder: Path) -> None:
        me = visitor_of(httpx.Request("GET", "http://page", headers={HEADER: MINE}))
        self.store = GridInMemory(folder, owner=me)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.store.app()), base_url="http://page")
        self.told: list[str] = []

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str = MINE, grid: str = GRID
    ) -> httpx.Response:
        answer = await self.client.request(method, f"/grids/{grid}/blind{path}", json=body, headers={HEADER: token})
        self.told += [json.dumps(dict(answer.headers)), answer.text if "json" in answer.headers["content-type"] else ""]
        return answer

    async def get(self, path: str = "") -> Any:
        return (await self.ask("GET", path)).json()

    async def start(self, axis: int = STEPS_AXIS, mode: str = "pairs") -> dict[str, Any]:
        answer = await self.ask("POST", "", {"axis": axis, "mode": mode})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def judge(self, ballot: str, number: int, choice: int | str) -> Any:
        return (await self.ask("POST", f"/{ballot}/verdict", {"round": number, "choice": choice})).json()

    def kept(self, ballot: str) -> Judging:
        return self.store.kept[ballot]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.client.aclose()


async def test_what_can_be_judged_and_what_was(desk: Desk) -> None:
    offer = await desk.get()
    assert offer["rounds"] == [{"pairs": 12, "four": 2}, {"pairs": 4, "four": 4}, {"pairs": 0, "four": 0}]
    assert offer["kept"] == []

    first, second = await desk.start(), await desk.start(SEED_AXIS, "four")
    await desk.judge(first["ballot"], 1, 0)
    [newest, oldest] = (await desk.get())["kept"]
    assert newest.items() >= {"ballot": second["ballot"], "axis": "Seed", "mode": "four", "judged": 0, "of": 4}.items()
    assert (
        oldest.items() >= {"ballot": first["ballot"], "axis": "Steps", "mode": "pairs", "judged": 1, "of": 12}.items()
    )


async def test_a_ballot_from_its_first_round_to_its_result(desk: Desk) -> None:
    state = await desk.start(mode="four")
    ballot = state.pop("ballot")
    assert state == {"round": 1, "of": 2, "sides": 4, "then": 4}
    rounds = desk.kept(ballot).ballot.rounds
    best = [max(range(4), key=lambda side: sides[side].value) for sides in rounds]  # always the most steps

    assert await desk.judge(ballot, 1, best[0]) == {"ballot": ballot, "round": 2, "of": 2, "sides": 4, "then": 0}
    assert await desk.judge(ballot, 2, best[1]) == {"ballot": ballot, "round": None, "of": 2, "sides": 0, "then": 0}
    result = await desk.get(f"/{ballot}/result")

    assert result.items() >= {"axis": "Steps", "judged": 2, "of": 2}.items()
    assert result["sentence"].startswith("Undecided: 50 steps leads (6 of 6), but too narrowly")
    best_of_all = result["standings"][0]
    assert best_of_all["label"] == "50 steps"
    assert best_of_all.keys() >= {"wins", "of", "low", "high", "strength", "place"}


async def test_undo_and_going_on(desk: Desk) -> None:
    ballot = (await desk.start())["ballot"]
    await desk.judge(ballot, 1, "tie")
    await desk.judge(ballot, 2, 1)

    assert (await desk.ask("POST", f"/{ballot}/undo")).json()["round"] == 2
    assert (await desk.get(f"/{ballot}"))["round"] == 2
    assert desk.kept(ballot).verdicts == ("tie",)


async def test_nothing_tells_what_made_a_picture_before_the_result(desk: Desk) -> None:
    ballot = (await desk.start())["ballot"]
    for number in range(1, 13):
        for side in (0, 1):
            picture = await desk.ask("GET", f"/{ballot}/{number}/{side}")
            assert picture.status_code == 200
            assert picture.headers["content-type"] == "application/octet-stream"
            assert picture.headers["cache-control"] == "no-store"
            assert not {"etag", "last-modified", "content-disposition"} & picture.headers.keys()
        await desk.judge(ballot, number, 0)
    await desk.get()
    await desk.get(f"/{ballot}")

    told = "\n".join(desk.told).replace(ballot, "")
    words = [*desk.store.runs.values(), *map(str, SEEDS[1:]), *(f"{steps} steps" for steps in STEPS), "jpeg", "png"]
    assert [word for word in words if word in told] == []


async def test_a_side_shows_the_picture_that_the_verdict_is_about(desk: Desk) -> None:
    ballot = (await desk.start())["ballot"]
    [left, right] = desk.kept(ballot).ballot.rounds[4]

    answers = [await desk.ask("GET", f"/{ballot}/5/{side}") for side in (0, 1)]

    for answer, side in zip(answers, (left, right), strict=True):
        data = desk.store.picture(side.run_id)
        assert data is not None
        assert answer.content == data


async def test_what_was_kept_stays_when_the_grid_changes(desk: Desk) -> None:
    ballot = (await desk.start())["ballot"]
    desk.store.steps = (1, 2, 3, 4)
    desk.store.runs = {(y, x, 0): run_id for (x, y, _), run_id in desk.store.runs.items()}
    await desk.judge(ballot, 1, 0)

    labels = {standing["label"] for standing in (await desk.get(f"/{ballot}/result"))["standings"]}
    assert labels == {f"{steps} steps" for steps in STEPS}


async def test_a_deleted_picture_is_not_there_and_its_round_can_be_skipped(desk: Desk) -> None:
    ballot = (await desk.start())["ballot"]
    gone, beside = desk.kept(ballot).ballot.rounds[0]
    desk.store.gone.add(gone.run_id)

    assert (await desk.ask("GET", f"/{ballot}/1/0")).status_code == 404
    assert (await desk.ask("GET", f"/{ballot}/1/1")).status_code == 200
    desk.store.gone.add(beside.run_id)
    assert (await desk.ask("GET", f"/{ballot}/1/1")).status_code == 404
    assert (await desk.judge(ballot, 1, "skip"))["round"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"axis": 0, "mode": "pairs"}),
        ("GET", "/{ballot}", None),
        ("GET", "/{ballot}/1/0", None),
        ("POST", "/{ballot}/verdict", {"round": 1, "choice": 0}),
        ("POST", "/{ballot}/undo", None),
        ("GET", "/{ballot}/result", None),
    ],
)
async def test_others_see_and_change_nothing(desk: Desk, method: str, path: str, body: Any) -> None:
    ballot = (await desk.start())["ballot"]
    await desk.judge(ballot, 1, 1)
    before = dict(desk.store.kept)

    theirs = await desk.ask(method, path.format(ballot=ballot), body, token=THEIRS)
    elsewhere = await desk.ask(method, path.format(ballot=ballot), body, grid="another")

    for answer in (theirs, elsewhere):
        assert answer.status_code == 404
        assert answer.json()["message"].startswith("There is no such grid here.")
    assert desk.store.kept == before


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"axis": SINGLE_AXIS, "mode": "pairs"}, "No two finished pictures differ in this axis only."),
        ({"axis": 3, "mode": "pairs"}, "Axis: 3 is not 0, 1 or 2."),
    ],
)
async def test_what_cannot_be_judged(desk: Desk, body: Any, message: str) -> None:
    answer = await desk.ask("POST", "", body)

    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)
    assert desk.store.kept == {}


@pytest.mark.parametrize("body", [{"axis": 0}, {"axis": 0, "mode": "five"}, {"axis": 0, "mode": "four", "seed": 1}])
async def test_a_malformed_start_is_refused(desk: Desk, body: Any) -> None:
    assert (await desk.ask("POST", "", body)).status_code == 422


@pytest.mark.parametrize("choice", [True, "1", "left", None, 0.5])
async def test_a_malformed_verdict_is_refused(desk: Desk, choice: Any) -> None:
    ballot = (await desk.start())["ballot"]

    answer = await desk.ask("POST", f"/{ballot}/verdict", {"round": 1, "choice": choice})

    assert answer.status_code == 422
    assert desk.kept(ballot).verdicts == ()


@pytest.mark.parametrize("path", ["/1/2", "/1/-1", "/0/0", "/13/0"])
async def test_there_are_no_other_pictures(desk: Desk, path: str) -> None:
    ballot = (await desk.start())["ballot"]

    assert (await desk.ask("GET", f"/{ballot}{path}")).status_code == 404
