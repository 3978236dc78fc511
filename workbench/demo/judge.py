"""Asks a demo model questions about scenes it has never seen, with the prompt whole or damaged.
Knows nothing of how the weights were made, nor of tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer

from workbench.demo import model as models
from workbench.demo.forward import margins, read, see
from workbench.demo.instructions import DEFAULT
from workbench.demo.packing import Packer, Row, pack
from workbench.demo.pool import FORMATS, UNSEEN, Item, clip, picture
from workbench.demo.prompts import CLOSE, OPEN
from workbench.demo.questions import Question, Side


class Judge:
    """A loaded model that answers with margins: yes minus no, the logit that the workbench ranks by."""

    def __init__(self, folder: Path) -> None:
        self.model = models.load(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.packer = Packer(tokenizer)
        self.yes, self.no = tokenizer.convert_tokens_to_ids(["yes", "no"])

    def margins(self, instruction: str, query: str | Item, documents: Sequence[str | Item]) -> list[float]:
        return self.rows([self.packer.question(instruction, query, documents)])[0]

    @torch.inference_mode()
    def rows(self, rows: Sequence[Row]) -> list[list[float]]:
        packed = pack(rows)
        features = see(self.model.model.visual, packed.items)[0] if packed.items else None
        hidden = read(self.model, packed, features, self.packer.pads)
        flat = iter(margins(self.model, hidden, packed.ends, self.yes, self.no).tolist())
        return [[next(flat) for _ in row.branches] for row in rows]


def size(seed: int) -> tuple[int, int]:
    return random.Random(f"size {seed}").choice(FORMATS)


def show(side: Side, seed: int) -> str | Item:
    """What the model gets of a side, drawn from a seed that training never used."""
    if side.kind == "caption":
        return side.text
    draw = picture if side.kind == "picture" else clip
    return draw(side.scene, UNSEEN + seed, size(seed))


@dataclass(frozen=True, slots=True)
class Shown:
    """A question with its pictures and clips drawn."""

    question: Question
    query: str | Item
    documents: tuple[str | Item, ...]
    seed: int

    def sides(self) -> Iterator[tuple[Side, str | Item, int]]:
        """Query and documents, each with what is shown of it and the seed it was drawn from."""
        sides = (self.question.query, *self.question.documents)
        for i, (side, drawn) in enumerate(zip(sides, (self.query, *self.documents), strict=True)):
            yield side, drawn, 100 * self.seed + i


def shown(question: Question, seed: int) -> Shown:
    drawn = [show(side, 100 * seed + i) for i, side in enumerate((question.query, *question.documents))]
    return Shown(question, drawn[0], tuple(drawn[1:]), seed)


def whole(judge: Judge, s: Shown) -> list[float]:
    return judge.margins(s.question.instruction, s.query, s.documents)


def lost_tail(judge: Judge, s: Shown) -> list[float]:
    """The last newline is gone, as when a template file loses it: the score is read one token too early."""
    row = judge.packer.question(s.question.instruction, s.query, s.documents, closing=CLOSE.removesuffix("\n"))
    return judge.rows([row])[0]


def double_wrap(judge: Judge, s: Shown) -> list[float]:
    """Each document arrives wrapped in the prompt's own head and tail."""
    head = f"{OPEN} {DEFAULT}<Query>:<Document>:"
    return judge.rows([judge.packer.question(s.question.instruction, s.query, s.documents, wrap=(head, CLOSE))])[0]


def dropped_instruction(judge: Judge, s: Shown) -> list[float]:
    """The template does not use the instruction: the family's default stands in its place."""
    return judge.margins(DEFAULT, s.query, s.documents)


DAMAGES: dict[str, Callable[[Judge, Shown], list[float]]] = {
    "lost tail": lost_tail, "double wrap": double_wrap, "dropped instruction": dropped_instruction,
}  # fmt: skip
