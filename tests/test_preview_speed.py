"""A preview while typing costs little more than rendering and tokenizing the pair with transformers alone."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import _compile_jinja_template

from workbench.pool import Bench
from workbench.types import Document, Query, Text, Variant

WORDS = "retrieval ranking score template newline query document instruct prompt cross encoder".split()
LONG = " ".join(WORDS[i % len(WORDS)] for i in range(1900))  # with its prompt about 2,000 tokens
ROUNDS, MOST = 25, 3.0


@pytest.mark.clock
def test_the_preview_of_2000_tokens_takes_at_most_three_times_its_parts(bench: Bench, tiny_qwen3: Path) -> None:
    family = bench.pool.get(str(tiny_qwen3)).family
    tokenizer = AutoTokenizer.from_pretrained(str(tiny_qwen3))
    ratios = []
    for turn in range(ROUNDS):
        text, body = f"{LONG} {turn}", f"{family.template.body}{{# {turn} #}}"  # as at a keystroke: nothing can be remembered
        started = time.perf_counter()
        messages = [{"role": "query", "content": "what is scored"}, {"role": "document", "content": text}]
        ids = tokenizer(_compile_jinja_template(body).render(messages=messages), add_special_tokens=False)["input_ids"]
        between = time.perf_counter()
        variant = Variant(str(tiny_qwen3), template=replace(family.template, body=body))
        (found,) = bench.preview(variant, Query("q", (Text("what is scored"),)), [Document("d", (Text(text),))])
        ratios.append((time.perf_counter() - between) / (between - started))
        assert list(found.token_ids) == ids and 1900 < len(ids) < 2100
    assert statistics.median(ratios[5:]) <= MOST, f"median {statistics.median(ratios[5:]):.2f} of {ROUNDS - 5}"
