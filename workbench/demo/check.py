"""Measures a demo reranker on scenes it has never seen, in words it knows and in words kept apart from its training.
Knows nothing of how the weights were made."""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from workbench.demo import model as models
from workbench.demo.captions import Wording
from workbench.demo.forward import margins, read, see
from workbench.demo.packing import Packer, Row, pack
from workbench.demo.pool import PICTURES, UNSEEN, Item, clip, picture
from workbench.demo.questions import KINDS, Mix, Question, Side, question

FACETS = ("everything", "colour", "shape", "motion")
HELD = Mix(pictures=0.0, held=True, wording=Wording(held=True, synonyms=0.5))
SIZES = [size for size, count in PICTURES.items() for _ in range(count // 20)]


class Judge:
    """A loaded model that answers questions with margins, and draws what they show."""

    def __init__(self, folder: Path) -> None:
        self.model = models.load(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.packer = Packer(tokenizer)
        self.yes, self.no = tokenizer.convert_tokens_to_ids(["yes", "no"])

    @torch.inference_mode()
    def margins(self, instruction: str, query: str | Item, documents: Sequence[str | Item]) -> list[float]:
        """Yes minus no for each document: the logit that the workbench ranks by."""
        return self.rows([self.packer.question(instruction, query, documents)])[0]

    @torch.inference_mode()
    def rows(self, rows: Sequence[Row]) -> list[list[float]]:
        packed = pack(rows)
        features = see(self.model.model.visual, packed.items)[0] if packed.items else None
        hidden = read(self.model, packed, features, self.packer.pads)
        flat = iter(margins(self.model, hidden, packed.ends, self.yes, self.no).tolist())
        return [[next(flat) for _ in row.branches] for row in rows]

    def ask(self, asked: Question, seed: int) -> list[float]:
        seeds = (seed * 100 + i for i in range(100))
        shown = [show(side, next(seeds)) for side in (asked.query, *asked.documents)]
        return self.margins(asked.instruction, shown[0], shown[1:])


def show(side: Side, seed: int) -> str | Item:
    """What the model gets of a side, drawn from a seed that training never used."""
    size = SIZES[random.Random(f"size {seed}").randrange(len(SIZES))]
    if side.kind == "caption":
        return side.text
    return picture(side.scene, UNSEEN + seed, size) if side.kind == "picture" else clip(side.scene, UNSEEN + seed, size)


@dataclass(frozen=True, slots=True)
class Cell:
    """Margins and labels of one table cell."""

    margins: tuple[float, ...]
    labels: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        right = sum((m > 0) == label for m, label in zip(self.margins, self.labels, strict=True))
        return right / len(self.labels)


def cell(judge: Judge, facet: str, mix: Mix, seed: int, count: int) -> Cell:
    """`count` questions of eight documents each."""
    found: list[float] = []
    labels: list[bool] = []
    for number in range(count):
        rng = random.Random(f"check {seed} {facet} {mix.kinds} {mix.held} {mix.pictures} {number}")
        asked = question(rng, replace(mix, facets=(facet,)), 8)
        found += judge.ask(asked, rng.randrange(10**7))
        labels += asked.labels
    return Cell(tuple(found), tuple(labels))


def table(judge: Judge, seed: int, count: int) -> Iterator[tuple[str, str, str, Cell]]:
    """Cells as they are measured: words (known, unseen, picture query), instruction, kind of document."""
    for words, mix in (("known words", Mix(pictures=0.0)), ("unseen words", HELD), ("picture query", Mix(pictures=1.0))):
        for facet in FACETS:
            for kind in KINDS:
                if facet == "motion" and (kind == "picture" or words == "picture query"):
                    continue  # a picture shows no motion and can ask for none
                yield words, facet, kind, cell(judge, facet, replace(mix, kinds=(kind,)), seed, count)


def ndcg(margins_: Sequence[float], labels: Sequence[bool], k: int = 10) -> float:
    """Binary nDCG@k: gain 1 for a match, discount log2(rank + 1). 1 when there is nothing to find."""
    order = sorted(range(len(labels)), key=lambda i: -margins_[i])
    found = sum(labels[i] / math.log2(rank + 2) for rank, i in enumerate(order[:k]))
    best = sum(1 / math.log2(rank + 2) for rank in range(min(k, sum(labels))))
    return found / best if best else 1.0


def rankings(judge: Judge, seed: int, count: int) -> float:
    """Mean nDCG@10 over mixed lists of twenty documents."""
    values = []
    for number in range(count):
        rng = random.Random(f"ranking {seed} {number}")
        asked = question(rng, Mix(pictures=0.1), 20)
        values.append(ndcg(judge.ask(asked, rng.randrange(10**7)), asked.labels))
    return sum(values) / len(values)


def calibration(cells: Sequence[Cell], bins: int = 10) -> float:
    """Expected calibration error of sigmoid(margin) over equal-width bins."""
    pairs = [(1 / (1 + math.exp(-m)), label) for c in cells for m, label in zip(c.margins, c.labels, strict=True)]
    error = 0.0
    for b in range(bins):
        inside = [(p, label) for p, label in pairs if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)]
        error += abs(sum(p for p, _ in inside) - sum(label for _, label in inside))
    return error / len(pairs)


def measure(judge: Judge, seed: int, count: int) -> dict[str, Any]:
    """The whole report; the table goes to standard output as it grows."""
    began, rows, cells = time.monotonic(), dict[str, dict[str, dict[str, float]]](), dict[str, list[Cell]]()
    for words, facet, kind, found in table(judge, seed, count):
        if words not in rows:
            print(f"\n{words:<16}" + "".join(f"{k:>10}" for k in KINDS))
        if facet not in rows.setdefault(words, {}):
            rows[words][facet] = {}
        rows[words][facet][kind] = round(found.accuracy, 4)
        cells.setdefault(words, []).append(found)
        if kind == KINDS[-1]:
            shown = [rows[words][facet].get(k) for k in KINDS]
            print(f"  {facet:<14}" + "".join(f"{'–' if v is None else f'{v:.3f}':>10}" for v in shown), flush=True)
    means = {words: sum(c.accuracy for c in found) / len(found) for words, found in cells.items()}
    report = {"seed": seed, "pairs_per_cell": 8 * count, "accuracy": rows,
              "mean": {k: round(v, 4) for k, v in means.items()},
              "ndcg_at_10_of_20": round(rankings(judge, seed, max(5, count)), 4),
              "calibration_error": round(calibration(cells["known words"]), 4)}  # fmt: skip
    print("\nmean " + ", ".join(f"{k} {v:.3f}" for k, v in means.items())
          + f"; nDCG@10 of 20 mixed documents {report['ndcg_at_10_of_20']:.3f}"
          + f"; calibration error {report['calibration_error']:.3f}")  # fmt: skip
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, default=Path("assets/demo-reranker"))
    parser.add_argument("--seed", type=int, default=1, help="of the questions and scenes; none was trained on")
    parser.add_argument("--count", type=int, default=40, help="questions per cell, eight documents each")
    parser.add_argument("--save", action="store_true", help="write the table into the model's training.json")


def run(args: argparse.Namespace) -> int:
    report = measure(Judge(args.model), args.seed, args.count)
    if args.save:
        path = args.model / "training.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(kept | {"check": report}, indent=1) + "\n")
    return 0 if report["mean"]["known words"] >= 0.90 else 1
