"""A bundle carries the tuned prompt: the baked template renders the same bytes everywhere, and a request still wins."""

from __future__ import annotations

import io
import itertools
import json
import shlex
import zipfile
from pathlib import Path

import jinja2
import pytest

from workbench.export import bake, bundle, jinja_literal, zip_bundle
from workbench.pool import Bench
from workbench.template import read_family, split_facts, template_of
from workbench.types import Document, PromptInvalid, Query, TemplateInvalid, Text, Variant

ENVIRONMENTS = [
    jinja2.Environment(trim_blocks=t, lstrip_blocks=s, keep_trailing_newline=k)
    for t, s, k in itertools.product([False, True], repeat=3)
]
MESSAGES = [{"role": "query", "content": "q"}, {"role": "document", "content": "d"}]
INSTRUCTIONS = [
    "Only the colour matters.", "  spaces kept  ", "quote ' and \" and \\ back", "line\nbreak\ttab", "多模态 🌸",
    "{{ braces }} {% tag %} {# comment #}", "#} ends a comment", "\u2028\u200b\x7f",
]  # fmt: skip
QUERY, ROWS = Query("q", (Text("q"),)), [Document("d", (Text("d"),))]


@pytest.fixture(params=["qwen3-reranker", "qwen3-vl-reranker"])
def body(request: pytest.FixtureRequest, root: Path) -> str:
    return (root / "templates" / f"{request.param}.jinja").read_text(encoding="utf-8")


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_the_baked_default_is_what_was_tuned(body: str, instruction: str) -> None:
    baked = bake(body, instruction, {})
    for env, newline in itertools.product(ENVIRONMENTS, ["\n", "\r\n"]):
        expected = env.from_string(body).render(messages=MESSAGES, instruction=instruction)
        template = env.from_string(baked.replace("\n", newline))
        assert template.render(messages=MESSAGES) == expected
        assert template.render(messages=MESSAGES, instruction="mine") == env.from_string(body).render(
            messages=MESSAGES, instruction="mine"
        )
    assert read_family(baked, "x").default_instruction == instruction


def test_variables_become_defaults_without_a_byte_more(body: str) -> None:
    source = (
        body.replace("<Query>", "{{- tone -}}<Query>") if "{{- tone" in body else body + "{{- tone | default('') -}}"
    )
    baked = bake(source, None, {"tone": "dry", "depth": 3, "flags": {"a": [True, None, 1.5]}})
    for env in ENVIRONMENTS:
        expected = env.from_string(source).render(messages=MESSAGES, tone="dry")
        assert env.from_string(baked).render(messages=MESSAGES) == expected
        assert env.from_string(baked).render(messages=MESSAGES, tone="") == env.from_string(source).render(
            messages=MESSAGES, tone=""
        )


@pytest.mark.parametrize("value", ["a'b\\n", "\r\n\t\x00é\U0001f338", [1, None, {"k": [False]}], 2.5, "}}"])
def test_literals_are_the_values(value: object) -> None:
    env = jinja2.Environment()
    assert env.from_string("{{ (" + jinja_literal(value) + ") == value }}").render(value=value) == "True"


def test_a_bundle_holds_what_production_needs(bench: Bench, tiny_qwen3: Path) -> None:
    files = bundle(bench, Variant(str(tiny_qwen3), instruction="Only law."), QUERY, ROWS)
    assert set(files) == {"template.jinja", "manifest.json", "serve.sh", "request.json", "README.md"}
    manifest = json.loads(files["manifest.json"])
    assert (
        manifest["instruction"] == "Only law." and manifest["parity"] == "reference" and manifest["dtype"] == "float32"
    )
    words = shlex.split(files["serve.sh"].decode().splitlines()[-1])
    assert words[:2] == ["vllm", "serve"] and words[words.index("--chat-template") + 1] == "template.jinja"
    overrides = json.loads(words[words.index("--hf-overrides") + 1])
    assert overrides["architectures"] == ["Qwen3ForSequenceClassification"]
    assert overrides["classifier_from_token"] == ["no", "yes"]
    assert template_of(files["template.jinja"].decode()).body.encode() == files["template.jinja"]
    assert json.loads(files["request.json"]) == {"query": "q", "documents": ["d"]}
    with zipfile.ZipFile(io.BytesIO(zip_bundle(files))) as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == files
    assert zip_bundle(files) == zip_bundle(files)


def test_a_template_that_does_not_render_does_not_leave(bench: Bench) -> None:
    with pytest.raises(TemplateInvalid):
        bundle(bench, bench.variant(template=template_of("{{ messages[0].content ")), QUERY, ROWS)


def test_a_default_that_would_change_bytes_does_not_leave(bench: Bench) -> None:
    shy = template_of("{{- 'given' if instruction is defined else 'not' -}}{{- messages[1].content -}}")
    files = bundle(bench, bench.variant(template=shy, instruction="x"), QUERY, ROWS)
    assert b"set instruction" in files["template.jinja"]
    sly = template_of("{{- self._TemplateReference__context.exported_vars -}}")
    with pytest.raises((PromptInvalid, TemplateInvalid)):
        bundle(bench, bench.variant(template=sly, instruction="x"), QUERY, ROWS)


def test_what_was_edited_without_its_facts_leaves_with_them(bench: Bench, tiny_qwen3: Path, body: str) -> None:
    facts, prompt = split_facts(body)
    assert facts.startswith("{#") and prompt.startswith("{%") and facts + prompt == body
    assert split_facts(prompt) == ("", prompt) and split_facts("{# a remark #}{{ 1 }}")[0] == ""
    files = bundle(bench, Variant(str(tiny_qwen3), template_of(prompt)), QUERY, ROWS)
    assert read_family(files["template.jinja"].decode(), "x").name == "qwen3-reranker"
    bare = "  bare {{ messages[1].content }}"
    assert bundle(bench, Variant(str(tiny_qwen3), template_of(bare)), QUERY, ROWS)["template.jinja"] == bare.encode()
