"""The Python door: every HTTP route as a function, from texts, pictures and paths to rankings, without a server.

Knows nothing of HTTP or screens; the same words give the same prompts, numbers and errors as they do there.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, overload

from workbench.errors import MediaInvalid, RequestInvalid, WorkbenchError
from workbench.media import read_content
from workbench.named import FAMILIES, served, shipped_model, template_text
from workbench.pool import LEXICAL, Bench, open_bench
from workbench.ranking import ranking
from workbench.scorers import NOTHING, Stop, never
from workbench.types import (
    JSON,
    ContentPart,
    Document,
    Encoding,
    Image,
    Limits,
    Parity,
    Query,
    Ranking,
    Row,
    Score,
    ScoreResult,
    Text,
    Variant,
    Video,
)
from workbench.wire import PromptRequest, ScoreRequest
from workbench.wire.answers import check_limits, score_pairs
from workbench.wire.pooling import score_prompts, text_of, tokens_of
from workbench.wire.reading import template_named

Content: TypeAlias = Any
"""One side: a text, a `pathlib.Path`, a PIL picture, the bytes of a file, a part of types.py, a part as JSON bodies write
it (`{"image": "a.png"}`), or a list or tuple of these. A string is always a text, never a path."""


class Asked(TypedDict, total=False):
    """How a model is asked. `template`: a family's name, a file, or the text itself; `variables`: chat_template_kwargs."""

    instruction: str | None
    variables: Mapping[str, JSON]
    template: str | Path | None
    parity: Parity
    limits: Limits
    media_options: Mapping[str, JSON]


class Model:
    """An opened model and the processes around it. Close it, use it in `with`, or let it go: all three end them."""

    def __init__(self, bench: Bench, cleanup: contextlib.ExitStack) -> None:
        self.bench, self._close = bench, weakref.finalize(self, cleanup.close)

    def close(self) -> None:
        self._close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(
    model: str | Path | None = None, *, template: str | Path | None = None, parity: Parity = "reference", device: str = "auto",
    dtype: str = "auto", endpoints: Sequence[str] = (), endpoint_key: str | None = None,
    hf_overrides: Mapping[str, JSON] = NOTHING,
) -> Model:  # fmt: skip
    """A model by hub name, folder or server address; None is the one that ships. Weights are read at the first score.

    `template` and `parity` are what calls leave out; `hf_overrides` are entries of the model's config, in vLLM's words.
    Raises ModelUnavailable, RequestInvalid or TemplateInvalid.
    """
    shipped = shipped_model()
    name, places, key = served(None if model is None else str(model), endpoints, endpoint_key)
    with contextlib.ExitStack() as cleanup:
        data = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="workbench-"))
        bench = open_bench(
            model=name or (shipped.name if shipped else LEXICAL), data=Path(data), families=FAMILIES, shipped=shipped,
            template=None if template is None else _source(template), parity=parity, device=device, dtype=dtype,
            endpoints=places, endpoint_key=key, overrides=hf_overrides,
        )  # fmt: skip
        cleanup.callback(bench.close)
        bench.pool.get(bench.model)
        return Model(bench, cleanup.pop_all())


# ---------------------------------------------------------------- the routes
@overload
def rerank(
    model: Model, query: Content, documents: Sequence[Content], *, stream: Literal[False] = False, stop: Stop = never,
    **asked: Unpack[Asked],
) -> Ranking: ...  # fmt: skip
@overload
def rerank(
    model: Model, query: Content, documents: Sequence[Content], *, stream: Literal[True], stop: Stop = never,
    **asked: Unpack[Asked],
) -> Iterator[ScoreResult]: ...  # fmt: skip
def rerank(
    model: Model, query: Content, documents: Sequence[Content], *, stream: bool = False, stop: Stop = never,
    **asked: Unpack[Asked],
) -> Ranking | Iterator[ScoreResult]:  # fmt: skip
    """/rerank: the Ranking, or with `stream` each document's result as it is ready, in any order.

    A document that cannot be scored is among `failed` with its error; a query or template that cannot be used raises.
    """
    bench, variant = model.bench, _variant(model.bench, asked)
    asking, rows = Query("query", _content(query, bench, "query")), _rows(documents, bench)
    check_limits(bench, variant)
    results = bench.rank(variant, asking, rows, stop)
    if stream:
        return results
    started = time.perf_counter()
    done = list(results)
    seconds = time.perf_counter() - started
    return ranking(variant, asking, done, seconds=seconds, partial=len(done) < len(rows))


