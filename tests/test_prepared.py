"""What the prepared questions promise of the shipped model: one prompt on both sides; faults mended one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from workbench.metrics import DEPTH, ndcg
from workbench.pool import Bench
from workbench.ranking import ranking
from workbench.scenario import Scenario, read_scenario
from workbench.types import Ranking

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "assets" / "demo-reranker"
# What each note in the template says to do, as (what is there, what is to be there).
MENDED = {
    "1 role": ("message.role == 'system'", "message.role == 'query'"),
    "2 newline": ("{{- '<|im_start|>assistant' -}}", "{{- '<|im_start|>assistant\\n' -}}"),
    "3 wrap": (
        "{%- set document = '<|im_start|>user\\n<Instruct>: Given a search query, retrieve relevant candidates that answer the "
        "query.<Query>:<Document>:' ~ document ~ '<|im_end|>\\n<|im_start|>assistant\\n' -%}\n", "",
    ),
}  # fmt: skip


def scenario(bench: Bench, name: str) -> Scenario:
    return read_scenario(ROOT / "assets" / "scenarios" / f"{name}.json", bench.library)


def ranked(bench: Bench, asked: Scenario, template: str | None, instruction: str | None) -> Ranking:
    own = bench.pool.template(MODEL.name)
    variant = bench.variant(template=replace(own, body=template) if template else None, instruction=instruction)
    found = ranking(variant, asked.query, list(bench.rank(variant, asked.query, asked.rows)))
    assert not found.failed
    return found


def ids(found: Ranking) -> dict[int, tuple[int, ...]]:
    return {r.index: r.encoding.token_ids for r in found.ranked if r.encoding}


def worth(asked: Scenario, found: Ranking) -> float:
    grades = [grade or 0 for grade in asked.grades]
    value = ndcg([grades[r.index] for r in found.ranked], grades)
    assert value is not None
    return value


def test_an_instruction_sent_or_written_in_is_the_same_prompt(shipped: Bench) -> None:
    asked = scenario(shipped, "nothing-changed")
    a, b = (ranked(shipped, asked, side.template, side.instruction) for side in (asked.a, asked.b))
    assert asked.a.instruction and not asked.b.instruction and asked.b.template
    assert len(ids(a)) == len(asked.rows) and ids(a) == ids(b)


def test_the_faults_of_the_page_are_mended_one_by_one(shipped: Bench) -> None:
    """In the order of their numbers each line that is mended raises the worth of the ranking; one alone may not."""
    asked = scenario(shipped, "page-you-followed")
    text, instruction = str(asked.b.template), asked.b.instruction
    a, b = (ranked(shipped, asked, side.template, side.instruction) for side in (asked.a, asked.b))
    found = {"B": worth(asked, b)}
    for name, (before, after) in MENDED.items():
        assert text.count(before) == 1, name
        text = text.replace(before, after)
        found[name] = worth(asked, ranked(shipped, asked, text, instruction))
    print(f"nDCG@{DEPTH}: A {worth(asked, a):.3f}, " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    values = list(found.values())
    assert all(later > earlier for earlier, later in pairwise(values)), found
    assert ids(ranked(shipped, asked, text, instruction)) == ids(a)  # all three mended: the model's own prompt


def test_the_last_token_of_the_page_is_another_one(shipped: Bench) -> None:
    asked = scenario(shipped, "page-you-followed")
    last = [
        {i[-1] for i in ids(ranked(shipped, asked, side.template, side.instruction)).values()}
        for side in (asked.a, asked.b)
    ]
    assert len(last[0]) == len(last[1]) == 1 and last[0] != last[1]
