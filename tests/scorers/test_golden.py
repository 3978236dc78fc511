"""What a vLLM server answered for the tiny checkpoints, reproduced: equal ids, logits and scores within 1e-4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.media import read_content
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import Scorer
from workbench.template import template_of
from workbench.types import Document, Limits, Query, Score, Variant

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "vllm_qwen.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: f"{c['model']}-{c['template']}")
def test_vllm_answers_are_reproduced(case: dict[str, Any], bench: Bench, request: pytest.FixtureRequest) -> None:
    scorer: Scorer = request.getfixturevalue(case["model"].replace("-", "_"))
    body = case["request"]
    variant = Variant(
        scorer.name,
        template_of(GOLDEN["templates"][case["template"]], scorer.family),
        variables=body.get("chat_template_kwargs", {}),
        limits=Limits(body.get("max_tokens_per_query"), body.get("max_tokens_per_doc")),
        parity="vllm",
    )
    query = Query("q", read_content(body["query"], bench.library))
    document = Document("d", read_content(body["documents"][0], bench.library))
    encoding = scorer.encode(make_pair(bench.renderer, scorer, variant, query, document))
    assert list(encoding.token_ids) == case["token_ids"]
    ((_, score),) = scorer.score([encoding])
    assert isinstance(score, Score)
    assert score.logit == pytest.approx(case["logit"], abs=1e-4)
    assert score.value == pytest.approx(case["score"], abs=1e-4)


def test_all_twenty_cases_are_there() -> None:
    assert len(GOLDEN["cases"]) == 20
