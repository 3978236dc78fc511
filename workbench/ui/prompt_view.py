"""Draws one encoding: the exact prompt with its tokens, what is cut where it is cut, and the count of every segment.

Knows nothing of Gradio or of how a prompt came about; it shows the object that is scored and nothing else.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import pairwise

from workbench.types import Encoding, MediaInput, SegmentKind, Text, Video
from workbench.ui.figures import count, esc

NAMES: dict[SegmentKind, str] = {
    "system": "system", "instruction": "instruction", "query": "query", "document": "document", "template": "template",
    "suffix": "suffix",
}  # fmt: skip
TAIL = 5  # ids shown of the end: the score is read at the last one
MOST = 20_000  # characters drawn of one piece
Span = tuple[int, int]
TokenText = Callable[[int], str]


def prompt_html(encoding: Encoding, control_ids: Set[int], token: TokenText, glyphs: bool = False) -> str:
    """The prompt: coloured segments, special tokens and media as chips, newlines visible, the tail's ids behind it.

    `glyphs`: every blank is drawn too.
    """
    marks, kind_at = dict(_marks(encoding, control_ids)), Kinds(encoding)
    edges = _edges(encoding, marks)
    text = encoding.prompt.text
    pieces, drawn = [], 0
    for start, end in pairwise(edges):
        if start < drawn:
            continue
        mark = marks.get(start)
        if mark:
            end, inner = mark
        else:
            inner = words(text[start:end], glyphs)
        drawn = end
        pieces.append(_piece(inner, kind_at(start), _faults(encoding, start)))
    return f'<div class="prompt mono drawn" translate="no">{"".join(pieces)}{_tail(encoding, token)}</div>'


def _edges(encoding: Encoding, marks: dict[int, tuple[int, str]]) -> list[int]:
    text = encoding.prompt.text
    edges = {0, len(text), *marks, *(end for end, _ in marks.values())}
    for segment in encoding.prompt.segments or ():
        edges |= {segment.start, segment.end}
    for span in (*encoding.neutralised, *((encoding.cut.span,) if encoding.cut else ())):
        edges |= set(span)
    return sorted(e for e in edges if 0 <= e <= len(text))


def _marks(encoding: Encoding, control_ids: Set[int]) -> Iterator[tuple[int, tuple[int, str]]]:
    """(start, (end, chip)) of everything drawn as a chip: one per special token, one per picture or clip."""
    text = encoding.prompt.text
    media = media_spans(encoding)
    for token_id, (start, end) in zip(encoding.token_ids, encoding.spans, strict=True):
        if end > start and token_id in control_ids and (start, end) not in media:
            yield start, (end, f'<span class="tok" title="id {token_id}">{esc(bare(text[start:end]))}</span>')
    for (start, end), item in media.items():
        yield start, (end, f'<span class="tok tok-media" translate="yes">{esc(_media(item))}</span>')


def media_spans(encoding: Encoding) -> dict[Span, MediaInput]:
    """The placeholder of each media item, in order: spans that several tokens share, or the one token of a whole picture."""
    text, counts = encoding.prompt.text, Counter(s for s in encoding.spans if s[1] > s[0])
    placeholder = re.compile(r"<\|(?:image|video|vision)_?\w*\|>|<image>")
    words = {s: text[s[0] : s[1]] for s, n in counts.items() if n > 1 or text[s[0] : s[1]] == "<image>"}
    spans = sorted(s for s, word in words.items() if placeholder.search(word))
    return dict(zip(spans, encoding.media, strict=False))


def _media(item: MediaInput) -> str:
    size = f"{item.width}×{item.height}"
    if isinstance(item.part, Video):
        return f"clip {count(item.tokens, 'token')} · {count(len(item.frames) or item.grid[0], 'frame')} · {size}"
    return f"picture {count(item.tokens, 'token')} · {size}"


def bare(text: str) -> str:
    return text[2:-2] if text.startswith("<|") and text.endswith("|>") else text


def words(text: str, glyphs: bool = False) -> str:
    """Escaped text with what would be invisible drawn: newlines, tabs, runs of blanks (`glyphs`: all), direction marks."""
    if len(text) > MOST:
        gone = count(len(text) - MOST, "character")
        first, last = words(text[: MOST // 2], glyphs), words(text[-MOST // 2 :], glyphs)
        return f'{first}<i class="ws"> … {gone} not drawn … </i>{last}'
    out = esc(text)
    out = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", _hidden, out)
    out = re.sub(" +" if glyphs else " {2,}|^ | $", lambda m: f'<i class="ws">{"·" * len(m[0])}</i>', out)
    return out.replace("\t", '<i class="ws">⇥</i>').replace("\n", '<i class="ws">↵</i>')


def _hidden(match: re.Match[str]) -> str:
    return f'<i class="ws">U+{ord(match[0]):04X}</i>'


class Kinds:
    """Which segment a character of an encoding's prompt lies in; None where segments are unknown."""

    def __init__(self, encoding: Encoding) -> None:
        self._segments = encoding.prompt.segments or ()
        self._starts = [s.start for s in self._segments]

    def __call__(self, at: int) -> SegmentKind | None:
        found = bisect_right(self._starts, at) - 1
        return self._segments[found].kind if found >= 0 and at < self._segments[found].end else None


