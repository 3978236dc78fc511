"""Which models are awake, what they are prompted with, and the bench that every door is given.

Knows nothing of doors. One large model holds weights at a time: the one before it lets go first.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench import scorers
from workbench.errors import ModelUnavailable, WorkbenchError
from workbench.media import Library
from workbench.ranking import encode_rows, rerank
from workbench.scorers import Scorer, Stop, never
from workbench.template import Renderer, read_families, template_of
from workbench.types import (
    JSON,
    Document,
    Encoding,
    Family,
    Parity,
    Query,
    Row,
    Score,
    ScoreResult,
    ScoreTemplate,
    Text,
    Variant,
)
from workbench.worker import Worker

KEPT_OPEN = 4  # tokenizers and configs in memory
SMALL = 200_000_000  # parameters that may stay beside another model
LEXICAL = "word-overlap"  # a model name that needs no checkpoint
RENDER_SECONDS, DECODE_SECONDS = 1.0, 20.0


@dataclass
class Pool:
    """Models by name. `offered_only`: refuse any that is not on the menu (a hosted page), and never read folders."""

    families: Mapping[str, Family]
    library: Library
    shipped: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    offered_only: bool = False
    endpoints: tuple[str, ...] = ()  # servers of one model, named by the first; the key is sent to these alone
    endpoint_key: str = ""
    overrides: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)  # by model: config entries, and `family`
    _open: OrderedDict[str, Scorer] = field(default_factory=OrderedDict)
    _templates: dict[str, ScoreTemplate] = field(default_factory=dict)
    _opening: threading.Lock = field(default_factory=threading.Lock)

    def offered(self) -> tuple[str, ...]:
        """The model menu: servers and the shipped one first, then those the family files name, then the one without weights."""
        shipped = (self.shipped.name,) if self.shipped else ()
        named = (m for f in self.families.values() if not f.remote for m in f.models)
        return (*self.endpoints[:1], *shipped, *named, LEXICAL)

    def folder(self, model: str) -> Path | None:
        """The folder that a model's name stands for: the shipped one, or a path where folders may be read."""
        name = model.strip()
        if self.shipped is not None and name == self.shipped.name:
            return self.shipped
        path = Path(name)
        return path if name and not self.offered_only and path.is_dir() else None

    def get(self, model: str, report: Callable[[str], None] = lambda _: None) -> Scorer:
        """The scorer of a model, opened if need be: its tokenizer and configs, not its weights.

        Raises ModelUnavailable. `report` gets a sentence whenever a download moves; models that are open already are not
        kept waiting by it.
        """
        name = model.strip()
        if (scorer := self._open.get(name)) is not None:
            with contextlib.suppress(KeyError):  # another thread may have let it go
                self._open.move_to_end(name)
            return scorer
        with self._opening:
            if name not in self._open:
                scorer = self._load(name, report)
                while len(self._open) >= KEPT_OPEN:
                    self._open.popitem(last=False)
                self._open[name] = scorer
            return self._open[name]

    def wake(self, model: str) -> Scorer:
        """As `get`, for scoring: large models other than this one give their weights back first."""
        scorer = self.get(model)
        for other in list(self._open.values()):
            if other is not scorer and other.facts().parameters > SMALL:
                other.sleep()
        return scorer

    def template(self, model: str) -> ScoreTemplate:
        """The template used when none is given: declared by the checkpoint, else its family's."""
        scorer = self.get(model)
        return self._templates.get(model.strip(), scorer.family.template)

    def _load(self, name: str, report: Callable[[str], None]) -> Scorer:
        from workbench.scorers._checkpoint import open_checkpoint

        if not name:
            raise ModelUnavailable("no model is named", hint=f"Choose one of: {', '.join(self.offered())}.")
        if self.offered_only and name not in self.offered():
            raise ModelUnavailable(
                "is not offered on this page", where=name, hint=f"Choose one of: {', '.join(self.offered())}."
            )
        overrides = dict(self.overrides.get(name, {}))
        if overrides and (name == LEXICAL or is_address(name)):
            raise ModelUnavailable("has no config here that could be overridden", where=name)
        if name == LEXICAL:
            return _lexical(self.families)
        if is_address(name):
            return self._remote(name)
        shipped = self.shipped is not None and name == self.shipped.name
        path = str(self.shipped) if shipped else name
        checkpoint = open_checkpoint(
            path, self.families, folders=shipped or not self.offered_only, report=report,
            family=str(overrides.pop("family", "")),
        )  # fmt: skip
        checkpoint = replace(checkpoint, name=name)
        if checkpoint.declared_template is not None:
            self._templates[name] = template_of(checkpoint.declared_template, checkpoint.family)
        return scorers.load(checkpoint, self.library, device=self.device, dtype=self.dtype, overrides=overrides)

    def _remote(self, name: str) -> Scorer:
        from workbench.scorers.vllm import open_remote

        ours = name in self.endpoints[:1]
        urls, key = (self.endpoints, self.endpoint_key) if ours else ((name,), "")
        return open_remote(urls, key, self.families, self.library)


