"""Draws the tokens of both sides of one document: a chip for each, which one is its twin, where the score is read.

Knows nothing of Gradio; what is under the pointer is told by the page itself, from what stands in the chips' attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.types import Encoding
from workbench.ui.alignment import Alignment
from workbench.ui.chips import Chip, Range, chips, groups
from workbench.ui.figures import count, esc, sentence
from workbench.ui.prompt_view import bare, words

WINDOW = 400  # chips drawn at once of one side
LAST = 24  # and so many of its end, which is always there
POINTED = (
    '<p class="pointed" aria-live="polite"><span class="hint">Point at a token, or walk with the arrow keys.</span>'
    '<span class="about" hidden><b data-of="side"></b> <span>token</span> <b data-of="at"></b> <span>id</span> '
    '<b data-of="id"></b> <code translate="no" data-of="text"></code> <span>characters</span> <b data-of="span"></b> '
    '<span class="its-twin"><span>twin</span> <b data-of="twin"></b></span></span></p>'
)

Outcomes = Mapping[str, Encoding | WorkbenchError]


@dataclass(frozen=True, slots=True)
class Reader:
    """What a model says of ids: which are special, how one reads, and whether the score is read at the last of them."""

    control_ids: Set[int]
    token: Callable[[int], str]
    last: bool


def tokens_html(outcomes: Outcomes, alignment: Alignment | None, reader: Reader, first: int = 0) -> str:
    """Both sides beside each other; `first`: the first chip drawn of each, where not all are."""
    ranges = {side: groups(o) for side, o in outcomes.items() if isinstance(o, Encoding)}
    twins = _twins(alignment, ranges) if alignment else {}
    columns = [
        _column(side, outcome, ranges.get(side, []), twins.get(side), reader, first)
        for side, outcome in outcomes.items()
    ]
    return f'{POINTED}<div class="toks drawn" tabindex="0" aria-label="tokens of A and B">{"".join(columns)}</div>'


def _twins(alignment: Alignment, ranges: Mapping[str, Sequence[Range]]) -> dict[str, tuple[dict[int, int], set[int]]]:
    """Per side: (first token of a chip → first token of the other side's chip, tokens that differ)."""
    chip_of = {side: {i: start for start, end in of for i in range(start, end)} for side, of in ranges.items()}
    there = alignment.twins()
    back = {j: i for i, j in there.items()}
    differ: dict[str, set[int]] = {"a": set(), "b": set()}
    for block in alignment.blocks:
        if not block.alike:
            differ["a"] |= set(range(block.a0, block.a1))
            differ["b"] |= set(range(block.b0, block.b1))
    found = {}
    for side, other, to in (("a", "b", there), ("b", "a", back)):
        pairs = {start: chip_of[other][to[start]] for start, _ in ranges[side] if start in to}
        found[side] = (pairs, differ[side])
    return found


def _column(
    side: str, outcome: Encoding | WorkbenchError, ranges: Sequence[Range],
    twins: tuple[dict[int, int], set[int]] | None, reader: Reader, first: int,
) -> str:  # fmt: skip
    if isinstance(outcome, WorkbenchError):
        return f'<section data-side="{side}"><p class="error">{sentence(outcome)}</p></section>'
    pairs, differ = twins or ({}, set())
    drawn = [_part(outcome, part, pairs, differ, reader) for part in _parts(ranges, first)]
    between = _more(ranges, first) if len(drawn) > 1 else ""
    before = (
        _step(max(first - WINDOW, 0), "◂", count(min(first, len(ranges)), "token group") + " before") if first else ""
    )
    many = count(len(outcome.token_ids), "token")
    return (
        f'<section data-side="{side}"><b class="whose in-{side}">{side.upper()}</b> <span class="muted">{many}</span> '
        f'{before}<span class="chips mono" translate="no">{between.join(drawn)}</span></section>'
    )


def _parts(ranges: Sequence[Range], first: int) -> list[Sequence[Range]]:
    """The window, and the end where it lies beyond."""
    start = min(first, max(len(ranges) - 1, 0))
    until = start + WINDOW
    if until + LAST >= len(ranges):
        return [ranges[start:]]
    return [ranges[start:until], ranges[-LAST:]]


def _more(ranges: Sequence[Range], first: int) -> str:
    left = len(ranges) - LAST - (first + WINDOW)
    return _step(first + WINDOW, "▸", f"{left:,} more")


def _step(to: int, arrow: str, said: str) -> str:
    return f' <button type="button" class="more" data-do="page" data-to="{to}">… <span>{said}</span> {arrow}</button> '


def _part(
    encoding: Encoding, ranges: Sequence[Range], pairs: Mapping[int, int], differ: Set[int], reader: Reader
) -> str:
    end = len(encoding.token_ids)
    out = []
    for chip in chips(encoding, ranges, reader.control_ids, reader.token):
        reads = reader.last and not chip.cut and chip.at + len(chip.ids) == end
        apart = not chip.cut and any(chip.at + i in differ for i in range(len(chip.ids)))
        out.append(_chip(chip, pairs.get(chip.at), apart, reads))
    return "".join(out)


def _chip(chip: Chip, twin: int | None, apart: bool, reads: bool) -> str:
    text = bare(chip.text) if chip.special else chip.text
    inner = words(text, True) + (f"<small>×{chip.times}</small>" if chip.times > 1 else "")
    if chip.times == 1 and len(chip.ids) > 1 and not chip.cut:
        inner += f"<small>{len(chip.ids)}</small>"  # so many tokens make this up
    flags = (
        " special" * chip.special + " gone" * chip.cut + " neutral" * chip.neutral + " apart" * apart + " read" * reads
    )
    if chip.cut:
        return f'<i class="t {chip.kind or "plain"}{flags}" data-ours title="cut: the model does not see this">{inner}</i>'
    where = "" if chip.span[1] <= chip.span[0] else f' data-s="{chip.span[0]}–{chip.span[1]}"'
    own = f' data-w="{twin}"' if twin is not None else ""
    read = '<em class="here" translate="yes">score read here</em>' if reads else ""
    ids = " ".join(map(str, chip.ids if chip.times == 1 else chip.ids[:1]))
    many = f' data-m="{len(chip.ids)}"' if len(chip.ids) > 1 else ""
    return (
        f'<i class="t {chip.kind or "plain"}{flags}" data-i="{chip.at}" data-n="{ids}"{many}{where}{own} '
        f'data-r="{esc(repr(chip.text))}">{inner}</i>{read}'
    )
