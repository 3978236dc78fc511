"""Draws how the prompts of all documents fill the window: a stacked bar per document and side, the limit as a line.

Knows nothing of Gradio or of how a prompt came about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.types import Cut, Encoding, SegmentKind
from workbench.ui.figures import count, esc, sentence
from workbench.ui.prompt_view import NAMES, Kinds, media_spans, segment_counts

PAGE = 50  # documents on one page
ROOMY = 4  # a limit so many times the longest prompt is said instead of drawn: the bars would be slivers

Outcome = Encoding | WorkbenchError


@dataclass(frozen=True, slots=True)
class Fill:
    """One prompt in tokens: by segment, with those of pictures and clips apart, and what a limit took away."""

    total: int
    segments: Mapping[SegmentKind, int]
    vision: Mapping[SegmentKind, int]
    cut: int

    @property
    def seen(self) -> int:
        return sum(self.vision.values())


def fill(encoding: Encoding) -> Fill:
    vision: Counter[SegmentKind] = Counter()
    kind_at = Kinds(encoding)
    for (start, _), item in media_spans(encoding).items():
        vision[kind_at(start) or "document"] += item.tokens
    return Fill(len(encoding.token_ids), segment_counts(encoding), vision, _removed(encoding.cut))


def _removed(cut: Cut | None) -> int:
    return 0 if cut is None else len(cut.ids) + _removed(cut.other)


def rows_html(
    outcomes: Mapping[str, Sequence[Outcome]], labels: Sequence[str], limit: int, first: int, shown: int
) -> str:
    """`outcomes`: both sides of the documents from `first` on; `labels` of all of them; `shown`: the document looked at."""
    fills = {side: [fill(o) if isinstance(o, Encoding) else o for o in row] for side, row in outcomes.items()}
    every = [f for row in fills.values() for f in row if isinstance(f, Fill)]
    longest = max((f.total + f.cut for f in every), default=0)
    scale = max(longest, 1) * 1.04 if longest * ROOMY < limit else max(longest, limit) * 1.04
    rows = "".join(
        _row(first + i, label, {s: row[i] for s, row in fills.items()}, limit, scale, first + i == shown)
        for i, label in enumerate(labels[first : first + PAGE])
    )
    return (
        f'<div class="fills drawn">{_lead(every, longest, limit, first, len(labels))}{_keys(every)}'
        f'<ol class="fill-rows" style="--limit:{100 * min(limit / scale, 2):.3f}%">{rows}</ol></div>'
    )


def _lead(every: Sequence[Fill], longest: int, limit: int, first: int, documents: int) -> str:
    over = sum(f.total + f.cut > limit or f.cut > 0 for f in every)
    said = f"<span>limit <b>{limit:,}</b> tokens</span> <span>longest <b>{longest:,}</b></span>"
    said += (
        f' <span class="flag">{count(over, "prompt")} over the limit</span>'
        if over
        else " <span>none is over it</span>"
    )
    if documents <= PAGE:
        return f'<p class="lead">{said}</p>'
    last = min(first + PAGE, documents)
    place = f"<span>{first + 1:,}–{last:,} of {documents:,}</span>"
    before = _button(first - PAGE, "◂", "documents before")
    after = _button(first + PAGE if last < documents else first, "▸", "next documents")
    return f'<p class="lead">{said} <span class="place">{before}{place}{after}</span></p>'


def _button(to: int, arrow: str, said: str) -> str:
    return f'<button type="button" data-do="page" data-to="{max(to, 0)}" aria-label="{said}">{arrow}</button>'


def _keys(every: Sequence[Fill]) -> str:
    kinds = [kind for kind in NAMES if any(f.segments.get(kind) for f in every)]
    found = [f'<span class="key"><i class="{kind}"></i>{NAMES[kind]}</span>' for kind in kinds]
    found += ['<span class="key"><i class="vision"></i>vision</span>'] if any(f.seen for f in every) else []
    found += ['<span class="key"><i class="lost"></i>cut</span>'] if any(f.cut for f in every) else []
    return f'<p class="keys">{" ".join(found)}</p>'


def _row(at: int, label: str, sides: Mapping[str, Fill | WorkbenchError], limit: int, scale: float, here: bool) -> str:
    bars = "".join(_bar(side, side_fill, limit, scale) for side, side_fill in sides.items())
    return (
        f'<li class="fill-row{" here" * here}"><button type="button" class="ell" data-do="at" data-at="{at}" translate="no" '
        f'title="{esc(label)}">{esc(label)}</button><span class="bars">{bars}</span></li>'
    )


def _bar(side: str, filled: Fill | WorkbenchError, limit: int, scale: float) -> str:
    badge = f'<b class="in-{side}">{side.upper()}</b>'
    if isinstance(filled, WorkbenchError):
        return f'<span class="fill">{badge}<span class="error ell" title="{sentence(filled)}">{sentence(filled)}</span></span>'
    over = ' <span class="flag">over the limit</span>' if filled.cut or filled.total > limit else ""
    vision = f' <span class="muted">vision {filled.seen:,}</span>' if filled.seen else ""
    return (
        f'<span class="fill">{badge}<span class="seg" role="img" aria-label="{filled.total:,} of {limit:,} tokens">'
        f'{_pieces(filled, scale)}</span><span class="of"><b>{filled.total:,}</b>{vision}{over}</span></span>'
    )


def _pieces(filled: Fill, scale: float) -> str:
    parts: list[tuple[str, int]] = []
    for kind, number in filled.segments.items():
        vision = min(filled.vision.get(kind, 0), number)
        parts += [(kind, number - vision), (f"{kind} vision", vision)]
    if not filled.segments:
        parts = [("plain", filled.total - filled.seen), ("plain vision", filled.seen)]
    parts.append(("lost", filled.cut))
    return "".join(f'<i class="{k}" style="width:{100 * n / scale:.3f}%"></i>' for k, n in parts if n > 0)
