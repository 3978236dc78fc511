"""Word overlap without weights: the scorer that fits the contract, for tests and for seeing a template work at once.

Knows nothing of language: a word is a run of letters or digits, a token is one word or one other character.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from workbench.errors import WorkbenchError
from workbench.media import Library
from workbench.scorers import ScorerFacts, Stop, never
from workbench.scorers._checkpoint import Checkpoint
from workbench.types import Encoding, Family, Pair, Parity, Score, Text

TOKEN = re.compile(r"\w+|\W")
REASON = "words are counted in query and document alone"


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Lexical:
    return Lexical(checkpoint.name, checkpoint.family)


class Lexical:
    """Scores the share of the query's words that the document has; the prompt is shown and counted, not read."""

    special_tokens: Mapping[str, str]
    control_ids: frozenset[int]

    def __init__(self, name: str, family: Family) -> None:
        self.name, self.family = name, family
        self.special_tokens, self.control_ids = {}, frozenset()
        self._words: dict[str, int] = {}
        self._texts: list[str] = []

    def encode(self, pair: Pair) -> Encoding:
        matches = list(TOKEN.finditer(pair.prompts[0].text))
        ids = tuple(self._id(m.group()) for m in matches)
        given = tuple(sorted(name for name, value in pair.variables.items() if value is not None))
        prompts = tuple(replace(p, unused=given, reason=REASON) for p in pair.prompts)
        return Encoding(replace(pair, prompts=prompts), ids, tuple(m.span() for m in matches))

    def _id(self, word: str) -> int:
        if word not in self._words:
            self._words[word] = len(self._texts)
            self._texts.append(word)
        return self._words[word]

    def token(self, token_id: int) -> str:
        return self._texts[token_id]

    def window(self, parity: Parity) -> int:
        return self.family.max_length

    def cut_text(self, text: str, tokens: int) -> str:
        ends = [m.end() for m in TOKEN.finditer(text)][:tokens]
        return text[: ends[-1]] if ends else ""

    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        for i, encoding in enumerate(batch):
            if stop():
                return
            query, document = _words(encoding.pair.query.content), _words(encoding.pair.document.content)
            share = (len(query & document) + 0.5) / (len(query) + 1)
            yield i, Score(math.log(share / (1 - share)), share, {"matched": sorted(query & document)})

    def facts(self) -> ScorerFacts:
        return ScorerFacts("cpu", "none", 0, True, 0.0, "word overlap, no model")

    def sleep(self) -> None:
        """Nothing to give back."""

    def forget(self) -> None:
        """Nothing is remembered here."""


def _words(content: Sequence[object]) -> set[str]:
    return {w.lower() for p in content if isinstance(p, Text) for w in re.findall(r"\w+", p.text)}
