"""One query and one document as a curl line for the HTTP door and as lines of Python, ready to run.

Knows nothing of pages; what cannot be written out says so instead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import MediaInvalid
from workbench.media import Library
from workbench.types import JSON, ContentPart, Media, Text, Variant, Video

INLINE = 48_000  # bytes of one file that is written into a line of text
MIMES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"\x1aE\xdf\xa3": "video/webm"}
PLAYED = 12_000_000  # bytes of a clip that a page gets at once


def data_url(library: Library, part: Media, most: int) -> str | None:
    """The original file as a data URL of a type its own bytes tell; None where it is larger than `most` bytes. MediaInvalid."""
    path = library.path(part)
    try:
        if path.stat().st_size > most:
            return None
        data = path.read_bytes()
    except OSError as error:
        raise MediaInvalid("is no longer in the media library", where=part.source, hint="Add it again.") from error
    told = next((mime for magic, mime in MIMES.items() if data.startswith(magic)), None)
    known = told or ("video/mp4" if isinstance(part, Video) else "image/webp" if data[8:12] == b"WEBP" else "image/png")
    return f"data:{known};base64,{base64.b64encode(data).decode()}"


def body_of(
    library: Library, variant: Variant, query: Sequence[ContentPart], document: Sequence[ContentPart], template: str | None
) -> dict[str, JSON]:
    """The body of POST /rerank for this pair; `template` only where it is not the model's own. MediaInvalid for large files."""
    body: dict[str, JSON] = {
        "model": variant.model, "query": _side(library, query), "documents": [_side(library, document)],
        **_asked(variant, template),
    }  # fmt: skip
    return body


def _asked(variant: Variant, template: str | None) -> dict[str, JSON]:
    found: dict[str, JSON] = {"instruction": variant.instruction} if variant.instruction is not None else {}
    if template is not None:
        found["template"] = template
    if variant.parity != "reference":
        found["parity"] = variant.parity
    return found


def _side(library: Library, content: Sequence[ContentPart]) -> JSON:
    if len(content) == 1 and isinstance(content[0], Text):
        return content[0].text
    return {"content": [_part(library, part) for part in content]}


def _part(library: Library, part: ContentPart) -> JSON:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    url = data_url(library, part, INLINE)
    if url is None:
        hint = "The lines of Python read it from its file."
        raise MediaInvalid("is too large to stand in a line", where=part.source, hint=hint)
    kind = "video_url" if isinstance(part, Video) else "image_url"
    return {"type": kind, kind: {"url": url}}


def curl(body: JSON, address: str) -> str:
    """The body goes through a here-document, in which a shell changes nothing."""
    text = json.dumps(body, ensure_ascii=True, indent=1)
    return f"curl -s {address}/rerank -H 'Content-Type: application/json' -d @- <<'END'\n{text}\nEND"


def python(
    model: str, variant: Variant, query: Sequence[ContentPart], document: Sequence[ContentPart], template: str | None
) -> str:
    """Lines that print the logit; pictures and clips are read from files of their own names."""
    sides = [_written(query), _written(document)]
    paths = any("Path(" in side for side in sides)
    asked = "".join(f", {name}={_literal(value)}" for name, value in _asked(variant, template).items())
    return "\n".join(
        [
            *(["from pathlib import Path"] if paths else []),
            "from workbench import load, rerank",
            f"with load({_literal(model)}) as model:",
            f"    ranking = rerank(model, {sides[0]}, [{sides[1]}]{asked})",
            "    for result in ranking.ranked:",
            "        print(result.score.logit, result.score.value)",
            "    for result in ranking.failed:",
            "        print(result.error)",
        ]
    )


def _written(content: Sequence[ContentPart]) -> str:
    parts = [
        _literal(part.text) if isinstance(part, Text) else f"Path({_literal(Path(part.source).name or part.digest)})"
        for part in content
    ]
    return parts[0] if len(parts) == 1 else f"[{', '.join(parts)}]"


def _literal(value: JSON) -> str:
    """A Python literal of printable ASCII: a text is shown as it is and cannot end its own quotes."""
    return ascii(value)
