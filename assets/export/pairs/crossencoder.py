"""Scores a query's documents with sentence-transformers, which loads the model as it is: python crossencoder.py

Needs sentence-transformers. Scores are what the checkpoint's own activation makes of the logits. A pair that is longer than
LONGEST tokens is cut here, where a server refuses it.
"""

from __future__ import annotations

import torch
from sentence_transformers import CrossEncoder

MODEL = "@model@"
REVISION = None
DTYPE = "float32"
LONGEST = 512
QUERY = "@query@"
DOCUMENTS = ["@documents@"]


def load(device: str = "cpu") -> CrossEncoder:
    kind = {"dtype": getattr(torch, DTYPE, torch.float32)}
    return CrossEncoder(MODEL, device=device, revision=REVISION, max_length=LONGEST, model_kwargs=kind)


def main() -> None:
    scores = load().predict([(QUERY, document) for document in DOCUMENTS])
    for score, document in sorted(zip(scores.tolist(), DOCUMENTS, strict=True), reverse=True):
        print(score, document)


if __name__ == "__main__":
    main()
