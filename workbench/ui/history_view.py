"""Draws the history: the list of runs, what one of them was, and what its owner wrote on it.

Knows nothing of Gradio or SQLite; foreign text passes through `esc` and is marked as not to be translated.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.store import Kept
from workbench.types import JSON
from workbench.ui.figures import count, esc, shorten
from workbench.ui.times import time_html

LOST = "of its pictures and clips were let go to make room (--media-quota). Scores and texts are whole; pinned runs keep theirs."
ENDS = "History ends with the program here. Start it with <code>--data DIR</code> to keep it."


def list_html(runs: Sequence[Kept], total: int, first: int, opened: str, other: str, *, searched: bool) -> str:
    """Rows with what tells runs apart; `opened` is the one shown beside, `other` the one it is compared with."""
    if not runs:
        said = "No run matches." if searched else "No runs yet. Every run scored in Tune appears here."
        return f'<p class="empty">{said}</p>'
    rows = "".join(_row(run, run.id == opened, run.id == other) for run in runs)
    return f'<ol class="runs">{rows}</ol>{_pages(total, first, len(runs))}'


def _row(run: Kept, opened: bool, other: bool) -> str:
    head, kind, name = run.head, " on" if opened else " other" if other else "", esc(run.id)
    title = run.name or head["query"] or "a picture or clip"
    tags = "".join(f'<span class="tag" translate="no">{esc(tag)}</span>' for tag in run.tags)
    again = f'<span class="muted">{run.times}×</span>' if run.times > 1 else ""
    partial = '<span class="flag">stopped</span>' if head["partial"] else ""
    moved = f"<span>{head['moved']} of {head['ranked']} moved</span>"
    pin = (
        f'<button type="button" class="pin" data-do="pin" data-run="{name}" aria-pressed="{str(run.pinned).lower()}" '
        f'aria-label="pin this run">{"★" if run.pinned else "☆"}</button>'
    )
    compared = (
        f'<button type="button" class="pin" data-do="compare" data-run="{name}" aria-label="compare with the open run" '
        f'title="compare with the open run">⇄</button>'
    )
    top = f'<b class="ell" translate="no">{esc(shorten(title, 90))}</b>{again}{time_html(run.at)}'
    return (
        f'<li class="past{kind}" data-run="{name}"><button type="button" class="open" data-do="open" data-run="{name}"'
        f'{" aria-current=true" if opened else ""}><span class="top">{top}</span>{_told(head)}'
        f'<span class="nums">{_metric(head)}{moved}{partial}{tags}</span></button><span class="do">{pin}{compared}</span></li>'
    )


def _told(head: JSON) -> str:
    return "".join(
        f'<span class="told"><b class="in-{s}">{s.upper()}</b><span class="ell" translate="no">{esc(text) or "–"}</span></span>'
        for s, text in head["instructions"].items()
    )


def _metric(head: JSON) -> str:
    if not (ndcg := head["ndcg"]):
        return ""
    drawn = " ".join(f'<b class="in-{s}">{s.upper()} {f"{v:.2f}".removeprefix("0")}</b>' for s, v in ndcg.items())
    return f'<span title="nDCG@5">{drawn}</span>'


def _pages(total: int, first: int, shown: int) -> str:
    if total <= shown:
        return ""

    def turn(by: int, name: str, end: bool) -> str:
        return f'<button type="button" class="small" data-do="page" data-by="{by}" {"disabled" * end}>{name}</button>'

    place = f"<span>{first + 1}–{first + shown} of {total:,}</span>"
    newer, older = turn(-1, "Newer", first == 0), turn(1, "Older", first + shown >= total)
    return f'<p class="pages muted">{newer}{place}{older}</p>'


def filters_html(tags: Sequence[str], models: Sequence[str], tag: str, model: str) -> str:
    """Chips that narrow the list; models only where there are several."""
    chips = [_chip("tag", name, name == tag) for name in tags[:24]]
    chips += [_chip("model", name, name == model) for name in models[:8]] if len(models) > 1 else []
    return f'<span class="chips">{"".join(chips)}</span>'


def _chip(kind: str, name: str, on: bool) -> str:
    label = shorten(name.rstrip("/").rsplit("/", 1)[-1] if kind == "model" else name, 28)
    return (
        f'<button type="button" class="chip{" on" if on else ""}" data-do="{kind}" data-name="{esc(name)}" '
        f'aria-pressed="{str(on).lower()}" translate="no" title="{esc(name)}">{esc(label)}</button>'
    )


# ---------------------------------------------------------------- one run
def run_html(run: Kept, mine: bool, lost: int = 0) -> str:
    """What can be done with it, what its owner wrote, and how it was scored. `lost`: pictures and clips that are gone."""
    body, head = run.body, run.head
    numbers = f"{esc(body['device'])} · {esc(body['dtype'])}"
    target = "as vLLM" if head["target"] == "vllm" else "as the reference"
    revision = f' <span translate="no">{esc(str(body["revision"])[:12])}</span>' if body["revision"] else ""
    facts = [
        f"<span>{time_html(run.at, 'long')}</span>",
        f'<span translate="no">{esc(shorten(run.model, 60))}{revision}</span>',
        f'<span translate="no">{numbers}</span>', f"<span>{target}</span>", f"<span>{count(head['rows'], 'document')}</span>",
        f"<span>scored {count(run.times, 'time')}</span>",
    ]  # fmt: skip
    gone = f'<p class="lost" data-say="status"><b>{lost}</b> <span>{LOST}</span></p>' if lost else ""
    return f'{_tools(run, mine)}<p class="facts">{"".join(facts)}</p>{gone}{_query(run)}{_written(run, mine)}'


def _query(run: Kept) -> str:
    words = str(run.head["query"])
    return f'<p class="asked" dir="auto" translate="no">{esc(words)}</p>' if words else ""


def _tools(run: Kept, mine: bool) -> str:
    restore = _button("restore", run, "Restore into Tune", "small go")
    if not mine:
        said = '<span class="muted">Opened by a link: read only.</span><span class="grow"></span>'
        return f'<div class="tools">{said}{restore}</div>'
    name = f'<input data-edit="name" value="{esc(run.name)}" placeholder="Name this run" aria-label="name" translate="no">'
    pin = _button("pin", run, "Unpin" if run.pinned else "Pin")
    link = f'<button type="button" class="small" data-link="{esc(run.id)}">Copy link</button>'
    delete = _button("delete", run, "Delete", more='data-sure="Really delete"')
    return f'<div class="tools">{name}{pin}{link}{delete}{restore}</div>'


def _button(do: str, run: Kept, text: str, kind: str = "small", more: str = "") -> str:
    return f'<button type="button" class="{kind}" data-do="{do}" data-run="{esc(run.id)}" {more}>{text}</button>'


def _written(run: Kept, mine: bool) -> str:
    tags = ", ".join(run.tags)
    if not mine:
        note = f'<p class="note" translate="no" dir="auto">{esc(run.note)}</p>' if run.note else ""
        return note + (f'<p class="muted" translate="no">{esc(tags)}</p>' if tags else "")
    return (
        f'<div class="written"><input data-edit="tags" value="{esc(tags)}" placeholder="Tags, with commas between" '
        f'aria-label="tags" translate="no"><textarea data-edit="note" rows="1" placeholder="Note" aria-label="note" '
        f'translate="no">\n{esc(run.note)}</textarea></div>'
    )


def compare_head_html(left: Kept, left_side: str, right: Kept, right_side: str) -> str:
    """Which sides of which runs stand beside each other."""

    def one(run: Kept, side: str, which: str) -> str:
        switch = "".join(
            f'<button type="button" data-do="{which}" data-side="{s}" class="switch{" on" if s == side else ""}" '
            f'aria-pressed="{"true" if s == side else "false"}">{s.upper()}</button>'
            for s in ("a", "b")
        )
        title = run.name or str(run.head["query"]) or "a picture or clip"
        named = f'<b class="ell" translate="no">{esc(shorten(title, 60))}</b>{time_html(run.at)}'
        return f'<span class="which">{switch}{named}</span>'

    close = '<button type="button" class="small" data-do="alone">Close the comparison</button>'
    return (
        f'<div class="compare-head"><h3>Compared</h3><span class="grow"></span>{close}</div>'
        f'<div class="compare-sides">{one(left, left_side, "left")}{one(right, right_side, "right")}</div>'
    )
