"""Draws the notice that a question lies outside a small model's world, and the real models that could answer it.

Knows nothing of Gradio or of how foreign content is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.ui.figures import count, esc, shorten

NAMED = 3  # documents that are called by their labels
WORDS = 5  # unknown words that are told


@dataclass(frozen=True, slots=True)
class Foreign:
    """What lies outside: the query, the instruction of these sides, these documents as (id, label).

    `words`: what the model does not know of the query and the instructions.
    """

    query: bool = False
    sides: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    documents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A real model. `parameters` in billions, counted from the published configuration; `media`: reads pictures and clips."""

    name: str
    parameters: float
    media: bool


OFFERS = (
    Offer("Qwen/Qwen3-Reranker-0.6B", 0.596, False),
    Offer("Qwen/Qwen3-VL-Reranker-2B", 2.128, True),
    Offer("Qwen/Qwen3-VL-Reranker-8B", 8.767, True),
)


def foreign_html(model: str, saw: str, found: Foreign, offers: Sequence[Offer]) -> str:
    """What is foreign, what the model saw instead, and what to choose. "" where nothing is foreign."""
    things = _things(found)
    if not things:
        return ""
    marks = [*(["query"] if found.query else []), *found.sides, *(name for name, _ in found.documents)]
    verb = "is" if len(things) == 1 and len(found.documents) < 2 and len(found.sides) < 2 else "are"
    buttons = "".join(map(_offer, offers))
    return (
        f'<div class="abroad" data-say="status" data-foreign="{esc(" ".join(marks))}"><div>'
        f"<b>{_capital(_joined(things))} {verb} outside what {esc(shorten(model, 28))} knows</b>: do not trust these scores. "
        f'{_unknown(found.words)}<span class="muted">All it ever saw: {esc(saw.rstrip("."))}.</span></div>'
        + (f'<div class="offers"><span>Models for real work:</span>{buttons}</div>' if buttons else "")
        + "</div>"
    )


def _things(found: Foreign) -> list[str]:
    things = ["the query"] if found.query else []
    if found.sides:
        things.append("both instructions" if len(found.sides) == 2 else f"instruction {found.sides[0].upper()}")
    if found.documents:
        labels = [esc(shorten(label, 32)) for _, label in found.documents[:NAMED]]
        more = ["…"] if len(found.documents) > NAMED else []
        things.append(f"{count(len(found.documents), 'document')} ({', '.join([*labels, *more])})")
    return things


def _unknown(words: Sequence[str]) -> str:
    told = [f"“{esc(shorten(word, 24))}”" for word in words[:WORDS]]
    return f"It has no idea of {', '.join(told)}{' and more' if len(words) > WORDS else ''}. " if told else ""


def _joined(things: Sequence[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _offer(offer: Offer) -> str:
    """Weights take two bytes a parameter in bfloat16, as on an accelerator, and four in float32, as on a CPU."""
    gpu, cpu = (f"{offer.parameters * size:.1f}" for size in (2, 4))
    reads = "text, pictures, clips" if offer.media else "text only"
    title = f"use {offer.name}: its weights take {gpu} GB in bfloat16 on a GPU, {cpu} GB in float32 on a CPU"
    return (
        f'<button type="button" data-do="model" data-model="{esc(offer.name)}" title="{esc(title)}">'
        f'<b translate="no">{esc(offer.name)}</b> <span>{reads} · {gpu} GB (bf16, GPU), {cpu} GB (fp32, CPU)</span></button>'
    )
