"""Back from another tab: rows may have been added, called otherwise or taken out there.

Knows nothing of layout. Nothing is scored: what is shown of the rows, the prompt and the findings is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.changes import Changes
from workbench.ui.loop import Loop
from workbench.ui.outcome import Outcome
from workbench.ui.preview import View
from workbench.ui.review import Review
from workbench.ui.rows import Item

LINTS = (3, 5)  # where `Loop.on_preview` has each side's findings


@dataclass
class Return:
    loop: Loop

    def on_return(
        self, event: gr.SelectData, items: list[Item], outcome: Outcome | None, view: View, scored: dict[str, Any], *values: Any
    ) -> tuple[Any, ...]:
        """(tray, lists, scores, table, *what `Loop.on_preview` draws) when the first tab is opened again."""
        if event.index != 0:
            return (gr.skip(),) * 13
        seen = list(self.loop.on_preview(view, scored, *values))
        for at, lint in zip(LINTS, Changes(self.loop).on_lint(view, scored, *values), strict=True):
            if isinstance(lint, str):  # with its fixes, where the fields can be read at all
                seen[at] = lint
        return self.loop.tray(items), *Review(self.loop).on_named(items, outcome), *seen
