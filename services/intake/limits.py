"""The owner's limits on a public page: budgets, pictures at once, and locked safety settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from services.clock import Clock
from services.errors import BudgetExceeded, FieldIssue, InvalidRequest, TooMuch
from services.library.history import History
from services.models.generation_request import GenerationRequest
from services.models.kind import in_words
from services.models.registry import PARAMETERS
from services.settings import Settings

LOCKED_FIELDS = ("safety_tolerance", "enable_safety_checker")
WINDOW_SECONDS = 60
API_VISITORS_BUDGET = "Callers without a token may together spend"


class Limits:
    def __init__(self, settings: Settings, history: History, clock: Clock) -> None:
        self._history, self._clock = history, clock
        self._a_minute = settings.pictures_per_minute
        self._queue = settings.queue_limit
        self._budget, self._daily_budget = settings.visitor_budget_usd, settings.daily_budget_usd
        self.locked = LOCKED_FIELDS if settings.playground_lock_safety else ()
        """Fields whose only allowed value is the default."""

    @property
    def counts(self) -> bool:
        """Whether the number of pictures is limited."""
        return self._a_minute is not None or self._queue is not None

    def check_settings(self, requests: Iterable[GenerationRequest]) -> None:
        """Raises InvalidRequest that names each locked field that is not at its default."""
        asked = list(requests)
        issues = []
        for name in self.locked:
            label, default = PARAMETERS[name].label, PARAMETERS[name].default
            if any(getattr(request, name, default) != default for request in asked):
                message = f"{label} is locked at {in_words(default)} by this page's owner."
                issues.append(FieldIssue(field=name, message=message))
        if issues:
            raise InvalidRequest(tuple(issues))

    def check_pace(self, visitor: str | None, count: int) -> None:
        """Raises TooMuch if `count` more pictures that the owner pays for exceed a limit now. Blocks for a ms."""
        if self._queue is not None:
            waiting = self._history.owners_waiting()
            if waiting + count > self._queue:
                raise TooMuch(
                    f"{waiting} pictures are waiting or being made here, and the owner allows {self._queue} at once. "
                    "Try again in a minute, or enter your own fal key."
                )
        if self._a_minute is not None:
            since = self._clock.now() - timedelta(seconds=WINDOW_SECONDS)
            lately = self._history.owners_asked_since(visitor, since)
            if lately + count > self._a_minute:
                who = "A visitor" if visitor else "Callers without a token together"
                raise TooMuch(
                    f"{who} may ask for {self._a_minute} pictures a minute; {lately} were asked for in the last one. "
                    "Try again in a minute, or enter your own fal key."
                )

    def check_budgets(self, visitor: str | None, asked_usd: float) -> None:
        """Raises BudgetExceeded if pictures for `asked_usd` more of the owner's money exceed a budget of today. Blocks
        for a ms."""
        whose = "Each visitor may spend" if visitor else API_VISITORS_BUDGET
        midnight = self.midnight()
        if self._budget is not None:
            spent = self._history.owners_spending(midnight, visitor=visitor)
            _check_budget(whose, self._budget, spent, asked_usd)
        if self._daily_budget is not None:
            spent = self._history.owners_spending(midnight, everyone=True)
            _check_budget("All visitors together may spend", self._daily_budget, spent, asked_usd)

    def midnight(self) -> datetime:
        """When the day of the budgets began, in UTC."""
        return self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def _check_budget(whose: str, limit: float, spent: float, asked: float) -> None:
    if spent + asked > limit + 1e-9:
        raise BudgetExceeded(whose, limit, spent, asked)
