"""Draws the verdict: one line that says the metric of both sides or its range, how many moved, and how far scoring came.

Knows nothing of Gradio. One query proves little, so nothing here names a winner.
"""

from __future__ import annotations

from workbench.metrics import Span, label, ndcg, open_top, order, span
from workbench.types import Ranking
from workbench.ui.figures import count, esc
from workbench.ui.ranking_view import SIDES, Run

ADD = (
    '<button type="button" class="link" data-do="add" title="Saves this query with its documents and grades as a line of '
    'JSON: open or paste it here later, or collect lines into a test set.">Add to test set</button>'
)


def verdict_html(run: Run, expected: int) -> str:
    """One line. `data-ms` and `data-local` tell the page's script whether scoring keeps up with typing."""
    if run.a is None and run.b is None:
        return '<span class="muted">Nothing scored yet. Press Score or Ctrl+Enter.</span>'
    parts = [_metric(run, expected), _moved(run), _progress(run, expected)]
    done = f' data-ms="{1000 * seconds_of(run):.0f}"' if complete(run, expected) else ""
    return (
        f'<span class="verdict" data-say="status"{done} data-local="{"yes" if run.local else "no"}">{"".join(parts)}</span>'
    )


def complete(run: Run, expected: int) -> bool:
    """Both sides have an answer for every row."""
    sides = [side for side in (run.a, run.b) if side]
    return len(sides) == 2 and all(not side.partial and _done(side) >= expected for side in sides)


def settled(run: Run, expected: int) -> bool:
    """Nothing more comes: both sides are complete, or the run was stopped."""
    return complete(run, expected) or any(side and side.partial for side in (run.a, run.b))


def seconds_of(run: Run) -> float:
    return sum(side.seconds for side in (run.a, run.b) if side)


def judged(ranking: Ranking, run: Run) -> list[int | None]:
    """Grades down a ranking, in trec_eval's order where logits are equal."""
    by_name = {r.document.id: r for r in ranking.ranked if r.score}
    names = order({name: r.score.logit for name, r in by_name.items() if r.score})
    return [run.faces[by_name[name].index].grade for name in names]


# ---------------------------------------------------------------- metric
def _metric(run: Run, expected: int) -> str:
    if not (complete(run, expected) and run.a and run.b):
        return ""
    known = sum(face.grade is not None for face in run.faces)
    if run.a.failed or run.b.failed:
        return '<span class="muted">rows failed: no metric</span>' if known else ""
    if not known:
        return '<span class="muted">no grades yet: 0 to 3 on a card</span>'
    sides = [judged(side, run) for side in (run.a, run.b)]
    drawn = _ranges(sides) if any(map(open_top, sides)) else _values(sides)
    if not drawn:
        return f'<span class="muted">nothing is relevant: no metric</span><span class="muted">{ADD}</span>'
    rest = "" if known == expected or any(map(open_top, sides)) else ", the rest taken as 0"
    note = f"this query only, {known} of {expected} judged{rest}"
    return f'<span>{label("nDCG")} {drawn} <span class="muted">{note} · {ADD}</span></span>'


def _values(sides: list[list[int | None]]) -> str:
    """Both tops are judged; what is not judged below counts as not relevant, as in trec_eval."""
    values = [ndcg(grades, grades) for grades in ([g or 0 for g in side] for side in sides)]
    return " ".join(
        f'<b class="in-{s}" data-ndcg="{s}">{s.upper()} {short(v)}</b>'
        for s, v in zip(SIDES, values, strict=True)
        if v is not None
    )


def _ranges(sides: list[list[int | None]]) -> str:
    """Something among the first is unjudged: from the worst to the best it can be."""
    return " ".join(
        f'<span class="in-{s} range" data-range="{s}" title="from the worst to the best that the missing grades can make of it">'
        f"{s.upper()} {between(found)}</span>"
        for s, found in zip(SIDES, (span("nDCG", side) for side in sides), strict=True)
        if found
    )


def short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def between(found: Span) -> str:
    low, high = short(found.low), short(found.high)
    return low if low == high else f"{low}–{high}"


# ---------------------------------------------------------------- moves
def _moved(run: Run) -> str:
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    if not both:
        return ""
    if run.same if run.same is not None else same_prompt(run):
        return '<span data-same="prompt"><b>A and B are the same prompt</b>: 0 token ids differ, so neither is better</span>'
    if all(abs((m.logit_a or 0) - (m.logit_b or 0)) <= run.floor.value for m in both):
        return '<span class="muted" data-same="scores">A and B give the same scores: neither is better</span>'
    moved, ties = sum(m.moved for m in both), sum(m.tie for m in both)
    tied = f', <span data-ties="{ties}">{ties} within noise</span>' if ties else ""
    return f'<span class="muted">{moved} of {len(both)} moved{tied}</span>{_noise(run)}'


def _noise(run: Run) -> str:
    how = "the same pairs scored alone, together and in another order differ by no more" if run.floor.measured else (
        "assumed of this dtype until it is measured"
    )  # fmt: skip
    return (
        f'<span class="muted noise" data-noise="{run.floor.value:g}" data-measured="{"yes" if run.floor.measured else "no"}" '
        f'title="Logits closer than this are one number: {esc(how)}.">noise ±{_digits(run.floor.value)}</span>'
    )


def _digits(value: float) -> str:
    return f"{value:.1g}" if value >= 1e-4 else f"{value:.0e}"


def same_prompt(run: Run) -> bool:
    """Every row was encoded to the same ids and the same media on both sides."""
    a, b = (_prompts(side) for side in (run.a, run.b))
    return bool(a) and a == b


def _prompts(ranking: Ranking | None) -> dict[int, tuple[object, ...]]:
    """What the model read for each row that was encoded."""
    rows = (*ranking.ranked, *ranking.failed) if ranking else ()
    return {
        r.index: (r.encoding.prompt.text, r.encoding.token_ids, r.encoding.media)
        for r in rows
        if r.encoding and r.encoding.token_ids
    }


# ---------------------------------------------------------------- progress
def _done(ranking: Ranking | None) -> int:
    return len(ranking.ranked) + len(ranking.failed) if ranking else 0


def _progress(run: Run, expected: int) -> str:
    done = [_done(run.a), _done(run.b)]
    stopped = any(side and side.partial for side in (run.a, run.b))
    if stopped:
        return f'<span class="flag">stopped: A {done[0]} of {expected}, B {done[1]} of {expected} scored</span>'
    if min(done) < expected:
        return f'<span class="run" data-say="status">scoring {sum(done)} of {2 * expected}</span>'
    failed = len({r.index for side in (run.a, run.b) if side for r in side.failed})
    bad = f" · {count(failed, 'row')} failed" if failed else ""
    return f'<span class="muted">{duration(seconds_of(run))}{_remembered(run)}{bad}</span>'


def _remembered(run: Run) -> str:
    """How many scores were not computed anew."""
    scores = [r.score for side in (run.a, run.b) if side for r in side.ranked if r.score]
    kept = sum(s.cached for s in scores)
    return f" · {kept} of {len(scores)} remembered" if kept else ""


def duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
