"""The prompt's own words around query and document: how a text that brings them along is told, and how they come off.

Knows nothing of templates: it reads one rendered prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.types import RenderedPrompt

LONG_HEAD, LONG_TAIL = 24, 12  # characters below which a likeness may be chance
REST = re.compile(r"(?:\s|<[^<>\s]{1,24}>)*\Z")  # what may stand behind a tail: blanks, an empty think block


@dataclass(frozen=True, slots=True)
class Wrap:
    """`head` in front of the first value and `tail` behind the last one, trimmed, "" where they are too short to tell by;
    `labels` what stands directly in front of each side, on its line."""

    head: str
    tail: str
    labels: Mapping[str, str]

    def around(self, text: str) -> bool:
        """Whether a text opens or ends as the whole prompt does."""
        return bool(self.head and text.lstrip().startswith(self.head)) or self._end(text) is not None

    def off(self, text: str, side: str) -> str:
        """The text within, or the text as it is where nothing is around it."""
        if not self.around(text):
            return text
        end, label = self._end(text), self.labels.get(side, "")
        inner = text if end is None else text[:end]
        at = inner.find(label) if label else -1
        return (inner[at + len(label) :] if at >= 0 else inner).strip()

    def copies(self, words: str) -> int:
        """How many tails stand in words that end a prompt."""
        return words.count(self.tail) if self.tail else 0

    def _end(self, text: str) -> int | None:
        at = text.rfind(self.tail) if self.tail else -1
        if at < 0 or not REST.match(text, at + len(self.tail)):
            return None
        while (before := text.rfind(self.tail, 0, at)) >= 0 and REST.match(text[before + len(self.tail) : at]):
            at = before  # wrapped more than once
        return at


def wrap_of(prompt: RenderedPrompt | None) -> Wrap | None:
    """None where the prompt's segments are not known."""
    if prompt is None or not prompt.segments:
        return None
    first, last = prompt.segments[0], prompt.segments[-1]
    head = prompt.text[first.start : first.end].strip() if first.kind == "system" else ""
    tail = prompt.text[last.start : last.end].strip() if last.kind == "suffix" else ""
    labels: dict[str, str] = {}
    for before, segment in zip(prompt.segments, prompt.segments[1:], strict=False):
        if segment.kind in ("query", "document") and before.kind in ("system", "template"):
            words = prompt.text[before.start : before.end].rstrip().splitlines()
            labels.setdefault(segment.kind, words[-1].strip() if words else "")
    return Wrap(head if len(head) >= LONG_HEAD else "", tail if len(tail) >= LONG_TAIL else "", labels)
