"""Back from another tab: rows may have been added, called otherwise or taken out there.

Knows nothing of layout. Nothing is scored: what is shown of the rows and the prompt is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.ui.loop import Loop
from workbench.ui.outcome import Outcome
from workbench.ui.preview import View
from workbench.ui.review import Review
from workbench.ui.rows import Item


@dataclass
class Return:
    loop: Loop

    def on_return(
        self, event: gr.SelectData, items: list[Item], outcome: Outcome | None, view: View, scored: dict[str, Any], *values: Any
    ) -> tuple[Any, ...]:
        """(tray, lists, scores, table, *what `Loop.on_preview` draws) when the first tab is opened again."""
        if event.index != 0:
            return (gr.skip(),) * 13
        seen = self.loop.on_preview(view, scored, *values)
        return self.loop.tray(items), *Review(self.loop).on_named(items, outcome), *seen
