"""The screen, as a table of contents: a top bar over the tabs. Each tab is one file; a new tab is one file and one line.

Knows nothing of HTTP: whoever mounts the page passes `mount_options()` along.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from workbench.pool import Bench
from workbench.store import Store
from workbench.ui import documents, export, history, top, tune
from workbench.ui.loop import Loop
from workbench.ui.quota import UPLOADS, Quota
from workbench.ui.shelf import MOST, Shelf
from workbench.ui.theme import theme

ASSETS = Path(__file__).resolve().parents[2] / "assets"
TITLE = "Rerank Workbench"


def build(
    bench: Bench, scenarios: Path = ASSETS / "scenarios", scenes: Path = ASSETS / "scenes", quota: int = UPLOADS,
    store: Store | None = None, shelf: int = MOST,
) -> gr.Blocks:  # fmt: skip
    """The whole page over one bench, with the prepared questions and the scenes to add that lie in two folders.

    `quota`: bytes of files that one session may send; `shelf`: of all files that are kept. Runs are remembered where there is
    a `store`.
    """
    loop = Loop(bench, scenarios, scenes, store, quota=Quota(quota), shelf=Shelf(bench.library, store, shelf))
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as demo:
        bar = top.build(bench)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Tune", id="tune", elem_id="tune"):
                tuning = tune.build(loop, bar)
            with gr.Tab("Documents", id="rows", elem_id="documents-tab") as documented:
                listed = documents.build()
            if store is not None:
                with gr.Tab("History", id="history", elem_id="history") as remembering:
                    history.build(demo, loop, store, tuning, remembering, tabs)
            with gr.Tab("Export", id="export", elem_id="export") as exporting:
                export.build(loop, tuning, exporting)
        tune.wire(demo, loop, tuning, tabs)
        documents.wire(demo, loop, listed, tuning, documented)
    return demo


def mount_options() -> dict[str, Any]:
    """What `gr.mount_gradio_app` needs beside the page itself: the look, and nothing from elsewhere."""
    script, style = (
        "\n".join(p.read_text(encoding="utf-8") for p in sorted(ASSETS.glob(f"*.{kind}"))) for kind in ("js", "css")
    )
    return {
        "theme": theme(),
        # Through `css=` every rule would come twice, once behind Gradio's own prefix, and rules on body would lose.
        "head": f"<style>{style}</style>{_words()}<script>{script}</script>",
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "enable_monitoring": False,
    }


def _words() -> str:
    """The second language's catalog, where the page's script finds it; nothing in it can end the element it stands in."""
    catalog = (ASSETS / "words.zh.json").read_text(encoding="utf-8").replace("<", "\\u003c")
    return f'<script type="application/json" id="words-zh">{catalog}</script>'
