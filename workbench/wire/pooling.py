"""Answers of /classify, /pooling, /tokenize and /detokenize: prompts encoded, scored where asked, in vLLM's shape.

Knows nothing of HTTP, of documents that compete, or of how a request was written.
"""

from __future__ import annotations

import base64
import struct
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from workbench.errors import PromptInvalid, RequestInvalid, Stopped, WorkbenchError
from workbench.pool import Bench
from workbench.scorers import Stop, never
from workbench.scorers._ids import Pooled, Pools, ReadsIds
from workbench.types import JSON, Encoding, Score
from workbench.wire.answers import named, number, usage
from workbench.wire.prompts import TASKS, PromptRequest

Given = TypeVar("Given")

LABEL = "LABEL_0"  # transformers' name for the only class of a model with one


def answer_classify(bench: Bench, request: PromptRequest, *, stop: Stop = never) -> dict[str, JSON]:
    """vLLM's ClassificationResponse: one class, whose probability is the score (the logit without activation)."""
    if (task := task_of(bench, request)) in ("embed", "token_embed"):
        raise _not_done(request, "classify", task)
    encodings, scores = score_prompts(bench, request, stop)
    numbers = [number(s, request.use_activation, "input") for s in scores]
    data = [{"index": i, "label": LABEL, "probs": [n], "num_classes": 1} for i, n in enumerate(numbers)]
    return _answer("classify", request, data, encodings)


def answer_pooling(bench: Bench, request: PromptRequest, *, stop: Stop = never) -> dict[str, JSON]:
    """vLLM's PoolingResponse: of every prompt a number, a vector or one per token, or their bytes in base64.

    Raises RequestInvalid for a task that the model does not do, naming the one it does.
    """
    if request.task not in (None, task := task_of(bench, request)):
        raise _not_done(request, str(request.task), task)
    given: Sequence[Pooled]
    if task == "classify":
        encodings, scores = score_prompts(bench, request, stop)
        given = [[number(s, request.use_activation, "input")] for s in scores]
    else:
        encodings, given = _pooled(bench, request, stop)
    data = [{"index": i, "object": "pooling", "data": _base64(n) if request.base64 else n} for i, n in enumerate(given)]
    return _answer("pooling", request, data, encodings)


def task_of(bench: Bench, request: PromptRequest) -> str:
    """The one pooling task of the model, as in vLLM."""
    scorer = bench.pool.get(request.variant.model)
    return (scorer.task or "classify") if isinstance(scorer, Pools) else "classify"


def _not_done(request: PromptRequest, asked: str, done: str) -> RequestInvalid:
    what = f"the task {asked!r}" + ("" if asked in TASKS else ", which there is none of this name")
    return RequestInvalid(f"{request.variant.model} does not do {what}", where="task", hint=f"It does: {done}.")


def _pooled(bench: Bench, request: PromptRequest, stop: Stop) -> tuple[list[Encoding], list[Pooled]]:
    """Each prompt's encoding and what is pooled of it. Raises the first error, named by its place, or Stopped."""
    if request.messages is not None and task_of(bench, request) != "token_classify":
        raise RequestInvalid(
            "are a pair, and this model reads one text at a time", where="messages", hint="Send `input`."
        )
    encodings, places = encode_prompts(bench, request), request.places or ("messages",)
    scorer = bench.pool.wake(request.variant.model)
    assert isinstance(scorer, Pools)
    return encodings, in_order(scorer.pooled(encodings, request.use_activation, stop), places)


def answer_tokenize(bench: Bench, request: PromptRequest, *, stop: Stop = never) -> dict[str, JSON]:
    """vLLM's TokenizeResponse: the ids that would be scored, media expanded, nothing cut."""
    ids, window = tokens_of(bench, request), bench.pool.get(request.variant.model).window("vllm")
    names = _reader(bench, request).token_names(ids) if request.names else None
    return {"count": len(ids), "max_model_len": window, "tokens": ids, "token_strs": names}


def answer_detokenize(bench: Bench, request: PromptRequest, *, stop: Stop = never) -> dict[str, JSON]:
    """vLLM's DetokenizeResponse."""
    return {"prompt": text_of(bench, request)}


# ---------------------------------------------------------------- prompts to encodings
def tokens_of(bench: Bench, request: PromptRequest) -> list[int]:
    """The ids of the one text or pair of messages."""
    if request.messages is not None:
        return list(encode_prompts(bench, request)[0].token_ids)
    return _reader(bench, request).tokenize(str(request.prompts[0]), request.special)


def text_of(bench: Bench, request: PromptRequest) -> str:
    """The text of the one list of ids."""
    return _reader(bench, request).detokenize([i for i in request.prompts[0] if isinstance(i, int)])


