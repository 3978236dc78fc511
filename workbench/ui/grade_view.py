"""Draws the pills that grade a document, and the note by which the page learns every grade after a change.

Knows nothing of Gradio. The page's script paints a clicked pill at once; the note says what the session really holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from workbench.ui.figures import esc

GRADES = (0, 1, 2, 3)


def pills(document: str, grade: int | None) -> str:
    """Four buttons for one document, the given grade pressed. They are no tab stops: 0 to 3 on the card do the same."""
    return (
        f'<span class="pills" role="group" aria-label="grade" data-grades-of="{esc(document)}">'
        + "".join(_pill(value, value == grade) for value in GRADES)
        + "</span>"
    )


def _pill(value: int, on: bool) -> str:
    return (
        f'<button type="button" tabindex="-1" class="g{value}" data-grade="{value}" aria-pressed="{"true" if on else "false"}" '
        f'title="grade {value} of 3 for the stated need; again to clear">{value}</button>'
    )


def note_html(grades: Mapping[str, int | None], disagree: Collection[str], answered: int = 0) -> str:
    """Every grade by document, who disagrees, and the number of the last click that is in it."""
    given = {name: grade for name, grade in grades.items() if grade is not None}
    return (
        f'<i data-answered="{answered}" data-given="{esc(json.dumps(given))}" '
        f'data-disagree="{esc(json.dumps(sorted(disagree)))}"></i>'
    )
