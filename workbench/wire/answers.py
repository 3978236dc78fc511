"""Requests to answers: scored through the bench, then vLLM's responses, our `pairs`, and errors in the OpenAI shape.

Knows nothing of HTTP or files; a door calls one function per request and sends what it returns.
"""

from __future__ import annotations

import copy
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from workbench.errors import RequestInvalid, ScoreFailed, Stopped, TemplateInvalid, TemplateLimit, WorkbenchError
from workbench.pool import Bench
from workbench.ranking import missing, ranking, warnings
from workbench.scorers import Stop, never
from workbench.types import JSON, Encoding, Query, Score, ScoreResult, Variant
from workbench.wire.bodies import RerankRequest, ScoreRequest

Request = RerankRequest | ScoreRequest
Tell = Callable[[Sequence[str]], object]  # takes the warnings of a request, for doors that say them beside the answer
USAGE_DETAILS = ("prompt_tokens_details", "completion_tokens_details")  # always null for scores
STATUS = {  # kind → (HTTP status, the type vLLM names it)
    "model_unavailable": (404, "NotFoundError"),
    "score_failed": (500, "InternalServerError"),
    "error": (500, "InternalServerError"),  # none of the kinds callers can do something about
    "busy": (503, "ServiceUnavailableError"),
    "stopped": (499, "ClientClosedRequest"),
}


# ---------------------------------------------------------------- whole requests
def unheard(_: Sequence[str]) -> None:
    """Where nobody listens."""


def answer_rerank(
    bench: Bench, request: RerankRequest, *, stop: Stop = never, details: bool = False, tell: Tell = unheard
) -> dict[str, JSON]:
    """The response of /rerank. Without `details` one bad document fails the request and is named; with, it fails its pair."""
    results = score_pairs(bench, request, stop, whole=not details)
    tell(_warnings(results))
    return rerank_response(request, results, details=details)


def answer_score(
    bench: Bench, request: ScoreRequest, *, stop: Stop = never, details: bool = False, tell: Tell = unheard
) -> dict[str, JSON]:
    """The response of /score, as `answer_rerank`."""
    results = score_pairs(bench, request, stop, whole=not details)
    tell(_warnings(results))
    return score_response(request, results, details=details)


def answer_render(bench: Bench, request: Request, *, stop: Stop = never, tell: Tell = unheard) -> dict[str, JSON]:
    """`{"pairs": [...], "warnings": [...]}`: prompts and tokens without scores, errors per row; no weights are touched."""
    pairs: list[JSON] = [None] * len(request.rows)
    said: dict[str, None] = {}
    spent: TemplateLimit | None = None  # a template that ran into its limits once is not given a thousand seconds more
    for query, positions in _by_query(request.queries):
        for i in positions:
            if stop():
                raise Stopped("the caller stopped waiting")
            row = request.rows[i]
            found = row if isinstance(row, WorkbenchError) else spent or bench.preview(request.variant, query, [row])[0]
            spent = found if isinstance(found, TemplateLimit) else spent
            said |= dict.fromkeys(warnings([found]) if isinstance(found, Encoding) else ())
            pairs[i] = _pair(i, None, found) if isinstance(found, WorkbenchError) else _pair(i, found, None)
    tell(list(said))
    return {"pairs": pairs, "warnings": list(said)}


def score_pairs(bench: Bench, request: Request, stop: Stop, *, whole: bool) -> list[ScoreResult]:
    """A result for every pair. `whole`: the first pair that fails is raised, named by its place. Raises Stopped."""
    if whole:
        for i, row in enumerate(request.rows):
            if isinstance(row, WorkbenchError):
                raise named(row, request.places[i], i)
    check_limits(bench, request.variant)
    results: list[ScoreResult] = []
    for query, positions in _by_query(request.queries):
        for result in bench.rank(request.variant, query, [request.rows[i] for i in positions], stop):
            i = positions[result.index]
            if whole and result.score is None:
                raise named(result.error or ScoreFailed("gave no score"), request.places[i], i)
            results.append(replace(result, index=i))
    if missing(len(request.rows), results):
        raise Stopped("the caller stopped waiting")
    return results


def _by_query(queries: Sequence[Query]) -> Iterator[tuple[Query, list[int]]]:
    """Pairs that ask the same are scored together."""
    groups: dict[object, list[int]] = {}
    for i, query in enumerate(queries):
        groups.setdefault(query.content, []).append(i)
    return ((queries[positions[0]], positions) for positions in groups.values())


def check_limits(bench: Bench, variant: Variant) -> None:
    """vLLM refuses limits its model's window does not reach; the reference recipe simply never reaches them."""
    if variant.parity != "vllm":
        return
    window = bench.pool.get(variant.model).window("vllm")
    for name in ("max_tokens_per_query", "max_tokens_per_doc"):
        value = getattr(variant.limits, name)
        if value is not None and value >= window:
            raise RequestInvalid(f"{name} ({value}) must be less than max_model_len ({window}).", where=name)
    if (variant.limits.truncate_prompt_tokens or 0) > window:
        raise RequestInvalid(f"is greater than max_model_len ({window})", where="truncate_prompt_tokens")


