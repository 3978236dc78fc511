"""A reranker that runs elsewhere: behind vLLM, another workbench, or an endpoint that only has /rerank.

Knows nothing of weights. The server's own template is scored through /rerank, by the server's own recipe (vLLM's). Any other
is rendered here and scored through /classify as ids: tokenized here, by either recipe, where the served model's tokenizer lies
on this disk, else by the server.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from workbench.errors import ModelUnavailable, PromptInvalid, WorkbenchError
from workbench.media import Library
from workbench.scorers import ScorerFacts, Stop, never
from workbench.scorers._answers import Tokenized
from workbench.scorers._borrowed import borrow, family_of
from workbench.scorers._checkpoint import Checkpoint
from workbench.scorers._endpoints import Endpoints, address
from workbench.scorers._explain import HERE, LOCAL, SHOWN, THERE, UNSHOWN, Marked, compared
from workbench.scorers._ids import cut, encoding_of
from workbench.scorers._jobs import Jobs, Own, contents, sampling, sent
from workbench.scorers._names import places
from workbench.scorers._probe import Probe, messages, probe
from workbench.scorers._there import There
from workbench.template import flatten, split_facts
from workbench.types import (
    ContentPart,
    Encoding,
    Family,
    Image,
    Pair,
    Parity,
    Placeholders,
    RenderedPrompt,
    Score,
    ScoreTemplate,
    Text,
)

MARK = "the server's own template"
OWN = f"""{{#- Rendered by the server. Put another template here: the server scores it too, through its /classify. -#}}
{{{{- "{MARK}" -}}}}"""
MEDIA_OWN = "pictures and clips go to the server's own template only, where nothing but the instruction may vary"
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
    """One served model. `special_tokens` and `control_ids` stay empty without its tokenizer here: no server tells them."""

    special_tokens: Mapping[str, str]
    control_ids: frozenset[int]

    def __init__(self, endpoints: Endpoints, found: Probe, families: Mapping[str, Family], library: Library) -> None:
        self.name, self.probe, self._endpoints = endpoints.name, found, endpoints
        self.served = found.root or found.model  # what the server was told to load
        known = family_of((found.root, found.model), families)
        self.family, self._marks = _family(known, found), known.template.placeholders if known else Placeholders()
        self._there = There(endpoints, found)
        textual = replace(self.family, template=ScoreTemplate(OWN))  # no placeholder of a medium ever stands in ids
        self._encoder, self._fault = (
            borrow(self.served, found.window, textual, library, lambda text: self._there.ids(text, True).ids)
            if found.tokenizes
            else (None, "")
        )
        tokens = self._encoder.tokens if self._encoder else None
        self.special_tokens = tokens.special_tokens if tokens else {}
        self.control_ids = tokens.control_ids if tokens else frozenset()
        listwise = not found.tokenizes or (known is not None and LISTWISE in known.architectures)
        self._jobs = Jobs(endpoints, found, library, listwise)
        self._marked = Marked(self._there, found)

    # ------------------------------------------------------------ prompts to ids
    def encode(self, pair: Pair) -> Encoding:
        """One question to /tokenize, unless the same was asked before. Raises what the server or the window refuses."""
        return self._own(pair) if pair.prompts[0].text == MARK else self._other(pair)

    def _own(self, pair: Pair) -> Encoding:
        options = sampling(pair)  # first of all: what one request cannot say is refused
        ignored = () if self.probe.instruction or pair.variables.get("instruction") is None else ("instruction",)
        prompt = RenderedPrompt("", pair.prompts[0].media, None, ignored, self.probe.silence)
        if not self.probe.template:  # it cannot be known what the server makes of the pair
            if prompt.media and not self.probe.tokenizes:
                raise PromptInvalid("this endpoint takes text only", where="media", hint="Serve the model with vLLM.")
            return Own(replace(pair, prompts=(prompt,), parity="vllm"), (), ())
        sides = [self._spelled(self._cut_side(pair, side)) for side in ("query", "document")]
        if any(side is None for side in sides):
            return Own(replace(pair, prompts=(prompt,), parity="vllm"), (), ())
        query, document = (contents(side or (), self._jobs.library) for side in sides)
        body = messages(self.probe.model, query, document, sent(pair, ignored))
        if options:
            body["mm_processor_kwargs"] = options
        found = self._there.rendered(body)
        text = self._there.text(found.ids)
        asked = replace(pair, prompts=(replace(prompt, text=text),), parity="vllm")  # the server's recipe, whatever was asked
        return self._finished(Own(asked, found.ids, _spans(found, text)))

    def _spelled(self, content: Sequence[ContentPart]) -> Sequence[ContentPart] | None:
        """A side with its placeholders written into its text, so that vLLM's /tokenize adds none of its own, and no line break
        behind them; None where it is not known how this model writes them."""
        media = [part for part in content if not isinstance(part, Text)]
        if not self.probe.breaks or not media or len(media) == len(content):
            return content
        if not all(self._marks.image if isinstance(part, Image) else self._marks.video for part in media):
            return None
        return [*media, Text(flatten(content, self._marks, "vllm")[0])]

    def _cut_side(self, pair: Pair, side: str) -> Sequence[ContentPart]:
        content = pair.query.content if side == "query" else pair.document.content
        most = pair.limits.max_tokens_per_query if side == "query" else pair.limits.max_tokens_per_doc
        if most is None or not all(isinstance(p, Text) for p in content):
            return content
        return [Text(self.cut_text("\n".join(p.text for p in content if isinstance(p, Text)), most))]

    def _other(self, pair: Pair) -> Encoding:
        if pair.prompts[0].media:
            hint = f"{MEDIA_OWN[0].upper()}{MEDIA_OWN[1:]}: {OWN.splitlines()[-1]}"
            raise PromptInvalid("media cannot be sent to a server as token ids", where="template", hint=hint)
        if not self.probe.classifies:
            raise PromptInvalid(
                "this server scores its own template only: it has no /classify for token ids", where="template",
                hint=f"Use {OWN.splitlines()[-1]}",
            )  # fmt: skip
        text = pair.prompts[0].text
        if not text:
            raise PromptInvalid("is empty", where="prompt", hint="The template must insert the query and the document.")
        if self._encoder is not None:
            return self._encoder.encode(pair)
        found = self._there.ids(text, True)
        return self._finished(Encoding(replace(pair, parity="vllm"), found.ids, _spans(found, text)))

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

    # ------------------------------------------------------------ for somebody who looks at it
    def explain(self, encoding: Encoding) -> tuple[Encoding, tuple[str, ...]]:
        """Raises what the server refuses. See `scorers.Explains`."""
        if isinstance(encoding, Own):
            shown = bool(encoding.token_ids)
            return (self._marked.found(encoding) if shown else encoding), (SHOWN if shown else UNSHOWN,)
        said = [HERE.format(who=LOCAL if self._encoder else THERE)]
        pair, ids = encoding.pair, encoding.token_ids
        if self._encoder and not encoding.neutralised and encoding.cut is None:
            theirs = self._there.ids(pair.prompts[0].text, True).ids
            said.append(compared(ids, theirs, "The server's /tokenize", self.token))
        if self.probe.template and (own := self._own(pair).token_ids):
            said.append(compared(ids, own, "The server's own template", self.token))
        return encoding, tuple(said)

    def text_only(self, template: ScoreTemplate) -> str:
        if not self.probe.tokenizes:
            return "this endpoint takes text only"
        return "" if _body(template) == _body(self.family.template) else MEDIA_OWN

    # ------------------------------------------------------------ prompts that come as they are
    def tokenize(self, text: str, special: bool = True) -> list[int]:
        return list(self._there.ids(text, special).ids)

    def token_names(self, ids: Sequence[int]) -> list[str]:
        return [self._there.name(i) for i in ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        return self._there.text(ids)

    def from_ids(self, ids: Sequence[int]) -> Encoding:
        if not self.probe.classifies:
            raise PromptInvalid("cannot be scored: this server has no /classify for token ids", where=self.name)
        return encoding_of(ids, self.probe.window, 1 << 62)  # what is no token the server says itself

    def cut_text(self, text: str, tokens: int) -> str:
        return self._encoder.tokens.cut_text(text, tokens) if self._encoder else self._there.cut_text(text, tokens)

    def token(self, token_id: int) -> str:
        return self._encoder.tokens.text(token_id) if self._encoder else self._there.token(token_id)

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
        note = " ".join((*self.probe.faults, *filter(None, [self._fault]), *self._jobs.notes()))
        return ScorerFacts("remote", server + many, 0, True, 0.0, note)

    def sleep(self) -> None:
        """Nothing to give back."""

    def forget(self) -> None:
        """Nothing is remembered here."""


def _spans(found: Tokenized, text: str) -> tuple[tuple[int, int], ...]:
    return (places(found.names, text) if found.names else None) or ((0, 0),) * len(found.ids)


def _body(template: ScoreTemplate) -> str:
    return split_facts(template.body)[1].strip()


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
