"""Labels follow from the instruction, matches and misses balance, and what is held apart stays apart."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from workbench.demo import captions, instructions
from workbench.demo.captions import Wording
from workbench.demo.flips import flip
from workbench.demo.questions import TOPICS, Mix, Side, document, matches, near, question, told
from workbench.demo.scenes import COLOURS, SHAPES, Scene, plausible, random_scene, swapped

STAR = Scene("red", "star", motion="left")
ASKED = Side("caption", STAR, "a red star moving left", frozenset(("colour", "shape", "count", "motion")))


def test_only_what_counts_decides() -> None:
    triangle = Side("clip", Scene("red", "triangle", motion="up"), "", told(Scene("red", "triangle", motion="up"), "clip"))
    assert matches(ASKED, triangle, {"colour"})
    assert matches(ASKED, triangle, {"colour", "count"})
    assert not matches(ASKED, triangle, {"shape"})
    assert not matches(ASKED, triangle, ASKED.tells)


def test_a_picture_never_shows_motion_and_no_certain_size_in_between() -> None:
    still = Side("picture", Scene("red", "star"), "", told(Scene("red", "star"), "picture"))
    assert matches(ASKED, still, {"colour", "shape"})
    assert not matches(ASKED, still, {"motion"})
    assert "size" not in still.tells and "size" in told(Scene("red", "star", "large"), "picture")


def test_a_denial_wants_anything_else_and_a_denying_document_tells_nothing() -> None:
    anything_but_red = Side("caption", STAR, "not red", frozenset(("colour",)), frozenset(("colour",)))
    blue = replace(STAR, colour="blue")
    assert matches(anything_but_red, Side("picture", blue, "", told(blue, "picture")), {"colour"})
    assert not matches(anything_but_red, Side("picture", STAR, "", told(STAR, "picture")), {"colour"})
    says_what_it_is_not = Side("caption", blue, "a star that is not blue", frozenset(("colour", "shape")), frozenset(("colour",)))
    assert matches(ASKED, says_what_it_is_not, {"shape"}) and not matches(ASKED, says_what_it_is_not, {"colour"})


@pytest.mark.parametrize("counts", [{"colour"}, {"shape"}, {"count"}, {"motion"}, {"colour", "shape"}], ids=sorted)
def test_near_agrees_or_misses_as_it_is_told(counts: set[str]) -> None:
    rng = random.Random(1)
    for match in (True, False):
        for _ in range(200):
            scene = near(ASKED, counts, match, rng)
            assert matches(ASKED, Side("clip", scene, "", told(scene, "clip")), counts) is match


def test_the_right_shape_in_the_wrong_colour_is_common() -> None:
    rng = random.Random(1)
    others = [near(ASKED, {"colour"}, False, rng).shape == "star" for _ in range(400)]
    assert 0.4 < sum(others) / len(others) < 0.75  # so that only the instruction decides


@pytest.mark.parametrize("topic", TOPICS)
def test_labels_balance_and_follow_from_the_facts(topic: str) -> None:
    rng = random.Random(2)
    asked = [question(rng, Mix(topics=(topic,)), 8) for _ in range(300)]
    labels = [label for q in asked for label in q.labels]
    assert 0.38 < sum(labels) / len(labels) < 0.56
    assert all(q.counts <= q.query.tells and q.counts for q in asked)
    assert {q.topic for q in asked} == {topic}


def test_every_topic_is_asked() -> None:
    rng = random.Random(3)
    assert set(Counter(question(rng, Mix(), 1).topic for _ in range(600))) == set(TOPICS)


def test_the_same_seed_asks_the_same() -> None:
    assert question(random.Random(5), Mix(), 8) == question(random.Random(5), Mix(), 8)


def test_held_phrasings_are_disjoint_from_training() -> None:
    assert not set(instructions.HELD_ONE) & set(instructions.ONE + instructions.TWO + instructions.BOTH)
    assert not set(instructions.HELD_ALL) & set(instructions.ALL)
    for known, held in (("STILL", "STILL"), ("MOVING", "MOVING"), ("OBJECT", "OBJECT"), ("GROUP", "GROUP"), ("PAIR", "PAIR"),
                        ("ORDER", "ORDER")):  # fmt: skip
        assert not set(getattr(captions, f"HELD_{held}_FORMS")) & set(getattr(captions, f"{known}_FORMS"))
    assert not any(set(captions.HELD_DENIED_FORMS[f]) & set(captions.DENIED_FORMS[f]) for f in captions.DENIED_FORMS)
    rng = random.Random(3)
    trained = {q.instruction.lower().rstrip(".") for q in (question(rng, Mix(), 1) for _ in range(5000))}
    held = Mix(held=True, wording=Wording(held=True), topics=("everything", "colour", "shape", "size", "count", "motion"))
    unseen = {q.instruction.lower().rstrip(".") for q in (question(rng, held, 1) for _ in range(1000))}
    assert len(trained) > 800 and len(unseen) > 60 and not trained & unseen


def test_captions_tell_what_they_say_they_tell() -> None:
    rng, plain = random.Random(4), Wording(synonyms=0)
    for _ in range(200):
        text = captions.caption(STAR, rng, plain, {"motion"}).lower()
        assert "red" in text and "star" in text and "left" in text
        assert "left" not in captions.caption(STAR, rng, plain, ()).lower()
        assert "two" in captions.caption(replace(STAR, count=2), rng, plain, ()).lower()
        assert "small" in captions.caption(Scene("red", "star", "small"), rng, plain, {"size"}).lower()


def test_a_turned_round_relation_is_the_same_scene() -> None:
    rng = random.Random(6)
    pair = Scene("red", "star", relation="left", other_colour="blue", other_shape="circle")
    texts = {captions.caption(pair, rng, Wording(synonyms=0), ()).lower() for _ in range(300)}
    assert "a red star left of a blue circle" in texts and "a blue circle right of a red star" in texts
    assert swapped(swapped(pair)) == pair


def test_captions_that_leave_out_or_deny_lose_their_fact() -> None:
    rng = random.Random(7)
    made = [document("caption", Scene("red", "star"), {"colour"}, rng, Wording()) for _ in range(1000)]
    assert any(d.denies for d in made) and any(d.tells == {"shape"} for d in made)
    for side in made:
        if side.tells == {"shape"}:
            assert not any(word in side.text.lower() for word in captions.COLOUR_WORDS["red"])


def test_scenes_are_plausible() -> None:
    rng = random.Random(8)
    for moving in (True, False):
        for _ in range(500):
            scene = random_scene(rng, moving=moving)
            assert plausible(scene) == scene and scene.colour in COLOURS and scene.shape in SHAPES


def test_a_flip_has_one_document_of_each_sort() -> None:
    for seed in range(200):
        asked, facets, documents = flip(random.Random(seed))
        assert [tuple(matches(asked, d, {f}) for f in facets) for d in documents] == [
            (True, True), (True, False), (False, True), (False, False)]  # fmt: skip
