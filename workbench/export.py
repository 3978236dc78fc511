"""A tuned variant as files for production: the template with its instruction baked in, a manifest, the serve line.

Knows nothing of screens or servers; each file is one function of an `Outgoing`, and nothing leaves that does not render the same.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import platform
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from workbench.pool import Bench
from workbench.ranking import make_pair, takes_template
from workbench.scorers import Scorer
from workbench.template import split_facts
from workbench.types import (
    JSON,
    Document,
    Family,
    PromptInvalid,
    Query,
    RequestInvalid,
    Row,
    Text,
    Variant,
    WorkbenchError,
)

DEFAULT = re.compile(
    r"""(?P<head>\binstruction\s*\|\s*default\(\s*)(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?P<tail>\s*,\s*true\s*\))"""
)
FACT = re.compile(r'(?m)^(default_instruction\s*=\s*)"(?:[^"\\]|\\.)*"')
NAME = re.compile(r"[A-Za-z_]\w*\Z")
PROBE = (Query("probe", (Text("query"),)), Document("probe", (Text("document"),)))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What every file of a bundle is made from; `template` already carries the instruction and variables as defaults."""

    variant: Variant
    scorer: Scorer
    template: str
    example: Mapping[str, JSON]  # a request body for /rerank
    served: str  # what a server is told to load: the model's name, or the folder of the shipped one

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.template.encode()).hexdigest()


