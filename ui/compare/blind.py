"""The blind pick's routes. Until the page requests the result, no response reveals which value made a picture: rounds
and sides are numbers, pictures come without a name, a type or a date.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, Protocol, get_args

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from services.errors import FieldIssue, InvalidRequest, NotFound
from services.grids.blind.ballots import Ballots
from services.grids.blind.blind import Ballot, Choice, JudgedCell, Judging, Mode, draw
from services.pools import Pools
from services.run import new_id, now
from ui.visitors import visitor_of

AXES = 3
MODES: tuple[Mode, ...] = get_args(Mode)
PRIVATE = {"Cache-Control": "no-store"}
"""Pictures are not cached: their addresses reveal nothing about them, but cached copies could."""


class BlindStore(Protocol):
    """Storage of grids and of their judgings. Its methods may block: they run in threads.

    Those that take a visitor raise NotFound for a grid that the visitor may not see, and for a ballot of another grid.
    """

    def cells(self, visitor: str | None, grid_id: str) -> Iterable[JudgedCell]:
        """The grid's cells; a cell without a picture has no run id, or is left out."""

    def axis(self, visitor: str | None, grid_id: str, axis: int) -> tuple[str, Sequence[str]]:
        """An axis's name and its values in words, by index: `("Steps", ["10 steps", "28 steps"])`.

        Called only for an axis with two values or more.
        """

    def judgings(self, visitor: str | None, grid_id: str) -> Sequence[Judging]:
        """All judgings of the grid, newest first."""

    def add(self, visitor: str | None, grid_id: str, judging: Judging) -> None:
        """Store a new judging under the id of its ballot."""

    def load(self, visitor: str | None, grid_id: str, ballot_id: str) -> Judging: ...

    def change(
        self, visitor: str | None, grid_id: str, ballot_id: str, change: Callable[[Judging], Judging]
    ) -> Judging:
        """Replace a judging by `change(judging)`, in one transaction, and return the new one."""

    def picture(self, run_id: str) -> bytes | None:
        """The picture's bytes; None where it was deleted."""


class NewBallot(BaseModel):
    model_config = ConfigDict(extra="forbid")

    axis: int
    mode: Mode


class Verdict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    round: int
    choice: Choice


def ballot_routes(ballots: Ballots, pools: Pools) -> APIRouter:
    router = APIRouter(prefix="/ballots/{ballot_id}")

    @router.post("/delete")
    async def delete(request: Request, ballot_id: str) -> dict[str, str]:
        await pools.writes(ballots.delete, visitor_of(request), ballot_id)
        return {"ballot": ballot_id}

    @router.post("/restore")
    async def restore(request: Request, ballot_id: str) -> dict[str, str]:
        await pools.writes(ballots.restore, visitor_of(request), ballot_id)
        return {"ballot": ballot_id}

    return router


def blind_routes(store: BlindStore, pools: Pools) -> APIRouter:
    router = APIRouter(prefix="/grids/{grid_id}/blind")
    _add_judging(router, store, pools)
    _add_looking(router, store, pools)
    return router


def _add_judging(router: APIRouter, store: BlindStore, pools: Pools) -> None:
    @router.post("")
    async def start(request: Request, grid_id: str, body: NewBallot) -> dict[str, Any]:
        visitor = visitor_of(request)
        judging = Judging(ballot=await pools.reads(_new_ballot, store, visitor, grid_id, body))
        await pools.writes(store.add, visitor, grid_id, judging)
        return _state(judging)

    @router.post("/{ballot_id}/verdict")
    async def verdict(request: Request, grid_id: str, ballot_id: str, body: Verdict) -> dict[str, Any]:
        def change(judging: Judging) -> Judging:
            return judging.judge(body.round, body.choice)

        return _state(await pools.writes(store.change, visitor_of(request), grid_id, ballot_id, change))

    @router.post("/{ballot_id}/undo")
    async def undo(request: Request, grid_id: str, ballot_id: str) -> dict[str, Any]:
        return _state(await pools.writes(store.change, visitor_of(request), grid_id, ballot_id, Judging.undo))


