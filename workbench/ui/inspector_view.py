"""Draws one pair from close by: the document in full, what the model gets of it, ids and logits of both sides, its past, code.

Knows nothing of Gradio; foreign text passes through `esc` and is marked as not to be translated.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import MediaInvalid, WorkbenchError
from workbench.media import Library
from workbench.types import ContentPart, Encoding, Image, MediaInput, ScoreResult, Text, Video
from workbench.ui.figures import count, esc, sentence
from workbench.ui.pair_code import PLAYED, data_url
from workbench.ui.times import time_html

HEIGHT = 320  # pixels of a picture
FRAME = 72  # and of a frame the model gets
IDS = 20_000  # shown
WAITS = "scored when the model is free …"


@dataclass(frozen=True, slots=True)
class Seen:
    """A pair in an earlier run: when, under which side and instruction, its place among how many."""

    at: float
    side: str
    instruction: str
    rank: int
    among: int
    logit: float


def title_html(label: str, place: str) -> str:
    return f'<h2 id="inspector-title" class="ell" translate="no">{esc(label)}</h2><span class="muted">{esc(place)}</span>'


def section(name: str, inner: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h3>{name}</h3>{inner}</section>' if inner else ""


# ---------------------------------------------------------------- the document
def content_html(library: Library, content: Sequence[ContentPart]) -> str:
    return "".join(_part(library, part) for part in content)


def _part(library: Library, part: ContentPart) -> str:
    try:
        match part:
            case Text():
                return f'<p class="full" dir="auto" translate="no">{esc(part.text)}</p>'
            case Image():
                small = _jpeg(library.thumbnail(part, HEIGHT))
                return _figure(f'<img translate="no" alt="{esc(part.source or "picture")}" src="{small}">', part)
            case Video():
                return _clip(library, part)
    except WorkbenchError as error:
        return f'<p class="error">{sentence(error)}</p>'


def _figure(inner: str, part: Image | Video) -> str:
    return f'<figure>{inner}<figcaption class="muted" translate="no">{esc(part.source)}</figcaption></figure>'


def _clip(library: Library, part: Video) -> str:
    url = data_url(library, part, PLAYED)
    if url is None:
        facts = library.probe(part)
        raise MediaInvalid(
            f"is too large to be played here ({facts.seconds:.0f} s)", where=part.source, hint="The frames below are what counts."
        )
    if url.startswith("data:image"):
        return _figure(f'<img translate="no" alt="{esc(part.source or "clip")}" src="{url}">', part)
    return _figure(f'<video controls loop muted playsinline preload="metadata" src="{url}"></video>', part)


def _jpeg(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


# ---------------------------------------------------------------- what the model gets
def gets_html(library: Library, media: Sequence[MediaInput]) -> str:
    """Per picture and clip: its size after resizing, its patches, its tokens; of a clip the frames with their times."""
    return "".join(_gets(library, item) for item in media)


def _gets(library: Library, item: MediaInput) -> str:
    groups, rows, columns = item.grid
    size = f"<b>{item.width}×{item.height}</b> pixels"
    words = f"<span>{size}</span><span>{rows}×{columns} patches</span><span>{count(item.tokens, 'vision token')}</span>"
    if not isinstance(item.part, Video):
        return f'<p class="facts">{words}</p>'
    words += f"<span>{count(len(item.frames), 'frame')} in {count(groups, 'group')}</span>"
    return f'<p class="facts">{words}</p>{frames_html(library, item)}'


def frames_html(library: Library, item: MediaInput, notes: Sequence[str] = ()) -> str:
    """The frames in order, each with its number; the time stands under the first of its group."""
    distinct = sorted(set(item.frames))
    try:
        strip = _jpeg(library.strip(item.part, distinct, FRAME)) if isinstance(item.part, Video) and distinct else ""
    except WorkbenchError as error:
        return f'<p class="error">{sentence(error)}</p>'
    size = max(1, len(item.frames) // max(1, len(item.timestamps)))
    cells = ""
    for i, frame in enumerate(item.frames):
        when = f"{item.timestamps[i // size]:.1f} s" if i % size == 0 and i // size < len(item.timestamps) else ""
        at = distinct.index(frame)
        note = notes[i] if i < len(notes) else ""
        cells += (
            f'<li {note or "class=plain-frame"}><span class="frame" style="--at:{at};--of:{len(distinct)}">'
            f'<img alt="frame {frame}" src="{strip}"></span><span class="when">{when}</span></li>'
        )
    return f'<ol class="frames" style="--ratio:{item.width / max(1, item.height):.4f}">{cells}</ol>' if cells else ""


# ---------------------------------------------------------------- both sides
def side_html(
    side: str, outcome: Encoding | WorkbenchError, result: ScoreResult | None, tail: str, *, waits: bool = False
) -> str:
    """Logit, probability, the label rows' own logits, token count, tail and ids of one side. `waits`: its score is to come."""
    head = f'<header class="{side.upper()}"><span class="badge">{side.upper()}</span>'
    if isinstance(outcome, WorkbenchError):
        return f'<div class="pair">{head}</header><p class="error">{sentence(outcome)}</p></div>'
    if waits:
        score, labels = f'<span class="muted waits" data-say="status">{WAITS}</span>', ""
    elif result is None or result.score is None:
        why = sentence(result.error) if result and result.error else "not scored"
        score, labels = f'<p class="error">{why}</p>', ""
    else:
        score = (
            f'<p class="score"><b class="digits">{result.score.value:.6f}</b><span class="muted">logit</span> '
            f'<b class="digits" data-logit="{side}">{result.score.logit:.4f}</b></p>'
        )
        labels = _labels(result) + _steps(result)
    ids = " ".join(map(str, outcome.token_ids[:IDS])) + (" …" if len(outcome.token_ids) > IDS else "")
    tokens = count(len(outcome.token_ids), "token")
    return (
        f'<div class="pair">{head}{score}</header>{labels}<p class="facts"><span>{tokens}</span>'
        f'<span class="tail-words" translate="no">{esc(tail)}</span></p>'
        f'<section class="ids"><details><summary>Exact ids</summary><pre class="mono" translate="no">{ids}</pre></details>'
        f'<button type="button" class="small" data-copy>Copy ids</button></section></div>'
    )


