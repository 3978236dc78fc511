"""The measurements in a folder as one picture: who takes how many times longer, and what more documents cost.

Knows nothing of how anything was measured: it reads what `bench --json` wrote. `python -m workbench.bench.chart FOLDER FILE.svg`
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from workbench.types import JSON

NAMED = {"naive": "one pair after another"}
WIDTH, LEFT, RIGHT, LINE = 860, 250, 150, 24  # px: the picture, names, figures, one bar
STYLE = """text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .dim { fill: #6e7781 }
.ours { fill: #2f6feb } .peer { fill: #8c959f } .grid { stroke: #d0d7de } .line { fill: none; stroke: #2f6feb; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .dim { fill: #9198a1 } .grid { stroke: #3d444d } .peer { fill: #656c76 } }
"""


def chart(folder: Path) -> str:
    """SVG of all comparisons in `folder`, then of the growth that was measured. Numbers with `NAME.json` of each."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    parts, y = list[str](), 24
    for name, bench in found.items():
        if bench["setting"]["workload"] == "rerank":
            more, y = _bars(name, bench, y)
            parts += more
    for name, bench in found.items():
        if bench["setting"]["workload"] == "growth":
            more, y = _growth(name, bench, y)
            parts += more
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
    return f"{head}<title>How long scoring takes</title><style>{STYLE}</style>{''.join(parts)}</svg>\n"


def _bars(file: str, bench: dict[str, JSON], y: int) -> tuple[list[str], int]:
    """A bar for each side of the first call, as long as the seconds it took."""
    call, setting = bench["calls"][0], bench["setting"]
    layers = setting["layers"] or "all"
    kind = "bfloat16 linears" if setting["dtype"] == "bfloat16" else "float32"
    parts = [_text(0, y, f"{setting['shape']}, {layers} layers, {kind}: {call['pairs']} documents, all new", "title"),
             _text(WIDTH, y, f"{file}.json", "dim", "end")]  # fmt: skip
    sides = [("ours", call["seconds"]["median"], 1.0)]
    for side in setting["against"]:
        name = NAMED.get(side, bench["sides"][side]["what"])
        sides.append((name, call[side]["seconds"]["median"], call[side]["ratio"]["median"]))
    most = max(seconds for _, seconds, _ in sides)
    for side, seconds, ratio in sides:
        y += LINE
        width, ours = max(2.0, (WIDTH - LEFT - RIGHT) * seconds / most), side == "ours"
        parts += [
            _text(LEFT - 10, y, "this workbench" if ours else side, "", "end"),
            f'<rect class="{"ours" if ours else "peer"}" x="{LEFT}" y="{y - 12}" width="{width:.1f}" height="15" rx="2"/>',
            _text(LEFT + width + 8, y, f"{seconds:.2f} s" + (f"   {ratio:.2f} ×" if ratio != 1 else "")),
        ]
    return parts, y + 2 * LINE


def _growth(name: str, bench: dict[str, JSON], y: int) -> tuple[list[str], int]:
    """Seconds and memory over documents, both axes of the first logarithmic."""
    calls, setting, height = bench["calls"], bench["setting"], 150
    points = [(c["pairs"], c["seconds"]["median"], c["peak_mib"]["process"]) for c in calls]
    title = f"{setting['shape']}, {setting['layers'] or 'all'} layers: ever more documents"
    parts = [_text(0, y, title, "title"), _text(WIDTH, y, f"{name}.json", "dim", "end")]
    low, high = (math.log(f(p[0] for p in points)) for f in (min, max))
    bottom, fast, slow = y + 20 + height, math.log(min(p[1] for p in points)), math.log(max(p[1] for p in points))
    places = []
    for documents, seconds, mib in points:
        x = 130 + (WIDTH - 230) * (math.log(documents) - low) / max(high - low, 1e-9)
        at = bottom - height * (math.log(seconds) - fast) / max(slow - fast, 1e-9)
        places.append(f"{x:.1f},{at:.1f}")
        parts += [
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y + 14}" y2="{bottom}"/>',
            f'<circle class="ours" cx="{x:.1f}" cy="{at:.1f}" r="4"/>',
            _text(x + 9, at + 17, f"{seconds:.2f} s"),
            _text(x, bottom + 36, f"{documents}", "", "middle"), _text(x, bottom + 54, f"{mib:,.0f} MiB", "dim", "middle"),
        ]  # fmt: skip
    parts.append(f'<polyline class="line" points="{" ".join(places)}"/>')
    parts += [_text(0, bottom + 36, "documents"), _text(0, bottom + 54, "memory", "dim")]
    return parts, bottom + 70


def _text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" xml:space="preserve">{escape(said)}</text>'


def main(arguments: Sequence[str]) -> None:
    folder, file = map(Path, arguments)
    file.write_text(chart(folder), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
