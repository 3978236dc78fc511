"""The handlers that say when a small model is asked about what it never saw, and that open a real one in its place.

Knows nothing of layout or of how foreign content is told; only models whose folder holds a `world.json` have a world.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from workbench.errors import WorkbenchError
from workbench.types import Document, Text
from workbench.ui import desk
from workbench.ui.desk import Asked
from workbench.ui.figures import sentence
from workbench.ui.loop import Loop
from workbench.ui.ranking_view import SIDES
from workbench.ui.rows import face_of
from workbench.ui.world_view import OFFERS, Foreign, Offer, foreign_html
from workbench.world import Judge, World, read_world, unknown_words


@dataclass
class Border:
    """Handlers over one bench; what was judged once is remembered by its digest."""

    loop: Loop
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.judge = Judge(self.loop.bench.library)

    def on_judge(self, *values: Any) -> str:
        """The notice beside the scores of what the fields hold: "" where everything lies inside the model's world."""
        bench = self.loop.bench
        try:
            folder = bench.pool.folder(values[0])
            world = None if folder is None else read_world(folder)
            if world is None or folder is None:
                return ""
            asked = desk.read(bench, *values)
        except WorkbenchError as error:
            return f'<p class="error" data-say="alert">{sentence(error)}</p>'
        return foreign_html(folder.name, world.saw, self.foreign(world, asked), self.offers(asked))

    def foreign(self, world: World, asked: Asked) -> Foreign:
        """What of a question lies outside. A row that cannot be read says so itself."""
        strange = self.judge.foreign
        rows = [i for i, r in enumerate(asked.rows) if isinstance(r, Document) and strange(world, r.content)]
        query = strange(world, asked.query.content)
        told = {side: asked.variants[side].instruction or "" for side in SIDES}
        told = {side: text for side, text in told.items() if strange(world, [Text(text)])}
        asking = [*(p.text for p in asked.query.content if query and isinstance(p, Text)), *told.values()]
        return Foreign(
            query=query,
            sides=tuple(told),
            words=tuple(dict.fromkeys(word for text in asking for word in unknown_words(world, text))),
            documents=tuple((asked.items[i]["id"], face_of(asked.items[i], desk.no_thumb).label) for i in rows),
        )

    def offers(self, asked: Asked) -> list[Offer]:
        """The real models that can read the question, of those that this page offers."""
        contents = [asked.query.content, *(r.content for r in asked.rows if isinstance(r, Document))]
        media = any(not isinstance(part, Text) for content in contents for part in content)
        there = self.loop.bench.pool.offered()
        return [offer for offer in OFFERS if offer.name in there and (offer.media or not media)][:2]

    def on_offer(
        self, event: gr.EventData, current: str, template_a: str, template_b: str
    ) -> Iterator[tuple[Any, ...]]:
        """A click on an offered model: as if its name had been chosen from the menu. Outputs as `Loop.on_model`."""
        name = (event._data or {}).get("model")
        if name not in [offer.name for offer in OFFERS]:
            yield tuple(gr.skip() for _ in range(9))
            return
        yield gr.skip(), gr.update(value=name), *(gr.skip() for _ in range(7))
        yield from self.loop.on_model(name, current, template_a, template_b)