def named(error: WorkbenchError, place: str, index: int) -> WorkbenchError:
    """The error with its document's place in front; what is wrong with template or variables is not a document's fault."""
    if error.where.startswith(place) or (
        index == 0 and isinstance(error, TemplateInvalid | RequestInvalid) and error.where
    ):
        return error
    named = copy.copy(error)
    named.where = place if error.where in ("", str(index), "document") else f"{place}, {error.where}"
    return named


# ---------------------------------------------------------------- responses
def rerank_response(
    request: RerankRequest, results: Iterable[ScoreResult], *, details: bool = False
) -> dict[str, JSON]:
    """vLLM's RerankResponse: stable, by falling logit, cut to top_n after sorting; usage is summed over all pairs."""
    results = list(results)
    best = ranking(request.variant, request.query, results).ranked[: request.top_n or None]
    response: dict[str, JSON] = {
        "id": _response_id(request),
        "model": request.variant.model,
        "usage": counted(r.encoding for r in results if r.encoding and r.score),
        "results": [
            {
                "index": r.index,
                "document": request.echoes[r.index],
                "relevance_score": _number(r, request.use_activation),
            }
            for r in best
        ],
    }
    return {**response, **_details(results, request)} if details else response


def score_response(request: ScoreRequest, results: Iterable[ScoreResult], *, details: bool = False) -> dict[str, JSON]:
    """vLLM's ScoreResponse, in the order of the request."""
    results = sorted(results, key=lambda r: r.index)
    response: dict[str, JSON] = {
        "id": _response_id(request),
        "object": "list",
        "created": int(time.time()),
        "model": request.variant.model,
        "data": [
            {"index": r.index, "object": "score", "score": _number(r, request.use_activation)}
            for r in results
            if r.score is not None
        ],
        "usage": usage(r.encoding for r in results if r.encoding and r.score),
    }
    return {**response, **_details(results, request)} if details else response


def error_body(error: WorkbenchError) -> dict[str, JSON]:
    """`{"error": {message, type, param, code}}`."""
    code, kind = STATUS.get(error.kind, (400, "BadRequestError"))
    param = error.where or ("model" if error.kind == "model_unavailable" else None)
    return {"error": {"message": str(error), "type": kind, "param": param, "code": code}}


def _response_id(request: Request) -> str:
    return f"score-{request.request_id or uuid.uuid4().hex}"


def counted(encodings: Iterable[Encoding]) -> dict[str, JSON]:
    tokens = sum(len(e.token_ids) for e in encodings)
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def usage(encodings: Iterable[Encoding]) -> dict[str, JSON]:
    """vLLM's UsageInfo, which all answers but that of /rerank carry."""
    return {**counted(encodings), "completion_tokens": 0, **dict.fromkeys(USAGE_DETAILS)}


def number(score: Score, activated: bool, place: str) -> float:
    """What a caller is told of a score. Raises ScoreFailed, named by its place, where it is no finite number."""
    value = float(score.value if activated else score.logit)
    if not math.isfinite(value):
        raise ScoreFailed("gave no finite score", where=place)
    return value


def _number(result: ScoreResult, activated: bool) -> float:
    assert result.score is not None
    return number(result.score, activated, f"documents[{result.index}]")


def _warnings(results: Iterable[ScoreResult]) -> list[str]:
    return list(warnings(r.encoding for r in results if r.encoding))


def _details(results: Sequence[ScoreResult], request: Request) -> dict[str, JSON]:
    return {"pairs": _pairs(results, request), "warnings": _warnings(results)}


def _pairs(results: Iterable[ScoreResult], request: Request) -> list[JSON]:
    pairs = []
    for r in sorted(results, key=lambda r: r.index):
        logit, score = (_number(r, False), _number(r, request.use_activation)) if r.score else (None, None)
        pair = _pair(r.index, r.encoding, r.error)
        pairs.append({**pair, "logit": logit, "score": score, "error": pair["error"]})
    return pairs


def _pair(index: int, encoding: Encoding | None, error: WorkbenchError | None) -> dict[str, JSON]:
    """One pair in input order; `token_ids` are those that are scored, segments are characters of `prompt`."""
    prompt = encoding.prompt if encoding else None
    segments = prompt.segments if prompt else None
    return {
        "index": index,
        "token_ids": list(encoding.token_ids) if encoding else None,
        "prompt": prompt.text if prompt else None,
        "segments": None if segments is None else [{"kind": s.kind, "start": s.start, "end": s.end} for s in segments],
        "error": error_body(error)["error"] if error else None,
    }
