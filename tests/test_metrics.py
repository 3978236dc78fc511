"""Metrics are trec_eval's, and their ranges hold every outcome of the missing judgements and no more."""

from __future__ import annotations

import random
from itertools import product

import pytest

from workbench.metrics import (
    BEST,
    MEASURES,
    Span,
    average_precision,
    label,
    ndcg,
    open_top,
    order,
    per_query,
    precision,
    recall,
    reciprocal_rank,
    span,
)


def test_values_worked_out_by_hand() -> None:
    ranked = [0, 2, 3, 0, 1, 1]
    assert ndcg([3, 2, 0], [3, 2, 0]) == 1
    assert ndcg([0, 2, 3], [3, 2, 0]) == pytest.approx((2 / 1.5849625 + 3 / 2) / (3 + 2 / 1.5849625))
    assert reciprocal_rank(ranked, ranked) == 1 / 2
    assert reciprocal_rank(ranked, ranked, 1) == 0
    assert precision(ranked, ranked) == 3 / 5
    assert precision([1, 1, 1], [1, 1, 1]) == 3 / 5  # divided by the depth, as trec_eval does
    assert recall(ranked, ranked) == 3 / 4
    assert average_precision(ranked, ranked) == pytest.approx((1 / 2 + 2 / 3 + 3 / 5 + 4 / 6) / 4)
    assert average_precision([1], [1, 1]) == 1 / 2  # a relevant document that is not ranked counts as nothing


def test_what_divides_by_nothing_has_no_value() -> None:
    nothing = [0, 0]
    assert [ndcg(nothing, nothing), recall(nothing, nothing), average_precision(nothing, nothing)] == [None] * 3
    assert [precision(nothing, nothing), reciprocal_rank(nothing, nothing)] == [0, 0]


def test_ties_are_broken_as_trec_eval_does() -> None:
    assert order({"a": 1.0, "c": 1.0, "b": 2.0}) == ["b", "c", "a"]
    assert order({"a": 1.0 + 1e-12, "b": 1.0}) == ["b", "a"]  # one number in single precision
    qrels, run = {"q": {"a": 1, "z": 1}}, {"q": {"a": 1.0, "b": 1.0}, "unjudged": {"a": 1.0}}
    assert per_query(reciprocal_rank, qrels, run) == {"q": 1 / 2, "unjudged": 0}
    assert per_query(recall, qrels, run) == {"q": 1 / 2, "unjudged": None}


def brute(name: str, ranked: list[int | None], depth: int) -> Span | None:
    """Every way to judge, one after the other."""
    free = [i for i, grade in enumerate(ranked) if grade is None]
    values = []
    for given in product(range(BEST + 1), repeat=len(free)):
        grades = [grade or 0 for grade in ranked]
        for i, grade in zip(free, given, strict=True):
            grades[i] = grade
        if (value := MEASURES[name](grades, grades, depth)) is not None:
            values.append(value)
    return Span(min(values), max(values)) if values else None


@pytest.mark.parametrize("name", MEASURES)
def test_a_range_is_that_of_all_judgements(name: str) -> None:
    """Lists of up to six documents, depths above and below their length, every mix of judged and unjudged."""
    pick = random.Random(name)
    lists: list[list[int | None]] = [[None] * 4, [0, None, 0, None], [None, 0], [0, 0], [0, 0, 0, None], [1, 0, 0, 0, None]]
    lists += [[pick.choice([None, None, 0, 1, 2, 3]) for _ in range(pick.randint(1, 6))] for _ in range(60)]
    for ranked in lists:
        for depth in (1, 2, 3, 5):
            found, wanted = span(name, ranked, depth), brute(name, ranked, depth)
            assert (found is None) == (wanted is None), (ranked, depth)
            if found and wanted:
                assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high)), (ranked, depth)


def test_a_grade_in_between_can_be_the_best_one() -> None:
    """[1, ?]: 1 gives a perfect order, 3 would not."""
    found = span("nDCG", [1, None])
    assert found and found.high == 1 and found.low < 0.8


def test_a_long_list_has_a_range_at_once() -> None:
    found = span("nDCG", [None] * 1000, 10)
    assert found == Span(0.0, 1.0)


def test_names_and_the_open_top() -> None:
    assert [label(name, 10) for name in MEASURES] == ["nDCG@10", "MRR@10", "P@10", "recall@10", "AP"]
    assert open_top([1, None, 0], 2) and not open_top([1, 0, None], 2)
