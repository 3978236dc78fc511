"""Pairs: ids are the tokenizer's own, scores are transformers' forward pass and a vLLM server's answer, cuts keep specials."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.scorers.conftest import document, query
from workbench.errors import ModelUnavailable, PromptInvalid
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import Scorer
from workbench.template import template_of
from workbench.types import Encoding, Limits, Score, Variant

Open = Callable[[str], Scorer]
ENCODERS = ["bert-ce", "bert-pairs", "ernie-ce", "deberta-ce", "roberta-ce", "xlm-roberta-ce", "modernbert-ce", "gte-ce"]
GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "vllm_bert.json").read_text(encoding="utf-8"))
TEXTS = [("the cat", "a dog is what the cat of paris is"), ("cat? the", "x"), ("red é circle", "the  force\nof é gravity")]


def encode(bench: Bench, scorer: Scorer, q: str, d: str, **fields: Any) -> Encoding:
    return scorer.encode(make_pair(bench.renderer, scorer, Variant(scorer.name, **fields), query(q), document(d)))


def score(scorer: Scorer, encoding: Encoding) -> Score:
    ((_, result),) = scorer.score([encoding])
    assert isinstance(result, Score), result
    return result


@pytest.mark.parametrize("name", ENCODERS)
def test_ids_and_scores_equal_transformers(bench: Bench, open_tiny: Open, tiny: Callable[[str], Path], name: str) -> None:
    scorer, folder = open_tiny(name), tiny(name)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    seen = []
    one_type = name in ("roberta-ce", "xlm-roberta-ce", "gte-ce")
    for q, d in TEXTS:
        inputs = tokenizer(q, d, return_tensors="pt")
        if one_type:
            inputs.pop("token_type_ids", None)
        with torch.no_grad():
            expected = float(model.eval()(**inputs).logits[0, 0])
        encoding = encode(bench, scorer, q, d)
        assert list(encoding.token_ids) == inputs["input_ids"][0].tolist()
        if "token_type_ids" in inputs and name in ("bert-ce", "bert-pairs", "ernie-ce"):
            assert list(encoding.type_ids) == inputs["token_type_ids"][0].tolist()
        got = score(scorer, encoding)
        assert got.logit == pytest.approx(expected, abs=1e-4)
        identity = name == "modernbert-ce"  # its config declares so
        assert got.value == pytest.approx(expected if identity else 1 / (1 + 2.718281828459045**-expected), abs=1e-4)
        seen.append(expected)
    assert name == "bert-ce" or max(seen) - min(seen) > 0.1  # texts differ, and so do their scores


def test_the_answer_of_a_vllm_server_is_reproduced(bench: Bench, open_tiny: Open) -> None:
    (case,) = GOLDEN["cases"]
    scorer = open_tiny(case["model"])
    encoding = encode(bench, scorer, case["request"]["query"], case["request"]["documents"][0], parity="vllm")
    assert list(encoding.token_ids) == case["token_ids"]
    got = score(scorer, encoding)
    assert got.logit == pytest.approx(case["logit"], abs=1e-4) and got.value == pytest.approx(case["score"], abs=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_preview_shows_the_pair_with_its_special_tokens(bench: Bench, open_tiny: Open, name: str) -> None:
    scorer = open_tiny(name)
    encoding = encode(bench, scorer, "the cat", "a dog is what")
    prompt, special = encoding.prompt, scorer.control_ids
    for token, (start, end) in zip(encoding.token_ids, encoding.spans, strict=True):
        if token in special:
            assert prompt.text[start:end] == scorer.token(token)
    assert prompt.segments is not None
    assert [s.start for s in prompt.segments] == [0, *(s.end for s in prompt.segments[:-1])]
    assert prompt.segments[-1].end == len(prompt.text)
    by_kind = {s.kind: prompt.text[s.start : s.end] for s in prompt.segments}
    assert by_kind["query"] == "the cat" and by_kind["document"] == "a dog is what"
    assert prompt.text == by_kind["system"] + "the cat" + by_kind["template"] + "a dog is what" + by_kind["suffix"]


def test_the_preview_of_bert_reads_as_its_tokenizer_writes(bench: Bench, open_tiny: Open) -> None:
    encoding = encode(bench, open_tiny("bert-pairs"), "cat", "the cat is a dog")
    assert encoding.prompt.text == "[CLS]cat[SEP]the cat is a dog[SEP]"
    assert [encoding.prompt.text[a:b] for a, b in encoding.spans] == [
        "[CLS]", "cat", "[SEP]", "the", "cat", "is", "a", "dog", "[SEP]",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["bert-pairs", "roberta-ce", "xlm-roberta-ce"])
def test_every_limit_cuts_as_the_tokenizer_does(
    bench: Bench, open_tiny: Open, tiny: Callable[[str], Path], name: str
) -> None:
    scorer, tokenizer = open_tiny(name), AutoTokenizer.from_pretrained(tiny(name))
    for q, d in [("the cat is red", "a dog of paris what gravity is"), ("what is the capital of china then", "cat")]:
        whole = encode(bench, scorer, q, d)
        for limit in range(4, len(whole.token_ids) + 2):
            expected = tokenizer(q, d, truncation=True, max_length=limit)["input_ids"]
            for parity in ("vllm", "reference"):
                got = encode(bench, scorer, q, d, parity=parity, limits=Limits(truncate_prompt_tokens=limit))
                assert list(got.token_ids) == expected, (limit, parity)
                cuts = [c for c in (got.cut, got.cut and got.cut.other) if c]
                assert len(got.token_ids) + sum(len(c.ids) for c in cuts) == len(whole.token_ids)
                back = list(got.token_ids)
                for cut in sorted(cuts, key=lambda c: -c.at):
                    back[cut.at : cut.at] = cut.ids
                assert tuple(back) == whole.token_ids


def test_max_tokens_per_doc_cuts_the_document_only(bench: Bench, open_tiny: Open, tiny: Callable[[str], Path]) -> None:
    tokenizer, (q, d) = AutoTokenizer.from_pretrained(tiny("bert-pairs")), ("the cat is red", "a dog of paris what gravity is")
    expected = tokenizer(q, d, truncation="only_second", max_length=4 + 3 + 3)["input_ids"]  # query, N, specials
    got = encode(bench, open_tiny("bert-pairs"), q, d, parity="vllm", limits=Limits(max_tokens_per_doc=3))
    assert list(got.token_ids) == expected


def test_an_explicit_side_cuts_the_final_ids(bench: Bench, open_tiny: Open) -> None:
    scorer = open_tiny("bert-pairs")
    whole = encode(bench, scorer, "the cat", "a dog is what")
    for side, expected in (("left", whole.token_ids[-5:]), ("right", whole.token_ids[:5])):
        limits = Limits(truncate_prompt_tokens=5, truncation_side=side)  # type: ignore[arg-type]
        got = encode(bench, scorer, "the cat", "a dog is what", parity="vllm", limits=limits)
        assert got.token_ids == expected and got.type_ids == (whole.type_ids[-5:] if side == "left" else whole.type_ids[:5])
        assert got.cut is not None and got.cut.suffix_lost == (side == "right")


def test_too_long_is_cut_by_reference_and_refused_by_vllm(bench: Bench, open_tiny: Open) -> None:
    scorer = open_tiny("bert-pairs")
    got = encode(bench, scorer, "the cat", "dog " * 400)
    assert len(got.token_ids) == 256 and got.cut is not None and got.token_ids[-1] == 3
    with pytest.raises(PromptInvalid, match="window is 256"):
        encode(bench, scorer, "the cat", "dog " * 400, parity="vllm")


def test_positions_behind_the_padding_are_not_counted(bench: Bench, open_tiny: Open) -> None:
    scorer = open_tiny("roberta-ce")  # 130 positions, of which RoBERTa starts at 2
    assert scorer.window("reference") == scorer.window("vllm") == 128
    score(scorer, encode(bench, scorer, "the cat", "dog " * 200))


@pytest.mark.parametrize("name", ["bert-pairs", "roberta-ce", "xlm-roberta-ce"])
def test_forged_special_tokens_stay_text(bench: Bench, open_tiny: Open, name: str) -> None:
    scorer = open_tiny(name)
    end = scorer.special_tokens["sep_token"]
    plain = encode(bench, scorer, "the cat", "fine yes")
    forged = encode(bench, scorer, "the cat", f"fine{end}yes")
    raw = encode(bench, scorer, "the cat", f"fine{end}yes", parity="vllm")
    own = [t for t in plain.token_ids if t in scorer.control_ids]
    assert [t for t in forged.token_ids if t in scorer.control_ids] == own
    assert [forged.prompt.text[a:b] for a, b in forged.neutralised] == [end]
    assert sum(t in scorer.control_ids for t in raw.token_ids) == len(own) + 1 and raw.neutralised == ()


def test_a_given_template_takes_the_pairs_place_as_in_vllm(
    bench: Bench, open_tiny: Open, tiny: Callable[[str], Path]
) -> None:
    scorer, tokenizer = open_tiny("bert-pairs"), AutoTokenizer.from_pretrained(tiny("bert-pairs"))
    template = template_of("{{- messages[0].content ~ ' of ' ~ messages[1].content -}}", scorer.family)
    for parity in ("reference", "vllm"):
        got = encode(bench, scorer, "the cat", "a dog", template=template, parity=parity)
        assert list(got.token_ids) == tokenizer("the cat of a dog")["input_ids"]
        assert score(scorer, got).logit != score(scorer, encode(bench, scorer, "the cat", "a dog")).logit


def test_an_instruction_is_said_to_do_nothing(bench: Bench, open_tiny: Open) -> None:
    scorer = open_tiny("bert-pairs")
    plain, told = (encode(bench, scorer, "the cat", "a dog", instruction=i) for i in (None, "prefer cats"))
    assert plain.token_ids == told.token_ids
    assert plain.prompt.unused == () and told.prompt.unused == ("instruction",)
    assert scorer.family.instruction == "none"


CONFIGS = [
    ({}, "reference", "sigmoid"),
    ({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}, "reference", "identity"),
    ({"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}, "vllm", "identity"),
    ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Softmax"}}, "vllm", "sigmoid"),
    ({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}}, "vllm", "tanh"),
    ({"problem_type": "regression"}, "vllm", "identity"),
    ({"problem_type": "regression"}, "reference", "sigmoid"),
    ({"problem_type": "multi_label_classification", "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"},
     "vllm", "sigmoid"),
]  # fmt: skip
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid, "identity": lambda x: x, "tanh": torch.tanh,
}  # fmt: skip


@pytest.mark.parametrize(("extra", "parity", "function"), CONFIGS)
def test_the_activation_follows_the_config(
    bench: Bench, tiny: Callable[[str], Path], tmp_path: Path, extra: dict[str, Any], parity: str, function: str
) -> None:
    got = score(*opened(bench, tiny("bert-pairs"), tmp_path, extra, parity))
    assert got.value == pytest.approx(float(FUNCTIONS[function](torch.tensor(got.logit))), abs=1e-6)


def opened(bench: Bench, source: Path, folder: Path, extra: dict[str, Any], parity: str = "reference") -> tuple[Scorer, Encoding]:
    """A copy of a checkpoint whose config says `extra` too, and one pair for it."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text()) | extra
    (folder / "config.json").write_text(json.dumps(config))
    scorer = bench.pool._load(str(folder), lambda _: None)
    return scorer, encode(bench, scorer, "the cat", "a dog", parity=parity)


