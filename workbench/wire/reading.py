"""Bodies to requests: fields checked, content read, defaults of the bench filled in.

Knows nothing of HTTP; a document that cannot be read becomes the error in its place, all else raises RequestInvalid.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.media import read_content
from workbench.pool import Bench
from workbench.template import template_of
from workbench.types import JSON, ContentPart, Document, Query, Row, ScoreTemplate, Variant
from workbench.wire.bodies import PAIR_NAMES, Body, RerankBody, RerankRequest, ScoreBody, ScoreRequest
from workbench.wire.jsons import check

MAX_DOCUMENTS = 1000
MAX_TEMPLATE = 64_000  # bytes

B = TypeVar("B", bound=Body)


def read_rerank(body: JSON, bench: Bench, base: Path | None = None) -> RerankRequest:
    """The body of /rerank and /render. `base`: the folder that file paths in it are relative to; None refuses paths."""
    fields = fields_of(RerankBody, body)
    documents = _several(fields.documents, "documents")
    return RerankRequest(
        query=Query("query", content_of(fields.query, bench, base, "query")),
        rows=tuple(_row(d, i, bench, base, f"documents[{i}]") for i, d in enumerate(documents)),
        variant=variant_of(fields, bench),
        top_n=fields.top_n or 0,
        use_activation=fields.use_activation is not False,
        request_id=fields.request_id or "",
        echoes=tuple(map(_echo, documents)),
    )


def read_score(body: JSON, bench: Bench, base: Path | None = None) -> ScoreRequest:
    """The body of /score: any of vLLM's four pairs of field names, 1:1, 1:N or N:N."""
    fields = fields_of(ScoreBody, body)
    one, two = _pair_names(fields)
    left, right = _several(getattr(fields, one), one), _several(getattr(fields, two), two)
    if len(left) not in (1, len(right)):
        raise RequestInvalid(
            "Input lengths must be either 1:1, 1:N or N:N", where=one, hint=f"They are {len(left)}:{len(right)}."
        )
    return ScoreRequest(
        queries=tuple(_query(q, bench, base, _place(one, i, getattr(fields, one))) for i, q in enumerate(left))
        * (len(right) if len(left) == 1 else 1),
        rows=tuple(_row(d, i, bench, base, f"{two}[{i}]") for i, d in enumerate(right)),
        variant=variant_of(fields, bench),
        use_activation=fields.use_activation is not False,
        request_id=fields.request_id or "",
        places=tuple(f"{two}[{i}]" for i in range(len(right))),
    )


def fields_of(model: type[B], body: JSON) -> B:
    if not isinstance(body, dict):
        raise RequestInvalid(f"the body must be a JSON object, and is {_kind(body)}")
    check(body)  # bodies also come from Python and from pasted text
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [
            (".".join(map(str, e["loc"])), e["msg"]) for e in error.errors(include_input=False, include_url=False)
        ]
        more = "; ".join(f"{place}: {message}" for place, message in problems[1:4])
        raise RequestInvalid(problems[0][1], where=problems[0][0], hint=f"Also {more}" if more else "") from None


def _pair_names(fields: ScoreBody) -> tuple[str, str]:
    for one, two in PAIR_NAMES:
        if getattr(fields, one) is not None and getattr(fields, two) is not None:
            return one, two
    names = ", ".join(f"`{one}` with `{two}`" for one, two in PAIR_NAMES)
    raise RequestInvalid("there are no pairs to score", where="queries", hint=f"Give {names}.")


def _several(value: JSON, name: str) -> Sequence[JSON]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise RequestInvalid("at least one must be given", where=name)
    if len(values) > MAX_DOCUMENTS:
        raise RequestInvalid(f"{len(values):,} are too many", where=name, hint=f"At most {MAX_DOCUMENTS:,} are taken.")
    return values


def _place(name: str, index: int, value: JSON) -> str:
    return f"{name}[{index}]" if isinstance(value, list) else name


def _query(value: JSON, bench: Bench, base: Path | None, where: str) -> Query:
    return Query(where, content_of(value, bench, base, where))


def _row(value: JSON, index: int, bench: Bench, base: Path | None, where: str) -> Row:
    try:
        return Document(str(index), content_of(value, bench, base, where))
    except WorkbenchError as error:
        return error


def content_of(value: JSON, bench: Bench, base: Path | None, where: str) -> tuple[ContentPart, ...]:
    parts = read_content(value, bench.library, base=base, where=where)
    if not parts:
        raise RequestInvalid("is empty", where=where, hint="Give it a text, a picture or a clip.")
    return parts


def _echo(document: JSON) -> dict[str, JSON]:
    """`document` of a vLLM result: a text, or the content parts as they came."""
    parts = document.get("content", document) if isinstance(document, dict) else document
    text = parts["text"] if isinstance(parts, dict) and set(parts) == {"text"} else parts
    if isinstance(text, str):
        return {"text": text, "multi_modal": None}
    return {"text": None, "multi_modal": parts if isinstance(parts, list) else [parts]}


def variant_of(fields: Body, bench: Bench) -> Variant:
    return bench.variant(
        model=(fields.model or "").strip() or None,
        template=None if fields.template is None else template_named(fields.template, bench),
        instruction=fields.instruction,
        variables=fields.chat_template_kwargs,
        limits=fields.limits(),
        parity=fields.parity,
        media_options=fields.mm_processor_kwargs,
    )


def template_named(text: str, bench: Bench) -> ScoreTemplate:
    if text in bench.families:
        return bench.families[text].template
    if len(text.encode()) > MAX_TEMPLATE:
        raise RequestInvalid(f"has more than {MAX_TEMPLATE:,} bytes", where="template")
    if "{{" not in text and "{%" not in text:
        known = ", ".join(sorted(bench.families))
        raise RequestInvalid(
            f"{text[:60]!r} is neither a family's name nor a score template", where="template",
            hint=f"Families: {known}. A template reads the messages: {{{{ messages[0].content }}}}.",
        )  # fmt: skip
    return template_of(text)


def _kind(value: JSON) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
