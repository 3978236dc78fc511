"""Every rule finds its fault and nothing else, every fix mends it, and what is right is left alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.lint_examples import EXAMPLES, Example, linted, table, template
from workbench.lint import RULES, Finding, errors, lint
from workbench.pool import Bench
from workbench.scenario import read_scenario, titles
from workbench.scorers.lexical import Lexical
from workbench.template import read_families, split_facts
from workbench.types import Document, Encoding, Image, Limits, Pair, Parity, Query, Text, Variant

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "assets" / "demo-reranker"
QUERY = Query("q", (Text("how do bees find flowers"),))
DOCUMENT = Document("d", (Text("Bees see ultraviolet patterns on petals."),))
FAMILIES = read_families(ROOT / "templates")
OPENING, CLOSING = "<!-- lint:", "<!-- /lint -->"
NAMES = [f"{e.code} {e.shown}" for e in EXAMPLES]


def said(shipped: Bench, example: Example) -> tuple[Finding, ...]:
    if example.code != "E8":
        return linted(shipped, example)
    file = io.BytesIO()
    Pillow.new("RGB", (64, 64), "red").save(file, "PNG")
    return linted(shipped, example, (shipped.library.add(file.getvalue(), "red.png"),))


def of(found: tuple[Finding, ...], code: str) -> Finding:
    return next(f for f in found if f.code == code)


# ---------------------------------------------------------------- the examples
@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_a_fault_is_found_and_its_fix_mends_it(shipped: Bench, example: Example) -> None:
    found = said(shipped, example)
    assert example.code in {f.code for f in found}, found
    finding = of(found, example.code)
    assert finding.error == (example.code[0] == "E") and finding.sentence.endswith(".")
    assert (finding.fix.label if finding.fix else "") == example.fix, found
    if example.fixed:
        assert finding.fix and finding.fix.template == template(shipped, example).replace(example.there, example.fixed)
    if finding.span:
        assert 0 <= finding.span[0] <= finding.span[1] <= len(template(shipped, example))


@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e.code.startswith("W")], ids=lambda e: f"{e.code} {e.shown}"
)
def test_what_only_warns_stops_nothing(shipped: Bench, example: Example) -> None:
    assert not errors(said(shipped, example))


def test_every_rule_has_an_example() -> None:
    assert (
        {e.code for e in EXAMPLES} == set(RULES) == {*(f"E{i}" for i in range(1, 10)), *(f"W{i}" for i in range(1, 9))}
    )


def test_readme_has_the_table_of_the_examples(shipped: Bench) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin = text.index("\n", text.index(OPENING)) + 1
    made = table({i: of(said(shipped, example), example.code) for i, example in enumerate(EXAMPLES)})
    assert text[begin : text.index(CLOSING)] == made


# ---------------------------------------------------------------- what is right is left alone
def own(
    bench: Bench, model: str, parity: Parity, query: Query, document: Document, instruction: str | None
) -> tuple[Finding, ...]:
    scorer, template = bench.pool.get(model), bench.pool.template(model)
    variant = bench.variant(model=model, template=template, parity=parity, instruction=instruction)
    return lint(bench.renderer, scorer, variant, query, document, template)


@pytest.mark.parametrize("parity", ["reference", "vllm"])
@pytest.mark.parametrize("instruction", [None, "", "Only the colour matters."])
def test_the_shipped_recipe_is_clean_on_every_scenario(shipped: Bench, parity: Parity, instruction: str | None) -> None:
    seen = 0
    for name in titles(ROOT / "assets" / "scenarios"):
        asked = read_scenario(ROOT / "assets" / "scenarios" / f"{name}.json", shipped.library)
        for row in asked.rows:
            assert isinstance(row, Document)
            assert own(shipped, MODEL.name, parity, asked.query, row, instruction) == (), (name, row.id)
            seen += 1
    assert seen > 30


# What a tokenizer brings, below a reward family's first line: it has a system turn and asks for an answer.
CHAT = """{% if messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{% endif %}
{% for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{% endif %}
"""


class Words(Lexical):
    """A model of any family without weights: its tokens are words, and it shows its prompt."""

    def encode(self, pair: Pair) -> Encoding:
        return replace(super().encode(pair), pair=pair)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("instruction", [None, "Prefer botany."])
def test_every_familys_own_template_is_clean(bench: Bench, name: str, instruction: str | None) -> None:
    """Also where a remark makes it another text, so that the probes look at it."""
    family = FAMILIES[name]
    scorer, own = Words("any", family), family.template
    if family.scorer == "reward":
        own = replace(own, body=own.body + CHAT)
    edited = "{#- mine -#}" + split_facts(own.body)[1]
    for body in (own.body, edited) if own.layout == "joint" else (own.body,):
        for parity in ("reference", "vllm"):
            told = instruction if family.instruction == "template" else None
            variant = Variant("any", replace(own, body=body), told, parity=parity)  # type: ignore[arg-type]
            assert lint(bench.renderer, scorer, variant, QUERY, DOCUMENT, own) == (), parity


@pytest.mark.parametrize("kind", ["qwen3", "qwen3-vl"])
def test_tokens_of_the_real_vocabulary(bench: Bench, kind: str, request: pytest.FixtureRequest) -> None:
    folder = str(request.getfixturevalue(f"tiny_{kind.replace('-', '_')}"))
    for parity in ("reference", "vllm"):
        assert own(bench, folder, parity, QUERY, DOCUMENT, "Prefer botany.") == ()  # type: ignore[arg-type]


def test_the_think_block_and_the_newline_of_files(bench: Bench, tiny_qwen3: Path) -> None:
    """Two prompts that circulate: one without the think block, one whose file loses its last newline."""
    name, template = str(tiny_qwen3), bench.pool.template(str(tiny_qwen3))
    body = split_facts(template.body)[1]
    scorer, tail = bench.pool.get(name), "{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' -}}"
    assert body.rstrip().endswith(tail)
    for other in ("{{- '<|im_start|>assistant\\n' -}}", "<|im_start|>assistant\n<think>\n\n</think>\n\n"):
        variant = bench.variant(model=name, template=replace(template, body=body.rstrip().removesuffix(tail) + other))
        found = lint(bench.renderer, scorer, variant, QUERY, DOCUMENT, template)
        assert [f.code for f in found] == ["E6"] and "271" in found[0].sentence, found
        assert found[0].fix and found[0].fix.template
        mended = replace(variant, template=replace(template, body=found[0].fix.template))
        assert lint(bench.renderer, scorer, mended, QUERY, DOCUMENT, template) == ()
        [ids] = bench.preview(mended, QUERY, [DOCUMENT])
        [wanted] = bench.preview(bench.variant(model=name), QUERY, [DOCUMENT])
        assert isinstance(ids, Encoding) and isinstance(wanted, Encoding) and ids.token_ids == wanted.token_ids


# ---------------------------------------------------------------- the page that was followed
def test_the_page_you_followed_is_mended_by_its_fixes(shipped: Bench) -> None:
    asked = read_scenario(ROOT / "assets" / "scenarios" / "page-you-followed.json", shipped.library)
    scorer, own = shipped.pool.get(MODEL.name), shipped.pool.template(MODEL.name)
    body, codes = str(asked.b.template), list[list[str]]()
    for _ in range(3):
        variant = shipped.variant(template=replace(own, body=body), instruction=asked.b.instruction)
        found = errors(lint(shipped.renderer, scorer, variant, asked.query, asked.rows[0], own))  # type: ignore[arg-type]
        codes.append([f.code for f in found])
        assert found[0].fix and found[0].fix.template and found[0].span
        body = found[0].fix.template
    assert codes == [["E3", "E6", "E5"], ["E6", "E5"], ["E5"]]
    variant = shipped.variant(template=replace(own, body=body), instruction=asked.b.instruction)
    for row in asked.rows:
        assert isinstance(row, Document)
        assert lint(shipped.renderer, scorer, variant, asked.query, row, own) == ()
        [here] = shipped.preview(variant, asked.query, [row])
        [there] = shipped.preview(shipped.variant(instruction=asked.b.instruction), asked.query, [row])
        assert isinstance(here, Encoding) and isinstance(there, Encoding) and here.token_ids == there.token_ids


def test_roles_that_a_template_takes_besides_are_no_fault(shipped: Bench) -> None:
    body = split_facts(shipped.pool.template(MODEL.name).body)[1]
    wide = body.replace("selectattr('role', 'eq', 'query')", "selectattr('role', 'in', ['query', 'user'])")
    assert wide != body
    own = shipped.pool.template(MODEL.name)
    variant = shipped.variant(template=replace(own, body=wide))
    assert lint(shipped.renderer, shipped.pool.get(MODEL.name), variant, QUERY, DOCUMENT, own) == ()


def test_a_picture_whose_place_was_cut(shipped: Bench) -> None:
    file = io.BytesIO()
    Pillow.new("RGB", (64, 64), "red").save(file, "PNG")
    part = shipped.library.add(file.getvalue(), "red.png")
    assert isinstance(part, Image)
    example = Example("E7", "", asked={"parity": "vllm", "limits": Limits(truncate_prompt_tokens=40)})
    found = linted(shipped, example, (part, Text("and text")))
    assert [f.code for f in found] == ["E7"], found
