"""The tokenizer of a served model, asked over HTTP: /tokenize and /detokenize, each question once.

Knows nothing of pairs, templates or scores.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence

from workbench.errors import Busy, ModelUnavailable, PromptInvalid
from workbench.scorers._answers import Tokenized, token_ids
from workbench.scorers._endpoints import Endpoints
from workbench.scorers._names import places, readable
from workbench.scorers._probe import Probe, named
from workbench.types import JSON

DOWN_SECONDS = 2.0
REMEMBERED = 4096  # prompts whose ids are kept


class There:
    """Thread-safe. Raises what the server refuses, and PromptInvalid where it has no /tokenize."""

    def __init__(self, endpoints: Endpoints, found: Probe) -> None:
        self._endpoints, self._probe = endpoints, found
        self._names: dict[int, str] = {}  # as the vocabulary writes tokens
        self._texts: dict[int, str] = {}  # as people read them
        self._seen: OrderedDict[str, Tokenized] = OrderedDict()
        self._written: OrderedDict[tuple[int, ...], str] = OrderedDict()
        self._lock = threading.Lock()
        self._down: tuple[float, ModelUnavailable | Busy | None] = (0.0, None)

    def ids(self, text: str, special: bool) -> Tokenized:
        body = {**named(self._probe.model), "prompt": text, "add_special_tokens": special, "return_token_strs": True}
        return self.rendered(body)

    def rendered(self, body: dict[str, JSON]) -> Tokenized:
        """The ids of any body of /tokenize: two messages, say, as /rerank would render them."""
        if not self._probe.tokenizes:
            raise PromptInvalid("this endpoint has no /tokenize", where="prompt", hint="Serve the model with vLLM.")
        asked = json.dumps(body, sort_keys=True)
        with self._lock:
            if (known := self._seen.get(asked)) is not None:
                self._seen.move_to_end(asked)
                return known
        self._check_up()
        try:
            found = token_ids(self._endpoints.ask("/tokenize", body))
        except (ModelUnavailable, Busy) as error:
            self._down = (time.monotonic() + DOWN_SECONDS, error)
            raise
        with self._lock:
            self._seen[asked] = found
            self._names.update(zip(found.ids, found.names, strict=False))
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def _check_up(self) -> None:
        """A server that was just found down is not waited for again by the next of many rows."""
        until, error = self._down
        if error is not None and time.monotonic() < until:
            raise error

    def text(self, ids: Sequence[int]) -> str:
        asked = tuple(ids)
        with self._lock:
            if (known := self._written.get(asked)) is not None:
                return known
        answer = self._endpoints.ask("/detokenize", {**named(self._probe.model), "tokens": list(ids)})
        with self._lock:
            self._written[asked] = found = str(answer.get("prompt", ""))
            while len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
        return found

    def name(self, token_id: int) -> str:
        return self._names.get(token_id) or self.token(token_id)

    def token(self, token_id: int) -> str:
        if token_id not in self._texts:
            name = self._names.get(token_id)
            self._texts[token_id] = readable(name) if name else self.text([token_id])
        return self._texts[token_id]

    def cut_text(self, text: str, tokens: int) -> str:
        """As vLLM cuts max_tokens_per_*, by the server's own tokens; left to the server where it does not show them."""
        while self._probe.tokenizes:
            found = self.ids(text, False)
            if len(found.ids) <= tokens:
                return text
            spans = places(found.names, text)
            if spans is None:
                hint = "Leave max_tokens_per_query and max_tokens_per_doc out."
                raise PromptInvalid("cannot be cut: the server's tokens do not show their characters", hint=hint)
            shorter = text[: min(spans[tokens - 1][1], spans[tokens][0])] if tokens > 0 else ""
            text = shorter if shorter != text else text[:-1]
        return text
