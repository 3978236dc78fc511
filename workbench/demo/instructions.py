"""Says in dozens of composed ways which facets of a scene count; some ways are kept apart and never trained.
Knows nothing of scenes or labels."""

from __future__ import annotations

import random
from collections.abc import Sequence

DEFAULT = "Given a search query, retrieve relevant candidates that answer the query."  # the family's own: everything counts
EVERYTHING = "everything"

NOUNS = {
    "colour": ("colour", "color", "hue", "tint", "colours"),
    "shape": ("shape", "form", "outline", "figure", "kind of shape"),
    "size": ("size", "scale", "bigness", "dimensions"),
    "count": ("number", "count", "quantity", "number of things", "number of shapes"),
    "place": ("position", "place", "location", "spot"),
    "motion": ("direction", "motion", "movement", "direction of motion", "direction of movement"),
}
HELD_NOUNS = {"colour": ("shade of colour",), "shape": ("geometric shape",), "size": ("overall size",),
              "count": ("number of objects",), "place": ("whereabouts",), "motion": ("direction of travel",)}  # fmt: skip

# {n} the facet's noun, {m} and {k} nouns of other facets (which the sentence says to ignore)
ONE = (
    "Only the {n} matters.", "Only the {n} counts.", "Only {n} matters.", "Only {n} counts.", "Same {n}.", "The same {n}.",
    "Match the {n}.", "Match the {n} only.", "Match only the {n}.", "Match by {n}.", "Match on {n} alone.",
    "Judge by {n} alone.", "Judge the {n} only.", "Compare the {n}.", "Compare {n} only.", "Compare nothing but the {n}.",
    "Look at the {n} only.", "Look only at the {n}.", "Look for the same {n}.", "Nothing but the {n} matters.",
    "All that matters is the {n}.", "All that counts is {n}.", "What counts is the {n}.", "What matters is the {n}.",
    "The {n} decides.", "The {n} must match.", "The {n} must be the same.", "{n} only.", "{n}", "By {n}.", "Just the {n}.",
    "Just match the {n}.", "It is about the {n}.", "It depends on the {n} alone.", "This is only about the {n}.",
    "Ignore everything except the {n}.", "Ignore everything but the {n}.", "Ignore all but {n}.", "Forget all but the {n}.",
    "Find documents with the same {n}.", "Find documents with the same {n} as the query.", "Find the same {n}.",
    "Find things of the same {n}.", "Find what has the same {n}.", "Retrieve candidates with the same {n}.",
    "Retrieve documents that share the {n} of the query.", "Retrieve by {n}.", "Search by {n}.", "Rank by {n}.",
    "Rank by {n} only.", "Order by {n}.", "Given a search query, retrieve candidates of the same {n}.",
    "Given a query, find documents whose {n} matches.", "A document is relevant if its {n} matches the query.",
    "A document answers the query when it has the same {n}.", "Relevant means the same {n}.",
    "I only care about the {n}.", "I care about the {n}.", "I want the same {n}.", "Please match the {n}.",
    "I am looking for the same {n}.", "I need the same {n}.", "Give me the same {n}.", "We only need the {n} to match.",
    "Pay attention to the {n} only.", "Focus on the {n}.", "Use the {n} as the only criterion.", "Go by the {n}.",
    "Is it the same {n}?", "Does the {n} agree?", "The {n} should agree with the query.", "Which ones have the same {n}?",
    "Pictures of the same {n}.", "Anything of the same {n} will do.", "Everything with the same {n} is relevant.",
    "Only the {n} is important.", "The {n} is what matters.", "The {n} alone decides.", "{n} is all that counts.",
)  # fmt: skip
# What people write when they name a facet to ignore it, in either order: drawn more often than its share.
TWO = (
    "Only the {n} counts, ignore the {m}.", "Only {n} counts, ignore {m}.", "Only the {n} matters, not the {m}.",
    "Only the {n} matters, not the {m} or the {k}.", "Match the {n}, ignore the {m}.", "Match the {n} and ignore the {m}.",
    "Same {n}, any {m}.", "The same {n}, any {m}.", "Find the same {n}, any {m}.", "Same {n} but any {m}.", "{n}, not {m}.",
    "The {n} must match, the {m} may differ.", "The {n} matters, not the {m}.", "Only {n}, not {m} or {k}.",
    "Look at the {n}, not at the {m}.", "Compare the {n}, whatever the {m}.", "Any {m}, same {n}.", "Any {m}, but the same {n}.",
    "Ignore {m}, match {n}.", "Ignore the {m} and the {k}, only the {n} matters.", "Never mind the {m}, compare the {n}.",
    "Ignore the {m}, match the {n}.", "Ignore the {m}; only the {n} counts.", "Ignore {m} and {k}, compare the {n}.",
    "The {m} does not matter, the {n} does.", "The {n} matters, the {m} does not.", "The {n}, not the {m}.",
    "Forget the {m}. Match the {n}.", "Any {m} will do, but the {n} must match.", "Whatever the {m}, match the {n}.",
    "I do not care about the {m}, just the {n}.", "I don't care about the {m}, only the {n}.",
    "I care about the {n}, not the {m}.",
    "The {m} is not important, the {n} is.", "The {m} can differ, the {n} cannot.", "Not the {m}, the {n}.",
    "Same {n}; {m} and {k} do not matter.", "The {n} regardless of the {m}.", "Match {n} regardless of {m} and {k}.",
)  # fmt: skip
BOTH = (
    "The {n} and the {m} must both match.", "Both {n} and {m} must match.", "Match {n} and {m}.", "Match the {n} and the {m}.",
    "Same {n} and same {m}.", "The same {n} and {m}.", "Same {n} and {m}.", "{n} and {m} both count.", "{n} and {m}.",
    "Only the {n} and the {m} matter.", "Find the same {n} and the same {m}.", "Compare {n} and {m}.",
    "Rank by {n} and {m}.", "I care about the {n} and the {m}.", "{n} and {m} count, the {k} does not.",
)  # fmt: skip
ALL = (
    DEFAULT, "Match every detail.", "Match all details.", "Match everything.", "Everything must match.", "Everything counts.",
    "Everything matters.", "Every detail matters.", "Every detail counts.", "Every detail must match.", "All details count.",
    "All details must agree.", "All of it must match.", "Exact matches only.", "Exact match.", "Only exact matches count.",
    "Find exact matches.", "Find exactly what the query says.", "Find exactly this.", "Retrieve exact matches.",
    "Match the whole query.", "The whole query must be answered.", "The whole description must match.",
    "Find documents that match the query in full.", "Find documents that match the query completely.",
    "Nothing may differ.", "No detail may differ.", "Retrieve documents that answer the query.", "Retrieve relevant candidates.",
    "Given a search query, retrieve relevant documents that answer the query.", "Find what the query asks for.",
    "A document is relevant if every detail matches the query.", "Relevant means the same in every detail.",
    "Judge by everything.", "Judge all details.", "Compare everything.", "Look at every detail.", "Rank by the whole query.",
    "I care about every detail.", "I want exactly this.", "Please match every detail.", "Do not ignore anything.",
    "Given a web search query, retrieve relevant passages that answer the query", "Does the document answer the query?",
    "Find documents that answer the query.", "Which documents match the query?", "Match it all.", "It must all match.",
    "Given a query, find the documents that match it.", "Show what the query asks for.", "Answer the query.",
)  # fmt: skip

