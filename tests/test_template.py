"""Score templates: golden prompts byte for byte, vLLM's rules for variables, exact segments or none."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workbench.errors import PromptInvalid, RequestInvalid, TemplateInvalid, TemplateLimit
from workbench.template import RESERVED, Renderer, flatten, read_families, read_family, template_of
from workbench.types import JSON, Image, Placeholders, ScoreTemplate, Text, Video

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = read_families(ROOT / "templates")
PROMPTS = json.loads((ROOT / "tests" / "golden" / "prompts.json").read_text(encoding="utf-8"))
TEXT, VISION = FAMILIES["qwen3-reranker"], FAMILIES["qwen3-vl-reranker"]
SIDES = "{{ messages[0].content }}|{{ messages[1].content }}"


def named(case: Mapping[str, str]) -> str:
    return f"{case['family']}: {case['note']}"


def messages(case: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"role": "query", "content": case["query"]}, {"role": "document", "content": case["document"]}]


# ---------------------------------------------------------------- golden prompts
@pytest.mark.parametrize("case", PROMPTS, ids=named)
def test_golden_prompts(renderer: Renderer, case: dict[str, JSON]) -> None:
    template = FAMILIES[case["family"]].template
    prompt = renderer.render(template, case["query"], case["document"], variables=case["variables"])
    assert prompt.text == case["text"]
    assert prompt.segments is not None and "".join(prompt.text[s.start : s.end] for s in prompt.segments) == prompt.text


@pytest.mark.parametrize("settings", itertools.product([True, False], repeat=3), ids=str)
@pytest.mark.parametrize("newline", ["", "\n"], ids=["", "ends in a newline"])
def test_golden_prompts_in_every_environment(settings: tuple[bool, ...], newline: str) -> None:
    names = ("trim_blocks", "lstrip_blocks", "keep_trailing_newline")
    environment = ImmutableSandboxedEnvironment(**dict(zip(names, settings, strict=True)))  # type: ignore[arg-type]
    for case in PROMPTS:
        source = FAMILIES[case["family"]].source.rstrip("\n") + newline
        assert environment.from_string(source).render(messages=messages(case), **case["variables"]) == case["text"]


def test_golden_prompts_with_transformers() -> None:
    from transformers.utils.chat_template_utils import render_jinja_template

    for case in PROMPTS:
        source = FAMILIES[case["family"]].source
        (text,), _ = render_jinja_template([messages(case)], chat_template=source, **case["variables"])
        assert text == case["text"], named(case)


# ---------------------------------------------------------------- family files
FACTS = """name = "x"
scorer = "yes_no"
labels = ["1", "0"]
default_instruction = ""
max_length = 10
"""


def test_family_files_give_their_facts() -> None:
    assert TEXT.architectures == ("Qwen3ForCausalLM",) and TEXT.image is None and TEXT.max_length == 8192
    assert VISION.image is not None and (VISION.image.min_pixels, VISION.image.max_pixels) == (4 * 32**2, 1800 * 32**2)
    clip = VISION.video
    assert clip is not None and (clip.fps, clip.min_frames, clip.max_frames) == (1.0, 4, 64)
    assert (clip.min_pixels, clip.max_pixels, clip.total_pixels) == (4 * 32**2, 768 * 32**2, 10 * 768 * 32**2)
    assert VISION.template.placeholders.video == "<|vision_start|><|video_pad|><|vision_end|>"
    for family in (TEXT, VISION):
        assert family.template.body == family.source
        assert family.labels == ("yes", "no") and family.scorer == "yes_no"


def test_the_smallest_family_file() -> None:
    family = read_family("{#" + FACTS + "#}{{ x }}", "x.jinja")
    assert (family.name, family.labels, family.template.layout) == ("x", ("1", "0"), "joint")
    assert family.template.placeholders == Placeholders()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (FACTS + "colour = 1", "unknown facts colour"),
        (FACTS.replace("scorer", "#"), "lacks the facts scorer"),
        (FACTS.replace('["1", "0"]', '["1"]'), "labels is not two texts"),
        (FACTS.replace("10", '"10"'), "max_length is not a whole number"),
        (FACTS + "layout = 'sideways'", "layout is not one of joint"),
        (FACTS + "placeholders = {sound = 'x'}", "unknown facts placeholders.sound"),
        (FACTS + "[image]\nmin_pixels = 1", "lacks the facts image.max_pixels"),
        (FACTS + "[video]\nfps = 1", "video.min_frames"),
        (FACTS + "image = 3", "image is not a table"),
        ("name = ", "no TOML"),
    ],
)
def test_wrong_facts_are_named(facts: str, words: str) -> None:
    with pytest.raises(TemplateInvalid, match=words) as error:
        read_family("{#-\n" + facts + "\n-#}", "odd.jinja")
    assert error.value.where == "odd.jinja"


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.jinja").write_text("{#-\n" + FACTS + "-#}\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no family")
    assert list(read_families(tmp_path)) == ["x"]
    (tmp_path / "b.jinja").write_text("{#-\n" + FACTS + "-#}\n", encoding="utf-8")
    with pytest.raises(TemplateInvalid, match="repeats the name"):
        read_families(tmp_path)
    (tmp_path / "b.jinja").write_text("{{ no facts }}")
    with pytest.raises(TemplateInvalid, match="does not open with its facts"):
        read_families(tmp_path)


def test_any_text_is_a_template() -> None:
    plain = template_of("{{ x }}", VISION)
    assert (plain.body, plain.placeholders) == ("{{ x }}", VISION.template.placeholders)
    own = template_of("{#- layout = 'pair'\nplaceholders = {image = '<i>'} -#}{{ x }}", VISION)
    assert (own.layout, own.placeholders) == ("pair", Placeholders(image="<i>"))
    assert template_of("{#- A comment, not facts. -#}{{ x }}").placeholders == Placeholders()
    assert template_of(VISION.source) == VISION.template


# ---------------------------------------------------------------- variables
def variables(renderer: Renderer, body: str, **options: JSON) -> tuple[str, tuple[str, ...]]:
    prompt = renderer.render(ScoreTemplate(body), "q", "d", **options)
    return prompt.text, prompt.unused


def test_instruction_is_folded_as_in_vllm(renderer: Renderer) -> None:
    body = "{{ instruction is defined }}:{{ instruction }}"
    assert variables(renderer, body) == ("False:", ())
    assert variables(renderer, body, instruction="") == ("True:", ())
    assert variables(renderer, body, instruction="a") == ("True:a", ())
    assert variables(renderer, body, instruction="a", variables={"instruction": "b"}) == ("True:b", ())
    assert variables(renderer, body, instruction="a", variables={"instruction": None}) == ("True:None", ())
    assert variables(renderer, "{{ instruction | default('d', true) }}", instruction="") == ("d", ())
    assert variables(renderer, "{{ instruction | default('d', true) }}", instruction=" ") == (" ", ())
    assert variables(renderer, "{{ instruction | default('d') }}", variables={"instruction": None}) == ("None", ())


def test_unread_variables_are_dropped_and_reported(renderer: Renderer) -> None:
    body = "{% set own = 1 %}{{ tone }}{{ own }}{% for x in [1] %}{{ x }}{% endfor %}"
    given = {"tone": "dry", "own": 2, "x": 3, "other": None}
    assert variables(renderer, body, instruction="i", variables=given) == (
        "dry11",
        ("instruction", "own", "x", "other"),
    )
    late = "{% set instruction = instruction | default('d', true) %}{{ instruction }}"  # as an exported file has it
    assert variables(renderer, late, instruction="i") == ("i", ())


def test_special_tokens_are_there_and_variables_win(renderer: Renderer) -> None:
    body = "{{ bos_token }}{{ eos_token }}"
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    assert variables(renderer, body, special_tokens=tokens)[0] == "<s></s>"
    assert variables(renderer, body, special_tokens=tokens, variables={"eos_token": "!"})[0] == "<s>!"


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_refused(renderer: Renderer, name: str) -> None:
    with pytest.raises(RequestInvalid, match=name):
        renderer.render(ScoreTemplate(SIDES), "q", "d", variables={name: None})


DEEP: JSON = 1
for _ in range(16):
    DEEP = [DEEP]


@pytest.mark.parametrize("value", ["\ud800", float("nan"), {1, 2}, "x" * (256 << 10), {"a": [DEEP]}])
def test_variables_are_plain_json_of_limited_size(renderer: Renderer, value: JSON) -> None:
    with pytest.raises(RequestInvalid, match=r"^variables"):
        renderer.render(ScoreTemplate(SIDES), "q", "d", variables={"v": value})
    assert variables(renderer, "{{ v | string | length }}", variables={"v": DEEP})[0] == "33"


def test_half_characters_are_refused_and_others_pass(renderer: Renderer) -> None:
    with pytest.raises(RequestInvalid, match="query: holds half a character"):
        renderer.render(ScoreTemplate(SIDES), "a\udcff", "d")
    with pytest.raises(RequestInvalid, match=r"document: .* position 1"):
        renderer.render(ScoreTemplate(SIDES), "q", "a\ud83d")
    with pytest.raises(TemplateInvalid, match="line 2: holds half"):
        renderer.render(ScoreTemplate("a\n\ud83d"), "q", "d")
    with pytest.raises(RequestInvalid, match="half a character"):
        renderer.render(ScoreTemplate("{{ instruction }}"), "q", "d", instruction="\ud83d")
    odd = "\x00\x07\u202e\ufeff\uffff\U0010ffff\ue000"
    assert renderer.render(ScoreTemplate(SIDES), odd, odd).text == f"{odd}|{odd}"


def test_check_names_what_a_template_reads(renderer: Renderer) -> None:
    facts = renderer.check("{{ messages }}{{ range(n) }}{{ instruction }}")
    assert facts.variables == ("instruction", "messages", "n") and facts.reads_instruction
    assert not renderer.check("{{ messages }}").reads_instruction
    with pytest.raises(TemplateInvalid, match="line 2"):
        renderer.check("\n{{")
    with pytest.raises(TemplateLimit):
        renderer.check("x" * 70000)


# ---------------------------------------------------------------- contents
A, B, C = Image("a" * 64, "a.png"), Image("b" * 64, "b.png"), Video("c" * 64, "c.mp4")
IMAGE, VIDEO = VISION.template.placeholders.image, VISION.template.placeholders.video


@pytest.mark.parametrize(
    ("content", "reference", "vllm"),
    [
        ((Text("x"),), ("x", ()), ("x", ())),
        ((), ("", ()), ("", ())),
        ((Text("x"), Text(""), Text("y")), ("x\ny", ()), ("x\ny", ())),
        ((Text("x"), A), (IMAGE + "x", (A,)), (IMAGE + "x", (A,))),
        ((A, Text("x"), C, B), (VIDEO + IMAGE + IMAGE + "x", (C, A, B)), (IMAGE + IMAGE + VIDEO + "x", (A, B, C))),
        ((C, A), (VIDEO + IMAGE, (C, A)), (VIDEO + IMAGE, (C, A))),
        ((A, Text(f"see {IMAGE}")), (IMAGE + f"see {IMAGE}", (A,)), (f"see {IMAGE}", (A,))),
        (
            (A, B, C, Text(f"see {IMAGE}")),
            (VIDEO + IMAGE + IMAGE + f"see {IMAGE}", (C, A, B)),
            (IMAGE + VIDEO + f"see {IMAGE}", (A, C, B)),
        ),
    ],
)
def test_contents_are_flattened_by_either_recipe(content: tuple, reference: tuple, vllm: tuple) -> None:  # type: ignore[type-arg]
    assert flatten(content, VISION.template.placeholders, "reference") == reference
    assert flatten(content, VISION.template.placeholders, "vllm") == vllm


def test_media_a_family_cannot_take_are_named() -> None:
    with pytest.raises(PromptInvalid, match=r"a\.png: this model takes no pictures"):
        flatten((Text("x"), A), TEXT.template.placeholders, "reference")
    with pytest.raises(PromptInvalid, match="takes no clips"):
        flatten((C,), Placeholders(image="<i>"), "vllm")
    with pytest.raises(PromptInvalid, match="2 times"):
        flatten((A, Text(IMAGE + IMAGE)), VISION.template.placeholders, "vllm")
