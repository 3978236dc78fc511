"""Small parts the tabs are built of: panels of our own HTML, events that plumb, the signal that stops a run.

Knows nothing of rerankers; what a panel shows comes from the pure views.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gradio as gr

# Clicks on [data-do] and typing in [data-edit] become events whose data are the element's own data-… attributes; what a
# script has to say (keys, drags) arrives as a `tell` with the event's name and data.
EVENTS = """
const waiting = new Map();
const flush = () => { // what was typed just before goes first
  for (const {timer, data} of waiting.values()) { clearTimeout(timer); trigger('input', data); }
  waiting.clear();
};
element.addEventListener('click', (event) => {
  const target = event.target.closest('[data-do]');
  if (!target || target.disabled) return;
  flush();
  trigger('click', {...target.dataset});
});
element.addEventListener('tell', (event) => { flush(); trigger(event.detail.event, event.detail.data); });
element.addEventListener('input', (event) => {
  const target = event.target.closest('[data-edit]');
  if (!target || event.isComposing) return;
  // What was typed where is noted now: when a panel is drawn anew, Gradio may use the same element for another row.
  const data = {...target.dataset, index: target.dataset.edit, text: target.value}, key = JSON.stringify([data.id, data.edit]);
  clearTimeout(waiting.get(key)?.timer);
  waiting.set(key, {data, timer: setTimeout(() => { waiting.delete(key); trigger('input', data); }, 120)});
});
"""
# No event draws progress of its own. That alone is not enough: at every event Gradio 6.31 copies and tells anew each component
# that any event ever had as its output, unless the event names what shows progress: here, nothing.
QUIET: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
# A preview answers at once and never waits behind a run; the last of several fast keys wins.
LIVE: dict[str, Any] = {**QUIET, "queue": False, "trigger_mode": "always_last"}
# What is being composed with an input method is not asked about before it is done.
COMPOSED = "(...values) => window.afterComposing(values)"
# One click is one change, however fast the next one comes.
CLICK: dict[str, Any] = {**LIVE, "trigger_mode": "multiple"}
# Whatever changes rows takes turns: of five fast clicks none may work on rows that another is about to replace.
ROWS: dict[str, Any] = {**QUIET, "concurrency_id": "rows", "concurrency_limit": 1, "trigger_mode": "multiple"}
# Files are read one upload after the other, beside everything else: the rows made of them are put in by a turn of ROWS.
FILES: dict[str, Any] = {**ROWS, "concurrency_id": "files"}
# Scoring takes turns at the device; a second press while a run goes is remembered once.
SCORE: dict[str, Any] = {**QUIET, "concurrency_id": "score", "concurrency_limit": 1, "trigger_mode": "always_last"}
# What opens files or models: in the queue, but beside the runs.
WORK: dict[str, Any] = {**QUIET, "concurrency_limit": 4}


def panel(
    value: str = "", *, name: str, events: bool = False, classes: str = "", render: bool = True, script: str = ""
) -> gr.HTML:
    """Our own HTML under a stable id; `script` runs once it is there.

    `html_template` stays `${value}`: in `{{…}}` Gradio would run user text as code.
    """
    return gr.HTML(
        value,
        elem_id=name,
        elem_classes=["plain", *classes.split()],
        html_template="${value}",
        js_on_load=script or (EVENTS if events else None),
        apply_default_css=False,
        container=False,
        padding=False,
        render=render,
    )


def line(name: str, *, placeholder: str = "", label: str, lines: int = 1, most: int = 1) -> gr.Textbox:
    """A text field without Gradio's frame; `label` is for readers of the screen, drawn by our own HTML where it is needed."""
    return gr.Textbox(
        elem_id=name, placeholder=placeholder, label=label, show_label=False, container=False, lines=lines, max_lines=most,
        html_attributes=gr.InputHTMLAttributes(spellcheck=False, autocomplete="off"),
    )  # fmt: skip


def editor(name: str, *, label: str) -> gr.Code:
    """A Jinja editor of six lines. Gradio strips what it shows; in a template every blank may be a token, so this does not."""
    code = gr.Code(
        language="jinja2", elem_id=name, label=label, show_label=False, container=False, lines=6, interactive=True, buttons=[]
    )  # fmt: skip
    code.postprocess = lambda value: value
    return code


def button(text: str, *, name: str, go: bool = False, there: bool = True) -> gr.Button:
    return gr.Button(
        text, elem_id=name, size="sm", variant="primary" if go else "secondary", min_width=0, visible=there
    )


class Stops:
    """Which sessions asked their run to end. It holds names of sessions and nothing of what they do."""

    def __init__(self) -> None:
        self._lock, self._runs, self._begun = threading.Lock(), dict[str, list[threading.Event]](), 0

    def start(self, session: str) -> tuple[Callable[[], bool], Callable[[], None]]:
        """(is it to stop, it has ended) for a run that begins now."""
        signal = threading.Event()
        with self._lock:
            self._runs.setdefault(session, []).append(signal)
            self._begun += 1

        def ended() -> None:
            with self._lock:
                left = [s for s in self._runs.get(session, []) if s is not signal]
                if left:
                    self._runs[session] = left
                else:
                    self._runs.pop(session, None)

        return signal.is_set, ended

    def later(self) -> Callable[[], bool]:
        """Whether anybody began a run after this was asked; a run whose page is gone may never say that it ended."""
        with self._lock:
            before = self._begun
        return lambda: self._begun != before

    def ask(self, session: str) -> None:
        with self._lock:
            for signal in self._runs.get(session, []):
                signal.set()
