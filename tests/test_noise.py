"""The noise floor is measured on the model itself, anew, once, and gives way to runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.noise import HALF, LEAST, PAIRS, Floors, few, measure
from workbench.pool import LEXICAL, Bench
from workbench.ranking import compare, ranking
from workbench.scorers import Scorer, ScorerFacts, Stop, afresh, never
from workbench.types import Document, Encoding, Query, Score, ScoreResult, Text, Variant

QUERY = Query("q", (Text("which flower do bees find?"),))
ROWS = [Document(f"d{i}", (Text("a flower that bees find by its smell " * (1 + i % 4) + str(i)),)) for i in range(10)]


class Wavering:
    """Logits that depend on how many rows come at once, as those of a padded batch may."""

    def __init__(self, step: float, dtype: str = "float32") -> None:
        self.name, self.step, self.dtype, self.asked = "wavering", step, dtype, list[int]()

    def facts(self) -> ScorerFacts:
        return ScorerFacts("cpu", self.dtype)

    def score(self, batch: Sequence[Any], stop: Stop = never) -> Iterator[tuple[int, Score]]:
        self.asked.append(len(batch))
        yield from ((i, Score(1.0 + self.step * len(batch), 0.5)) for i in range(len(batch)))


def stand_in(step: float, dtype: str = "float32") -> Any:
    return Wavering(step, dtype)


def prompts(count: int) -> Any:
    return [SimpleNamespace(token_ids=(0,) * (i + 1)) for i in range(count)]


def encodings(bench: Bench, model: str) -> list[Encoding]:
    return [e for e in bench.preview(Variant(model), QUERY, ROWS) if isinstance(e, Encoding)]


def test_it_is_the_largest_difference_between_batchings() -> None:
    scorer = stand_in(0.01)
    assert measure(scorer, prompts(8)) == pytest.approx(0.07)  # eight together against one alone
    assert scorer.asked == [8, *[1] * 8, 4, 4]
    assert measure(scorer, prompts(1)) is None


def test_few_short_prompts_are_enough() -> None:
    assert [len(e.token_ids) for e in few(prompts(20))] == list(range(1, PAIRS + 1))
    long: Any = [SimpleNamespace(token_ids=(0,) * 3000) for _ in range(8)]
    assert len(few(long)) == 1


def test_it_is_learned_once_per_model_and_dtype() -> None:
    floors, scorer = Floors(), stand_in(0.01)
    assert floors.of(scorer).value == LEAST and not floors.of(scorer).measured
    assert floors.learn(scorer, prompts(8)).measured and floors.of(scorer).value == pytest.approx(0.07)
    asked = len(scorer.asked)
    floors.learn(scorer, prompts(8))
    assert len(scorer.asked) == asked
    assert floors.of(stand_in(0.01, "bfloat16")).value == HALF  # another dtype is another model
    assert Floors().learn(stand_in(0.0), prompts(8)).value == LEAST


def test_it_gives_way_to_a_run_and_is_tried_again() -> None:
    floors, scorer = Floors(), stand_in(0.01)
    assert not floors.learn(scorer, prompts(8), lambda: len(scorer.asked) > 2).measured
    assert len(scorer.asked) == 3 and floors.wanted(scorer)
    assert floors.learn(scorer, prompts(8)).measured


def test_two_who_ask_at_once_measure_once_and_both_know() -> None:
    floors, scorer = Floors(), stand_in(0.01)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: floors.learn(scorer, prompts(8)), range(4)))
    assert all(floor.measured for floor in found) and scorer.asked.count(8) == 1


def test_a_real_model_is_measured_without_touching_what_it_remembers(bench: Bench, tiny_qwen3: Path) -> None:
    scorer = bench.pool.get(str(tiny_qwen3))
    batch = encodings(bench, str(tiny_qwen3))
    before = dict(scorer.score(batch))
    scorer.spent()  # type: ignore[attr-defined]
    found = measure(scorer, few(batch))
    assert found is not None and found < 1e-3
    spent = scorer.spent()  # type: ignore[attr-defined]
    assert spent["remembered"] == 0 and spent["forwards"] >= 1 + PAIRS + 2
    after = dict(scorer.score(batch))
    assert all(score.cached for score in after.values() if isinstance(score, Score)) and after == before


def test_scores_afresh_are_not_remembered(bench: Bench, tiny_qwen3: Path) -> None:
    scorer = bench.pool.get(str(tiny_qwen3))
    scorer.forget()
    batch = encodings(bench, str(tiny_qwen3))
    assert len(afresh(scorer, batch)) == len(batch)
    assert not any(s.cached for _, s in scorer.score(batch) if isinstance(s, Score))


def test_word_overlap_has_none(bench: Bench) -> None:
    scorer: Scorer = bench.pool.get(LEXICAL)
    assert Floors().learn(scorer, encodings(bench, LEXICAL)).value == LEAST


# ---------------------------------------------------------------- moves
def ranked(logits: list[float]) -> Any:
    rows = [ScoreResult(i, Document(f"d{i}", ()), score=Score(x, 0.5)) for i, x in enumerate(logits)]
    return ranking(Variant("m"), QUERY, rows)


def test_a_swap_within_the_noise_is_a_tie_and_a_real_one_is_not() -> None:
    a, b = ranked([3.0, 2.00, 1.99, 0.0]), ranked([3.0, 1.99, 2.00, 0.0])
    assert [m.tie for m in compare(a, b, 0.02)] == [False, True, True, False]
    assert not any(m.moved for m in compare(a, b, 0.02)) and sum(m.moved for m in compare(a, b, 0.001)) == 2


def test_one_side_that_cannot_tell_them_apart_is_enough_for_a_tie() -> None:
    a, b = ranked([2.0, 1.0]), ranked([1.0, 1.01])
    assert all(m.tie for m in compare(a, b, 0.05))


def test_a_document_that_passes_another_for_sure_has_moved_whatever_it_ties_with() -> None:
    a, b = ranked([3.0, 2.0, 1.0]), ranked([1.0, 2.99, 3.0])
    moves = {m.index: m for m in compare(a, b, 0.05)}
    assert moves[0].moved and moves[2].moved and moves[1].climb == 0
