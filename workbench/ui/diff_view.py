"""Draws where A and B differ, at three levels: the templates' source, the rendered prompts, the token ids.

Knows nothing of Gradio or of why they differ; what is alike is folded, what differs is drawn with its blanks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.types import Encoding
from workbench.ui.alignment import Alignment, Block, align
from workbench.ui.chips import Chip, Range, chips, groups
from workbench.ui.figures import count, sentence
from workbench.ui.prompt_view import bare, words

LONG = 2_000  # characters drawn of one stretch that differs
NEAR = 28  # characters drawn on either side of a difference inside a line
LINES = 60  # differing lines drawn of one level
STRETCH = 40  # tokens drawn of one differing stretch
STRETCHES = 40
WORD = re.compile(r"\w+|\s|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Source:
    """What is written on one side."""

    template: str
    instruction: str


def diff_html(
    sources: Mapping[str, Source], outcomes: Mapping[str, Encoding | WorkbenchError], alignment: Alignment | None,
    control_ids: Set[int], token: Callable[[int], str],
) -> str:  # fmt: skip
    """The three levels under each other. A side that does not render is said in place of what cannot be compared."""
    parts = [_source(sources["a"], sources["b"])]
    failed = [(side, o) for side, o in outcomes.items() if isinstance(o, WorkbenchError)]
    if failed or alignment is None:
        said = "".join(f'<p class="error"><b>{side.upper()}</b> {sentence(o)}</p>' for side, o in failed)
        parts.append(_level("Rendered", "", said))
    else:
        a, b = outcomes["a"], outcomes["b"]
        assert isinstance(a, Encoding) and isinstance(b, Encoding)
        parts.append(_rendered(a, b))
        parts.append(_tokens(a, b, alignment, control_ids, token))
    return f'<div class="diff drawn">{"".join(parts)}</div>'


def _level(title: str, said: str, body: str, differ: int | None = None) -> str:
    mark = "" if differ is None else f' data-differ="{differ}"'
    return f'<section class="level"{mark}><p class="lead"><b>{title}</b> <span class="muted">{said}</span></p>{body}</section>'


# ---------------------------------------------------------------- text
def _source(a: Source, b: Source) -> str:
    lines, differ = _lines(a.template, b.template)
    told = ""
    if a.instruction != b.instruction:
        told = _line(*marked(a.instruction, b.instruction), "instruction")
    said = f"{count(differ, 'line')} of the template differ" if differ > 1 else "1 line of the template differs"
    if not differ:
        said = (
            "The templates are the same, only the instruction differs."
            if told
            else "Templates and instructions are the same."
        )
    return _level("Source", said, told + lines, differ + bool(told))


def _rendered(a: Encoding, b: Encoding) -> str:
    lines, differ = _lines(a.prompt.text, b.prompt.text)
    said = f"{count(differ, 'line')} of the prompt differ" if differ > 1 else "1 line of the prompt differs"
    return _level("Rendered", said if differ else "Every character is the same.", lines, differ)


def _lines(a: str, b: str) -> tuple[str, int]:
    """(lines that differ, A over B; how many). Lines keep their ends, so that a lost newline shows."""
    rows = a.splitlines(keepends=True), b.splitlines(keepends=True)
    found = align(*rows)
    out, left = [], LINES
    for block in found.blocks:
        if not block.alike and left > 0:
            out += [_pair(pair) for pair in _paired(block, *rows)][:left]
            left -= block.size
    more = f'<p class="muted">… {-left:,} more</p>' if left < 0 else ""
    return "".join(out) + more, found.differing


def _paired(block: Block, a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[int, str | None, int, str | None]]:
    """(line number, line) of A and of B, one beside the other; None where one side has no more."""
    for i in range(block.size):
        at, bt = block.a0 + i, block.b0 + i
        yield at + 1, a[at] if at < block.a1 else None, bt + 1, b[bt] if bt < block.b1 else None


def _pair(pair: tuple[int, str | None, int, str | None]) -> str:
    at, a, bt, b = pair
    if a is None or b is None:
        whole_a, whole_b = (None if line is None else _mark(line) for line in (a, b))
        return _line(whole_a, whole_b, str(at if b is None else bt))
    return _line(*marked(a, b), str(at) if at == bt else f"{at} · {bt}")


def _line(a: str | None, b: str | None, where: str) -> str:
    """One line of both sides, ready to draw; a side that lacks it is left out."""
    rows = [
        f'<span class="of-{side}"><b class="in-{side}">{side.upper()}</b> <span class="mono" translate="no">{line}</span></span>'
        for side, line in (("a", a), ("b", b)) if line is not None
    ]  # fmt: skip
    return f'<div class="line"><span class="no">{where}</span><span class="both">{"".join(rows)}</span></div>'


def marked(a: str, b: str) -> tuple[str, str]:
    """Both lines with what differs marked, blanks and ends of lines drawn there, and long stretches that are alike folded."""
    pieces = WORD.findall(a), WORD.findall(b)
    blocks = align(*pieces).blocks
    return _marked(pieces[0], [(k.a0, k.a1, k.alike) for k in blocks]), _marked(
        pieces[1], [(k.b0, k.b1, k.alike) for k in blocks]
    )


def _marked(pieces: Sequence[str], spans: Sequence[tuple[int, int, bool]]) -> str:
    out = []
    for at, (start, end, alike) in enumerate(spans):
        text = "".join(pieces[start:end])
        if not alike:
            out.append(_mark(text))
        else:
            out.append(_folded(text, at == 0, at == len(spans) - 1))
    return "".join(out)


def _mark(text: str) -> str:
    """A stretch that differs, its blanks drawn; empty where the other side has more."""
    more = f'<i class="fold"> … {len(text) - LONG:,} more</i>' if len(text) > LONG else ""
    return f"<mark>{words(text[:LONG], True)}</mark>{more}"


def _folded(text: str, first: bool, last: bool) -> str:
    """A stretch that is alike: its neighbourhood of what differs."""
    before, behind = 0 if first else NEAR, 0 if last else NEAR
    if len(text) <= before + behind + NEAR:
        return words(text)
    return words(text[:before]) + '<i class="fold"> … </i>' + words(text[len(text) - behind :])


# ---------------------------------------------------------------- tokens
def _tokens(a: Encoding, b: Encoding, alignment: Alignment, control_ids: Set[int], token: Callable[[int], str]) -> str:
    stretches = [block for block in alignment.blocks if not block.alike]
    if not stretches:
        return _level("Tokens", f"0 differ: A and B are the same {count(len(a.token_ids), 'token')}.", "", 0)
    drawn = stretches[:STRETCHES]
    rows_a = _rows("a", a, [(k.a0, k.a1) for k in drawn], control_ids, token)
    rows_b = _rows("b", b, [(k.b0, k.b1) for k in drawn], control_ids, token)
    body, before = [], 0
    for block, row_a, row_b in zip(drawn, rows_a, rows_b, strict=True):
        gap = f'<span class="gap">{block.a0 - before:,} alike</span>' if block.a0 > before else ""
        body.append(f'{gap}<span class="apart-ids">{row_a}{row_b}</span>')
        before = block.a1
    if len(stretches) > STRETCHES:
        body.append(f'<span class="gap">{len(stretches) - STRETCHES:,} more places</span>')
    elif left := len(a.token_ids) - before:
        body.append(f'<span class="gap">{left:,} alike</span>')
    ids = f'<div class="ids mono">{"".join(body)}</div>'
    return _level("Tokens", _amount(a, b, alignment), ids, alignment.differing)


def _amount(a: Encoding, b: Encoding, alignment: Alignment) -> str:
    most = max(len(a.token_ids), len(b.token_ids))
    if not alignment.exact:
        return "So much differs that nothing between the common beginning and the common end was aligned."
    return f"{alignment.differing:,} of {most:,} differ"


def _rows(
    side: str, encoding: Encoding, stretches: Sequence[Range], control_ids: Set[int], token: Callable[[int], str]
) -> list[str]:
    """One side of every stretch: a chip per token, none drawn twice, the parts of one character drawn as that character."""
    every = groups(encoding)
    ends = [end for _, end in every]
    inside = []
    for start, end in stretches:
        near = every[bisect_right(ends, start) : bisect_left(ends, end) + 1] if end > start else []
        inside.append([(max(x, start), min(y, end)) for x, y in near])
    wanted = [of for ranges in inside for of in ranges[:STRETCH]]
    found = (c for c in chips(encoding, wanted, control_ids, token) if not c.cut)
    return [_row(side, [next(found) for _ in ranges[:STRETCH]], len(ranges) - STRETCH) for ranges in inside]


def _row(side: str, drawn: Sequence[Chip], more: int) -> str:
    inner = "".join(map(_id, drawn)) or '<span class="none">none</span>'
    inner += f'<span class="gap">{more:,} more</span>' if more > 0 else ""
    return f'<span class="of-{side}"><b class="in-{side}">{side.upper()}</b>{inner}</span>'


def _id(chip: Chip) -> str:
    """What a token spells, with its id."""
    shown = words(bare(chip.text) if chip.special else chip.text, True)
    ids = f"{chip.ids[0]} ×{chip.times}" if chip.times > 1 else " ".join(map(str, chip.ids))
    return (
        f'<span class="id{" special" * chip.special}" title="token {chip.at}" data-ours translate="no">'
        f"{shown}<small>{ids}</small></span>"
    )
