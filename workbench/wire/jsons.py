"""Strict JSON: what a body may be made of before anyone looks at its fields.

Knows nothing of vLLM, documents or scores.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from workbench.errors import RequestInvalid
from workbench.types import JSON

MAX_BODY = 64_000_000  # bytes
MAX_DEPTH = 64
MAX_VALUES = 500_000  # a thousand documents of dozens of parts stay far below


def parse(raw: bytes | str) -> JSON:
    """UTF-8 JSON without NaN, infinities, lone surrogates or NUL, at most MAX_DEPTH deep. Raises RequestInvalid."""
    if len(raw) > MAX_BODY:
        raise RequestInvalid(f"the body has {len(raw):,} bytes; at most {MAX_BODY:,} are taken")
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_not_a_number)
    except RecursionError:
        raise RequestInvalid(f"the body is nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:  # bad UTF-8, bad JSON, an integer of thousands of digits
        raise RequestInvalid(f"the body is not JSON: {error}") from None
    check(value)
    return value


def check(value: JSON) -> None:
    """Walks every value of a body; raises RequestInvalid at the first that no prompt or number can be made of."""
    todo, seen = [(value, 0)], 0
    while todo:
        item, depth = todo.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise RequestInvalid("the body has a number that is not finite")
        elif isinstance(item, dict | list):
            seen += len(item)
            if depth >= MAX_DEPTH or seen > MAX_VALUES:
                raise RequestInvalid(
                    f"the body is nested deeper than {MAX_DEPTH} or has more than {MAX_VALUES:,} values"
                )
            if isinstance(item, dict):
                todo += ((key, depth) for key in item)
                item = list(item.values())
            todo += ((inner, depth + 1) for inner in item)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise RequestInvalid("the body has a text with a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestInvalid(f"the body has a text with a lone surrogate, U+{ord(text[error.start]):04X}") from None


def _not_a_number(name: str) -> NoReturn:
    raise RequestInvalid(f"the body has {name}, which is not JSON")
