"""Places in a text and in the same text with some of its pieces written out longer, and the way between them.

Knows nothing of tokens, media or templates.
"""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[int, int]
Piece = tuple[int, int, int]  # start in the result; start and end in the original, the end -1 where it is copied as it is


def without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """The spans with the holes taken out of them."""
    out = []
    for a, b in spans:
        for x, y in holes:
            if a <= x and y <= b:
                out.append((a, x))
                a = y
        out.append((a, b))
    return [(a, b) for a, b in out if b > a]


def moved(span: Span, pieces: Sequence[Piece]) -> Span:
    """A span of the original text in the expanded one; it holds no placeholder, so it lies within one plain piece."""
    start, at, _ = [p for p in pieces if p[2] < 0 and p[1] <= span[0]][-1]
    return span[0] - at + start, span[1] - at + start


def original(span: Span, pieces: Sequence[Piece]) -> Span:
    """A span of the expanded text in the original one; inside something written out it is the whole placeholder."""
    def back(x: int, end: bool) -> int:
        start, a, b = [p for p in pieces if p[0] < x or (p[0] == x and not end)][-1] if x else pieces[0]
        return x - start + a if b < 0 else (b if end else a)

    a, b = back(span[0], False), back(span[1], True) if span[1] > span[0] else back(span[0], False)
    return a, max(a, b)
