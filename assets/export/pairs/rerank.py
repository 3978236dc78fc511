"""Scores documents with transformers alone: python rerank.py requests.jsonl   (without a file: the question tried last)

A line is {"query": …, "documents": […]}; the answer line holds a logit per document, which is what to rank by. Needs torch
and transformers. The model reads query and document as its tokenizer's pair: there is no template and no instruction.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

MODEL = "@model@"
REVISION = None
DTYPE = "float32"
LONGEST = 512
QUERY = "@query@"
DOCUMENTS = ["@documents@"]


class Reranker:
    """One label's logit for a query and a document."""

    def __init__(self, model: str = MODEL, device: str = "cpu") -> None:
        revision = REVISION or "main"
        self.tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        dtype = getattr(torch, DTYPE, torch.float32)
        loaded = AutoModelForSequenceClassification.from_pretrained(model, revision=revision, dtype=dtype)
        self.model = loaded.to(device).eval()

    def pair(self, query: str, document: str) -> Any:
        """What the model is given; `input_ids` of shape [1, tokens]. ValueError where it does not fit."""
        found = self.tokenizer(query, document, return_tensors="pt", truncation=False)
        if (count := found["input_ids"].shape[1]) > LONGEST:
            raise ValueError(f"the pair is {count} tokens long, and {LONGEST} fit: shorten the document")
        return found.to(self.model.device)

    @torch.inference_mode()
    def logit(self, query: str, document: str) -> float:
        return float(self.model(**self.pair(query, document)).logits[0, 0])


def main(lines: list[str]) -> None:
    reranker = Reranker()
    for line in lines:
        body: dict[str, Any] = json.loads(line)
        print(json.dumps([{"logit": reranker.logit(body["query"], d)} for d in body["documents"]]))


if __name__ == "__main__":
    tried = [json.dumps({"query": QUERY, "documents": DOCUMENTS})]
    main(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines() if len(sys.argv) > 1 else tried)
