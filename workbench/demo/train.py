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
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerFast

from workbench.demo import model as models
from workbench.demo import tokenizer as tokenizers
from workbench.demo.batches import CLASSES, Batch, Batches
from workbench.demo.forward import layers, margins, see
from workbench.demo.packing import Packer
from workbench.demo.plan import PLAN, Plan, Stage
from workbench.demo.pool import Item, Pool, load_or_build
from workbench.demo.scenes import random_scene


class Trainer:
    """Model, optimizer and where the training stands; `state` goes to a file and comes back."""

    def __init__(self, plan: Plan, tokenizer: Any, pool: Pool, **shape: int) -> None:
        self.plan, self.tokenizer, self.pool = plan, tokenizer, pool
        self.model = models.fresh(tokenizer, plan.seed, **shape).train()
        hidden = self.model.config.text_config.hidden_size
        self.heads = torch.nn.ModuleDict({f: torch.nn.Linear(hidden, len(c)) for f, c in CLASSES.items()})
        self.heads["agree"] = torch.nn.Linear(hidden, len(CLASSES))
        self.heads["told"] = torch.nn.Linear(hidden, 2 * sum(len(c) for c in CLASSES.values()))
        weights = [p for p in (*self.model.parameters(), *self.heads.parameters()) if p.requires_grad]
        groups = [{"params": [p for p in weights if p.ndim > 1], "weight_decay": 0.05},
                  {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        self.weights, self.optimizer = weights, torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98))
        self.packer = Packer(tokenizer)
        self.yes, self.no = tokenizer.convert_tokens_to_ids(["yes", "no"])
        self.step, self.looked, self.curve, self.seconds = 0, 0, list[dict[str, float]](), 0.0

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "looked": self.looked, "curve": self.curve, "seconds": self.seconds,
                "model": self.model.state_dict(), "heads": self.heads.state_dict(),
                "optimizer": self.optimizer.state_dict()}  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.looked = state["step"], state.get("looked", 0)
        self.curve, self.seconds = state["curve"], state["seconds"]

    def advance(self) -> dict[str, float]:
        """One step; the batch depends on the seed and the step's number alone, so a resumed run sees the same ones."""
        if self.step >= self.plan.looks_at and self.looked < self.plan.looks:
            rate = self.plan.rate * (1 - 0.7 * self.looked / self.plan.looks)
            return self.look(rate, ("picture", "picture", "picture", "clip"), self.plan.looked)
        if self.step >= self.plan.sharpen_at:
            self.look(self.plan.learning_rate(self.step), ("picture", "clip", "clip"), self.plan.looked // 2)
        stage = self.plan.stage(self.step)
        mix, words = stage.asks(self.step)
        torch.manual_seed(self.plan.seed * 1_000_003 + self.step)
        rng = random.Random(f"train {self.plan.seed} {self.step}")
        batch = Batches(self.packer, self.pool, self.plan.length).make(rng, mix, stage.opening, self.plan.rows,
                                                                       captions=stage.caption > 0 and not words)  # fmt: skip
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate(self.step)
        loss, told = self.loss(batch, stage)
        self.descend(loss)
        self.step += 1
        return told

    def descend(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([w for w in self.weights if w.grad is not None], 1.0)
        self.optimizer.step()

    def look(self, rate: float, kinds: Sequence[str], count: int) -> dict[str, float]:
        """One step of the vision tower alone."""
        rng = random.Random(f"look {self.plan.seed} {self.looked}")
        torch.manual_seed(self.plan.seed * 1_000_033 + self.looked)
        chosen = [self.pool.find(k, random_scene(rng, moving=k == "clip"), rng) for k in rng.choices(kinds, k=count)]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        _, means, owner = see(self.model.model.visual, chosen, gain=0.07)
        loss, told = self.facts(means, [chosen[o] for o in owner])
        self.descend(loss)
        self.looked += 1
        return told

    def loss(self, batch: Batch, stage: Stage) -> tuple[torch.Tensor, dict[str, float]]:
        """Yes or no on the margin, next tokens of captions, and the plain facts of each picture and group."""
        features, means, owner = None, torch.empty(0), list[int]()
        if batch.packed.items:
            features, means, owner = see(self.model.model.visual, batch.packed.items, gain=0.07)
        levels = layers(self.model, batch.packed, features, self.packer.pads)
        hidden = levels[-1]
        margin = margins(self.model, hidden, batch.ends, self.yes, self.no)
        loss = answer = F.binary_cross_entropy_with_logits(margin, batch.labels)
        right = ((margin > 0) == (batch.labels > 0.5)).float().mean().item()
        told = {"answer": answer.item(), "accuracy": right} if owner else {"words": right}
        if len(batch.caption_ids):
            weight = self.model.model.language_model.embed_tokens.weight
            guess = hidden[batch.caption_at[:, 0], batch.caption_at[:, 1]] @ weight.T
            speech = F.cross_entropy(guess, batch.caption_ids)
            loss, told["caption"] = loss + stage.caption * speech, speech.item()
        middle = [level[batch.ends[:, 0], batch.ends[:, 1]] for level in levels[len(levels) // 2 :]]
        gathered, known = self.gathered(middle[0], batch.told)
        compared, agreed = self.agreement(middle[1], batch.agree)
        loss, told = loss + stage.facts * (gathered + compared), told | known | agreed
        plain, seen = self.facts(means, [batch.packed.items[o] for o in owner])
        return loss + stage.facts * plain, told | seen

    def gathered(self, state: torch.Tensor, told: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        """Half way up, the last token is to know the facts of both sides. Without this it takes thousands of steps."""
        names = [f"{side}.{facet}" for side in ("query", "document") for facet in CLASSES]
        guesses = self.heads["told"](state).split(2 * [len(c) for c in CLASSES.values()], dim=1)
        loss, right = state.new_zeros(()), dict[str, float]()
        for name, guess, truth in zip(names, guesses, told.unbind(1), strict=True):
            if (truth >= 0).any():
                loss = loss + F.cross_entropy(guess, truth, ignore_index=-1)
                right[name] = (guess.argmax(1) == truth)[truth >= 0].float().mean().item()
        return loss, right

    def agreement(self, state: torch.Tensor, agree: torch.Tensor) -> tuple[torch.Tensor, dict[str, float]]:
        """One layer on, which facets agree, whatever the instruction: three labels a pair instead of one."""
        guess, told = self.heads["agree"](state), agree >= 0
        right = ((guess > 0) == (agree > 0.5))[told].float().mean().item()
        return F.binary_cross_entropy_with_logits(guess[told], agree[told]), {"agree": right}

    def facts(self, means: torch.Tensor, items: Sequence[Item]) -> tuple[torch.Tensor, dict[str, float]]:
        """Colour, shape and motion read from the mean feature of each picture and group by heads that are not kept."""
        loss, told = means.new_zeros(()), dict[str, float]()
        for facet, classes in CLASSES.items():
            chosen = [i for i, item in enumerate(items) if item.seconds or facet != "motion"]
            if chosen:
                truth = torch.tensor([classes.index(getattr(items[i].scene, facet)) for i in chosen])
                guess = self.heads[facet](means[chosen])
                loss = loss + F.cross_entropy(guess, truth)
                told[facet] = (guess.argmax(1) == truth).float().mean().item()
        return loss, told


def train(trainer: Trainer, work: Path, say: Callable[[str], None], stop: Callable[[], bool], every: int = 20) -> bool:
    """Steps until the plan is done (True) or `stop` says so (False); keeps a checkpoint in `work` every two minutes."""
    sums: dict[str, list[float]] = {}
    kept = began = time.monotonic()
    before, done = trainer.seconds, 0
    while trainer.step < trainer.plan.steps and not stop():
        for name, value in trainer.advance().items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        trainer.seconds = before + now - began
        done += 1
        if done % every == 0:
            point = {name: sum(v) / len(v) for name, v in sums.items()}
            trainer.curve.append({"step": trainer.step, "looks": trainer.looked, **{k: round(v, 4) for k, v in point.items()}})
            pace = (now - began) / done
            left = pace * (trainer.plan.steps - trainer.step + max(0, trainer.plan.looks - trainer.looked))
            say(f"step {trainer.step}/{trainer.plan.steps} " + " ".join(f"{k} {v:.3f}" for k, v in point.items())
                + f" · looks {trainer.looked} · {pace:.2f} s/step · {left / 60:.0f} min left")  # fmt: skip
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
    kept |= {"steps": trainer.step, "looks": trainer.looked, "minutes": round(trainer.seconds / 60, 1), "seed": trainer.plan.seed,
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
