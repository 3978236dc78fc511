"""Tokens, Diff and Budget as pure views: nothing drawn twice, nothing cut in silence, foreign text stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tests.ui.test_views import HOSTILE, QUERY, Tags, encoding
from workbench.errors import PromptInvalid, TemplateInvalid, WorkbenchError
from workbench.types import Cut, Document, Encoding, Image, MediaInput, Pair, RenderedPrompt, Segment, Text, Video
from workbench.ui import budget_view, preview_head, tokens_view
from workbench.ui.alignment import align
from workbench.ui.budget_view import rows_html
from workbench.ui.chips import chips, groups
from workbench.ui.diff_view import Source, diff_html, marked
from workbench.ui.fault_view import fault_html
from workbench.ui.preview import aligned
from workbench.ui.preview_head import Head
from workbench.ui.tokens_view import Reader, tokens_html

SPECIAL = {99}


def name(token_id: int) -> str:
    return f"t{token_id}"


def made(text: str, tokens: list[tuple[int, int, int]], **fields: object) -> Encoding:
    """An encoding of (id, start, end)s."""
    pair = Pair(QUERY, Document("d", (Text("D"),)), (RenderedPrompt(text),))
    return Encoding(pair, tuple(t[0] for t in tokens), tuple((t[1], t[2]) for t in tokens), **fields)  # type: ignore[arg-type]


def tokens(a: Encoding | WorkbenchError, b: Encoding | WorkbenchError, first: int = 0, last: bool = True) -> str:
    sides = {"a": a, "b": b}
    return tokens_html(sides, aligned(sides), Reader(SPECIAL, name, last), first)


def column(html: str, side: str) -> str:
    return html.split(f'<section data-side="{side}">')[1].split("</section>")[0]


class Words(HTMLParser):
    """The text of a page, and of its attributes that are text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(html: str) -> str:
    reader = Words()
    reader.feed(html)
    return reader.text


# ---------------------------------------------------------------- tokens
def test_a_split_character_is_drawn_once_and_never_as_a_replacement() -> None:
    split = made("a🙂b", [(1, 0, 1), (2, 1, 2), (3, 1, 2), (4, 1, 2), (5, 2, 3)])
    assert groups(split) == [(0, 1), (1, 4), (4, 5)]
    html = tokens_html(
        {"a": split, "b": split}, aligned({"a": split, "b": split}), Reader(SPECIAL, lambda _: "�", True)
    )
    assert "�" not in html and column(html, "a").count("🙂</i>") + column(html, "a").count("🙂<small>") == 1
    assert 'data-n="2 3 4"' in html and 'data-m="3"' in html


def test_a_token_shows_its_id_text_place_and_twin() -> None:
    a = made("x yz", [(1, 0, 1), (2, 1, 3), (4, 3, 4)])
    b = made("xx yz", [(1, 0, 1), (7, 1, 2), (2, 2, 4), (4, 4, 5)])
    html = tokens(a, b)
    assert 'data-i="1" data-n="2" data-s="1–3" data-w="2" data-r="&#x27; y&#x27;"' in column(html, "a")
    assert 'data-i="2" data-n="2" data-s="2–4" data-w="1"' in column(html, "b")
    apart = re.findall(r'class="t plain[^"]* apart[^"]*" data-i="(\d)"', column(html, "b"))
    assert apart == ["1"] and " apart" not in column(html, "a")


def test_the_last_token_is_marked_only_where_the_score_is_read_there() -> None:
    item = encoding()
    assert tokens(item, item).count("score read here") == 2
    assert "score read here" not in tokens(item, item, last=False)


def test_placeholders_of_one_picture_are_folded_and_those_of_a_clip_keep_their_times() -> None:
    text = "D<|image_pad|>E"
    picture = MediaInput(Image("0" * 64, "p.png"), 64, 48, (1, 4, 4), 4)
    item = made(text, [(1, 0, 1), *[(9, 1, 14)] * 196, (2, 14, 15)], media=(picture,))
    html = column(tokens(item, item), "a")
    assert "<small>×196</small>" in html and html.count("data-i=") == 3
    text = "D<|video_pad|>E"
    clip = MediaInput(Video("0" * 64, "c.mp4"), 64, 48, (2, 4, 4), 8)
    at = (1, 14)
    item = made(text, [(1, 0, 1), (50, *at), *[(9, *at)] * 4, (51, *at), *[(9, *at)] * 4, (2, 14, 15)], media=(clip,))
    html = column(tokens(item, item), "a")
    assert html.count("<small>×4</small>") == 2 and "t50" in html and "t51" in html


