"""Draws what goes out: the offers that need no restart, the targets with ✓ or why not, the files of a bundle.

Knows nothing of Gradio or of what the files mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.export import TargetRow
from workbench.lint import Finding
from workbench.ui.figures import esc
from workbench.ui.lint_view import said_html

ABOUT = {
    "template.jinja": "the prompt, its instruction as the default",
    "manifest.json": "what was tuned, with which versions",
    "manifest.schema.json": "the shape of manifest.json",
    "golden.jsonl": "pairs with token ids and scores, to prove a server with",
    "check.py": "replays them against a server; needs Python alone",
    "serve.sh": "the command that serves it",
    "request.json": "a request to try it with",
    "request-kwargs.json": "the same with an instruction of its own",
    "serve-tei.sh": "the command that serves it",
    "request-tei.json": "a request in its own shape",
    "answers-tei.md": "what differs in its answers",
    "README.md": "how to use these files",
}
LAST = (
    "template.jinja", "request.json", "request-kwargs.json", "manifest.json", "golden.jsonl", "check.py", "manifest.schema.json",
    "README.md",
)  # fmt: skip
MOST = 20_000


def files_html(files: Mapping[str, bytes]) -> str:
    """Every file with its name, size and text, in the order of use: what the target starts with first."""
    order = [*(n for n in files if n not in LAST), *(n for n in LAST if n in files)]
    return '<div class="files">' + "".join(_file(name, files[name], ABOUT.get(name, "")) for name in order) + "</div>"


def offers_html(instruction: str, request: bytes) -> str:
    """Where only the instruction differs: what a running server takes as it is."""
    said = "A server with the model's own template takes this as it is: no restart."
    return (
        f'<div class="files offers-out"><p class="muted">{said}</p>'
        + _file("instruction", instruction.encode(), "copy it into your requests")
        + _file("request", request, "or the whole request")
        + "</div>"
    )


def findings_html(found: Sequence[Finding]) -> str:
    """What the linter says and stops nothing, "" where it says nothing."""
    if not found:
        return ""
    lines = "".join(
        f'<div class="finding {"error" if f.error else "warning"}" data-code="{f.code}"><b class="code">{f.code}</b>'
        f'<span class="said" title="{esc(f.sentence)}">{said_html(f.sentence)}</span></div>'
        for f in found
    )
    return (
        '<section class="sheet warned"><header class="head"><b>The linter says</b>'
        f'<span class="muted">it stops nothing, and goes into the bundle</span></header>{lines}</section>'
    )


def targets_html(rows: Sequence[TargetRow], chosen: str, pairs: int) -> str:
    """A line per target; the chosen one's differences are written out token by token."""
    lines = "".join(_target(row, row.name == chosen) for row in rows)
    return (
        f'<section class="sheet targets" data-pairs="{pairs}"><header class="head"><b>Checked</b><span class="muted">'
        f"{pairs} pairs scored; every target asked for its token ids</span></header><ul>{lines}</ul></section>"
    )


def _target(row: TargetRow, chosen: bool) -> str:
    said = row.why_not or f"{row.same} of {row.asked} pairs equal" + "".join(f"; {n}" for n in row.notes)
    differences = "".join(
        f'<li class="mono" translate="no">{esc(d.covers)}, token {d.at}: {_ids(d.golden)} → {_ids(d.target)}</li>'
        for d in row.differences
    )
    inner = f"<ul>{differences}</ul>" if chosen and differences else ""
    mark = "✓" if row.ok else "✗"
    return (
        f'<li data-target="{esc(row.name)}" data-ok="{int(row.ok)}"><span>{mark}</span> '
        f'<b translate="no">{esc(row.title.replace("`", ""))}</b> '
        f'<span class="muted">{esc(said)}</span>{inner}</li>'
    )


def _ids(tokens: Sequence[tuple[int, str]]) -> str:
    return esc(" ".join(f"{i} {text!r}" for i, text in tokens) or "nothing")


def working_html() -> str:
    return '<p class="muted" data-say="status" style="padding:14px 16px;margin:0">Scoring the golden pairs …</p>'


def _file(name: str, data: bytes, about: str) -> str:
    text = data.decode("utf-8", "replace")
    if len(text) > MOST:
        text = text[:MOST] + "\n…"
    return (
        f'<section class="sheet file" data-file="{esc(name)}"><header class="head"><b class="mono" translate="no">{esc(name)}</b>'
        f'<span class="muted">{esc(about)}</span><span class="grow"></span>'
        f'<span class="muted">{len(data):,} bytes</span>'
        f'<button type="button" class="small" data-copy>Copy</button></header>'
        f'<pre class="mono" translate="no">{esc(text)}</pre></section>'
    )
