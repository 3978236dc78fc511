"""Makes labelled questions: an instruction, a query and documents that match it, or miss it by exactly what the instruction
decides. Knows nothing of pixels, tokens or weights."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace

from workbench.demo.captions import Wording, caption, denial, partial
from workbench.demo.instructions import EVERYTHING, instruction
from workbench.demo.scenes import (
    DIRECTIONS,
    FACETS,
    OPPOSITE,
    Scene,
    fact,
    plausible,
    random_pair,
    random_scene,
    swapped,
)

WORDING = Wording()
KINDS = ("picture", "clip", "caption")
# What a question is about. All but the last three are also what an instruction may choose.
TOPICS = ("everything", "colour", "shape", "size", "count", "place", "motion", "two facets", "relation", "order", "negation")
PAIR = frozenset(("colour", "shape", "relation", "other_colour", "other_shape"))
ALWAYS = frozenset(("colour", "shape", "count"))  # what every side tells unless it says less
SHOWS = {"relation": ("picture", "caption"), "place": ("picture", "caption"), "order": ("clip", "caption")}


@dataclass(frozen=True, slots=True)
class Side:
    """A query or a document: a picture, a clip or a caption, and the facts that it tells.

    `denies`: facets whose value is told as what it is not ("not red").
    """

    kind: str
    scene: Scene
    text: str
    tells: frozenset[str]
    denies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """One instruction and query with several documents; `labels` follow from `counts`, the facts that decide."""

    topic: str
    instruction: str
    query: Side
    documents: tuple[Side, ...]
    counts: frozenset[str]

    @property
    def labels(self) -> list[bool]:
        return [matches(self.query, document, self.counts) for document in self.documents]


def agrees(wanted: Side, document: Side, facet: str) -> bool:
    """Whether the document tells the facet, and tells what the query wants (or another value, where the query denies it)."""
    if facet not in document.tells or facet in document.denies:
        return False
    return (fact(document.scene, facet) == fact(wanted.scene, facet)) != (facet in wanted.denies)


def matches(wanted: Side, document: Side, counts: Collection[str]) -> bool:
    """A document matches when it agrees on every fact that counts."""
    return all(agrees(wanted, document, facet) for facet in counts)


def told(scene: Scene, kind: str) -> frozenset[str]:
    """What a picture or clip tells: all that can be seen for certain."""
    if scene.relation:
        return PAIR
    seen = {"colour", "shape", "count", *(f for f in ("size", "place") if fact(scene, f))}
    if kind == "clip":
        seen |= {"motion"} | ({"then"} if scene.then else set())
    return frozenset(seen)


def _other(facet: str, value: str | int | None, rng: random.Random) -> str | int:
    if facet in ("motion", "then") and isinstance(value, str) and rng.random() < 0.4:  # the opposite is the hardest miss
        return OPPOSITE[value]
    return rng.choice([v for v in FACETS[facet] if v != value])


def near(wanted: Side, counts: Collection[str], match: bool, rng: random.Random) -> Scene:
    """A scene that agrees on all that counts, or misses (mostly) one such fact; the rest agrees half the time."""
    missed: list[str] = []
    if not match:
        missed = rng.sample(sorted(counts), 1 if rng.random() < 0.7 else rng.randint(1, len(counts)))
    if wanted.scene.relation:
        return _near_pair(wanted.scene, missed, rng)
    scene = random_scene(rng, moving=True)
    if "count" not in counts and rng.random() < 0.5:
        scene = replace(scene, count=1)
    if "then" in counts:
        return _near_order(wanted.scene, counts, missed, scene, rng)
    for facet in ("colour", "shape", "count", "size", "motion", "place"):
        value = fact(wanted.scene, facet)
        wants_other = (facet in missed) != (facet in wanted.denies and facet in counts)
        if wants_other:
            scene = _set(scene, facet, _other(facet, value, rng))
        elif value is not None and (facet in counts or rng.random() < 0.5):
            scene = _set(scene, facet, value)
    return plausible(scene)


def _set(scene: Scene, facet: str, value: str | int | None) -> Scene:
    match facet:  # what cannot be drawn beside this fact goes
        case "size":
            scene = replace(scene, count=1, place=None)
        case "place":
            scene = replace(scene, count=1, size=None, motion=None)
        case "motion":
            scene = replace(scene, then=None)
    return replace(scene, **{facet: value})  # type: ignore[arg-type]


def _near_pair(wanted: Scene, missed: list[str], rng: random.Random) -> Scene:
    """Without a miss the same pair; else mostly the two in each other's place, or one of them another one."""
    if not missed:
        return wanted
    if "relation" in missed or rng.random() < 0.4:
        return swapped(wanted) if rng.random() < 0.7 else replace(wanted, relation=_other("relation", wanted.relation, rng))  # type: ignore[arg-type]
    other = random_pair(rng)
    keeps = [f for f in ("colour", "shape", "other_colour", "other_shape") if f not in missed]
    made = replace(other, relation=wanted.relation, **{f: fact(wanted, f) for f in keeps})  # type: ignore[arg-type]
    return made if made.colour != made.other_colour and made.shape != made.other_shape else swapped(wanted)


