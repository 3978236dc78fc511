"""One side of a pair, a sequence of texts, pictures and clips, as the string a score template receives.

Knows nothing of templates or files; follows the model cards' scripts or vLLM's chat parser, as asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from workbench.errors import PromptInvalid
from workbench.types import ContentPart, Image, Media, Parity, Placeholders, Text, Video


def flatten(
    content: Sequence[ContentPart], placeholders: Placeholders, parity: Parity
) -> tuple[str, tuple[Media, ...]]:
    """The side's text and its media in the order of their placeholders. Empty texts are left out, others joined by "\\n".

    reference: clips, then pictures, then the text. vllm: placeholders grouped by kind, the kind that comes first in front;
    one that the text itself spells stands for an item of its kind and is not put in front again.
    Raises PromptInvalid for a medium this family has no placeholder for, and in vllm for a text that spells too many.
    """
    text = "\n".join(p.text for p in content if isinstance(p, Text) and p.text)
    media = [p for p in content if not isinstance(p, Text)]
    for part in media:
        if not _placeholder(part, placeholders):
            what = "pictures" if isinstance(part, Image) else "clips"
            raise PromptInvalid(f"this model takes no {what}", where=part.source or part.digest[:12])
    if parity == "reference":
        media.sort(key=lambda p: isinstance(p, Image))
        return "".join(_placeholder(p, placeholders) for p in media) + text, tuple(media)
    return _as_vllm(text, media, placeholders)


def _as_vllm(text: str, media: list[Media], placeholders: Placeholders) -> tuple[str, tuple[Media, ...]]:
    kinds: dict[str, list[Media]] = {}
    for part in media:
        kinds.setdefault(_placeholder(part, placeholders), []).append(part)
    front = ""
    for mark, parts in kinds.items():
        spelled = text.count(mark)
        if spelled > len(parts):
            raise PromptInvalid(
                f"spells {mark} {spelled} times for {len(parts)} {'picture or clip' if len(parts) == 1 else 'items'}",
                hint="vLLM refuses this too: take it out of the text.",
            )
        front += mark * (len(parts) - spelled)
    whole = front + text
    places = [(at, mark) for mark in kinds for at in _places(whole, mark)]
    queues = {mark: iter(parts) for mark, parts in kinds.items()}
    return whole, tuple(next(queues[mark]) for _, mark in sorted(places))


def _places(text: str, mark: str) -> list[int]:
    found, at = [], text.find(mark)
    while at >= 0:
        found.append(at)
        at = text.find(mark, at + len(mark))
    return found


def _placeholder(part: Image | Video, placeholders: Placeholders) -> str:
    return placeholders.image if isinstance(part, Image) else placeholders.video
