"""Says a scene in words: synonyms and sentence forms, some of them kept apart so that a check can use what training never saw.
Knows nothing of pixels or instructions."""

from __future__ import annotations

import random
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
SIZE_WORDS = {"small": ("small", "little", "tiny"), "middling": (), "large": ("large", "big", "huge")}

# {d} is a direction phrase; every caption form with motion comes in a reading that follows a noun phrase {o}.
DIRECTION_WORDS = {
    "left": ("left", "to the left", "leftwards"), "right": ("right", "to the right", "rightwards"),
    "up": ("up", "upwards"), "down": ("down", "downwards"),
}  # fmt: skip
VERBS = ("moving", "going", "drifting", "sliding", "gliding", "heading", "travelling")
VERBS_S = ("moves", "goes", "drifts", "slides", "glides", "heads", "travels")
SINGLE_VERBS = {"up": ("rising", "climbing"), "down": ("falling", "sinking", "dropping"), "left": (), "right": ()}

OBJECT_FORMS = ("a {c} {s}", "{c} {s}", "the {c} {s}", "one {c} {s}", "a {s} in {c}", "a {s}, {c}", "a {s} that is {c}")
STILL_FORMS = ("{o}", "{o}.", "a picture of {o}", "an image of {o}", "there is {o}", "this shows {o}", "we see {o}",
               "{o} on a {b} background", "{o} in the middle", "a drawing of {o}")  # fmt: skip
MOVING_FORMS = ("{o} {v} {d}", "{o} {v} {d}.", "{o} that {w} {d}", "{o} {w} {d}", "a clip of {o} {v} {d}",
                "{v} {d}: {o}", "there is {o} {v} {d}", "a video in which {o} {w} {d}")  # fmt: skip
PARTIAL_FORMS = {
    "colour": ("something {c}", "anything {c}", "{c}", "a {c} thing", "a {c} shape", "things that are {c}"),
    "shape": ("a {s}", "any {s}", "{s}", "some {s}", "the {s}", "a {s} of any colour"),
    "motion": ("something {v} {d}", "anything {v} {d}", "{v} {d}", "a thing that {w} {d}", "what {w} {d}"),
}
BACKGROUND_WORDS = ("plain", "white", "dark", "grey")

# Never used in training; `check` uses nothing else.
HELD_STILL_FORMS = ("a photo of {o}", "{o} can be seen", "you can see {o} here")
HELD_MOVING_FORMS = ("footage of {o} {v} {d}", "{o} which {w} {d}", "you can see {o} {v} {d}")
HELD_OBJECT_FORMS = ("a {s} coloured {c}", "some {c} {s}")


@dataclass(frozen=True, slots=True)
class Wording:
    """Which sentence forms may be used, and how often a synonym replaces the plain word."""

    held: bool = False
    synonyms: float = 0.35
    size: float = 0.12


def _pick(words: tuple[str, ...], rng: random.Random, synonyms: float) -> str:
    return rng.choice(words) if rng.random() < synonyms else words[0]


def _direction(motion: str, rng: random.Random, wording: Wording) -> dict[str, str]:
    if SINGLE_VERBS[motion] and rng.random() < wording.synonyms / 2:
        verb = rng.choice(SINGLE_VERBS[motion])
        return {"v": verb, "w": {"dropping": "drops"}.get(verb, verb.removesuffix("ing") + "s"), "d": ""}
    number = rng.randrange(len(VERBS)) if rng.random() < 2 * wording.synonyms else 0
    words = DIRECTION_WORDS[motion]
    return {"v": VERBS[number], "w": VERBS_S[number], "d": rng.choice(words)}


def _tidy(text: str, rng: random.Random) -> str:
    text = " ".join(text.split()).replace(" :", ":").replace(" .", ".")
    for vowel in "aeiou":
        text = text.replace(f" a {vowel}", f" an {vowel}")
    text = "an" + text[1:] if text[:2] == "a " and text[2:3] in "aeiou" else text
    return text[0].upper() + text[1:] if rng.random() < 0.12 else text


def thing(scene: Scene, rng: random.Random, wording: Wording) -> str:
    """A noun phrase: colour and shape, now and then the size."""
    forms = OBJECT_FORMS + HELD_OBJECT_FORMS if wording.held else OBJECT_FORMS
    form = forms[0] if rng.random() < 0.35 else rng.choice(forms)
    colour = _pick(COLOUR_WORDS[scene.colour], rng, wording.synonyms)
    shape = _pick(SHAPE_WORDS[scene.shape], rng, wording.synonyms)
    if SIZE_WORDS[scene.size] and rng.random() < wording.size:
        size = rng.choice(SIZE_WORDS[scene.size])
        form = form.replace("{c} {s}", f"{size} {{c}} {{s}}") if "{c} {s}" in form else form.replace("{s}", f"{size} {{s}}")
    return form.format(c=colour, s=shape)


def caption(scene: Scene, rng: random.Random, wording: Wording) -> str:
    """Everything about the scene in a sentence: colour, shape and, where it moves, the direction."""
    o = thing(scene, rng, wording)
    if scene.motion is None:
        form = rng.choice(HELD_STILL_FORMS if wording.held else STILL_FORMS)
        form = STILL_FORMS[0] if rng.random() < 0.35 and not wording.held else form
        return _tidy(form.format(o=o, b=rng.choice(BACKGROUND_WORDS)), rng)
    form = rng.choice(HELD_MOVING_FORMS if wording.held else MOVING_FORMS)
    form = MOVING_FORMS[0] if rng.random() < 0.25 and not wording.held else form
    return _tidy(form.format(o=o, **_direction(scene.motion, rng, wording)), rng)


def partial(scene: Scene, facet: str, rng: random.Random, wording: Wording) -> str:
    """One fact of the scene alone: its colour, its shape or its motion."""
    words: dict[str, str] = {
        "c": _pick(COLOUR_WORDS[scene.colour], rng, wording.synonyms),
        "s": _pick(SHAPE_WORDS[scene.shape], rng, wording.synonyms),
    }
    if scene.motion is not None:
        words |= _direction(scene.motion, rng, wording)
    return _tidy(rng.choice(PARTIAL_FORMS[facet]).format(**words), rng)
