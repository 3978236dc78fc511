"""What is drawn anew at every key says nothing aloud by itself: the page's script says it once (assets/announce.js)."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Written into in place, and only by who points or drags: regions in the sense of the standard.
STANDING = {"tokens_view.py", "spread_view.py"}
LIVE = re.compile(r"""role=\\?["'](?:alert|status|log)|aria-live""")


def test_no_part_that_is_drawn_anew_is_a_live_region() -> None:
    found = {path.name for path in (ROOT / "workbench" / "ui").glob("*.py") if LIVE.search(path.read_text(encoding="utf-8"))}
    assert found == STANDING


def test_every_mark_is_one_of_the_two_that_are_heard() -> None:
    marks = [
        kind
        for path in (ROOT / "workbench" / "ui").glob("*.py")
        for kind in re.findall(r'data-say="([^"]*)"', path.read_text(encoding="utf-8"))
    ]
    assert len(marks) > 20 and set(marks) == {"alert", "status"}
