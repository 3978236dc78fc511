"""What a server can do, found out by asking it: version, model, template, instruction, activation, routes.

Knows nothing of how its answers are used later; each lack is a sentence with its fix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workbench.errors import ModelUnavailable, ScoreFailed
from workbench.scorers._answers import classified, reranked, token_ids
from workbench.scorers._endpoints import Endpoints, Refused
from workbench.types import JSON

SHORT, LONG = "a", "an instruction that is clearly longer than the other one"
Activation = Literal["sigmoid", "none"]


@dataclass(frozen=True, slots=True)
class Probe:
    """`window` in tokens, 0 where unknown. `template`: what /tokenize shows of two messages is what /rerank scores.

    `activation` none: the number is shown as the server gives it, and ranked by.
    """

    version: str
    model: str
    root: str
    window: int
    tokenizes: bool
    classifies: bool
    template: bool
    instruction: bool
    activation: Activation
    faults: tuple[str, ...] = ()
    silence: str = ""  # why an instruction changes nothing, where it does not
    breaks: bool = False  # its /tokenize puts a line break between a side's media and text, which its /rerank does not


@dataclass(frozen=True, slots=True)
class _Said:
    """One pair through /rerank: its number, and the tokens the server counted (None where it does not say)."""

    number: float
    tokens: int | None


def probe(endpoints: Endpoints) -> Probe:
    """Asks the first server about ten small questions. Raises ModelUnavailable where it is no reranker at all."""
    version = str((_get(endpoints, "/version") or {}).get("version") or "")
    model, root, owner = _model(endpoints)
    raw = _rerank(endpoints, model, SHORT, use_activation=False)
    longer = _rerank(endpoints, model, LONG, use_activation=False)
    shown = _rerank(endpoints, model, SHORT)
    honoured = raw.tokens != longer.tokens if raw.tokens is not None else raw.number != longer.number
    window = _window(endpoints, model)
    plain, short, long = (_rendered(endpoints, model, v) if window else [] for v in (None, SHORT, LONG))
    ids = short if honoured else plain  # what /rerank must have scored
    template = bool(ids) and len(ids) == raw.tokens
    classifies = window > 0 and _classify(endpoints, model, ids or [1], raw.number if template else None)
    faults = (
        *_template_faults(window > 0, template, honoured, len(short) != len(long)),
        *_classify_faults(window > 0, classifies),
        *_activation_faults(raw.number, shown.number),
    )
    activation: Activation = "sigmoid" if _is_sigmoid(raw.number, shown.number) else "none"
    silence = "" if honoured else _silence(window > 0, len(short) != len(long))
    return Probe(
        version, model, root, window, window > 0, classifies, template, honoured, activation, faults, silence, owner == "vllm"
    )  # fmt: skip


# ---------------------------------------------------------------- what is asked
def _get(endpoints: Endpoints, path: str) -> Mapping[str, JSON] | None:
    try:
        return endpoints.ask(path)
    except (Refused, ScoreFailed):  # not there, or not in a shape we know: the questions that matter come later
        return None


def _model(endpoints: Endpoints) -> tuple[str, str, str]:
    """(name to ask with, what it was loaded from, who serves it): the address's own choice, else the first that is listed."""
    wanted = endpoints.addresses[0].model
    listed = (_get(endpoints, "/v1/models") or {}).get("data")
    cards = [c for c in listed if isinstance(c, dict) and isinstance(c.get("id"), str)] if isinstance(listed, list) else []
    if wanted and cards and wanted not in (names := [c["id"] for c in cards]):
        raise ModelUnavailable(f"does not serve {wanted!r}", where=endpoints.name, hint=f"It serves: {', '.join(names)}.")
    card = next((c for c in cards if c["id"] == wanted), cards[0] if cards else {"id": wanted})
    return wanted or str(card["id"]), str(card.get("root") or card["id"]), str(card.get("owned_by"))


