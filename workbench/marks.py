"""Which characters of a rendered prompt come from where: renders with marked values, compared byte for byte.

Knows nothing of Jinja: it is given a function that renders, and says None wherever the answer would be a guess.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

Span = tuple[str, int, int]  # kind, start, end
Render = Callable[[Mapping[str, str]], str]  # values by kind, where they differ from the plain render's → text

KINDS = ("instruction", "query", "document")
PRIVATE, LAST = 0xE000, 0xF8FF  # private-use characters: no filter changes them, and no language uses them
MAX_SPANS = 2000
PROBE = "instruction"


class Marks:
    """Brackets that no text can hold by accident: a nonce fresh per render, then one character that says which."""

    def __init__(self) -> None:
        pick = random.SystemRandom()
        nonce = "".join(chr(pick.randint(PRIVATE, LAST)) for _ in range(8))
        self.brackets = {
            k: (nonce + chr(PRIVATE + 2 * i), nonce + chr(PRIVATE + 2 * i + 1)) for i, k in enumerate(KINDS)
        }
        self.nonce = nonce
        self.pattern = re.compile(f"({nonce}[{chr(PRIVATE)}-{chr(PRIVATE + 2 * len(KINDS) - 1)}])")

    def around(self, kind: str, value: str) -> str:
        opening, closing = self.brackets[kind]
        return opening + value + closing

    def read(self, marked: str, values: Mapping[str, str]) -> tuple[str, list[Span]] | None:
        """The text without marks and where each value stands; None unless every mark encloses its value unchanged."""
        pieces = self.pattern.split(marked)
        text, spans = pieces[0], []
        for opening, inside, closing, after in zip(
            pieces[1::4], pieces[2::4], pieces[3::4], pieces[4::4], strict=False
        ):
            kind = next(k for k, pair in self.brackets.items() if opening in pair)
            if (opening, closing) != self.brackets[kind] or inside != values.get(kind):
                return None
            spans.append((kind, len(text), len(text) + len(inside)))
            text += inside + after
        return (text, spans) if len(pieces) % 4 == 1 else None


def find_segments(plain: str, given: Mapping[str, str], render: Render, default: bool) -> list[Span] | None:
    """Spans that cover `plain` without gaps.

    `given`: the query, the document and the instruction as inserted; blank ones are not marked, since a mark would make a
    blank value count as given. `default`: the template reads an instruction, so that one it supplies itself is to be found.
    """
    marks = Marks()
    values = {kind: value for kind, value in given.items() if value.strip()}
    wrapped = {kind: marks.around(kind, value) for kind, value in values.items()}
    marked = render(wrapped)
    if default and "instruction" not in values:
        probed = render(wrapped | {"instruction": marks.around("instruction", PROBE)})
        marked, values["instruction"] = _with_default(marks, marked, probed)
    found = marks.read(marked, values)
    if found is None or found[0] != plain or len(found[1]) > MAX_SPANS:
        return None
    return _without_gaps(plain, found[1])


def _with_default(marks: Marks, marked: str, probed: str) -> tuple[str, str]:
    """The marked text with marks around the template's own instruction: what stands where a given one would.

    Both texts must be alike around it; where it occurs n times, its length is a matter of division.
    """
    around = probed.split(marks.around("instruction", PROBE))
    times, rest = len(around) - 1, len(marked) - sum(map(len, around))
    if times < 1 or rest <= 0 or rest % times:
        return marked, ""
    start = len(around[0])
    default = marked[start : start + rest // times]
    if marks.nonce in default or default.join(around) != marked:
        return marked, ""
    return marks.around("instruction", default).join(around), default


def _without_gaps(text: str, values: list[Span]) -> list[Span]:
    spans: list[Span] = []
    at = 0
    for value in values:
        spans += [("template" if spans else "system", at, value[1]), value]
        at = value[2]
    spans.append(("suffix" if spans else "system", at, len(text)))
    return [span for span in spans if span[1] < span[2]]