def _near_order(wanted: Scene, counts: Collection[str], missed: list[str], scene: Scene, rng: random.Random) -> Scene:
    """Moves along two directions: the same two, the same turned round in time, or another second one."""
    scene = replace(scene, count=1, size=None, place=None, motion=wanted.motion, then=wanted.then)
    for facet in ("colour", "shape"):
        value = fact(wanted, facet)
        if facet in missed:
            scene = replace(scene, **{facet: _other(facet, value, rng)})  # type: ignore[arg-type]
        elif facet in counts or rng.random() < 0.5:
            scene = replace(scene, **{facet: value})  # type: ignore[arg-type]
    if "motion" in missed or "then" in missed:
        if rng.random() < 0.6:
            return replace(scene, motion=wanted.then, then=wanted.motion)
        return replace(scene, then=rng.choice([d for d in DIRECTIONS if d not in (wanted.motion, wanted.then)]))
    return scene


def document(kind: str, scene: Scene, counts: Collection[str], rng: random.Random, wording: Wording) -> Side:
    """The scene as a picture, a clip or a caption. A caption tells what counts, the rest half the time."""
    if kind == "picture":
        scene = replace(scene, motion=None, then=None)
        return Side(kind, scene, "", told(scene, kind))
    if kind == "clip":
        return Side(kind, replace(scene, place=None), "", told(replace(scene, place=None), kind))
    if scene.relation:
        return Side(kind, scene, caption(scene, rng, wording, PAIR), PAIR)
    roll = rng.random()
    if roll < 0.06:  # a caption that leaves things out
        facet = rng.choice([f for f in ("colour", "shape", "motion", "size", "place", "count") if fact(scene, f)])
        tells = {facet} | ({"then"} if facet == "motion" and scene.then else set())
        return Side(kind, scene, partial(scene, facet, rng, wording), frozenset(tells))
    if roll < 0.09:  # or that says what it is not
        text, shape_told = denial(scene, "both", rng, wording), frozenset(("colour", "shape"))
        return Side(kind, scene, text, shape_told, frozenset(("colour",)))
    extra = {f for f in ("size", "place", "motion") if fact(scene, f) and (f in counts or rng.random() < 0.4)}
    if "motion" in extra:
        extra -= {"place"}
        extra |= {"then"} if scene.then else set()
    return Side(kind, scene, caption(scene, rng, wording, extra), ALWAYS | extra)


def query(topic: str, facets: Collection[str], rng: random.Random, wording: Wording, shown: float) -> Side:
    """A full description, a single fact, a denial, a picture or a clip; it tells the facets that the topic is about."""
    if topic == "relation":
        pair = random_pair(rng)
        return Side("caption", pair, caption(pair, rng, wording, PAIR), PAIR)
    scene = _asked(topic, facets, rng)
    if topic == "negation":
        facet = rng.choice(("colour", "shape", "both"))
        denies = frozenset(("colour",) if facet == "both" else (facet,))
        tells = frozenset(("colour", "shape")) if facet == "both" else denies
        return Side("caption", scene, denial(scene, facet, rng, wording), tells, denies)
    if topic != "order" and rng.random() < shown:
        kind = "clip" if scene.motion else "picture"
        return Side(kind, scene, "", told(scene, kind))
    if topic in NAMED and topic != "everything" and rng.random() < 0.15:
        return Side("caption", scene, partial(scene, topic, rng, wording), frozenset((topic,)))
    extra = frozenset(f for f in ("size", "place", "motion", "then") if fact(scene, f))
    return Side("caption", scene, caption(scene, rng, wording, extra), ALWAYS | extra)


