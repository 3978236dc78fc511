"""Trains the demo reranker from nothing, resumably, and writes the weights with their curve.
Knows nothing of how it is judged: `check` measures with seeds, phrasings and sentence forms that are never trained."""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerFast

from workbench.demo import model as models
from workbench.demo import tokenizer as tokenizers
from workbench.demo.batches import Batch, Batches
from workbench.demo.captions import Wording
from workbench.demo.forward import margins, read, see
from workbench.demo.packing import Packer
from workbench.demo.pool import Pool, load_or_build
from workbench.demo.prompts import OPEN
from workbench.demo.questions import Mix
from workbench.demo.scenes import COLOURS, MOTIONS, SHAPES

CLASSES: dict[str, list[str | None]] = {"colour": [*COLOURS], "shape": [*SHAPES], "motion": [None, *MOTIONS]}
SHORT = "<Instruct>:"


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the lesson plan. `caption`, `facts`: weights of the two losses that teach the model to see."""

    until: float  # share of all steps
    mix: Mix
    opening: str
    caption: float
    facts: float


# First to see (captions, plain facts) with a short prompt, then whole prompts and every phrasing.
STAGES = (
    Stage(0.30, Mix(wording=Wording(synonyms=0.25, size=0.0), pictures=0.1), SHORT, 0.5, 0.5),
    Stage(0.60, Mix(), OPEN, 0.2, 0.2),
    Stage(1.00, Mix(), OPEN, 0.0, 0.05),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much training. The defaults are what the shipped weights were made with."""

    steps: int = 4000
    rows: int = 32
    length: int = 256
    rate: float = 2e-3
    warmup: int = 150
    seed: int = 2

    def stage(self, step: int) -> Stage:
        return next(s for s in STAGES if step < s.until * self.steps or s is STAGES[-1])

    def learning_rate(self, step: int) -> float:
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))


PLAN = Plan()


class Trainer:
    """Model, optimizer and where the training stands; `state` goes to a file and comes back."""

    def __init__(self, plan: Plan, tokenizer: Any, pool: Pool, **shape: int) -> None:
        self.plan, self.tokenizer, self.pool = plan, tokenizer, pool
        self.model = models.fresh(tokenizer, plan.seed, **shape).train()
        hidden = self.model.config.text_config.hidden_size
        self.heads = torch.nn.ModuleDict({f: torch.nn.Linear(hidden, len(c)) for f, c in CLASSES.items()})
        weights = [p for p in (*self.model.parameters(), *self.heads.parameters()) if p.requires_grad]
        groups = [{"params": [p for p in weights if p.ndim > 1], "weight_decay": 0.05},
                  {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        self.weights, self.optimizer = weights, torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98))
        self.packer = Packer(tokenizer)
        self.yes, self.no = tokenizer.convert_tokens_to_ids(["yes", "no"])
        self.step, self.curve, self.seconds = 0, list[dict[str, float]](), 0.0

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "curve": self.curve, "seconds": self.seconds, "model": self.model.state_dict(),
                "heads": self.heads.state_dict(), "optimizer": self.optimizer.state_dict()}  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.curve, self.seconds = state["step"], state["curve"], state["seconds"]

    def advance(self) -> dict[str, float]:
        """One step; the batch depends on the seed and the step's number alone, so a resumed run sees the same ones."""
        stage = self.plan.stage(self.step)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
        rng = random.Random(f"train {self.plan.seed} {self.step}")
        batch = Batches(self.packer, self.pool, self.plan.length).make(rng, stage.mix, stage.opening, self.plan.rows,
                                                                       captions=stage.caption > 0)  # fmt: skip
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate(self.step)
        loss, told = self.loss(batch, stage)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.step += 1
        return told

    def loss(self, batch: Batch, stage: Stage) -> tuple[torch.Tensor, dict[str, float]]:
        """Yes or no on the margin, next tokens of captions, and the plain facts of each picture and group."""
        features, means, owner = see(self.model.model.visual, batch.packed.items, gain=0.07)
        hidden = read(self.model, batch.packed, features, self.packer.pads)
        margin = margins(self.model, hidden, batch.ends, self.yes, self.no)
        loss = answer = F.binary_cross_entropy_with_logits(margin, batch.labels)
        told = {"answer": answer.item(), "accuracy": ((margin > 0) == (batch.labels > 0.5)).float().mean().item()}
        if stage.caption:
            weight = self.model.model.language_model.embed_tokens.weight
            guess = hidden[batch.caption_at[:, 0], batch.caption_at[:, 1]] @ weight.T
            speech = F.cross_entropy(guess, batch.caption_ids)
            loss, told["caption"] = loss + stage.caption * speech, speech.item()
        for facet, classes in CLASSES.items():
            items = [batch.packed.items[o] for o in owner]
            keep = [i for i, item in enumerate(items) if item.seconds or facet != "motion"]
            if keep:
                truth = torch.tensor([classes.index(getattr(items[i].scene, facet)) for i in keep])
                guess = self.heads[facet](means[keep])
                loss = loss + stage.facts * F.cross_entropy(guess, truth)
                told[facet] = (guess.argmax(1) == truth).float().mean().item()
        return loss, told


