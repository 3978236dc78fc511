"""The weights in assets/ answer unseen questions, load as any other checkpoint and rank the scenarios as promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from workbench.demo.check import HELD, Judge, cell
from workbench.demo.pool import Item, shrink
from workbench.demo.questions import Mix
from workbench.demo.scenes import Scene, read_mp4, sample

ROOT = Path(__file__).resolve().parents[2]
MODEL, SCENARIOS = ROOT / "assets/demo-reranker", ROOT / "assets/scenarios"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(MODEL)


def media(part: dict[str, object]) -> str | Item:
    """A part of a scenario as the model gets it: shrunk, frames sampled."""
    import numpy as np
    import torch

    nothing = Scene("red", "star")
    match part["type"]:
        case "text":
            return str(part["text"])
        case "image_url":
            pixels = np.array(Pillow.open(SCENARIOS / part["image_url"]["url"]).convert("RGB"))[None]  # type: ignore[index]
            return Item(nothing, shrink(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
        case _:
            frames, fps = read_mp4((SCENARIOS / part["video_url"]["url"]).read_bytes())  # type: ignore[index]
            chosen = sample(len(frames), fps)
            seconds = tuple((chosen[i] + chosen[i + 1]) / 2 / fps for i in range(0, len(chosen), 2))
            return Item(nothing, shrink(torch.from_numpy(frames[chosen]).permute(0, 3, 1, 2)), seconds)


def rank(judge: Judge, scenario: dict, instruction: str) -> list[float]:  # type: ignore[type-arg]
    documents = [media(d["content"][0]) for d in scenario["documents"]]
    return judge.margins(instruction, media(scenario["query"]["content"][0]), documents)


def test_unseen_scenes_are_answered(judge: Judge) -> None:
    cells = [cell(judge, facet, Mix(kinds=(kind,), pictures=0.0), seed=99, count=4)
             for facet in ("everything", "colour", "shape", "motion") for kind in ("picture", "clip", "caption")
             if (facet, kind) != ("motion", "picture")]  # fmt: skip
    assert sum(c.accuracy for c in cells) / len(cells) >= 0.90


def test_unseen_phrasings_are_followed(judge: Judge) -> None:
    cells = [cell(judge, facet, HELD, seed=99, count=5) for facet in ("everything", "colour", "shape", "motion")]
    assert sum(c.accuracy for c in cells) / len(cells) >= 0.85


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.json")), ids=lambda p: p.stem)
def test_a_scenario_is_whole_and_b_serves_its_need(judge: Judge, path: Path) -> None:
    scenario = json.loads(path.read_text())
    assert {"need", "query", "documents", "a", "b"} <= set(scenario)
    grades = [d["grade"] for d in scenario["documents"]]
    scores = rank(judge, scenario, scenario["b"]["instruction"])
    wanted = [s for s, g in zip(scores, grades, strict=True) if g]
    others = [s for s, g in zip(scores, grades, strict=True) if not g]
    assert min(wanted) > max(others), dict(zip([d["label"] for d in scenario["documents"]], scores, strict=True))


def test_the_opening_flips(judge: Judge) -> None:
    scenario = json.loads((SCENARIOS / "flip.json").read_text())
    scores = rank(judge, scenario, scenario["a"]["instruction"])
    labels = [d["label"] for d in scenario["documents"]]
    assert [label for label, s in zip(labels, scores, strict=True) if s > 0] == ["red star, picture"]


def test_the_card_is_honest_and_the_folder_small() -> None:
    told = json.loads((MODEL / "training.json").read_text())
    assert told["check"]["mean"]["known words"] >= 0.90 and told["curve"]
    assert f"{told['check']['mean']['known words']:.3f}" in (MODEL / "README.md").read_text()
    assert sum(p.stat().st_size for p in MODEL.rglob("*") if p.is_file()) < 12_000_000
