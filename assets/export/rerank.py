"""Scores documents with transformers and this bundle's prompt: python rerank.py CHECKPOINT requests.jsonl

A line is {"query": …, "documents": […], "instruction": …}; the answer line holds a logit and a score per document.
Needs torch, transformers and jinja2. template.jinja and manifest.json lie beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jinja2.sandbox
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

HERE = Path(__file__).resolve().parent


class Reranker:
    """The score is read at the last token: the margin of two labels, one label's logit, or a score head's row."""

    def __init__(self, checkpoint: str, folder: Path = HERE, device: str = "cpu", dtype: Any = None) -> None:
        self.facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment()
        self.template = environment.from_string((folder / "template.jinja").read_bytes().decode())
        self.head = self.facts["method"] == "sequence_head"
        kind = AutoModelForSequenceClassification if self.head else AutoModelForCausalLM
        revision = self.facts["revision"] or "main"
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint, revision=revision)
        wanted = dtype or getattr(torch, self.facts["dtype"], torch.float32)
        self.model = kind.from_pretrained(checkpoint, dtype=wanted, revision=revision).to(device).eval()
        weight = self.model.score.weight if self.head else self.model.get_output_embeddings().weight
        # Subtracted in float32: two bfloat16 logits differ in steps of 1/16 and more, which invents ties.
        self.row = self._row(weight.detach().float())

    def _row(self, weight: torch.Tensor) -> torch.Tensor:
        if self.head:
            return weight[0]
        ids = [self.tokenizer.encode(label, add_special_tokens=False)[0] for label in self.facts["labels"].values()]
        return weight[ids[0]] - weight[ids[1]] if self.facts["method"] == "from_2_way_softmax" else weight[ids[0]]

    def prompt(self, query: str, document: str, instruction: str | None = None) -> str:
        messages = [{"role": "query", "content": query}, {"role": "document", "content": document}]
        given = {"instruction": instruction} if instruction is not None else {}
        return self.template.render(messages=messages, **self.tokenizer.special_tokens_map, **given)

    def ids(self, query: str, document: str, instruction: str | None = None) -> list[int]:
        found: list[int] = self.tokenizer(self.prompt(query, document, instruction))["input_ids"]
        most = self.facts["max_length"]
        if len(found) > most:
            raise ValueError(f"the prompt is {len(found)} tokens long, and {most} fit: shorten the document")
        return found

    @torch.inference_mode()
    def logit(self, query: str, document: str, instruction: str | None = None) -> float:
        ids = torch.tensor([self.ids(query, document, instruction)], device=self.model.device)
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state[0, -1]
        return float(hidden.float() @ self.row)


def main(checkpoint: str, requests: str) -> None:
    reranker = Reranker(checkpoint)
    for line in Path(requests).read_text(encoding="utf-8").splitlines():
        body: dict[str, Any] = json.loads(line)
        logits = [reranker.logit(body["query"], d, body.get("instruction")) for d in body["documents"]]
        print(json.dumps([{"logit": x, "score": torch.sigmoid(torch.tensor(x)).item()} for x in logits]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
