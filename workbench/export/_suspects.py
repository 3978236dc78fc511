"""The prompts that known mistakes would make of a golden pair, so that a check can name a mistake by what it gives.

Knows nothing of scores, files or servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.errors import WorkbenchError
from workbench.export._probes import Case
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import Scorer
from workbench.scorers._ids import ReadsIds
from workbench.types import Document, Encoding, Query, Text, Variant

Made = tuple[int, str, Encoding]


def suspects(
    bench: Bench, scorer: Scorer, tuned: Variant, served: Variant, chosen: Sequence[tuple[Case, Encoding]]
) -> list[Made]:
    """(which pair, cause, the other prompt), where a mistake makes another prompt; none where a model shows no ids."""
    assert served.template is not None
    if not served.template.body:
        return list(_swapped(bench, scorer, served, chosen))
    return list(_by_text(bench, scorer, tuned, served, chosen))


def _swapped(bench: Bench, scorer: Scorer, served: Variant, chosen: Sequence[tuple[Case, Encoding]]) -> Iterator[Made]:
    """A tokenizer's pair knows one mistake that is made of the same two texts."""
    for i, (case, encoding) in enumerate(chosen):
        query, document = Query("", case.document.content), Document("", case.query.content)
        try:
            other = scorer.encode(make_pair(bench.renderer, scorer, served, query, document))
        except WorkbenchError:
            continue
        if other.token_ids != encoding.token_ids:
            yield i, "sides swapped", other


def _by_text(
    bench: Bench, scorer: Scorer, tuned: Variant, served: Variant, chosen: Sequence[tuple[Case, Encoding]]
) -> Iterator[Made]:
    if not isinstance(scorer, ReadsIds):
        return
    for i, (case, encoding) in enumerate(chosen):
        if encoding.media:
            continue
        for cause, text in _mistakes(bench, scorer, tuned, served, case, encoding):
            try:
                ids = scorer.tokenize(text)
                if tuple(ids) != encoding.token_ids:
                    yield i, cause, scorer.from_ids(ids)
            except WorkbenchError:  # a prompt too long for the window is no explanation
                continue


def _mistakes(
    bench: Bench, scorer: Scorer, tuned: Variant, served: Variant, case: Case, encoding: Encoding
) -> Iterator[tuple[str, str]]:
    """(cause, the prompt it makes)."""
    query, document, prompt = _text(case.query), _text(case.document), encoding.prompt.text
    yield "template not loaded", query + document
    if prompt.endswith("\n"):
        yield "newline lost", prompt[:-1]
    wrapped = replace(case.document, content=(Text(prompt),))
    unbaked = replace(tuned, instruction=None, variables=tuned.variables, parity="vllm")
    other = served if case.instruction else unbaked
    for cause, variant, doc in (
        ("instruction ignored", other, case.document),
        ("double wrap", replace(served, instruction=case.instruction), wrapped),
    ):
        try:
            yield cause, make_pair(bench.renderer, scorer, variant, case.query, doc).prompts[0].text
        except WorkbenchError:
            continue


def _text(side: Query | Document) -> str:
    return "\n".join(p.text for p in side.content if isinstance(p, Text))
