"""manifest.json: what was tuned, on which weights, by which recipe, and what proves it. Its schema lies beside this file.

Knows nothing of targets, nor of how golden pairs are made.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.export._golden import Golden
from workbench.lint import Finding
from workbench.scorers import Scorer
from workbench.types import JSON, Parity, Variant

LICENCE = "The model keeps its own licence."
SCHEMA = Path(__file__).with_name("manifest.schema.json")
TRUNCATION: dict[Parity, str] = {
    "reference": "none: the server refuses a longer prompt (tuning here cut words from the end of the body, never the suffix)",
    "vllm": "none: the server refuses a longer prompt",
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What every file of a bundle is made from; `template` already carries the instruction and variables as defaults.

    It is "" where none leaves: the model reads query and document as its tokenizer's pair.
    """

    variant: Variant
    scorer: Scorer
    template: str
    served: str  # what a server is told to load: the model's name, or the folder of the shipped one
    target: str
    golden: tuple[Golden, ...] = ()
    synthetic: bool = False
    judged: JSON = None  # {documents, sha256, metrics} of what carried grades
    findings: tuple[Finding, ...] = ()  # what the linter says of the template that leaves

    @property
    def pair(self) -> bool:
        return not self.template

    @property
    def digest(self) -> str | None:
        """SHA-256 of the template; None where there is none."""
        return hashlib.sha256(self.template.encode()).hexdigest() if self.template else None

    def aimed(self, target: str) -> Outgoing:
        """The same for another target: what was scored stays."""
        return replace(self, target=target)

    @property
    def window(self) -> int:
        return self.variant.limits.max_length or self.scorer.window("vllm")


def golden_lines(golden: Sequence[Golden]) -> bytes:
    return "".join(json.dumps(g.row(), ensure_ascii=False, allow_nan=False) + "\n" for g in golden).encode()


def manifest(out: Outgoing) -> dict[str, JSON]:
    variant, limits, family = out.variant, out.variant.limits, out.scorer.family
    return {
        "format": 1,
        "target": out.target,
        "model": out.scorer.name,
        "served": out.served,
        "revision": getattr(out.scorer, "revision", "") or None,
        "family": family.name,
        "dtype": out.scorer.facts().dtype,
        "labels": dict(zip(("true", "false"), family.labels, strict=False)),
        "method": family.method,
        "parity": variant.parity,
        "instruction": variant.instruction,
        "variables": dict(variant.variables),
        "limits": {name: getattr(limits, name) for name in limits.__slots__ if getattr(limits, name) is not None},
        "max_length": out.window,
        "truncation": _truncation(variant),
        "template": None if out.pair else "template.jinja",
        "template_sha256": out.digest,
        "golden": {
            "pairs": len(out.golden),
            "sha256": hashlib.sha256(golden_lines(out.golden)).hexdigest(),
            "synthetic": out.synthetic,
            "noise": out.golden[0].noise,
        },
        "judged": out.judged,
        "findings": [{"code": f.code, "where": f.where, "sentence": f.sentence} for f in out.findings],
        "versions": {"python": platform.python_version(), **_versions("torch", "transformers", "tokenizers", "jinja2")},
        "licence": LICENCE if out.pair else f"The template is yours. {LICENCE}",
    }


def _truncation(variant: Variant) -> str:
    tokens = variant.limits.truncate_prompt_tokens
    if tokens is None:
        return TRUNCATION[variant.parity]
    side = variant.limits.truncation_side or "right"
    return f"truncate_prompt_tokens {tokens}, side {side}: the server keeps the first or last ids, which may cost the suffix"


def _versions(*packages: str) -> dict[str, str]:
    return {p: importlib.metadata.version(p) for p in packages}
