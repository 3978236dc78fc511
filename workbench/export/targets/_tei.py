"""text-embeddings-inference: serves classifiers with one label, whose query and document its tokenizer joins.

Knows nothing of other programs. After its router (`/rerank`, `/info`) and the configs its candle backend reads: a field that
it asks for and config.json lacks stops it at the start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from workbench.errors import PromptInvalid
from workbench.export._manifest import Outgoing
from workbench.export.targets._classes import named, no_limits
from workbench.export.targets._scripts import script
from workbench.export.targets._vllm import example, shell
from workbench.scorers._ids import ReadsPairs

Files = Mapping[str, bytes]
TITLE = "text-embeddings-inference"
# model_type → what of config.json it does not do without, where checkpoints differ
ASKED: Mapping[str, tuple[str, ...]] = {
    "bert": (), "roberta": (), "xlm-roberta": (),
    "modernbert": ("global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"),
    "new": ("rope_theta", "layer_norm_type", "position_embedding_type"),
    "gte": ("rope_theta", "layer_norm_type", "position_embedding_type"),
}  # fmt: skip
DTYPES = ("float32", "float16")


def serve(out: Outgoing) -> Files:
    """The router's command, a body of its own /rerank, and what differs in its answer. Raises PromptInvalid with why not."""
    if not out.pair:
        why = "leave the template out" if out.scorer.family.template.layout == "pair" else "which {} was not trained on"
        raise PromptInvalid(
            f"{TITLE} has no score template: it joins query and document as the tokenizer's pair, "
            + why.format(out.scorer.family.name)
        )
    _taken(out)
    no_limits(out)
    known, revision = out.scorer.facts().dtype, getattr(out.scorer, "revision", "")
    words = ["--model-id", out.served, *(["--revision", revision] if revision else [])]
    words += ["--dtype", known] if known in DTYPES else []
    text = f"#!/bin/sh\n# Serves this bundle's model with {TITLE}.\n"
    if known not in DTYPES:
        text += f"# It has no {known}: scores differ from golden.jsonl as another dtype makes them differ.\n"
    line = " ".join(["exec text-embeddings-router", *map(shell, words), "--port 8000"])
    body = example(out)
    request = {"query": body["query"], "texts": body["documents"], "raw_scores": True, "truncate": False}
    return {
        "serve-tei.sh": f"{text}{line}\n".encode(),
        "request-tei.json": (json.dumps(request, ensure_ascii=False, indent=1) + "\n").encode(),
        "answers-tei.md": script("pairs/answers-tei.md"),
    }


def _taken(out: Outgoing) -> None:
    """Raises WorkbenchError for an architecture, config or tokenizer that it does not start with."""
    if not isinstance(out.scorer, ReadsPairs):
        raise PromptInvalid("the model runs on a server: its config is not known here")
    config = out.scorer.config
    kind = str(config.get("model_type"))
    if kind not in ASKED:
        raise PromptInvalid(f"{TITLE} has no {named(out)}")
    if lacking := [name for name in (*ASKED[kind], "id2label", "label2id") if name not in config]:
        raise PromptInvalid(f"{TITLE} asks config.json for {', '.join(lacking)}, and this one has none of that name")
    out.scorer.joined("a", "b", from_file=True)
