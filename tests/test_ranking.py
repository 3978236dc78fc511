"""Rankings are stable, name every document once, and two of them make moves."""

from __future__ import annotations

from workbench.errors import RequestInvalid
from workbench.pool import Bench
from workbench.ranking import compare, missing, ranking, rerank
from workbench.types import Document, Query, Row, Score, ScoreResult, Text, Variant

QUERY = Query("q", (Text("red star"),))


def document(text: str, id: str = "d") -> Document:
    return Document(id, (Text(text),))


def made(logits: list[float | None]) -> list[ScoreResult]:
    rows = []
    for i, x in enumerate(logits):
        error = None if x is not None else RequestInvalid("no")
        rows.append(ScoreResult(i, document(str(i)), score=Score(x, 0.5) if x is not None else None, error=error))
    return rows


def test_equal_scores_keep_the_order_of_the_request() -> None:
    done = ranking(Variant("m"), QUERY, reversed(made([1.0, 2.0, 1.0, None, 2.0])))
    assert [r.index for r in done.ranked] == [1, 4, 0, 2]
    assert [r.index for r in done.failed] == [3]


def test_moves_name_every_document_once() -> None:
    a = ranking(Variant("m"), QUERY, made([3.0, 2.0, 1.0, None]))
    b = ranking(Variant("m"), QUERY, made([1.0, 2.0, 3.0, 4.0]))
    moves = compare(a, b)
    assert [(m.index, m.rank_a, m.rank_b, m.climb) for m in moves] == [
        (3, None, 1, 0),
        (2, 3, 2, 1),
        (1, 2, 3, -1),
        (0, 1, 4, -3),
    ]


def test_a_ranking_over_the_whole_path(bench: Bench) -> None:
    rows: list[Row] = [document("blue star"), RequestInvalid("torn"), document("a red star"), document("nothing")]
    results = list(rerank(bench.renderer, bench.pool.get("word-overlap"), Variant("word-overlap"), QUERY, rows))
    done = ranking(Variant("word-overlap"), QUERY, results)
    assert [r.index for r in done.ranked] == [2, 0, 3] and [r.index for r in done.failed] == [1]
    assert all(r.encoding is not None and r.encoding.prompt.text for r in done.ranked)


def test_what_a_stop_left_over_is_named(bench: Bench) -> None:
    rows: list[Row] = [document("a"), document("b")]
    scorer = bench.pool.get("word-overlap")
    results = list(rerank(bench.renderer, scorer, Variant("word-overlap"), QUERY, rows, stop=lambda: True))
    assert missing(2, results) == [0, 1]


def test_one_model_is_awake_at_a_time(bench: Bench) -> None:
    first = bench.pool.get("word-overlap")
    assert bench.pool.get(" word-overlap ") is first
