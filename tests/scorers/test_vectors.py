"""Embedding and late-interaction models: ids as their libraries make them, scores from transformers' hidden states by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer, BertModel

from tests.scorers.conftest import document, query
from tests.tiny_layouts import PROMPTS
from workbench.errors import ModelUnavailable, PromptInvalid
from workbench.pool import Bench
from workbench.ranking import make_pair, rerank
from workbench.scorers import Scorer, _engine
from workbench.types import Encoding, Limits, Score, Variant

Tiny = Callable[[str], Path]
Open = Callable[[str], Scorer]
PAIRS = [("the cat", "a dog is what the cat of paris is."), ("red é circle?", "x"), ("cat", "the  force\nof gravity")]
load_model = cache(AutoModel.from_pretrained)
load_tokenizer = cache(AutoTokenizer.from_pretrained)


def encode(bench: Bench, scorer: Scorer, q: str, d: str, **fields: Any) -> Encoding:
    return scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name, **fields), query(q), document(d)))


def scored(scorer: Scorer, encoding: Encoding) -> Score:
    ((_, score),) = scorer.score([encoding])
    assert isinstance(score, Score), score
    return score


def hidden(model: Any, ids: list[int], mask: list[int] | None = None) -> torch.Tensor:
    with torch.no_grad():
        seen = torch.tensor([mask or [1] * len(ids)])
        return model.eval()(torch.tensor([ids]), attention_mask=seen).last_hidden_state[0]  # type: ignore[no-any-return]


def sides(encoding: Encoding) -> tuple[list[int], list[int]]:
    at = encoding.query_tokens
    return list(encoding.token_ids[:at]), list(encoding.token_ids[at:])


# ---------------------------------------------------------------- one vector
def mean_and_dense(folder: Path, ids: list[int]) -> torch.Tensor:
    weights = load_file(folder / "2_Dense/model.safetensors")
    return torch.tanh(weights["linear.weight"] @ hidden(load_model(folder), ids).mean(0) + weights["linear.bias"])


def last(folder: Path, ids: list[int]) -> torch.Tensor:
    return hidden(load_model(folder), ids)[-1]


def cls_and_weighted(folder: Path, ids: list[int]) -> torch.Tensor:
    states = hidden(load_model(folder), ids)
    weighted = sum((i + 1) * states[i] for i in range(len(ids))) / sum(i + 1 for i in range(len(ids)))
    return torch.cat([states[0], weighted])  # type: ignore[list-item]


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / a.norm() / b.norm())


def dot(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b)


@pytest.mark.parametrize(
    ("name", "prompts", "embed", "compare"),
    [
        ("st-mean", (PROMPTS["query"], PROMPTS["document"]), mean_and_dense, cosine),
        ("st-last", ("Instruct: Given a web search query\nQuery:", ""), last, cosine),
        ("st-dot", ("", ""), cls_and_weighted, dot),
    ],
)
def test_embeddings_equal_transformers(
    bench: Bench, open_tiny: Open, tiny: Tiny, name: str, prompts: tuple[str, str],
    embed: Callable[[Path, list[int]], torch.Tensor], compare: Callable[[torch.Tensor, torch.Tensor], float],
) -> None:  # fmt: skip
    folder, scorer, seen = tiny(name), open_tiny(name), []
    assert scorer.family.name == "bi-encoder"
    for q, d in PAIRS:
        ids = [load_tokenizer(folder)(p + t)["input_ids"] for p, t in zip(prompts, (q, d), strict=True)]
        encoding = encode(bench, scorer, q, d)
        assert list(sides(encoding)) == ids
        expected = compare(*(embed(folder, i) for i in ids))
        score = scored(scorer, encoding)
        assert score.logit == score.value == pytest.approx(expected, abs=1e-4)
        seen.append(expected)
    assert max(seen) - min(seen) > 0.01  # texts differ, and so do their scores


def test_under_vllm_there_is_no_prompt_and_always_the_cosine(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    for name, embed in (("st-mean", mean_and_dense), ("st-dot", cls_and_weighted)):
        q, d = PAIRS[0]
        encoding = encode(bench, open_tiny(name), q, d, parity="vllm")
        ids = [load_tokenizer(tiny(name))(t)["input_ids"] for t in (q, d)]
        assert list(sides(encoding)) == ids
        expected = cosine(*(embed(tiny(name), i) for i in ids))
        assert scored(open_tiny(name), encoding).logit == pytest.approx(expected, abs=1e-4)


def test_a_folder_without_a_layout_is_pooled_as_each_recipe_does(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    q, d = PAIRS[0]
    states = [hidden(load_model(tiny("bert-plain")), load_tokenizer(tiny("bert-plain"))(t)["input_ids"]) for t in (q, d)]
    for parity, expected in (
        ("reference", cosine(states[0].mean(0), states[1].mean(0))),
        ("vllm", cosine(states[0][0], states[1][0])),
    ):
        encoding = encode(bench, open_tiny("bert-plain"), q, d, parity=parity)
        assert scored(open_tiny("bert-plain"), encoding).logit == pytest.approx(expected, abs=1e-4)


def test_the_preview_shows_both_sides_with_what_stands_around_them(bench: Bench, open_tiny: Open) -> None:
    encoding = encode(bench, open_tiny("st-mean"), "cat", "a dog", instruction="x")
    text = encoding.prompt.text
    assert text == "[CLS]what is the cat[SEP]\n[CLS]gravity: a dog[SEP]"
    assert encoding.prompt.segments is not None
    assert [(s.kind, text[s.start : s.end]) for s in encoding.prompt.segments] == [
        ("system", "[CLS]what is the "), ("query", "cat"), ("template", "[SEP]\n[CLS]gravity: "), ("document", "a dog"),
        ("suffix", "[SEP]"),
    ]  # fmt: skip
    shown = [text[a:b] for a, b in encoding.spans]
    assert shown[:6] == ["[CLS]", "what", "is", "the", "cat", "[SEP]"] and shown[6] == "[CLS]" and shown[-1] == "[SEP]"
    assert encoding.prompt.unused == ("instruction",)


def test_each_side_is_cut_by_itself_and_keeps_its_special_tokens(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    scorer, tokenizer = open_tiny("st-mean"), load_tokenizer(tiny("st-mean"))
    assert scorer.window("reference") == scorer.window("vllm") == 32  # sentence_bert_config.json
    q, d = "cat " * 40, "dog " * 50
    encoding = encode(bench, scorer, q, d)
    ids = [tokenizer(p + t, truncation=True, max_length=32)["input_ids"] for p, t in zip(PROMPTS.values(), (q, d), strict=True)]
    assert list(sides(encoding)) == ids
    assert encoding.cut is not None and encoding.cut.other is not None
    assert len(encoding.cut.ids) == 50 + 4 - 32 and len(encoding.cut.other.ids) == 40 + 5 - 32
    assert set(encoding.prompt.text[slice(*encoding.cut.span)].split()) == {"dog"}
    with pytest.raises(PromptInvalid, match="window is 32"):
        encode(bench, scorer, q, d, parity="vllm")
    short = encode(bench, scorer, q, d, parity="vllm", limits=Limits(truncate_prompt_tokens=5))
    assert list(sides(short)) == [tokenizer(t, truncation=True, max_length=5)["input_ids"] for t in (q, d)]


def test_vectors_are_computed_once(bench: Bench, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = bench.pool._load(str(tiny("st-mean")), lambda _: None)
    seen: list[int] = []
    real = _engine.all_hidden
    monkeypatch.setattr(_engine, "all_hidden", lambda b, rows, *a: seen.append(len(rows)) or real(b, rows, *a))
    documents = [document(t, id=t) for t in ("cat", "dog", "red", "cat")]
    first = [r.score for r in rerank(bench.renderer, scorer, Variant(scorer.name), query("the cat"), documents)]
    assert sum(seen) == 4  # one query, three different documents
    again = [r.score for r in rerank(bench.renderer, scorer, Variant(scorer.name), query("the cat"), documents)]
    assert sum(seen) == 4 and len(again) == len(first) == 4
    list(rerank(bench.renderer, scorer, Variant(scorer.name), query("a dog"), documents))
    assert sum(seen) == 5  # the query alone


def edited(folder: Path, tmp_path: Path, file: str, **extra: Any) -> Path:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | extra))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "extra", "says"),
    [
        ("1_Pooling/config.json", {"include_prompt": False}, "out of the pooling"),
        ("1_Pooling/config.json", {"pooling_mode": "magic"}, "pools by magic"),
        ("config_sentence_transformers.json", {"similarity_fn_name": "euclidean"}, "compares by euclidean"),
    ],
)
def test_what_is_not_built_is_said_when_the_model_is_opened(
    bench: Bench, tiny: Tiny, tmp_path: Path, file: str, extra: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        bench.pool._load(str(edited(tiny("st-mean"), tmp_path, file, **extra)), lambda _: None)


def test_a_dense_layer_that_is_a_pickle_is_refused(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny("st-mean"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "2_Dense/model.safetensors").rename(tmp_path / "2_Dense/pytorch_model.bin")
    scorer = bench.pool._load(str(tmp_path), lambda _: None)
    with pytest.raises(ModelUnavailable, match="pickles are never read"):
        scored(scorer, encode(bench, scorer, "a", "b"))


# ---------------------------------------------------------------- a vector per token
def token_vectors(model: Any, weight: torch.Tensor, ids: list[int], mask: list[int] | None = None) -> torch.Tensor:
    projected = hidden(model, ids, mask) @ weight.T
    return projected / projected.norm(dim=-1, keepdim=True)


def maxsim(q: torch.Tensor, d: torch.Tensor) -> float:
    return sum(max(float(a @ b) for b in d) for a in q)


def test_colbert_as_vllm_counts_all_tokens_of_the_bare_texts(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    folder, scorer = tiny("colbert"), open_tiny("colbert")
    model, weight = BertModel.from_pretrained(folder), load_file(folder / "model.safetensors")["linear.weight"]
    for q, d in PAIRS:
        ids = [load_tokenizer(folder)(t)["input_ids"] for t in (q, d)]
        encoding = encode(bench, scorer, q, d, parity="vllm")
        assert list(sides(encoding)) == ids
        expected = maxsim(*(token_vectors(model, weight, i) for i in ids))
        assert scored(scorer, encoding).logit == pytest.approx(expected, abs=1e-4)


def test_colbert_by_reference_marks_expands_and_skips(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    """[unused0] behind [CLS], masks up to 32 that are not attended to, punctuation of documents left out."""
    folder, scorer = tiny("colbert"), open_tiny("colbert")
    tokenizer = load_tokenizer(folder)
    model, weight = BertModel.from_pretrained(folder), load_file(folder / "model.safetensors")["linear.weight"]
    q, d = ", cat", ", cat"
    marks = tokenizer.convert_tokens_to_ids(["[unused0]", "[unused1]", "[MASK]"])
    punctuation = set(tokenizer.convert_tokens_to_ids(list(",")))
    plain = [tokenizer(t)["input_ids"] for t in (q, d)]
    asked = [plain[0][0], marks[0], *plain[0][1:]]
    told = [plain[1][0], marks[1], *plain[1][1:]]
    padded = asked + [marks[2]] * (32 - len(asked))
    encoding = encode(bench, scorer, q, d)
    assert list(sides(encoding)) == [padded, told]
    queries = token_vectors(model, weight, padded, [1] * len(asked) + [0] * (32 - len(asked)))
    documents = token_vectors(model, weight, told)
    kept = [i for i, t in enumerate(told) if t not in punctuation]
    assert len(kept) == len(told) - 1
    score = scored(scorer, encoding)
    assert score.logit == pytest.approx(maxsim(queries, documents[kept]), abs=1e-4)
    others = [maxsim(queries, documents), maxsim(token_vectors(model, weight, padded), documents[kept])]
    assert all(abs(o - score.logit) > 1e-3 for o in others)  # had punctuation counted, had expansions been attended to
    matches = score.detail["matches"]
    assert len(matches) == 32 and sum(m["similarity"] for m in matches) == pytest.approx(score.logit, abs=1e-4)
    for m in matches:
        assert encoding.token_ids[m["query"]] == m["query_id"] and encoding.token_ids[m["document"]] == m["document_id"]
        assert m["document_id"] not in punctuation and m["document"] >= encoding.query_tokens
        near = [float(queries[m["query"]] @ documents[j]) for j in kept]  # some are equal but for the last digit
        found = kept.index(m["document"] - encoding.query_tokens)
        assert near[found] == pytest.approx(max(near), abs=1e-5) and m["similarity"] == pytest.approx(max(near), abs=1e-5)


def test_a_layout_with_a_dense_layer_is_late_interaction(bench: Bench, open_tiny: Open, tiny: Tiny) -> None:
    folder, scorer = tiny("pylate"), open_tiny("pylate")
    tokenizer, weight = load_tokenizer(folder), load_file(folder / "1_Dense/model.safetensors")["linear.weight"]
    assert scorer.family.name == "late-interaction"
    q, d = "what is the cat", "a dog is of paris. what is gravity of the red circle in beijing then, france and so on"
    marks = tokenizer.convert_tokens_to_ids(["[Q] ", "[D] ", "[MASK]"])
    told = tokenizer(d, truncation=True, max_length=19)["input_ids"]
    told = [told[0], marks[1], *told[1:]]
    asked = tokenizer(q)["input_ids"]
    asked = [asked[0], marks[0], *asked[1:]]
    padded = asked + [marks[2]] * (12 - len(asked))
    encoding = encode(bench, scorer, q, d)
    assert list(sides(encoding)) == [padded, told] and len(told) == 20
    queries = token_vectors(load_model(folder), weight, padded, [1] * len(asked) + [0] * (12 - len(asked)))
    skipped = tokenizer.convert_tokens_to_ids([".", "of"])
    kept = [i for i, t in enumerate(told) if t not in skipped]
    assert len(kept) < len(told)
    expected = maxsim(queries, token_vectors(load_model(folder), weight, told)[kept])
    assert scored(scorer, encoding).logit == pytest.approx(expected, abs=1e-4)


def test_a_marker_the_tokenizer_lacks_is_said(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    folder = edited(tiny("pylate"), tmp_path, "config_sentence_transformers.json", query_prefix="[X] ")
    with pytest.raises(ModelUnavailable, match="query marker"):
        bench.pool._load(str(folder), lambda _: None)


def test_no_projection_is_said(bench: Bench, tiny: Tiny, tmp_path: Path) -> None:
    shutil.copytree(tiny("bert-plain"), tmp_path, dirs_exist_ok=True)
    folder = edited(tiny("colbert"), tmp_path, "config.json")
    shutil.copy(tiny("bert-plain") / "model.safetensors", folder / "model.safetensors")
    scorer = bench.pool._load(str(folder), lambda _: None)
    with pytest.raises(ModelUnavailable, match="projection"):
        scored(scorer, encode(bench, scorer, "a", "b"))
