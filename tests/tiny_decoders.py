"""Tiny decoders of the families that are prompted: their architectures, their kinds of tokenizers, random weights."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tiny import TEXT, build_tokenizer, fill

YES, NO = 9693, 2152


def qwen2(folder: Path) -> None:
    """mxbai-rerank-v2's kind."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    shape = {k: v for k, v in TEXT.items() if k != "head_dim"}
    fill(Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=True)).float()).save_pretrained(folder)
    build_tokenizer(folder)


def qwen3_converted(folder: Path) -> None:
    """The tiny Qwen3 reranker as a sequence classifier whose one row is W[yes] − W[no]."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3ForSequenceClassification

    config = Qwen3Config(**TEXT, tie_word_embeddings=True, eos_token_id=151645)
    causal = fill(Qwen3ForCausalLM(config).float())
    converted = Qwen3ForSequenceClassification(Qwen3Config(**TEXT, num_labels=1, pad_token_id=151643)).float()
    converted.model.load_state_dict(causal.model.state_dict())
    rows = causal.get_output_embeddings().weight
    with torch.no_grad():
        converted.score.weight.copy_(rows[YES] - rows[NO])
    converted.save_pretrained(folder)
    build_tokenizer(folder)


def sentencepiece(folder: Path) -> int:
    """Gemma's kind: BPE over text whose blanks are ▁, a BOS in front; the number of its tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [chr(c) for c in range(33, 127)] + ["▁", "\n"]
    merges = [("Y", "e"), ("Ye", "s"), ("N", "o"), ("▁", "a"), ("c", "a"), ("ca", "t"), ("\n", "\n"), (".", "\n")]
    words = ["<pad>", "<eos>", "<bos>", "<unk>", *letters, *(a + b for a, b in merges)]
    tokenizer = Tokenizer(
        models.BPE(vocab={w: i for i, w in enumerate(words)}, merges=merges, unk_token="<unk>", fuse_unk=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A", "<bos> $A <bos>:1 $B:1", [("<bos>", 2)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
    ).save_pretrained(folder)  # fmt: skip
    return len(words)


def gemma(folder: Path) -> None:
    """bge-reranker-v2-gemma's kind."""
    from transformers import GemmaConfig, GemmaForCausalLM

    config = GemmaConfig(**{**TEXT, "vocab_size": sentencepiece(folder)}, tie_word_embeddings=True)
    fill(GemmaForCausalLM(config).float()).save_pretrained(folder)


def llama_bidirectional(folder: Path) -> None:
    """llama-nemotron-rerank's kind: a Llama whose config names code that is not run."""
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(**{**TEXT, "vocab_size": sentencepiece(folder)}, num_labels=1, pad_token_id=0)
    fill(LlamaForSequenceClassification(config).float()).save_pretrained(folder)
    own = {
        "architectures": ["LlamaBidirectionalForSequenceClassification"], "model_type": "llama_bidirec", "pooling": "avg",
        "auto_map": {"AutoConfig": "llama_bidirectional_model.LlamaBidirectionalConfig"},
    }  # fmt: skip
    saved = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(saved | own))


BUILDERS = {
    "qwen2": qwen2, "qwen3-converted": qwen3_converted, "gemma": gemma, "llama-bidirectional": llama_bidirectional,
}  # fmt: skip


CHAT = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)


def reward(folder: Path) -> None:
    """A sequence reward model: Qwen2 with a head of one row, and a chat template."""
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    shape = {k: v for k, v in TEXT.items() if k != "head_dim"}
    model = Qwen2ForSequenceClassification(Qwen2Config(**shape, num_labels=1, pad_token_id=151643))
    fill(model.float()).save_pretrained(folder)
    build_tokenizer(folder)
    (folder / "chat_template.jinja").write_text(CHAT)


def _with_steps(folder: Path) -> None:
    """The tokenizer with the step marker of Qwen's process reward models, at an id the vocabulary leaves free."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<extra_0>"])
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT)


def step_reward(folder: Path) -> None:
    """A process reward model that transformers has: Qwen2 as a token classifier of two labels."""
    from transformers import Qwen2Config, Qwen2ForTokenClassification

    shape = {k: v for k, v in TEXT.items() if k != "head_dim"}
    fill(Qwen2ForTokenClassification(Qwen2Config(**shape, num_labels=2)).float()).save_pretrained(folder)
    build_tokenizer(folder)
    _with_steps(folder)


def prm(folder: Path) -> None:
    """Qwen2.5-Math-PRM's kind: Qwen2 and a head of two layers under names that no native class has."""
    import torch
    from safetensors.torch import save_file
    from transformers import Qwen2Config, Qwen2Model

    shape = {k: v for k, v in TEXT.items() if k != "head_dim"}
    model = fill(Qwen2Model(Qwen2Config(**shape)).float())
    head = fill(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)))
    model.save_pretrained(folder)
    own = {f"model.{k}": v for k, v in model.state_dict().items()} | {f"score.{k}": v for k, v in head.state_dict().items()}
    save_file(own, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}
    config |= {"architectures": ["Qwen2ForProcessRewardModel"], "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config))
    build_tokenizer(folder)
    _with_steps(folder)


BUILDERS |= {"reward": reward, "step-reward": step_reward, "prm": prm}
