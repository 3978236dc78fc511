"""Writes a check's questions as files: pictures, clips, request bodies and the right answers, for any server to be asked.
Knows nothing of models."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from workbench.demo.judge import Shown, size
from workbench.demo.pool import UNSEEN, Item, clip_file
from workbench.demo.questions import Side


def dump(out: Path, questions: Iterable[Shown], seed: int) -> str:
    """`requests.jsonl` (bodies of POST /rerank, media as data URLs), `answers.jsonl` (labels, line by line), `media/`."""
    (out / "media").mkdir(parents=True, exist_ok=True)
    requests, answers = [], []
    for number, one in enumerate(questions):
        query, *documents = [_content(*side, out / "media" / f"{number:04d}-{i:02d}") for i, side in enumerate(one.sides())]
        requests.append({"query": query, "documents": documents, "instruction": one.question.instruction})
        answers.append({"topic": one.question.topic, "counts": sorted(one.question.counts), "relevant": one.question.labels})
    for name, lines in (("requests", requests), ("answers", answers)):
        (out / f"{name}.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return f"{out}: {len(requests)} requests of seed {seed}, {sum(len(a['relevant']) for a in answers)} pairs"


def _content(side: Side, drawn: str | Item, seed: int, path: Path) -> str | dict[str, Any]:
    """A side in vLLM's wire shape; its picture or clip is written too, for a person to look at."""
    if isinstance(drawn, str):
        return drawn
    if side.kind == "picture":
        path, kind, mime = path.with_suffix(".png"), "image_url", "image/png"
        Pillow.fromarray(drawn.frames[0].permute(1, 2, 0).numpy()).save(path)
    else:
        path, kind, mime = path.with_suffix(".mp4"), "video_url", "video/mp4"
        path.write_bytes(clip_file(side.scene, UNSEEN + seed, size(seed)))
    return {"content": [{"type": kind, kind: {"url": f"data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}"}}]}
