"""Which characters of a prompt come from where: exact for values inserted unchanged, None for all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.template import Renderer, read_families
from workbench.types import JSON, Family, Image, RenderedPrompt, ScoreTemplate, Video

FAMILIES = read_families(Path(__file__).resolve().parent.parent / "templates")
VISION = FAMILIES["qwen3-vl-reranker"]
IMAGE, VIDEO = VISION.template.placeholders.image, VISION.template.placeholders.video
SIDES = "{{ messages[0].content }}|{{ messages[1].content }}"


def kinds(prompt: RenderedPrompt) -> dict[str, list[str]]:
    assert prompt.segments is not None
    assert "".join(prompt.text[s.start : s.end] for s in prompt.segments) == prompt.text
    found: dict[str, list[str]] = {}
    for s in prompt.segments:
        found.setdefault(s.kind, []).append(prompt.text[s.start : s.end])
    return found


def segments(
    renderer: Renderer, body: str, query: str = "q", document: str = "d", **options: JSON
) -> dict[str, list[str]]:
    return kinds(renderer.render(ScoreTemplate(body), query, document, **options))


def test_segments_of_a_prompt(renderer: Renderer) -> None:
    body = "sys {{ instruction }} a {{ messages[0].content }} b {{ messages[1].content }} end"
    assert segments(renderer, body, instruction="i") == {
        "system": ["sys "], "instruction": ["i"], "template": [" a ", " b "], "query": ["q"], "document": ["d"],
        "suffix": [" end"],
    }  # fmt: skip
    assert segments(renderer, body) == {
        "system": ["sys  a "], "query": ["q"], "template": [" b "], "document": ["d"], "suffix": [" end"]
    }  # fmt: skip
    assert segments(renderer, "words only") == {"system": ["words only"]}
    assert renderer.render(ScoreTemplate(""), "q", "d").segments == ()


def test_repeated_values_are_repeated_segments(renderer: Renderer) -> None:
    found = segments(renderer, SIDES + SIDES + "{{ messages[0].content }}", "same", "same")
    assert found == {"query": ["same"] * 3, "document": ["same"] * 2, "template": ["|", "|"]}


@pytest.mark.parametrize("body", ["Q: {{ %s }}\nD: q", "Q: q D: {{ %s }}", "{{ %s }}{{ 'q' }}"])
def test_a_value_that_looks_like_the_template_is_still_told_apart(renderer: Renderer, body: str) -> None:
    prompt = renderer.render(ScoreTemplate(body % "messages[0].content"), "q", "d")
    assert prompt.segments is not None
    (place,) = [s.start for s in prompt.segments if s.kind == "query"]
    assert place == body.index("{{ %s")
    assert segments(renderer, "<Query>: {{ messages[0].content }}", "<Query>: ")["query"] == ["<Query>: "]


@pytest.mark.parametrize("value", ["\ue000", "\ue000\ue001\ue005" * 9, "\uf8ff", "a\ue000b" * 50, "\\ue000", "{{ q }}"])
def test_values_of_the_marks_own_alphabet(renderer: Renderer, value: str) -> None:
    assert segments(renderer, SIDES, value, value) == {"query": [value], "template": ["|"], "document": [value]}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ("{{ messages[0].content | trim }}", " q "),
        ("{{ messages[0].content | upper }}", "q"),
        ("{{ messages[0].content | truncate(12) }}", "a long query indeed"),
        ("{{ messages[0].content[:3] }}", "query"),
        ("{{ messages[0].content | length }}", "q"),
        ("{{ messages[0].content | tojson }}", 'a "quote"'),
        ("{{ messages[0].content | urlencode }}", "q"),
        ("{{ messages[0].content | replace('q', 'x') }}", "q"),
        ("{{ messages[0].content | reverse }}", "query"),
        ("{% if messages[0].content == 'q' %}yes{% else %}no{% endif %}", "q"),
        ("{% if messages[0].content | length > 20 %}long{% endif %}", "short query"),
        ("{{ messages[0].content.split() | first }}", "two words"),
        ("{{ raise_exception('long') if messages[0].content | length > 9 }}{{ messages[0].content }}", "query"),
        ("{{ range(99999) | random }}{{ messages[0].content }}", "q"),
        ("{% for i in range(3000) %}{{ messages[0].content }}{% endfor %}", "q"),
    ],
)
def test_what_cannot_be_known_is_not_guessed(renderer: Renderer, body: str, query: str) -> None:
    assert renderer.render(ScoreTemplate(body), query, "d").segments is None


@pytest.mark.parametrize(
    "body", ["{{ messages[0].content | trim }}", "{% if 'q' in messages[0].content %}{{ 'q' }}{% endif %}"]
)
def test_filters_that_change_nothing_do_not_matter(renderer: Renderer, body: str) -> None:
    assert renderer.render(ScoreTemplate(body), "q", "d").segments is not None


def test_blank_sides_are_not_marked(renderer: Renderer) -> None:
    found = kinds(renderer.render(VISION.template, "", "d"))
    assert "query" not in found and found["document"] == ["d"]
    assert found["template"] == ["<Query>:NULL\n<Document>:"]


def test_the_default_instruction_is_a_segment(renderer: Renderer) -> None:
    body = "I: {{ instruction | default('find it', true) }} Q: {{ messages[0].content }}"
    for given in (None, ""):
        assert segments(renderer, body, instruction=given)["instruction"] == ["find it"]
    assert segments(renderer, body, variables={"instruction": None})["instruction"] == ["find it"]
    assert segments(renderer, body, instruction="  ")["instruction"] == ["  "]
    assert segments(renderer, body, instruction="find it")["instruction"] == ["find it"]
    assert segments(renderer, body, variables={"instruction": 5})["instruction"] == ["5"]
    assert segments(renderer, body + " " + body)["instruction"] == ["find it"] * 2
    assert segments(renderer, "{{ instruction | default('q', true) }}{{ messages[0].content }}", "q") == {
        "instruction": ["q"], "query": ["q"]
    }  # fmt: skip


@pytest.mark.parametrize(
    "body", ["{% if instruction %}I: {{ instruction }} {% endif %}Q", "{{ instruction or '' }}Q", "Q"]
)
def test_where_there_is_no_default_none_is_found(renderer: Renderer, body: str) -> None:
    assert segments(renderer, body) == {"system": ["Q"]}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)
def test_the_default_instruction_of_the_facts_is_the_templates(renderer: Renderer, family: Family) -> None:
    found = kinds(renderer.render(family.template, "q", "d")).get("instruction", [])
    assert found == ([family.default_instruction] if family.default_instruction else [])


def test_media_travel_with_the_prompt(renderer: Renderer) -> None:
    media = (Image("a" * 64), Video("c" * 64))
    prompt = renderer.render(VISION.template, IMAGE + "q", VIDEO, media=media)
    assert prompt.media == media
    assert kinds(prompt)["query"] == [IMAGE + "q"] and kinds(prompt)["document"] == [VIDEO]
