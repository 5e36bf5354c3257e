"""The use cases that the page and the API call. One object, made in app.py; it knows nothing of Gradio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.archive.archive import Archive
from services.clock import SYSTEM, Clock
from services.engines.registry import Engines
from services.errors import BudgetExceeded, FieldIssue, InvalidRequest, KeyNeeded, NotFound, Stopping
from services.grids.blind.ballots import Ballots
from services.grids.planner import Planner
from services.grids.service import Grids
from services.intake.batch import requests_of
from services.intake.limits import Limits
from services.intake.pricing import Cheaper, Prices
from services.intake.uploads import Uploads
from services.library.backups import Backups
from services.library.changes import Changes
from services.library.erase import Erase
from services.library.history import History, Totals
from services.library.labels import sound_notes, sound_tags
from services.library.media import Media, open_media
from services.library.projects import Projects
from services.library.scope import EVERYONE, Scope
from services.library.storage import Storage
from services.models import registry
from services.models.generation_request import GenerationRequest
from services.models.kinds.integer import random_seed
from services.models.registry import PARAMETERS
from services.run import Engine, Run, RunState, new_id
from services.running.feed import Feed
from services.running.runner import Runner
from services.settings import Settings
from services.stored import StoredRequest

if TYPE_CHECKING:
    from services.engines.demo.queue import Paint

log = logging.getLogger(__name__)

Keep = Callable[[list[Run]], Future[list[Run]]]
"""Gives new runs to the history to be written, in this order."""

NEW_SEEDS = 4
NEARBY_STEPS = {"guidance_scale": (-1.0, -0.5, 0.5, 1.0), "num_inference_steps": (-10, -5, 5, 10)}
"""What Nearby tries around a picture, field by field."""
UNDO_SECONDS = 600
"""A deleted picture can be undeleted for this long; then its files are deleted too."""
TIDY_SECONDS = 60.0
NAMES: dict[Engine, str] = {"fal": "fal", "demo": "the demo engine"}
API_VISITORS_BUDGET = "Callers without a token may together spend"


@dataclass(frozen=True)
class Estimate:
    """What a press of Generate would cost this visitor."""

    count: int
    cost_usd: float
    engine: Engine
    cheaper: Cheaper | None


class Playground:
    def __init__(
        self,
        settings: Settings,
        paint: Paint | None = None,
        media: Media | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Opens the history in the data folder. Raises StartupError. Call `start` inside the event loop.

        `paint` paints the demo engine's pictures; None: a thread of this process does. `media` keeps the pictures;
        None: files in the data folder do.
        """
        folder = settings.data_dir
        self.settings, self.clock = settings, clock
        self.prices = Prices(settings.playground_price_per_megapixel)
        self.history = History(folder)
        self.history.begin()
        self.pools = self.history.pools
        self.projects = Projects(self.history)
        self.media = media or open_media(folder)
        self.engines = Engines(settings, folder, paint, clock)
        self.changes = Changes()
        self.feed = Feed(self.history)
        self.runner = Runner(
            self.history,
            self.media,
            self.engines,
            self.changes,
            self.prices,
            settings.playground_max_concurrent,
            clock,
            settings.fal_api_host,
        )
        self.limits = Limits(settings, self.history, clock)
        self.erase = Erase(
            self.history, self.media, self.engines, self.cancel, lambda: self.runner.under_way,
            forget_in_memory=(self.engines.forget_key, self.feed.forget),
        )  # fmt: skip
        planner = Planner(self.history, self.engines, self.prices, settings, self.scope)
        self.grids = Grids(self.history, planner, self.runner, self.changes, clock, ask=self._ask, scope=self.scope)
        self.ballots = Ballots(self.history, self.grids.store, self.media, self.scope)
        self.storage = Storage(self.history, self.media, self.changes, folder, settings.media_limit_bytes)
        self.backups = Backups(self.history, folder, settings.playground_backups, clock)
        self.uploads = Uploads(clock)
        self.archive = Archive(
            self.history, self.media, self.changes, self.storage, self.uploads, settings, folder / "incoming"
        )
        self._counting = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._making_room: asyncio.Task[None] | None = None
        self._backing_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._purge()
        await self.pools.restores(self.archive.recover)
        await self.runner.recover()
        self._tidying = asyncio.create_task(self._tidy())
        self._making_room = asyncio.create_task(self.storage.keep_within())
        self._backing_up = asyncio.create_task(self.backups.keep_up())
        self._warming = asyncio.create_task(self.pools.chores(self.engines.warm_up))

    async def warmed(self) -> None:
        """Wait until all modules that the first picture needs are imported."""
        if self._warming:
            await asyncio.wait([self._warming])

    async def stop(self) -> None:
        self.changes.close()
        self.backups.stop()
        for task in (self._tidying, self._making_room, self._backing_up, self._warming):
            if task:
                task.cancel()
                await asyncio.wait([task])
        await self.runner.stop()
        await self.engines.aclose()
        self.history.close()

    # -- who sees what ---------------------------------------------------------------------------------------------

    def scope(self, visitor: str | None) -> Scope:
        """Whose pictures this visitor sees."""
        return EVERYONE if self.settings.history_mode == "shared" else Scope(visitor)

    async def run(self, visitor: str | None, run_id: str) -> Run:
        """One run. Raises NotFound."""
        return await self.pools.reads(self.history.get, run_id, self.scope(visitor))

    async def totals(self, visitor: str | None, since: datetime) -> Totals:
        return await self.pools.reads(self.history.totals, self.scope(visitor), since)

    # -- making pictures -------------------------------------------------------------------------------------------

    def estimate(self, visitor: str | None, request: GenerationRequest, count: int) -> Estimate:
        engine, _ = self.engines.choose(visitor)
        if engine == "demo":
            return Estimate(count, 0.0, engine, None)
        cheaper = self.prices.cheaper(*request.pixels) if registry.of(request.model).by_megapixel else None
        return Estimate(count, self.prices.estimate(request, count), engine, cheaper)

    async def generate(
        self, visitor: str | None, request: GenerationRequest, count: int = 1, *, expand: bool = False
    ) -> list[Run]:
        """Request `count` pictures: seed, seed + 1, … or a random seed each. Returns at once with the runs.
        `expand`: that many of each prompt that the wildcards expand to; else braces are text.

        Raises InvalidRequest, KeyNeeded, TooMuch, BudgetExceeded or CannotWrite; then nothing was requested.
        """
        return await self._ask(visitor, requests_of(request, count, expand=expand))

    async def new_seeds(self, visitor: str | None, run_id: str) -> list[Run]:
        """The same settings with other seeds."""
        run = await self.run(visitor, run_id)
        return await self._ask(visitor, [run.request.vary(seed=random_seed()) for _ in range(NEW_SEEDS)], like=run)

    async def nearby(self, visitor: str | None, run_id: str, field: str) -> list[Run]:
        """The same seed with one parameter a little lower and higher; values out of range are left out."""
        if field not in NEARBY_STEPS:
            raise InvalidRequest((FieldIssue(field=field, message=f"Nearby works on {', '.join(NEARBY_STEPS)}."),))
        run = await self.run(visitor, run_id)
        value, parameter = run.request.values.get(field), PARAMETERS[field]
        if value is None:
            raise InvalidRequest(
                (FieldIssue(field=field, message=f"{parameter.label} is no setting of this picture."),)
            )
        values = [round(value + step, 4) for step in NEARBY_STEPS[field]]
        kept = [value for value in values if (parameter.minimum or 0) <= value <= (parameter.maximum or 0)]
        return await self._ask(visitor, [run.request.vary(seed=run.seed, **{field: value}) for value in kept], like=run)

    async def retry(self, visitor: str | None, run_id: str) -> list[Run]:
        """Retry a run that ended without a picture: fetch the picture if fal has it, else request it again.

        An unknown run is sent a second time, which only the user may decide: fal may have accepted the first request.
        """
        run = await self.run(visitor, run_id)
        if run.can_be_fetched:
            return [await self.runner.fetch_again(run)]
        if run.state not in (RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN):
            return [run]
        if run.grid_id:
            return await self.grids.retry_run(visitor, run)
        return await self._ask(visitor, [run.request.asked()], like=run)

    async def repeat(self, visitor: str | None, run_id: str) -> list[Run]:
        """Run a picture again with the same seed. When it is done, its note says whether the pictures are the same.

        Raises InvalidRequest if another engine would make it.
        """
        run = await self.run(visitor, run_id)
        engine, _ = self.engines.choose(visitor)
        if engine != run.engine:
            made, now_made = (NAMES[name] for name in (run.engine, engine))
            message = f"This picture was made by {made}, and {now_made} makes them now: it cannot be run again exactly."
            raise InvalidRequest((FieldIssue(field="engine", message=message),))
        return await self._ask(visitor, [run.request.vary(seed=run.seed)], like=run, repeat_of=run.id)

    async def _ask(
        self,
        visitor: str | None,
        requests: list[GenerationRequest],
        like: Run | None = None,
        *,
        keep: Keep | None = None,
        **fields: Any,
    ) -> list[Run]:
        """Journal requests as runs, and start them.

        `like`: the run from which the requests were made. `keep` writes the runs, if a grid writes its own rows with
        them. `fields` are set on each run.
        """
        self.limits.check_settings(requests)
        engine, key_of = self.engines.choose(visitor)
        if engine == "fal" and key_of == "owner" and self.settings.owner_key is None:
            raise KeyNeeded
        created = self.clock.now()
        project = await self.pools.reads(self.projects.home, visitor, self.scope(visitor), like)
        new = [
            Run(
                id=new_id(),
                visitor=visitor,
                engine=engine,
                key_of=key_of,
                request=StoredRequest.of(request),
                created_at=created,
                cost_usd=0.0 if engine == "demo" else self.prices.estimate(request),
                project_id=project,
                **fields,
            )
            for request in requests
        ]
        # Check limits and insert under one lock: otherwise two concurrent requests could both pass the budget check.
        # Without limits no batch waits for another, so that batches of several visitors can share a commit.
        counted = key_of == "owner" and (self.limits.counts or (engine == "fal" and self.settings.has_budget))
        async with self._counting if counted else nullcontext():
            if counted:
                await self.pools.reads(self.limits.check_pace, visitor, len(new))
            if counted and engine == "fal":
                await self._check_budgets(visitor, sum(run.cost_usd for run in new))
            # The first run of a batch is written last, so that newest-first lists show the batch in its own order.
            writing = (keep or self.history.add_soon)(new[::-1])
            # The history writes in order: the runner's changes of a run come after its insert. If that fails, they
            # find no run.
            for run in new:
                self.runner.take(run)
            added = await asyncio.shield(asyncio.wrap_future(writing))
        self.changes.tell(visitor, added)
        return added[::-1]

    async def _check_budgets(self, visitor: str | None, asked: float) -> None:
        midnight = self._midnight()
        whose = "Each visitor may spend" if visitor else API_VISITORS_BUDGET
        checks = (
            (self.settings.visitor_budget_usd, whose, {"visitor": visitor}),
            (self.settings.daily_budget_usd, "All visitors together may spend", {"everyone": True}),
        )
        for limit, who, rule in checks:
            if limit is not None:
                spent = await self.pools.reads(self.history.owners_spending, midnight, **rule)
                if spent + asked > limit + 1e-9:
                    raise BudgetExceeded(who, limit, spent, asked)

    async def finished(self, visitor: str | None, run_id: str) -> Run:
        """Wait until a run has ended, and return it. For callers of the API; `visitor` None (no token) sees any run.

        Raises NotFound, or Stopping when the server stops.
        """
        scope = EVERYONE if visitor is None else self.scope(visitor)
        with self.changes.wait_for(run_id) as wake:
            while True:
                wake.clear()
                run = await self.pools.reads(self.history.get, run_id, scope)
                if run.state.is_final:
                    return run
                if self.changes.closed:
                    raise Stopping
                await wake.wait()

    # -- a picture's buttons ---------------------------------------------------------------------------------------

    async def cancel(self, visitor: str | None, run_id: str) -> Run:
        run = await self.run(visitor, run_id)
        return run if run.state.is_final else await self.runner.cancel(run)

    async def favourite(self, visitor: str | None, run_id: str, on: bool) -> Run:
        return await self._change(await self.run(visitor, run_id), favourite=on)

    async def note(self, visitor: str | None, run_id: str, notes: str) -> Run:
        """Set the notes on a picture. Raises InvalidRequest if they are too long."""
        return await self._change(await self.run(visitor, run_id), notes=sound_notes(notes))

    async def tag(self, visitor: str | None, run_id: str, tags: list[str]) -> Run:
        """Give a picture these tags, and no others. Raises InvalidRequest if one is not allowed."""
        return await self._change(await self.run(visitor, run_id), tags=sound_tags(tags))

    async def delete(self, visitor: str | None, run_id: str) -> Run:
        """Hide a picture; `undelete` brings it back within UNDO_SECONDS. A running one is cancelled first."""
        await self.cancel(visitor, run_id)
        return await self._change(await self.run(visitor, run_id), deleted_at=self.clock.now())

    async def undelete(self, visitor: str | None, run_id: str) -> Run:
        return await self._change(await self.run(visitor, run_id), deleted_at=None)

    async def _change(self, run: Run, **fields: object) -> Run:
        changed = await self.pools.writes(self.history.change, run.id, **fields)
        self.changes.tell(changed.visitor, [changed])
        return changed

    async def _tidy(self) -> None:
        """Every TIDY_SECONDS, erase what can no longer be undeleted and what callers without a token made long ago."""
        while True:
            try:
                await self._purge()
                await self.erase.compact()
            except Exception:  # the disk or the database may be busy: the loop tries again
                log.exception("what was deleted could not be removed")
            await asyncio.sleep(TIDY_SECONDS)

    async def _purge(self) -> None:
        days = self.settings.keep_anonymous_days
        await self.erase.deleted(self.clock.now() - timedelta(seconds=UNDO_SECONDS))
        if days is not None:
            await self.erase.anonymous(self.clock.now() - timedelta(days=days))

    async def delete_everything(self, visitor: str | None) -> int:
        """Delete for good all that is kept of a visitor: pictures, settings, the key. Returns the number of runs.

        Raises NotFound if this visitor has no history of their own.
        """
        if visitor is None or self.settings.history_mode == "shared":
            raise NotFound("history of your own")
        count = await self.erase.all_of(visitor)
        self.changes.tell(visitor)
        return count

    # -- a visitor's own key ---------------------------------------------------------------------------------------

    async def enter_key(self, visitor: str, key: str) -> None:
        """Keep a visitor's fal key in memory, and resume the runs that waited for it. Raises InvalidRequest."""
        key = key.strip()
        if not 8 <= len(key) <= 500 or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidRequest(
                (
                    FieldIssue(
                        field="key",
                        message="This does not look like a fal key. Copy it from fal.ai/dashboard/keys.",
                    ),
                )
            )
        self.engines.remember_key(visitor, key)
        await self.runner.take_again(await self.pools.reads(self.history.waiting_for_key, visitor))

    def forget_key(self, visitor: str) -> None:
        self.engines.forget_key(visitor)

    def _midnight(self) -> datetime:
        """When the day of the budgets began, in UTC."""
        return self.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
