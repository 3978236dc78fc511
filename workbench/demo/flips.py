"""Questions in which only the instruction decides: four documents, one query, two instructions that want other ones.
Knows nothing of tables or of how the weights were made."""

from __future__ import annotations

import random

from workbench.demo.instructions import instruction
from workbench.demo.judge import Judge, show
from workbench.demo.questions import KINDS, WORDING, Side, document, near, query

FACETS = ("colour", "shape", "size", "count", "motion")


def flip(rng: random.Random) -> tuple[Side, tuple[str, str], list[Side]]:
    """A query, two facets and documents that agree on both, on the first alone, on the second alone, on neither."""
    first, second = rng.sample(FACETS, 2)
    if {first, second} == {"size", "count"}:  # several things have no size
        second = "colour"
    asked = query("two facets", (first, second), rng, WORDING, 0.0)
    documents = []
    for agree_first in (True, False):
        for agree_second in (True, False):
            scene = near(asked, {first, second}, True, rng)
            wrong = {f for f, good in ((first, agree_first), (second, agree_second)) if not good}
            missed = near(asked, wrong, False, random.Random(rng.random())) if wrong else scene
            while any((getattr(missed, f) == getattr(asked.scene, f)) == (f in wrong) for f in (first, second)):
                missed = near(asked, {first, second}, False, rng)
            kinds = [k for k in KINDS if k != "picture" or "motion" not in (first, second)]
            side = document(rng.choice(kinds), missed, {first, second}, rng, WORDING)
            while not {first, second} <= side.tells or side.denies:
                side = document(rng.choice(kinds), missed, {first, second}, rng, WORDING)
            documents.append(side)
    return asked, (first, second), documents


def turns(judge: Judge, rng: random.Random) -> bool:
    """Whether each instruction puts its own two documents above the other two."""
    asked, facets, documents = flip(rng)
    seed = rng.randrange(10**6)
    drawn = [show(side, 100 * seed + i) for i, side in enumerate((asked, *documents))]
    right = []
    for number, facet in enumerate(facets):
        scores = judge.margins(instruction((facet,), rng), drawn[0], drawn[1:])
        good = (0, 1) if number == 0 else (0, 2)
        right.append(min(scores[i] for i in good) > max(s for i, s in enumerate(scores) if i not in good))
    return all(right)


def flips(judge: Judge, seed: int, count: int) -> float:
    """The share of flip questions that turn as they should."""
    return sum(turns(judge, random.Random(f"flip {seed} {n}")) for n in range(count)) / count
