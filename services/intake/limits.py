"""The owner's limits on a public page apart from the budgets: pictures at once, and locked safety settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from services.clock import Clock
from services.errors import FieldIssue, InvalidRequest, TooMuch
from services.library.history import History
from services.models.generation_request import GenerationRequest
from services.models.kind import in_words
from services.models.registry import PARAMETERS
from services.settings import Settings

LOCKED_FIELDS = ("safety_tolerance", "enable_safety_checker")
WINDOW_SECONDS = 60


class Limits:
    def __init__(self, settings: Settings, history: History, clock: Clock) -> None:
        self._history, self._clock = history, clock
        self._a_minute = settings.pictures_per_minute
        self._queue = settings.queue_limit
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
