"""How the page opens: on a scenario, or on what was typed before a reload, which the browser kept for this tab alone.

Knows nothing of layout. The server keeps no draft: the browser sends its own along, and it is read like any other input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.scenario import titles
from workbench.ui.loop import START, Loop
from workbench.ui.preview import View

MOST = 1 << 20  # characters of a draft
KEY = "workbench-draft"
# A tab's own storage: it survives a reload and a restart of the server, and no other tab or person sees it.
SAVE = f"""(scenario, model, ...texts) => {{
  try {{ sessionStorage.setItem('{KEY}', JSON.stringify({{scenario, model, texts}})); }} catch {{ /* no room left */ }}
  return [];
}}"""
READ = f"""(scenario, model, kept, view) => [scenario, model, JSON.stringify({{
  draft: sessionStorage.getItem('{KEY}'), asked: new URLSearchParams(location.search).get('scenario'),
}}), view]"""
RESTORED = (
    '<span class="restored" data-say="status">Draft restored · <button type="button" class="tool reset" data-do="clean">Reset'
    "</button></span>"
)
TEXTS = (1, 6, 7, 8, 9)  # query, template A, instruction A, template B, instruction B in what `on_scenario` fills


@dataclass
class Drafts:
    """Handlers of opening. A draft is {"scenario", "model", "texts": query and the four fields}."""

    loop: Loop

    def on_open(self, name: str | None, model: str, kept: str | None, view: View = START) -> tuple[Any, ...]:
        """(scenario menu, note, *what `Loop.on_scenario` fills). A draft of another model or with nothing new is left."""
        found = _read(kept)
        known = titles(self.loop.scenarios)
        if (asked := found.get("asked")) in known:
            return (asked, "", *self.loop.on_scenario(asked, model, view))
        draft = _read(found.get("draft"))
        texts, scenario = _five(draft.get("texts")), draft.get("scenario")
        if draft.get("model") != model or scenario not in known or not texts:
            return (gr.skip(), "", *self.loop.on_scenario(name, model, view))
        filled = list(self.loop.on_scenario(scenario, model, view))
        if [filled[at] for at in TEXTS] == texts:
            return (scenario, "", *filled)
        for at, text in zip(TEXTS, texts, strict=True):
            filled[at] = text
        return (scenario, RESTORED, *filled)

    def on_clean(self, name: str | None, model: str, view: View = START) -> tuple[Any, ...]:
        """(note, *what `Loop.on_scenario` fills): the scenario as it is."""
        return ("", *self.loop.on_scenario(name, model, view))


def _read(text: Any) -> dict[str, Any]:
    """A browser's JSON object; {} for anything else."""
    if not isinstance(text, str) or len(text) > MOST:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _five(texts: Any) -> list[str]:
    """The five texts; [] where they are something else."""
    sound = isinstance(texts, list) and len(texts) == len(TEXTS) and all(isinstance(text, str) for text in texts)
    return list(texts) if sound else []
