"""The use cases that the page and the API call. One object, made in app.py; it knows nothing of Gradio."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from services.changes import Changes
from services.engines.registry import Engines
from services.errors import BudgetExceeded, FieldIssue, InvalidRequest, KeyNeeded
from services.feed import Feed
from services.library.history import EVERYONE, Entry, History, Scope, Totals
from services.library.media import open_media
from services.pricing import Cheaper, Prices
from services.request import PARAMETERS, SEED_MAX, GenerationRequest, random_seed
from services.run import Engine, Run, RunState, new_id, now
from services.runner import Runner
from services.settings import Settings

log = logging.getLogger(__name__)

IMAGES_MIN, IMAGES_MAX = 1, 8
"""Pictures asked for with one press."""
NEW_SEEDS = 4
NEARBY_STEPS = {"guidance_scale": (-1.0, -0.5, 0.5, 1.0), "num_inference_steps": (-10, -5, 5, 10)}
"""What Nearby tries around a picture, field by field."""
UNDO_SECONDS = 600
"""A deleted picture can be restored for this long; then its files go too."""
API_VISITORS_BUDGET = "Callers without a token may together spend"


@dataclass(frozen=True)
class Estimate:
    """What a press of Generate would cost this visitor."""

    count: int
    cost_usd: float
    engine: Engine
    cheaper: Cheaper | None


class Playground:
    def __init__(self, settings: Settings) -> None:
        """Opens the history in the data folder. Raises StartupError. Call `start` inside the event loop."""
        folder = Path(settings.playground_data_dir).expanduser()
        self.settings = settings
        self.prices = Prices(settings.playground_price_per_megapixel)
        self.history = History(folder)
        self.media = open_media(folder)
        self.engines = Engines(settings, folder)
        self.changes = Changes()
        self.feed = Feed(self.history)
        self.runner = Runner(
            self.history,
            self.media,
            self.engines,
            self.changes,
            self.prices,
            settings.playground_max_concurrent,
        )
        self._counting = asyncio.Lock()
        self._warming: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await asyncio.to_thread(self._purge)
        await self.runner.recover()
        self._tidying = asyncio.create_task(self._tidy())
        self._warming = asyncio.create_task(asyncio.to_thread(self.engines.warm_up))

    async def stop(self) -> None:
        self.changes.close()
        for task in (self._tidying, self._warming):
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

    async def entries(self, visitor: str | None, *, limit: int, before: int | None = None) -> list[Entry]:
        """A page of the gallery, newest first."""
        return await asyncio.to_thread(self.history.page, self.scope(visitor), limit=limit, before=before)

    async def run(self, visitor: str | None, run_id: str) -> Run:
        """One run. Raises NotFound."""
        return await asyncio.to_thread(self.history.get, run_id, self.scope(visitor))

    async def totals(self, visitor: str | None, since: datetime) -> Totals:
        return await asyncio.to_thread(self.history.totals, self.scope(visitor), since)

    # -- making pictures -------------------------------------------------------------------------------------------

    def estimate(self, visitor: str | None, request: GenerationRequest, count: int) -> Estimate:
        engine, _ = self.engines.choose(visitor)
        if engine == "demo":
            return Estimate(count, 0.0, engine, None)
        return Estimate(count, self.prices.estimate(request, count), engine, self.prices.cheaper(*request.pixels))

    async def generate(self, visitor: str | None, request: GenerationRequest, count: int = 1) -> list[Run]:
        """Ask for `count` pictures: seed, seed + 1, … or a random seed each. Returns at once with the runs.

        Raises InvalidRequest, KeyNeeded or BudgetExceeded; then nothing was asked for.
        """
        return await self._ask(visitor, _with_seeds(request, count))

    async def new_seeds(self, visitor: str | None, run_id: str) -> list[Run]:
        """The same settings with other seeds."""
        request = (await self.run(visitor, run_id)).request
        return await self._ask(visitor, [request.vary(seed=random_seed()) for _ in range(NEW_SEEDS)])

    async def nearby(self, visitor: str | None, run_id: str, field: str) -> list[Run]:
        """The same seed with one parameter a little lower and higher; values out of range are left out."""
        if field not in NEARBY_STEPS:
            raise InvalidRequest((FieldIssue(field=field, message=f"Nearby works on {', '.join(NEARBY_STEPS)}."),))
        run = await self.run(visitor, run_id)
        value, parameter = getattr(run.request, field), PARAMETERS[field]
        values = [round(value + step, 4) for step in NEARBY_STEPS[field]]
        kept = [value for value in values if (parameter.minimum or 0) <= value <= (parameter.maximum or 0)]
        return await self._ask(visitor, [run.request.vary(seed=run.seed, **{field: value}) for value in kept])

    async def retry(self, visitor: str | None, run_id: str) -> list[Run]:
        """Try a run again that ended without a picture: fetch it where fal has it, else ask anew.

        For an unknown run this is the user's own choice to send it a second time.
        """
        run = await self.run(visitor, run_id)
        if run.state is RunState.FAILED and run.ticket and run.failure and run.failure.refetch:
            again = {"state": RunState.SUBMITTED, "failure": None, "finished_at": None, "note": None}
            run = await self._change(run, **again)
            self.runner.take(run)
            return [run]
        if run.state not in (RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN):
            return [run]
        return await self._ask(visitor, [run.request])

    async def _ask(self, visitor: str | None, requests: list[GenerationRequest]) -> list[Run]:
        engine, key_of = self.engines.choose(visitor)
        if engine == "fal" and key_of == "owner" and self.settings.owner_key is None:
            raise KeyNeeded
        created = now()
        new = [
            Run(
                id=new_id(),
                visitor=visitor,
                engine=engine,
                key_of=key_of,
                request=request,
                created_at=created,
                cost_usd=0.0 if engine == "demo" else self.prices.estimate(request),
            )
            for request in requests
        ]
        async with self._counting:  # count and write in one go, or two presses would spend the same dollar
            if engine == "fal" and key_of == "owner":
                await self._check_budgets(visitor, sum(run.cost_usd for run in new))
            # The first of a press is written last, so that newest-first lists show a press in its own order.
            added = (await asyncio.to_thread(self.history.add, reversed(new)))[::-1]
        self.changes.tell(visitor)
        for run in added:
            self.runner.take(run)
        return added

    async def _check_budgets(self, visitor: str | None, asked: float) -> None:
        midnight = _midnight()
        whose = "Each visitor may spend" if visitor else API_VISITORS_BUDGET
        checks = (
            (self.settings.visitor_budget_usd, whose, {"visitor": visitor}),
            (self.settings.daily_budget_usd, "All visitors together may spend", {"everyone": True}),
        )
        for limit, who, rule in checks:
            if limit is not None:
                spent = await asyncio.to_thread(self.history.owners_spending, midnight, **rule)
                if spent + asked > limit + 1e-9:
                    raise BudgetExceeded(who, limit, spent, asked)

    async def finished(self, visitor: str | None, run_id: str) -> Run:
        """Wait until a run has ended, and return it. For callers that are no page."""
        scope = EVERYONE if visitor is None else self.scope(visitor)
        with self.changes.listen(EVERYONE) as wake:
            while True:
                run = await asyncio.to_thread(self.history.get, run_id, scope)
                if run.state.is_final:
                    return run
                await wake.wait()
                wake.clear()

    # -- a picture's buttons ---------------------------------------------------------------------------------------

    async def cancel(self, visitor: str | None, run_id: str) -> Run:
        run = await self.run(visitor, run_id)
        return run if run.state.is_final else await self.runner.cancel(run)

    async def favourite(self, visitor: str | None, run_id: str, on: bool) -> Run:
        return await self._change(await self.run(visitor, run_id), favourite=on)

    async def delete(self, visitor: str | None, run_id: str) -> Run:
        """Hide a picture; `restore` brings it back within UNDO_SECONDS. A running one is cancelled first."""
        await self.cancel(visitor, run_id)
        return await self._change(await self.run(visitor, run_id), deleted_at=now())

    async def restore(self, visitor: str | None, run_id: str) -> Run:
        return await self._change(await self.run(visitor, run_id), deleted_at=None)

    async def _change(self, run: Run, **fields: object) -> Run:
        changed = await asyncio.to_thread(self.history.change, run.id, **fields)
        self.changes.tell(changed.visitor)
        return changed

    async def _tidy(self) -> None:
        """Now and then, let go of what was deleted and can no longer be restored."""
        while True:
            await asyncio.sleep(UNDO_SECONDS)
            await asyncio.to_thread(self._purge)

    def _purge(self) -> None:
        for run in self.history.purge(now() - timedelta(seconds=UNDO_SECONDS), _midnight()):
            if run.picture:
                self.media.remove(run.picture)

    # -- a visitor's own key ---------------------------------------------------------------------------------------

    async def enter_key(self, visitor: str, key: str) -> None:
        """Keep a visitor's fal key in memory, and take up the runs that waited for it."""
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
        await self.runner.take_again(await asyncio.to_thread(self.history.waiting_for_key, visitor))

    def forget_key(self, visitor: str) -> None:
        self.engines.forget_key(visitor)


def _midnight() -> datetime:
    """When the day of the budgets began, in UTC."""
    return now().replace(hour=0, minute=0, second=0, microsecond=0)


def _with_seeds(request: GenerationRequest, count: int) -> list[GenerationRequest]:
    if not IMAGES_MIN <= count <= IMAGES_MAX:
        raise InvalidRequest(
            (FieldIssue(field="images", message=f"Images: {count} is not {IMAGES_MIN} to {IMAGES_MAX}."),)
        )
    if request.seed is None:
        return [request.vary(seed=random_seed()) for _ in range(count)]
    if request.seed + count - 1 > SEED_MAX:
        message = f"Seed: {request.seed} leaves no room for {count} pictures; the largest seed is {SEED_MAX}."
        raise InvalidRequest((FieldIssue(field="seed", message=message),))
    return [request.vary(seed=request.seed + step) for step in range(count)]
