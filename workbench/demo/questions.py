"""Makes labelled questions: an instruction, a query and documents that match it, or miss it by exactly what the instruction
decides. Knows nothing of pixels, tokens or weights."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from workbench.demo.captions import Wording, caption, partial
from workbench.demo.instructions import instruction
from workbench.demo.scenes import COLOURS, MOTIONS, SHAPES, Scene, random_scene

WORDING = Wording()
KINDS = ("picture", "clip", "caption")
FACETS = ("colour", "shape", "motion")


@dataclass(frozen=True, slots=True)
class Side:
    """A query or a document: a picture, a clip or a caption, and the facts that it tells."""

    kind: str
    scene: Scene
    text: str
    tells: frozenset[str]


@dataclass(frozen=True, slots=True)
class Question:
    """One instruction and query with several documents; `labels` follow from `counts`, the facts that decide."""

    facet: str
    instruction: str
    query: Side
    documents: tuple[Side, ...]
    counts: frozenset[str]

    @property
    def labels(self) -> list[bool]:
        return [matches(self.query.scene, document, self.counts) for document in self.documents]


def fact(scene: Scene, facet: str) -> str | None:
    value: str | None = getattr(scene, facet)
    return value


def matches(wanted: Scene, document: Side, counts: frozenset[str]) -> bool:
    """A document matches when it tells every fact that counts, and each agrees."""
    return all(f in document.tells and fact(document.scene, f) == fact(wanted, f) for f in counts)


def _other(facet: str, value: str | None, rng: random.Random) -> str:
    known = {"colour": list(COLOURS), "shape": list(SHAPES), "motion": list(MOTIONS)}[facet]
    if facet == "motion" and value in MOTIONS and rng.random() < 0.4:  # the opposite way is the hardest miss
        return {"left": "right", "right": "left", "up": "down", "down": "up"}[value]
    return rng.choice([v for v in known if v != value])


def _set(scene: Scene, facet: str, value: str | None) -> Scene:
    match facet:
        case "colour":
            return replace(scene, colour=str(value))
        case "shape":
            return replace(scene, shape=str(value))
        case _:
            return replace(scene, motion=value)


def near(wanted: Scene, counts: frozenset[str], match: bool, rng: random.Random) -> Scene:
    """A scene that agrees on all that counts, or misses (mostly) one such fact; the rest agrees half the time."""
    scene = random_scene(rng, moving=True)
    missed: list[str] = []
    if not match:
        missed = rng.sample(sorted(counts), 1 if rng.random() < 0.7 else rng.randint(1, len(counts)))
    for facet in FACETS:
        value = fact(wanted, facet)
        if facet in missed:
            scene = _set(scene, facet, _other(facet, value, rng))
        elif value is not None and (facet in counts or rng.random() < 0.5):
            scene = _set(scene, facet, value)
    return scene


def document(kind: str, scene: Scene, counts: frozenset[str], rng: random.Random, wording: Wording) -> Side:
    """The scene as a picture, a clip or a caption. A caption tells the motion where it counts, else half the time."""
    if kind == "picture":
        return Side(kind, replace(scene, motion=None), "", frozenset(("colour", "shape")))
    if kind == "clip":
        return Side(kind, scene, "", frozenset(FACETS))
    if rng.random() < 0.06:  # a caption that leaves things out
        facet = rng.choice([f for f in FACETS if fact(scene, f)])
        return Side(kind, scene, partial(scene, facet, rng, wording), frozenset((facet,)))
    if "motion" not in counts and rng.random() < 0.6:
        scene = replace(scene, motion=None)
    tells = frozenset(("colour", "shape") if scene.motion is None else FACETS)
    return Side(kind, scene, caption(scene, rng, wording), tells)


def query(facet: str, rng: random.Random, wording: Wording, pictures: float) -> Side:
    """A full description (with the motion where it counts, else at times), a single fact, or a picture."""
    scene = random_scene(rng)
    if facet != "motion" and rng.random() < pictures:
        return Side("picture", scene, "", frozenset(("colour", "shape")))
    if facet == "motion" or rng.random() < 0.3:
        scene = replace(scene, motion=rng.choice(list(MOTIONS)))
    if rng.random() < 0.12:
        told = facet if facet != "everything" else rng.choice([f for f in FACETS if fact(scene, f)])
        return Side("caption", scene, partial(scene, told, rng, wording), frozenset((told,)))
    tells = frozenset(("colour", "shape") if scene.motion is None else FACETS)
    return Side("caption", scene, caption(scene, rng, wording), tells)


@dataclass(frozen=True, slots=True)
class Mix:
    """What a stage of training (or a check) asks: kinds of documents, share of picture queries, words."""

    kinds: tuple[str, ...] = KINDS
    facets: tuple[str, ...] = ("everything", "everything", "colour", "shape", "motion")
    pictures: float = 0.15
    held: bool = False
    wording: Wording = WORDING


def question(rng: random.Random, mix: Mix, documents: int) -> Question:
    """A question whose documents match and miss in equal numbers (up to captions that leave something out)."""
    facet = rng.choice(mix.facets)
    asked = query(facet, rng, mix.wording, mix.pictures)
    counts = asked.tells if facet == "everything" else frozenset((facet,))
    # a picture cannot show motion: a few, so that the model learns to refuse them
    kinds = [k for k in mix.kinds if k != "picture" or "motion" not in counts or rng.random() < 0.15] or ["clip"]
    told = instruction(facet, rng, held=mix.held, moving="motion" in asked.tells)
    wanted = [i % 2 == 0 for i in range(documents)]
    rng.shuffle(wanted)
    made = tuple(document(rng.choice(kinds), near(asked.scene, counts, match, rng), counts, rng, mix.wording)
                 for match in wanted)  # fmt: skip
    return Question(facet, told, asked, made, counts)
