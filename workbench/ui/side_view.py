"""Draws what stands around an editor: whose side it is, how it differs from the recipe, its tokens, its tools.

Knows nothing of Gradio or of templates beyond counting lines that differ.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from workbench.errors import WorkbenchError
from workbench.types import Encoding, Family
from workbench.ui.figures import count, esc, shorten

NAMES = {"a": "Baseline", "b": "Draft"}
KEEP = "B becomes the Baseline · Ctrl+Shift+Enter"


def head_html(side: str, edited: int, tokens: int | None, other: int | None = None, same: bool = False) -> str:
    """Badge, name, number of template lines that differ from the recipe, token count and (for B) the difference to A.

    `same`: both sides say the same, so that there is nothing to keep or to take back.
    """
    note = f"{count(edited, 'line')} differ" if edited > 1 else "1 line differs" if edited else "model card recipe"
    number = "" if tokens is None else f'<span class="tokens" data-tokens="{tokens}">{count(tokens, "token")}</span>'
    reset = _tool("reset", side, "Reset to reference", "the model card's recipe") if edited else ""
    off = " disabled" if same else ""
    tools = "" if side == "a" else _tool("revert", side, "Revert", "B back to A", off) + _tool("keep", side, "Keep B", KEEP, off)
    delta = ""
    if side == "b" and tokens is not None and other is not None and tokens != other:
        delta = f'<span class="delta in-b">{"+" if tokens > other else "−"}{abs(tokens - other)}</span>'
    return (
        f'<span class="badge" aria-hidden="true">{side.upper()}</span><b>{NAMES[side]}</b>'
        f'<span class="muted">{esc(note)}</span>{reset}<span class="grow"></span>{number}{delta}{tools}'
    )


def _tool(do: str, side: str, text: str, title: str, off: str = "") -> str:
    return f'<button type="button" class="tool {do}" data-do="{do}" data-side="{side}" title="{title}"{off}>{text}</button>'


def lines_changed(now: str, recipe: str) -> int:
    """Lines of `now` and `recipe` that have no partner, counting a replaced line once."""
    a, b = recipe.splitlines(), now.splitlines()
    blocks = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in blocks if tag != "equal")


def silent_html(outcome: Encoding | WorkbenchError, family: Family, own: bool) -> str:
    """One sentence where an instruction changes nothing: one that is given, or with the recipe's `own` template any."""
    if isinstance(outcome, WorkbenchError):
        return ""
    prompt, given = outcome.pair.prompts[0], outcome.pair.variables.get("instruction") is not None
    if "instruction" in prompt.unused:
        why = prompt.reason or "this template never reads it"
        return f'<p class="silent" data-say="status">This instruction changes nothing: {esc(why)}.</p>'
    if own and not given and family.instruction == "none":
        return '<p class="silent">An instruction changes nothing with this model.</p>'
    return ""


def barred_html(why: str, labels: Sequence[str]) -> str:
    """The documents that a side cannot score, said before anybody presses Score."""
    if not why or not labels:
        return ""
    named = ", ".join(esc(shorten(label, 28)) for label in labels[:3]) + (", …" if len(labels) > 3 else "")
    return (
        f'<p class="silent barred" data-say="status" data-barred="{len(labels)}">{count(len(labels), "document")} cannot be '
        f"scored with this template ({named}): {esc(why)}.</p>"
    )
