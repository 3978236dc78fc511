"""What follows from a run: grades, ranges, ties, the views, the runs before, the noise floor, what is saved."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ui.test_views import VARIANT, result, run
from workbench.noise import Floor
from workbench.paste import read_paste
from workbench.pool import LEXICAL, Bench
from workbench.ranking import ranking
from workbench.types import Document, Encoding, Query, Text, Variant
from workbench.ui import desk, edits
from workbench.ui.figures import Face, numbers
from workbench.ui.intake import Intake
from workbench.ui.judged import judged_lines
from workbench.ui.loop import Loop
from workbench.ui.outcome import MOST, TYPING, Outcome, with_tile
from workbench.ui.ranking_view import Run, results_html, slope_svg
from workbench.ui.review import Review, graded
from workbench.ui.spread_view import spread_html
from workbench.ui.strip_view import strip_html
from workbench.ui.table_view import metrics_html, table_html
from workbench.ui.verdict_view import verdict_html

QUERY = Query("q", (Text("q"),))


def noisy(a: list[float], b: list[float], floor: float, grades: list[int | None] | None = None) -> Run:
    faces = [Face(f"label {i}", "", grades[i] if grades else None) for i in range(len(a))]
    sides = [ranking(VARIANT, QUERY, [result(i, x) for i, x in enumerate(xs)]) for xs in (a, b)]
    return Run(sides[0], sides[1], faces, Floor(floor, True))


# ---------------------------------------------------------------- views
def test_a_tie_is_said_and_drawn_as_one() -> None:
    tied = noisy([3.0, 2.00, 1.99], [3.5, 1.99, 2.00], 0.02)
    html, svg = results_html(tied), slope_svg(tied)
    assert html.count('class="mv tie"') == 2 and "▲" not in html and "data-moved" not in html
    assert svg.count('class="tie"') == 2 and "0 of 3 documents change places" in svg
    said = verdict_html(tied, 3)
    assert "0 of 3 moved" in said and 'data-ties="2"' in said and "noise ±0.02" in said and 'data-measured="yes"' in said
    assert html.count('class="eq"') == 4  # two neighbours on either side
    real = noisy([3.0, 2.00, 1.99], [3.0, 1.99, 2.00], 0.001)
    assert "▲1" in results_html(real) and 'class="eq"' not in results_html(real) and "2 of 3 moved" in verdict_html(real, 3)


def test_the_same_scores_within_the_noise_have_no_winner() -> None:
    assert 'data-same="scores"' in verdict_html(noisy([3, 2], [3.01, 2.01], 0.02, [3, 0]), 2)
    assert 'data-same="scores"' not in verdict_html(noisy([3, 2], [3.01, 2.01], 0.001, [3, 0]), 2)


def test_ties_need_no_digits() -> None:
    assert numbers([0.99943, 0.99938, 0.5], [True, False, False]) == ["1.00", "1.00", "0.50"]
    assert numbers([0.99943, 0.99938, 0.5], [False, False, False]) == ["0.99943", "0.99938", "0.50"]


def test_a_metric_is_a_range_until_both_tops_are_judged() -> None:
    scores = [float(9 - i) for i in range(7)]
    open_top = verdict_html(noisy(scores, scores[::-1], 1e-4, [3, 0, 0, None, 0, 0, 0]), 7)
    assert 'data-range="a"' in open_top and 'data-ndcg' not in open_top and "6 of 7 judged" in open_top
    below = verdict_html(noisy(scores, [9, 8, 7, 6, 5, 4, 3.5], 1e-4, [3, 0, 0, 0, 0, None, 0]), 7)
    assert 'data-ndcg="a"' in below and "the rest taken as 0" in below
    assert "this query only" in open_top and "Add to test set" in open_top and "Add to test set" in below
    assert "no grades yet" in verdict_html(noisy(scores, scores[::-1], 1e-4), 7)


def test_who_disagrees() -> None:
    """d0 and d1 swap: one matters when their grades differ, or when one leaves the top."""
    a, b = [9.0, 8, 7], [8.0, 9, 7]
    assert noisy(a, b, 0.1, [3, 3, 0]).disagree == set()
    assert noisy(a, b, 0.1, [3, 0, 0]).disagree == {"d0", "d1"} == noisy(a, b, 0.1, [3, 0, None]).disagree
    assert noisy(a, b, 2.0, [3, 0, 0]).disagree == set()
    scores = [float(9 - i) for i in range(6)]
    assert noisy(scores, [9, 8, 7, 6, 4, 5], 0.1).disagree == {"d4", "d5"}
    assert results_html(noisy(a, b, 0.1, [3, 0, 0])).count("data-disagree>") + results_html(
        noisy(a, b, 0.1, [3, 0, 0])
    ).count("data-disagree ") == 4


def test_a_document_without_a_score_can_be_judged_and_a_file_that_is_none_cannot() -> None:
    drawn = run([2, None], [1, None], [3, 1])
    html = results_html(drawn)
    assert html.count("card failed") == 2 and html.count("data-grades-of=") == 4
    assert html.count('class="g1" data-grade="1" aria-pressed="true"') == 2
    unread = replace(drawn, faces=[drawn.faces[0], replace(drawn.faces[1], there=False)])
    assert results_html(unread).count("data-grades-of=") == 2


def test_every_card_has_its_four_pills() -> None:
    html = results_html(run([2, 1], [1, 2], [3, None]))
    assert html.count("data-grades-of=") == 4 and html.count('aria-pressed="true"') == 2
    assert html.count('class="g3" data-grade="3" aria-pressed="true"') == 2


def test_the_spread_has_a_row_for_every_grade_and_counts_only_what_is_judged() -> None:
    html = spread_html(run([3, 2, 1, 0], [0, 1, 2, 3], [3, 1, 0, None]))
    assert html.count("data-logit=") == 8 and html.count('data-relevant="1"') == 4 and html.count('data-relevant="0"') == 2
    assert html.count("unjudged") == 2 and html.count('type="range"') == 2
    assert "unjudged" not in spread_html(run([3, 2], [2, 3], [3, 0]))
    assert "Grade some documents" in spread_html(run([3, 2], [2, 3]))


def test_the_table_holds_every_number_and_every_metric() -> None:
    html = table_html(run([3, 2, 1], [1, 2, 3], [3, None, 0]))
    assert html.count("<tr data-doc=") == 3 and 'data-v="3">3.0000' in html
    metrics = metrics_html(run([3, 2, 1], [1, 2, 3], [3, None, 0]))
    assert metrics.count("data-metric=") == 5 and "1 missing grade will be" in metrics
    assert metrics_html(run([3, None], [1, 2], [3, 0])) == "" == metrics_html(run([3, 2], [1, 2]))


# ---------------------------------------------------------------- handlers
@pytest.fixture(scope="module")
def loop(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("scenarios")
    body = {
        "title": "Words", "query": "a red star",
        "documents": [
            {"id": "x", "content": "red star", "grade": 3}, {"id": "y", "content": "blue moon"}, {"id": "z", "content": "a"}
        ],
        "a": {"instruction": "one"}, "b": {"instruction": "two"},
    }  # fmt: skip
    (folder / "words.json").write_text(json.dumps(body))
    return Loop(bench, folder)


@pytest.fixture
def values(loop: Loop) -> list[Any]:
    _, query, parts, _, items, _, *sides, _ = loop.on_scenario("words", LEXICAL)
    return [LEXICAL, "reference", query, parts, items, *sides]


def scored(loop: Loop, values: list[Any]) -> Outcome:
    *_, outcome = list(loop.on_rank(SimpleNamespace(session_hash="s"), *values))[-2]  # type: ignore[arg-type]
    assert isinstance(outcome, Outcome)
    return outcome


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


def test_grades_live_in_the_rows_and_every_view_follows(loop: Loop, values: list[Any]) -> None:
    review, outcome = Review(loop), scored(loop, values)
    items, verdict, spread, metrics, _, note = review.on_grade(
        event(changes=[["y", 0], ["z", 2], ["x", None]], upto=3), values[4], outcome, []
    )
    assert [i["grade"] for i in items] == [None, 0, 2] and "2 of 3 judged" in verdict
    assert spread.count('data-relevant="1"') == 2 and 'data-answered="3"' in note and "&quot;z&quot;: 2" in note
    assert "1 missing grade will be" in metrics
    items, verdict, *_ = review.on_grade(event(changes=[["x", 3]], upto=4), items, outcome, [])
    assert "data-ndcg" in verdict and "3 of 3 judged" in verdict
    assert values[4][0]["grade"] == 3 and values[4][1]["grade"] is None  # nothing was changed in place


def test_a_label_is_on_the_cards_and_goes_out_and_comes_back(loop: Loop, values: list[Any]) -> None:
    review, outcome = Review(loop), scored(loop, values)
    assert all(isinstance(x, dict) for x in review.on_named(values[4], outcome) + review.on_named(values[4], None))
    name = values[4][0]["id"]
    called = edits.called(values[4], name, "the <best> one")
    lists, _, table = review.on_named(called, outcome)
    assert lists.count("the &lt;best&gt; one") >= 2 and "the &lt;best&gt; one" in table
    values[4] = called
    asked = desk.read(loop.bench, *values)
    line = judged_lines(loop.bench, asked)
    back = read_paste(line, loop.bench)
    assert back.labels == tuple(i["label"] for i in values[4]) and back.labels[0] == "the <best> one"
    items = Intake(loop).on_paste(line, [], SimpleNamespace(session_hash="s"))[0]  # type: ignore[arg-type]
    assert [i["label"] for i in items] == list(back.labels)
    odd = {**json.loads(line), "labels": [1]}
    assert read_paste(json.dumps(odd), loop.bench).labels == ()


def test_what_the_browser_says_of_grades_is_checked(values: list[Any]) -> None:
    items = values[4]
    for nonsense in (None, "x", [["x"]], [["nobody", 1]], [["x", 4]], [["x", True]], [["x", "3"]], [[1, 2]], {"x": 1}):
        assert graded(items, nonsense) == items
    assert graded(items, [["x", 1], ["x", 2]])[0]["grade"] == 2


def test_a_grade_given_while_a_run_was_on_is_in_the_lists_after_it(loop: Loop, values: list[Any]) -> None:
    review, outcome = Review(loop), scored(loop, values)
    tiles, lists, *_ = review.on_scored(values[4], outcome, [])
    assert len(tiles) == 1 and isinstance(lists, dict)  # nothing to draw anew
    _, lists, *_ = review.on_scored(graded(values[4], [["y", 1]]), outcome, [])
    assert lists.count('data-grade="1" aria-pressed="true"') == 2


def test_an_error_leaves_no_outcome_that_could_draw_over_it(loop: Loop, values: list[Any]) -> None:
    *_, outcome = list(loop.on_rank(SimpleNamespace(session_hash="s"), *values[:2], "", *values[3:]))[-1]  # type: ignore[arg-type]
    assert outcome is None
    assert all(isinstance(out, dict) for out in Review(loop).on_scored(values[4], outcome, []))


def test_an_outcome_keeps_no_prompt_and_no_picture(loop: Loop, values: list[Any]) -> None:
    outcome = scored(loop, values)
    assert outcome.run.a and all(r.encoding is None and r.document.content == () for r in outcome.run.a.ranked)
    assert all(face.picture == "" for face in outcome.run.faces)
    assert outcome.with_grades([], lambda _: "p").faces[0].grade is None  # a row that is gone has no grade


def test_a_run_before_comes_back_without_a_forward(loop: Loop, values: list[Any]) -> None:
    review = Review(loop)
    first = scored(loop, values)
    tiles, *_, strip, _ = review.on_scored(values[4], first, [])
    assert strip == ""  # a single run needs no strip
    values[8] = "three words more"
    second = scored(loop, values)
    tiles[0]["ended"] -= TYPING
    tiles, *_, strip, _ = review.on_scored(values[4], second, tiles)
    assert len(tiles) == 2 and strip.count('class="tile') == 2 and strip.index("two") < strip.index("data-current")
    assert review.on_back(event(do="back", index="0"), tiles) == (values[7], "two")
    for nonsense in (event(), event(do="back", index="9"), event(do="back", index="-1"), SimpleNamespace(_data=None)):
        assert all(isinstance(out, dict) for out in review.on_back(nonsense, tiles))
    values[8] = "two"
    tiles, *_, strip, _ = review.on_scored(values[4], scored(loop, values), tiles)
    assert len(tiles) == 2 and strip.index("data-current") < strip.index("three words more")


def test_the_strip_holds_eight_and_a_thought_typed_on_takes_one_place() -> None:
    def tile(n: int, ended: float) -> dict[str, Any]:
        return {"key": ["a", str(n)], "ended": ended}

    tiles: list[dict[str, Any]] = []
    for n in range(12):
        tiles = with_tile(tiles, tile(n, n * 2 * TYPING))
    assert [t["key"][1] for t in tiles] == [str(n) for n in range(4, 4 + MOST)]
    assert [t["key"][1] for t in with_tile(tiles, tile(99, 11 * 2 * TYPING + 1))][-2:] == ["10", "99"]
    assert with_tile(tiles, None) == tiles


def test_a_run_of_another_question_has_no_metric_on_the_strip(loop: Loop, values: list[Any]) -> None:
    outcome = scored(loop, values)
    tile = {"key": ["1", "2"], "about": "another", "instruction": "i", "order": ["x"], "moved": 0, "at": 0.0}
    html = strip_html([tile, {**tile, "about": outcome.about}], {"x": 3}, outcome)
    assert html.count("<b>–</b>") == 1 and html.count("<b>1.00</b>") == 1


def test_the_noise_is_measured_behind_the_result_and_the_views_follow(loop: Loop, values: list[Any]) -> None:
    review, outcome = Review(loop), scored(loop, values)
    assert not outcome.run.floor.measured
    review.on_noise(*values)
    again, lists, _, _, verdict, *_ = review.on_again(LEXICAL, values[4], outcome, [])
    assert again.run.floor.measured and "data-same" in verdict  # words are counted apart from the prompt
    assert lists.count("data-grades-of") == 6
    assert all(isinstance(out, dict) for out in review.on_again(LEXICAL, values[4], again, []))
    assert scored(loop, values).run.floor.measured  # the next run knows it


def test_noise_gives_way_to_a_run_that_begins(loop: Loop, bench: Bench, values: list[Any], tmp_path: Path) -> None:
    own = Loop(bench, tmp_path)
    own.stops.start("a page that was closed and never said so")
    later = own.stops.later()
    assert not later()
    scorer = bench.pool.get(LEXICAL)
    found = [e for e in bench.preview(Variant(LEXICAL), QUERY, [Document("d", (Text("t"),))] * 2) if isinstance(e, Encoding)]
    _, ended = own.stops.start("somebody")
    assert later() and not own.floors.learn(scorer, found, later).measured and own.floors.wanted(scorer)
    ended()
    Review(own).on_noise(*values)
    assert not own.floors.wanted(scorer)


def test_what_is_judged_is_saved_and_can_be_pasted_back(loop: Loop, bench: Bench, values: list[Any]) -> None:
    review = Review(loop)
    link = review.on_add(event(do="add"), *values)
    line = b64decode(link.split("base64,")[1].split('"')[0]).decode()
    pasted = read_paste(line, bench)
    assert pasted.grades == (3, None, None) and pasted.query and pasted.query.content == (Text("a red star"),)
    assert [r.content for r in pasted.rows if isinstance(r, Document)][1] == (Text("blue moon"),)
    values[4] = graded(values[4], [["x", None]])
    assert "nothing judged" in review.on_add(event(do="add"), *values)


def test_pictures_are_saved_with_what_is_judged(loop: Loop, bench: Bench, values: list[Any]) -> None:
    picture = next((Path(__file__).resolve().parents[2] / "assets/scenarios/flip").glob("*.png"))
    part = bench.library.add(picture.read_bytes(), "p.png")
    values[4] = [{"id": "p", "label": "", "grade": 2, "error": None, "parts": [["image", part.digest, "p.png"]]}]
    link = Review(loop).on_add(event(do="add"), *values)
    pasted = read_paste(b64decode(link.split("base64,")[1].split('"')[0]).decode(), bench)
    [row] = pasted.rows
    assert isinstance(row, Document) and getattr(row.content[0], "digest", "") == part.digest and pasted.grades == (2,)


def test_a_server_is_never_asked_for_noise(bench: Bench) -> None:
    from workbench.noise import Floors

    class Elsewhere:
        name = "http://x"

        def facts(self) -> Any:
            return SimpleNamespace(device="server", dtype="unknown")

        def explain(self, encoding: Any) -> Any: ...
        def text_only(self, template: Any) -> str: ...
        def score(self, batch: Any, stop: Any = None) -> Iterator[Any]:
            raise AssertionError("asked")

    floors, there = Floors(), Elsewhere()
    assert not floors.wanted(there) and not floors.learn(there, []).measured  # type: ignore[arg-type]