def _labels(result: ScoreResult) -> str:
    detail = result.score.detail if result.score else {}
    if not {"true", "false"} <= set(detail):
        return ""
    yes, no = float(detail["true"]), float(detail["false"])
    return (
        f'<p class="facts"><span>yes <b class="digits">{yes:.4f}</b></span><span>no <b class="digits">{no:.4f}</b></span></p>'
    )


def _steps(result: ScoreResult) -> str:
    """Every step of a process reward with its own probability and logit; the worst one ranks the document."""
    steps: Any = result.score.detail.get("steps") if result.score else None
    if not steps:
        return ""
    said = "\n".join(p.text for p in result.document.content if isinstance(p, Text))
    texts = said.split("\n\n")  # as the family's template does; another may set its marks elsewhere
    texts = texts if len(texts) == len(steps) else [""] * len(steps)
    worst = min(range(len(steps)), key=lambda i: float(steps[i]["logit"]))
    rows = "".join(
        f'<li{" class=worst" if i == worst else ""}>'
        f'<span class="ell" translate="no" dir="auto">{esc(" ".join(text.split()))}</span>'
        f'<b class="digits">{float(step["value"]):.4f}</b><span class="digits muted">{float(step["logit"]):.4f}</span></li>'
        for i, (step, text) in enumerate(zip(steps, texts, strict=True))
    )
    return f'<p class="facts"><span>Steps; the worst one ranks the document</span></p><ol class="steps">{rows}</ol>'


# ---------------------------------------------------------------- its past
def past_html(seen: Sequence[Seen]) -> str:
    """The pair in earlier runs of the same query, newest first."""
    rows = "".join(
        f"<tr><td>{time_html(s.at, 'day')}</td><td class='in-{s.side}'>{s.side.upper()}</td>"
        f'<td class="digits">{s.rank} of {s.among}</td><td class="digits">{s.logit:.3f}</td>'
        f'<td class="ell" translate="no" title="{esc(s.instruction)}">{esc(s.instruction) or "–"}</td></tr>'
        for s in sorted(seen, key=lambda s: (-s.at, s.side))
    )
    head = "<tr><th>when</th><th></th><th>rank</th><th>logit</th><th>instruction</th></tr>"
    return f'<table class="seen"><thead>{head}</thead><tbody>{rows}</tbody></table>' if rows else ""


def code_html(name: str, text: str | WorkbenchError) -> str:
    if isinstance(text, WorkbenchError):
        return f'<section class="code"><h3>{name}</h3><p class="muted">{sentence(text)}</p></section>'
    return (
        f'<section class="code"><h3>{name}</h3><button type="button" class="small" data-copy>Copy</button>'
        f'<pre class="mono" translate="no" data-code="{esc(name)}">{esc(text)}</pre></section>'
    )
