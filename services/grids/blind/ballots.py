"""Gives the blind pick the cells of a grid, and stores its ballots beside the grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.errors import FieldIssue, InvalidRequest
from services.grids.blind.blind import JudgedCell, Judging
from services.grids.grid import Grid, grid_of
from services.library.deletion import Deletion
from services.library.grid_store import GridStore
from services.library.history import History
from services.library.media import Media
from services.library.scope import EVERYONE, Scope
from services.run import now


class Ballots:
    """Methods block; those that take a visitor raise NotFound for a grid that this visitor may not see."""

    def __init__(self, history: History, store: GridStore, media: Media, scope: Callable[[str | None], Scope]) -> None:
        self._history, self._store, self._media, self._scope = history, store, media, scope
        self._deletion = Deletion(history)

    def cells(self, visitor: str | None, grid_id: str) -> list[JudgedCell]:
        grid = self._grid(visitor, grid_id)
        there = self._history.many(grid.cells.values(), self._scope(visitor))
        finished = {run_id for run_id, run in there.items() if run.picture and not run.deleted_at}
        run_ids = {cell.place: grid.cells.get(cell.key) for cell in grid.plan.cells}
        return [JudgedCell(place, run_id if run_id in finished else None) for place, run_id in run_ids.items()]

    def delete(self, visitor: str | None, ballot_id: str) -> None:
        """Hide a ballot; `restore` shows it again until it is purged."""
        self._deletion.delete_ballot(self._scope(visitor), ballot_id, now())

    def restore(self, visitor: str | None, ballot_id: str) -> None:
        self._deletion.restore_ballot(self._scope(visitor), ballot_id)

    def axis(self, visitor: str | None, grid_id: str, axis: int) -> tuple[str, Sequence[str]]:
        axes = self._grid(visitor, grid_id).plan.axes
        if axis >= len(axes):
            raise InvalidRequest((FieldIssue(field="axis", message=f"This grid has {len(axes)} axes."),))
        judged = axes[axis]
        return judged.label, [f"{judged.short} {label}".strip() for label in judged.labels]

    def judgings(self, visitor: str | None, grid_id: str) -> list[Judging]:
        self._grid(visitor, grid_id)
        return [Judging.model_validate_json(text) for _, text in self._store.ballots_of(grid_id)]

    def add(self, visitor: str | None, grid_id: str, judging: Judging) -> None:
        self._grid(visitor, grid_id)
        self._store.keep_ballot(judging.ballot.id, grid_id, judging.model_dump_json(), now())

    def load(self, visitor: str | None, grid_id: str, ballot_id: str) -> Judging:
        self._grid(visitor, grid_id)
        return Judging.model_validate_json(self._store.ballot(grid_id, ballot_id))

    def change(
        self, visitor: str | None, grid_id: str, ballot_id: str, change: Callable[[Judging], Judging]
    ) -> Judging:
        self._grid(visitor, grid_id)

        def changed(text: str) -> str:
            return change(Judging.model_validate_json(text)).model_dump_json()

        return Judging.model_validate_json(self._store.change_ballot(grid_id, ballot_id, changed))

    def picture(self, run_id: str) -> bytes | None:
        """The original of a run that a ballot names, if it is there. Access was checked when the ballot was loaded."""
        run = self._history.many([run_id], EVERYONE).get(run_id)
        if run is None or run.picture is None or run.deleted_at:
            return None
        return self._media.read("media", run.picture.name)

    def _grid(self, visitor: str | None, grid_id: str) -> Grid:
        return grid_of(self._store.get(grid_id, self._scope(visitor)))
