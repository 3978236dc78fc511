"""Turns the checkpoint into a sequence classifier with one row, whose folder declares this bundle's prompt.

usage: python convert.py CHECKPOINT OUT      needs torch and transformers; the row is label[true] - label[false], in float32.
vLLM (0.33 or newer) and sentence-transformers serve OUT without further arguments.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

HERE = Path(__file__).resolve().parent


def main(checkpoint: str, out: Path) -> None:
    facts = json.loads((HERE / "manifest.json").read_text(encoding="utf-8"))
    dtype = getattr(torch, facts["dtype"], torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    causal = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype)
    config = AutoConfig.from_pretrained(checkpoint, num_labels=1, pad_token_id=tokenizer.pad_token_id)
    model = AutoModelForSequenceClassification.from_config(config, dtype=dtype)
    ids = [tokenizer.encode(label, add_special_tokens=False)[0] for label in facts["labels"].values()]
    weight = causal.get_output_embeddings().weight.detach().float()
    row = weight[ids[0]] - weight[ids[1]] if facts["method"] == "from_2_way_softmax" else weight[ids[0]]
    state = {f"model.{name}": value for name, value in causal.model.state_dict().items()}
    model.load_state_dict({**state, "score.weight": row[None].to(dtype)}, strict=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    ours = HERE / "sequence-classification"
    for source in (p for p in ours.rglob("*") if p.is_file()):
        (out / source.relative_to(ours)).write_bytes(source.read_bytes())
    print(f"{out}: vllm serve {out} --runner pooling")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
