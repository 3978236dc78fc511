"""What a check writes can be scored through the product's own door, and gives the very margins that the check has measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.__main__ import main
from workbench.demo.check import KNOWN, asked
from workbench.demo.dump import dump
from workbench.demo.judge import Judge, whole
from workbench.demo.questions import Mix

MODEL = Path(__file__).resolve().parents[2] / "assets/demo-reranker"


def test_dumped_requests_score_as_the_check_does(tmp_path: Path) -> None:
    pictures = Mix(shown=1.0, topics=("colour",))
    questions = [*asked("dump", replace(KNOWN, topics=("shape", "motion")), 3, 2, 6), *asked("dump", pictures, 3, 1, 4)]
    said = dump(tmp_path / "shapes", questions, 3)
    assert "3 requests" in said and "16 pairs" in said
    out = tmp_path / "answers.jsonl"
    source = tmp_path / "shapes/requests.jsonl"
    code = main(["rerank", "--model", str(MODEL), "--in", str(source), "--out", str(out), "--details"])
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert code == 0 and len(answers) == 3
    judge, truth = Judge(MODEL), [json.loads(line) for line in (tmp_path / "shapes/answers.jsonl").read_text().splitlines()]
    for one, answer, right in zip(questions, answers, truth, strict=True):
        assert [p["logit"] for p in answer["pairs"]] == pytest.approx(whole(judge, one), abs=1e-3)
        assert right["relevant"] == one.question.labels
    media = {p.suffix for p in (tmp_path / "shapes/media").iterdir()}
    assert media == {".png", ".mp4"}