def bundle(bench: Bench, variant: Variant, query: Query, rows: Sequence[Row]) -> dict[str, bytes]:
    """File name → bytes. Raises where the template does not render or the baked one would render other bytes."""
    scorer = bench.pool.get(variant.model)
    variant = replace(variant, template=bench.template_for(variant))
    assert variant.template is not None
    if scorer.family.scorer == "vllm" and variant.template == scorer.family.template:
        raise PromptInvalid(
            "is the server's own, which it does not tell", where="template", hint="Write the template out, then export it."
        )
    if not takes_template(scorer.family, variant.template):
        raise PromptInvalid(
            "has no template that could be exported: it reads query and document as they are", where=scorer.name,
            hint="Serve the model as it is.",
        )  # fmt: skip
    baked = bake(_with_facts(variant.template.body, scorer.family), variant.instruction, variant.variables)
    pairs = [(query, r) for r in rows if isinstance(r, Document) and r.content] if query.content else []
    _prove_equal(bench, scorer, variant, baked, pairs or [PROBE])
    shipped = bench.pool.shipped
    served = f"assets/{shipped.name}" if shipped and scorer.name == shipped.name else getattr(scorer, "served", scorer.name)
    out = Outgoing(variant, scorer, baked, _example(query, rows), served)
    return {
        "template.jinja": baked.encode(),
        "manifest.json": _manifest(out),
        "serve.sh": f"#!/bin/sh\n# Serves this bundle's template with vLLM (0.22 or newer).\n{serve_line(out)}\n".encode(),
        "request.json": (json.dumps(out.example, ensure_ascii=False, indent=1) + "\n").encode(),
        "README.md": _readme(out),
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


def _with_facts(body: str, family: Family) -> str:
    """The prompt as a family file again, where it begins so that the comment above it adds and eats no byte."""
    facts, prompt = split_facts(body)
    if facts or not prompt.startswith(("{%-", "{{-")):
        return body
    return split_facts(family.source)[0] + prompt


def bake(body: str, instruction: str | None, variables: Mapping[str, JSON]) -> str:
    """The template with these values as its defaults; a request that sends its own still wins.

    vLLM's --default-chat-template-kwargs does not reach scoring, so the file must carry them.
    """
    if instruction and DEFAULT.search(body):
        literal = jinja_literal(instruction)
        body = DEFAULT.sub(lambda m: m["head"] + literal + m["tail"], body)
        return _set_defaults(_fact(body, instruction), variables)
    given = {"instruction": instruction, **variables} if instruction else dict(variables)
    return _set_defaults(body, given)


def _fact(body: str, instruction: str) -> str:
    quoted = json.dumps(instruction, ensure_ascii=False).replace("#}", "#\\u007d").replace("\x7f", "\\u007f")
    return FACT.sub(lambda m: m[1] + quoted, body, count=1)


def _set_defaults(body: str, values: Mapping[str, JSON]) -> str:
    """`{%- set … -%}` lines behind the facts: they add no byte to the prompt."""
    lines = ""
    for name, value in values.items():
        if not NAME.match(name):
            raise RequestInvalid(f"{name!r} cannot be a template variable", where="variables")
        otherwise = f"{name} | default({jinja_literal(value)}, true)"
        if name != "instruction":
            otherwise = f"{name} if {name} is defined else {jinja_literal(value)}"
        lines += f"{{%- set {name} = {otherwise} -%}}\n"
    facts = re.match(r"\s*\{#.*?#\}\n?", body, re.S)
    at = facts.end() if facts else 0
    return body[:at] + lines + body[at:]


def jinja_literal(value: JSON) -> str:
    """A JSON value as Jinja source; text keeps every character whatever the file's line endings become."""
    if isinstance(value, str):
        text = value.replace("\\", "\\\\").replace("'", "\\'")
        return "'" + "".join(c if c.isprintable() else _escape(c) for c in text) + "'"
    if isinstance(value, list):
        return "[" + ", ".join(map(jinja_literal, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{jinja_literal(k)}: {jinja_literal(v)}" for k, v in value.items()) + "}"
    return {None: "none", True: "true", False: "false"}.get(value) or json.dumps(value)


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    code = ord(character)
    return short or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}")


def _prove_equal(
    bench: Bench, scorer: Scorer, variant: Variant, baked: str, pairs: Sequence[tuple[Query, Document]]
) -> None:
    """The baked template without any variable renders what the variant rendered, for every pair that renders at all."""
    assert variant.template is not None
    plain = replace(variant, template=replace(variant.template, body=baked), instruction=None, variables={})
    rendered, problem = 0, None
    for query, document in pairs:
        try:
            before = make_pair(bench.renderer, scorer, variant, query, document).prompts[0].text
        except WorkbenchError as error:
            problem = error
            continue
        rendered += 1
        if make_pair(bench.renderer, scorer, plain, query, document).prompts[0].text != before:
            raise PromptInvalid(
                "renders other bytes once the instruction is its default",
                where="template",
                hint="Read the instruction as {{ instruction | default('…', true) }}, or send it with each request.",
            )
    if not rendered and problem is not None:
        raise problem


def serve_line(out: Outgoing) -> str:
    """The `vllm serve` command that loads this template in front of this model."""
    overrides = _overrides(out.scorer.family)
    given = f"--hf-overrides {_shell(json.dumps(overrides))} " if overrides else ""
    return f"vllm serve {_shell(out.served)} --runner pooling {given}--chat-template template.jinja"


def _overrides(family: Family) -> dict[str, JSON]:
    """What turns a causal model into a reranker for vLLM; nothing for a checkpoint that has a head of its own."""
    if family.method == "sequence_head":
        return {}
    classes = [a.replace("ForCausalLM", "").replace("ForConditionalGeneration", "") for a in family.architectures]
    head: dict[str, JSON] = {"method": family.method}
    if family.name.startswith("qwen3") and family.method == "from_2_way_softmax":
        head = {"is_original_qwen3_reranker": True}
    return {
        "architectures": [f"{c}ForSequenceClassification" for c in classes],
        "classifier_from_token": list(reversed(family.labels)),
        **head,
    }


def _shell(text: str) -> str:
    return text if re.fullmatch(r"[\w./:-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _manifest(out: Outgoing) -> bytes:
    variant, facts, limits = out.variant, out.scorer.facts(), out.variant.limits
    content: dict[str, JSON] = {
        "format": 1,
        "model": out.scorer.name,
        "family": out.scorer.family.name,
        "labels": dict(zip(("true", "false"), out.scorer.family.labels, strict=False)),
        "dtype": facts.dtype,
        "parity": variant.parity,
        "instruction": variant.instruction,
        "variables": dict(variant.variables),
        "limits": {name: getattr(limits, name) for name in limits.__slots__ if getattr(limits, name) is not None},
        "max_length": out.scorer.window(out.variant.parity),
        "template_sha256": out.digest,
        "versions": {"python": platform.python_version(), **_versions("torch", "transformers", "jinja2")},
        "licence": "The template is yours; the model keeps its own licence.",
    }
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def _versions(*packages: str) -> dict[str, str]:
    return {p: importlib.metadata.version(p) for p in packages}


def _example(query: Query, rows: Sequence[Row]) -> dict[str, JSON]:
    """A /rerank body with the texts in hand; media are left out, since a server needs them as data URLs."""
    texts = [_text(r) for r in rows if isinstance(r, Document)]
    return {"query": _text(query) or "query", "documents": [t for t in texts if t][:10] or ["document"]}


def _text(side: Query | Document) -> str:
    return "\n".join(p.text for p in side.content if isinstance(p, Text))


def _readme(out: Outgoing) -> bytes:
    return f"""# A score template for {out.scorer.name}

`template.jinja` is the whole prompt; its instruction is the default and a request's own `instruction` still wins.
SHA-256 of the file: `{out.digest}`.

Serve it:

```sh
{serve_line(out)}
```

Ask it:

```sh
curl -s http://127.0.0.1:8000/rerank -H 'Content-Type: application/json' -d @request.json
```

`manifest.json` says what was tuned, with which recipe (`{out.variant.parity}`) and versions.
""".encode()
