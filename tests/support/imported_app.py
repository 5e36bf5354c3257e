"""Imports what the app imports at its start, and nothing else: see `forked.py`."""

from __future__ import annotations

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # as in app.py: before Gradio is imported

from ui.web.quick_start import import_gradio_quickly

import_gradio_quickly()

import uvicorn  # noqa: E402, F401

import ui.web.server  # noqa: E402
import ui.web.stopping  # noqa: E402, F401
