"""The lesson plan: how many steps, at which learning rate, and what is asked and taught in which part.
Knows nothing of weights, pixels or files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from workbench.demo.captions import Wording
from workbench.demo.prompts import OPEN
from workbench.demo.questions import Mix

SHORT = "<Instruct>:"
TORN = 0.08  # the share of questions whose prompt lacks its last newline: there the model learns to know nothing


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the lesson plan. `caption`, `facts`: weights of the losses that teach the model to see and to compare.
    `words`: every so many steps the documents are captions only (0: never). Comparing is learned from words first, one
    facet after another, and such a step is cheap. `live`: the vision tower goes on learning; else its answers are kept.
    """

    until: int  # of 3,400 steps; a plan of more or fewer stretches or shrinks it
    mix: Mix
    opening: str
    caption: float
    facts: float
    words: int = 0
    live: bool = False

    def asks(self, step: int) -> tuple[Mix, bool]:
        """What this step asks, and whether it is one of words only."""
        if self.words and step % self.words == 0:
            return replace(self.mix, kinds=("caption",), shown=0.0), True
        return self.mix, False


EARLY = ("everything", "colour", "shape", "shape", "size", "count", "motion")
HARD = Mix(kinds=("clip", "clip", "picture", "caption"), topics=(*("shape", "count") * 4, *Mix().topics))
# First to compare, with a short prompt; then whole prompts and every wording; then the tower again, with all the rest;
# last, once more at a raised rate, what comes latest: shapes and counts in clips.
STAGES = (
    Stage(960, Mix(topics=EARLY, wording=Wording(synonyms=0.25), shown=0.1), SHORT, 0.5, 0.5, words=2),
    Stage(2400, Mix(), OPEN, 0.0, 0.3, words=3),
    Stage(3000, Mix(), OPEN, 0.0, 0.1, words=4, live=True),
    Stage(3400, HARD, OPEN, 0.0, 0.3, words=6, live=True),
)
LAST = 400 / 3400  # the share of steps that the raised rate holds for


@dataclass(frozen=True, slots=True)
class Plan:
    """How much training. Each of `processes` draws its share of the rows, and they add their gradients."""

    looks: int = 1500  # first the vision tower alone is taught plain facts of pictures and clips
    looked: int = 256
    steps: int = 3400
    rows: int = 20
    length: int = 288
    rate: float = 2e-3  # of AdamW: embeddings, mergers, biases, norms
    inner: float = 8e-3  # of Muon: the matrices inside the layers
    warmup: int = 40
    seed: int = 3
    processes: int = 2

    def stage(self, step: int) -> Stage:
        return next(s for s in STAGES if step * STAGES[-1].until < s.until * self.steps or s is STAGES[-1])

    def pace(self, done: int, of: int) -> float:
        """The share of the learning rates: a short rise, half a cosine down to a fiftieth; a sixth again for the last part."""
        if done < self.warmup:
            return (done + 1) / self.warmup
        most = of if of == self.looks else of * (1 - LAST)
        if done >= most:
            return 0.16 * (of - done) / (of - most) + 0.005
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done / most))


PLAN = Plan()