def _add_looking(router: APIRouter, store: BlindStore, pools: Pools) -> None:
    @router.get("")
    async def offer(request: Request, grid_id: str) -> dict[str, Any]:
        """How many rounds each axis and mode would take, and what was judged already."""
        return await pools.reads(_offer, store, visitor_of(request), grid_id)

    @router.get("/{ballot_id}")
    async def state(request: Request, grid_id: str, ballot_id: str) -> dict[str, Any]:
        """The round to go on with."""
        return _state(await pools.reads(store.load, visitor_of(request), grid_id, ballot_id))

    @router.get("/{ballot_id}/result")
    async def result(request: Request, grid_id: str, ballot_id: str) -> dict[str, Any]:
        """The ranking by the verdicts so far, with the values' names: after it the pick is no longer blind."""
        judging = await pools.reads(store.load, visitor_of(request), grid_id, ballot_id)
        return {**_kept(judging), **asdict(await pools.sums(judging.ranking))}

    @router.get("/{ballot_id}/{number}/{side}")
    async def picture(request: Request, grid_id: str, ballot_id: str, number: int, side: int) -> Response:
        """The picture on a side (from 0) of a round (from 1): the bare bytes of the file."""
        judging = await pools.reads(store.load, visitor_of(request), grid_id, ballot_id)
        data = await pools.pictures(_bytes, store, judging, number, side)
        return Response(data, media_type="application/octet-stream", headers=PRIVATE)


def _offer(store: BlindStore, visitor: str | None, grid_id: str) -> dict[str, Any]:
    cells = list(store.cells(visitor, grid_id))
    rounds = [{mode: len(draw(cells, axis, mode, seed=0)) for mode in MODES} for axis in range(AXES)]
    return {"rounds": rounds, "kept": [_kept(judging) for judging in store.judgings(visitor, grid_id)]}


def _new_ballot(store: BlindStore, visitor: str | None, grid_id: str, asked: NewBallot) -> Ballot:
    if not 0 <= asked.axis < AXES:
        raise _refused(f"Axis: {asked.axis} is not 0, 1 or 2.")
    rounds = draw(store.cells(visitor, grid_id), asked.axis, asked.mode, secrets.randbits(64))
    if not rounds:
        raise _refused("No two finished pictures differ in this axis only. Wait for more, or judge another axis.")
    name, labels = store.axis(visitor, grid_id, asked.axis)
    return Ballot(id=new_id(), created_at=now(), axis=name, labels=tuple(labels), mode=asked.mode, rounds=rounds)


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field="axis", message=message),))


def _bytes(store: BlindStore, judging: Judging, number: int, side: int) -> bytes:
    rounds = judging.ballot.rounds
    if not (1 <= number <= len(rounds) and 0 <= side < len(rounds[number - 1])):
        raise NotFound("such picture")
    data = store.picture(rounds[number - 1][side].run_id)
    if data is None:
        raise NotFound("such picture")
    return data


def _state(judging: Judging) -> dict[str, Any]:
    """The round to be judged (from 1) and how many pictures it shows; null and 0 when all are judged.

    `then` is how many the round after it shows, so that a page can fetch them meanwhile.
    """
    sides = [len(sides) for sides in judging.ballot.rounds[len(judging.verdicts) :][:2]]
    first, then = (*sides, 0, 0)[:2]
    rounds = len(judging.ballot.rounds)
    return {"ballot": judging.ballot.id, "round": judging.next, "of": rounds, "sides": first, "then": then}


def _kept(judging: Judging) -> dict[str, Any]:
    """The facts of a judging that reveal nothing about its result."""
    ballot = judging.ballot
    return {
        "ballot": ballot.id,
        "axis": ballot.axis,
        "mode": ballot.mode,
        "judged": len(judging.verdicts),
        "of": len(ballot.rounds),
        "created_at": ballot.created_at.isoformat(),
    }
