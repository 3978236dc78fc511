"""Trains the demo reranker from nothing, resumably, and writes the weights with their curve.
Knows nothing of how it is judged: `check` measures with seeds, phrasings and sentence forms that are never trained."""

from __future__ import annotations

import argparse
import json
import platform
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from transformers import PreTrainedTokenizerFast

from workbench.demo import model as models
from workbench.demo import tokenizer as tokenizers
from workbench.demo import world
from workbench.demo.batches import Batches, random_shown
from workbench.demo.forward import Memory, see
from workbench.demo.losses import Losses
from workbench.demo.muon import Muon
from workbench.demo.packing import Packer
from workbench.demo.plan import PLAN, Plan
from workbench.demo.pool import Pool, load_or_build


class Trainer:
    """Model, heads, optimizer and where the training stands; `state` goes to a file and comes back.

    `rank`: which of `plan.processes` this is. Each draws its own share of a batch; gradients are averaged.
    """

    def __init__(self, plan: Plan, tokenizer: Any, pool: Pool, rank: int = 0, **shape: int) -> None:
        self.plan, self.tokenizer, self.pool, self.rank = plan, tokenizer, pool, rank
        self.model = models.fresh(tokenizer, plan.seed, **shape).train()
        self.losses = Losses(self.model.config.text_config.hidden_size)
        self.weights = [p for p in (*self.model.parameters(), *self.losses.parameters()) if p.requires_grad]
        inner = [p for n, p in self.model.named_parameters() if p.ndim > 1 and (".layers." in n or ".blocks." in n)]
        chosen = {id(p) for p in inner}
        outer = [p for p in self.weights if id(p) not in chosen]
        groups = [{"params": [p for p in outer if p.ndim > 1], "weight_decay": 0.05},
                  {"params": [p for p in outer if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
        self.optimizers = (Muon(inner, lr=plan.inner, weight_decay=0.05),
                           torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98)))  # fmt: skip
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
        self.packer = Packer(tokenizer)
        self.labels = tuple(tokenizer.convert_tokens_to_ids(["yes", "no"]))
        self.step, self.looked, self.curve, self.seconds = 0, 0, list[dict[str, float]](), 0.0
        self.memory: Memory | None = None

    def state(self) -> dict[str, Any]:
        return {"step": self.step, "looked": self.looked, "curve": self.curve, "seconds": self.seconds,
                "model": self.model.state_dict(), "heads": self.losses.state_dict(),
                "optimizers": [o.state_dict() for o in self.optimizers]}  # fmt: skip

    def resume(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.losses.load_state_dict(state["heads"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.step, self.looked = state["step"], state["looked"]
        self.curve, self.seconds = state["curve"], state["seconds"]

    @property
    def done(self) -> bool:
        return self.step >= self.plan.steps

    def advance(self) -> dict[str, float]:
        """One look or step; its batch depends on seed, number and rank alone, so a resumed run sees the same ones."""
        if self.looked < self.plan.looks:
            return self.look()
        stage = self.plan.stage(self.step)
        mix, words = stage.asks(self.step)
        rng = self._seeded("train", self.step)
        share = -(-self.plan.rows // self.plan.processes)
        batch = Batches(self.packer, self.pool, self.plan.length).make(rng, mix, stage.opening, share,
                                                                       captions=stage.caption > 0 and not words)  # fmt: skip
        items, facts, features = batch.packed.items, None, None
        if items and stage.live:
            features, means, _ = see(self.model.model.visual, items, gain=0.07)
            facts = self.losses.facts(means, items)
        elif items:
            self.memory = self.memory or Memory(self.model.model.visual)
            features = self.memory.features(items)
        loss, told = self.losses.answers(self.model, batch, features, self.packer, self.labels, stage)
        if facts:
            loss, told = loss + stage.facts * facts[0], told | facts[1]
        self.descend(loss, self.plan.pace(self.step, self.plan.steps))
        self.step += 1
        return told

    def look(self) -> dict[str, float]:
        """One step of the vision tower alone."""
        rng = self._seeded("look", self.looked)
        chosen = [self.pool.find(*random_shown(rng), rng) for _ in range(self.plan.looked // self.plan.processes)]
        _, means, _ = see(self.model.model.visual, chosen, gain=0.07)
        loss, told = self.losses.facts(means, chosen)
        self.descend(loss, self.plan.pace(self.looked, self.plan.looks))
        self.looked += 1
        return told

    def _seeded(self, what: str, number: int) -> random.Random:
        torch.manual_seed((self.plan.seed * 1_000_003 + number) * 16 + self.rank)
        return random.Random(f"{what} {self.plan.seed} {number} {self.rank}")

    def descend(self, loss: torch.Tensor, rate: float) -> None:
        for weight in self.weights:
            weight.grad = None
        torch.autograd.backward(loss)
        grads = [w.grad for w in self.weights if w.grad is not None]
        if dist.is_initialized():
            flat = torch.cat([g.flatten() for g in grads])
            dist.all_reduce(flat)
            parts = torch.split(flat.div_(dist.get_world_size()), [g.numel() for g in grads])
            for grad, part in zip(grads, parts, strict=True):
                grad.copy_(part.view_as(grad))
        torch.nn.utils.clip_grad_norm_([w for w in self.weights if w.grad is not None], 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * rate
            optimizer.step()


def train(trainer: Trainer, work: Path, say: Callable[[str], None], stop: Callable[[], bool], every: int = 20) -> bool:
    """Looks and steps until the plan is done (True) or `stop` says so (False); a checkpoint in `work` every two minutes."""
    sums: dict[str, list[float]] = {}
    kept = began = last = time.monotonic()
    before, done = trainer.seconds, 0
    while not trainer.done and not agreed(stop()):
        for name, value in trainer.advance().items():
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        trainer.seconds = before + now - began
        done += 1
        if done % every == 0:
            point = {name: sum(v) / len(v) for name, v in sums.items()}
            trainer.curve.append({"step": trainer.step, "looks": trainer.looked, **{k: round(v, 4) for k, v in point.items()}})
            say(f"looks {trainer.looked}/{trainer.plan.looks} steps {trainer.step}/{trainer.plan.steps} "
                + " ".join(f"{k} {v:.2f}" for k, v in point.items())
                + f" · {(now - last) / every:.2f} s each · {trainer.seconds / 60:.0f} min")  # fmt: skip
            sums, last = {}, now
        if now - kept > 120:
            keep(trainer, work)
            kept = now
    keep(trainer, work)
    return trainer.done


def agreed(stop: bool) -> bool:
    """Whether any process wants to stop: all of them stop after the same step."""
    if not dist.is_initialized():
        return stop
    vote = torch.tensor([float(stop)])
    dist.all_reduce(vote)
    return bool(vote.item())


def keep(trainer: Trainer, work: Path) -> None:
    """Writes the checkpoint beside the old one first, so that an end at any moment leaves a whole file."""
    if trainer.rank:
        return
    scratch = work / "checkpoint.new"
    torch.save(trainer.state(), scratch)
    scratch.replace(work / "checkpoint.pt")


def export(trainer: Trainer, out: Path) -> None:
    models.save(trainer.model, trainer.tokenizer, out)
    world.write(out)
    kept = json.loads((out / "training.json").read_text()) if (out / "training.json").exists() else {}
    curve = [{k: v for k, v in point.items() if "." not in k} for point in trainer.curve]  # without each side's facets
    kept |= {"steps": trainer.step, "looks": trainer.looked, "minutes": round(trainer.seconds / 60, 1), "seed": trainer.plan.seed,
             "processes": trainer.plan.processes, "machine": f"{platform.machine()}, CPU only, torch {torch.__version__}",
             "parameters": sum(p.numel() for p in trainer.model.parameters()), "curve": curve}  # fmt: skip
    (out / "training.json").write_text(json.dumps(kept, indent=1) + "\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("assets/demo-reranker"), help="where the weights go")
    parser.add_argument("--work", type=Path, default=Path(".cache/demo"), help="drawn pool and checkpoint; resumed from")
    parser.add_argument("--looks", type=int, default=PLAN.looks, help="of the vision tower alone, before the steps")
    parser.add_argument("--steps", type=int, default=PLAN.steps, help="of about 200 labelled pairs each")
    parser.add_argument("--seed", type=int, default=PLAN.seed)
    parser.add_argument("--processes", type=int, default=PLAN.processes, help="one CPU core each")
    parser.add_argument("--minutes", type=float, default=None, help="stop after so long; the same command goes on")
    parser.add_argument("--export-only", action="store_true", help="write the weights of the checkpoint as it stands")


def run(args: argparse.Namespace) -> int:
    args.work.mkdir(parents=True, exist_ok=True)
    if not (args.work / "tokenizer" / "tokenizer.json").exists():
        tokenizers.train(args.work / "tokenizer")
    if args.export_only:
        return work(0, args)
    print("drawing or reading the pool of pictures and clips (two minutes the first time)", file=sys.stderr, flush=True)
    load_or_build(args.work / "pool.pt")
    if args.processes == 1:
        return work(0, args)
    (args.work / "meeting").unlink(missing_ok=True)
    torch.multiprocessing.spawn(work, (args,), args.processes)  # type: ignore[attr-defined,no-untyped-call]
    return 0


def work(rank: int, args: argparse.Namespace) -> int:
    """One of the processes. The first one speaks, keeps the checkpoint and writes the weights."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.work / "tokenizer")
    pool = Pool([]) if args.export_only else load_or_build(args.work / "pool.pt")
    plan = replace(PLAN, steps=args.steps, looks=args.looks, seed=args.seed, processes=args.processes)
    trainer = Trainer(plan, tokenizer, pool, rank)
    if (args.work / "checkpoint.pt").exists():
        trainer.resume(torch.load(args.work / "checkpoint.pt", weights_only=True))
    if args.export_only:
        export(trainer, args.out)
        return 0
    if args.processes > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method=f"file://{(args.work / 'meeting').resolve()}", rank=rank,
                                world_size=args.processes)  # fmt: skip
    asked: list[int] = []
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda number, frame: asked.append(number))
    until = time.monotonic() + 60 * args.minutes if args.minutes else None

    def say(line: str) -> None:
        if rank == 0:
            print(line, file=sys.stderr, flush=True)

    finished = train(trainer, args.work, say, lambda: bool(asked) or (until is not None and time.monotonic() > until))
    if rank == 0 and finished:
        export(trainer, args.out)
        say(f"{args.out}: {trainer.step} steps, {trainer.seconds / 60:.0f} minutes")
    elif rank == 0:
        say("stopped; the same command goes on from here, --export-only writes the weights as they stand")
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0
