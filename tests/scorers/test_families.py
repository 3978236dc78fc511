"""Prompted families beside Qwen's: bytes and ids of their own scripts written out by hand, scores of transformers' forward."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaForSequenceClassification,
    Qwen3ForSequenceClassification,
)

from tests.scorers.conftest import document, query
from workbench import scorers
from workbench.errors import ModelUnavailable, PromptInvalid
from workbench.media import Library
from workbench.pool import Bench, Pool
from workbench.ranking import make_pair
from workbench.scorers import Scorer
from workbench.scorers._checkpoint import open_checkpoint
from workbench.types import Encoding, Score, Variant

Tiny = Callable[[str], Path]
Open = Callable[[str], Scorer]
PAIRS = [("how do bees find flowers", "Petals reflect ultraviolet."), ("cat", "a cat\n"), ("why?", "  x"), ("é 🌸", "Yes.\n\n")]


def scored(bench: Bench, scorer: Scorer, q: str, d: str, **fields: Any) -> tuple[Encoding, Score]:
    encoding = scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name, **fields), query(q), document(d)))
    ((_, score),) = scorer.score([encoding])
    assert isinstance(score, Score), score
    return encoding, score


load_tokenizer = cache(AutoTokenizer.from_pretrained)
load_causal = cache(AutoModelForCausalLM.from_pretrained)


def causal(folder: Path, ids: list[int]) -> torch.Tensor:
    """Logits of the last token: [vocabulary]."""
    with torch.no_grad():
        return load_causal(folder).eval()(torch.tensor([ids])).logits[0, -1]  # type: ignore[no-any-return]


# ---------------------------------------------------------------- mxbai-rerank-v2
MXBAI_HEAD = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
)
MXBAI_TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. For each query-document pair, "
    "carefully analyze the semantic relationship between them, then provide your binary relevance judgment "
    "(0 for not relevant, 1 for relevant).\nRelevance:"
)
MXBAI_TAIL = "<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("instruction", [None, "Prefer botany."])
@pytest.mark.parametrize(("q", "d"), PAIRS)
def test_mxbai_joins_ids_as_its_script_does(
    bench: Bench, open_tiny: Open, tiny: Tiny, q: str, d: str, instruction: str | None
) -> None:
    tokenizer = load_tokenizer(tiny("qwen2"))
    asked = f"instruction: {instruction}\nquery: {q}" if instruction else f"query: {q}"
    pieces = [MXBAI_HEAD, asked, "\n", f"document: {d}", "\n", MXBAI_TASK, MXBAI_TAIL]
    ids = [t for p in pieces for t in tokenizer(p, add_special_tokens=False)["input_ids"]]
    encoding, score = scored(bench, open_tiny("qwen2"), q, d, instruction=instruction)
    assert encoding.prompt.text == "".join(pieces)
    assert list(encoding.token_ids) == ids
    logits = causal(tiny("qwen2"), ids)
    one, zero = tokenizer.convert_tokens_to_ids(["1", "0"])
    assert score.logit == pytest.approx(float(logits[one] - logits[zero]), abs=1e-4)


def test_mxbai_under_vllm_is_tokenized_whole(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    q, d = PAIRS[0]
    encoding, _ = scored(bench, open_tiny("qwen2"), q, d, parity="vllm")
    reference, _ = scored(bench, open_tiny("qwen2"), q, d)
    assert list(encoding.token_ids) == load_tokenizer(tiny("qwen2"))(encoding.prompt.text)["input_ids"]
    assert encoding.prompt.text == reference.prompt.text
    assert len(reference.token_ids) == len(encoding.token_ids) + 1  # ".\n" is one token, "." and "\n" are two


def test_mxbai_spans_are_the_tokens_own_characters(bench: Bench, open_tiny: Open) -> None:
    encoding, _ = scored(bench, open_tiny("qwen2"), "a query<|im_end|>", "A document.", instruction="I")
    shown = "".join(encoding.prompt.text[a:b] for a, b in encoding.spans)
    assert shown == encoding.prompt.text
    assert [encoding.prompt.text[a:b] for a, b in encoding.neutralised] == ["<|im_end|>"]


# ---------------------------------------------------------------- bge-reranker-v2-gemma
GEMMA_TASK = (
    "Given a query A and a passage B, determine whether the passage contains an answer to the query by providing a prediction "
    "of either 'Yes' or 'No'."
)


@pytest.mark.parametrize(("q", "d"), PAIRS)
def test_bge_gemma_reads_the_raw_row_of_yes(bench: Bench, open_tiny: Open, tiny: Tiny, q: str, d: str) -> None:
    tokenizer = load_tokenizer(tiny("gemma"))
    pieces = [f"A: {q}", "\n", f"B: {d}", "\n", GEMMA_TASK]
    ids = [2] + [t for p in pieces for t in tokenizer(p, add_special_tokens=False)["input_ids"]]
    encoding, score = scored(bench, open_tiny("gemma"), q, d)
    assert encoding.prompt.text == "".join(pieces) and list(encoding.token_ids) == ids
    expected = float(causal(tiny("gemma"), ids)[tokenizer.convert_tokens_to_ids("Yes")])
    assert score.logit == pytest.approx(expected, abs=1e-4)
    assert score.value == pytest.approx(float(torch.sigmoid(torch.tensor(expected))), abs=1e-4)


def test_bge_gemma_under_vllm_has_one_bos(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    encoding, _ = scored(bench, open_tiny("gemma"), "cat", "a cat.", parity="vllm")
    assert list(encoding.token_ids) == load_tokenizer(tiny("gemma"))(encoding.prompt.text)["input_ids"]
    assert [t for t in encoding.token_ids if t == 2] == [2]


# ---------------------------------------------------------------- zerank-2
@pytest.fixture(scope="module")
def zerank(bench: Bench, tiny_qwen3: Path) -> Scorer:
    """The tiny Qwen3, opened as another family than its architecture says."""
    pool = Pool(bench.families, bench.library, device="cpu", overrides={str(tiny_qwen3): {"family": "zerank-2"}})
    return pool.get(str(tiny_qwen3))


@pytest.mark.parametrize("instruction", [None, "  ", "Prefer botany."])
def test_zerank(bench: Bench, zerank: Scorer, tiny_qwen3: Path, instruction: str | None) -> None:
    q, d = PAIRS[0]
    asked = f"<query>{q}</query>\n<instruction>{instruction}</instruction>" if (instruction or "").strip() else q
    text = f"<|im_start|>system\n{asked}<|im_end|>\n<|im_start|>user\n{d}<|im_end|>\n<|im_start|>assistant\n"
    tokenizer = load_tokenizer(tiny_qwen3)
    ids = tokenizer(text)["input_ids"]
    logit = float(causal(tiny_qwen3, ids)[tokenizer.convert_tokens_to_ids("Yes")])
    for parity, sharpness in (("reference", 5.0), ("vllm", 1.0)):
        encoding, score = scored(bench, zerank, q, d, instruction=instruction, parity=parity)
        assert encoding.prompt.text == text and list(encoding.token_ids) == ids
        assert score.logit == pytest.approx(logit, abs=1e-4)
        assert score.value == pytest.approx(float(torch.sigmoid(torch.tensor(logit / sharpness))), abs=1e-5)


# ---------------------------------------------------------------- sequence heads over decoders
def test_a_converted_qwen3_scores_like_the_original(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    model = Qwen3ForSequenceClassification.from_pretrained(tiny("qwen3-converted")).eval()
    for q, d in PAIRS:
        (ours, converted), (theirs, original) = (scored(bench, open_tiny(n), q, d) for n in ("qwen3-converted", "qwen3"))
        assert ours.token_ids == theirs.token_ids
        assert converted.logit == pytest.approx(original.logit, abs=1e-4)
        with torch.no_grad():
            assert converted.logit == pytest.approx(float(model(torch.tensor([ours.token_ids])).logits), abs=1e-4)


def test_nemotron_sees_both_ways_and_reads_the_mean(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    """By hand: eager attention, a mask that hides nothing, the mean of the last hidden states, the head."""
    folder = tiny("llama-bidirectional")
    model = LlamaForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
    scorer, tokenizer = open_tiny("llama-bidirectional"), load_tokenizer(folder)
    batch, expected = [], []
    for q, d in PAIRS:
        text = f"question:{q} \n \n passage:{d}"
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        nothing_hidden = torch.zeros(1, 1, ids.shape[1], ids.shape[1])
        with torch.no_grad():
            hidden = model.model(ids, attention_mask=nothing_hidden).last_hidden_state
            expected.append(float(model.score(hidden.mean(1))))
            assert expected[-1] != pytest.approx(float(model.score(model.model(ids).last_hidden_state.mean(1))), abs=1e-3)
        encoding, score = scored(bench, scorer, q, d)
        assert encoding.prompt.text == text and list(encoding.token_ids) == ids[0].tolist()
        assert score.logit == pytest.approx(expected[-1], abs=1e-4)
        batch.append(encoding)
    together = {i: s.logit for i, s in scorer.score(batch) if isinstance(s, Score)}
    assert [together[i] for i in range(len(batch))] == pytest.approx(expected, abs=1e-4)


# ---------------------------------------------------------------- overrides in vLLM's words
def test_overrides_choose_labels_and_method(bench: Bench, tiny_qwen3: Path, library: Library) -> None:
    checkpoint = open_checkpoint(str(tiny_qwen3), bench.families)

    def logit(overrides: dict[str, Any]) -> float:
        scorer = scorers.load(checkpoint, library, device="cpu", overrides=overrides)
        return scored(bench, scorer, *PAIRS[0])[1].logit

    plain, swapped = logit({}), logit({"classifier_from_token": ["yes", "no"]})
    assert swapped == pytest.approx(-plain, abs=1e-5)
    both = [logit({"classifier_from_token": [t], "method": "no_post_processing"}) for t in ("yes", "no")]
    assert both[0] - both[1] == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"classifier_from_token": ["yes"]}, "gives no score"),
        ({"classifier_from_token": ["yes", "no"], "method": "no_post_processing"}, "gives no score"),
        ({"classifier_from_token": ["a b", "no"]}, "cannot be a label"),
    ],
)
def test_overrides_that_give_no_score_are_said(
    bench: Bench, tiny_qwen3: Path, library: Library, overrides: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        scorers.load(open_checkpoint(str(tiny_qwen3), bench.families), library, device="cpu", overrides=overrides)


@pytest.mark.parametrize("name", ["bert-pairs", "st-mean", "reward"])
def test_label_tokens_are_refused_where_none_are_read(bench: Bench, tiny: Tiny, library: Library, name: str) -> None:
    with pytest.raises(ModelUnavailable, match="reads no label tokens"):
        checkpoint = open_checkpoint(str(tiny(name)), bench.families)
        scorers.load(checkpoint, library, device="cpu", overrides={"classifier_from_token": ["no", "yes"]})


def test_a_family_that_does_not_exist_is_said(bench: Bench, tiny_qwen3: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no family 'x'"):
        open_checkpoint(str(tiny_qwen3), bench.families, family="x")


@pytest.mark.parametrize("name", ["royokong/e5-v", "jinaai/jina-reranker-v3", "nvidia/llama-nemotron-rerank-vl-1b-v2"])
def test_what_only_a_server_can_score_says_why(bench: Bench, name: str) -> None:
    family = next(f for f in bench.families.values() if name in f.models)
    with pytest.raises(ModelUnavailable, match="vLLM") as caught:
        bench.pool.get(name)
    assert family.remote in str(caught.value)
    assert name not in bench.pool.offered()


def test_a_template_that_hides_where_its_values_are_is_refused_where_ids_are_joined(bench: Bench, open_tiny: Open) -> None:
    from workbench.template import template_of

    template = template_of("{{- messages[0].content | upper ~ messages[1].content | upper -}}")
    with pytest.raises(PromptInvalid, match="script"):
        scored(bench, open_tiny("qwen2"), "a", "b", template=template)
