"""Tiny checkpoints in Sentence-Transformers layout and in ColBERT's: modules.json, Pooling, Dense, prompts, projections."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tiny import TEXT, build_tokenizer, fill
from tests.tiny_encoders import SMALL, WORDS, bert_plain, unigram, wordpiece

ST = "sentence_transformers.models"
PROMPTS = {"query": "what is the ", "document": "gravity: "}


def lay_out(folder: Path, *kinds: str, pooling: dict[str, Any] | None = None, **said: Any) -> None:
    """Writes modules.json and what it names; a Dense halves the vectors."""
    names = {"Transformer": "", "Pooling": "1_Pooling", "Dense": f"{kinds.index('Dense')}_Dense" if "Dense" in kinds else "",
             "Normalize": f"{len(kinds) - 1}_Normalize"}  # fmt: skip
    listed = [{"idx": i, "name": str(i), "path": names[k], "type": f"{ST}.{k}"} for i, k in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said))
    if pooling is not None:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 64, **pooling}))
    if "Dense" in kinds:
        dense(folder / names["Dense"], bias=pooling is not None)


def dense(folder: Path, *, bias: bool) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    linear = fill(torch.nn.Linear(64, 32, bias=bias), lively=True)
    save_file({f"linear.{k}": v.detach() for k, v in linear.named_parameters()}, folder / "model.safetensors")
    name = "activation.Tanh" if bias else "linear.Identity"
    said = {"in_features": 64, "out_features": 32, "bias": bias, "activation_function": f"torch.nn.modules.{name}"}
    (folder / "config.json").write_text(json.dumps(said))


def st_mean(folder: Path) -> None:
    """BERT, mean, Dense with tanh, normalised, prompts."""
    bert_plain(folder)
    lay_out(folder, "Transformer", "Pooling", "Dense", "Normalize", pooling={"pooling_mode_mean_tokens": True}, prompts=PROMPTS)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 32, "do_lower_case": False}))


def st_last(folder: Path) -> None:
    """Qwen3-Embedding's kind: a decoder, the last token, an end token from the tokenizer."""
    from tokenizers import processors
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    fill(Qwen3ForCausalLM(Qwen3Config(**TEXT, tie_word_embeddings=True)).float()).save_pretrained(folder)
    build_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "$A <|endoftext|>", "$A $B", [("<|endoftext|>", 151643)]
    )
    tokenizer.save_pretrained(folder)
    prompts = {"query": "Instruct: Given a web search query\nQuery:", "document": ""}
    lay_out(folder, "Transformer", "Pooling", "Normalize", pooling={"pooling_mode_lasttoken": True}, prompts=prompts)


def st_dot(folder: Path) -> None:
    """XLM-RoBERTa, CLS and weighted mean joined, compared by their dot product."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    config = XLMRobertaConfig(vocab_size=unigram(folder), max_position_embeddings=130, type_vocab_size=1, **SMALL)
    fill(XLMRobertaModel(config).float(), 0.25, lively=True).save_pretrained(folder)
    lay_out(folder, "Transformer", "Pooling", pooling={"pooling_mode": ["cls", "weightedmean"]}, similarity_fn_name="dot")


def colbert(folder: Path) -> None:
    """colbert-ir's kind: BERT and a projection in one file, [unused0] and [unused1] as markers."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoTokenizer

    bert_plain(folder)
    own = {f"bert.{k}": v for k, v in load_file(folder / "model.safetensors").items() if not k.startswith("pooler.")}
    own["linear.weight"] = fill(torch.nn.Linear(64, 16, bias=False)).weight.detach()
    _renamed(folder, {"p": "[unused0]", "q": "[unused1]"})
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | {"architectures": ["HF_ColBERT"]}
    (folder / "config.json").write_text(json.dumps(config))
    assert AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids("[unused0]") > 4


def _renamed(folder: Path, names: dict[str, str]) -> None:
    """Vocabulary entries under other names, their ids kept: as BERT's unused ones."""
    state = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = state["model"]["vocab"]
    state["model"]["vocab"] = {names.get(w, w): i for w, i in vocabulary.items()}
    (folder / "tokenizer.json").write_text(json.dumps(state))


def pylate(folder: Path) -> None:
    """GTE-ModernColBERT's kind: ModernBERT, a Dense without bias, settings of its own."""
    from transformers import AutoTokenizer, ModernBertConfig, ModernBertModel

    size = wordpiece(folder, 512)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    size += tokenizer.add_tokens(["[Q] ", "[D] "])
    tokenizer.save_pretrained(folder)
    config = ModernBertConfig(
        vocab_size=size, max_position_embeddings=512, local_attention=8, pad_token_id=0, cls_token_id=2, sep_token_id=3,
        bos_token_id=2, eos_token_id=3, **SMALL,
    )  # fmt: skip
    fill(ModernBertModel(config).float(), 0.25, lively=True).save_pretrained(folder)
    lay_out(
        folder, "Transformer", "Dense", query_prefix="[Q] ", document_prefix="[D] ", query_length=12, document_length=20,
        skiplist_words=[".", WORDS[2]], attend_to_expansion_tokens=False, do_query_expansion=True,
    )  # fmt: skip


def splade(folder: Path) -> None:
    """naver/splade-v3's kind: BERT with its masked-language head, SpladePooling, no prompts."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=256, **SMALL)
    fill(BertForMaskedLM(config).float(), 0.25, lively=True).save_pretrained(folder)
    listed = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.sparse_encoder.models.MLMTransformer"},
        {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": "sentence_transformers.sparse_encoder.models.SpladePooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_SpladePooling").mkdir(exist_ok=True)
    (folder / "1_SpladePooling/config.json").write_text(json.dumps({"pooling_strategy": "max", "activation_function": "relu"}))
    said = {"model_type": "SparseEncoder", "prompts": {"query": "", "document": ""}, "similarity_fn_name": "dot"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(said))


BUILDERS = {"splade": splade, "st-mean": st_mean, "st-last": st_last, "st-dot": st_dot, "colbert": colbert, "pylate": pylate}
