"""What can be told of a prompt that a server scores: its segments, who tokenized it, where the server's own ids differ.

Knows nothing of scores. Every answer is found by asking /tokenize and /detokenize, so it costs what they cost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import cast
from unicodedata import normalize

from workbench.errors import WorkbenchError
from workbench.marks import find_segments
from workbench.scorers._jobs import sent
from workbench.scorers._probe import Probe, messages
from workbench.scorers._there import There
from workbench.types import Encoding, Segment, SegmentKind, Text

SHOWN = "The server's own template: tokenized by the server's /tokenize, scored through its /rerank."
UNSHOWN = "The server's own template, scored through its /rerank; what prompt it makes is not known."
HERE = "Rendered here, tokenized by {who}, scored through the server's /classify as token ids."
LOCAL, THERE = "the served model's tokenizer on this disk", "the server's /tokenize"
REMEMBERED = 256  # prompts whose segments are kept
Token = Callable[[int], str]


class Marked:
    """Where a server puts the values it is sent, found by the marks that templates of this house are read with."""

    def __init__(self, there: There, found: Probe) -> None:
        self._there, self._probe = there, found
        self._seen: OrderedDict[object, tuple[Segment, ...] | None] = OrderedDict()

    def found(self, own: Encoding) -> Encoding:
        """The encoding with its segments; as it is where they would be a guess, or a side holds a picture or clip."""
        texts = _given(own)
        if texts is None or own.cut is not None:
            return own
        key = (own.token_ids, *sorted(texts.items()))
        if key not in self._seen:
            self._seen[key] = self._find(own, texts)
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        prompt = replace(own.pair.prompts[0], segments=self._seen[key])
        return replace(own, pair=replace(own.pair, prompts=(prompt,)))

    def _find(self, own: Encoding, texts: Mapping[str, str]) -> tuple[Segment, ...] | None:
        variables = sent(own.pair, own.prompt.unused)

        def render(values: Mapping[str, str]) -> str:
            sides = {**texts, **values}
            told = {"instruction": sides["instruction"]} if "instruction" in sides else {}
            body = messages(self._probe.model, sides["query"], sides["document"], {**variables, **told})
            return self._there.text(self._there.rendered(body).ids)

        composed = {kind: normalize("NFC", value) for kind, value in texts.items()}  # as tokenizers hand it back
        try:
            spans = find_segments(own.prompt.text, composed, render, self._probe.instruction)
        except WorkbenchError:  # a marked prompt may be too long where the plain one is not
            return None
        return None if spans is None else tuple(Segment(cast(SegmentKind, kind), a, b) for kind, a, b in spans)


def _given(own: Encoding) -> dict[str, str] | None:
    """The texts of both sides and the instruction as they were sent; None where a side holds a picture or clip."""
    sides = {"query": own.pair.query.content, "document": own.pair.document.content}
    if not all(isinstance(part, Text) for side in sides.values() for part in side):
        return None
    texts = {kind: "\n".join(p.text for p in side if isinstance(p, Text)) for kind, side in sides.items()}
    told = sent(own.pair, own.prompt.unused).get("instruction")
    return {**texts, "instruction": told} if isinstance(told, str) else texts


def compared(ours: Sequence[int], theirs: Sequence[int], who: str, token: Token) -> str:
    """One sentence on two lists of ids; `who` made the second."""
    at = next((i for i, (a, b) in enumerate(zip_longest(ours, theirs)) if a != b), None)
    if at is None:
        return f"{who} gives the same ids."
    here, there = (f"{token(ids[at])!r} ({ids[at]})" if at < len(ids) else "the end" for ids in (ours, theirs))
    return f"{who} parts from these ids at token_ids[{at}]: {there} instead of {here}."
