"""The History tab: every run that was scored, one of them open, and the way back into Tune.

Knows nothing of what is drawn in it.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from workbench.store import Store
from workbench.ui import tune as tuning
from workbench.ui.history_view import ENDS
from workbench.ui.loop import Loop
from workbench.ui.recall import NOTHING, Recall
from workbench.ui.tune import Tune
from workbench.ui.widgets import CLICK, LIVE, WORK, line, panel


def build(demo: gr.Blocks, loop: Loop, store: Store, tune: Tune, tab: gr.Tab, tabs: gr.Tabs) -> None:
    """Lays the tab out and connects it; `tabs` is what a link and a restored run change the page to."""
    recall, view = Recall(loop, store), gr.State(dict(NOTHING))
    with gr.Row(elem_id="history-row"):
        with gr.Column(elem_id="history-left", elem_classes="sheet", min_width=280):
            find = line("history-find", placeholder="Find in queries, instructions, documents, names, notes", label="Find runs")
            filters = panel(name="history-filters", events=True)
            listed = panel(name="history-list", events=True)
            panel("" if store.lasting else f'<p class="muted ends">{ENDS}</p>', name="history-ends")
        with gr.Column(elem_id="history-right", elem_classes="sheet", min_width=320):
            head = panel(name="history-run", events=True)
            said = panel(name="history-said")
            rankings = panel(name="history-rankings", events=True)
            chart = panel(name="history-chart", events=True)
    shown: list[Any] = [view, listed, filters, head, rankings, chart]
    tab.select(recall.on_enter, view, shown, **LIVE)
    find.change(recall.on_find, [find, view], shown, **LIVE)
    for asked in (filters, listed, head, rankings, chart):
        asked.click(recall.on_click, view, shown, **CLICK)
    head.input(recall.on_write, view, listed, **CLICK)
    demo.load(recall.on_link, view, [*shown, tabs], **LIVE)
    restored = head.click(recall.on_restore, tune.top.current, [*tuning.filled(tune), *_chosen(tune), said, tabs], **WORK)
    tuning.follow(restored)


def _chosen(tune: Tune) -> list[Any]:
    return [tune.top.current, tune.top.model, tune.top.target, tune.top.status]
