"""Draws which recipe a prompt follows and where the other one would part from it, in one line.

Knows nothing of Gradio or of how either prompt came about.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.errors import WorkbenchError
from workbench.recipes import parting, same_pixels
from workbench.types import Encoding, Parity
from workbench.ui.figures import count, esc, sentence, shorten

NAMES: dict[Parity, str] = {"reference": "as the reference", "vllm": "as vLLM"}
OTHER: dict[Parity, Parity] = {"reference": "vllm", "vllm": "reference"}
WORDS = 24  # characters of a token


def recipe_html(
    target: Parity, here: Encoding, there: Encoding | WorkbenchError | None, token: Callable[[int], str], sharpness: float = 1
) -> str:  # fmt: skip
    """`there`: the same pair by the other recipe; None where it was not asked for. `sharpness` is a family's temperature."""
    followed = here.pair.parity
    if followed != target:
        return _line(
            followed, "", f"Scored {NAMES[followed]}, whatever the target says: the server follows its own recipe."
        )
    name = NAMES[OTHER[followed]]
    if there is None:
        said, mark = f"not compared with the prompt {name}: it is long", ""
    elif isinstance(there, WorkbenchError):
        said, mark = f"{name} it could not be scored: {sentence(there)}", "error"
    elif there.pair.parity == followed:
        said, mark = "the server follows its own recipe under either target", "same"
    else:
        said, mark = _difference(here, there, name, token, sharpness)
    return _line(followed, mark, f"Prompt {NAMES[followed]}; {said}{'' if said.endswith('.') else '.'}")


def _difference(
    here: Encoding, there: Encoding, name: str, token: Callable[[int], str], sharpness: float
) -> tuple[str, str]:
    at = parting(here, there)
    if at is not None:
        a, b = (_token(i, token) for i in (at.here, at.there))
        length = len(there.token_ids) - len(here.token_ids)
        many = f", {count(abs(length), 'token')} {'more' if length > 0 else 'fewer'} in all" if length else ""
        return f"{name} it parts at <b>token_ids[{at.at}]</b>: {b} instead of {a}{many}", str(at.at)
    if not same_pixels(here, there):
        return f"{name} the ids are the same and the pixels are not: pictures or frames are taken otherwise", "pixels"
    if sharpness != 1:
        return f"{name} the tokens and the order are the same; values differ, since vLLM knows no temperature", "value"
    return f"{name} every token is the same", "same"


def _token(token_id: int | None, token: Callable[[int], str]) -> str:
    if token_id is None:
        return "the end"
    text = repr(shorten(token(token_id), WORDS))[1:-1].replace("\\n", "↵").replace("\\t", "⇥")
    return f'<code translate="no">{esc(text)}</code> ({token_id})'


def _line(followed: Parity, mark: str, said: str) -> str:
    """`mark`: "same", or what differs; a position where it is a token."""
    return f'<p class="recipe" data-recipe="{followed}" data-parts="{mark}">{said}</p>'