# The same in many more words: {d} one of the words for what a thing is made of, {v} a way of asking, {w} how much of it.
DETAIL = ("detail", "aspect", "feature", "property", "attribute", "part", "facet", "thing")
DETAILS = tuple(word[:-1] + "ies" if word.endswith("y") else word + "s" for word in DETAIL)
EVERY = (
    "Every {d} must match.", "Every {d} has to be right.", "Every {d} counts.", "Every {d} matters.", "Each {d} matters.",
    "Each {d} must be the same.", "Each and every {d} must agree.", "Each {d} is to match.", "Every {d} decides.", "Every {d}.",
    "No {d} may differ.", "Not one {d} may differ.", "Do not leave out any {d}.", "Match each {d}.", "Compare every {d}.",
    "Every single {d} must be right.", "Check every {d}.", "Look at each {d} of the query.", "Judge by every {d}.",
    "It must agree in every {d}.", "The document must match in every {d}.", "A candidate must have each {d} right.",
)  # fmt: skip
EACH = (
    "All {d} must match.", "All {d} have to match.", "All {d} count.", "All {d} matter.", "All the {d} must agree.",
    "All {d} have to be the same.", "Match all {d}.", "Match all of the {d}.", "Compare all {d}.", "Check all {d}.",
    "Consider all {d}.", "Judge by all {d} together.", "All {d} together decide.", "The same in all {d}.",
    "Same {d}, all of them.", "It has to be the same in all {d}.", "The document must agree in all {d}.",
    "Find documents that agree in all {d}.",
)  # fmt: skip
ASKS = ("Find", "Find me", "Show", "Show me", "Retrieve", "Give me", "I want", "I need", "Look for", "Search for", "Match",
        "Rank by")  # fmt: skip
