"""What check.py asks of a server: scores, counts and ids in vLLM's words, or scores in SGLang's or text-embeddings-inference's.

Knows nothing of causes or bundles. Standard library only: it goes out as a part of check.py.
"""

from __future__ import annotations

import contextlib
import json
import math
import urllib.error
import urllib.request
from typing import Any

SECONDS = 120


class Unanswered(Exception):
    """The server cannot be asked, or refuses. `status` is 0 where there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """One address. Neither proxies nor redirects: a key goes where it was meant to go.

    `texts`: it speaks text-embeddings-inference's /rerank; `counted`: tokens of the last answer, where its headers tell.
    `route`: where it ranks; `listed`: it answers with a bare list, as SGLang does.
    """

    route, listed = "/rerank", False

    def __init__(self, address: str, key: str = "") -> None:
        self.address, self.key, self.texts, self.counted = address.rstrip("/"), key, False, ""
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())

    def ask(self, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        try:
            request = urllib.request.Request(self.address + path, body and json.dumps(body).encode(), headers)
            with self.opener.open(request, timeout=SECONDS) as answer:
                self.counted = answer.headers.get("x-compute-tokens") or ""
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise Unanswered(f"{path} answers {error.code}: {error.read(300).decode('utf-8', 'replace')}", error.code) from error
        except (OSError, ValueError) as error:
            raise Unanswered(f"{self.address}{path} cannot be asked ({error})") from error


def named(model: str, **body: Any) -> dict[str, Any]:
    return {**({"model": model} if model else {}), **body}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def model_of(server: Server) -> tuple[str, str]:
    """(name to ask with, what it was loaded from): the first the server lists."""
    with contextlib.suppress(Unanswered, KeyError, TypeError):
        info = server.ask("/info")  # text-embeddings-inference
        server.texts = bool(info["max_client_batch_size"])
        return "", str(info["model_id"])
    with contextlib.suppress(Unanswered, KeyError, IndexError, TypeError):
        card = server.ask("/v1/models")["data"][0]
        return str(card["id"]), str(card.get("root") or "")
    return "", ""


def shows_ids(server: Server, model: str) -> bool:
    with contextlib.suppress(Unanswered, KeyError, TypeError):
        return bool(server.ask("/tokenize", named(model, prompt="q"))["tokens"])
    return False


def find_route(server: Server, model: str) -> None:
    """Where the server ranks, and in whose words. Raises Unanswered where it does not.

    vLLM serves /rerank and /v1/rerank, SGLang the second alone.
    """
    body = {"query": "q", "documents": ["d"]}
    try:
        rerank(server, model, body)
    except Unanswered as error:
        if server.texts or error.status not in (404, 405):
            raise
        server.route = "/v1/rerank"
        rerank(server, model, body)


def rerank(server: Server, model: str, request: dict[str, Any]) -> tuple[float, int | None]:
    """The logit of a request's one document (a probability where a server gives no other), and how many tokens it counted."""
    if server.texts:
        body = {"query": request["query"], "texts": request["documents"], "raw_scores": True, "truncate": False}
        return float(server.ask("/rerank", body)[0]["score"]), int(server.counted) if server.counted else None
    word = {"instruct": request["instruction"]} if server.listed and request.get("instruction") else {}
    answer = server.ask(server.route, {**named(model, **request), "use_activation": False, **word})
    if isinstance(answer, list):
        server.listed = True
        return float(answer[0]["score"]), (answer[0].get("meta_info") or {}).get("prompt_tokens")
    return float(answer["results"][0]["relevance_score"]), (answer.get("usage") or {}).get("prompt_tokens")


def replay(server: Server, model: str, row: dict[str, Any], shows: bool) -> dict[str, Any]:
    """What the server makes of one golden pair: `ids` (None where it does not show them), `tokens` it counted, `logit`."""
    request = row["request"]
    try:
        logit, tokens = rerank(server, model, request)
    except Unanswered as error:
        if error.status in (400, 413, 422):  # this pair, and not the server
            return {"ids": None, "tokens": None, "logit": math.nan, "refused": str(error)}
        raise
    found: dict[str, Any] = {"ids": None, "tokens": tokens, "logit": logit}
    if shows and not server.listed and "truncate_prompt_tokens" not in request:
        sides = [request["query"], request["documents"][0]]
        contents = [side["content"] if isinstance(side, dict) else side for side in sides]
        given = {"instruction": request["instruction"]} if "instruction" in request else {}
        messages = [{"role": role, "content": c} for role, c in zip(("query", "document"), contents, strict=True)]
        sampled = {name: request[name] for name in ("mm_processor_kwargs",) if name in request}
        flags = {"add_special_tokens": True, "add_generation_prompt": False, "chat_template_kwargs": given, **sampled}
        with contextlib.suppress(Unanswered, KeyError, TypeError):
            found["ids"] = server.ask("/tokenize", named(model, messages=messages, **flags))["tokens"]
    return found


def ids_of(server: Server, model: str, text: str) -> list[int]:
    """A text's ids with nothing around them."""
    if server.texts:
        (tokens,) = server.ask("/tokenize", {"inputs": text, "add_special_tokens": False})
        return [token["id"] for token in tokens]
    return list(server.ask("/tokenize", named(model, prompt=text, add_special_tokens=False))["tokens"])
