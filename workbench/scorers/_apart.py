"""Query and document as two sequences, one below the other: each is cut by itself and keeps its special tokens.

Knows nothing of templates, weights or scores; a side may be a text, or a sheet that somebody else has filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.errors import PromptInvalid
from workbench.scorers._sides import NAMES, Sheet, over, sliced, texts_of
from workbench.scorers._tokens import Tokens
from workbench.types import Cut, Encoding, Limits, MediaInput, Pair, RenderedPrompt, Segment

Side = tuple[Sheet, Cut | None]


@dataclass(frozen=True, slots=True)
class SideRecipe:
    """What is put around one text: `lead` in front of it, the token `marker` behind the tokenizer's first, and, up to
    `pad_to` tokens in all, `pad` at its end. `window`: its longest input in tokens."""

    window: int
    lead: str = ""
    marker: int | None = None
    pad: int | None = None
    pad_to: int = 0


def encode_apart(tokens: Tokens, pair: Pair, recipes: tuple[SideRecipe, SideRecipe], *, reads_types: bool) -> Encoding:
    """Two texts, each by its recipe.

    vllm: what is longer than the window is an error, unless truncate_prompt_tokens cuts it.
    """
    sides = [side_sheet(tokens, pair, which, recipes[which], reads_types) for which in (0, 1)]
    return below(pair, sides[0], sides[1])


def below(pair: Pair, first: Side, second: Side, media: Sequence[MediaInput] = ()) -> Encoding:
    """The document's sheet set below the query's. `media`: the query's first."""
    (query, cut_query), (document, cut_document) = first, second
    count = len(query.ids)
    down = query.append(document)
    cut = cut_query
    if cut_document is not None:
        a, b = cut_document.span
        cut = replace(cut_document, at=cut_document.at + count, span=(a + down, b + down), other=cut_query)
    return replace(query.encoding(pair, cut, count), media=tuple(media))


def framed_side(pair: Pair, which: int, lead: str, text: str, tail: str) -> Pair:
    """One side as the pair of one prompt: `lead`, the side's text with its placeholders, `tail`."""
    at, end = len(lead), len(lead) + len(text)
    segments = (Segment("system", 0, at), Segment(NAMES[which], at, end), Segment("suffix", end, end + len(tail)))
    given = pair.prompts[which]
    shown = tuple(s for s in segments if s.end > s.start)
    return replace(pair, prompts=(RenderedPrompt(lead + text + tail, given.media, shown, given.unused),))


def side_of(encoding: Encoding, which: int) -> Side:
    """A side that a decoder's encoder has made of `framed_side`, as a sheet."""
    prompt = encoding.prompt
    kinds = [replace(s, kind="template") if s.kind == "suffix" else s for s in prompt.segments or ()]
    sheet = Sheet(
        prompt.text, list(encoding.token_ids), list(encoding.spans), [], [which] * len(encoding.token_ids), kinds,
        list(encoding.neutralised),
    )  # fmt: skip
    return sheet, encoding.cut


def side_sheet(tokens: Tokens, pair: Pair, which: int, recipe: SideRecipe, typed: bool) -> Side:
    """One side with its special tokens, cut to what the recipe and the limits leave it."""
    reference, limits, frame, sheet = pair.parity == "reference", pair.limits, tokens.frame, Sheet()
    types = frame.types if typed and frame.types else ((), (), (), (), ())
    kind = types[1][0] if types[1] else None
    sheet.special(tokens, frame.before[:1], types[0][:1])
    sheet.special(tokens, () if recipe.marker is None else (recipe.marker,), () if kind is None else (kind,))
    sheet.special(tokens, frame.before[1:], types[0][1:])
    sheet.side(tokens, texts_of(pair)[which], which, kind, lead=recipe.lead, trust=not reference)
    sheet.special(tokens, frame.after, types[4])
    cut = _cut_alone(sheet, which, recipe.window, limits, reference, tokens.cuts_left)
    if recipe.pad is not None and len(sheet.ids) < recipe.pad_to:
        more = recipe.pad_to - len(sheet.ids)
        sheet.special(tokens, (recipe.pad,) * more, () if kind is None else (kind,) * more)
    return sheet, cut


def _cut_alone(sheet: Sheet, which: int, window: int, limits: Limits, reference: bool, left: bool) -> Cut | None:
    limit = window if limits.max_length is None else min(window, limits.max_length)
    asked = window if limits.truncate_prompt_tokens == -1 else limits.truncate_prompt_tokens
    if limits.truncation_side is not None and asked is not None and not reference:
        cut = sliced(sheet, asked, limits.truncation_side)
    else:
        most = min((v for v in (asked, limit if reference else None) if v is not None), default=len(sheet.ids))
        room = most - (len(sheet.ids) - sheet.sides.count(which))
        if room < 0:
            raise PromptInvalid(f"has more special tokens than the {most} that fit", where=NAMES[which])
        cut = sheet.cut((room, None) if which == 0 else (None, room), left)
    if len(sheet.ids) > limit:
        raise over(len(sheet.ids), limit, NAMES[which])
    return cut