WHOLE = ("everything", "all", "all that", "the whole of what", "just what", "precisely what", "exactly what", "what",
         "every thing")  # fmt: skip
SUMS = ("Everything", "All", "All that", "The whole of what", "What")
SAYS = ("the query says", "the query asks for", "the query names", "the query mentions", "the query tells", "the query describes",
        "is in the query", "is described", "is asked for", "I describe", "I ask for")  # fmt: skip
MUST = ("must match", "has to match", "must be right", "counts", "matters", "must agree", "decides", "must be the same",
        "is needed")  # fmt: skip

# Never used in training.
HELD_ONE = (
    "Nothing matters except the {n}.", "The only thing that counts is the {n}.", "Show me documents of the same {n}.",
    "Consider the {n} and nothing else.", "Disregard the {m}; compare the {n}.", "It is the {n} that counts.",
)  # fmt: skip
HELD_ALL = (
    "Each detail has to match.", "Every single detail counts.", "Consider everything the query says.",
    "It must match in all details.", "Show me exactly what the query describes.",
)  # fmt: skip


def instruction(facets: Sequence[str], rng: random.Random, *, held: bool = False) -> str:
    """One way to say that these one or two facets count, or everything. `held`: only ways that training never saw."""
    if EVERYTHING in facets:
        if not held and rng.random() < 0.15:
            return DEFAULT
        return _vary(rng.choice(HELD_ALL) if held else _all(rng), rng)
    others = [f for f in NOUNS if f not in facets]
    if len(facets) == 2:
        named, form = [*rng.sample(list(facets), 2), rng.choice(others)], rng.choice(BOTH)
    else:
        named = [facets[0], *rng.sample(others, 2)]
        form = rng.choice(HELD_ONE if held else TWO if rng.random() < 0.35 else ONE)
    own = HELD_NOUNS[named[0]] if held and len(facets) == 1 and rng.random() < 0.25 else NOUNS[named[0]]
    n = own[0] if rng.random() < 0.4 else rng.choice(own)
    m, k = (rng.choice(NOUNS[other]) for other in named[1:])
    return _vary(form.format(n=n, m=m, k=k), rng)


def _all(rng: random.Random) -> str:
    """A way to say that everything counts, from the list or composed; never one of those kept apart."""
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(ALL)
    if roll < 0.6:
        made = rng.choice(EVERY).format(d=rng.choice(DETAIL))
    elif roll < 0.75:
        made = rng.choice(EACH).format(d=rng.choice(DETAILS))
    elif roll < 0.9:
        made = f"{rng.choice(ASKS)} {rng.choice(WHOLE)} {rng.choice(SAYS)}."
    else:
        made = f"{rng.choice(SUMS)} {rng.choice(SAYS)} {rng.choice(MUST)}."
    return rng.choice(ALL) if made in HELD_ALL else made


def _vary(text: str, rng: random.Random) -> str:
    if text == DEFAULT:
        return text
    text = text[0].upper() + text[1:]
    roll = rng.random()
    if roll < 0.12:
        return text.rstrip(".")
    return text.lower() if roll < 0.2 else text
