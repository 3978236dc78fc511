"""A reranker that runs elsewhere: behind vLLM, another workbench, or an endpoint that only has /rerank.

Knows nothing of weights. The server's own template is scored through /rerank; any other is rendered here, tokenized by the
server and scored through /classify as ids. The recipe is the server's own (vLLM's), whatever the target says.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from workbench.media import Library
from workbench.scorers import ScorerFacts, Stop, never
from workbench.scorers._answers import Tokenized, token_ids
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._endpoints import Endpoints, address
from workbench.scorers._ids import cut, encoding_of
from workbench.scorers._jobs import Jobs, Own, contents
from workbench.scorers._names import places, readable
from workbench.scorers._probe import Probe, messages, named, probe
from workbench.types import (
    JSON,
    Busy,
    ContentPart,
    Encoding,
    Family,
    ModelUnavailable,
    Pair,
    Parity,
    Placeholders,
    PromptInvalid,
    RenderedPrompt,
    Score,
    ScoreTemplate,
    Text,
    WorkbenchError,
)

MARK = "the server's own template"
OWN = f"""{{#- Rendered by the server. Put another template here: the server scores it too, through its /classify. -#}}
{{{{- "{MARK}" -}}}}"""
DOWN_SECONDS = 2.0
REMEMBERED = 4096  # prompts whose ids are kept
LISTWISE = "JinaForRanking"  # one prompt for all documents: a score depends on the whole set


def load(checkpoint: Checkpoint, library: Library, *, device: str = "auto", dtype: str = "auto") -> Remote:
    """A family that names this score type cannot be opened from a folder. Raises ModelUnavailable."""
    hint = "Serve it with vLLM and give the server's address as the model."
    raise ModelUnavailable("runs on a server only", where=checkpoint.name, hint=hint)


def open_remote(urls: Sequence[str], key: str, families: Mapping[str, Family], library: Library) -> Remote:
    """The model behind these addresses, which all serve the same. Raises RequestInvalid or ModelUnavailable."""
    endpoints = Endpoints([address(u) for u in urls], key)
    return Remote(endpoints, probe(endpoints), families, library)


class Remote:
    """One served model. `special_tokens` and `control_ids` stay empty: no server tells them."""

    special_tokens: Mapping[str, str]
    control_ids: frozenset[int]

    def __init__(self, endpoints: Endpoints, found: Probe, families: Mapping[str, Family], library: Library) -> None:
        self.name, self.probe, self._endpoints = endpoints.name, found, endpoints
        self.served = found.root or found.model  # what the server was told to load
        known = next((f for f in families.values() if {found.root, found.model} & set(f.models)), None)
        self.family = _family(known, found)
        self.special_tokens, self.control_ids = {}, frozenset()
        listwise = not found.tokenizes or (known is not None and LISTWISE in known.architectures)
        self._jobs = Jobs(endpoints, found, library, listwise)
        self._names: dict[int, str] = {}  # as the vocabulary writes tokens
        self._texts: dict[int, str] = {}  # as people read them
        self._seen: OrderedDict[str, Tokenized] = OrderedDict()
        self._lock = threading.Lock()
        self._down: tuple[float, ModelUnavailable | Busy | None] = (0.0, None)

    # ------------------------------------------------------------ prompts to ids
    def encode(self, pair: Pair) -> Encoding:
        """One question to /tokenize, unless the same was asked before. Raises what the server or the window refuses."""
        return self._own(pair) if pair.prompts[0].text == MARK else self._other(pair)

    def _own(self, pair: Pair) -> Encoding:
        ignored = () if self.probe.instruction or pair.variables.get("instruction") is None else ("instruction",)
        prompt = RenderedPrompt("", pair.prompts[0].media, None, ignored, self.probe.silence)
        if not self.probe.template:  # it cannot be known what the server makes of the pair
            if prompt.media and not self.probe.tokenizes:
                raise PromptInvalid("this endpoint takes text only", where="media", hint="Serve the model with vLLM.")
            return Own(replace(pair, prompts=(prompt,)), (), ())
        query, document = (contents(self._cut_side(pair, side), self._jobs.library) for side in ("query", "document"))
        variables = {k: v for k, v in pair.variables.items() if k != "instruction" or (v is not None and not ignored)}
        body = messages(self.probe.model, query, document, variables)
        if pair.media_options:
            body["mm_processor_kwargs"] = dict(pair.media_options)
        found = self._tokenize(body)
        text = self.detokenize(found.ids)
        return self._finished(Own(replace(pair, prompts=(replace(prompt, text=text),)), found.ids, _spans(found, text)))

    def _cut_side(self, pair: Pair, side: str) -> Sequence[ContentPart]:
        content = pair.query.content if side == "query" else pair.document.content
        most = pair.limits.max_tokens_per_query if side == "query" else pair.limits.max_tokens_per_doc
        if most is None or not all(isinstance(p, Text) for p in content):
            return content
        return [Text(self.cut_text("\n".join(p.text for p in content if isinstance(p, Text)), most))]

    def _other(self, pair: Pair) -> Encoding:
        if pair.prompts[0].media:
            hint = f"Only its own template can be scored with pictures or clips: {OWN.splitlines()[-1]}"
            raise PromptInvalid("media cannot be sent to a server as token ids", where="template", hint=hint)
        if not self.probe.classifies:
            raise PromptInvalid(
                "this server scores its own template only: it has no /classify for token ids", where="template",
                hint=f"Use {OWN.splitlines()[-1]}",
            )  # fmt: skip
        text = pair.prompts[0].text
        if not text:
            raise PromptInvalid("is empty", where="prompt", hint="The template must insert the query and the document.")
        found = self._ask_ids(text, True)
        return self._finished(Encoding(pair, found.ids, _spans(found, text)))

    def _finished(self, encoding: Encoding) -> Encoding:
        """vLLM's order: the asked cut first, then the window."""
        limits, n = encoding.pair.limits, len(encoding.token_ids)
        limit = self.probe.window if limits.truncate_prompt_tokens == -1 else limits.truncate_prompt_tokens
        if limit is not None and n > limit:
            encoding = cut(encoding, limit)
        window = min(self.probe.window, limits.max_length or self.probe.window)
        if len(encoding.token_ids) > window:
            raise PromptInvalid(
                f"is {n} tokens long, and the server's window is {window}", where="prompt",
                hint="Shorten the document or set truncate_prompt_tokens.",
            )  # fmt: skip
        return encoding

    # ------------------------------------------------------------ prompts that come as they are
    def tokenize(self, text: str, special: bool = True) -> list[int]:
        return list(self._ask_ids(text, special).ids)

    def token_names(self, ids: Sequence[int]) -> list[str]:
        return [self._names.get(i) or self.token(i) for i in ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        answer = self._endpoints.ask("/detokenize", {**named(self.probe.model), "tokens": list(ids)})
        return str(answer.get("prompt", ""))

    def from_ids(self, ids: Sequence[int]) -> Encoding:
        if not self.probe.classifies:
            raise PromptInvalid("cannot be scored: this server has no /classify for token ids", where=self.name)
        return encoding_of(ids, self.probe.window, 1 << 62)  # what is no token the server says itself

    def _ask_ids(self, text: str, special: bool) -> Tokenized:
        body = {**named(self.probe.model), "prompt": text, "add_special_tokens": special, "return_token_strs": True}
        return self._tokenize(body)

    def _tokenize(self, body: dict[str, JSON]) -> Tokenized:
        if not self.probe.tokenizes:
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

    def cut_text(self, text: str, tokens: int) -> str:
        """As vLLM cuts max_tokens_per_*, by the server's own tokens; left to the server where it does not show them."""
        while self.probe.tokenizes:
            found = self._ask_ids(text, False)
            if len(found.ids) <= tokens:
                return text
            spans = places(found.names, text)
            if spans is None:
                hint = "Leave max_tokens_per_query and max_tokens_per_doc out."
                raise PromptInvalid("cannot be cut: the server's tokens do not show their characters", hint=hint)
            shorter = text[: min(spans[tokens - 1][1], spans[tokens][0])] if tokens > 0 else ""
            text = shorter if shorter != text else text[:-1]
        return text

    def token(self, token_id: int) -> str:
        if token_id not in self._texts:
            name = self._names.get(token_id)
            self._texts[token_id] = readable(name) if name else self.detokenize([token_id])
        return self._texts[token_id]

    # ------------------------------------------------------------ scores
    def score(self, batch: Sequence[Encoding], stop: Stop = never) -> Iterator[tuple[int, Score | WorkbenchError]]:
        """Yields (position in the batch, score or the row's error) as the servers answer."""
        for i, number in self._jobs.numbers(batch, stop):
            yield i, number if isinstance(number, WorkbenchError) else self._score(number, batch[i])

    def _score(self, number: float, encoding: Encoding) -> Score:
        route = self._endpoints.addresses[0].rerank if isinstance(encoding, Own) else "/classify"
        value = _sigmoid(number) if self.probe.activation == "sigmoid" else number
        return Score(number, value, {"through": route})

    def window(self, parity: Parity) -> int:
        return self.family.max_length

    def facts(self) -> ScorerFacts:
        server = f"server {self.probe.version}".rstrip()
        many = f" ({len(self._endpoints.addresses)} endpoints)" if len(self._endpoints.addresses) > 1 else ""
        note = " ".join((*self.probe.faults, *self._jobs.notes()))
        return ScorerFacts("remote", server + many, 0, True, 0.0, note)

    def sleep(self) -> None:
        """Nothing to give back."""


def _spans(found: Tokenized, text: str) -> tuple[tuple[int, int], ...]:
    return (places(found.names, text) if found.names else None) or ((0, 0),) * len(found.ids)


def _family(known: Family | None, found: Probe) -> Family:
    """The family that lists the served model, else one that knows nothing; its template is the server's own."""
    template = ScoreTemplate(OWN, Placeholders("⟦image⟧", "⟦video⟧"))  # they never reach a server
    family = known or Family("served", "vllm", template)
    return replace(
        family, scorer="vllm", template=template, source=OWN, max_length=found.window or family.max_length,
        instruction="template" if found.instruction else "none",
    )  # fmt: skip


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
