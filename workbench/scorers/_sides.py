"""Query and document as the tokenizer's pair: the sheet that ids and the text above them are written on, and where it is cut.

Knows nothing of templates, weights or scores; it lays out what the tokenizer makes and the text that stands over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workbench.errors import PromptInvalid
from workbench.scorers._tokens import Span, Tokens
from workbench.types import Cut, Encoding, Pair, RenderedPrompt, Segment, SegmentKind

NAMES: tuple[SegmentKind, SegmentKind] = ("query", "document")


@dataclass(slots=True)
class Sheet:
    """Tokens and the text they stand over, written side by side. `sides[i]`: 0 query, 1 document, None neither."""

    text: str = ""
    ids: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    sides: list[int | None] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    neutralised: list[Span] = field(default_factory=list)

    def words(self, text: str, kind: SegmentKind) -> int:
        """Writes text that has no tokens yet; the place where it starts."""
        at, self.text = len(self.text), self.text + text
        if self.segments and self.segments[-1].kind == kind:
            self.segments[-1] = replace(self.segments[-1], end=len(self.text))
        elif text:
            self.segments.append(Segment(kind, at, len(self.text)))
        return at

    @property
    def _own(self) -> SegmentKind:
        """What words are that come from neither side: the system's until a side begins."""
        return "template" if any(s.kind in NAMES for s in self.segments) else "system"

    def special(self, tokens: Tokens, ids: Sequence[int], types: Sequence[int] = ()) -> None:
        """Ids that the tokenizer adds by itself, each under its own name."""
        for i, token in enumerate(ids):
            name = tokens.text(token)
            at = self.words(name, self._own)
            self._put(token, (at, at + len(name)), types[i] if types else None, None)

    def side(self, tokens: Tokens, text: str, which: int, kind: int | None, *, lead: str = "", trust: bool) -> None:
        """A text with what is set in front of it; `trust`: control tokens it spells count as such."""
        untrusted = [] if trust else [(len(lead), len(lead) + len(text))]
        ids, spans, forged = tokens.content(lead + text, untrusted)
        at = self.words(lead, self._own) if lead else len(self.text)
        self.words(text, NAMES[which])
        for token, (a, b) in zip(ids, spans, strict=True):
            self._put(token, (a + at, b + at), kind, which)
        self.neutralised += [(a + at, b + at) for a, b in forged]

    def picture(self, placeholder: str, which: int) -> None:
        """A side that is one picture: a single token, of id 0."""
        at = self.words(placeholder, NAMES[which])
        self._put(0, (at, at + len(placeholder)), None, which)

    def _put(self, token: int, span: Span, kind: int | None, side: int | None) -> None:
        self.ids.append(token)
        self.spans.append(span)
        self.sides.append(side)
        if kind is not None:
            self.types.append(kind)

    def cut(self, keep: tuple[int | None, int | None], left: bool = False) -> Cut | None:
        """Keeps so many tokens of each side, its first ones (`left`: its last); None keeps all. Returns what went."""
        found = [c for which in (1, 0) if (c := self._cut_side(which, keep[which], left)) is not None]
        if not found:
            return None
        shift = len(found[1].ids) if len(found) > 1 else 0  # the query's cut moves the document's forward
        first = replace(found[0], at=found[0].at - shift)
        return replace(first, other=found[1] if shift else None)

    def _cut_side(self, which: int, keep: int | None, left: bool) -> Cut | None:
        own = [i for i, side in enumerate(self.sides) if side == which]
        if keep is None or len(own) <= keep:
            return None
        gone = own[: len(own) - keep] if left else own[keep:]
        return self.drop(gone)

    def drop(self, gone: Sequence[int]) -> Cut:
        """Takes tokens that stand next to each other out."""
        first, last = gone[0], gone[-1]
        cut = Cut(first, tuple(self.ids[first : last + 1]), (self.spans[first][0], self.spans[last][1]))
        for row in (self.ids, self.spans, self.sides, self.types):
            del row[first : last + 1]
        return cut

    def append(self, other: Sheet) -> int:
        """Sets another sheet below this one, on a line of its own; the place where its text starts."""
        self.words("\n", "template")
        at = len(self.text)
        self.text += other.text
        self.ids += other.ids
        self.types += other.types
        self.sides += other.sides
        self.spans += [(a + at, b + at) for a, b in other.spans]
        self.neutralised += [(a + at, b + at) for a, b in other.neutralised]
        moved = [replace(s, start=s.start + at, end=s.end + at) for s in other.segments]
        if moved and moved[0].kind == "system":  # only the first words of a prompt are its system's
            moved[0] = replace(moved[0], kind="template", start=self.segments.pop().start)
        self.segments += moved
        return at

    def encoding(self, pair: Pair, cut: Cut | None = None, query_tokens: int = 0) -> Encoding:
        """The sheet as it stands. The words behind the last value are the suffix."""
        segments = self.segments
        if segments and segments[-1].kind == "template":
            segments = [*segments[:-1], replace(segments[-1], kind="suffix")]
        unused = tuple(sorted({u for p in pair.prompts for u in p.unused}))
        shown = RenderedPrompt(self.text, (), tuple(segments), unused, pair.prompts[0].reason)
        return Encoding(
            pair, tuple(self.ids), tuple(self.spans), (), cut, tuple(self.neutralised), shown, tuple(self.types), query_tokens
        )


