"""What every view shares: escaping, thumbnails, labels, numbers with as many digits as they need.

Knows nothing of Gradio: nouns in, HTML out, and every piece of foreign text passes through `esc`.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.types import ContentPart, Media, Text, Video

Thumb = Callable[[Media], tuple[bytes, int, float]]  # a thumbnail, the frames side by side in it, width/height of one
LABEL = 160  # characters of a text shown on a card


@dataclass(frozen=True, slots=True)
class Face:
    """How one row of the tray looks wherever it turns up: a label, its picture as ready HTML, its grade. `there`: it could be
    read, so that it can be judged."""

    label: str
    picture: str
    grade: int | None = None
    there: bool = True


def esc(text: object) -> str:
    return html.escape(str(text), quote=True)


def sentence(error: WorkbenchError) -> str:
    """An error as one escaped sentence: what, where, and the way out."""
    text = str(error).strip()
    return esc(text if text.endswith((".", "!", "?", "…")) else f"{text}.")


def label_of(content: Sequence[ContentPart]) -> str:
    """A row's own words, else the names of its files."""
    texts = [" ".join(p.text.split()) for p in content if isinstance(p, Text) and p.text.strip()]
    names = [p.source for p in content if not isinstance(p, Text) and p.source]
    return shorten(" ".join(texts) or ", ".join(names) or "untitled")


def shorten(text: str, most: int = LABEL) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def picture_of(content: Sequence[ContentPart], thumb: Thumb) -> str:
    """The first picture or clip of a row, a clip as frames that a style sheet steps through; else a text mark."""
    media = [p for p in content if not isinstance(p, Text)]
    if not media:
        return '<span class="th th-text" aria-hidden="true">¶</span>'
    try:
        data, frames, ratio = thumb(media[0])
    except WorkbenchError:
        return '<span class="th th-bad" aria-hidden="true">!</span>'
    more = f'<span class="th-more">+{len(media) - 1}</span>' if len(media) > 1 else ""
    url = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    if isinstance(media[0], Video):
        return (
            f'<span class="th th-clip" style="--frames:{frames};--ratio:{ratio:.4f}"><span class="strip">'
            f'<img alt="clip" src="{url}"></span><span class="th-play" aria-hidden="true">▸</span>{more}</span>'
        )
    return f'<span class="th"><img alt="picture" src="{url}">{more}</span>'


def numbers(values: Sequence[float], ties: Sequence[bool] = (), most: int = 6) -> list[str]:
    """Values in falling order, each with the fewest decimals (2 or more) that tell it from its neighbours and from 0.

    `ties[i]`: value i and the one after it are one number, and need no digits to be told apart.
    """
    apart = [not tie for tie in ties] or [True] * len(values)
    return [
        _digits(v, [*values[i - 1 : i][: i and apart[i - 1]], *values[i + 1 : i + 2][: apart[i]]], most)
        for i, v in enumerate(values)
    ]


def _digits(value: float, neighbours: Sequence[float], most: int) -> str:
    different = [n for n in neighbours if abs(n - value) > 10.0**-most]
    shown = {d: f"{value:.{d}f}" for d in range(2, most)}
    tiny = abs(value) > 10.0**-most
    enough = (d for d, s in shown.items() if all(f"{n:.{d}f}" != s for n in different) and not (tiny and float(s) == 0))
    return f"{value:.{next(enough, most)}f}"


def renewed(content: object, inner: str) -> str:
    """`inner` in an element whose name comes from `content`: Gradio patches what it draws element by element in place, so
    that a field which was typed in would keep its text and be another row's; under another name all is made anew."""
    name = f"d-{hashlib.blake2b(repr(content).encode('utf-8', 'replace'), digest_size=6).hexdigest()}"
    return f"<{name} class=\"renewed\">{inner}</{name}>"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
