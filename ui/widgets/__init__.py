"""gr.HTML widgets. Their templates are constants and hold no text: Gradio evaluates templates, so whatever a user wrote
is put in place by the scripts in assets/js, as text.
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
    """Between handlers and scripts: a handler's message is its value; scripts trigger `events` with data. `settings`
    are the names of the controls' values that may stand in the page's address."""
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
