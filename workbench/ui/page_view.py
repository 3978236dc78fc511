"""Draws the page's own lines: brand, model status, notices, what to look at, what is stale, the preview's switches.

Knows nothing of Gradio.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.scorers import Scorer, ScorerFacts
from workbench.types import Encoding
from workbench.ui.figures import esc, sentence, shorten
from workbench.ui.times import time_html

BRAND = '<span class="brand" translate="no">Rerank Workbench</span>'
KEYS = '<button type="button" class="pill" data-keys aria-label="keys" aria-haspopup="dialog">?</button>'
LANGUAGE = '<button type="button" class="pill" data-language-switch lang="zh-CN" translate="no">中文</button>'
THEME = '<button type="button" class="pill" data-theme-switch aria-label="light or dark">◐</button>'
DTYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
HINTS = '<span class="hints"><b>1</b> edit B <b>2</b> Ctrl+Enter <b>3</b> Keep B</span>'
HOW_TO = 'For real work type a model above: <code translate="no">Qwen/Qwen3-VL-Reranker-2B</code>, or a folder.'


def knows_html(scorer: Scorer, shipped: Path | None) -> str:
    """One line: what the model in use knows, and how to load another."""
    name = f'<b translate="no">{esc(_short(scorer.name))}</b>'
    if shipped is not None and scorer.name in (shipped.name, str(shipped)):
        return f"{name} knows coloured shapes, their motion and their captions, nothing else. {HOW_TO}"
    if scorer.facts().dtype == "none":
        return f"{name} counts shared words; it reads no template and no picture. {HOW_TO}"
    return ""


def _short(name: str) -> str:
    return shorten(name.rstrip("/").rsplit("/", 1)[-1], 28)


def status_html(scorer: Scorer) -> str:
    facts = scorer.facts()
    size = f" · {_size(facts.parameters)}" if facts.parameters else ""
    title = _told(scorer, facts).strip()
    note = f'<span class="note">{esc(facts.note)}</span>' if facts.note and facts.dtype != "none" else ""
    return (
        f'<span class="pill" title="{esc(title)}"><span class="dot">●</span> <span translate="no">{esc(_short(scorer.name))} · '
        f"{esc(facts.device)} · {esc(DTYPES.get(facts.dtype, facts.dtype))}{size}</span></span>{note}"
    )


def _told(scorer: Scorer, facts: ScorerFacts) -> str:
    """Its size, and what reading the weights took where that is known."""
    if facts.peak_mib:
        size, took, held = f"{facts.parameters:,}", f"{facts.seconds:.1f}", f"{facts.peak_mib:,.0f}"
        return f"{scorer.name}: {size} parameters, read in {took} s, at most {held} MiB held. {facts.note}"
    return f"{scorer.name}: {facts.parameters:,} parameters. {facts.note}"


def _size(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.1f}M"


def notice_html(error: WorkbenchError) -> str:
    return (
        f'<div class="notice" data-say="alert"><span>{sentence(error)}</span>'
        '<button type="button" data-dismiss aria-label="dismiss">×</button></div>'
    )


def look_html(need: str = "", look: str = "", restored: float | None = None) -> str:
    """What the searcher needs and what to look at; or when the run was scored that the fields were `restored` from."""
    parts = [f"<span><b>Need</b> {esc(need)}</span>"] if need else []
    parts += [f"<span>{esc(look)}</span>"] if look else []
    if restored is not None:
        parts.append(f"<span data-restored><span>Restored from the history: the run of</span> {time_html(restored)}</span>")
    parts += [HINTS] if parts else []
    return f'<div class="look">{"".join(parts)}</div>' if parts else ""


def stale_html(now: Mapping[str, str], scored: Mapping[str, object]) -> str:
    """Which sides of the results no longer show what the fields say; `data-stale` lets the style sheet grey them."""
    changed = [s for s in ("a", "b") if scored.get(s) and scored[s] != now[s]]
    if not changed:
        return ""
    who = "A and B" if len(changed) == 2 else changed[0].upper()
    return f'<span class="flag" data-stale="{" ".join(changed)}" data-say="status">{who} changed since</span>'


def tail_words(outcome: Encoding | WorkbenchError, token: Callable[[int], str]) -> str:
    """The token whose position gives the score."""
    if isinstance(outcome, WorkbenchError) or not outcome.token_ids:
        return ""
    last = outcome.token_ids[-1]
    return f"score read at {token(last)!r} · id {last}".replace("\\n", "↵").replace("'", "")
