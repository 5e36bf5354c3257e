"""The use cases that the page and the API call. One object, made in app.py; it knows nothing of Gradio."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.archive.archive import Archive
from services.archive.tickets import Tickets
from services.clock import SYSTEM, Clock
from services.engines.registry import Engines
from services.errors import BudgetExceeded, FieldIssue, InvalidRequest, NotFound, Stopping, TooMuch
from services.grids.blind.ballots import Ballots
from services.grids.planner import Planner
from services.grids.service import Grids
from services.intake.asking import Asking
from services.intake.batch import requests_of
from services.intake.pricing import Cheaper, Prices
from services.intake.uploads import Uploads
from services.library.backups import Backups
from services.library.changes import Changes
from services.library.deletion import Deletion, Pictures
from services.library.erase import Erase
from services.library.gone import GoneList
from services.library.history import History, Totals
from services.library.labels import sound_notes, sound_tags
from services.library.media import Media, open_media
from services.library.presses import Outcome, instead_of
from services.library.projects import Projects
from services.library.scope import EVERYONE, Scope
from services.library.storage import Storage
from services.models import registry
from services.models.generation_request import GenerationRequest
from services.models.kinds.integer import random_seed
from services.models.registry import PARAMETERS
from services.press import Press
from services.run import AT_FAL_STATES, Engine, Run, RunState
from services.running.feed import Feed
from services.running.runner import Runner
from services.settings import Settings

if TYPE_CHECKING:
    from services.engines.demo.queue import Paint

log = logging.getLogger(__name__)

NEW_SEEDS = 4
NEARBY_STEPS = {"guidance_scale": (-1.0, -0.5, 0.5, 1.0), "num_inference_steps": (-10, -5, 5, 10)}
"""What Nearby tries around a picture, field by field."""
UNDO_SECONDS = 600
"""A deleted picture can be undeleted for this long; then its files are deleted too."""
TIDY_SECONDS = 60.0
RETRIED_STATES = frozenset({RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN})
NAMES: dict[Engine, str] = {"fal": "fal", "demo": "the demo engine"}


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
        self.projects, self.deletion = Projects(self.history), Deletion(self.history)
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
        self.tickets = Tickets(clock)
        self.asking = Asking(
            settings, self.history, self.engines, self.projects, self.prices, self.changes, clock,
            scope=self.scope, start=lambda run: self.runner.take(run),
        )  # fmt: skip
        self.limits = self.asking.limits
        self.erase = Erase(
            self.history, self.media, self.engines, self.cancel, lambda: self.runner.under_way, GoneList(folder),
            forget_in_memory=(self.engines.forget_key, self.feed.forget, self.tickets.forget),
        )  # fmt: skip
        planner = Planner(self.history, self.engines, self.prices, settings, self.scope)
        self.grids = Grids(self.history, planner, self.runner, self.changes, clock, self.asking, self.scope)
        self.ballots = Ballots(self.history, self.grids.store, self.media, self.scope)
        self.storage = Storage(self.history, self.media, self.changes, folder, settings.media_limit_bytes)
        self.backups = Backups(self.history, folder, settings.playground_backups, clock)
        self.uploads = Uploads(clock)
        self.archive = Archive(
            self.history, self.media, self.changes, self.storage, self.uploads, settings, folder / "incoming"
        )
        self._warming: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None
        self._making_room: asyncio.Task[None] | None = None
        self._backing_up: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.erase.again(self.clock.now())
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
        self,
        visitor: str | None,
        request: GenerationRequest,
        count: int = 1,
        *,
        expand: bool = False,
        press: Press | None = None,
    ) -> list[Run]:
        """Request `count` pictures: seed, seed + 1, … or a random seed each. Returns at once with the runs.
        `expand`: that many of each prompt that the wildcards expand to; else braces are text.

        The same `press` again, here and below, requests nothing and returns the same runs. Raises InvalidRequest,
        KeyNeeded, TooMuch, BudgetExceeded, KeyReused or CannotWrite; then nothing was requested.
        """

        async def ask() -> list[Run]:
            return await self.asking.ask(visitor, requests_of(request, count, expand=expand), press=press)

        return await self.asking.runs_once(press, ask)

    async def new_seeds(self, visitor: str | None, run_id: str, *, press: Press | None = None) -> list[Run]:
        """The same settings with other seeds."""

        async def ask() -> list[Run]:
            run = await self.run(visitor, run_id)
            varied = [run.request.vary(seed=random_seed()) for _ in range(NEW_SEEDS)]
            return await self.asking.ask(visitor, varied, run, press=press)

        return await self.asking.runs_once(press, ask)

    async def nearby(self, visitor: str | None, run_id: str, field: str, *, press: Press | None = None) -> list[Run]:
        """The same seed with one parameter a little lower and higher; values out of range are left out."""
        if field not in NEARBY_STEPS:
            raise InvalidRequest((FieldIssue(field=field, message=f"Nearby works on {', '.join(NEARBY_STEPS)}."),))

        async def ask() -> list[Run]:
            run = await self.run(visitor, run_id)
            value, parameter = run.request.values.get(field), PARAMETERS[field]
            if value is None:
                missing = FieldIssue(field=field, message=f"{parameter.label} is no setting of this picture.")
                raise InvalidRequest((missing,))
            values = [round(value + step, 4) for step in NEARBY_STEPS[field]]
            kept = [value for value in values if (parameter.minimum or 0) <= value <= (parameter.maximum or 0)]
            varied = [run.request.vary(seed=run.seed, **{field: value}) for value in kept]
            return await self.asking.ask(visitor, varied, run, press=press)

        return await self.asking.runs_once(press, ask)

    async def known_press(self, press: Press) -> Outcome | None:
        """What came of a press; None if it is new. Raises KeyReused if its key came with another body."""
        return await self.pools.reads(self.asking.presses.outcome, press)

    async def repeat(self, visitor: str | None, run_id: str, *, press: Press | None = None) -> list[Run]:
        """Run a picture again with the same seed. When it is done, its note says whether the pictures are the same.

        Raises InvalidRequest if another engine would make it.
        """

        async def ask() -> list[Run]:
            run = await self.run(visitor, run_id)
            engine, _ = self.engines.choose(visitor)
            if engine != run.engine:
                made, now_made = (NAMES[name] for name in (run.engine, engine))
                said = (
                    f"This picture was made by {made}, and {now_made} makes them now: it cannot be run again exactly."
                )
                raise InvalidRequest((FieldIssue(field="engine", message=said),))
            again = [run.request.vary(seed=run.seed)]
            return await self.asking.ask(visitor, again, run, press=press, repeat_of=run.id)

        return await self.asking.runs_once(press, ask)

    async def retry(
        self, visitor: str | None, run_id: str, *, confirm: bool = False, press: Press | None = None
    ) -> list[Run]:
        """Retry a run that ended without a picture: fetch the picture if fal has it, else request it again.

        Once a run, however often it is called: returns the newest run that came of it. An unknown run is sent a second
        time, which only the user may decide: fal may have accepted the first request. Where fal did accept it, and it
        is being made, nothing is sent and the run itself is returned, unless `confirm` says to send it even so.
        """
        run = await self.run(visitor, run_id)
        if press:
            await self.pools.reads(self.asking.presses.outcome, press)
        if newest := await self._retried(run):
            return [newest]
        if run.can_be_fetched:
            return [await self.runner.fetch_again(run)]
        states = RETRIED_STATES | AT_FAL_STATES if confirm else RETRIED_STATES
        if run.state not in states:
            return [run]
        try:
            await self.asking.ask(
                visitor,
                [run.request.asked()],
                run,
                press=press,
                among=instead_of(run.id, states, self.grids.in_place_of(run)),
                retries=[run.id],
                grid_id=run.grid_id,
            )
        except (TooMuch, BudgetExceeded):
            if newest := await self._retried(run):  # pressed twice at once: only the other one was within the limits
                return [newest]
            raise
        return [await self._retried(run) or await self.run(visitor, run_id)]

    async def _retried(self, run: Run) -> Run | None:
        return await self.pools.reads(self.asking.presses.newest, run.id)

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

    async def delete_project(self, visitor: str | None, project_id: str, pictures: Pictures) -> int:
        """Hide a project; `restore_project` shows it again within UNDO_SECONDS. Its pictures are moved to the Inbox, or
        deleted too. Returns how many those are.
        """
        scope = self.scope(visitor)
        if pictures == "delete":
            unfinished = await self.pools.reads(self.projects.unfinished, scope, project_id)
            await asyncio.gather(*(self.cancel(visitor, run_id) for run_id in unfinished))
        count = await self.pools.writes(self.deletion.delete_project, scope, project_id, pictures, self.clock.now())
        self.changes.tell(visitor)
        return count

    async def restore_project(self, visitor: str | None, project_id: str) -> None:
        """Raises NotFound, or InvalidRequest if another project has its name by now."""
        await self.pools.writes(self.deletion.restore_project, self.scope(visitor), project_id)
        self.changes.tell(visitor)

    async def tidy(self) -> None:
        """Erase what can no longer be undeleted and what callers without a token made long ago, and forget what the
        memory holds of visitors who are gone.
        """
        self.tickets.sweep()
        await self.engines.sweep()
        await self._purge()
        await self.erase.compact()

    async def _tidy(self) -> None:
        """`tidy` every TIDY_SECONDS."""
        while True:
            try:
                await self.tidy()
            except Exception:  # the disk or the database may be busy: the loop tries again
                log.exception("what was deleted could not be removed")
            await asyncio.sleep(TIDY_SECONDS)

    async def _purge(self) -> None:
        days = self.settings.keep_anonymous_days
        await self.pools.chores(self.asking.presses.sweep)
        await self.erase.deleted(self.clock.now() - timedelta(seconds=UNDO_SECONDS))
        if days is not None:
            await self.erase.anonymous(self.clock.now() - timedelta(days=days))

    async def delete_everything(self, visitor: str | None) -> int:
        """Delete for good all that is kept of a visitor: pictures, settings, the key. Returns the number of runs.

        Raises NotFound if this visitor has no history of their own.
        """
        if visitor is None or self.settings.history_mode == "shared":
            raise NotFound("history of your own")
        count = await self.erase.all_of(visitor, self.clock.now())
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
