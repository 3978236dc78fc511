"""Gradio's own parts in the palette of assets/style.css, with fonts the reader's system has.

Knows nothing of the page; colours are the style sheet's variables, so light and dark follow it.
"""

from __future__ import annotations

import inspect
from typing import Any

import gradio as gr

SANS = ["system-ui", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "DejaVu Sans Mono", "monospace"]
COLOURS = {
    "body_background_fill": "var(--bg)",
    "body_text_color": "var(--text)",
    "body_text_color_subdued": "var(--muted)",
    "background_fill_primary": "var(--panel)",
    "background_fill_secondary": "var(--bg)",
    "block_background_fill": "var(--panel)",
    "border_color_primary": "var(--line)",
    "border_color_accent": "var(--muted)",
    "color_accent": "var(--text)",
    "color_accent_soft": "var(--bg)",
    "input_background_fill": "transparent",
    "input_border_color": "var(--line)",
    "input_border_color_focus": "var(--muted)",
    "input_placeholder_color": "var(--muted)",
    "button_primary_background_fill": "var(--text)",
    "button_primary_background_fill_hover": "var(--text)",
    "button_primary_text_color": "var(--bg)",
    "button_primary_border_color": "var(--text)",
    "button_secondary_background_fill": "var(--panel)",
    "button_secondary_background_fill_hover": "var(--bg)",
    "button_secondary_text_color": "var(--text)",
    "button_secondary_border_color": "var(--line)",
}


def theme() -> Any:
    """The base theme without its colours, shadows and web fonts."""
    base = gr.themes.Base(font=SANS, font_mono=MONO, text_size="sm", spacing_size="sm", radius_size="sm")
    known = inspect.signature(base.set).parameters
    both = {**COLOURS, **{f"{name}_dark": value for name, value in COLOURS.items() if f"{name}_dark" in known}}
    return base.set(**both, shadow_drop="none", shadow_drop_lg="none", input_shadow="none", input_shadow_focus="none")
