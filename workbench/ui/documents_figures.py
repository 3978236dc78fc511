"""Draws what rows cost: the tokens of the document, vision tokens, the size and frames of each picture and clip, the window.

Knows nothing of Gradio. The page's script puts each figure beside its row, so that a row that is typed in is not drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.errors import TemplateInvalid, WorkbenchError
from workbench.types import Document, Encoding, MediaInput, Row, Text, Video
from workbench.ui.figures import count, esc, sentence
from workbench.ui.prompt_view import segment_counts


def figures_html(
    names: Sequence[str], rows: Sequence[Row], encodings: Sequence[Encoding | WorkbenchError], window: int
) -> str:
    """A span with `data-of` for each row and each picture or clip: the row's id, and behind a stroke the place of the part."""
    return "".join(
        _row(name, row, encoding, window)
        for name, row, encoding in zip(names, rows, encodings, strict=True)
        if isinstance(row, Document)
    )


def _row(name: str, row: Document, encoding: Encoding | WorkbenchError, window: int) -> str:
    if isinstance(encoding, WorkbenchError):
        told = "the template of B does not render" if isinstance(encoding, TemplateInvalid) else sentence(encoding)
        return f'<span data-of="{esc(name)}"><span class="error" title="{told}">{told}</span></span>'
    media = list(_media(row, encoding))
    sizes = "".join(f'<span data-of="{esc(name)}/{at}">{_size(item, len(media) > 1)}</span>' for at, item in media)
    return f'<span data-of="{esc(name)}">{_tokens(row, encoding)}{_window(encoding, window)}</span>{sizes}'


def _tokens(row: Document, encoding: Encoding) -> str:
    counts, vision = segment_counts(encoding), sum(item.tokens for _, item in _media(row, encoding))
    told = f"<span><b>{counts['document']:,}</b> tokens</span>" if "document" in counts else ""
    return told + (f"<span><b>{vision:,}</b> vision</span>" if vision else "")


def _window(encoding: Encoding, window: int) -> str:
    """How much of the window the whole prompt takes; what is over or cut is marked."""
    total = len(encoding.token_ids)
    share = min(100.0, 100 * total / max(window, 1))
    over = f'<span class="flag">{count(len(encoding.cut.ids), "token")} cut</span>' if encoding.cut else ""
    over += f'<span class="flag">over by {total - window:,}</span>' if total > window else ""
    return (
        f'<span class="d-window" title="the whole prompt of B in the window"><i style="width:{share:.2f}%"></i></span>'
        f'<span class="of">{total:,} of {window:,}</span>{over}'
    )


def _media(row: Document, encoding: Encoding) -> Iterator[tuple[int, MediaInput]]:
    """The place of each picture and clip of a row with what the model gets of it; prompts may order them otherwise."""
    theirs = [part for part in encoding.pair.query.content if not isinstance(part, Text)]
    left: list[MediaInput] = []
    for item in encoding.media:
        if item.part in theirs:
            theirs.remove(item.part)
        else:
            left.append(item)
    for at, part in enumerate(row.content):
        found = next((item for item in left if item.part == part), None)
        if found is not None:
            left.remove(found)
            yield at, found


def _size(item: MediaInput, several: bool) -> str:
    """Size after resizing and frames; where a row has several, what each costs."""
    size = f"<span>{item.width}×{item.height}</span>"
    if isinstance(item.part, Video):
        size += f"<span><b>{len(item.frames) or item.grid[0]}</b> frames</span>"
    return size + (f"<span><b>{item.tokens:,}</b> vision</span>" if several else "")
