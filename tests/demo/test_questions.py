"""Labels follow from the instruction, matches and misses balance, and what is held apart stays apart."""

from __future__ import annotations

import random
from dataclasses import replace

from workbench.demo import captions, instructions
from workbench.demo.captions import Wording
from workbench.demo.questions import Mix, Side, matches, near, question
from workbench.demo.scenes import Scene

STAR = Scene("red", "star", motion="left")
ALL = frozenset(("colour", "shape", "motion"))


def test_only_what_counts_decides() -> None:
    triangle = Side("clip", Scene("red", "triangle", motion="up"), "", ALL)
    assert matches(STAR, triangle, frozenset(("colour",)))
    assert not matches(STAR, triangle, frozenset(("shape",)))
    assert not matches(STAR, triangle, ALL)


def test_a_picture_never_shows_motion() -> None:
    still = Side("picture", Scene("red", "star"), "", frozenset(("colour", "shape")))
    assert matches(STAR, still, frozenset(("colour", "shape")))
    assert not matches(STAR, still, frozenset(("motion",)))


def test_near_misses_what_counts_and_only_that_is_forced() -> None:
    rng = random.Random(1)
    for _ in range(200):
        assert near(STAR, frozenset(("colour",)), True, rng).colour == "red"
        assert near(STAR, frozenset(("colour",)), False, rng).colour != "red"
    others = [near(STAR, frozenset(("colour",)), False, rng).shape == "star" for _ in range(400)]
    assert 0.4 < sum(others) / len(others) < 0.75  # right shape, wrong colour is common: only the instruction decides


def test_labels_balance_and_follow_from_the_facts() -> None:
    rng = random.Random(2)
    asked = [question(rng, Mix(), 8) for _ in range(400)]
    labels = [label for q in asked for label in q.labels]
    assert 0.45 < sum(labels) / len(labels) < 0.52
    assert {q.facet for q in asked} == {"everything", "colour", "shape", "motion"}
    assert all(q.counts <= q.query.tells for q in asked)


def test_the_same_seed_asks_the_same() -> None:
    assert question(random.Random(5), Mix(), 8) == question(random.Random(5), Mix(), 8)


def test_held_phrasings_are_disjoint_from_training() -> None:
    assert not set(instructions.HELD_ONE) & set(instructions.ONE + instructions.TWO)
    assert not set(instructions.HELD_ALL) & set(instructions.ALL)
    assert not set(captions.HELD_STILL_FORMS) & set(captions.STILL_FORMS)
    assert not set(captions.HELD_MOVING_FORMS) & set(captions.MOVING_FORMS)
    assert not set(captions.HELD_OBJECT_FORMS) & set(captions.OBJECT_FORMS)
    rng = random.Random(3)
    trained = {q.instruction.lower().rstrip(".") for q in (question(rng, Mix(), 1) for _ in range(5000))}
    held = Mix(held=True, wording=Wording(held=True))
    unseen = {q.instruction.lower().rstrip(".") for q in (question(rng, held, 1) for _ in range(1000))}
    assert len(trained) > 400 and len(unseen) > 40 and not trained & unseen


def test_captions_tell_the_scene() -> None:
    rng = random.Random(4)
    plain = Wording(synonyms=0, size=0)
    for _ in range(200):
        text = captions.caption(STAR, rng, plain).lower()
        assert "red" in text and "star" in text and "left" in text
        assert "left" not in captions.caption(replace(STAR, motion=None), rng, plain).lower()