def test_cut_tokens_are_struck_where_they_were_cut() -> None:
    whole = encoding()
    cut = Encoding(
        whole.pair, whole.token_ids[:-2], whole.spans[:-2], cut=Cut(len(whole.token_ids) - 2, (5, 6), (17, 19), True)
    )
    drawn = [c.cut for c in chips(cut, groups(cut), SPECIAL, name)]
    assert drawn[-2:] == [True, True] and sum(drawn) == 2
    html = column(tokens(cut, whole), "a")
    assert html.count(" gone") == 2 and html.rindex(" gone") > html.rindex("data-i=")
    begin = Encoding(whole.pair, whole.token_ids[1:], whole.spans[1:], cut=Cut(0, (1,) * 500, (0, 1)))
    assert "…460" in column(tokens(begin, whole), "a")


def test_long_prompts_are_drawn_in_steps_with_their_end_always_there() -> None:
    text = "x" * 60_000
    item = made(text, [(i, i, i + 1) for i in range(60_000)])
    html = column(tokens(item, item), "b")
    assert html.count("data-i=") == tokens_view.WINDOW + tokens_view.LAST
    assert "59,576 more" in html and 'data-to="400"' in html and 'data-i="59999"' in html
    later = column(tokens(item, item, first=59_800), "b")
    assert 'data-i="59800"' in later and "more</span> ▸" not in later and later.count("data-i=") == 200
    assert 'data-i="59999"' in column(tokens(item, item, first=10**8), "b")


def test_a_side_that_does_not_render_is_said_in_its_column() -> None:
    html = tokens(encoding(), TemplateInvalid("unexpected <b>", line=3))
    assert "line 3" in column(html, "b") and "<b>" not in column(html, "b") and "data-i=" in column(html, "a")


# ---------------------------------------------------------------- diff
def diff(a: Encoding | WorkbenchError, b: Encoding | WorkbenchError, one: Source, two: Source) -> str:
    sides = {"a": a, "b": b}
    return diff_html({"a": one, "b": two}, sides, aligned(sides), SPECIAL, name)


def test_the_same_on_both_sides_is_said_in_words() -> None:
    same = Source("t", "i")
    html = diff(encoding(), encoding(), same, same)
    assert "Templates and instructions are the same." in html and "Every character is the same." in html
    assert "0 differ: A and B are the same 8 tokens." in html and html.count('data-differ="0"') == 3


def test_a_lost_newline_and_one_blank_show_at_each_level() -> None:
    a = made("Q D\n", [(1, 0, 1), (2, 1, 3), (198, 3, 4)])
    b = made("Q  D", [(1, 0, 1), (7, 1, 2), (8, 2, 4)])
    html = diff(a, b, Source("{{ q }} {{ d }}\n", ""), Source("{{ q }}  {{ d }}", ""))
    source, rendered, ids = html.split('<section class="level"')[1:]
    for level in (source, rendered):
        assert '<mark><i class="ws">·</i></mark>' in level and '<mark><i class="ws">↵</i></mark>' in level
    assert re.findall(r"<small>(\d+)</small>", ids) == ["2", "198", "7", "8"] and "1 alike" in ids
    assert "2 of 3 differ" in ids


def test_only_what_differs_in_a_long_line_is_drawn() -> None:
    long = "word " * 5000
    a, b = marked(long + "one " + long, long + "two " + long)
    assert "<mark>one</mark>" in a and "<mark>two</mark>" in b and len(a) < 600


def test_an_instruction_alone_is_named_and_a_broken_side_leaves_the_source() -> None:
    html = diff(encoding(), encoding(), Source("t", "one rule"), Source("t", "two rules"))
    assert "only the instruction differs" in html and "<mark>one</mark>" in html
    broken = diff(encoding(), TemplateInvalid("bad", line=2), Source("a", ""), Source("{{", ""))
    assert "line 2" in broken and "1 line of the template differs" in broken


# ---------------------------------------------------------------- budget
def rows(*pairs: tuple[Encoding | WorkbenchError, Encoding | WorkbenchError], limit: int = 10, first: int = 0) -> str:
    labels = [f"row {i}" for i in range(len(pairs))]
    sides = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    return rows_html(sides, labels, limit, first, 0)


def test_bars_add_up_with_pictures_apart() -> None:
    text = "SD<|image_pad|>E"
    media = MediaInput(Image("0" * 64, "p.png"), 64, 48, (1, 4, 4), 4)
    prompt = RenderedPrompt(
        text, segments=(Segment("system", 0, 1), Segment("document", 1, 15), Segment("suffix", 15, 16))
    )
    spans = ((0, 1), (1, 2), *((2, 15),) * 4, (15, 16))
    item = Encoding(Pair(QUERY, Document("d", (Text("D"),)), (prompt,)), (1, 2, 9, 9, 9, 9, 3), spans, (media,))
    found = budget_view.fill(item)
    assert (found.total, dict(found.vision), found.seen) == (7, {"document": 4}, 4)
    html = rows((item, item))
    widths = [float(w) for w in re.findall(r'<i class="[\w ]+" style="width:([\d.]+)%"', html)]
    assert len(widths) == 8 and sum(widths) == pytest.approx(2 * 7 / (10 * 1.04) * 100, abs=0.01)
    assert "document vision" in html and "vision 4" in html and "none is over it" in html


