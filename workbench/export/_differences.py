"""Where a server's prompts leave those of a bundle: the tokens of both between the places where they meet, in words.

Knows nothing of causes: the check has named them already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from workbench.export import check
from workbench.types import JSON

MOST = 3  # pairs that are written out


def differences(report: Mapping[str, JSON], key: str = "") -> Iterator[str]:
    """A block of text for each of the first pairs whose ids differ: position, tokens expected, tokens found."""
    server = check.Server(str(report["address"]), key)
    rows = [r for r in report["rows"] if r["first"] is not None]
    for row in rows[:MOST]:
        yield f"{row['covers']}:"
        for kind, a, b, c, d in SequenceMatcher(None, row["golden_ids"], row["ids"], autojunk=False).get_opcodes():
            if kind != "equal":
                expected, found = (_words(server, str(report["model"]), ids) for ids in (row["golden_ids"][a:b], row["ids"][c:d]))
                yield f"  at token {a}: {expected} is expected, {found} is served"


def _words(server: check.Server, model: str, ids: list[int]) -> str:
    """Ids with the text the server reads in them, where it tells."""
    if not ids:
        return "nothing"
    try:
        body = {**({"model": model} if model else {}), "tokens": ids}
        text = repr(str(server.ask("/detokenize", body)["prompt"]))
    except (check.Unanswered, KeyError, TypeError):
        text = ""
    shown = " ".join(map(str, ids[:8])) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
    return f"{shown} {text}".strip()
