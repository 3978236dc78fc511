"""What a checkpoint says it is, and which programs have a class for it: looked up in their registries.

Knows nothing of files. Only models that read their tokenizer's pair are asked: others are turned into classifiers here.
"""

from __future__ import annotations

from workbench.errors import PromptInvalid
from workbench.export._manifest import Outgoing
from workbench.scorers._ids import ReadsPairs

FOREIGN = "NewForSequenceClassification"  # what mGTE checkpoints call themselves; their config is code of their own
VLLM = tuple(f"{kind}ForSequenceClassification" for kind in ("Bert", "Roberta", "XLMRoberta", "ModernBert", "New"))
SGLANG = ("BertForSequenceClassification", "XLMRobertaForSequenceClassification")


def architecture(out: Outgoing) -> str:
    """The class that config.json names, "" where it names none or the model is on a server."""
    names = out.scorer.config.get("architectures") if isinstance(out.scorer, ReadsPairs) else None
    return str((names or [""])[0])


def served(out: Outgoing) -> None:
    """Raises PromptInvalid for what no vLLM server runs."""
    if out.scorer.family.remote:
        raise PromptInvalid(f"{out.scorer.family.name} is served with its own files: {out.scorer.family.remote}")
    if out.pair and architecture(out) not in VLLM:
        raise PromptInvalid(f"vLLM 0.32 has no {named(out)} of its own; what it may run instead was not checked here")


def on_sglang(out: Outgoing) -> None:
    """Raises PromptInvalid for a classifier that SGLang does not run."""
    if architecture(out) not in SGLANG:
        raise PromptInvalid(f"SGLang has no {named(out)}")
    no_limits(out)


def named(out: Outgoing) -> str:
    return architecture(out) or "class for a config that names none"


def no_limits(out: Outgoing) -> None:
    """Raises PromptInvalid where limits were tuned with that a program other than vLLM does not keep."""
    limits = out.variant.limits
    if kept := [name for name in limits.__slots__ if getattr(limits, name) is not None]:
        raise PromptInvalid(f"it keeps no {' and no '.join(kept)}")
