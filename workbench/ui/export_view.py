"""Draws the files of a bundle, the serve line first: that is what a reader wants to copy.

Knows nothing of Gradio or of what the files mean.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.ui.figures import esc

ABOUT = {
    "template.jinja": "the prompt, its instruction as the default",
    "manifest.json": "what was tuned, with which versions",
    "serve.sh": "the command that serves it",
    "request.json": "a request to try it with",
    "README.md": "how to use these files",
}
FIRST = ("serve.sh", "template.jinja", "request.json", "manifest.json")
MOST = 20_000


def files_html(files: Mapping[str, bytes]) -> str:
    """Every file with its name, size and text, in the order of use."""
    order = [*(n for n in FIRST if n in files), *(n for n in files if n not in FIRST)]
    return '<div class="files">' + "".join(_file(name, files[name]) for name in order) + "</div>"


def _file(name: str, data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    if len(text) > MOST:
        text = text[:MOST] + "\n…"
    return (
        f'<section class="sheet file" data-file="{esc(name)}"><header class="head"><b class="mono">{esc(name)}</b>'
        f'<span class="muted">{esc(ABOUT.get(name, ""))}</span><span class="grow"></span>'
        f'<span class="muted">{len(data):,} bytes</span>'
        f'<button type="button" class="small" data-copy>Copy</button></header><pre class="mono">{esc(text)}</pre></section>'
    )
