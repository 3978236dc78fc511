"""Says which words the demo world is told in, so that a page can tell a question from outside it.
Knows nothing of models, pixels or screens."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from workbench.demo.captions import Wording
from workbench.demo.questions import Mix, question

SAW = ("one to three coloured shapes, or two different ones, on a plain background: still, moving, appearing or disappearing; "
       "and short English sentences about them")  # fmt: skip


def words(count: int = 30_000) -> list[str]:
    """Every word of instructions, queries and captions, known and kept apart, in lower case."""
    rng, found = random.Random("words"), set[str]()
    for number in range(count):
        held = number % 4 == 0
        asked = question(rng, Mix(held=held, wording=Wording(held=held, synonyms=0.6)), 4)
        for text in (asked.instruction, asked.query.text, *(d.text for d in asked.documents)):
            found |= set(re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower()))
    return sorted(found)


def write(folder: Path) -> None:
    (folder / "world.json").write_text(json.dumps({"saw": SAW, "words": words()}, indent=1) + "\n")
