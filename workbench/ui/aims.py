"""What Export's Check found out about targets, as the linter's evidence, so that the lines under the editors say it too.

Knows nothing of layout. A session keeps it by the print of what it checked: nothing is said of a prompt edited since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from workbench.export import TargetRow
from workbench.lint import Target

KEPT = 8  # checked prompts
View = dict[str, Any]  # the view of the preview: what a session looks at, and here under `checked` what it was told


def told(view: View, mark: str, rows: Sequence[TargetRow]) -> View:
    """The view with what a check said of the prompt of that print, as plain values."""
    found = [[target.title, target.lacks, target.differs] for target in targets_of(rows)]
    others = {k: v for k, v in (view.get("checked") or {}).items() if k != mark}
    return {**view, "checked": dict([*others.items(), (mark, found)][-KEPT:])}


def known(view: View, mark: str) -> tuple[Target, ...]:
    """Of what was not checked, nothing."""
    return tuple(Target(*found) for found in (view.get("checked") or {}).get(mark, ()))


def targets_of(rows: Sequence[TargetRow]) -> tuple[Target, ...]:
    """The targets that do not take a prompt: what they lack (W4), or how they read it (W5). One reason is one line."""
    named = OrderedDict[tuple[bool, str], list[str]]()
    for row in rows:
        if not row.ok:
            named.setdefault((row.same < row.asked, _reason(row)), []).append(row.title.replace("`", ""))
    return tuple(
        Target("; ".join(titles), **{"differs" if otherwise else "lacks": reason})
        for (otherwise, reason), titles in named.items()
    )


def _reason(row: TargetRow) -> str:
    """The first difference with its tokens set apart, since they are foreign; else the reason as it was given."""
    if not row.differences:
        return row.why_not
    first = row.differences[0]
    return f"at token {first.at} it reads `{_words(first.target)}` where `{_words(first.golden)}` is expected"


def _words(tokens: Sequence[tuple[int, str]]) -> str:
    """What could end a mark of ours is written otherwise."""
    return " ".join(repr(text) for _, text in tokens[:6]).replace("`", "'") or "–"