NAMED = ("everything", "colour", "shape", "size", "count", "place", "motion")


def _asked(topic: str, facets: Collection[str], rng: random.Random) -> Scene:
    """A scene that has what the question is about, and at times one thing more."""
    scene = replace(random_scene(rng), size=None, place=None, count=1)
    spare = rng.choice((*("size", "count", "place", "motion") * 2, *("",) * (4 if topic == "everything" else 12)))
    for facet in {*facets, spare} & set(FACETS) - {"colour", "shape"}:
        values = [v for v in FACETS[facet] if facet != "count" or v != 1 or rng.random() < 0.6]
        scene = replace(scene, **{facet: rng.choice(values)})  # type: ignore[arg-type]
    if spare and spare not in facets and plausible(scene) != scene:
        scene = replace(scene, **{spare: 1 if spare == "count" else None})  # type: ignore[arg-type]
    if topic == "order":
        first, then = rng.sample(DIRECTIONS, 2)
        scene = replace(scene, motion=first, then=then, count=1, size=None, place=None)
    if topic == "negation":
        scene = replace(scene, motion=None, place=None, size=None, count=1)
    return plausible(scene)


@dataclass(frozen=True, slots=True)
class Mix:
    """What a stage of training (or a check) asks: kinds of documents, topics, share of shown queries, words."""

    kinds: tuple[str, ...] = KINDS
    topics: tuple[str, ...] = ("everything",) * 6 + ("colour",) * 3 + ("shape",) * 4 + ("size", "count", "motion") * 3 + (
        "place", "two facets", "two facets", "relation", "order", "negation")  # fmt: skip
    shown: float = 0.15
    held: bool = False
    wording: Wording = WORDING


def _facets(topic: str, rng: random.Random) -> tuple[str, ...]:
    """What the instruction names."""
    match topic:
        case "two facets":
            first = rng.choice(("colour", "shape"))
            second = rng.choice([f for f in ("colour", "shape", "size", "count", "motion") if f != first])
            return (first, second)
        case "relation":
            return (EVERYTHING,)
        case "order":
            return (rng.choice((EVERYTHING, "motion")),)
        case "negation":
            return (EVERYTHING,)
        case _:
            return (topic,)


def question(rng: random.Random, mix: Mix, documents: int) -> Question:
    """A question whose documents match and miss in equal numbers (up to captions that leave something out)."""
    topic = rng.choice(mix.topics)
    facets = _facets(topic, rng)
    asked = query(topic, facets, rng, mix.wording, mix.shown)
    counts = frozenset(facets)
    if EVERYTHING in facets:
        # of what is shown rather than told, size and place are accidents
        counts = asked.tells - {"size", "place"} if asked.kind != "caption" else asked.tells
    elif "motion" in facets and "then" in asked.tells:
        counts |= {"then"}
    spoken = instruction(facets, rng, held=mix.held)
    kinds = [k for k in mix.kinds if k in SHOWS.get(topic, KINDS)] or ["caption"]
    if "place" in counts:
        kinds = [k for k in kinds if k != "clip"] or ["caption"]
    if "motion" in counts:  # a picture cannot show it: a few, so that the model learns to refuse them
        kinds = [k for k in kinds if k != "picture" or rng.random() < 0.15] or ["clip"]
    wanted = [i % 2 == 0 for i in range(documents)]
    rng.shuffle(wanted)
    made = tuple(document(rng.choice(kinds), near(asked, counts, match, rng), counts, rng, mix.wording) for match in wanted)
    return Question(topic, spoken, asked, made, counts)
