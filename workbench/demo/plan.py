"""The lesson plan: how many steps, at which learning rate, and what is asked and taught in which part.
Knows nothing of weights, pixels or files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from workbench.demo.captions import Wording
from workbench.demo.prompts import OPEN
from workbench.demo.questions import Mix

SHORT = "<Instruct>:"


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the lesson plan. `caption`, `facts`: weights of the losses that teach the model to see and to compare.
    `words`: every so many steps the documents are captions only (0: never). Comparing is learned from words first, one
    facet after another, and such a step is cheap. `live`: the vision tower goes on learning; else its answers are kept.
    """

    until: float  # share of all steps
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
# First to compare, with a short prompt; then whole prompts and every wording; last the tower again, with all the rest.
STAGES = (
    Stage(0.32, Mix(topics=EARLY, wording=Wording(synonyms=0.25), shown=0.1), SHORT, 0.5, 0.5, words=2),
    Stage(0.80, Mix(), OPEN, 0.0, 0.3, words=3),
    Stage(1.00, Mix(), OPEN, 0.0, 0.1, words=4, live=True),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much training. Each of `processes` draws its share of the rows, and they add their gradients."""

    looks: int = 1500  # first the vision tower alone is taught plain facts of pictures and clips
    looked: int = 256
    steps: int = 3000
    rows: int = 20
    length: int = 288
    rate: float = 2e-3  # of AdamW: embeddings, mergers, biases, norms
    inner: float = 8e-3  # of Muon: the matrices inside the layers
    warmup: int = 40
    seed: int = 3
    processes: int = 2

    def stage(self, step: int) -> Stage:
        return next(s for s in STAGES if step < s.until * self.steps or s is STAGES[-1])

    def pace(self, done: int, of: int) -> float:
        """The share of the learning rates: a short rise, then half a cosine down to a fiftieth."""
        if done < self.warmup:
            return (done + 1) / self.warmup
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done / of))


PLAN = Plan()
