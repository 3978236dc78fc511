"""Draws the head of the prompt panel: which view, which side, which document, in which order.

Knows nothing of Gradio or of what the views show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.ui.figures import esc

TABS = {"prompt": "Prompt", "tokens": "Tokens", "diff": "Diff", "budget": "Budget"}
ORDERS = {"listed": "as listed", "changed": "most changed first"}


@dataclass(frozen=True, slots=True)
class Head:
    """What the head tells. `place`: number in the order, from 0; `differ`: tokens that differ, None where unknown."""

    tab: str
    side: str
    at: int
    place: int
    order: str
    labels: Sequence[str]
    differ: int | None = None
    exact: bool = True
    old: bool = False  # what is drawn is the last good render
    tail: bool = False  # the last tokens of A and B are not the same
    glyphs: bool = False
    mark: str = ""  # what was looked at, so that a late answer can be told from the last one


def head_html(head: Head) -> str:
    marks = f' data-look="{esc(head.mark)}"' + f' data-broken-view="{head.side}"' * head.old + " data-tail" * head.tail
    tabs = "".join(_tab(name, title, head) for name, title in TABS.items())
    sides = "".join(_side(side, head.side) for side in ("a", "b")) if head.tab == "prompt" else ""
    label = f'<span class="muted ell" translate="no">{esc(head.labels[head.at])}</span>' if head.labels else ""
    if head.tab == "budget":
        said = '<span class="flag">before the last change: press Budget to count again</span>' if head.old else ""
        return f'<span class="views" data-view="budget"{marks}>{tabs}</span><span class="grow"></span>{said}'
    return (
        f'<span class="views" data-view="{head.tab}"{marks}>{tabs}</span>{sides}{label}<span class="grow"></span>'
        f"{_glyphs(head) if head.tab == 'prompt' else ''}{_order(head)}{_step(head)}"
    )


def _tab(name: str, title: str, head: Head) -> str:
    on = name == head.tab
    many = f'<b class="n">{head.differ:,}{"" if head.exact else "+"}</b>' if name == "diff" and head.differ else ""
    return (
        f'<button type="button" data-do="tab" data-tab="{name}" class="switch view{" on" * on}" '
        f'aria-pressed="{"true" if on else "false"}">{title}{many}</button>'
    )


def _side(side: str, shown: str) -> str:
    on = side == shown
    return (
        f'<button type="button" data-do="side" data-side="{side}" class="switch in-{side}{" on" * on}" '
        f'aria-pressed="{"true" if on else "false"}">{side.upper()}</button>'
    )


def _glyphs(head: Head) -> str:
    return (
        f'<button type="button" data-do="glyphs" class="switch{" on" * head.glyphs}" title="draw every blank" '
        f'aria-label="draw every blank" aria-pressed="{"true" if head.glyphs else "false"}">¶</button>'
    )


def _order(head: Head) -> str:
    if len(head.labels) < 2:
        return ""
    other = next(name for name in ORDERS if name != head.order)
    return (
        f'<button type="button" data-do="order" data-order="{other}" class="switch order{" on" * (head.order == "changed")}" '
        f'aria-pressed="{"true" if head.order == "changed" else "false"}">{ORDERS["changed"]}</button>'
    )


def _step(head: Head) -> str:
    many = len(head.labels)
    place = f"document {head.place + 1} of {many}" if many else "no document"
    return (
        '<span class="place"><button type="button" data-do="step" data-by="-1" aria-label="document before">◂</button>'
        f"<span>{place}</span>"
        '<button type="button" data-do="step" data-by="1" aria-label="next document">▸</button></span>'
    )
