"""The look as one Gradio theme: the tokens of the product mapped onto Gradio's variables, light and dark.

What a theme cannot express is in assets/css/style.css, which uses the same tokens. Only system fonts are used, so that
the page requests nothing from another host.
"""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")

LIGHT = {
    "page": "#f6f6f7",
    "surface": "#ffffff",
    "sunken": "#efeff1",
    "line": "#e2e2e6",
    "text": "#17171a",
    "second": "#5a5a66",
    "third": "#6b6b77",
    "accent": "#4f46e5",
    "on_accent": "#ffffff",
    "accent_soft": "#ebe9fd",
    "bad": "#b91c1c",
}
DARK = {
    "page": "#0f0f12",
    "surface": "#17171b",
    "sunken": "#1f1f25",
    "line": "#2a2a32",
    "text": "#f2f2f5",
    "second": "#a5a5b2",
    "third": "#8d8d9b",
    "accent": "#8b83ff",
    "on_accent": "#0f0f12",
    "accent_soft": "#26243f",
    "bad": "#f87171",
}

ROLES = {
    "body_background_fill": "page",
    "body_text_color": "text",
    "body_text_color_subdued": "second",
    "background_fill_primary": "surface",
    "background_fill_secondary": "page",
    "block_background_fill": "surface",
    "block_label_background_fill": "surface",
    "block_label_text_color": "second",
    "block_title_text_color": "second",
    "block_info_text_color": "third",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "accent_soft",
    "panel_background_fill": "surface",
    "input_background_fill": "sunken",
    "input_background_fill_focus": "surface",
    "input_border_color": "line",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "third",
    "checkbox_background_color": "surface",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "third",
    "checkbox_border_color_selected": "accent",
    "checkbox_border_color_focus": "accent",
    "checkbox_label_background_fill": "surface",
    "checkbox_label_background_fill_hover": "sunken",
    "checkbox_label_background_fill_selected": "accent_soft",
    "checkbox_label_border_color": "line",
    "checkbox_label_border_color_selected": "accent",
    "checkbox_label_text_color": "text",
    "checkbox_label_text_color_selected": "text",
    "slider_color": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "on_accent",
    "button_primary_border_color": "accent",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "sunken",
    "button_secondary_text_color": "text",
    "button_secondary_border_color": "line",
    "link_text_color": "accent",
    "loader_color": "accent",
    "error_text_color": "bad",
}
"""Gradio's variable → our token."""

SHAPE = {
    "block_border_width": "0px",
    "block_padding": "0px",
    "block_shadow": "none",
    "block_radius": "0px",
    "block_label_text_weight": "600",
    "block_title_text_weight": "600",
    "block_title_text_size": "12px",
    "checkbox_label_text_size": "13px",
    "checkbox_label_shadow": "none",
    "checkbox_shadow": "none",
    "input_padding": "9px 11px",
    "input_radius": "10px",
    "input_shadow": "none",
    "input_shadow_focus": "none",
    "input_text_size": "14px",
    "button_large_radius": "10px",
    "button_large_text_weight": "600",
    "button_large_text_size": "14px",
    "button_large_padding": "11px 14px",
    "button_medium_radius": "10px",
    "button_small_radius": "10px",
    "button_transition": "background-color 120ms",
    "layout_gap": "12px",
    "form_gap_width": "0px",
    "container_radius": "0px",
}


def build_theme() -> gr.themes.Base:
    theme = gr.themes.Base(
        font=SANS, font_mono=MONO, text_size="md", spacing_size="md", radius_size="md", primary_hue="indigo"
    )
    colours = {name: LIGHT[token] for name, token in ROLES.items()}
    dark = {f"{name}_dark": DARK[token] for name, token in ROLES.items()}
    return theme.set(**colours, **dark, **SHAPE)
