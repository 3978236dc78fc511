"""Trains the demo model's byte-level tokenizer on its own prompts, with the special tokens of the Qwen3-VL family.
Knows nothing of pixels or weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from workbench.demo.prompts import CLOSE, OPEN, SYSTEM, ask, clip_text
from workbench.demo.questions import Mix, question

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>")  # fmt: skip
ADDED = ("<think>", "</think>")
VOCABULARY = 1024
# Qwen's own splitting of text before BPE
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")  # fmt: skip


def corpus(count: int) -> Iterator[str]:
    """Prompts as the model meets them, without special tokens."""
    rng = random.Random("tokenizer")
    for number in range(count):
        one = question(rng, Mix(), 4)
        captions = [d.text for d in one.documents if d.text]
        yield OPEN + ask(one.instruction, one.query.text)
        yield from captions
        yield clip_text((number % 40 / 10,), "")
        yield "yes no"
    yield from [SYSTEM, OPEN, CLOSE] * 20


def train(out: Path, count: int = 20_000) -> PreTrainedTokenizerFast:
    """Writes tokenizer.json and tokenizer_config.json into `out`; the same for the same count."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    room = VOCABULARY - len(SPECIAL) - len(ADDED)
    trainer = trainers.BpeTrainer(
        vocab_size=room, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, special_tokens=[]
    )
    texts = (part for text in corpus(count) for part in text.replace("<|", "\0<|").replace("|>", "|>\0").split("\0")
             if part and not part.startswith("<|"))  # fmt: skip
    bpe.train_from_iterator(texts, trainer)
    bpe.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    bpe.add_tokens([AddedToken(token, normalized=False) for token in ADDED])
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=4096
    )
    assert all(len(made.encode(word)) == 1 for word in ("yes", "no"))
    out.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(out)
    return made
