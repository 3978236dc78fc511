"""Draws the prompt panel for the fields as they are: its head, and whichever of Prompt, Tokens, Diff and Budget is open.

Knows nothing of Gradio. The other three are not built; all of them read the same two encodings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.errors import TemplateInvalid, WorkbenchError
from workbench.pool import Bench
from workbench.scorers import Explains, Scorer
from workbench.template import split_facts
from workbench.types import Encoding, Family
from workbench.ui import desk
from workbench.ui.alignment import Alignment, align
from workbench.ui.budget_view import PAGE, rows_html
from workbench.ui.diff_view import Source, diff_html
from workbench.ui.fault_view import fault_html
from workbench.ui.figures import sentence
from workbench.ui.preview_head import Head, head_html
from workbench.ui.prompt_view import budget_html, prompt_html, told_html
from workbench.ui.ranking_view import SIDES
from workbench.ui.recipe_view import recipe_html
from workbench.ui.rows import face_of
from workbench.ui.tokens_view import Reader, tokens_html

HEAVY = 200_000  # characters of prompts counted at every key
View = dict[str, Any]  # side, at; and where they were touched: tab, glyphs, first, by, order, of
Outcomes = Mapping[str, Encoding | WorkbenchError]


@dataclass
class Look:
    """One look at one document: both sides as they came out, and what of them is shown."""

    bench: Bench
    asked: desk.Asked
    view: View
    outcomes: Outcomes

    @cached_property
    def scorer(self) -> Scorer:
        return self.bench.pool.get(self.asked.variants["a"].model)

    @property
    def tab(self) -> str:
        return str(self.view.get("tab", "prompt"))

    @property
    def shown(self) -> Encoding | WorkbenchError:
        return self.outcomes[self.view["side"]]

    @cached_property
    def alignment(self) -> Alignment | None:
        return aligned(self.outcomes)

    @property
    def limit(self) -> int:
        return self.scorer.window(self.asked.variants["a"].parity)

    @property
    def reader(self) -> Reader:
        return Reader(self.scorer.control_ids, self.scorer.token, reads_last(self.scorer.family))


def aligned(outcomes: Outcomes) -> Alignment | None:
    """The ids of both sides beside each other; None where a side has none."""
    a, b = outcomes["a"], outcomes["b"]
    if isinstance(a, Encoding) and isinstance(b, Encoding) and a.token_ids and b.token_ids:
        return align(a.token_ids, b.token_ids)
    return None


def reads_last(family: Family) -> bool:
    """Whether the score is read at the last token; other kinds read a first token, a mean, or every one."""
    return family.scorer == "yes_no" and not family.bidirectional


def draw(look: Look, fresh: bool) -> tuple[str, str | None]:
    """(head, body); no body where the last good render is to stay: a template broke while it was typed (`fresh` False),
    or counting anew would keep the typist waiting."""
    old = not fresh and (_broken(look) or _heavy(look))
    body = None if old else BODIES[look.tab](look)
    return _head(look, old) + _faults(look), body


def _faults(look: Look) -> str:
    """Where the templates broke: of the side looked at, else of the other."""
    sides = sorted(look.outcomes, key=lambda side: side != look.view["side"])
    for side in sides:
        error = look.outcomes[side]
        if isinstance(error, TemplateInvalid):
            body = look.bench.template_for(look.asked.variants[side]).body
            return fault_html(side, error, body, look.scorer.special_tokens)
    return ""


def mark(asked: desk.Asked, view: View) -> str:
    """A few characters for what is looked at: the fields of both sides, and the place in the panel."""
    place = [view.get(name, "") for name in ("tab", "side", "at", "first", "glyphs", "by")]
    return " ".join([*asked.prints.values(), *map(str, place)])


def _heavy(look: Look) -> bool:
    """Whether the prompts of a page of documents are too long to be counted at every key."""
    longest = max((len(o.prompt.text) for o in look.outcomes.values() if isinstance(o, Encoding)), default=0)
    return look.tab == "budget" and longest * min(len(look.asked.rows), PAGE) > HEAVY


def _broken(look: Look) -> bool:
    seen = [look.shown] if look.tab == "prompt" else list(look.outcomes.values())
    return look.tab != "diff" and any(isinstance(o, TemplateInvalid) for o in seen)


def _head(look: Look, old: bool) -> str:
    view, a, b = look.view, look.outcomes["a"], look.outcomes["b"]
    labels = [face_of(item, desk.no_thumb).label for item in look.asked.items]
    at = min(view["at"], max(len(labels) - 1, 0))
    order = view.get("order") or []
    both = isinstance(a, Encoding) and isinstance(b, Encoding) and bool(a.token_ids and b.token_ids)
    return head_html(
        Head(
            look.tab, view["side"], at, order.index(at) if at in order else at, view.get("by", "listed"), labels,
            look.alignment.differing if look.alignment else None,
            look.alignment is None or look.alignment.exact, old,
            both and reads_last(look.scorer.family) and a.token_ids[-1] != b.token_ids[-1],  # type: ignore[union-attr]
            bool(view.get("glyphs")), mark(look.asked, view),
        )
    )  # fmt: skip


# ---------------------------------------------------------------- the four views
def _prompt(look: Look) -> str:
    """The prompt with its counts, where the other recipe parts from it, and what a server tells of it."""
    shown, scorer, side = look.shown, look.scorer, look.view["side"]
    if isinstance(shown, WorkbenchError):
        return f'<p class="error drawn">{sentence(shown)}</p>'
    other = desk.otherwise(look.bench, look.asked, side, shown)
    shown, told = _explained(scorer, shown)
    drawn = prompt_html(shown, scorer.control_ids, scorer.token, bool(look.view.get("glyphs")))
    foot = budget_html(shown, scorer.window(shown.pair.parity), scorer.control_ids)
    foot += recipe_html(look.asked.variants[side].parity, shown, other, scorer.token, scorer.family.temperature)
    return f'{drawn}<div class="foot">{foot}{told_html(told)}</div>'


def _explained(scorer: Scorer, shown: Encoding) -> tuple[Encoding, tuple[str, ...]]:
    """What a server tells of a prompt, where one does the scoring."""
    if not isinstance(scorer, Explains):
        return shown, ()
    try:
        return scorer.explain(shown)
    except WorkbenchError as error:
        return shown, (str(error),)


def _both(look: Look) -> tuple[Outcomes, Alignment | None]:
    found = {s: _explained(look.scorer, o)[0] if isinstance(o, Encoding) else o for s, o in look.outcomes.items()}
    return found, look.alignment or aligned(found)


def _tokens(look: Look) -> str:
    outcomes, alignment = _both(look)
    return tokens_html(outcomes, alignment, look.reader, int(look.view.get("first", 0)))


def _diff(look: Look) -> str:
    sources = {}
    for side in SIDES:
        variant = look.asked.variants[side]
        template = split_facts(look.bench.template_for(variant).body)[1]
        sources[side] = Source(template, variant.instruction or "")
    outcomes, alignment = _both(look)
    return diff_html(sources, outcomes, alignment, look.scorer.control_ids, look.scorer.token)


def _budget(look: Look) -> str:
    asked, labels = look.asked, [face_of(item, desk.no_thumb).label for item in look.asked.items]
    first = min(int(look.view.get("first", 0)), max(len(labels) - 1, 0))
    rows = asked.rows[first : first + PAGE]
    if not rows:
        return '<p class="empty drawn">no documents</p>'
    filled = {side: look.bench.preview(variant, asked.query, rows) for side, variant in asked.variants.items()}
    return rows_html(filled, labels, look.limit, first, look.view["at"])


BODIES = {"prompt": _prompt, "tokens": _tokens, "diff": _diff, "budget": _budget}
