"""Measures a demo reranker on scenes it has never seen, in words it knows and in words kept apart from its training.
Knows nothing of how the weights were made."""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.demo import card
from workbench.demo.captions import Wording
from workbench.demo.dump import dump
from workbench.demo.flips import flips
from workbench.demo.judge import DAMAGES, Judge, Shown, shown, whole
from workbench.demo.questions import KINDS, Mix, question

GATE = ("everything", "colour", "shape", "size", "count", "motion")
STRETCH = ("relation", "place", "negation", "order")
KNOWN, HELD = Mix(shown=0.0), Mix(shown=0.0, held=True, wording=Wording(held=True, synonyms=0.5))
# What cannot be asked: a picture shows no motion; a pair and a place are not drawn in clips.
NEVER = {("motion", "picture"), ("order", "picture"), ("relation", "clip"), ("place", "clip")}
PARTS: tuple[tuple[str, Mix, tuple[str, ...]], ...] = (
    ("known words", KNOWN, GATE), ("unseen words", HELD, GATE), ("stretch", KNOWN, STRETCH),
    ("picture query", Mix(shown=1.0), GATE[:-1]),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """Margins and labels of one table cell."""

    margins: tuple[float, ...]
    labels: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        right = sum((m > 0) == label for m, label in zip(self.margins, self.labels, strict=True))
        return right / len(self.labels)


def asked(name: str, mix: Mix, seed: int, count: int, documents: int = 8) -> Iterator[Shown]:
    """Questions with everything drawn, the same for the same name and seed."""
    for number in range(count):
        rng = random.Random(f"check {name} {seed} {number}")
        yield shown(question(rng, mix, documents), rng.randrange(10**6))


def cell(judge: Judge, name: str, mix: Mix, seed: int, count: int) -> Cell:
    """`count` questions of eight documents each."""
    found: list[float] = []
    labels: list[bool] = []
    for one in asked(name, mix, seed, count):
        found += whole(judge, one)
        labels += one.question.labels
    return Cell(tuple(found), tuple(labels))


def table(judge: Judge, seed: int, count: int) -> Iterator[tuple[str, str, str, Cell]]:
    """Cells as they are measured: part of the table, what the question is about, kind of document."""
    for part, mix, topics in PARTS:
        for topic in topics:
            for kind in KINDS:
                if (topic, kind) not in NEVER:
                    yield part, topic, kind, cell(judge, f"{part} {topic} {kind}", replace(mix, topics=(topic,), kinds=(kind,)),
                                                  seed, count)  # fmt: skip


def ndcg(margins: Sequence[float], labels: Sequence[bool], k: int = 10) -> float:
    """Binary nDCG@k: gain 1 for a match, discount log2(rank + 1). 1 when there is nothing to find."""
    order = sorted(range(len(labels)), key=lambda i: -margins[i])
    found = sum(labels[i] / math.log2(rank + 2) for rank, i in enumerate(order[:k]))
    best = sum(1 / math.log2(rank + 2) for rank in range(min(k, sum(labels))))
    return found / best if best else 1.0


def rankings(judge: Judge, seed: int, count: int) -> dict[str, float]:
    """Mean nDCG@10 over mixed lists of twenty documents, per instruction."""
    return {topic: statistics.mean(ndcg(whole(judge, s), s.question.labels)
                                   for s in asked(f"ranking {topic}", Mix(topics=(topic,)), seed, count, 20))
            for topic in GATE}  # fmt: skip


def damaged(judge: Judge, seed: int, count: int) -> dict[str, float]:
    """Mean nDCG@10 of one-facet questions with the prompt whole, and with each damage."""
    questions = list(asked("damage", Mix(topics=GATE[1:]), seed, count, 20))
    return {name: statistics.mean(ndcg(score(judge, s), s.question.labels) for s in questions)
            for name, score in {"whole": whole, **DAMAGES}.items()}  # fmt: skip


def calibration(cells: Sequence[Cell], bins: int = 10) -> float:
    """Expected calibration error of sigmoid(margin) over equal-width bins."""
    pairs = [(1 / (1 + math.exp(-m)), label) for c in cells for m, label in zip(c.margins, c.labels, strict=True)]
    error = 0.0
    for b in range(bins):
        inside = [(p, label) for p, label in pairs if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)]
        error += abs(sum(p for p, _ in inside) - sum(label for _, label in inside))
    return error / len(pairs)


