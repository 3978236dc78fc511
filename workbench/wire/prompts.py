"""Prompts that come as they are: bodies of /classify, /pooling, /tokenize and /detokenize, in vLLM's shape, to requests.

Knows nothing of HTTP or of scores: a prompt is a text, token ids, or the two messages a score template receives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from workbench.errors import RequestInvalid
from workbench.pool import Bench
from workbench.types import JSON, Document, Query, Variant
from workbench.wire.bodies import TEXT_OR_PARTS, Body
from workbench.wire.reading import MAX_DOCUMENTS, content_of, fields_of, variant_of

IDS: dict[str, JSON] = {"type": "array", "items": {"type": "integer"}}
TEXTS: dict[str, JSON] = {"type": "array", "items": {"type": "string"}}
Prompts = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, TEXTS, IDS, {"type": "array", "items": IDS}]})]
MESSAGE: dict[str, JSON] = {
    "type": "object",
    "properties": {"role": {"enum": ["query", "document"]}, "content": TEXT_OR_PARTS},
    "required": ["role", "content"],
}
Messages = Annotated[Any, WithJsonSchema({"type": "array", "items": MESSAGE, "minItems": 2, "maxItems": 2})]
TASKS = ("classify", "token_classify", "embed", "token_embed")


class ChatBody(Body):
    """What the routes share: two messages for the score template, whose text never travels in `chat_template`."""

    messages: Messages = None
    add_special_tokens: bool | None = None
    add_generation_prompt: bool = False
    continue_final_message: bool = False
    chat_template: str | None = None


class PoolingBody(ChatBody):
    """/classify and /pooling: `input` or `messages`. `task` null is the model's own."""

    input: Prompts = None
    task: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    embed_dtype: Literal["float32"] = "float32"
    endianness: Literal["native", "little"] = "native"
    dimensions: int | None = None
    normalize: Annotated[Any, WithJsonSchema({"not": {}})] = None


class TokenizeBody(ChatBody):
    prompt: str | None = None
    return_token_strs: bool | None = None


class DetokenizeBody(Body):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, protected_namespaces=())

    tokens: list[Annotated[int, Field(ge=0, le=2**63 - 1)]]


@dataclass(frozen=True, slots=True)
class PromptRequest:
    """`prompts`: texts or ids, `places` names them in errors; or the query and document of two messages.

    `special`: with what the tokenizer puts around a text.
    """

    variant: Variant
    prompts: tuple[str | tuple[int, ...], ...] = ()
    places: tuple[str, ...] = ()
    messages: tuple[Query, Document] | None = None
    special: bool = True
    use_activation: bool = True
    request_id: str = ""
    base64: bool = False
    task: str | None = None  # of /pooling; None is the model's own
    names: bool = False  # of tokens, beside their ids


def read_classify(body: JSON, bench: Bench) -> PromptRequest:
    """A body of /classify. Raises RequestInvalid."""
    return _pooling(fields_of(PoolingBody, body), bench)


def read_pooling(body: JSON, bench: Bench) -> PromptRequest:
    """A body of /pooling. Raises RequestInvalid."""
    fields = fields_of(PoolingBody, body)
    if fields.dimensions is not None:
        raise RequestInvalid("is not supported", where="dimensions", hint="Leave it out.")
    return replace(_pooling(fields, bench), task=fields.task)


def read_tokenize(body: JSON, bench: Bench) -> PromptRequest:
    """A body of /tokenize: `prompt`, or `messages` as /rerank would render them. Raises RequestInvalid."""
    fields = fields_of(TokenizeBody, body)
    prompts = () if fields.prompt is None else (fields.prompt,)
    return _request(fields, bench, prompts, ("prompt",), bool(fields.return_token_strs))


def read_detokenize(body: JSON, bench: Bench) -> PromptRequest:
    """A body of /detokenize."""
    fields = fields_of(DetokenizeBody, body)
    return PromptRequest(variant_of(fields, bench), (tuple(fields.tokens),), ("tokens",))


