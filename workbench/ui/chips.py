"""Groups the tokens of an encoding into chips: one for what is drawn once, a split character or a run of placeholders.

Knows nothing of HTML. What a chip shows is text of the prompt, never the decoded bytes of a part of a character.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence, Set
from dataclasses import dataclass

from workbench.types import Cut, Encoding, SegmentKind
from workbench.ui.prompt_view import Kinds, Span, media_spans

UNKNOWN = "�"
CUT_SHOWN = 40  # removed tokens drawn of one cut

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Chip:
    """Tokens [at, at + len(ids)) drawn as one; a chip of removed tokens stands in front of `at` and counts for nothing.

    `text`: characters of the prompt, or a token's own where no character stands behind it. `times`: equal placeholders.
    """

    at: int
    ids: tuple[int, ...]
    text: str
    span: Span
    kind: SegmentKind | None
    special: bool = False
    cut: bool = False
    neutral: bool = False
    times: int = 1


def groups(encoding: Encoding) -> list[Range]:
    """Ranges of tokens that are drawn as one, in order and without gaps."""
    media, found, at = media_spans(encoding), list[Range](), 0
    while at < len(encoding.spans):
        end = _run(encoding, at) if encoding.spans[at] in media else _joined(encoding.spans, media, at)
        found.append((at, end))
        at = end
    return found


def _run(encoding: Encoding, at: int) -> int:
    """The end of equal tokens under one placeholder."""
    first, end = (encoding.token_ids[at], encoding.spans[at]), at + 1
    while end < len(encoding.spans) and (encoding.token_ids[end], encoding.spans[end]) == first:
        end += 1
    return end


def _joined(spans: Sequence[Span], media: Container[Span], at: int) -> int:
    """The end of tokens whose characters overlap: the bytes of one character in several of them."""
    until, end = spans[at][1], at + 1
    while end < len(spans) and spans[at][0] <= spans[end][0] < until and spans[end] not in media:
        until, end = max(until, spans[end][1]), end + 1
    return end


def chips(
    encoding: Encoding, ranges: Sequence[Range], control_ids: Set[int], token: Callable[[int], str]
) -> Iterator[Chip]:
    """A chip for every range, with the removed tokens where they were removed."""
    kind_at, media = Kinds(encoding), media_spans(encoding)
    cuts = _cuts(encoding.cut)
    for at, end in ranges:
        for cut in [c for c in cuts if at <= c.at < end]:
            yield from removed(encoding, cut, token)
        yield _chip(encoding, (at, end), kind_at, encoding.spans[at] in media, control_ids, token)
    if ranges and ranges[-1][1] == len(encoding.token_ids):
        for cut in [c for c in cuts if c.at >= len(encoding.token_ids)]:
            yield from removed(encoding, cut, token)


def _cuts(cut: Cut | None) -> list[Cut]:
    return [] if cut is None else [cut, *_cuts(cut.other)]


def _chip(
    encoding: Encoding, of: Range, kind_at: Kinds, media: bool, control_ids: Set[int], token: Callable[[int], str]
) -> Chip:  # fmt: skip
    at, end = of
    ids = encoding.token_ids[at:end]
    start, stop = encoding.spans[at][0], max(s[1] for s in encoding.spans[at:end])
    own = media or stop <= start  # a placeholder's token, or one that no character stands behind
    return Chip(
        at, ids, name(ids[0], token) if own else encoding.prompt.text[start:stop], (start, stop), kind_at(start),
        special=ids[0] in control_ids or stop <= start,
        neutral=any(a < stop and start < b for a, b in encoding.neutralised),
        times=len(ids) if media else 1,
    )  # fmt: skip


def name(token_id: int, token: Callable[[int], str]) -> str:
    """A token's text, or its id where it is a part of a character."""
    text = token(token_id)
    return text if text and UNKNOWN not in text else f"id {token_id}"


def removed(encoding: Encoding, cut: Cut, token: Callable[[int], str]) -> Iterator[Chip]:
    """The first tokens of a cut and one chip for the others; parts of a character are one chip, found in the cut's text."""
    texts = [token(i) for i in cut.ids[:CUT_SHOWN]]
    left, at = encoding.prompt.text[slice(*cut.span)], 0
    while at < len(texts):
        end = at + 1
        if UNKNOWN in texts[at]:
            while end < len(texts) and UNKNOWN in texts[end]:
                end += 1
        text, left = _next(left, texts, at, end)
        yield Chip(
            cut.at, cut.ids[at:end], text or f"id {cut.ids[at]}", cut.span, Kinds(encoding)(cut.span[0]), cut=True
        )
        at = end
    if more := len(cut.ids) - len(texts):
        yield Chip(cut.at, (), f"…{more:,}", cut.span, None, cut=True)


def _next(left: str, texts: Sequence[str], at: int, end: int) -> tuple[str, str]:
    """(text of the removed tokens [at, end), what is left of the cut's text behind them)."""
    if UNKNOWN not in texts[at]:
        found = left.find(texts[at])
        return texts[at], left[found + len(texts[at]) :] if found >= 0 else left
    behind = left.find(texts[end]) if end < len(texts) else len(left) if len(left) <= end - at else -1
    return (left[:behind], left[behind:]) if behind > 0 else ("", left)
