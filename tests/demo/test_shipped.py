"""The weights in assets/ answer unseen questions, load as any other checkpoint and rank the scenarios as promised."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from workbench.demo.card import figures, table
from workbench.demo.check import GATE, HELD, KNOWN, NEVER, STRETCH, Judge, calibration, cell, damaged, rankings
from workbench.demo.files import read_mp4, sample
from workbench.demo.flips import flips
from workbench.demo.pool import Item, shrink
from workbench.demo.questions import KINDS
from workbench.demo.scenarios import SCENARIOS as WRITTEN
from workbench.demo.scenarios import write
from workbench.demo.scenes import Scene

ROOT = Path(__file__).resolve().parents[2]
MODEL, SCENARIOS = ROOT / "assets/demo-reranker", ROOT / "assets/scenarios"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(MODEL)


def media(part: dict[str, object]) -> str | Item:
    """A part of a scenario as the model gets it: shrunk, frames sampled."""
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


def test_unseen_scenes_are_answered_and_the_odds_are_honest(judge: Judge) -> None:
    cells = [cell(judge, f"test {topic} {kind}", replace(KNOWN, topics=(topic,), kinds=(kind,)), seed=99, count=4)
             for topic in GATE for kind in KINDS if (topic, kind) not in NEVER]  # fmt: skip
    assert sum(c.accuracy for c in cells) / len(cells) >= 0.95
    assert calibration(cells) <= 0.05  # 544 pairs; the card's figure is of more


def test_unseen_phrasings_are_followed(judge: Judge) -> None:
    cells = [cell(judge, f"test held {topic}", replace(HELD, topics=(topic,)), seed=99, count=6) for topic in GATE]
    assert sum(c.accuracy for c in cells) / len(cells) >= 0.88


def test_what_is_harder_is_mostly_right(judge: Judge) -> None:
    cells = [cell(judge, f"test {topic}", replace(KNOWN, topics=(topic,)), seed=99, count=6) for topic in STRETCH]
    assert sum(c.accuracy for c in cells) / len(cells) >= 0.85


def test_twenty_documents_are_ranked_and_the_instruction_turns_them(judge: Judge) -> None:
    assert min(rankings(judge, 99, 3).values()) >= 0.93
    assert flips(judge, 99, 25) >= 0.9


def test_a_damaged_prompt_hurts(judge: Judge) -> None:
    found = damaged(judge, 99, 8)
    assert all(found["whole"] - value >= 0.05 for name, value in found.items() if name != "whole"), found


@pytest.mark.parametrize("name", [s.name for s in WRITTEN])
def test_a_scenario_is_whole_and_b_serves_its_need(judge: Judge, name: str) -> None:
    scenario = json.loads((SCENARIOS / f"{name}.json").read_text())
    assert {"need", "query", "documents", "a", "b"} <= set(scenario)
    grades = [d["grade"] for d in scenario["documents"]]
    scores = rank(judge, scenario, scenario["b"]["instruction"])
    wanted = [s for s, g in zip(scores, grades, strict=True) if g]
    others = [s for s, g in zip(scores, grades, strict=True) if not g]
    assert min(wanted) > max(others), dict(zip([d["label"] for d in scenario["documents"]], scores, strict=True))


@pytest.mark.parametrize("name", [s.name for s in WRITTEN])
def test_a_scenario_is_drawn_anew_byte_for_byte(name: str, tmp_path: Path) -> None:
    number = [s.name for s in WRITTEN].index(name)
    path = write(WRITTEN[number], tmp_path, number)
    assert path.read_text() == (SCENARIOS / f"{name}.json").read_text()
    for drawn in sorted((tmp_path / name).glob("*.png")):
        assert np.array_equal(np.array(Pillow.open(drawn)), np.array(Pillow.open(SCENARIOS / name / drawn.name)))


def test_forty_scenes_can_be_added() -> None:
    entries = json.loads((ROOT / "assets/scenes/index.json").read_text())
    assert len({e["file"] for e in entries}) == 40 and {e["kind"] for e in entries} == {"picture", "clip"}
    assert all((ROOT / "assets/scenes" / e["file"]).is_file() for e in entries)


def test_the_opening_flips(judge: Judge) -> None:
    scenario = json.loads((SCENARIOS / "flip.json").read_text())
    scores = rank(judge, scenario, scenario["a"]["instruction"])
    labels = [d["label"] for d in scenario["documents"]]
    assert [label for label, s in zip(labels, scores, strict=True) if s > 0] == ["red star, picture"]


def test_the_card_is_honest_and_the_folder_small() -> None:
    told = json.loads((MODEL / "training.json").read_text())
    assert told["check"]["mean"]["known words"] >= 0.96 and told["check"]["lowest"]["known words"] >= 0.90 and told["curve"]
    card = (MODEL / "README.md").read_text()
    assert table(told["check"]["accuracy"]) in card and figures(told["check"]) in card
    assert sum(p.stat().st_size for p in MODEL.rglob("*") if p.is_file()) < 12_000_000
