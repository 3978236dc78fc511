"""Draws where a template broke: the line with a caret under the place, and the variables a template may read.

Knows nothing of Gradio or of what the template should say.
"""

from __future__ import annotations

from collections.abc import Iterable

from workbench.errors import TemplateInvalid
from workbench.ui.figures import esc

VARIABLES = ("messages", "instruction")  # what a request brings; a template sees the model's special tokens too
WIDTH = 90  # characters of the line drawn around the place


def fault_html(side: str, error: TemplateInvalid, body: str, special_tokens: Iterable[str]) -> str:
    """`body`: the template as it stands in the editor, so that its lines are the error's."""
    lines = body.split("\n")
    place = f"line {error.line}" + (f", column {error.column}" if error.column else "") if error.line else ""
    drawn = _line(lines[error.line - 1], error.column) if 0 < error.line <= len(lines) else ""
    names = " ".join(f"<code>{esc(name)}</code>" for name in (*VARIABLES, *sorted(special_tokens)))
    return (
        f'<div class="fault" data-say="alert"><p class="error"><b>{side.upper()}</b> <span>{place}</span> '
        f'<span translate="no">{esc(error.message)}</span></p>{drawn}'
        f'<p class="muted"><span>There are the variables</span> <span translate="no">{names}</span></p></div>'
    )


def _line(line: str, column: int) -> str:
    """The line, cut around the place, and the caret; blanks of one width, so that it stands under its character."""
    start = max(column - WIDTH // 2, 0) if len(line) > WIDTH else 0
    shown = line[start : start + WIDTH].replace("\t", " ")
    head, tail = "…" * (start > 0), "…" * (start + WIDTH < len(line))
    caret = " " * (len(head) + column - 1 - start) + "^" if column else ""
    return f'<pre translate="no">{esc(head + shown + tail)}\n<b>{caret}</b></pre>'