def score(
    model: Model, queries: Content | list[Content], documents: Content | list[Content], *, stop: Stop = never,
    **asked: Unpack[Asked],
) -> list[ScoreResult]:  # fmt: skip
    """/score: a result for each pair, 1:1, 1:N or N:N, in the order of the documents. Raises Stopped."""
    bench, variant = model.bench, _variant(model.bench, asked)
    left = queries if isinstance(queries, list) else [queries]
    rows = _rows(documents if isinstance(documents, list) else [documents], bench)
    if len(left) not in (1, len(rows)):
        raise RequestInvalid("are neither 1:1, 1:N nor N:N", where="lengths", hint=f"They are {len(left)}:{len(rows)}.")
    asking = tuple(Query(f"queries[{i}]", _content(q, bench, f"queries[{i}]")) for i, q in enumerate(left))
    asking *= len(rows) if len(left) == 1 else 1
    places = tuple(f"documents[{i}]" for i in range(len(rows)))
    found = score_pairs(bench, ScoreRequest(asking, rows, variant, places=places), stop, whole=False)
    return sorted(found, key=lambda r: r.index)


def render(
    model: Model, query: Content, documents: Sequence[Content], **asked: Unpack[Asked]
) -> list[Encoding | WorkbenchError]:
    """/render: the exact prompt and tokens of each document, or why it has none. No weights are touched."""
    bench, variant = model.bench, _variant(model.bench, asked)
    return bench.preview(variant, Query("query", _content(query, bench, "query")), _rows(documents, bench))


def classify(
    model: Model, prompts: str | Sequence[int] | Sequence[str | Sequence[int]], *, stop: Stop = never
) -> list[Score]:
    """/classify and /pooling: the score of prompts that are made already, as texts or token ids. Raises as HTTP does."""
    one = isinstance(prompts, str) or (len(prompts) > 0 and isinstance(prompts[0], int))
    several: Sequence[Any] = [prompts] if one else prompts
    asked = tuple(p if isinstance(p, str) else tuple(p) for p in several)
    places = tuple("input" if one else f"input[{i}]" for i in range(len(asked)))
    return score_prompts(model.bench, PromptRequest(model.bench.variant(), asked, places), stop)[1]


def tokenize(model: Model, text: str, *, special: bool = True) -> list[int]:
    """/tokenize of a text; `special`: with what the tokenizer puts around it. The ids of a pair are in `render`."""
    return tokens_of(model.bench, PromptRequest(model.bench.variant(), (text,), ("text",), special=special))


def detokenize(model: Model, ids: Sequence[int]) -> str:
    """/detokenize."""
    return text_of(model.bench, PromptRequest(model.bench.variant(), (tuple(ids),), ("ids",)))


# ---------------------------------------------------------------- Python values to nouns
def _variant(bench: Bench, asked: Asked) -> Variant:
    template = asked.get("template")
    return bench.variant(
        template=None if template is None else template_named(_source(template), bench),
        instruction=asked.get("instruction"),
        variables=asked.get("variables"),
        limits=asked.get("limits"),
        parity=asked.get("parity"),
        media_options=asked.get("media_options"),
    )


def _source(template: str | Path) -> str:
    """A template's text or a family's name; a text is told from a file's name by its braces."""
    return template if isinstance(template, str) and "{" in template else template_text(str(template))


def _rows(documents: Sequence[Content], bench: Bench) -> tuple[Row, ...]:
    if isinstance(documents, str | bytes) or not documents:
        raise RequestInvalid("must be a list with at least one document", where="documents")
    return tuple(_row(d, i, bench) for i, d in enumerate(documents))


def _row(document: Content, index: int, bench: Bench) -> Row:
    try:
        return Document(str(index), _content(document, bench, f"documents[{index}]"))
    except WorkbenchError as error:
        return error


def _content(value: Content, bench: Bench, where: str) -> tuple[ContentPart, ...]:
    parts = tuple(_parts(value, bench, where))
    if not parts:
        raise RequestInvalid("is empty", where=where, hint="Give it a text, a picture or a clip.")
    return parts


def _parts(value: Content, bench: Bench, where: str) -> Iterator[ContentPart]:
    if isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _parts(part, bench, f"{where}[{i}]")
    elif isinstance(value, Text | Image | Video):
        yield value
    elif isinstance(value, Path):
        yield bench.library.add_file(value)
    elif isinstance(value, bytes):
        yield bench.library.add(value, where)
    elif hasattr(value, "save") and hasattr(value, "getbands"):  # a PIL picture, told without importing PIL
        yield bench.library.add(_png(value, where), getattr(value, "filename", "") or where)
    else:
        yield from read_content(value, bench.library, base=Path.cwd(), where=where)


def _png(picture: Any, where: str) -> bytes:
    out = io.BytesIO()
    try:
        picture.save(out, "PNG")
    except (OSError, ValueError) as error:
        hint = 'Convert it: picture.convert("RGB").'
        raise MediaInvalid(f"cannot be kept as PNG ({error})", where=where, hint=hint) from error
    return out.getvalue()