def train(trainer: Trainer, work: Path, say: Callable[[str], None], stop: Callable[[], bool], every: int = 20) -> bool:
    """Steps until the plan is done (True) or `stop` says so (False); keeps a checkpoint in `work` every two minutes."""
    sums: dict[str, list[float]] = {}
    kept = began = time.monotonic()
    before, first = trainer.seconds, trainer.step
    while trainer.step < trainer.plan.steps and not stop():
        for name, value in trainer.advance().items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        trainer.seconds = before + now - began
        if trainer.step % every == 0:
            point = {name: sum(v) / len(v) for name, v in sums.items()}
            trainer.curve.append({"step": trainer.step, **{k: round(v, 4) for k, v in point.items()}})
            pace = (now - began) / (trainer.step - first)
            left = pace * (trainer.plan.steps - trainer.step)
            say(f"step {trainer.step}/{trainer.plan.steps} " + " ".join(f"{k} {v:.3f}" for k, v in point.items())
                + f" · {pace:.2f} s/step · {left / 60:.0f} min left")  # fmt: skip
            sums = {}
        if now - kept > 120:
            keep(trainer, work)
            kept = now
    keep(trainer, work)
    return trainer.step >= trainer.plan.steps


def keep(trainer: Trainer, work: Path) -> None:
    """Writes the checkpoint beside the old one first, so that an end at any moment leaves a whole file."""
    scratch = work / "checkpoint.new"
    torch.save(trainer.state(), scratch)
    scratch.replace(work / "checkpoint.pt")


def export(trainer: Trainer, out: Path) -> None:
    models.save(trainer.model, trainer.tokenizer, out)
    kept = json.loads((out / "training.json").read_text()) if (out / "training.json").exists() else {}
    kept |= {"steps": trainer.step, "minutes": round(trainer.seconds / 60, 1), "seed": trainer.plan.seed,
             "parameters": sum(p.numel() for p in trainer.model.parameters()), "curve": trainer.curve}  # fmt: skip
    (out / "training.json").write_text(json.dumps(kept, indent=1) + "\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("assets/demo-reranker"), help="where the weights go")
    parser.add_argument("--work", type=Path, default=Path(".cache/demo"), help="drawn pool and checkpoint; resumed from")
    parser.add_argument("--steps", type=int, default=PLAN.steps, help="of about 240 labelled pairs each")
    parser.add_argument("--seed", type=int, default=PLAN.seed)
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long; the same command goes on")
    parser.add_argument("--export-only", action="store_true", help="write the weights of the checkpoint as it stands")


def run(args: argparse.Namespace) -> int:
    args.work.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder = args.work / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        tokenizers.train(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    if not args.export_only:
        say("drawing or reading the pool of pictures and clips (two minutes the first time)")
    pool = Pool([]) if args.export_only else load_or_build(args.work / "pool.pt")
    trainer = Trainer(replace(PLAN, steps=args.steps, seed=args.seed), tokenizer, pool)
    if (args.work / "checkpoint.pt").exists():
        trainer.resume(torch.load(args.work / "checkpoint.pt", weights_only=True))
        say(f"going on from step {trainer.step}")
    if not args.export_only:
        ended: list[int] = []
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda number, _frame: ended.append(number))
        until = math.inf if args.minutes is None else time.monotonic() + 60 * args.minutes
        if not train(trainer, args.work, say, lambda: bool(ended) or time.monotonic() > until):
            say(f"stopped at step {trainer.step}; the same command goes on from there")
            return 0
    export(trainer, args.out)
    say(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
