"""Says a scene in words: synonyms and sentence forms, some of them kept apart so that a check can use what training never saw.
Knows nothing of pixels or instructions."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

from workbench.demo.scenes import Scene

COLOUR_WORDS = {
    "red": ("red", "crimson", "scarlet"), "orange": ("orange", "tangerine"), "yellow": ("yellow", "golden", "lemon"),
    "green": ("green", "emerald"), "cyan": ("cyan", "turquoise", "aqua"), "blue": ("blue", "navy", "cobalt"),
    "purple": ("purple", "violet"), "pink": ("pink", "rose"),
}  # fmt: skip
SHAPE_WORDS = {
    "circle": ("circle", "disc", "dot"), "square": ("square", "box"), "triangle": ("triangle", "wedge"),
    "star": ("star", "pentagram"), "cross": ("cross", "plus sign"), "heart": ("heart", "love heart"),
    "ring": ("ring", "hoop"), "crescent": ("crescent", "moon"),
}  # fmt: skip
SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
COUNT_WORDS = {1: ("one", "a single"), 2: ("two", "2", "a pair of"), 3: ("three", "3")}
PLACE_WORDS = {
    "left": ("on the left", "on the left side", "at the left", "in the left half"),
    "right": ("on the right", "on the right side", "at the right", "in the right half"),
    "top": ("at the top", "near the top", "in the upper half"),
    "bottom": ("at the bottom", "near the bottom", "in the lower half"),
}
# The first object to the other one, and the same turned round.
RELATION_WORDS = {
    "left": ("left of", "to the left of", "on the left of"), "right": ("right of", "to the right of", "on the right of"),
    "above": ("above", "over"), "below": ("below", "under", "beneath"),
}  # fmt: skip
DIRECTION_WORDS = {
    "left": ("left", "to the left", "leftwards"), "right": ("right", "to the right", "rightwards"),
    "up": ("up", "upwards"), "down": ("down", "downwards"),
}  # fmt: skip
VERBS = ("moving", "going", "drifting", "sliding", "gliding", "heading", "travelling")
VERBS_S = ("moves", "goes", "drifts", "slides", "glides", "heads", "travels")
VERBS_P = ("move", "go", "drift", "slide", "glide", "head", "travel")
SINGLE_VERBS = {
    "up": (("rising", "rises", "rise"), ("climbing", "climbs", "climb")),
    "down": (("falling", "falls", "fall"), ("sinking", "sinks", "sink"), ("dropping", "drops", "drop")),
    "appear": (("appearing", "appears", "appear"), ("showing up", "shows up", "show up"), ("popping up", "pops up", "pop up")),
    "disappear": (("disappearing", "disappears", "disappear"), ("vanishing", "vanishes", "vanish")),
}  # fmt: skip

# {o} a noun phrase, {v} a verb with -ing, {w} the same verb in a sentence, {d} a direction; {c} colour, {s} shape.
OBJECT_FORMS = ("a {c} {s}", "{c} {s}", "the {c} {s}", "one {c} {s}", "a {s} in {c}", "a {s}, {c}", "a {s} that is {c}",
                "a {s} painted {c}", "a {s} of {c} colour", "a {s} whose colour is {c}", "a {s} drawn in {c}", "any {c} {s}",
                "a {s} with the colour {c}", "this {c} {s}", "a {c} one, a {s}")
GROUP_FORMS = ("{n} {c} {s}", "{n} {s} in {c}", "{n} {s} that are {c}", "{n} {s}, all {c}", "{c} {s}, {n} of them",
               "{n} {s} painted {c}", "{n} {s} of {c} colour", "{n} {s} drawn in {c}", "{n} {s}, each of them {c}",
               "{n} {s} whose colour is {c}", "just {n} {c} {s}")
STILL_FORMS = ("{o}", "{o}.", "a picture of {o}", "an image of {o}", "there is {o}", "this shows {o}", "we see {o}",
               "{o} on a {b} background", "a drawing of {o}", "here is {o}",
               "{o} is shown", "a sketch of {o}", "a view of {o}", "the picture shows {o}", "{o} in a picture", "look at {o}",
               "I see {o}", "{o} is what this shows", "in the picture: {o}", "a close look at {o}")  # fmt: skip
MOVING_FORMS = ("{o} {v} {d}", "{o} {v} {d}.", "{o} that {w} {d}", "{o} {w} {d}", "a clip of {o} {v} {d}",
                "{v} {d}: {o}", "there is {o} {v} {d}", "a video in which {o} {w} {d}",
                "a film of {o} {v} {d}", "this shows {o} {v} {d}", "we see {o} {v} {d}", "a recording where {o} {w} {d}",
                "look how {o} {w} {d}", "here {o} {w} {d}", "watch {o} {v} {d}", "{o}, {v} {d}")  # fmt: skip
ORDER_FORMS = ("{d}, then {e}", "{d} and then {e}", "first {d}, then {e}", "{d} then {e}", "first {d} and then {e}",
               "{d}, after that {e}", "{d} before going {e}", "{d}, followed by {e}", "{d}, later {e}")
PAIR_FORMS = ("{o} {r} {p}", "{o} is {r} {p}", "{o}, {r} {p}", "there is {o} {r} {p}", "a picture of {o} {r} {p}",
              "we see {o} {r} {p}", "this shows {o} {r} {p}", "{o} lies {r} {p}", "{o} stands {r} {p}")
SIDE_FORMS = {"left": ("{o} on the left and {p} on the right", "on the left {o}, on the right {p}"),
              "above": ("{o} at the top and {p} at the bottom", "{o} on top, {p} underneath")}  # fmt: skip
PARTIAL_FORMS = {
    "colour": ("something {c}", "anything {c}", "{c}", "a {c} thing", "a {c} shape", "things that are {c}"),
    "shape": ("a {s}", "any {s}", "{s}", "some {s}", "the {s}", "a {s} of any colour"),
    "motion": ("something {v} {d}", "anything {v} {d}", "{v} {d}", "a thing that {w} {d}", "what {w} {d}"),
    "size": ("something {z}", "anything {z}", "{z}", "a {z} thing", "a {z} shape", "things that are {z}"),
    "count": ("{n} things", "{n} shapes", "{n} objects", "{n}", "{n} of anything"),
    "place": ("something {l}", "anything {l}", "{l}", "a thing {l}", "a shape {l}"),
}
DENIED_FORMS = {
    "colour": ("not {c}", "nothing {c}", "anything but {c}", "anything that is not {c}", "something not {c}", "no {c}",
               "a thing that is not {c}", "any colour but {c}"),
    "shape": ("no {s}", "not a {s}", "anything but a {s}", "anything that is not a {s}", "something that is not a {s}",
              "any shape but a {s}"),
    "both": ("a {s} that is not {c}", "a {s}, not {c}", "a {s} but not a {c} one", "a {s} of any colour but {c}"),
}  # fmt: skip
BACKGROUND_WORDS = ("plain", "white", "dark", "grey")

# Never used in training; `check` uses nothing else where it asks for unseen words.
HELD_STILL_FORMS = ("a photo of {o}", "{o} can be seen", "you can see {o} here")
HELD_MOVING_FORMS = ("footage of {o} {v} {d}", "{o} which {w} {d}", "you can see {o} {v} {d}")
HELD_OBJECT_FORMS = ("a {s} coloured {c}", "some {c} {s}")
HELD_GROUP_FORMS = ("{n} {s} coloured {c}",)
HELD_PAIR_FORMS = ("you can see {o} {r} {p}",)
HELD_ORDER_FORMS = ("{d} and afterwards {e}",)
HELD_DENIED_FORMS = {"colour": ("everything except {c}",), "shape": ("everything except a {s}",),
                     "both": ("a {s} which is not {c}",)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wording:
    """Which sentence forms may be used, and how often a synonym replaces the plain word."""

    held: bool = False
    synonyms: float = 0.35


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def _pick(words: tuple[str, ...], rng: random.Random, synonyms: float) -> str:
    return rng.choice(words) if rng.random() < synonyms else words[0]


def _forms(known: tuple[str, ...], held: tuple[str, ...], rng: random.Random, wording: Wording, plain: float = 0.35) -> str:
    """A form: in training often the plainest, in a check of unseen words only ones that are kept apart."""
    if wording.held:
        return rng.choice(held)
    return known[0] if rng.random() < plain else rng.choice(known)


def _motion(scene: Scene, rng: random.Random, wording: Wording) -> dict[str, str]:
    """Verb in three forms and direction; with a second direction behind the first."""
    motion, number = str(scene.motion), rng.randrange(len(VERBS)) if rng.random() < 2 * wording.synonyms else 0
    chance = 1.0 if motion in ("appear", "disappear") else wording.synonyms / 2
    if SINGLE_VERBS.get(motion) and not scene.then and rng.random() < chance:
        verbs = SINGLE_VERBS[motion]
        ing, s, p = verbs[0] if rng.random() > 2 * wording.synonyms else rng.choice(verbs)
        return {"v": ing, "w": p if scene.count > 1 else s, "d": ""}
    d = _pick(DIRECTION_WORDS[motion], rng, wording.synonyms)
    if scene.then:
        e = _pick(DIRECTION_WORDS[scene.then], rng, wording.synonyms)
        d = _forms(ORDER_FORMS, HELD_ORDER_FORMS, rng, wording).format(d=d, e=e)
    return {"v": VERBS[number], "w": (VERBS_P if scene.count > 1 else VERBS_S)[number], "d": d}


def _tidy(text: str, rng: random.Random) -> str:
    text = " ".join(text.split()).replace(" .", ".").replace(" ,", ",").replace(" :", ":")
    for a in ("a orange", "a emerald", "a aqua"):
        text = text.replace(a, a.replace("a ", "an ", 1))
    return text[0].upper() + text[1:] if rng.random() < 0.25 else text


def _noun(colour: str, shape: str, size: str | None, count: int, rng: random.Random, wording: Wording) -> str:
    c, s = _pick(COLOUR_WORDS[colour], rng, wording.synonyms), _pick(SHAPE_WORDS[shape], rng, wording.synonyms)
    if count > 1:
        n = _pick(COUNT_WORDS[count], rng, wording.synonyms)
        return _forms(GROUP_FORMS, HELD_GROUP_FORMS, rng, wording).format(n=n, c=c, s=plural(s))
    form = _forms(OBJECT_FORMS, HELD_OBJECT_FORMS, rng, wording)
    if size:
        z = _pick(SIZE_WORDS[size], rng, wording.synonyms)
        if rng.random() < 0.15:
            return form.format(c=c, s=s) + f", {z}"
        form = form.replace("{c} {s}", f"{z} {{c}} {{s}}") if "{c} {s}" in form else form.replace("{s}", f"{z} {{s}}", 1)
    return form.format(c=c, s=s)


def caption(scene: Scene, rng: random.Random, wording: Wording, tells: Collection[str]) -> str:
    """A sentence with the colour, the shape and the count, and with size, place and motion where `tells` has them."""
    if scene.relation:
        return _tidy(_pair(scene, rng, wording), rng)
    o = _noun(scene.colour, scene.shape, scene.size if "size" in tells else None, scene.count, rng, wording)
    if scene.place and "place" in tells:
        o = f"{o} {_pick(PLACE_WORDS[scene.place], rng, wording.synonyms)}"
    if scene.motion is None or "motion" not in tells:
        return _tidy(_forms(STILL_FORMS, HELD_STILL_FORMS, rng, wording).format(o=o, b=rng.choice(BACKGROUND_WORDS)), rng)
    form = _forms(MOVING_FORMS, HELD_MOVING_FORMS, rng, wording, plain=0.25)
    return _tidy(form.format(o=o, **_motion(scene, rng, wording)), rng)


def _pair(scene: Scene, rng: random.Random, wording: Wording) -> str:
    o = _noun(scene.colour, scene.shape, None, 1, rng, wording)
    p = _noun(str(scene.other_colour), str(scene.other_shape), None, 1, rng, wording)
    relation = str(scene.relation)
    if not wording.held and rng.random() < 0.2:
        return rng.choice(SIDE_FORMS[relation]).format(o=o, p=p)
    if rng.random() < 0.35:
        o, p, relation = p, o, {"left": "right", "above": "below"}[relation]
    r = _pick(RELATION_WORDS[relation], rng, wording.synonyms)
    return _forms(PAIR_FORMS, HELD_PAIR_FORMS, rng, wording).format(o=o, p=p, r=r)


def partial(scene: Scene, facet: str, rng: random.Random, wording: Wording) -> str:
    """One fact of the scene alone."""
    words = {"c": _pick(COLOUR_WORDS[scene.colour], rng, wording.synonyms),
             "s": _pick(SHAPE_WORDS[scene.shape], rng, wording.synonyms),
             "n": _pick(COUNT_WORDS[scene.count], rng, wording.synonyms)}  # fmt: skip
    if facet == "count" and scene.count == 1:
        return _tidy(rng.choice(("one thing", "a single thing", "one shape", "just one")), rng)
    if scene.size:
        words["z"] = _pick(SIZE_WORDS[scene.size], rng, wording.synonyms)
    if scene.place:
        words["l"] = _pick(PLACE_WORDS[scene.place], rng, wording.synonyms)
    if scene.motion is not None:
        words |= _motion(scene, rng, wording)
    return _tidy(rng.choice(PARTIAL_FORMS[facet]).format(**words), rng)


def denial(scene: Scene, facet: str, rng: random.Random, wording: Wording) -> str:
    """What the scene's colour or shape is not to be ("colour", "shape"), or its shape in any colour but its own ("both")."""
    forms = (HELD_DENIED_FORMS if wording.held else DENIED_FORMS)[facet]
    c, s = _pick(COLOUR_WORDS[scene.colour], rng, wording.synonyms), _pick(SHAPE_WORDS[scene.shape], rng, wording.synonyms)
    return _tidy(rng.choice(forms).format(c=c, s=s), rng)
