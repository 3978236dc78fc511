"""One side of a measurement, in a process of its own: opens a scorer, then times what it is sent, a JSON line each way.

Knows nothing of the other side. Prompts become ids before the clock starts; what was scored before is forgotten unless a call
says that it is warm.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.media import Library
from workbench.named import FAMILIES
from workbench.pool import open_bench
from workbench.scorers import _peak as memory
from workbench.types import JSON, Document, Encoding, Pair, Query, RenderedPrompt, Score

NAMES = ("ours", "naive")  # any other is a server's URL


def serve(config: dict[str, JSON]) -> None:
    """`config`: kind, folder, pictures, device, dtype."""
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as data, contextlib.ExitStack() as stack:
        bench = open_bench(model=config["folder"], data=Path(data), families=FAMILIES)
        stack.callback(bench.close)
        started = time.perf_counter()
        scorer = _scorer(config, bench.families, bench.library)
        pictures = sorted(Path(config["pictures"]).glob("*.bmp")) if config["pictures"] else []
        shown = [bench.library.add(p.read_bytes(), p.name) for p in pictures]
        what = f"vLLM {scorer.probe.version}" if hasattr(scorer, "probe") else str(config["kind"])
        _say({"ready": round(time.perf_counter() - started, 3), "what": what})
        for line in sys.stdin:
            call = json.loads(line)
            batch = [_encoding(scorer, text, shown[at] if at >= 0 else None) for text, at in call["rows"]]
            if not call["warm"] or config["kind"] == "naive":
                scorer.forget()
            _say(_timed(scorer, batch, call["requests"]) | {"ids": [len(e.token_ids) for e in batch]})


def _scorer(config: dict[str, JSON], families: Any, library: Library) -> Any:
    if config["kind"] not in NAMES:
        from workbench.scorers.vllm import open_remote

        return open_remote((config["kind"],), config.get("key", ""), families, library)
    from workbench.scorers._shapes import open_shape

    return open_shape(
        Path(config["folder"]), families, library, device=config["device"], dtype=config["dtype"],
        plain=config["kind"] == "naive",
    )  # fmt: skip


def _encoding(scorer: Any, text: str, picture: Any) -> Encoding:
    if picture is None:
        found: Encoding = scorer.from_ids(scorer.tokenize(text))
        return found
    prompt = RenderedPrompt(text, (picture,))
    encoded: Encoding = scorer.encode(Pair(Query("q", ()), Document("d", (picture,)), (prompt,), parity="vllm"))
    return encoded


def _timed(scorer: Any, batch: Sequence[Encoding], requests: int) -> dict[str, JSON]:
    """Seconds of every request (equal shares of the batch, one after another), logits, the most memory held on the way, and what
    was computed."""
    memory.reset()
    if hasattr(scorer, "spent"):
        scorer.spent()
    size, seconds, logits = -(-len(batch) // requests), [], []
    for at in range(0, len(batch), size):
        part = batch[at : at + size]
        started = time.perf_counter()
        found = dict(scorer.score(part))
        seconds.append(time.perf_counter() - started)
        for i in range(len(part)):
            if not isinstance(score := found.get(i), Score):
                raise SystemExit(f"row {at + i} gave no score: {score}")
            logits.append(score.logit)
    counts = scorer.spent() if hasattr(scorer, "spent") else {}
    return {"seconds": seconds, "logits": logits, "peak_mib": memory.peak(), "counts": counts}


def _say(answer: JSON) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
