"""Tiny encoders of real architectures with real kinds of tokenizers (WordPiece, byte-level BPE, Unigram), random weights.

`bert-ce` and `bert-embed` are those that a vLLM server gave golden answers for; the others' weights are drawn so that
different texts score differently.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny import fill

SMALL: dict[str, Any] = {
    "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 128,
}  # fmt: skip
WORDS = "the a of is what capital china beijing france paris gravity force red circle blue square cat dog".split()


def wordpiece(folder: Path, longest: int = 256) -> int:
    """BERT's kind; the number of its tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(c) for c in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters), *WORDS]
    words = list(dict.fromkeys(words))
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]",
        mask_token="[MASK]", model_max_length=longest,
    ).save_pretrained(folder)  # fmt: skip
    return len(words)


def bytelevel(folder: Path, longest: int = 128) -> int:
    """RoBERTa's kind: byte-level BPE, `<s> a </s></s> b </s>`, one token type."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("c", "a"), ("ca", "t")]
    words = ["<s>", "<pad>", "</s>", "<unk>", *letters, *(a + b for a, b in merges), "<mask>"]
    tokenizer = Tokenizer(models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>",
        unk_token="<unk>", mask_token=AddedToken("<mask>", lstrip=True), model_max_length=longest,
        model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(folder)  # fmt: skip
    return len(words)


def unigram(folder: Path, longest: int = 128) -> int:
    """XLM-RoBERTa's kind: Unigram pieces among which the control tokens are spelled out."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(c) for c in range(33, 127)]
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(c, -6.0) for c in letters] + [("▁" + w, -4.0) for w in WORDS if len(w) > 1]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>",
        unk_token="<unk>", model_max_length=longest,
    ).save_pretrained(folder)  # fmt: skip
    return len(pieces)


def _save(folder: Path, kind: Any, config: Any) -> None:
    fill(kind(config).float(), 0.25, lively=True).save_pretrained(folder)


def bert_ce(folder: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=256, num_labels=1, **SMALL)
    fill(BertForSequenceClassification(config).float()).save_pretrained(folder)


def bert_pairs(folder: Path) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=256, num_labels=1, **SMALL)
    _save(folder, BertForSequenceClassification, config)


def bert_embed(folder: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=256, num_labels=1, **SMALL)
    fill(BertModel(config).float()).save_pretrained(folder)


def bert_plain(folder: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=256, **SMALL)
    _save(folder, BertModel, config)


def ernie_ce(folder: Path) -> None:
    from transformers import ErnieConfig, ErnieForSequenceClassification

    config = ErnieConfig(vocab_size=wordpiece(folder, 64), max_position_embeddings=64, num_labels=1, **SMALL)
    _save(folder, ErnieForSequenceClassification, config)


def deberta_ce(folder: Path) -> None:
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    config = DebertaV2Config(
        vocab_size=unigram(folder), max_position_embeddings=128, num_labels=1, relative_attention=True,
        pos_att_type=["p2c", "c2p"], position_buckets=16, type_vocab_size=0, pad_token_id=1, **SMALL,
    )  # fmt: skip
    _save(folder, DebertaV2ForSequenceClassification, config)


def roberta_ce(folder: Path) -> None:
    from transformers import RobertaConfig, RobertaForSequenceClassification

    config = RobertaConfig(
        vocab_size=bytelevel(folder), max_position_embeddings=130, num_labels=1, type_vocab_size=1, **SMALL
    )
    _save(folder, RobertaForSequenceClassification, config)


def xlm_roberta_ce(folder: Path) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    config = XLMRobertaConfig(
        vocab_size=unigram(folder), max_position_embeddings=130, num_labels=1, type_vocab_size=1, **SMALL
    )
    _save(folder, XLMRobertaForSequenceClassification, config)


def modernbert_ce(folder: Path) -> None:
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    config = ModernBertConfig(
        vocab_size=wordpiece(folder, 8192), max_position_embeddings=512, num_labels=1, local_attention=8, pad_token_id=0,
        cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, classifier_pooling="mean",
        sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity", "version": "5.2.0"}, **SMALL,
    )  # fmt: skip
    _save(folder, ModernBertForSequenceClassification, config)


def gte_ce(folder: Path) -> None:
    from transformers import GteConfig, GteForSequenceClassification

    config = GteConfig(
        vocab_size=unigram(folder), max_position_embeddings=256, num_labels=1, type_vocab_size=1, pad_token_id=1,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, **SMALL,
    )  # fmt: skip
    _save(folder, GteForSequenceClassification, config)


BUILDERS = {
    "bert-ce": bert_ce, "bert-embed": bert_embed, "bert-pairs": bert_pairs, "bert-plain": bert_plain,
    "ernie-ce": ernie_ce, "deberta-ce": deberta_ce, "roberta-ce": roberta_ce,
    "xlm-roberta-ce": xlm_roberta_ce, "modernbert-ce": modernbert_ce, "gte-ce": gte_ce,
}  # fmt: skip
