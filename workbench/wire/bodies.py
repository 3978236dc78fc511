"""Request bodies as vLLM 0.33 takes them, with `template` and `parity` added. Fields it does not know are ignored.

Knows nothing of what the fields mean: types, bounds and the schema for /openapi.json, and nouns without content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from workbench.types import JSON, Limits, Query, Row, Variant

TEXT_OR_PARTS: dict[str, JSON] = {
    "description": "a text, or OpenAI-style content parts: text, image_url, video_url (data URLs)",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"content": {"type": "array", "items": {"type": "object"}}},
            "required": ["content"],
        },
    ],
}
Side = Annotated[Any, WithJsonSchema(TEXT_OR_PARTS)]
Sides = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "array", "items": TEXT_OR_PARTS}, *TEXT_OR_PARTS["anyOf"]]})]
Tokens = Annotated[int, Field(ge=0, le=2**31)]


class Body(BaseModel):
    """What /rerank and /score share. A limit of 0 is no limit, as in vLLM."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, protected_namespaces=())

    model: str | None = None
    user: str | None = None
    request_id: str | None = None
    instruction: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    max_tokens_per_query: Tokens | None = None
    max_tokens_per_doc: Tokens | None = None
    truncate_prompt_tokens: Annotated[int, Field(ge=-1, le=2**31)] | None = None
    truncation_side: Literal["left", "right"] | None = None
    padding: Literal["do_not_pad"] | None = None
    use_activation: bool | None = None
    mm_processor_kwargs: dict[str, Any] | None = None
    priority: int = 0  # taken and without effect, as in a vLLM that serves in order
    cache_salt: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    template: Annotated[str | None, Field(description="a family's name or the text of a score template")] = None
    parity: Literal["reference", "vllm"] | None = None

    def limits(self) -> Limits:
        return Limits(
            self.max_tokens_per_query or None,
            self.max_tokens_per_doc or None,
            self.truncate_prompt_tokens,
            self.truncation_side,
        )


class RerankBody(Body):
    """`top_n` 0 = all; null too, since clients write it for "not given".

    `return_documents` is ignored: documents are always echoed, as in vLLM.
    """

    query: Side
    documents: Sides
    top_n: Annotated[int, Field(ge=0)] | None = 0


PAIR_NAMES = (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2"))


class ScoreBody(Body):
    """One of PAIR_NAMES, in that order of preference; lengths 1:1, 1:N or N:N."""

    queries: Sides = None
    documents: Sides = None
    items: Sides = None
    data_1: Sides = None
    data_2: Sides = None
    text_1: Sides = None
    text_2: Sides = None


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """A /rerank body as nouns. Rows that cannot be read are errors in `rows`; `echoes` are the documents as vLLM echoes them."""

    query: Query
    rows: tuple[Row, ...]
    variant: Variant
    top_n: int = 0
    use_activation: bool = True
    request_id: str = ""
    echoes: tuple[Mapping[str, JSON], ...] = ()

    @property
    def queries(self) -> tuple[Query, ...]:
        return (self.query,) * len(self.rows)

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(f"documents[{i}]" for i in range(len(self.rows)))


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A /score body as nouns: pair i is (queries[i], rows[i]), named places[i] in errors."""

    queries: tuple[Query, ...]
    rows: tuple[Row, ...]
    variant: Variant
    use_activation: bool = True
    request_id: str = ""
    places: tuple[str, ...] = field(default=())