def test_what_is_over_the_limit_is_marked_and_what_fails_says_why() -> None:
    whole = encoding()
    cut = Encoding(whole.pair, whole.token_ids[:-2], whole.spans[:-2], cut=Cut(6, (5, 6), (17, 19), True))
    html = rows((cut, PromptInvalid(f"is bad {HOSTILE}", where="row 0")), limit=6)
    assert "1 prompt over the limit" in html and 'class="lost"' in html and "is bad" in html
    assert float(re.findall(r"--limit:([\d.]+)%", html)[0]) < 100


def test_a_roomy_limit_is_said_instead_of_drawn() -> None:
    html = rows((encoding(), encoding()), limit=4096)
    assert "limit <b>4,096</b>" in html and float(re.findall(r"--limit:([\d.]+)%", html)[0]) > 100


def test_many_documents_come_in_pages() -> None:
    html = rows(*[(encoding(), encoding())] * 50, limit=100)
    assert html.count("<li ") == 50 and "of 50" not in html
    labels = [f"row {i}" for i in range(120)]
    html = rows_html({"a": [encoding()] * 50, "b": [encoding()] * 50}, labels, 100, 50, 0)
    assert "51–100 of 120" in html and 'data-to="100"' in html and 'data-to="0"' in html


# ---------------------------------------------------------------- head and foreign text
def test_the_head_names_the_view_the_side_and_the_place() -> None:
    html = preview_head.head_html(Head("prompt", "b", 1, 0, "changed", ["one", "two"], 3, tail=True))
    assert 'data-view="prompt"' in html and " data-tail" in html and "document 1 of 2" in html and ">two</span>" in html
    assert 'Diff<b class="n">3</b>' in html and html.count('aria-pressed="true"') == 3
    assert "data-side" not in preview_head.head_html(Head("diff", "b", 0, 0, "listed", ["one"], 0))


@pytest.mark.parametrize("view", ["tokens", "diff", "budget", "head"])
def test_foreign_text_stays_text_and_is_not_translated(view: str) -> None:
    text = f"{HOSTILE}\n\u202e{HOSTILE}"
    item = made(text, [(99, 0, 4), *[(i, i, i + 1) for i in range(4, len(text))]])
    other = made(text[::-1], [(i, i, i + 1) for i in range(len(text))])
    reader = Reader({99}, lambda _: HOSTILE, True)
    drawn = {
        "tokens": lambda: tokens_html({"a": item, "b": other}, align(item.token_ids, other.token_ids), reader),
        "diff": lambda: diff(item, other, Source(HOSTILE, HOSTILE), Source(text, "x")),
        "budget": lambda: rows_html({"a": [item], "b": [PromptInvalid(HOSTILE)]}, [HOSTILE], 10, 0, 0),
        "head": lambda: preview_head.head_html(Head("prompt", "b", 0, 0, "listed", [HOSTILE])),
    }[view]()  # fmt: skip
    tags = Tags()
    tags.feed(drawn)
    assert not {"script", "img"} & set(tags.seen) and not any(a.startswith("on") for a in tags.attributes)
    assert 'translate="no"' in drawn and "\u202e" not in text_of(drawn)


# ---------------------------------------------------------------- a template that broke
def test_a_caret_stands_under_the_place_and_the_variables_are_named() -> None:
    error = TemplateInvalid("expected 'x', got '<b>'", line=2, column=5)
    html = fault_html("b", error, "one\n\t{{ <b> }}", {"bos_token": "<s>"})
    assert "line 2, column 5" in html and "<b>&lt;" not in html
    line, caret = html.split('<pre translate="no">')[1].split("</pre>")[0].split("\n")
    assert line == " {{ &lt;b&gt; }}" and caret == "<b>    ^</b>"
    for name_ in ("messages", "instruction", "bos_token"):
        assert f"<code>{name_}</code>" in html


def test_the_caret_stays_under_its_character_in_a_long_line() -> None:
    body = "x" * 500 + "!" + "y" * 500
    html = fault_html("a", TemplateInvalid("bad", line=1, column=501), body, ())
    line, caret = html.split('<pre translate="no">')[1].split("</pre>")[0].split("\n")
    assert line[caret.index("^") - len("<b>")] == "!" and len(line) < 100


@pytest.mark.parametrize("error", [TemplateInvalid("bad"), TemplateInvalid("bad", line=99), TemplateInvalid("bad", line=1)])
def test_a_place_that_is_not_known_has_no_caret(error: TemplateInvalid) -> None:
    assert "^" not in fault_html("a", error, "one", ())
