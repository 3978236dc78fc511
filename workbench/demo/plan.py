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
    """One part of the lesson plan. `caption`, `facts`: weights of the two losses that teach the model to see.
    `words`: every so many steps the documents are captions only (0: never). Comparing is learned from words first, one
    facet after another, and such a step is cheap.
    """

    until: float  # share of all steps
    mix: Mix
    opening: str
    caption: float
    facts: float
    words: int = 0

    def asks(self, step: int) -> tuple[Mix, bool]:
        """What this step asks, and whether it is one of words only."""
        if self.words and step % self.words == 0:
            return replace(self.mix, kinds=("caption",), pictures=0.0), True
        return self.mix, False


EARLY = ("everything", "colour", "shape", "shape", "motion")
# First to see (captions, plain facts) and to compare, with a short prompt; then whole prompts and every wording.
STAGES = (
    Stage(0.48, Mix(facets=EARLY, wording=Wording(synonyms=0.25, size=0.0), pictures=0.1), SHORT, 0.5, 0.5, words=2),
    Stage(0.80, Mix(), OPEN, 0.0, 0.3, words=3),
    Stage(1.00, Mix(), OPEN, 0.0, 0.1, words=2),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much training. The shipped weights were made in resumed parts while this plan took its shape (see their card)."""

    steps: int = 3560
    rows: int = 20
    length: int = 256
    rate: float = 2e-3
    warmup: int = 150
    seed: int = 2
    # After so many steps the vision tower alone is taught plain facts for a while: shapes come late otherwise, and a
    # look at 256 of them costs half a step.
    looks_at: int = 440
    looks: int = 800
    looked: int = 256
    sharpen_at: int = 1720  # from here on a smaller look, mostly at clips, goes with every step

    def stage(self, step: int) -> Stage:
        return next(s for s in STAGES if step < s.until * self.steps or s is STAGES[-1])

    def learning_rate(self, step: int) -> float:
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))


PLAN = Plan()
