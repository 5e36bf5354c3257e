"""gr.HTML widgets. Their templates are constants without users' text, because Gradio evaluates templates: the scripts
in assets/js insert users' text, as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import gradio as gr


def widget(name: str) -> gr.HTML:
    """A place on the page that the script of the same name in assets/js/ fills."""
    return gr.HTML(
        html_template=f'<div class="pg-{name}" data-widget="{name}"></div>',
        js_on_load=f"window.playground().then(page => page.mount('{name}', element.querySelector('[data-widget]')))",
        elem_id=f"widget-{name}",
        apply_default_css=False,
    )


def bridge(events: Iterable[str], settings: Iterable[str]) -> gr.HTML:
    """A hidden element that connects handlers and scripts: its value is a handler's message, and scripts trigger its
    `events` with data. `settings` are the names of the settings that the page's address may contain."""
    return gr.HTML(
        value=None,
        html_template="<span></span>",
        js_on_load=f"""
            const events = {json.dumps([*events])};
            window.playground().then(page => {{
                page.connect((name, data) => events.includes(name) && trigger(name, data), {json.dumps([*settings])});
                watch('value', () => page.hear(props.value));
            }});
        """,
        elem_id="bridge",
        visible="hidden",
        apply_default_css=False,
    )
