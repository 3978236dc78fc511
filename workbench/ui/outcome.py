"""What a session keeps of its last run and of the eight before it: small values, without prompts and pictures.

Knows nothing of Gradio or HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.noise import Floor
from workbench.types import Document, Ranking, Score, ScoreResult
from workbench.ui.desk import Asked
from workbench.ui.figures import shorten
from workbench.ui.ranking_view import Run
from workbench.ui.rows import Item
from workbench.ui.verdict_view import same_prompt

MOST = 8  # runs on the strip
TYPING = 3.0  # seconds: a run that follows the one before sooner is the same thought, and takes its place


@dataclass(frozen=True)
class Outcome:
    """The last run of a session. `names`: ids of the rows it scored, in their order; `template`, `instruction`: of B;
    `about`: a print of the query and the documents."""

    run: Run
    names: tuple[str, ...]
    prints: Mapping[str, str]
    template: str
    instruction: str
    about: str = ""

    def with_grades(self, items: Sequence[Item], picture: Callable[[Item], str] | None = None) -> Run:
        """The run with the grades and labels that the rows have now; a row that is gone has no grade. `picture` draws what was
        not kept."""
        now = {item["id"]: item for item in items}
        faces = []
        for name, face in zip(self.names, self.run.faces, strict=True):
            item = now.get(name)
            drawn = picture(item) if picture and item else face.picture
            label = shorten(item["label"]) if item and item["label"] else face.label
            faces.append(replace(face, label=label, grade=item["grade"] if item else None, picture=drawn))
        return replace(self.run, faces=faces)

    def quieter(self, floor: Floor) -> Outcome:
        """The same under another noise floor."""
        return replace(self, run=replace(self.run, floor=floor))


def kept(run: Run, asked: Asked) -> Outcome:
    """What stays of a run once it is drawn."""
    b = asked.variants["b"]
    small = replace(
        run, a=_light(run.a), b=_light(run.b), faces=[replace(face, picture="") for face in run.faces], same=same_prompt(run)
    )  # fmt: skip
    names = tuple(str(item["id"]) for item in asked.items)
    about = repr((asked.query.content, [(i["id"], i["parts"]) for i in asked.items])).encode()
    return Outcome(
        small, names, dict(asked.prints), b.template.body if b.template else "", b.instruction or "",
        hashlib.blake2b(about, digest_size=16).hexdigest(),
    )  # fmt: skip


def _light(ranking: Ranking | None) -> Ranking | None:
    if ranking is None:
        return None
    bare = replace(ranking.variant, template=None, variables={})
    ranked, failed = (tuple(map(_bare, rows)) for rows in (ranking.ranked, ranking.failed))
    return replace(ranking, variant=bare, query=replace(ranking.query, content=()), ranked=ranked, failed=failed)


def _bare(result: ScoreResult) -> ScoreResult:
    score = result.score and Score(result.score.logit, result.score.value, cached=result.score.cached)
    return replace(result, document=Document(result.document.id, ()), encoding=None, score=score)


# ---------------------------------------------------------------- the runs before
# key: prints of A and B; about: what was asked; template, instruction: of B; order: ids down B; moved, of; at, ended: seconds
Tile = dict[str, Any]


def tile_of(outcome: Outcome, at: float, ended: float) -> Tile | None:
    """A run as a plain value; None for one that ranked nothing on B or was stopped. `at`: wall clock, `ended`: steady clock."""
    run = outcome.run
    if run.b is None or run.b.partial or not run.b.ranked:
        return None
    both = [m for m in run.moves if m.rank_a and m.rank_b]
    return {
        "key": key_of(outcome), "about": outcome.about, "template": outcome.template, "instruction": outcome.instruction,
        "order": [r.document.id for r in run.b.ranked], "moved": sum(m.moved for m in both), "of": len(both),
        "at": at, "ended": ended,
    }  # fmt: skip


def key_of(outcome: Outcome) -> list[str]:
    return [outcome.prints["a"], outcome.prints["b"]]


def with_tile(tiles: Sequence[Tile], tile: Tile | None) -> list[Tile]:
    """The strip after a run: one that was there before stays in its place, one typed on from the last takes its place."""
    if tile is None:
        return list(tiles)
    if any(old["key"] == tile["key"] for old in tiles):
        return [tile if old["key"] == tile["key"] else old for old in tiles]
    typed_on = tiles and tiles[-1]["key"][0] == tile["key"][0] and tile["ended"] - tiles[-1]["ended"] < TYPING
    return [*(tiles[:-1] if typed_on else tiles), tile][-MOST:]