def encode_prompts(bench: Bench, request: PromptRequest) -> list[Encoding]:
    """What would be scored for each prompt. Raises the first error, named by its place."""
    if request.messages is not None:
        return [_encode_messages(bench, request)]
    scorer, found = _reader(bench, request), []
    for i, (prompt, place) in enumerate(zip(request.prompts, request.places, strict=True)):
        try:
            ids = _of_text(scorer, prompt, request, bench) if isinstance(prompt, str) else _cut(list(prompt), request, bench)
            found.append(scorer.from_ids(ids))
        except WorkbenchError as error:
            raise named(error, place, i) from error
    return found


def _encode_messages(bench: Bench, request: PromptRequest) -> Encoding:
    assert request.messages is not None
    query, document = request.messages
    (encoding,) = bench.preview(request.variant, query, [document])
    if isinstance(encoding, WorkbenchError):
        raise named(encoding, "messages", 0) from encoding
    if request.special:
        return encoding
    front, back = _frame(bench.pool.get(request.variant.model))
    kept = slice(front, len(encoding.token_ids) - back)
    return replace(encoding, token_ids=encoding.token_ids[kept], spans=encoding.spans[kept])


def _frame(scorer: object) -> tuple[int, int]:
    """How many ids the tokenizer puts before and behind a text."""
    if not isinstance(scorer, ReadsIds):
        return 0, 0
    bare, framed = scorer.tokenize("a", False), scorer.tokenize("a", True)
    front = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), 0)
    return front, len(framed) - front - len(bare)


def _of_text(scorer: ReadsIds, text: str, request: PromptRequest, bench: Bench) -> list[int]:
    """The ids of a text. What the tokenizer puts around it stays when the text is cut, as in vLLM."""
    whole = scorer.tokenize(text, request.special)
    front, back = _frame(scorer) if request.special else (0, 0)
    end = len(whole) - back
    kept = [*whole[:front], *_cut(whole[front:end], request, bench, front + back), *whole[end:]]
    return _cut(kept, request, bench)  # where the limit is less than what stands around


def _cut(ids: list[int], request: PromptRequest, bench: Bench, framed: int = 0) -> list[int]:
    """vLLM's truncate_prompt_tokens: the first ids, or with side left the last; -1 is the model's window. `framed`: ids around
    them that count as well."""
    limit = request.variant.limits.truncate_prompt_tokens
    if limit is None:
        return ids
    window = bench.pool.get(request.variant.model).window("vllm")
    if limit > window:
        raise RequestInvalid(f"is greater than max_model_len ({window})", where="truncate_prompt_tokens")
    limit = max(0, (window if limit == -1 else limit) - framed)
    left = request.variant.limits.truncation_side == "left"
    return ids[max(0, len(ids) - limit) :] if left else ids[:limit]


def _reader(bench: Bench, request: PromptRequest) -> ReadsIds:
    scorer = bench.pool.get(request.variant.model)
    if not isinstance(scorer, ReadsIds):
        raise PromptInvalid(
            "this model reads a query and a document, not a prompt made elsewhere", where=scorer.name,
            hint="Send messages with the roles query and document, or use /rerank.",
        )  # fmt: skip
    return scorer


# ---------------------------------------------------------------- encodings to answers
def score_prompts(bench: Bench, request: PromptRequest, stop: Stop) -> tuple[list[Encoding], list[Score]]:
    """Each prompt's encoding and score. Raises the first error, named by its place, or Stopped."""
    encodings, places = encode_prompts(bench, request), request.places or ("messages",)
    return encodings, in_order(bench.score_encodings(request.variant.model, encodings, stop), places)


def in_order(results: Iterable[tuple[int, Given | WorkbenchError]], places: Sequence[str]) -> list[Given]:
    """One result for every place. Raises the first error, named by its place, or Stopped where some never came."""
    found: dict[int, Given] = {}
    for i, result in results:
        if isinstance(result, WorkbenchError):
            raise named(result, places[i], i)
        found[i] = result
    if len(found) < len(places):
        raise Stopped("the caller stopped waiting")
    return [found[i] for i in range(len(places))]


def _answer(
    kind: str, request: PromptRequest, data: Sequence[dict[str, JSON]], encodings: Sequence[Encoding]
) -> dict[str, JSON]:
    return {
        "id": f"{kind}-{request.request_id or uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": request.variant.model,
        "data": list(data),
        "usage": usage(encodings),
    }


def _base64(given: Pooled) -> str:
    """float32, little endian, row after row."""
    flat = [n for row in given for n in (row if isinstance(row, list) else [row])]
    return base64.b64encode(struct.pack(f"<{len(flat)}f", *flat)).decode()
