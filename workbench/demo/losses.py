"""What the demo model is taught: the answer, captions, and on the way there the plain facts of both sides.
Knows nothing of batches' making, optimizers or files; its heads are thrown away after training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from workbench.demo.batches import CLASSES, COIN, UNKNOWN, Batch
from workbench.demo.forward import Features, layers, margins
from workbench.demo.packing import Packer
from workbench.demo.plan import Stage
from workbench.demo.pool import Item
from workbench.demo.scenes import DIRECTIONS

Loss = tuple[torch.Tensor, dict[str, float]]


def unit_facts(item: Item, group: int) -> list[int]:
    """The class of each facet that one group of frames shows, UNKNOWN where it cannot show it for certain."""
    scene, truth = item.scene, dict.fromkeys(CLASSES, UNKNOWN)
    if scene.motion in ("appear", "disappear"):
        return list(truth.values())  # whether this group shows the thing is not known here
    motion = scene.motion
    if scene.then:  # half of the time one way, half of it the other
        half = item.groups / 2
        motion = scene.motion if group + 1 <= half else scene.then if group >= half else None
    for facet in ("colour", "shape", "size", "place", "relation", "other_colour", "other_shape"):
        value = getattr(scene, facet)
        truth[facet] = UNKNOWN if value is None else CLASSES[facet].index(value)
    truth["count"] = UNKNOWN if scene.relation else CLASSES["count"].index(scene.count)
    if motion in DIRECTIONS or scene.motion is None:
        truth["motion"] = CLASSES["motion"].index(motion)
    return list(truth.values())


class Losses(torch.nn.Module):
    """The heads: facts of a picture, facts of both sides half way up, their agreement one layer on."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.sizes = [len(c) for c in CLASSES.values()]
        self.unit = torch.nn.Linear(hidden, sum(self.sizes))
        self.told = torch.nn.Linear(hidden, 2 * sum(self.sizes))
        self.agree = torch.nn.Linear(hidden, len(CLASSES))

    def facts(self, means: torch.Tensor, items: Sequence[Item]) -> Loss:
        """The facts of each picture and group, read from the mean of its features."""
        truth = torch.tensor([unit_facts(item, group) for item in items for group in range(item.groups)])
        return self._each(self.unit(means), truth, list(CLASSES), self.sizes)

    def gathered(self, state: torch.Tensor, told: torch.Tensor) -> Loss:
        """Half way up, the last token is to know the facts of both sides. Without this it takes thousands of steps."""
        names = [f"{side}.{facet}" for side in ("query", "document") for facet in CLASSES]
        return self._each(self.told(state), told, names, 2 * self.sizes)

    def _each(self, guesses: torch.Tensor, truth: torch.Tensor, names: list[str], sizes: list[int]) -> Loss:
        loss, right = guesses.new_zeros(()), dict[str, float]()
        for name, guess, wanted in zip(names, torch.split(guesses, sizes, dim=1), truth.unbind(1), strict=True):
            known = wanted >= 0
            if known.any():
                # the mean over all rows, not over the few that know it: a rare facet weighs as much as it is seen
                loss = loss + F.cross_entropy(guess, wanted, ignore_index=UNKNOWN, reduction="sum") / len(wanted)
                right[name] = (guess.argmax(1) == wanted)[known].float().mean().item()
        return loss, right

    def agreement(self, state: torch.Tensor, agree: torch.Tensor) -> Loss:
        """One layer on, which facets agree, whatever the instruction: many labels a pair instead of one."""
        guess, known = self.agree(state), agree >= 0
        right = ((guess > 0) == (agree > 0.5))[known].float().mean().item()
        loss = F.binary_cross_entropy_with_logits(guess[known], agree[known], reduction="sum") / len(agree)
        return loss, {"agree": right}

    def answers(self, model: Any, batch: Batch, features: Features | None, packer: Packer, labels: tuple[int, int],
                stage: Stage) -> Loss:  # fmt: skip
        """Yes or no on the margin, next tokens of captions, and the facts on the way to them."""
        levels = layers(model, batch.packed, features, packer.pads)
        hidden = levels[-1]
        margin = margins(model, hidden, batch.ends, *labels)
        loss = answer = F.binary_cross_entropy_with_logits(margin, batch.labels)
        right = ((margin > 0) == (batch.labels > COIN))[batch.labels != COIN].float().mean().item()
        told = {"answer": answer.item(), "accuracy": right} if features else {"words": right}
        if len(batch.caption_ids):
            weight = model.model.language_model.embed_tokens.weight
            guess = hidden[batch.caption_at[:, 0], batch.caption_at[:, 1]] @ weight.T
            speech = F.cross_entropy(guess, batch.caption_ids)
            loss, told["caption"] = loss + stage.caption * speech, speech.item()
        middle = [level[batch.ends[:, 0], batch.ends[:, 1]] for level in levels[len(levels) // 2 :]]
        gathered, known = self.gathered(middle[0], batch.told)
        compared, agreed = self.agreement(middle[1], batch.agree)
        return loss + stage.facts * (gathered + compared), told | known | agreed
