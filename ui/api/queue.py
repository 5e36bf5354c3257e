"""Gradio's queue of calls, changed in three ways: a closed connection drops none, none waits for others, and it idles.

What is overridden is private to Gradio, whose version is bounded in requirements.txt: tests/ui/api/test_calls.py fails
where it changes.
"""

from __future__ import annotations

import gradio as gr
from gradio.queueing import Event, Queue
from gradio.server_messages import EventMessage

AT_ONCE = 1000
"""Calls that are under way at once; Gradio's default is 40. Nearly all of their time they wait for a picture, and those
that Gradio keeps in its own queue are not in the history yet."""
POLL_SECONDS = 0.02
"""Gradio looks for new calls a thousand times a second, which costs an idle server 5 % of a core."""
PROGRESS_SECONDS = 0.1
NEVER = 10**9


class CallQueue(Queue):
    """For one page. Calls whose caller is gone go on: only somebody's word cancels a run."""

    def __init__(self, page: gr.Blocks) -> None:
        super().__init__(live_updates=True, concurrency_count=AT_ONCE, update_intervals=1, max_size=None, blocks=page)
        self.sleep_when_free = POLL_SECONDS
        self.progress_update_sleep_when_free = PROGRESS_SECONDS
        # Its statistics of all calls, made anew with pandas at each, are for a page of Gradio's that is closed here.
        self.ANAYLTICS_CACHE_FREQUENCY = NEVER
        self.ANALYTICS_MAX_EVENTS = 1

    async def clean_events(self, *, session_hash: str | None = None, event_id: str | None = None) -> None:
        """Gradio calls it when a caller's connection closes, to drop the calls that have not begun."""

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        """Answers to callers who are gone are dropped."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)
        elif ids := self.pending_event_ids_session.get(event.session_hash):
            ids.discard(event._id)
            if not ids:
                del self.pending_event_ids_session[event.session_hash]
