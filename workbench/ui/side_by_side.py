"""Two sides of any two runs beside each other: what differs in how they were asked, and where each document moved.

Knows nothing of Gradio or the store; documents meet by their content, so runs over different lists can be compared too.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from workbench.pool import Bench
from workbench.types import Ranking
from workbench.ui import desk
from workbench.ui.bump import keys
from workbench.ui.figures import count, esc
from workbench.ui.past import Past
from workbench.ui.ranking_view import Run
from workbench.ui.rows import Item


def together(bench: Bench, left: Past, left_side: str, right: Past, right_side: str) -> Run:
    """One side of each run as the two sides of one, over all documents of both."""
    items: list[Item] = list(left.items)
    places = {key: at for at, key in enumerate(keys(left.items))}
    moved: dict[int, int] = {}
    for at, (key, item) in enumerate(zip(keys(right.items), right.items, strict=True)):
        if key not in places:
            places[key] = len(items)
            items.append(item)
        moved[at] = places[key]
    a, b = left.rankings.get(left_side), right.rankings.get(right_side)
    return Run(a, _placed(b, moved) if b else None, desk.faces(bench, items))


def _placed(ranking: Ranking, moved: dict[int, int]) -> Ranking:
    ranked, failed = (tuple(replace(r, index=moved[r.index]) for r in rows) for rows in (ranking.ranked, ranking.failed))
    return replace(ranking, ranked=ranked, failed=failed)


def moves_html(run: Run) -> str:
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    moved = sum(m.climb != 0 for m in both)
    alone = len(run.moves) - len(both)
    more = f" <span>{count(alone, 'document')} in one of them only</span>" if alone else ""
    return f'<p class="muted moves"><span>{moved} of {len(both)} moved</span>{more}</p>'


def settings_html(left: Past, left_side: str, right: Past, right_side: str) -> str:
    """Only what differs, line by line."""
    rows = "".join(
        f'<tr><th>{name}</th><td translate="no">{esc(a) or "–"}</td><td translate="no">{esc(b) or "–"}</td></tr>'
        for name, a, b in differing(left, left_side, right, right_side)
    )
    template = _template(left.typed(left_side)[0], right.typed(right_side)[0])
    if not rows and not template:
        return '<p class="muted">Both were asked in the same way.</p>'
    table = f'<table class="settings"><tbody>{rows}</tbody></table>' if rows else ""
    return table + template


def differing(left: Past, left_side: str, right: Past, right_side: str) -> list[tuple[str, str, str]]:
    """(name, left, right) of every setting that is not the same."""
    told = [dict(_settings(past, side)) for past, side in ((left, left_side), (right, right_side))]
    return [(name, told[0][name], told[1][name]) for name in told[0] if told[0][name] != told[1][name]]


def _settings(past: Past, side: str) -> Sequence[tuple[str, str]]:
    variant, body = past.variants[side], past.kept.body
    words = " ".join(value if kind == "text" else source for kind, value, source in past.query)
    target = {"reference": "as the reference", "vllm": "as vLLM"}[variant.parity]
    return (
        ("Query", words),
        ("Instruction", variant.instruction or ""),
        ("Model", variant.model),
        ("Revision", str(body["revision"])),
        ("Target", target),
        ("Numbers", f"{body['device']}, {body['dtype']}"),
        ("Variables", ", ".join(f"{k}={v!r}" for k, v in variant.variables.items())),
        ("Limits", repr(variant.limits) if variant.limits != type(variant.limits)() else ""),
        ("Documents", count(len(past.items), "row")),
    )


def _template(a: str, b: str) -> str:
    """Lines of the templates that differ, with three around them."""
    if a == b:
        return ""
    lines = list(difflib.unified_diff(a.splitlines(), b.splitlines(), lineterm="", n=1))[2:]
    drawn = "".join(
        f'<span class="{"gone" if line[:1] == "-" else "new" if line[:1] == "+" else "same"}">{esc(line) or " "}</span>'
        for line in lines
        if not line.startswith("@@")
    )
    only = '<span class="same">only line ends or the last line differ</span>'
    return f'<h3>Template</h3><pre class="mono diff" translate="no">{drawn or only}</pre>'