def is_address(model: str) -> bool:
    return model.lower().startswith(("http://", "https://"))


def _lexical(families: Mapping[str, Family]) -> Scorer:
    from workbench.scorers.lexical import Lexical

    family = max(families.values(), key=_shows, default=None)
    if family is None:
        raise ModelUnavailable("there is no family file", hint="Put one into templates/.")
    return Lexical(LEXICAL, family)


def _shows(family: Family) -> tuple[bool, bool]:
    """Families whose prompts are made here come first, among them those with pictures and clips."""
    marks = family.template.placeholders
    return not family.remote and family.template.layout == "joint", bool(marks.image and marks.video)


@dataclass(frozen=True)
class Bench:
    """What every door is given: models, renderer, media and the defaults of this process. Holds no user's state."""

    pool: Pool
    renderer: Renderer
    library: Library
    families: Mapping[str, Family]
    model: str
    given_template: ScoreTemplate | None = None
    parity: Parity = "reference"
    workers: tuple[Worker, ...] = ()

    def variant(self, **fields: Any) -> Variant:
        """A Variant whose missing fields are this bench's defaults."""
        fields = {k: v for k, v in fields.items() if v is not None}
        return Variant(**{"model": self.model, "template": self.given_template, "parity": self.parity, **fields})

    def template_for(self, variant: Variant) -> ScoreTemplate:
        """Given, else declared by the checkpoint, else its family's; never the tokenizer's chat template."""
        return variant.template or self.pool.template(variant.model)

    def rank(self, variant: Variant, query: Query, rows: Sequence[Row], stop: Stop = never) -> Iterator[ScoreResult]:
        scorer = self.pool.wake(variant.model)
        return rerank(self.renderer, scorer, self.resolved(variant), query, rows, stop=stop)

    def preview(self, variant: Variant, query: Query, rows: Sequence[Row]) -> list[Encoding | WorkbenchError]:
        scorer = self.pool.get(variant.model)
        return list(encode_rows(self.renderer, scorer, self.resolved(variant), query, rows))

    def score_encodings(
        self, model: str, batch: Sequence[Encoding], stop: Stop = never
    ) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """As a scorer's own `score`: for prompts that no query and document stand behind."""
        return self.pool.wake(model).score(batch, stop)

    def resolved(self, variant: Variant) -> Variant:
        """The same variant with its template named."""
        return replace(variant, template=self.template_for(variant))

    def prepare(self) -> None:
        """What the first page would wait for, done by a server before it says where it is: the workers come up, the code of local
        models is imported, and the shipped model, which is small, scores once. What fails here is said when it is asked for."""
        for worker in self.workers:
            worker.start()
        if self.model != LEXICAL and not is_address(self.model):
            scorers.prepare()
        if self.pool.shipped is not None and self.model == self.pool.shipped.name:
            with contextlib.suppress(WorkbenchError):
                list(self.rank(self.variant(), Query("", (Text("."),)), [Document("", (Text("."),))]))

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


def open_bench(
    *,
    model: str,
    data: Path,
    families: Path,
    shipped: Path | None = None,
    template: str | None = None,
    parity: Parity = "reference",
    device: str = "auto",
    dtype: str = "auto",
    offered_only: bool = False,
    endpoints: Sequence[str] = (),
    endpoint_key: str = "",
    overrides: Mapping[str, JSON] = scorers.NOTHING,
    features: int = 0,
) -> Bench:
    """Everything a door needs. `template` is the text of a template file, or the name of a family; None: the model's own.

    `endpoints`: addresses of servers of one model; where there are any, the first is the model. `overrides`: entries of the
    model's own config, which win, and `family`. `features`: bytes under `data` for what vision towers made of pictures and
    clips. Raises WorkbenchError.
    """
    known = read_families(families)
    sandbox = Worker("workbench.sandbox", seconds=RENDER_SECONDS, memory_mb=512, output_bytes=1 << 20)
    decoder = Worker("workbench.decoder", seconds=DECODE_SECONDS, memory_mb=2048, output_bytes=1 << 30)
    library = Library(data / "media", decoder, features)
    pool = Pool(known, library, shipped, device, dtype, offered_only, tuple(endpoints), endpoint_key, {model: overrides})
    given = None
    if template is not None:
        given = known[template].template if template in known else template_of(template)
    return Bench(pool, Renderer(sandbox), library, known, model, given, parity, (sandbox, decoder))
