"""A tuned variant as files for production: the template with its instruction baked in, what proves it, how to serve it.

A model that reads its tokenizer's pair has no template: what leaves is how it is served, and the proof. Knows nothing of
screens or doors; nothing leaves that does not render the same, and no target gets what it would read otherwise.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

from workbench.errors import PromptInvalid, WorkbenchError
from workbench.export import check, targets
from workbench.export._bake import bake, jinja_literal, prove_steady, steady, with_facts
from workbench.export._differences import differences
from workbench.export._golden import make_golden
from workbench.export._judged import judged
from workbench.export._linted import asked_first, prove_sound, said, said_of
from workbench.export._lone import prove_lone
from workbench.export._manifest import SCHEMA, Outgoing, golden_lines, manifest
from workbench.export._one_file import check_program
from workbench.export._probes import PROBES
from workbench.export._readme import readme
from workbench.export.targets import Row as TargetRow
from workbench.export.targets import compatibility
from workbench.lint import Finding
from workbench.pool import Bench
from workbench.ranking import make_pair, takes_template
from workbench.scorers import Scorer
from workbench.types import JSON, Document, Pair, Query, Row, Text, Variant

__all__ = [
    "Outgoing", "TargetRow", "bake", "bundle", "check", "compatibility", "differences", "files_of",
    "jinja_literal", "linted", "outgoing", "prove", "prove_sound",
    "zip_bundle",
]  # fmt: skip


def bundle(
    bench: Bench, variant: Variant, query: Query, rows: Sequence[Row], *, target: str = "vllm", synthetic: bool = False,
    grades: Sequence[int | None] = (),
) -> dict[str, bytes]:  # fmt: skip
    """File name → bytes. `grades` run parallel to `rows`.

    Raises where the template does not render, would render other bytes, or the target cannot take it."""
    out = outgoing(bench, variant, query, rows, target=target, synthetic=synthetic, grades=grades)
    return files_of(bench, out, compatibility(bench, out))


def prove(bench: Bench, variant: Variant, query: Query, rows: Sequence[Row]) -> tuple[Variant, str]:
    """(the variant with its template named, the template that leaves; "" for a tokenizer's pair). No weights are touched.

    Raises WorkbenchError: a template that does not render, ignores the query, the document or the instruction, or changes
    with the settings of who reads it.
    """
    scorer = bench.pool.get(variant.model)
    variant = replace(variant, template=bench.template_for(variant))
    assert variant.template is not None
    if scorer.family.scorer == "vllm" and variant.template == scorer.family.template:
        raise PromptInvalid(
            "is the server's own, which it does not tell", where="template", hint="Write the template out, then export it."
        )
    if scorer.family.scorer == "reward" or not takes_template(scorer.family, variant.template):
        prove_lone(scorer, variant)
        return variant, ""
    tuned = with_facts(variant.template.body, scorer.family)
    bench.renderer.check(tuned)
    baked = bake(steady(bench.renderer, tuned), variant.instruction, variant.variables)
    pairs = [(query, r) for r in rows if isinstance(r, Document) and r.content] if query.content else []
    _prove_equal(bench, scorer, variant, baked, [*pairs, *((p.query, p.document) for p in PROBES)])
    prove_steady(bench.renderer, baked, scorer.special_tokens)
    return variant, baked


def linted(bench: Bench, variant: Variant, baked: str, query: Query, rows: Sequence[Row]) -> tuple[Finding, ...]:
    """What the linter says of what `prove` returned, before anything is scored."""
    return said(bench, variant, baked, asked_first(query, rows))


def outgoing(
    bench: Bench, variant: Variant, query: Query, rows: Sequence[Row], *, target: str = "vllm", synthetic: bool = False,
    grades: Sequence[int | None] = (),
) -> Outgoing:  # fmt: skip
    """The variant proved and scored: what every target's files are made from. `synthetic`: no document of the caller leaves.
    `grades` run parallel to `rows`: what they give for metrics goes into the manifest.

    Raises as `prove`, and for a golden pair that cannot be scored.
    """
    variant, baked = prove(bench, variant, query, rows)
    assert variant.template is not None
    scorer = bench.pool.get(variant.model)
    golden = make_golden(bench, scorer, variant, replace(variant.template, body=baked), query, rows, synthetic)
    shipped = bench.pool.shipped
    served = f"assets/{shipped.name}" if shipped and scorer.name == shipped.name else getattr(scorer, "served", scorer.name)
    metrics, found = judged(bench, variant, query, rows, grades), said_of(bench, variant, baked, golden)
    return Outgoing(variant, scorer, baked, served, target, golden, synthetic, metrics, found)


def files_of(bench: Bench, out: Outgoing, rows: Sequence[TargetRow]) -> dict[str, bytes]:
    """The bundle's files for the target of `out`. Raises PromptInvalid where that target cannot take the prompt."""
    own = targets.files(bench, out)
    return {
        **({} if out.pair else {"template.jinja": out.template.encode()}),
        "manifest.json": _json(manifest(out)),
        "manifest.schema.json": SCHEMA.read_bytes(),
        "golden.jsonl": golden_lines(out.golden),
        "check.py": check_program(),
        **own,
        "README.md": readme(out, own, rows).encode(),
    }


def zip_bundle(files: Mapping[str, bytes]) -> bytes:
    """The files in one archive, with fixed dates so that equal bundles are equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _json(value: JSON) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _prove_equal(
    bench: Bench, scorer: Scorer, variant: Variant, baked: str, pairs: Sequence[tuple[Query, Document]]
) -> None:
    """The baked template without any variable renders what the variant rendered, for every pair that renders at all."""
    assert variant.template is not None
    plain = replace(variant, template=replace(variant.template, body=baked), instruction=None, variables={})
    rendered, problem = 0, None
    for query, document in pairs:
        try:
            before = make_pair(bench.renderer, scorer, variant, query, document)
        except WorkbenchError as error:
            problem = problem or error
            continue
        rendered += 1
        _prove_read(before)
        if make_pair(bench.renderer, scorer, plain, query, document).prompts[0].text != before.prompts[0].text:
            raise PromptInvalid(
                "renders other bytes once the instruction is its default",
                where="template",
                hint="Read the instruction as {{ instruction | default('…', true) }}, or send it with each request.",
            )
    if not rendered and problem is not None:
        raise problem


def _prove_read(pair: Pair) -> None:
    """What a request says must be in the prompt: a template that drops a side scores something else. Raises PromptInvalid."""
    prompt = pair.prompts[0]
    for name, side in (("query", pair.query), ("document", pair.document)):
        texts = [p.text.strip() for p in side.content if isinstance(p, Text) and p.text.strip()]
        if prompt.segments is not None and texts and not pair.text_cuts and not any(s.kind == name for s in prompt.segments):
            raise PromptInvalid(
                f"never shows the {name}", where="template",
                hint=f"Insert the content of the message whose role is {name}.",
            )  # fmt: skip
    if pair.variables.get("instruction") is not None and "instruction" in prompt.unused:
        raise PromptInvalid(
            "never reads the instruction it was tuned with", where="template",
            hint="Insert {{ instruction | default('…', true) }}, or clear the instruction.",
        )  # fmt: skip
