"""The API's calls under way, and what cancels them.

A run is cancelled by somebody's word alone: the page's button, `/cancel`, or `job.cancel()` of Gradio's clients, which
names the call's event id. A connection that closes and a task that Gradio cancels only end the waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

from services.errors import FieldIssue, InvalidRequest, PlaygroundError
from ui.visitors import visitor_of

T = TypeVar("T")
CANCELLED = "The request was cancelled."
MARK = "x-playground-call"
"""Header that names a call besides its event id: MCP's requests have names of their own."""

Stop = Callable[[bool], Awaitable[object]]
"""Cancels what a call has asked for: with True all of it, with False only what fal has not begun."""


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """An error of ours as Gradio's, which tells its sentence to the caller."""
    try:
        yield
    except PlaygroundError as error:
        raise gr.Error(str(error), print_exception=False) from error


def typed(name: str, value: Any, kind: type[T], words: str) -> T:
    """An argument: Gradio hands on values of any type. Raises InvalidRequest."""
    if not isinstance(value, kind) or isinstance(value, bool):
        message = f"{name}: “{str(value)[:40]}” is no {words}."
        raise InvalidRequest((FieldIssue(field=name, message=message),))
    return value


class Call:
    """One call of a function of the API that makes pictures."""

    def __init__(self, visitor: str | None) -> None:
        self.visitor = visitor
        self._stop: Stop | None = None
        self._asked: bool | None = None

    async def asked_for(self, stop: Stop) -> None:
        """Tell how the runs that it has just asked for are cancelled."""
        self._stop = stop
        if self._asked is not None:  # somebody cancelled it while they were written
            await stop(self._asked)

    async def cancel(self, begun_too: bool) -> None:
        if self._asked or self._asked == begun_too:
            return  # Gradio's clients say it twice
        self._asked = begun_too
        if self._stop:
            await self._stop(begun_too)


class Calls:
    """For one event loop."""

    def __init__(self) -> None:
        self._named: dict[str, list[Call]] = {}
        self._cancelled: set[str] = set()

    @contextmanager
    def begin(self, request: gr.Request | None) -> Iterator[Call]:
        """The call in whose function this is entered. Raises gr.Error if it was cancelled before it began."""
        call = Call(visitor_of(request))
        mark = request.headers.get(MARK) if request is not None else None
        names = [name for name in (LocalContext.event_id.get(None), mark) if name]
        if self._cancelled.intersection(names):
            self._cancelled.difference_update(names)
            raise gr.Error(CANCELLED, print_exception=False)
        for name in names:
            self._named.setdefault(name, []).append(call)
        try:
            with errors_as_sentences():
                yield call
        finally:
            for name in names:
                self._named[name].remove(call)
                if not self._named[name]:
                    del self._named[name]

    async def cancel(self, event_id: str, waiting: Container[str]) -> bool:
        """Cancel all that a call has asked for. False: there is no such call. `waiting`: event ids that Gradio knows;
        a call that has not begun makes nothing when its turn comes."""
        self._cancelled = {name for name in self._cancelled if name in waiting}
        for call in self._named.get(event_id, ()):
            await call.cancel(begun_too=True)
            return True
        if event_id in waiting:
            self._cancelled.add(event_id)
            return True
        return False

    async def leave_off(self, mark: str) -> None:
        """Cancel what fal has not begun of the call with this mark; nothing where two calls have it."""
        calls = self._named.get(mark, [])
        if len(calls) == 1:
            await calls[0].cancel(begun_too=False)
