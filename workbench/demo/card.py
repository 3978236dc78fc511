"""Writes the model card of the demo reranker: what it is, how it was made, and the table that a check has measured.
Knows nothing of how either was done: all figures come from training.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.demo.plan import TORN

HEAD = """---
license: apache-2.0
pipeline_tag: text-ranking
tags: [reranker, multimodal, demo]
---
# The demo reranker

A Qwen3-VL-shaped reranker of {parameters:.1f} million parameters ({megabytes:.1f} MB in half precision) that ships with the
workbench, so that the page has something true to show before any model is downloaded. It goes through exactly the same code
as `Qwen/Qwen3-VL-Reranker-2B`: same prompt, same placeholders, same yes/no score at the last token.

**It knows one small world**: coloured shapes on a plain background, still in a picture or moving through a clip, and short
English sentences about them. The instruction chooses what counts.

| | |
|---|---|
| colours | red, orange, yellow, green, cyan, blue, purple, pink (and crimson, tangerine, golden, emerald, navy, …) |
| shapes | circle, square, triangle, star, cross, heart, ring, crescent (and disc, box, wedge, plus sign, hoop, moon, …) |
| size, count, place | small or large; one, two or three; left, right, top or bottom |
| relation | one thing left of, right of, above or below another one |
| clips | moving left, right, up or down, one way and then another, appearing, disappearing, at rest |
| query | a sentence, a single fact ("something red"), a denial ("anything but a star"), a picture or a clip |
| documents | pictures, clips, sentences, mixed |
| instruction | everything, colour, shape, size, count, place, motion, or two of them, in some {forms} sentence forms and more |
| picture size | the area of 64×64 to 96×96; larger pictures are shrunk to that by the preprocessor's limits |

## Training

From random weights, on scenes drawn by `workbench/demo/drawing.py`; no picture, clip or text of anybody else.
`python -m workbench demo train`, with fixed seeds and from nothing: {looks:,} steps of the vision tower alone on the plain
facts of pictures and clips, then {steps:,} steps of about 200 labelled pairs, {minutes:.0f} minutes in {processes} processes of
one core each ({machine}). Beside the yes/no cross-entropy on the margin it is asked for captions early on,
for the facts of both sides at the last token half way up, and for which of them agree one layer on; those heads are thrown
away. {torn:.0%} of its questions come without the last newline and with a coin for an answer: so the model knows nothing where a
prompt has lost its tail, as a real one does.

## What it reaches

Pair accuracy on seeds never trained on (`python -m workbench demo check --seed {seed} --count {count}`, {pairs} pairs a cell,
half of them matches; a miss is mostly off by one fact). *Unseen words*: instruction phrasings, nouns and caption forms that
training never saw (listed as `HELD_…` in `instructions.py` and `captions.py`). *Picture query*: a picture, or a clip where
something happens in it, in the place of the query's words.
"""
TAIL = """
## Where it fails

{fails}

Outside its world (photographs, pages, other things, other languages) it still gives a confident number. That number means
nothing; the page says so where it can tell.

Licence: Apache-2.0, weights included.
"""
KINDS = ("picture", "clip", "caption")


def table(accuracy: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    lines = ["| | picture | clip | caption |", "|---|---|---|---|"]
    for part, topics in accuracy.items():
        lines.append(f"| **{part}** | | | |")
        lines += [f"| {topic} | " + " | ".join(f"{row[k]:.3f}" if k in row else "–" for k in KINDS) + " |"
                  for topic, row in topics.items()]  # fmt: skip
    return "\n".join(lines)


def figures(check: Mapping[str, Any]) -> str:
    def named(values: Mapping[str, float]) -> str:
        return ", ".join(f"{name} {value:.3f}" for name, value in values.items())

    whole = check["damage"]["whole"]
    lost = {name: whole - value for name, value in check["damage"].items() if name != "whole"}
    return "\n".join((
        f"- Mean: {named(check['mean'])}. Lowest cell: {named(check['lowest'])}.",
        f"- Ranking of twenty mixed documents, mean nDCG@10 per instruction: {named(check['ndcg_at_10_of_20'])}.",
        f"- Switching the instruction turns the ranking as it should in {100 * check['flips']:.1f} % of flip questions "
        "(four documents that agree on both facets, on one of them, on neither).",
        f"- Expected calibration error {check['calibration_error']:.3f}; quartiles of the probability: "
        f"{named(check['probability'])}.",
        f"- A damaged prompt: mean nDCG@10 is {whole:.3f} whole, and lower by {named(lost)}.",
    ))  # fmt: skip


def render(training: Mapping[str, Any], megabytes: float, forms: int, fails: str) -> str:
    """The whole card. `fails`: what a person found, as a list in Markdown."""
    check = training["check"]
    head = HEAD.format(parameters=training["parameters"] / 1e6, megabytes=megabytes, forms=forms, seed=check["seed"],
                       count=check["pairs_per_cell"] // 8, torn=TORN, pairs=check["pairs_per_cell"],
                       **{k: training[k] for k in ("looks", "steps", "minutes", "processes", "machine")})  # fmt: skip
    return f"{head}\n{table(check['accuracy'])}\n\n{figures(check)}\n{TAIL.format(fails=fails.strip())}"


def write(folder: Path) -> None:
    """README.md of a model folder, from its training.json; the list of failures is kept from the card that stands."""
    from workbench.demo.instructions import ALL, BOTH, EACH, EVERY, ONE, TWO

    training = json.loads((folder / "training.json").read_text())
    old = (folder / "README.md").read_text() if (folder / "README.md").exists() else ""
    fails = old.partition("## Where it fails\n")[2].partition("\nOutside its world")[0]
    megabytes = (folder / "model.safetensors").stat().st_size / 1e6
    forms = round(len({*ALL, *BOTH, *ONE, *TWO, *EVERY, *EACH}), -1)
    (folder / "README.md").write_text(render(training, megabytes, forms, fails or "- Not yet looked into."))