def _faults(encoding: Encoding, at: int) -> str:
    cut = encoding.cut is not None and encoding.cut.span[0] <= at < encoding.cut.span[1]
    neutral = any(start <= at < end for start, end in encoding.neutralised)
    return " cut" * cut + " neutral" * neutral


def _piece(inner: str, kind: SegmentKind | None, faults: str) -> str:
    title = ' data-ours title="cut: the model does not see this"' if " cut" in faults else ""
    title = title or (' data-ours title="control token of a text, encoded as plain words"' if " neutral" in faults else "")
    return f'<span class="{kind or "plain"}{faults}"{title}>{inner}</span>'


def _tail(encoding: Encoding, token: TokenText) -> str:
    ids = encoding.token_ids[-TAIL:]
    drawn = " · ".join(f'<span title="{esc(repr(token(i)))}">{i}</span>' for i in ids)
    return f'<span class="tail" translate="no" data-ours title="the last ids"> … {drawn}</span>'


def told_html(said: Sequence[str]) -> str:
    """What can be told of a prompt that is scored elsewhere."""
    return f'<p class="recipe" data-told="{len(said)}">{esc(" ".join(said))}</p>' if said else ""


# ---------------------------------------------------------------- counts
def segment_counts(encoding: Encoding) -> dict[SegmentKind, int]:
    """Tokens by the segment their first character lies in; empty when segments are unknown."""
    if encoding.prompt.segments is None:
        return {}
    counts: Counter[SegmentKind] = Counter()
    last: SegmentKind = "system"
    kind_at = Kinds(encoding)
    for start, _ in encoding.spans:
        last = kind_at(start) or last
        counts[last] += 1
    return {kind: counts[kind] for kind in NAMES if counts[kind]}


def budget_html(encoding: Encoding, limit: int, control_ids: Set[int] = frozenset()) -> str:
    """A stacked bar of the window with the count of each segment in words."""
    total, counts = len(encoding.token_ids), segment_counts(encoding)
    vision = sum(m.tokens for m in encoding.media)
    bar = "".join(f'<i class="{k}" style="width:{100 * n / max(limit, 1):.3f}%"></i>' for k, n in counts.items())
    keys = " ".join(f'<span class="key"><i class="{k}"></i>{NAMES[k]} <b>{n:,}</b></span>' for k, n in counts.items())
    if not counts:
        keys = '<span class="muted">segments unknown: the template changes what it inserts</span>'
    vision_words = f'<span class="key">vision <b>{vision:,}</b></span>' if vision else ""
    return (
        f'<div class="budget"><span class="keys">{keys}{vision_words}{badges_html(encoding, control_ids)}</span>'
        f'<span class="seg" role="img" aria-label="{total:,} of {limit:,} tokens">{bar}</span>'
        f'<span class="of"><b>{total:,}</b> of {limit:,}</span></div>'
    )


def badges_html(encoding: Encoding, control_ids: Set[int] = frozenset()) -> str:
    """What happened to the prompt that its reader must know: cuts, neutralised control tokens, unused variables."""
    found = []
    if encoding.cut:
        lost = ", the suffix too" if encoding.cut.suffix_lost else ""
        found.append(f"{count(len(encoding.cut.ids), 'token')} cut{lost}")
    found += [f"{side} text cut" for side in encoding.pair.text_cuts]
    if encoding.neutralised:
        found.append(f"{count(len(encoding.neutralised), 'control token')} neutralised")
    if forged := _forged(encoding, control_ids):
        found.append(f"as in vLLM, {', '.join(forged)} of a text acts as a control token")
    if encoding.prompt.unused:
        found.append(f"{', '.join(encoding.prompt.unused)} unused by the template")
    return "".join(f'<span class="flag">{esc(text)}</span>' for text in found)


def _forged(encoding: Encoding, control_ids: Set[int]) -> list[str]:
    """Control tokens that a text brought along and that nothing neutralised: vLLM encodes them as what they spell."""
    if encoding.pair.parity != "vllm":
        return []
    sides = (*encoding.pair.query.content, *encoding.pair.document.content)
    own = [part.text for part in sides if isinstance(part, Text)] + [
        str(encoding.pair.variables.get("instruction") or "")
    ]
    drawn = zip(encoding.token_ids, encoding.spans, strict=True)
    spelled = {encoding.prompt.text[start:end] for i, (start, end) in drawn if i in control_ids and end > start}
    return sorted(token for token in spelled if any(token in text for text in own))
