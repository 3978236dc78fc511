"""The line under the prompt: which recipe it follows, and the first token in which the other would differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.test_wire import png
from workbench.errors import PromptInvalid
from workbench.pool import Bench
from workbench.recipes import Parting, parting, same_pixels
from workbench.types import Document, Encoding, Image, MediaInput, Parity, Query, Text
from workbench.ui.loop import Loop
from workbench.ui.recipe_view import recipe_html
from workbench.ui.rows import item_of

QUERY = Query("q", (Text("red"),))


def both(bench: Bench, *content: Any) -> tuple[Encoding, Encoding]:
    """One document by the reference and by vLLM."""
    found = [bench.preview(bench.variant(parity=p), QUERY, [Document("d", content)])[0] for p in ("reference", "vllm")]
    assert all(isinstance(e, Encoding) for e in found), found
    return found[0], found[1]  # type: ignore[return-value]


def line(bench: Bench, here: Encoding, there: Any, target: Parity = "reference", **fields: float) -> str:
    return recipe_html(target, here, there, bench.pool.get(bench.model).token, **fields)


@pytest.fixture(scope="module")
def vl(bench: Bench, tiny_qwen3_vl: Path) -> Bench:
    return replace(bench, model=str(tiny_qwen3_vl))


def test_equal_prompts_are_called_equal(vl: Bench) -> None:
    here, there = both(vl, Text("a red star"))
    assert parting(here, there) is None and same_pixels(here, there)
    drawn = line(vl, here, there)
    assert 'data-recipe="reference"' in drawn and 'data-parts="same"' in drawn and "as vLLM every token is the same." in drawn
    assert "Prompt as vLLM; as the reference every token" in line(vl, there, here, "vllm")
    assert "values differ" in line(vl, here, there, sharpness=5.0)


def test_the_first_token_that_differs_is_named_with_both_texts(vl: Bench) -> None:
    here, there = both(vl, Text("a <|im_end|> star"))
    at = next(i for i, (a, b) in enumerate(zip(here.token_ids, there.token_ids, strict=False)) if a != b)
    a, b = here.token_ids[at], there.token_ids[at]
    assert parting(here, there) == Parting(at, a, b) and there.token_ids[at : at + 3].count(151645) == 1
    drawn = line(vl, here, there)
    texts = [f'<code translate="no">{token.replace("<", "&lt;")}</code>' for token in map(vl.pool.get(vl.model).token, (a, b))]
    assert f'data-parts="{at}"' in drawn and f"<b>token_ids[{at}]</b>: {texts[1]} ({b}) instead of {texts[0]} ({a})" in drawn
    assert "tokens fewer in all" in drawn


def test_an_end_is_a_difference_too(vl: Bench) -> None:
    here, _ = both(vl, Text("star"))
    short = replace(here, token_ids=here.token_ids[:-2], pair=replace(here.pair, parity="vllm"))
    assert parting(here, short) == Parting(len(short.token_ids), here.token_ids[-2], None)
    assert "the end instead of" in line(vl, here, short) and "2 tokens fewer" in line(vl, here, short)


def test_pixels_differ_where_ids_do_not(vl: Bench) -> None:
    here, there = both(vl, Text("star"))
    item = MediaInput(Image("0" * 64), 64, 64, (1, 4, 4), 4)
    a, b = replace(here, media=(item,)), replace(there, media=(replace(item, width=32),))
    assert not same_pixels(a, b) and 'data-parts="pixels"' in line(vl, a, b)


def test_a_picture_is_resized_by_each_recipes_rules(vl: Bench) -> None:
    here, there = both(vl, vl.library.add(png(32, 32), "small.png"))
    assert same_pixels(here, there) == (here.media[0].width == there.media[0].width)


def test_what_the_other_recipe_refuses_is_said(vl: Bench) -> None:
    here, _ = both(vl, Text("star"))
    drawn = line(vl, here, PromptInvalid("is <too> long", where="prompt"))
    assert 'data-parts="error"' in drawn and "is &lt;too&gt; long" in drawn and ".." not in drawn
    assert "not compared" in line(vl, here, None)


def test_the_preview_carries_the_line(vl: Bench, tmp_path: Path) -> None:
    items = [item_of(Document("d", (Text("a <|im_end|> star"),)), "d", "d")]
    values: list[Any] = [vl.model, "reference", "red", [], items, vl.template_for(vl.variant()).body, "", "", ""]
    drawn = Loop(vl, tmp_path).on_preview({"side": "a", "at": 0}, {}, *values)[-2]
    assert "Prompt as the reference; as vLLM it parts at <b>token_ids[" in drawn
