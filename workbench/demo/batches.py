"""Makes a training batch: questions packed into rows of equal length, and captions of pictures and clips beside them.
Knows nothing of weights or of how long training goes on."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch

from workbench.demo.captions import caption
from workbench.demo.packing import Branch, Packed, Packer, Row, pack
from workbench.demo.plan import TORN
from workbench.demo.pool import Item, Pool
from workbench.demo.prompts import CLOSE, OPEN
from workbench.demo.questions import Mix, Side, agrees, question, told
from workbench.demo.scenes import DIRECTIONS, FACETS, Scene, fact, random_pair, random_scene

# Per facet the classes that training asks for: 0 is "not told", then its values.
CLASSES: dict[str, list[str | int | None]] = {facet: [None, *values] for facet, values in FACETS.items()}
UNKNOWN = -1  # neither told nor known to be absent: the size of a thing in between, the side of one that lies anywhere
EMPTY = Branch((), (), 0)
COIN = 0.5  # the label of such a pair


@dataclass(frozen=True, slots=True)
class Batch:
    """Packed rows, where the answers stand with their labels, and which tokens of captions are to be guessed."""

    packed: Packed
    ends: torch.Tensor  # [pair, 2] row and last token
    labels: torch.Tensor  # [pair] 1 or 0; COIN where the prompt is torn
    agree: torch.Tensor  # [pair, facet] whether the document agrees with what the query tells; -1: it tells nothing
    told: torch.Tensor  # [pair, 2 · facet] the facts of the query, then of the document, as classes; -1: unknown
    caption_at: torch.Tensor  # [token, 2] row and place before a caption's token
    caption_ids: torch.Tensor  # [token]


def agreement(query: Side, document: Side) -> list[float]:
    """1 or 0 for each facet that the query tells, else -1; -1 too where a picture shows it without certainty."""
    return [float(agrees(query, document, f)) if f in query.tells and _class(document, f) != UNKNOWN else -1.0 for f in FACETS]


def classes(side: Side) -> list[int]:
    return [_class(side, f) for f in FACETS]


def _class(side: Side, facet: str) -> int:
    if facet in side.tells:
        return CLASSES[facet].index(fact(side.scene, facet))
    return UNKNOWN if side.kind != "caption" and facet in ("size", "place") and not side.scene.relation else 0


def random_shown(rng: random.Random, clips: float = 0.4) -> tuple[str, Scene]:
    """A kind and a scene of the pool."""
    if rng.random() < clips:
        scene = random_scene(rng, moving=True)
        if scene.motion in DIRECTIONS and scene.count == 1 and rng.random() < 0.2:
            turn = rng.choice([d for d in DIRECTIONS if d != scene.motion])
            return "clip", replace(scene, then=turn, size=None)
        return "clip", scene
    return "picture", random_pair(rng) if rng.random() < 0.25 else random_scene(rng)


class Batches:
    """Draws questions and finds their pictures and clips in the pool."""

    def __init__(self, packer: Packer, pool: Pool, length: int) -> None:
        self.packer, self.pool, self.length = packer, pool, length

    def make(self, rng: random.Random, mix: Mix, opening: str = OPEN, rows: int = 32, *, captions: bool = False) -> Batch:
        """`captions`: a quarter of the rows are captions to be written instead of questions."""
        spoken = rows // 4 if captions else 0
        made = [self.question(rng, mix, opening) for _ in range(rows - spoken)]
        labels = [label for _, row_labels, _ in made for label in row_labels]
        sides = [pair for _, _, row_sides in made for pair in row_sides]
        lines = [row for row, _, _ in made] + [self.captions(rng, mix) for _ in range(spoken)]
        packed = pack(lines)
        starts = packed.ends[len(labels) :].tolist()
        at, ids = self._targets(lines[rows - spoken :], starts)
        return Batch(packed, packed.ends[: len(labels)], torch.tensor(labels, dtype=torch.float32),
                     torch.tensor([agreement(*pair) for pair in sides]),
                     torch.tensor([classes(q) + classes(d) for q, d in sides]), at, ids)  # fmt: skip

    def show(self, side: Side, rng: random.Random) -> str | Item:
        return side.text if side.kind == "caption" else self.pool.find(side.kind, side.scene, rng)

    def question(self, rng: random.Random, mix: Mix, opening: str) -> tuple[Row, list[float], list[tuple[Side, Side]]]:
        """As many documents as the row has room for. Now and then of a whole prompt, the tail is torn."""
        asked = question(rng, mix, 16)
        torn = opening == OPEN and rng.random() < TORN
        close = CLOSE.removesuffix("\n") if torn else CLOSE
        shown: list[str | Item] = []
        seen = self.show(asked.query, rng)
        room = self.length - len(self.packer.question(asked.instruction, seen, [], opening).trunk.ids)
        for side in asked.documents:
            made = self.show(side, rng)
            branch = self.packer.side("", made, close) if isinstance(made, Item) else self.packer.branch(made + close)
            room -= len(branch.ids)
            if room < 0:
                break
            shown.append(made)
        labels = [COIN if torn else float(label) for label in asked.labels[: len(shown)]]
        sides = [(asked.query, side) for side in asked.documents[: len(shown)]]
        return self.packer.question(asked.instruction, seen, shown, opening, close), labels, sides

    def captions(self, rng: random.Random, mix: Mix) -> Row:
        """Pictures and clips, each with a sentence that tells all of it."""
        branches: list[Branch] = []
        items: list[Item] = []
        room = self.length
        while True:
            item = self.pool.find(*random_shown(rng), rng)
            tells = told(item.scene, "clip" if item.seconds else "picture")
            branch = self.packer.caption(item, caption(item.scene, rng, mix.wording, tells))
            room -= len(branch.ids)
            if room < 0:
                return Row(EMPTY, tuple(branches), tuple(items))
            branches.append(branch)
            items.append(item)

    def _targets(self, rows: list[Row], ends: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Places whose next token belongs to a caption: all that follow a branch's last medium."""
        close = self.packer.tokenizer.convert_tokens_to_ids("<|vision_end|>")
        at: list[tuple[int, int]] = []
        ids: list[int] = []
        for branch, (row, last) in zip((b for r in rows for b in r.branches), ends, strict=True):
            words = list(reversed(branch.ids)).index(close)
            at += [(row, last - words + i) for i in range(words)]
            ids += branch.ids[len(branch.ids) - words :]
        return torch.tensor(at), torch.tensor(ids)
