"""Draws what the linter found under an editor: two lines, the rest folded, each with its place and perhaps a button.

Knows nothing of Gradio or of the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.errors import TemplateInvalid, WorkbenchError
from workbench.lint import Finding
from workbench.types import Encoding
from workbench.ui.figures import esc, sentence, shorten

SHOWN = 2  # lines that are not folded
MOST = 160  # characters of a foreign word
QUOTED = re.compile(r"`([^`]*)`")


def lint_html(
    side: str, outcome: Encoding | WorkbenchError, tail: str = "", found: Sequence[Finding] = (), template: str = ""
) -> str:
    """One line where all is well; `data-broken` says that the side gives no prompt."""
    rows = [_row(side, finding, template, _nth(found, i)) for i, finding in enumerate(found)]
    if isinstance(outcome, WorkbenchError):
        kind = "template" if isinstance(outcome, TemplateInvalid) else "row"
        if not any(finding.error for finding in found):
            rows.insert(
                0,
                f'<div class="finding error" data-say="alert"><span class="said">✕ {sentence(outcome)}</span></div>',
            )
        return f'<div data-broken="{side}" data-kind="{kind}">{_folded(rows)}</div>'
    if not any(finding.error for finding in found):
        rows.insert(
            0,
            f'<div class="finding"><span class="ok">✓ renders</span><span class="muted">{esc(tail)}</span></div>',
        )
    return _folded(rows) + _marked(side, found, template)


def _folded(rows: Sequence[str]) -> str:
    more = "".join(rows[SHOWN:])
    fold = f'<details class="more"><summary>+{len(rows) - SHOWN}</summary>{more}</details>' if more else ""
    return f'<div class="findings">{"".join(rows[:SHOWN])}{fold}</div>'


def _row(side: str, finding: Finding, template: str, nth: int) -> str:
    place, at = finding.position(template), ""
    if place:
        at = f'<span class="at" title="line {place[0]}, column {place[1]}">{place[0]}:{place[1]}</span>'
    fix = ""
    if finding.fix:
        fix = (
            f'<button type="button" class="tool fix" data-do="fix" data-side="{side}" data-code="{finding.code}" '
            f'data-nth="{nth}">{esc(finding.fix.label)}</button>'
        )
    words = said_html(finding.sentence)
    kind = "error" if finding.error else "warning"
    role = ' data-say="alert"' if finding.error else ""
    return (
        f'<div class="finding {kind}" data-code="{finding.code}"{role}><b class="code">{finding.code}</b>'
        f'<span class="said" title="{esc(finding.sentence)}">{words}</span>{at}{fix}</div>'
    )


def said_html(text: str) -> str:
    """A sentence whose foreign words, in backticks, are set apart so that no translation touches them."""
    pieces = QUOTED.split(text)
    return "".join(
        f'<code translate="no">{esc(shorten(piece, MOST))}</code>' if i % 2 else esc(piece)
        for i, piece in enumerate(pieces)
    )


def _nth(found: Sequence[Finding], at: int) -> int:
    return sum(f.code == found[at].code for f in found[:at])


def _marked(side: str, found: Sequence[Finding], template: str) -> str:
    """A mark at the editor's lines that findings are about; the sheet holds our own numbers and nothing else."""
    places = [(f.position(template), f.error) for f in found]
    rules = [
        f"#template-{side} .cm-line:nth-child({place[0]}){{box-shadow:inset 3px 0 var(--{'bad' if error else 'warn'})}}"
        for place, error in places if place
    ]  # fmt: skip
    return f"<style>{''.join(rules)}</style>" if rules else ""