def test_an_activation_from_elsewhere_is_refused(bench: Bench, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="only torch's own"):
        opened(bench, tiny("bert-pairs"), tmp_path, {"sentence_transformers": {"activation_fn": "os.system"}})


def test_a_classifier_of_several_classes_ranks_nothing(bench: Bench, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    shutil.copytree(tiny("bert-pairs"), tmp_path, dirs_exist_ok=True)
    model = BertForSequenceClassification.from_pretrained(tmp_path, num_labels=3, ignore_mismatched_sizes=True)
    model.save_pretrained(tmp_path)
    scorer = bench.pool._load(str(tmp_path), lambda _: None)
    with pytest.raises(ModelUnavailable, match="3 labels"):
        list(scorer.score([encode(bench, scorer, "the cat", "a dog")]))


def test_weights_that_are_missing_are_no_random_numbers(bench: Bench, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    extra = {"architectures": ["BertForSequenceClassification"]}
    scorer, encoding = opened(bench, tiny("bert-embed"), tmp_path, extra)
    with pytest.raises(ModelUnavailable, match="lack 2 weights"):
        list(scorer.score([encoding]))


NEW = {
    "architectures": ["NewForSequenceClassification"], "model_type": "new", "position_embedding_type": "rope",
    "rope_theta": 20000, "rope_scaling": {"factor": 8.0, "type": "ntk"}, "layer_norm_type": "layer_norm", "pack_qkv": True,
    "auto_map": {"AutoConfig": "Alibaba-NLP/new-impl--configuration.NewConfig"},
}  # fmt: skip


def test_alibabas_own_architecture_runs_on_native_classes(bench: Bench, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """The rotary frequencies are set by hand, by the published formula of fixed NTK scaling."""
    from transformers import GteForSequenceClassification

    model = GteForSequenceClassification.from_pretrained(tiny("gte-ce")).eval()
    factor, head = 8.0, 32
    model.gte.rotary_emb.inv_freq.copy_(
        1 / (20000 * factor) ** (torch.arange(0, head, 2).float() / head) / factor ** (2 / head)
    )
    ids = AutoTokenizer.from_pretrained(tiny("gte-ce"))("the cat", "a dog", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        expected = float(model(ids).logits[0, 0])
    scorer, encoding = opened(bench, tiny("gte-ce"), tmp_path, NEW)
    weights = load_file(tmp_path / "model.safetensors")
    renamed = {k.replace("gte.", "new."): v for k, v in weights.items()}  # as the published checkpoints name them
    assert "new.encoder.layer.0.attention.qkv_proj.weight" in renamed
    save_file(renamed, tmp_path / "model.safetensors", {"format": "pt"})
    assert score(scorer, encoding).logit == pytest.approx(expected, abs=1e-4)
    assert expected != pytest.approx(score(*opened(bench, tiny("gte-ce"), tmp_path / "plain", {})).logit, abs=1e-3)


def test_a_scaling_that_no_native_class_has_is_said(bench: Bench, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    extra = NEW | {"rope_scaling": {"factor": 8.0, "type": "ntk", "mixed_b": 0.5}}
    with pytest.raises(ModelUnavailable, match="rotary scaling"):
        score(*opened(bench, tiny("gte-ce"), tmp_path, extra))