def _rerank(endpoints: Endpoints, model: str, instruction: str, **fields: JSON) -> _Said:
    body = {**named(model), "query": "q", "documents": ["d"], "instruction": instruction, **fields}
    try:
        answer = endpoints.ask(endpoints.addresses[0].rerank, body)
        (number,), tokens = reranked(answer, 1)
    except (Refused, ScoreFailed) as error:
        hint = "Serve a reranker: `vllm serve MODEL --runner pooling …`. A model is named behind the address: URL#MODEL."
        raise ModelUnavailable(f"serves no reranker: {error.message}", where=endpoints.name, hint=hint) from error
    return _Said(number, tokens)


def named(model: str) -> dict[str, JSON]:
    return {"model": model} if model else {}


def _window(endpoints: Endpoints, model: str) -> int:
    """The longest prompt in tokens; 0: there is no /tokenize."""
    try:
        return token_ids(endpoints.ask("/tokenize", {**named(model), "prompt": "q"})).window
    except (Refused, ScoreFailed):
        return 0


def _rendered(endpoints: Endpoints, model: str, instruction: str | None) -> list[int]:
    """The ids of the pair as /tokenize shows it; none where no template is loaded."""
    variables = {} if instruction is None else {"instruction": instruction}
    try:
        return list(token_ids(endpoints.ask("/tokenize", messages(model, "q", "d", variables))).ids)
    except (Refused, ScoreFailed):
        return []


def messages(model: str, query: JSON, document: JSON, variables: Mapping[str, JSON]) -> dict[str, JSON]:
    """The body that makes /tokenize show what /rerank renders; a side is a text or `{"content": [parts]}`."""
    query, document = (side["content"] if isinstance(side, dict) else side for side in (query, document))
    return {
        **named(model),
        "messages": [{"role": "query", "content": query}, {"role": "document", "content": document}],
        "add_special_tokens": True,
        "add_generation_prompt": False,
        "return_token_strs": True,
        "chat_template_kwargs": dict(variables),
    }


def _classify(endpoints: Endpoints, model: str, ids: list[int], expected: float | None) -> bool:
    """Whether /classify scores ids; where the ids are known to be /rerank's, whether it gives the same number."""
    try:
        (number,) = classified(endpoints.ask("/classify", {**named(model), "input": [ids], "use_activation": False}), 1)
    except (Refused, ScoreFailed):
        return False
    return expected is None or math.isclose(number, expected, rel_tol=1e-2, abs_tol=1e-2)


# ---------------------------------------------------------------- what it means
def _template_faults(tokenizes: bool, template: bool, honoured: bool, reads: bool) -> list[str]:
    if not tokenizes:
        lost = "" if honoured else " An instruction changes nothing there."
        return [f"It has only /rerank: prompts cannot be shown.{lost} Serve the model with vLLM to see and change them."]
    if not template:
        return ["It has no score template loaded: start it with --chat-template template.jinja (Export writes one)."]
    if honoured:
        return []
    if reads:
        return ["It drops the field `instruction`, as vLLM does below 0.22: upgrade it."]
    return ["Its template does not read `instruction`: start it with a --chat-template that does."]


def _silence(tokenizes: bool, reads: bool) -> str:
    if not tokenizes:
        return "this endpoint takes none"
    return "the server drops it, as vLLM does below 0.22" if reads else "the server's template never reads it"


def _classify_faults(tokenizes: bool, classifies: bool) -> list[str]:
    if classifies or not tokenizes:
        return []
    return ["It has no /classify that scores token ids as /rerank scores them: only its own template can be scored."]


def _is_sigmoid(raw: float, shown: float) -> bool:
    return raw != shown and math.isclose(1 / (1 + math.exp(-max(-80.0, min(80.0, raw)))), shown, abs_tol=2e-3)


def _activation_faults(raw: float, shown: float) -> list[str]:
    if raw == shown or _is_sigmoid(raw, shown):
        return []
    return ["Its activation is no sigmoid: numbers are shown as it gives them without one."]
