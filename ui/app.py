"""The page: tabs, their panels, then the wiring."""

from __future__ import annotations

import gradio as gr

from services.playground import Playground
from services.version import PRODUCT
from ui.api.calls import Calls
from ui.api.endpoints import add_api
from ui.api.grid import add_grid_api
from ui.api.history import add_history_api
from ui.api.runs import add_run_api
from ui.compare.tab import build_compare
from ui.create.tab import build_create, wire_create
from ui.history.tab import build_history
from ui.widgets import widget

KEEP_COPIES = (3600, 3600)
"""Seconds between Gradio's clean-ups of its cache of served pictures, and the age from which it deletes a copy."""


def build_app(playground: Playground, calls: Calls) -> gr.Blocks:
    """The Gradio app on a playground. Two can live in one process. `calls` keeps the API's calls under way."""
    with gr.Blocks(title=PRODUCT, analytics_enabled=False, delete_cache=KEEP_COPIES) as page:
        widget("header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Create", id="create"):
                create = build_create(playground.limits.locked)
            with gr.Tab("Compare", id="compare"):
                build_compare()
            with gr.Tab("History", id="history"):
                build_history()
        wire_create(create, playground, page)
        add_api(playground, calls)
        add_run_api(playground, calls)
        add_grid_api(playground, calls)
        add_history_api(playground)
    return page
