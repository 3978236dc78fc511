"""Answers of /rerank, /classify and /tokenize, checked field by field: numbers come out, or an error that names the field.

Knows nothing of who was asked, or of what for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from workbench.errors import ScoreFailed
from workbench.types import JSON


@dataclass(frozen=True, slots=True)
class Tokenized:
    """`names`: each token as the vocabulary writes it; empty where the server does not say."""

    ids: tuple[int, ...]
    names: tuple[str, ...]
    window: int


def reranked(answer: Mapping[str, JSON], count: int) -> tuple[list[float], int | None]:
    """(number of each document in the order they were sent, tokens the server counted). Raises ScoreFailed."""
    results = _list(answer, "results", count)
    numbers: dict[int, float] = {}
    for i, result in enumerate(results):
        place = f"results[{i}]"
        index = _field(result, "index", place)
        if type(index) is not int or not 0 <= index < count or index in numbers:
            _wrong(f"{place}.index", f"a number of its own below {count}", index)
        numbers[index] = _finite(_field(result, "relevance_score", place), f"{place}.relevance_score")
    usage = answer.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return [numbers[i] for i in range(count)], tokens if type(tokens) is int and tokens > 0 else None


def classified(answer: Mapping[str, JSON], count: int) -> list[float]:
    """The one number of each prompt. Raises ScoreFailed, for a model of several classes too."""
    numbers: list[float] = []
    for i, item in enumerate(_list(answer, "data", count)):
        place = f"data[{i}]"
        if _field(item, "index", place) != i:
            _wrong(f"{place}.index", str(i), item["index"])
        probs = _field(item, "probs", place)
        if not isinstance(probs, list) or len(probs) != 1:
            _wrong(f"{place}.probs", "one number, as a reranker has", probs)
        numbers.append(_finite(probs[0], f"{place}.probs[0]"))
    return numbers


def token_ids(answer: Mapping[str, JSON]) -> Tokenized:
    """What /tokenize answers. Raises ScoreFailed."""
    ids, names, window = answer.get("tokens"), answer.get("token_strs"), answer.get("max_model_len")
    if not isinstance(ids, list) or not all(type(i) is int and i >= 0 for i in ids):
        _wrong("tokens", "a list of token ids", ids)
    if answer.get("count") != len(ids):
        _wrong("count", str(len(ids)), answer.get("count"))
    if type(window) is not int or window <= 0:
        _wrong("max_model_len", "a number of tokens", window)
    known = isinstance(names, list) and len(names) == len(ids) and all(isinstance(n, str) for n in names)
    return Tokenized(tuple(ids), tuple(names) if known and isinstance(names, list) else (), window)


def _list(answer: Mapping[str, JSON], name: str, count: int) -> Sequence[JSON]:
    found = answer.get(name)
    if not isinstance(found, list) or len(found) != count:
        _wrong(name, f"a list of {count}", f"{len(found)} entries" if isinstance(found, list) else found)
    return found


def _field(item: JSON, name: str, place: str) -> JSON:
    if not isinstance(item, dict) or name not in item:
        _wrong(place, f"an object with {name!r}", item)
    return item[name]


def _finite(value: JSON, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _wrong(place, "a finite number", value)
    return float(value)


def _wrong(place: str, expected: str, found: object) -> NoReturn:
    raise ScoreFailed(f"the server's answer has {str(found)[:80]!r} for {place} where {expected} is expected")
