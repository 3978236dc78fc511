"""Late interaction: a vector for every token; every query token finds its best document token, and the cosines are summed.

Knows nothing of templates. Reference: PyLate's recipe (markers, query expansion, skip list) as the checkpoint's config says;
vLLM: the bare texts, all tokens counted.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from workbench.errors import ModelUnavailable, WorkbenchError
from workbench.media import Library
from workbench.scorers import _engine as engine
from workbench.scorers import _layout as layout
from workbench.scorers._apart import SideRecipe, encode_apart
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._ids import Task
from workbench.scorers._maxsim import Candidate, maxsims
from workbench.scorers._pages import FRAMES, Pages
from workbench.scorers._pooled import PoolsTexts, unit
from workbench.scorers._vectors import Apart, Complete, Side, by_query, vectors
from workbench.scorers._windows import typed, windows
from workbench.types import JSON, Encoding, Pair, Parity, Score

STANFORD = {"query_prefix": "[unused0]", "document_prefix": "[unused1]"}  # markers of colbert-ir's own checkpoints
LENGTHS = (("query_length", 32), ("document_length", 180))  # PyLate's own where a config gives none
PROJECTIONS = ("linear.weight", "colbert_linear.weight")  # as vLLM finds them in a checkpoint's own file


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Apart:
    if checkpoint.config.get("model_type") in FRAMES:
        return Pages(checkpoint, library, device=device, dtype=dtype)
    return LateInteraction(checkpoint, library, device=device, dtype=dtype)


class LateInteraction(PoolsTexts):
    """One checkpoint. Projection and MaxSim run in float32."""

    task: Task | None = "token_embed"

    def __init__(self, checkpoint: Checkpoint, library: Library, *, device: str, dtype: str) -> None:
        super().__init__(checkpoint, device=device, dtype=dtype)
        said: Mapping[str, JSON] = {} if checkpoint.modules else STANFORD
        said = {**said, **layout.settings(checkpoint)}
        self._vectors = vectors()
        self._reads_types = typed(checkpoint, self._tokens)
        self._windows = windows(checkpoint, self._tokens.longest, self.family.max_length)
        expands = said.get("do_query_expansion") is not False
        pad = self._tokens.mask_id if self._tokens.mask_id is not None else self._tokens.eos_id
        most, (query, document) = self._windows["reference"], (int(said.get(k) or d) for k, d in LENGTHS)
        self._recipes = (
            SideRecipe(min(most, query), "", self._marker(said, "query"), pad if expands else None, min(most, query)),
            SideRecipe(min(most, document), "", self._marker(said, "document")),
        )
        self._expands, self._attends = expands, bool(said.get("attend_to_expansion_tokens"))
        words = said.get("skiplist_words")
        self._skipped = self._tokens.known_ids(list(string.punctuation) if words is None else words)
        self._projection = torch.nn.Sequential()

    def _marker(self, said: Mapping[str, JSON], side: str) -> int | None:
        word = said.get(f"{side}_prefix", {"query": "[Q] ", "document": "[D] "}[side])
        if not word:
            return None
        found = self._tokens.known_ids([word])
        if not found:
            raise ModelUnavailable(
                f"its tokenizer has no token for the {side} marker {word!r}", where=self.name,
                hint="The config's query_prefix and document_prefix must be tokens of the tokenizer.",
            )  # fmt: skip
        return next(iter(found))

    def encode(self, pair: Pair) -> Encoding:
        bare = SideRecipe(self._windows["vllm"])
        recipes = self._recipes if pair.parity == "reference" else (bare, bare)
        return encode_apart(self._tokens, pair, recipes, reads_types=self._reads_types)

    def window(self, parity: Parity) -> int:
        """Of a document: the longer side."""
        return self._recipes[1].window if parity == "reference" else self._windows["vllm"]

    def _open(self) -> Any:
        self._projection = layout.dense_layers(self._checkpoint)
        if not len(self._projection):
            self._projection = _own_projection(self._checkpoint)
        return layout.backbone(self, self._checkpoint)

    def _side_row(self, side: Side) -> engine.Row:
        """Expansion tokens look at the query and are not looked at, unless the config says so."""
        seen = 0
        if side.parity == "reference" and not side.document and self._expands and not self._attends:
            ids, pad = side.token_ids, self._recipes[0].pad
            seen = len(ids)
            while seen > 0 and ids[seen - 1] == pad:
                seen -= 1
        return engine.Row(side.token_ids, side.type_ids, seen=seen)

    def _forward(self, backbone: Any, rows: Sequence[engine.Row]) -> list[torch.Tensor]:
        """Per side [tokens, dimension], of any length."""
        with torch.inference_mode():
            found = engine.all_hidden(backbone, rows, self._tokens.pad_id)
            return [self._projection(h) for h in found]

    def _match(self, encoding: Encoding, query: torch.Tensor, document: torch.Tensor) -> Score | WorkbenchError:
        return next(self._matches([(encoding, query, document)]))

    def _matches(self, rows: Sequence[Complete]) -> Iterator[Score | WorkbenchError]:
        for query, part in by_query(rows):
            yield from maxsims(unit(query, True), [self._candidate(encoding, document) for encoding, _, document in part])

    def _candidate(self, encoding: Encoding, document: torch.Tensor) -> Candidate:
        at, ids = encoding.query_tokens, encoding.token_ids
        skipped = self._skipped if encoding.pair.parity == "reference" else frozenset()
        counted = [j for j in range(len(document)) if ids[at + j] not in skipped]
        return Candidate(encoding, unit(document, True), counted)

    def _pooled_of(self, reading: torch.Tensor, activate: bool) -> torch.Tensor:
        return unit(reading, activate)



def _own_projection(checkpoint: Checkpoint) -> torch.nn.Sequential:
    """The projection that stands in the checkpoint's own file, without bias."""
    found = layout.own_weights(checkpoint, lambda name: name.endswith(PROJECTIONS))
    if not found:
        raise ModelUnavailable("has neither a Dense module nor a linear projection", where=checkpoint.name)
    weight = next(iter(found.values()))
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.load_state_dict({"weight": weight})
    return torch.nn.Sequential(linear).eval()
