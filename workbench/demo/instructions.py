"""Says in dozens of composed ways which facet of a scene counts; some ways are kept apart and never trained.
Knows nothing of scenes or labels."""

from __future__ import annotations

import random

DEFAULT = "Given a search query, retrieve relevant candidates that answer the query."  # the family's own: everything counts
FACETS = ("everything", "colour", "shape", "motion")

NOUNS = {
    "colour": ("colour", "color", "hue", "tint", "colours"),
    "shape": ("shape", "form", "outline", "figure", "kind of shape"),
    "motion": ("direction", "motion", "movement", "direction of motion", "direction of movement"),
}
HELD_NOUNS = {"colour": ("shade of colour",), "shape": ("geometric shape",), "motion": ("direction of travel",)}

# {n} the facet's noun, {m} and {k} nouns of the other facets (which the sentence says to ignore)
ONE = (
    "Only the {n} matters.", "Only the {n} counts.", "Only {n} matters.", "Only {n} counts.", "Same {n}.", "The same {n}.",
    "Match the {n}.", "Match the {n} only.", "Match only the {n}.", "Match by {n}.", "Match on {n} alone.",
    "Judge by {n} alone.", "Judge the {n} only.", "Compare the {n}.", "Compare {n} only.", "Compare nothing but the {n}.",
    "Look at the {n} only.", "Look only at the {n}.", "Look for the same {n}.", "Nothing but the {n} matters.",
    "All that matters is the {n}.", "All that counts is {n}.", "What counts is the {n}.", "What matters is the {n}.",
    "The {n} decides.", "The {n} must match.", "The {n} must be the same.", "{n} only.", "{n}", "By {n}.",
    "Ignore everything except the {n}.", "Ignore everything but the {n}.", "Ignore all but {n}.",
    "Ignore the {m}, match the {n}.", "Ignore the {m}; only the {n} counts.", "Ignore {m} and {k}, compare the {n}.",
    "The {m} does not matter, the {n} does.", "The {n} matters, the {m} does not.", "The {n}, not the {m}.",
    "Forget the {m}. Match the {n}.", "Any {m} will do, but the {n} must match.", "Whatever the {m}, match the {n}.",
    "Find documents with the same {n}.", "Find documents with the same {n} as the query.",
    "Find things of the same {n}.", "Find what has the same {n}.", "Retrieve candidates with the same {n}.",
    "Retrieve documents that share the {n} of the query.", "Retrieve by {n}.", "Search by {n}.", "Rank by {n}.",
    "Rank by {n} only.", "Given a search query, retrieve candidates of the same {n}.",
    "Given a query, find documents whose {n} matches.", "A document is relevant if its {n} matches the query.",
    "A document answers the query when it has the same {n}.", "Relevant means the same {n}.",
    "I only care about the {n}.", "I care about the {n}.", "I want the same {n}.", "Please match the {n}.",
    "Pay attention to the {n} only.", "Focus on the {n}.", "Use the {n} as the only criterion.",
    "Is it the same {n}?", "Does the {n} agree?", "The {n} should agree with the query.",
)  # fmt: skip
# What people write when they name a facet to ignore it, in either order: drawn more often than its share.
TWO = (
    "Only the {n} counts, ignore the {m}.", "Only {n} counts, ignore {m}.", "Only the {n} matters, not the {m}.",
    "Only the {n} matters, not the {m} or the {k}.", "Match the {n}, ignore the {m}.", "Match the {n} and ignore the {m}.",
    "Same {n}, any {m}.", "The same {n}, any {m}.", "Find the same {n}, any {m}.", "Same {n} but any {m}.", "{n}, not {m}.",
    "The {n} must match, the {m} may differ.", "The {n} matters, not the {m}.", "Only {n}, not {m} or {k}.",
    "Look at the {n}, not at the {m}.", "Compare the {n}, whatever the {m}.", "Any {m}, same {n}.", "Any {m}, but the same {n}.",
    "Ignore {m}, match {n}.", "Ignore the {m} and the {k}, only the {n} matters.", "Never mind the {m}, compare the {n}.",
)  # fmt: skip
ALL = (
    DEFAULT, "Match every detail.", "Match all details.", "Match everything.", "Everything must match.", "Everything counts.",
    "Everything matters.", "Every detail matters.", "Every detail counts.", "Every detail must match.", "All details count.",
    "All details must agree.", "All of it must match.", "Exact matches only.", "Exact match.", "Only exact matches count.",
    "Find exact matches.", "Find exactly what the query says.", "Find exactly this.", "Retrieve exact matches.",
    "Match the whole query.", "The whole query must be answered.", "The whole description must match.",
    "Find documents that match the query in full.", "Find documents that match the query completely.",
    "The {n} and the {m} must both match.", "Both {n} and {m} must match.", "Match {n} and {m} alike.",
    "Match {n}, {m} and {k}.", "The {n}, the {m} and the {k} must match.", "{n}, {m} and {k} all count.",
    "Same {n} and same {m}.", "The same {n} and {m}.", "Do not ignore the {n} or the {m}.", "Nothing may differ.",
    "No detail may differ.", "Retrieve documents that answer the query.", "Retrieve relevant candidates.",
    "Given a search query, retrieve relevant documents that answer the query.", "Find what the query asks for.",
    "A document is relevant if every detail matches the query.", "Relevant means the same in every detail.",
    "Judge by everything.", "Judge all details.", "Compare everything.", "Look at every detail.", "Rank by the whole query.",
    "I care about every detail.", "I want exactly this.", "Please match every detail.",
    "Given a web search query, retrieve relevant passages that answer the query",
)  # fmt: skip

# Never used in training.
HELD_ONE = (
    "Nothing matters except the {n}.", "The only thing that counts is the {n}.", "Show me documents of the same {n}.",
    "Consider the {n} and nothing else.", "Disregard the {m}; compare the {n}.", "It is the {n} that counts.",
)  # fmt: skip
HELD_ALL = (
    "Each detail has to match.", "Every single detail counts.", "Consider everything the query says.",
    "It must match in all details.", "Show me exactly what the query describes.",
)  # fmt: skip


def instruction(facet: str, rng: random.Random, *, held: bool = False, moving: bool = False) -> str:
    """One way to say that `facet` counts. `held`: only ways that training never saw; `moving`: the query states a motion."""
    if facet == "everything":
        if not held and rng.random() < 0.15:
            return DEFAULT
        form = rng.choice(HELD_ALL if held else ALL)
        if moving and "{n}" in form and "{k}" not in form:  # two facets named would leave the third open
            form = "Match {n}, {m} and {k}."
        nouns = [*rng.sample(["colour", "shape"], 2), "motion"]
    else:
        form = rng.choice(HELD_ONE if held else TWO if rng.random() < 0.3 else ONE)
        nouns = [facet, *rng.sample([f for f in NOUNS if f != facet], 2)]
    own = HELD_NOUNS[nouns[0]] if held and rng.random() < 0.25 else NOUNS[nouns[0]]
    n = own[0] if rng.random() < 0.4 else rng.choice(own)
    m, k = (rng.choice(NOUNS[other]) for other in nouns[1:])
    return _vary(form.format(n=n, m=m, k=k), rng)


def _vary(text: str, rng: random.Random) -> str:
    if text == DEFAULT:
        return text
    text = text[0].upper() + text[1:]
    roll = rng.random()
    if roll < 0.12:
        return text.rstrip(".")
    return text.lower() if roll < 0.2 else text
