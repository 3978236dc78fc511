"""What the linter says: a code, one sentence, the place, and perhaps a change that makes it go away.

Knows nothing of the rules that find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.lint._wrap import Wrap
from workbench.types import ContentPart, Document, Query, ScoreTemplate, Text, Variant

Place = tuple[int, int]  # characters [start, end) of the template


@dataclass(frozen=True, slots=True)
class Fix:
    """One of: another template text, the wrapping taken off query and documents, the instruction cleared."""

    label: str  # what a button says
    template: str | None = None
    unwrap: Wrap | None = None
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """`code`: E… stops an export, W… does not. Foreign words of the sentence stand in backticks.

    `where`: template, query, document, instruction, prompt or target; `span` is the place in the template, None where it is
    elsewhere or everywhere.
    """

    code: str
    sentence: str
    where: str = "template"
    span: Place | None = None
    fix: Fix | None = None

    @property
    def error(self) -> bool:
        return self.code.startswith("E")

    def position(self, template: str) -> tuple[int, int] | None:
        """(line, column) in the template, both from 1."""
        if self.span is None:
            return None
        at = min(self.span[0], len(template))
        return template.count("\n", 0, at) + 1, at - template.rfind("\n", 0, at)


def mend(fix: Fix, variant: Variant, query: Query, document: Document) -> tuple[Variant, Query, Document]:
    """The question as the fix leaves it."""
    if fix.template is not None:
        old = variant.template or ScoreTemplate("")
        variant = replace(variant, template=replace(old, body=fix.template))
    if fix.clear:
        variant = replace(variant, instruction=None)
    if fix.unwrap is not None:
        query = replace(query, content=unwrapped(fix.unwrap, query.content, "query"))
        document = replace(document, content=unwrapped(fix.unwrap, document.content, "document"))
    return variant, query, document


def unwrapped(wrap: Wrap, content: Sequence[ContentPart], side: str) -> tuple[ContentPart, ...]:
    """A side whose texts have lost the prompt's own head and tail; what is not wrapped stays as it is."""
    return tuple(Text(wrap.off(p.text, side)) if isinstance(p, Text) else p for p in content)
