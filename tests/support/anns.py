"""What belongs to a visitor, and how one asks each route and function for it: for probes of all that the app lists.

Where a probe does not get past the validation of a new route or function, a test names it: say in QUERIES, BODIES,
PATHS or ARGUMENTS how one would ask there.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from support.whole import WholeApp

from services.grids.plan import parse_plan
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.run import Run, RunState, new_id
from ui.visitors import HEADER, visitor_of

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
MARK = "anns-own-words"
REQUEST = Flux2FlexRequest(prompt=f"a fox {MARK}", seed=7, num_inference_steps=2,
                            image_size=ImageSize(width=64, height=64))  # fmt: skip
NOBODYS_BUSINESS = ("/healthz", "/static/", "/assets/", "/favicon.ico", "/theme.css", "/robots.txt", "/pwa_icon",
                    "/manifest.json", "/openapi.json", "/gradio_api/file=", "/gradio_api/mcp/sse",
                    "/gradio_api/heartbeat/", "/gradio_api/queue/data")  # fmt: skip
"""Files of the program; `file=`, which tests/ui/web/test_guard.py tries; endless streams of Gradio's for who knows the
secret of a session: MCP's old form, heartbeats, and a session's own results."""
CAPABILITIES = ("/media/{name}", "/thumbs/{name}", "/archive/exports/{name}")
"""Whoever knows such a name may have the picture or the export: no other answer may tell it."""
NOTHING_THERE = ("/archive/exports",)
"""Where 422 says that there is nothing of one's own."""
QUERIES = {
    "/runs": "limit=200&visit=0",
    "/runs/visit": "since=0",
    "/runs/{run_id}/snippet": "language=python",
    "/compare": "ids={run_id},{other_id}",
    "/history": "query=fox&limit=200",
    "/history/count": "query=fox",
    "/history/ids": "query=fox",
    "/usage/removed": "since=2020-01-01T00:00:00Z",
    "/history/stacks": "ids={grid_id}",
}
BODIES: dict[str, Any] = {
    "/runs/{run_id}/nearby": {"field": "guidance_scale"},
    "/runs/{run_id}/favourite": {"on": True},
    "/key": {"key": "bobs:own-secret-key"},
    "/history/favourite": {"query": "fox", "newest": 2**62},
    "/history/delete": {"ids": ["{run_id}", "{other_id}", "{deleted_id}"]},
    "/history/restore": {"ids": ["{run_id}", "{other_id}", "{deleted_id}"]},
    "/history/move": {"ids": ["{run_id}", "{other_id}"], "to": "inbox"},
    "/history/tags": {"ids": ["{run_id}", "{other_id}"], "add": ["bobs"]},
    "/runs/{run_id}/notes": {"notes": "bobs"},
    "/runs/{run_id}/tags": {"tags": ["bobs"]},
    "/archive/exports": {"ids": ["{run_id}", "{other_id}"]},
    "/projects": {"name": "bobs"},
    "/projects/choose": {"project": "{project_id}"},
    "/projects/{project_id}/name": {"name": "renamed by bob"},
    "/projects/{project_id}/delete": {"pictures": "delete"},
    "/grids/{grid_id}/rename": {"name": "renamed by bob"},
    "/code": {"request": {"prompt": "bobs"}, "address": "http://localhost", "with_token": True},
    "/grids": {"run_id": "{run_id}", "axes": [{"field": "seed", "values": "1"}]},
    "/grids/preview": {"grid_id": "{grid_id}", "axes": [{"field": "seed", "values": "1"}]},
    "/grids/{grid_id}/blind": {"axis": 0, "mode": "pairs"},
    "/grids/{grid_id}/blind/{ballot_id}/verdict": {"round": 1, "choice": 0},
    "/gradio_api/reset": {"event_id": "anns"},
    "/gradio_api/cancel": {"session_hash": "anns", "fn_index": 0, "event_id": "anns"},
    "/gradio_api/queue/join": {"data": [], "fn_index": 5, "session_hash": "bobs"},  # open_link: it takes no values
    "/gradio_api/run/{api_name}": {"data": ["fox", 20, 0]},
    "/gradio_api/call/{api_name}": {"data": ["fox", 20, 0]},
    "/gradio_api/call/v2/{api_name}": {"query": "fox"},
}
PATHS = {"api_name": "history", "event_id": "anns", "session_hash": "anns", "number": "1", "side": "0"}
"""What stands in a path besides ids of Ann's."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "generate": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
    "grid": {
        "request": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
        "x": {"field": "seed", "values": "7"},
    },
    "start": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
    "run": {"run_id": "{run_id}", "wait_seconds": 1},
    "cancel": {"run_id": "{other_id}"},
    "history": {"query": "", "limit": 200},
    "snippet": {"language": "python", "request": {"prompt": "bobs own"}},
}
"""The public endpoints, asked by someone else."""


class Anns:
    """What belongs to Ann: a project, a finished picture, one that waits, one that is deleted, a grid judged blind."""

    def __init__(self, whole: WholeApp) -> None:
        self.history = whole.playground.history
        self.name = visitor_of(type("Request", (), {"headers": {HEADER: ANN}})())

    async def make(self, whole: WholeApp) -> None:
        (run,) = await whole.playground.generate(self.name, REQUEST)
        done = await asyncio.wait_for(whole.playground.finished(None, run.id), 10)
        waiting = done.model_copy(update={"id": new_id(), "state": RunState.UNKNOWN, "picture": None})
        deleted = done.model_copy(update={"id": new_id(), "deleted_at": done.created_at, "picture": None})
        self.history.add([waiting, deleted])
        plan = parse_plan(REQUEST, [("seed", "7, 8")])
        grid = await whole.playground.grids.make(self.name, plan)
        await asyncio.wait_for(whole.playground.grids.finished(self.name, grid.id), 10)
        self.ids = {"run_id": done.id, "other_id": waiting.id, "deleted_id": deleted.id, "grid_id": grid.id}
        for name, path, asked in (
            ("ballot_id", f"/grids/{grid.id}/blind", {"axis": 0, "mode": "pairs"}),
            ("project_id", "/projects", {"name": MARK, "choose": False}),
        ):
            answer = (await whole.client.post(path, json=asked, headers={HEADER: ANN})).json()
            self.ids[name] = answer["ballot"] if name == "ballot_id" else answer["made"]["id"]
        assert done.picture is not None
        assert done.ticket is not None
        self.secrets = (MARK, *self.ids.values(), done.picture.name, done.picture.thumb, done.ticket.request_id, ANN)
        self.before = self.all()

    def all(self) -> list[Run]:
        entries = self.history.changed_since(EVERYONE, 0)
        return [entry.run for entry in entries if entry.run.visitor == self.name]

    def check(self, where: str, answer: str, asked: str = "") -> None:
        """What was asked may be repeated: whoever names an id knows it."""
        told = [secret for secret in self.secrets if secret in answer and secret not in asked]
        assert not told, f"{where} told {told}: {answer[:500]}"
        assert self.all() == self.before, f"{where} changed what is Ann's"


def filled(template: Any, values: dict[str, str]) -> Any:
    """`{name}` → its value, anywhere in a query, a path or a body."""
    text = json.dumps(template)
    return json.loads(re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text))
