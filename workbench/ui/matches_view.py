"""Draws why a late-interaction score is what it is: the token or tile that each query token found, and the document marked by it.

Knows nothing of Gradio or of models. What was found by more, or by closer ones, stands out; the score is the sum of the cosines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.media import Library
from workbench.types import JSON, Encoding, Image, Text
from workbench.ui.figures import count, esc
from workbench.ui.why_view import grid_html

Matches = Sequence[Mapping[str, JSON]]
Token = Callable[[int], str]


def matches_html(library: Library, side: str, encoding: Encoding, matches: Matches, token: Token) -> str:
    """The document with what was found in it, then a line per query token. Pointing at a line shows its place."""
    most = max((abs(float(m["similarity"])) for m in matches), default=1.0) or 1.0
    rows = "".join(_row(m, most, token) for m in matches)
    head = "<tr><th>query token</th><th>finds</th><th>cosine</th><th></th></tr>"
    table = f'<table class="seen matches"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    total = sum(float(m["similarity"]) for m in matches)
    words = f'<span><b>{len(matches)}</b> query tokens, each with its best in the document: <b>{total:.4f}</b> in all.</span>'
    told = f'<p class="muted"><b class="in-{side}">{side.upper()}</b> {words}</p>'
    return f'<div class="effects">{told}{_tiles(library, encoding, matches)}{_text(encoding, matches)}{table}</div>'


def _row(match: Mapping[str, JSON], most: float, token: Token) -> str:
    similarity = float(match["similarity"])
    asked = f'<td class="mono" translate="no" title="id {match["query_id"]}">{esc(_shown(token(match["query_id"])))}</td>'
    if tile := match.get("tile"):
        found = f"<td>tile {tile[0] + 1}, {tile[1] + 1}</td>"
    else:
        words = esc(_shown(token(match["document_id"])))
        found = f'<td class="mono" translate="no" title="id {match["document_id"]}">{words}</td>'
    return (
        f'<tr data-finds="{_place(match)}">{asked}{found}<td class="digits">{similarity:.3f}</td>'
        f'<td><span class="meter"><i style="width:{100 * max(0.0, similarity) / most:.1f}%"></i></span></td></tr>'
    )


def _shown(token: str) -> str:
    """Blanks and newlines are seen, as in the prompt."""
    return token.replace(" ", "·").replace("\n", "↵")


def _place(match: Mapping[str, JSON]) -> str:
    tile = match.get("tile")
    return f"tile-{tile[0]}-{tile[1]}" if tile else f"at-{match['document']}"


def _tiles(library: Library, encoding: Encoding, matches: Matches) -> str:
    """The document's picture, its tiles by the cosines of the query tokens that found them."""
    picture = next((p for p in encoding.pair.document.content if isinstance(p, Image)), None)
    found = [m for m in matches if m.get("tile")]
    if picture is None or not found:
        return ""
    rows, columns = found[0]["tiles"]
    here: dict[str, list[float]] = {}
    for match in found:
        here.setdefault(_place(match), []).append(float(match["similarity"]))
    most = max(sum(values) for values in here.values())
    cells = ""
    for at in range(rows * columns):
        place = f"tile-{at // columns}-{at % columns}"
        values = here.get(place, [])
        told = f'title="{count(len(values), "query token")}, {sum(values):.3f}"' if values else ""
        number = f"<b>{len(values)}</b>" if values else ""
        cells += f'<i class="for" data-found="{place}" style="--share:{_share(values, most):.3f}" {told}>{number}</i>'
    return grid_html(library, picture, cells, rows, columns)


def _text(encoding: Encoding, matches: Matches) -> str:
    """The document's own words as the model reads them, marked in the same way."""
    if not any(isinstance(part, Text) for part in encoding.pair.document.content):
        return ""
    words = [s for s in encoding.prompt.segments or () if s.kind == "document"]
    here: dict[tuple[int, int], list[Mapping[str, JSON]]] = {}
    for match in (m for m in matches if not m.get("tile")):
        start, end = encoding.spans[match["document"]]
        if any(s.start <= start < end <= s.end for s in words):
            here.setdefault((start, end), []).append(match)
    most = max((sum(float(m["similarity"]) for m in found) for found in here.values()), default=0.0)
    drawn = "".join(_marked(encoding.prompt.text, s.start, s.end, here, most) for s in words)
    return f'<p class="full" dir="auto" translate="no">{drawn}</p>' if drawn else ""


def _marked(text: str, at: int, stop: int, here: Mapping[tuple[int, int], Matches], most: float) -> str:
    out = ""
    for (start, end), found in sorted(here.items()):
        if not at <= start < end <= stop:  # of another segment, or behind characters that are drawn already
            continue
        values = [float(m["similarity"]) for m in found]
        places = " ".join(sorted({_place(m) for m in found}))
        out += esc(text[at:start])
        out += (
            f'<mark class="for" data-found="{places}" title="{len(values)}× · {sum(values):.3f}" '
            f'style="--share:{_share(values, most):.3f}">{esc(text[start:end])}</mark>'
        )
        at = end
    return out + esc(text[at:stop])


def _share(values: Sequence[float], most: float) -> float:
    return max(0.0, sum(values) / most) if most > 0 else 0.0
