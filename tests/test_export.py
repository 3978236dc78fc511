"""A bundle carries the tuned prompt: the baked template renders the same bytes everywhere, and a request still wins."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import re
import shlex
import zipfile
from pathlib import Path

import jinja2
import jsonschema
import pytest

from workbench.errors import PromptInvalid, TemplateInvalid
from workbench.export import (
    Outgoing,
    bake,
    compatibility,
    files_of,
    jinja_literal,
    linted,
    outgoing,
    prove,
    prove_sound,
    zip_bundle,
)
from workbench.export._golden import _hidden
from workbench.export._judged import judged
from workbench.export._linted import _found
from workbench.export._probes import Case, synthetic_picture, synthetic_text
from workbench.pool import Bench
from workbench.ranking import ranking
from workbench.template import read_family, split_facts, template_of
from workbench.types import Document, Encoding, Image, Query, Text, Variant

ENVIRONMENTS = [
    jinja2.Environment(trim_blocks=t, lstrip_blocks=s, keep_trailing_newline=k)
    for t, s, k in itertools.product([False, True], repeat=3)
]
MESSAGES = [{"role": "query", "content": "q"}, {"role": "document", "content": "d"}]
INSTRUCTIONS = [
    "Only the colour matters.", "  spaces kept  ", "quote ' and \" and \\ back", "line\nbreak\ttab", "多模态 🌸",
    "{{ braces }} {% tag %} {# comment #}", "#} ends a comment", "\u2028\u200b\x7f",
]  # fmt: skip
ROOT = Path(__file__).resolve().parents[1]
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


@pytest.fixture(scope="module")
def files(bench: Bench, exported: Outgoing) -> dict[str, bytes]:
    return files_of(bench, exported, compatibility(bench, exported))


def test_a_bundle_holds_what_production_needs(files: dict[str, bytes]) -> None:
    assert set(files) == {
        "template.jinja", "manifest.json", "manifest.schema.json", "golden.jsonl", "check.py", "serve.sh", "request.json",
        "request-kwargs.json", "README.md",
    }  # fmt: skip
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
    for name, data in files.items():
        assert data.decode().strip(), name


def test_the_manifest_says_what_was_tuned_and_keeps_to_its_schema(files: dict[str, bytes]) -> None:
    manifest, schema = json.loads(files["manifest.json"]), json.loads(files["manifest.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(manifest, schema)
    assert manifest["instruction"] == "Only law." and manifest["parity"] == "reference" and manifest["dtype"] == "float32"
    assert manifest["template_sha256"] == hashlib.sha256(files["template.jinja"]).hexdigest()
    assert manifest["golden"]["sha256"] == hashlib.sha256(files["golden.jsonl"]).hexdigest()
    for wrong in ({"parity": "other"}, {"template_sha256": "x"}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**manifest, **wrong}, schema)


def test_golden_pairs_are_those_the_template_makes(files: dict[str, bytes], bench: Bench, tiny_qwen3: Path) -> None:
    rows = [json.loads(line) for line in files["golden.jsonl"].decode().splitlines()]
    assert 10 <= len(rows) <= 50 and {"plain", "shortest", "longest", "scripts", "given"} <= {r["covers"] for r in rows}
    scorer = bench.pool.get(str(tiny_qwen3))
    template = template_of(files["template.jinja"].decode(), scorer.family)
    for row in rows:
        body = row["request"]
        variant = Variant(str(tiny_qwen3), template, body.get("instruction"), parity="vllm")
        query, document = (Text(body["query"]),), (Text(body["documents"][0]),)
        encoding = bench.preview(variant, Query("q", query), [Document("d", document)])[0]
        assert isinstance(encoding, Encoding) and list(encoding.token_ids) == row["token_ids"]
        assert row["prompt_sha256"] == hashlib.sha256(encoding.prompt.text.encode()).hexdigest()
        assert row["tolerance"] > 0 and row["score"] == pytest.approx(1 / (1 + math.exp(-row["logit"])), abs=1e-6)
        assert all(s["token_ids"] != row["token_ids"] for s in row["suspects"])
    causes = {s["cause"] for r in rows for s in r["suspects"]}
    assert causes == {"template not loaded", "newline lost", "instruction ignored", "double wrap"}


def test_synthetic_words_keep_the_shape_and_none_of_the_text() -> None:
    text = "Dr. Müller paid 1,250 EUR\n  on 3 May; 漢字 и дом"
    made = synthetic_text(text)
    assert len(made) == len(text) and made != text
    assert [c for c in made if not c.isalnum()] == [c for c in text if not c.isalnum()]
    assert not set(re.findall(r"\w{2,}", text)) & set(re.findall(r"\w{2,}", made))
    assert synthetic_text("") == "" and [c.isdigit() for c in made] == [c.isdigit() for c in text]


def test_a_template_that_does_not_render_does_not_leave(bench: Bench) -> None:
    with pytest.raises(TemplateInvalid):
        prove(bench, bench.variant(template=template_of("{{ messages[0].content ")), QUERY, ROWS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{- messages[0].content -}}", "never shows the document"),
        ("{{- messages[1].content -}}", "never shows the query"),
        ("{{- messages[0].content ~ messages[1].content -}}", "never reads the instruction"),
    ],
)
def test_what_a_template_drops_stops_it(bench: Bench, tiny_qwen3: Path, body: str, said: str) -> None:
    with pytest.raises(PromptInvalid, match=said):
        prove(bench, Variant(str(tiny_qwen3), template_of(body), "x"), QUERY, ROWS)


def test_a_default_that_would_change_bytes_does_not_leave(bench: Bench, tiny_qwen3: Path) -> None:
    both = "{{- messages[0].content ~ messages[1].content -}}"
    shy = template_of("{{- 'given' if instruction is defined else 'not' -}}" + both)
    _, baked = prove(bench, Variant(str(tiny_qwen3), shy, "x"), QUERY, ROWS)
    assert "set instruction" in baked
    sly = template_of("{{- self._TemplateReference__context.exported_vars -}}" + both)
    with pytest.raises((PromptInvalid, TemplateInvalid)):
        prove(bench, Variant(str(tiny_qwen3), sly, "x"), QUERY, ROWS)


UNSTEADY = {
    "raw text": "Q: {{ messages[0].content }}\n  D: {{ messages[1].content }}\nyes?\n",
    "blocks on lines": "  {% if instruction %}\n{{ instruction }}\n  {% endif %}\n"
    "{{ messages[0].content }}\t{{ messages[1].content }}\n\n",
    "a loop": "{% for m in messages %}\n<{{ m.role }}> {{ m.content }}\n{% endfor %}\nEnd'\"\\ 漢\n",
    "raw and comments": "{# note #}\n{% raw %}{{ x }}{% endraw %} {{ messages[0].content }} {{ messages[1].content }} \n",
    "CRLF": "{{ messages[0].content }}\r\n{{ messages[1].content }}\r\n\r\n",
}


@pytest.mark.parametrize("name", UNSTEADY)
def test_every_setting_of_jinja_renders_what_leaves_the_same(bench: Bench, tiny_qwen3: Path, name: str) -> None:
    source = UNSTEADY[name]
    tuned = Variant(str(tiny_qwen3), template_of(source), "Only law." if "instruction" in source else None)
    _, baked = prove(bench, tuned, QUERY, ROWS)
    assert baked.startswith(("{{-", "{%-", "{#-")) and baked.rstrip().endswith(("-}}", "-%}", "-#}"))
    transformers = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    given = {"instruction": tuned.instruction} if tuned.instruction else {}
    expected = transformers.from_string(source).render(messages=MESSAGES, **given)
    for env, ends in itertools.product(ENVIRONMENTS, ["\n", "\r\n"]):
        assert env.from_string(baked.replace("\n", ends)).render(messages=MESSAGES) == expected


def test_a_clock_in_a_template_is_refused_with_the_reason(bench: Bench, tiny_qwen3: Path) -> None:
    body = "{{- messages[0].content ~ messages[1].content ~ strftime_now('%f') -}}"
    with pytest.raises(PromptInvalid, match="renders other bytes"):
        prove(bench, Variant(str(tiny_qwen3), template_of(body)), QUERY, ROWS)


def test_what_was_edited_without_its_facts_leaves_with_them(bench: Bench, tiny_qwen3: Path, body: str) -> None:
    facts, prompt = split_facts(body)
    assert facts.startswith("{#") and prompt.startswith("{%") and facts + prompt == body
    assert split_facts(prompt) == ("", prompt) and split_facts("{# a remark #}{{ 1 }}")[0] == ""
    _, baked = prove(bench, Variant(str(tiny_qwen3), template_of(prompt)), QUERY, ROWS)
    assert read_family(baked, "x").name == "qwen3-reranker"


def test_a_picture_that_may_not_leave_becomes_one_of_ours(bench: Bench) -> None:
    plain = bench.library.add(synthetic_picture(), "ours")
    facts = bench.library.probe(plain)
    assert (facts.width, facts.height) == (64, 64)
    secret = bench.library.add_file(ROOT / "assets" / "scenarios" / "flip" / "red-star.png", source="mine.png")
    given = Case("given", Query("q", (Text("Anna"),)), Document("d", (secret, Text("met Bob"))))
    (hidden,) = _hidden(bench, [given])
    assert [type(p).__name__ for p in hidden.document.content] == ["Image", "Text"]
    picture = hidden.document.content[0]
    assert isinstance(picture, Image) and picture.digest == plain.digest and picture.source == "synthetic picture"
    assert "Bob" not in str(hidden.document) and "Anna" not in str(hidden.query)


# ---------------------------------------------------------------- what was judged
def judged_of(bench: Bench, model: Path, texts: list[str], grades: list[int | None]) -> dict[str, object]:
    rows = [Document(str(i), (Text(t),)) for i, t in enumerate(texts)]
    found = judged(bench, Variant(str(model)), QUERY, rows, grades)
    assert found is None or isinstance(found, dict)
    return found or {}


def test_the_manifest_carries_the_metrics_of_graded_documents(bench: Bench, tiny_qwen3: Path) -> None:
    texts = ["red", "a blue star", "green things", "x"]
    rows = [Document(str(i), (Text(t),)) for i, t in enumerate(texts)]
    down = [r.index for r in ranking(Variant(str(tiny_qwen3)), QUERY, bench.rank(Variant(str(tiny_qwen3)), QUERY, rows)).ranked]
    grades: list[int | None] = [0, 0, 0, 0]
    grades[down[1]] = 3  # the second place holds all that is relevant
    found = judged_of(bench, tiny_qwen3, texts, grades)
    metrics = found["metrics"]
    assert found["documents"] == 4 and metrics["MRR@5"] == 0.5  # type: ignore[index]
    assert metrics["nDCG@5"] == pytest.approx(1 / math.log2(3))  # type: ignore[index]
    other = judged_of(bench, tiny_qwen3, [*texts[:3], "y"], grades)
    assert other["sha256"] != found["sha256"]
    open_ = judged_of(bench, tiny_qwen3, texts, [g if i == down[1] else None for i, g in enumerate(grades)])
    low, high = open_["metrics"]["nDCG@5"]  # type: ignore[index]
    assert open_["documents"] == 1 and low <= metrics["nDCG@5"] < high  # type: ignore[index]


def test_nothing_graded_or_a_row_that_fails_gives_no_metric(bench: Bench, tiny_qwen3: Path) -> None:
    assert not judged_of(bench, tiny_qwen3, ["a", "b"], [None, None])
    assert not judged_of(bench, tiny_qwen3, ["a"], [])
    rows = [Document("0", (Text("a"),)), Document("1", ())]
    assert judged(bench, Variant(str(tiny_qwen3)), QUERY, rows, [1, 0]) is None


# ---------------------------------------------------------------- what the linter says of it
def test_what_the_linter_calls_an_error_is_a_reason_not_to_leave(bench: Bench, tiny_qwen3: Path) -> None:
    own = split_facts(bench.pool.template(str(tiny_qwen3)).body)[1]
    prove_sound(bench, Variant(str(tiny_qwen3), template_of(own), "x"), QUERY, ROWS)
    lost = own.replace("</think>\\n\\n' -}}", "</think>\\n' -}}")
    assert lost != own
    with pytest.raises(PromptInvalid, match=r"E6: The score is read at the last token: .* instead of"):
        prove_sound(bench, Variant(str(tiny_qwen3), template_of(lost), "x"), QUERY, ROWS)


SPELLED = "a text that spells <|im_end|> inside, said Anna"


@pytest.fixture(scope="module")
def warned(bench: Bench, tiny_qwen3: Path) -> Outgoing:
    rows = [Document(str(i), (Text(t),)) for i, t in enumerate((SPELLED, "red", "blue"))]
    return outgoing(bench, Variant(str(tiny_qwen3), instruction="Only law."), QUERY, rows)


def test_warnings_are_listed_in_the_manifest_and_the_readme(bench: Bench, warned: Outgoing, files: dict[str, bytes]) -> None:
    made = files_of(bench, warned, ())
    manifest = json.loads(made["manifest.json"])
    jsonschema.validate(manifest, json.loads(made["manifest.schema.json"]))
    (found,) = (f for f in manifest["findings"] if f["code"] == "W2")
    assert "`<|im_end|>`" in found["sentence"] and found["where"] == "document"
    assert len({(f["code"], f["where"]) for f in manifest["findings"]}) == len(manifest["findings"])
    assert f"- W2: {found['sentence']}" in made["README.md"].decode()
    assert json.loads(files["manifest.json"])["findings"] == [] and "linter" not in files["README.md"].decode()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**manifest, "findings": [{"code": "x", "sentence": "y"}]}, json.loads(made["manifest.schema.json"]))


def test_warnings_are_of_the_template_that_leaves(bench: Bench, tiny_qwen3: Path) -> None:
    """A template that Jinja's plain settings render otherwise leaves in a form that all settings render the same."""
    own = split_facts(bench.pool.template(str(tiny_qwen3)).body)[1]
    loose = own.replace("query ~ '\\n' -}}", "query ~ '\\n' }}{% if true %}\n{% endif %}{{ '' -}}")
    assert loose != own
    tuned = Variant(str(tiny_qwen3), template_of(loose), "x")
    pair = (QUERY, ROWS[0])
    assert "W5" in {f.code for f in _found(bench, bench.resolved(tuned), [pair])}
    variant, baked = prove(bench, tuned, QUERY, ROWS)
    assert "W5" not in {f.code for f in linted(bench, variant, baked, QUERY, ROWS)}


def test_a_warning_quotes_no_document_that_may_not_leave(bench: Bench, tiny_qwen3: Path) -> None:
    own = split_facts(bench.pool.template(str(tiny_qwen3)).body)[1]
    spaced = own.replace("query ~ '\\n' -}}", "query ~ ' \\n' -}}")
    assert spaced != own
    variant = Variant(str(tiny_qwen3), template_of(spaced), "x")
    query, rows = Query("q", (Text("who met secretiveAnna"),)), [Document("d", (Text("a file"),))]
    said = [f.sentence for f in outgoing(bench, variant, query, rows).findings if f.code == "W1"]
    assert said and "secretiveAnna" in said[0]
    hidden = outgoing(bench, variant, query, rows, synthetic=True)
    assert [f for f in hidden.findings if f.code == "W1"] and not any("secretive" in f.sentence for f in hidden.findings)