def texts_of(pair: Pair) -> tuple[str, str]:
    """The two raw texts of a pair whose layout is pair or separate."""
    if len(pair.prompts) != 2:
        raise PromptInvalid(
            "is one text, where this model takes query and document apart", where="prompt",
            hint="Leave the template out: this model has none.",
        )  # fmt: skip
    return pair.prompts[0].text, pair.prompts[1].text


def encode_pair(tokens: Tokens, pair: Pair, *, window: int, reads_types: bool) -> Encoding:
    """Query and document as the tokenizer's pair, which is what BERT-like rerankers were trained on.

    reference (and vLLM's truncate_prompt_tokens): the longer side gives first, special tokens stay. vllm: max_tokens_per_doc
    cuts the document only (at query + N + specials), truncation_side cuts the final ids, and what is longer than the window
    is an error.
    """
    reference, limits = pair.parity == "reference", pair.limits
    sheet = _pair_sheet(tokens, texts_of(pair), trust=not reference, typed=reads_types)
    only_document = sheet.cut((None, limits.max_tokens_per_doc)) if not reference else None
    limit = window if limits.max_length is None else min(window, limits.max_length)
    asked = window if limits.truncate_prompt_tokens == -1 else limits.truncate_prompt_tokens
    if limits.truncation_side is not None and asked is not None and not reference:
        return _refused_over(sheet.encoding(pair, sliced(sheet, asked, limits.truncation_side)), limit)
    most = min((v for v in (asked, limit if reference else None) if v is not None), default=None)
    cut = sheet.cut(longest_first(*_lengths(sheet), most), tokens.cuts_left) if most is not None else None
    return _refused_over(sheet.encoding(pair, cut or only_document), limit)


def _pair_sheet(tokens: Tokens, texts: tuple[str, str], *, trust: bool, typed: bool) -> Sheet:
    frame, sheet = tokens.pair_frame, Sheet()
    types = frame.types if typed and frame.types else ((), (), (), (), ())
    sheet.special(tokens, frame.before, types[0])
    sheet.side(tokens, texts[0], 0, types[1][0] if types[1] else None, trust=trust)
    sheet.special(tokens, frame.middle, types[2])
    sheet.side(tokens, texts[1], 1, types[3][0] if types[3] else None, trust=trust)
    sheet.special(tokens, frame.after, types[4])
    return sheet


def _lengths(sheet: Sheet) -> tuple[int, int, int]:
    """Tokens of the query, of the document, and those that belong to neither."""
    query, document = (sheet.sides.count(which) for which in (0, 1))
    return query, document, len(sheet.ids) - query - document


def longest_first(query: int, document: int, specials: int, limit: int) -> tuple[int, int]:
    """How many tokens of each side stay, by the tokenizers library's rule of the same name."""
    room = limit - specials
    if room < 0:
        raise PromptInvalid(
            f"has {specials} special tokens, and {limit} fit", where="prompt", hint="Set a larger limit."
        )
    if query + document <= room:
        return query, document
    short = min(query, document)
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (long, short) if query > document else (short, long)


def sliced(sheet: Sheet, limit: int, side: str) -> Cut | None:
    """vLLM with an explicit truncation_side: the final ids are sliced, special tokens like any other."""
    count, left = len(sheet.ids), side == "left"
    if count <= limit:
        return None
    cut = sheet.drop(range(count - limit) if left else range(limit, count))
    return replace(cut, suffix_lost=not left)


def _refused_over(encoding: Encoding, window: int) -> Encoding:
    if len(encoding.token_ids) > window:
        raise over(len(encoding.token_ids), window, "prompt")
    return encoding


def over(count: int, window: int, where: str) -> PromptInvalid:
    return PromptInvalid(
        f"is {count} tokens long, and the model's window is {window}", where=where,
        hint="vLLM refuses this too: shorten the document or set truncate_prompt_tokens.",
    )  # fmt: skip