def apart(cells: Sequence[Cell]) -> dict[str, float]:
    """Quartiles of the probability of matches and of non-matches: how clearly a score chart separates them."""
    told: dict[str, float] = {}
    for name, wanted in (("match", True), ("no match", False)):
        values = [1 / (1 + math.exp(-m)) for c in cells for m, label in zip(c.margins, c.labels, strict=True) if label == wanted]
        quartiles = zip(("25 %", "50 %", "75 %"), statistics.quantiles(values, n=4), strict=True)
        told |= {f"{name} {q}": round(v, 4) for q, v in quartiles}
    return told


def measure(judge: Judge, seed: int, count: int) -> dict[str, Any]:
    """The whole report; the table goes to standard output as it grows."""
    began, rows, cells = time.monotonic(), dict[str, dict[str, dict[str, float]]](), dict[str, list[Cell]]()
    for part, topic, kind, found in table(judge, seed, count):
        if part not in rows:
            print(f"\n{part:<16}" + "".join(f"{k:>10}" for k in KINDS))
        rows.setdefault(part, {}).setdefault(topic, {})[kind] = round(found.accuracy, 4)
        cells.setdefault(part, []).append(found)
        if kind == KINDS[-1]:
            line = [rows[part][topic].get(k) for k in KINDS]
            print(f"  {topic:<14}" + "".join(f"{'–' if v is None else f'{v:.3f}':>10}" for v in line), flush=True)
    few = max(5, count // 2)
    report = {
        "seed": seed, "pairs_per_cell": 8 * count, "accuracy": rows,
        "mean": {part: round(statistics.mean(c.accuracy for c in found), 4) for part, found in cells.items()},
        "lowest": {part: round(min(c.accuracy for c in found), 4) for part, found in cells.items()},
        "ndcg_at_10_of_20": {k: round(v, 4) for k, v in rankings(judge, seed, few).items()},
        "flips": round(flips(judge, seed, 4 * count), 4),
        "damage": {k: round(v, 4) for k, v in damaged(judge, seed, count).items()},
        "calibration_error": round(calibration(cells["known words"]), 4), "probability": apart(cells["known words"]),
    }  # fmt: skip
    for name in ("mean", "lowest", "ndcg_at_10_of_20", "flips", "damage", "calibration_error", "probability"):
        value = report[name]
        text = ", ".join(f"{k} {v:.3f}" for k, v in value.items()) if isinstance(value, dict) else f"{value:.3f}"
        print(f"{name.replace('_', ' ')}: {text}")
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, default=Path("assets/demo-reranker"))
    parser.add_argument("--seed", type=int, default=1, help="of the questions and scenes; none was trained on")
    parser.add_argument("--count", type=int, default=25, help="questions per cell, eight documents each")
    parser.add_argument("--save", action="store_true", help="write the figures into training.json and the model card")
    parser.add_argument("--dump", type=Path, metavar="DIR", help="write pictures, clips, requests.jsonl and the right answers")


def run(args: argparse.Namespace) -> int:
    if args.dump:
        topics = [(t, replace(m, topics=(t,))) for part, m, ts in PARTS if part != "unseen words" for t in ts]
        print(dump(args.dump, (s for t, m in topics for s in asked(f"dump {t}", m, args.seed, args.count)), args.seed))
        return 0
    report = measure(Judge(args.model), args.seed, args.count)
    if args.save:
        path = args.model / "training.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(kept | {"check": report}, indent=1) + "\n")
        card.write(args.model)
    return 0 if passes(report) else 1


def passes(report: dict[str, Any]) -> bool:
    """Whether the gate holds: 0.96 on average and 0.90 in every cell, each within two standard errors of what was measured."""
    pairs, cells = report["pairs_per_cell"], sum(len(row) for row in report["accuracy"]["known words"].values())

    def holds(found: float, bound: float, count: int) -> bool:
        return found + 2 * math.sqrt(bound * (1 - bound) / count) >= bound

    return holds(report["mean"]["known words"], 0.96, pairs * cells) and holds(report["lowest"]["known words"], 0.90, pairs)
