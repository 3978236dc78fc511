"""What Export's Check found out about targets, as the linter's evidence, so that the lines under the editors say it too.

Knows nothing of layout. Kept by the print of what was checked: nothing is said of a prompt that was edited since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from workbench.export import TargetRow
from workbench.lint import Target

KEPT = 256  # checked prompts; a line each


class Aims:
    """Safe to use from many threads. A print is of all fields, so equal prints are equal questions, whoever asks."""

    def __init__(self) -> None:
        self._known, self._lock = OrderedDict[str, tuple[Target, ...]](), threading.Lock()

    def learn(self, mark: str, rows: Sequence[TargetRow]) -> None:
        with self._lock:
            self._known[mark] = targets_of(rows)
            self._known.move_to_end(mark)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)

    def of(self, mark: str) -> tuple[Target, ...]:
        """Of what was not checked, nothing."""
        with self._lock:
            return self._known.get(mark, ())


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
