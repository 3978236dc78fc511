"""Where two encodings of one pair part: the first token that differs, or what the model is given beside tokens.

Knows nothing of how either was made, or of which is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from workbench.types import Encoding


@dataclass(frozen=True, slots=True)
class Parting:
    """`at`: position of the first token that differs; `here` and `there` are the ids, None behind the end of one."""

    at: int
    here: int | None
    there: int | None


def parting(here: Encoding, there: Encoding) -> Parting | None:
    """None where the ids are equal."""
    pairs = enumerate(zip_longest(here.token_ids, there.token_ids))
    return next((Parting(at, a, b) for at, (a, b) in pairs if a != b), None)


def same_pixels(here: Encoding, there: Encoding) -> bool:
    """Whether pictures and clips are resized and sampled alike: equal ids do not tell."""
    seen = [[(m.part.digest, m.width, m.height, m.grid, m.frames) for m in e.media] for e in (here, there)]
    return seen[0] == seen[1]
