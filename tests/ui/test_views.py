"""The pure views: what they must show, and that foreign text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from workbench.errors import PromptInvalid, TemplateInvalid
from workbench.export import TargetRow
from workbench.export.targets import Difference
from workbench.lint import Finding, Fix
from workbench.pool import Bench
from workbench.ranking import ranking
from workbench.types import (
    Cut,
    Document,
    Encoding,
    Image,
    MediaInput,
    Pair,
    Query,
    RenderedPrompt,
    Score,
    ScoreResult,
    Segment,
    Text,
    Variant,
)
from workbench.ui import (
    charts,
    export_view,
    grade_view,
    lint_view,
    page_view,
    prompt_view,
    ranking_view,
    side_view,
    spread_view,
    strip_view,
    table_view,
    tray_view,
    verdict_view,
    world_view,
)
from workbench.ui.figures import Face, label_of, numbers, picture_of, sentence
from workbench.ui.outcome import Outcome
from workbench.ui.ranking_view import Run

HOSTILE = "</script><img src=x onerror=alert(1)>\"'${alert(2)}{{7*7}}"
VARIANT, QUERY = Variant("m"), Query("q", (Text("q"),))


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes |= {name for name, _ in attrs}


def result(index: int, logit: float | None, name: str = "") -> ScoreResult:
    document = Document(name or f"d{index}", (Text("t"),))
    if logit is None:
        return ScoreResult(index, document, error=PromptInvalid(f"is bad {HOSTILE}", where="row"))
    return ScoreResult(index, document, score=Score(logit, 1 / (1 + 2.718281828**-logit)))


def run(
    a: list[float | None], b: list[float | None], grades: list[int | None] | None = None, label: str = "label"
) -> Run:
    faces = [Face(f"{label} {i}", "", grades[i] if grades else None) for i in range(len(a))]
    sides = [ranking(VARIANT, QUERY, [result(i, x) for i, x in enumerate(xs)]) for xs in (a, b)]
    return Run(sides[0], sides[1], faces)


def encoding(text: str = "S<|im_start|>I Q D\n", **fields: object) -> Encoding:
    """Ids: S=1, the special token=99, then one id per character."""
    spans = [(0, 1), (1, 13), *((i, i + 1) for i in range(13, len(text)))]
    ids = [1, 99, *range(2, len(spans))]
    segments = (
        Segment("system", 0, 13), Segment("instruction", 13, 14), Segment("template", 14, 15), Segment("query", 15, 16),
        Segment("template", 16, 17), Segment("document", 17, 18), Segment("suffix", 18, 19),
    )  # fmt: skip
    prompt = RenderedPrompt(text, segments=segments)
    pair = Pair(QUERY, Document("d", (Text("D"),)), (prompt,))
    return Encoding(pair, tuple(ids), tuple(spans), **fields)  # type: ignore[arg-type]


def draw(item: Encoding) -> str:
    return prompt_view.prompt_html(item, {99}, lambda i: f"t{i}")


# ---------------------------------------------------------------- prompt
def test_special_tokens_segments_newlines_and_the_tail_are_drawn() -> None:
    html = draw(encoding())
    assert '<span class="tok" title="id 99">im_start</span>' in html
    assert '<span class="instruction">I</span>' in html and '<span class="document">D</span>' in html
    assert "↵" in html and "\n" not in html
    assert html.rindex(">7</span>") > html.rindex(">6</span>")  # the last ids, in order


def test_counts_add_up_and_unknown_segments_are_said() -> None:
    item = encoding()
    counts = prompt_view.segment_counts(item)
    assert sum(counts.values()) == len(item.token_ids) and counts["system"] == 2 and counts["document"] == 1
    prompt = RenderedPrompt(item.prompt.text)
    unknown = Encoding(Pair(QUERY, item.pair.document, (prompt,)), item.token_ids, item.spans)
    assert "segments unknown" in prompt_view.budget_html(unknown, 100)


def test_a_cut_is_drawn_where_it_is_cut() -> None:
    whole = encoding()
    cut = Encoding(whole.pair, whole.token_ids[:-2], whole.spans[:-2], cut=Cut(7, whole.token_ids[-2:], (17, 19), True))
    assert '<span class="document cut" data-ours title="cut: the model does not see this">D</span>' in draw(cut)
    assert "2 tokens cut, the suffix too" in prompt_view.budget_html(cut, 100)


def test_neutralised_tokens_are_marked_and_counted() -> None:
    item = encoding(neutralised=((17, 18),))
    assert "document neutral" in draw(item) and "1 control token neutralised" in prompt_view.budget_html(item, 100)


def test_a_picture_is_one_chip() -> None:
    text = "D<|image_pad|>E"
    media = MediaInput(Image("0" * 64, "p.png"), 64, 48, (1, 4, 4), 4)
    pair = Pair(QUERY, Document("d", (Text("D"),)), (RenderedPrompt(text),))
    item = Encoding(pair, (1, 9, 9, 9, 9, 2), ((0, 1), *((1, 14),) * 4, (14, 15)), (media,))
    html = prompt_view.prompt_html(item, {9}, str)
    assert html.count("tok-media") == 1 and "picture 4 tokens · 64×48" in html and "image_pad" not in html


def test_a_side_that_is_one_picture_is_a_chip_too() -> None:
    """CLIP's picture is a single token, ColPali's page many: both stand under <image>."""
    text = "[CLS]a\n<image>"
    pair = Pair(QUERY, Document("d", (Text("D"),)), (RenderedPrompt(text),))
    for tokens in (1, 16):
        media = MediaInput(Image("0" * 64, "p.png"), 32, 32, (1, 4, 4), tokens)
        item = Encoding(pair, (7, 1, *(0,) * tokens), ((0, 5), (5, 6), *((7, 14),) * tokens), (media,))
        html = prompt_view.prompt_html(item, {0, 7}, str)
        assert html.count("tok-media") == 1 and "32×32" in html and "&lt;image" not in html


def test_direction_marks_cannot_reorder_the_prompt() -> None:
    item = encoding("S<|im_start|>I Q \u202e\n")
    assert "U+202E" in draw(item) and "\u202e" not in draw(item)


# ---------------------------------------------------------------- rankings
def test_cards_are_in_order_with_moves_on_b_and_failures_last() -> None:
    html = ranking_view.results_html(run([3, 2, 1, None], [1, 2, 3, None]))
    side_b = html[html.index('class="list B"') :]
    assert [side_b.index(f'data-doc="d{i}"') for i in (2, 1, 0, 3)] == sorted(
        side_b.index(f'data-doc="d{i}"') for i in range(4)
    )
    assert "▲2" in side_b and "▼2" in side_b and "▲" not in html[: html.index('class="list B"')]
    assert 'data-rank="" data-side="b"' in side_b and "row: is bad" in side_b


def test_the_slope_says_direction_without_colour() -> None:
    svg = ranking_view.slope_svg(run([3, 2, 1], [1, 2, 3]))
    assert svg.count('class="down"') == svg.count('class="up"') == svg.count('class="still"') == 1
    assert "2 of 3 documents change places" in svg


def test_bars_follow_logits_between_the_extremes_of_both_sides() -> None:
    html = ranking_view.results_html(run([10, 0], [5, -10]))
    assert html.count("width:100.0%") == 1 and "width:51.0%" in html and "width:2.0%" in html


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.9, 0.5], ["0.90", "0.50"]),
        ([0.99943, 0.99938, 0.5, 0.4], ["0.99943", "0.99938", "0.50", "0.40"]),
        ([0.5, 0.0004], ["0.50", "0.0004"]),
        ([0.5, 0.5], ["0.50", "0.50"]),
        ([1.0, 1.0 - 1e-9], ["1.00", "1.00"]),
        ([], []),
    ],
)
def test_scores_have_as_many_digits_as_neighbours_need(values: list[float], shown: list[str]) -> None:
    assert numbers(values) == shown


def test_the_verdict_claims_no_more_than_is_judged() -> None:
    def verdict(grades: list[int | None], b: list[float | None]) -> str:
        return verdict_view.verdict_html(run([3, 2, 1], b, grades), 3)

    assert "this query only, 3 of 3 judged" in verdict([3, 0, 0], [1, 2, 3])
    html = verdict([3, None, 0], [1, 2, 3])  # a range, and nothing that looks like a result
    assert "data-ndcg" not in html and "2 of 3 judged" in html and 'data-range="a"' in html and "<b " not in html
    assert "A 1.00<" in html and re.search(r"B \.\d\d–\.\d\d<", html)
    assert "nDCG" not in verdict([3, 0, 0], [1, 2, None])
    assert "nDCG" not in verdict([None] * 3, [1, 2, 3])
    assert "A and B give the same scores" in verdict([3, 0, 0], [3, 2, 1])


def test_the_same_prompt_on_both_sides_has_no_winner() -> None:
    def encoded(ids: tuple[int, ...]) -> ScoreResult:
        pair = Pair(QUERY, Document("d", (Text("D"),)), (RenderedPrompt("D"),))
        return ScoreResult(0, pair.document, Encoding(pair, ids, ((0, 1),)), Score(1.0, 0.7))

    def verdict(a: tuple[int, ...], b: tuple[int, ...]) -> str:
        sides = [ranking(VARIANT, QUERY, [encoded(ids)]) for ids in (a, b)]
        return verdict_view.verdict_html(Run(sides[0], sides[1], [Face("d", "", 3)]), 1)

    assert "A and B are the same prompt" in verdict((1,), (1,)) and "neither is better" in verdict((1,), (1,))
    assert "same prompt" not in verdict((1,), (2,)) and "same scores" in verdict((1,), (2,))


def test_a_partial_run_is_called_stopped() -> None:
    whole = run([1, 2], [1, 2])
    half = Run(whole.a, ranking(VARIANT, QUERY, [result(0, 1.0)], partial=True), whole.faces)
    html = verdict_view.verdict_html(half, 2)
    assert "stopped: A 2 of 2, B 1 of 2 scored" in html and "nDCG" not in html


# ---------------------------------------------------------------- foreign text
def views() -> list[str]:
    hostile = run([1, None], [2, None], [3, 0], HOSTILE)
    text = f"S<|im_start|>I Q {HOSTILE}"
    spans = ((0, 1), (1, 13), (13, len(text)))
    prompt = RenderedPrompt(text, segments=(Segment("document", 0, len(text)),), unused=(HOSTILE,))
    pair = Pair(QUERY, Document(HOSTILE, (Text(HOSTILE),)), (prompt,))
    item = Encoding(pair, (1, 99, 2), spans)
    face = Face(HOSTILE, "")
    error = TemplateInvalid(HOSTILE, line=2, hint=HOSTILE)
    foreign = world_view.Foreign(words=(HOSTILE,), documents=((HOSTILE, HOSTILE),))
    tile = {"key": ["", ""], "about": "", "instruction": HOSTILE, "order": [HOSTILE], "moved": 1, "at": 0.0}
    fault = Finding("E3", f"`{HOSTILE}` {HOSTILE}.", HOSTILE, (0, 3), Fix(HOSTILE, HOSTILE))
    odd = Difference(HOSTILE, 0, ((1, HOSTILE),), ((2, HOSTILE),))
    return [
        ranking_view.results_html(hostile),
        verdict_view.verdict_html(hostile, 2),
        charts.scatter_html(hostile),
        spread_view.spread_html(hostile),
        table_view.table_html(hostile),
        table_view.metrics_html(hostile),
        strip_view.strip_html([tile, {**tile, "key": ["1", "2"]}], {}, Outcome(hostile, (), {"a": "", "b": ""}, "", "")),
        grade_view.note_html({HOSTILE: 3}, [HOSTILE]),
        grade_view.pills(HOSTILE, 2),
        prompt_view.prompt_html(item, {99}, lambda _: HOSTILE),
        prompt_view.budget_html(item, 10),
        tray_view.tray_html([pair.document, error], [face, face], ["d1", "<b>"]),
        tray_view.query_media_html([""], [HOSTILE]),
        tray_view.gallery_html([HOSTILE], [""]),
        world_view.foreign_html(HOSTILE, HOSTILE, foreign, world_view.OFFERS),
        lint_view.lint_html("a", error),
        lint_view.lint_html("a", item, HOSTILE),
        lint_view.lint_html("a", item, HOSTILE, [fault] * 3, HOSTILE),
        page_view.notice_html(error),
        page_view.look_html(HOSTILE, HOSTILE),
        export_view.files_html({HOSTILE: HOSTILE.encode()}),
        export_view.offers_html(HOSTILE, HOSTILE.encode()),
        export_view.targets_html([TargetRow(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), 1, 2, (odd,))], HOSTILE, 3),
        sentence(error),
    ]


@pytest.mark.parametrize("html", views(), ids=lambda h: h[:24])
def test_foreign_text_is_escaped_in_every_view(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert "<img src=x" not in html and "<script" not in html
    assert not {"img", "script"} & set(tags.seen) and not any(name.startswith("on") for name in tags.attributes)


def test_a_target_that_reads_other_tokens_shows_each_and_where() -> None:
    odd = Difference("the longest pair", 7, ((271, "\n\n"),), ((198, "\n"), (198, "\n")))
    row = TargetRow("sglang", "SGLang", "reads other tokens", (), 3, 4, (odd,))
    shown = export_view.targets_html([row], "sglang", 4)
    assert "the longest pair, token 7: 271 &#x27;\\n\\n&#x27; → 198 &#x27;\\n&#x27; 198 &#x27;\\n&#x27;" in shown
    assert 'data-ok="0"' in shown and "✗" in shown
    assert "token 7" not in export_view.targets_html([row], "vllm", 4)  # of the chosen one only


def test_labels_and_pictures() -> None:
    assert label_of([Image("0" * 64, "p.png"), Text(" two\nlines ")]) == "two lines"
    assert label_of([Image("0" * 64, "p.png")]) == "p.png" and label_of([]) == "untitled"
    assert "th-text" in picture_of([Text("x")], lambda _: (b"", 1, 1.0))

    def fails(_: object) -> tuple[bytes, int, float]:
        raise PromptInvalid("no")

    assert "th-bad" in picture_of([Image("0" * 64)], fails)


def test_the_notice_speaks_grammar() -> None:
    def said(**fields: object) -> str:
        return world_view.foreign_html("m", "shapes.", world_view.Foreign(**fields), ())  # type: ignore[arg-type]

    assert said() == "" and "The query is outside what m knows" in said(query=True) and "ever saw: shapes." in said(query=True)
    assert "Instruction A is outside" in said(sides=("a",)) and "Both instructions are outside" in said(sides=("a", "b"))
    assert "no idea of “dog”, “&lt;b&gt;”." in said(query=True, words=("dog", "<b>"))
    four = tuple((f"d{i}", f"l{i}") for i in range(4))
    assert "The query and 4 documents (l0, l1, l2, …) are outside" in said(query=True, documents=four)


def test_stale_names_the_side() -> None:
    assert page_view.stale_html({"a": "1", "b": "2"}, {}) == ""
    assert page_view.stale_html({"a": "1", "b": "2"}, {"a": "1", "b": "2"}) == ""
    assert 'data-stale="b"' in page_view.stale_html({"a": "1", "b": "2"}, {"a": "1", "b": "0"})


def test_lines_that_differ_are_counted() -> None:
    assert side_view.lines_changed("a\nb", "a\nb") == 0
    assert side_view.lines_changed("a\nc", "a\nb") == 1
    assert side_view.lines_changed("a\nc\nd", "a") == 2


def test_a_model_says_what_reading_it_took(bench: Bench, tiny_qwen3: Path) -> None:
    scorer = bench.pool._load(str(tiny_qwen3), lambda _: None)
    assert "read in" not in page_view.status_html(scorer)
    rows = [Document("d", (Text("d"),))]
    (encoding,) = bench.preview(Variant(str(tiny_qwen3)), Query("q", (Text("q"),)), rows)
    assert isinstance(encoding, Encoding) and dict(scorer.score([encoding]))
    found = re.search(r"([\d,]+) parameters, read in ([\d.]+) s, at most ([\d,]+) MiB held", page_view.status_html(scorer))
    assert found, page_view.status_html(scorer)
    held = float(found[3].replace(",", ""))
    assert 4 * int(found[1].replace(",", "")) / (1 << 20) < held < 100_000 and float(found[2]) < 300
