"""What a score stands on: the same pair again with one sentence, picture tile or frame left out, and how the logit moves.

Approximate by nature: what is left out may be doubled elsewhere, and grey is something to look at too. Knows nothing of
screens; scores come through the same door as any other, media are edited where they are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from workbench.errors import PromptInvalid, ScoreFailed
from workbench.media import Library
from workbench.pool import Bench
from workbench.scorers import Stop, never
from workbench.types import ContentPart, Document, Image, Media, MediaInput, Query, Text, Variant, Video

GRID = 4  # tiles along an edge of a picture
MOST = 48  # pieces of one text
MOST_PIXELS = 2_000_000  # of a picture that is copied as it is
SENTENCE = re.compile(r".+?(?:[.!?]+(?=\s|$)|[。！？]+|\n|$)\s*", re.S)


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that can be left out of part number `part`.

    `at`: characters [start, end) of a text; the number of a tile, row by row, and behind it; frames' first and last place
    in what the model is given of a clip, and behind it. `frames`: their numbers in the clip.
    """

    kind: Literal["text", "tile", "frames"]
    part: int
    at: tuple[int, int]
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """`change`: the logit of the whole less the logit without the piece, so above 0 the piece speaks for the document."""

    piece: Piece
    change: float


def pieces(document: Document, media: Sequence[MediaInput] = ()) -> list[Piece]:
    """All that can be left out of a document; `media`: what the model gets of it (`Encoding.media`)."""
    found: list[Piece] = []
    given = {item.part.digest: item for item in media if isinstance(item.part, Video)}
    alone = len(document.content) == 1
    for at, part in enumerate(document.content):
        match part:
            case Text():
                spans = _spans(part.text)
                found += [Piece("text", at, span) for span in spans if len(spans) > 1 or not alone]
            case Image():
                found += [Piece("tile", at, (tile, tile + 1)) for tile in range(GRID * GRID)]
            case Video() if part.digest in given:
                found += _groups(at, given[part.digest])
    return found


def _spans(text: str) -> list[tuple[int, int]]:
    """Sentences; the words of a text that has but one; where there are many, neighbours together."""
    spans = [m.span() for m in SENTENCE.finditer(text) if m[0].strip()]
    if len(spans) < 2:
        spans = [m.span() for m in re.finditer(r"\S+\s*", text)]
    step = -(-len(spans) // MOST)
    return [(some[0][0], some[-1][1]) for some in (spans[i : i + step] for i in range(0, len(spans), step or 1))]


def _groups(at: int, item: MediaInput) -> list[Piece]:
    """The frames that enter the model together."""
    groups = item.grid[0]
    size = max(1, len(item.frames) // groups) if groups else 1
    places = [range(i, min(i + size, len(item.frames))) for i in range(0, len(item.frames), size)]
    return [Piece("frames", at, (p.start, p.stop), tuple(item.frames[i] for i in p)) for p in places]


def forwards(found: Sequence[Piece]) -> int:
    """How many pairs are scored: one for each piece, and the whole."""
    return len(found) + 1 if found else 0


def effects(
    bench: Bench, variant: Variant, query: Query, document: Document, found: Sequence[Piece], stop: Stop = never
) -> Iterator[Effect]:
    """The pieces' effects as their scores come. Raises PromptInvalid, MediaInvalid, ScoreFailed or ModelUnavailable."""
    if not found:
        raise PromptInvalid("nothing can be left out of it", hint="It is one word.")
    with ExitStack() as stack:
        add = stack.enter_context(bench.library.borrowed())
        copies = _Copies(bench.library, add)
        whole = replace(document, content=tuple(copies.whole(part) for part in document.content))
        base = next((logit for _, logit in _stream(bench, variant, query, [whole], stop)), None)
        for some in _batches(found):
            if base is None or stop():
                return
            rows = [replace(document, content=_without(whole.content, piece, copies)) for piece in some]
            for i, logit in _stream(bench, variant, query, rows, stop):
                yield Effect(some[i], base - logit)


def _batches(found: Sequence[Piece], size: int = 16) -> Iterator[Sequence[Piece]]:
    return (found[i : i + size] for i in range(0, len(found), size))


def _stream(bench: Bench, variant: Variant, query: Query, rows: Sequence[Document], stop: Stop) -> Iterator[tuple[int, float]]:
    for result in bench.rank(variant, query, rows, stop):
        if result.score is None:
            raise result.error or ScoreFailed("gave no score")
        yield result.index, result.score.logit


def _without(content: Sequence[ContentPart], piece: Piece, copies: _Copies) -> tuple[ContentPart, ...]:
    part = content[piece.part]
    match part:
        case Text(text):
            left = text[: piece.at[0]] + text[piece.at[1] :]
            fresh: list[ContentPart] = [Text(left.strip())] if left.strip() else []
        case Image():
            fresh = [copies.covered(part, piece.at[0])]
        case Video():
            fresh = [copies.greyed(part, piece.frames)]
    return (*content[: piece.part], *fresh, *content[piece.part + 1 :])


class _Copies:
    """Pictures and clips with something grey, as long as they are borrowed."""

    def __init__(self, library: Library, add: Callable[[bytes, str], Media]) -> None:
        self._library, self._add = library, add

    def whole(self, part: ContentPart) -> ContentPart:
        """What the copies are compared with: the part itself, or a copy made as they are where that is shrunk or encoded anew."""
        match part:
            case Image():
                facts = self._library.probe(part)
                if facts.width * facts.height > MOST_PIXELS:
                    return self._kept(self._library.covered(part, 1, 1, None), part)
        return part

    def covered(self, part: Image, tile: int) -> Media:
        return self._kept(self._library.covered(part, GRID, GRID, tile), part)

    def greyed(self, part: Video, frames: Sequence[int]) -> Media:
        """PromptInvalid where the copy would be sampled at other frames than the clip."""
        before, copy = self._library.probe(part), self._kept(self._library.greyed(part, frames), part)
        after = self._library.probe(copy)
        close = abs(after.fps - before.fps) < 0.01 * before.fps and abs(after.seconds - before.seconds) < 1.5 / before.fps
        if after.frames != before.frames or not close:
            raise PromptInvalid("its frames cannot be taken out one by one", where=part.source, hint="Its rate varies.")
        return copy

    def _kept(self, data: bytes, part: Media) -> Media:
        return self._add(data, part.source)