def schemas() -> dict[str, JSON]:
    bodies: dict[str, type[BaseModel]] = {
        "classify": PoolingBody, "pooling": PoolingBody, "tokenize": TokenizeBody, "detokenize": DetokenizeBody,
    }  # fmt: skip
    return {name: body.model_json_schema() for name, body in bodies.items()}


def _pooling(fields: PoolingBody, bench: Bench) -> PromptRequest:
    if fields.normalize is not None:
        raise RequestInvalid("was removed from vLLM", where="normalize", hint="Use use_activation instead.")
    prompts, places = _prompts(fields.input) if fields.input is not None else ((), ())
    return _request(fields, bench, prompts, places)


def _request(
    fields: ChatBody, bench: Bench, prompts: tuple[str | tuple[int, ...], ...], places: tuple[str, ...], names: bool = False
) -> PromptRequest:  # fmt: skip
    chat = fields.messages is not None
    if chat == bool(prompts):
        given = " or ".join(f"`{n}`" for n in ("input", "prompt", "messages") if n in type(fields).model_fields)
        raise RequestInvalid("there is no prompt" if not chat else "there are two prompts", hint=f"Give {given}.")
    _chat_rules(fields)
    return PromptRequest(
        variant=variant_of(fields, bench),
        prompts=prompts,
        places=places,
        messages=_messages(fields.messages, bench) if chat else None,
        special=not chat if fields.add_special_tokens is None else fields.add_special_tokens,  # vLLM's two defaults
        use_activation=fields.use_activation is not False,
        request_id=fields.request_id or "",
        base64=getattr(fields, "encoding_format", "float") == "base64",
        names=names,
    )


def _chat_rules(fields: ChatBody) -> None:
    """vLLM refuses a request's own chat template, and a message left open would cut the suffix off."""
    if fields.chat_template is not None:
        raise RequestInvalid("is not taken from a request", where="chat_template", hint="Send it as `template`.")
    if fields.continue_final_message:
        raise RequestInvalid("would cut the template's suffix", where="continue_final_message", hint="Leave it out.")


def _prompts(value: JSON) -> tuple[tuple[str | tuple[int, ...], ...], tuple[str, ...]]:
    """vLLM's `input`: a text, texts, ids, or lists of ids."""
    if isinstance(value, str) or (isinstance(value, list) and value and _is_id(value[0])):
        return (_prompt(value, "input"),), ("input",)
    if not isinstance(value, list) or not value:
        raise RequestInvalid("must be a text, texts, ids or lists of ids", where="input")
    if len(value) > MAX_DOCUMENTS:
        raise RequestInvalid(f"{len(value):,} are too many", where="input", hint=f"At most {MAX_DOCUMENTS:,} are taken.")
    places = tuple(f"input[{i}]" for i in range(len(value)))
    return tuple(map(_prompt, value, places)), places


def _prompt(value: JSON, place: str) -> str | tuple[int, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(map(_is_id, value)):
        return tuple(value)
    raise RequestInvalid("is neither a text nor a list of token ids", where=place)


def _is_id(value: JSON) -> bool:
    return type(value) is int


def _messages(value: JSON, bench: Bench) -> tuple[Query, Document]:
    """The two messages of a score template, in either order."""
    messages: Sequence[JSON] = value if isinstance(value, list) else []
    contents = {m.get("role"): m.get("content") for m in messages if isinstance(m, dict) and isinstance(m.get("role"), str)}
    if len(messages) != 2 or set(contents) != {"query", "document"}:
        hint = 'Send [{"role": "query", "content": …}, {"role": "document", "content": …}].'
        raise RequestInvalid("must be one query and one document", where="messages", hint=hint)
    query, document = (content_of(contents[r], bench, None, f"messages ({r})") for r in ("query", "document"))
    return Query("query", query), Document("0", document)
