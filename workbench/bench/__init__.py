"""How fast scoring is on this machine, beside others on the same ids: workloads, sides, a table, a JSON file.

Knows nothing of screens or HTTP. Every figure is of a run just made; ratios come from interleaved rounds.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.bench.measure import TOLERANCE, Figures, Side, measure
from workbench.bench.workloads import WORKLOADS, Call, Workload, make
from workbench.types import JSON

OURS = "ours"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured. `layers` None: all of the shape; `against`: sentence-transformers, naive, or a server's URL."""

    workload: str = "rerank"
    shape: str = "qwen3-0.6b"
    layers: int | None = None
    documents: int = 64
    tokens: int = 64
    rounds: int = 3
    device: str = "auto"
    dtype: str = "auto"
    against: tuple[str, ...] = ()
    peer_python: str = ""
    weights: Path | None = None


def bench(setting: Setting) -> dict[str, JSON]:
    """Runs it and returns the figures as JSON. Raises WorkbenchError."""
    from workbench.scorers._shapes import linear_flops, matmul_peak, write_shape

    work = make(setting.workload, documents=setting.documents, tokens=setting.tokens)
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as scratch:
        base = setting.weights or Path(scratch)
        name = setting.shape + (f"-{setting.layers}" if setting.layers else "")
        folder = write_shape(base / name, setting.shape, setting.layers, weights=bool(setting.against))
        pictures = _pictures(Path(scratch) / "pictures", work)
        config = {"folder": str(folder), "pictures": pictures, "device": setting.device, "dtype": setting.dtype}
        sides: list[Side] = []
        try:
            sides += [Side(n, config, setting.peer_python) for n in (OURS, *setting.against)]
            tolerance = TOLERANCE if setting.dtype in ("auto", "float32") else 0.5
            figures = measure(sides, (*work.calls, *work.apart), max(1, setting.rounds), tolerance)
        finally:
            for side in sides:
                side.close()
        text = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = text.get("text_config") or text
        peak_shape = (text["hidden_size"], text["intermediate_size"], 1024)
        peak = matmul_peak(*peak_shape, setting.device, setting.dtype)
        rows = [_row(f, (*setting.against,), lambda c, n: linear_flops(folder, c, n), peak) for f in figures]
    return {
        "machine": _machine(), "setting": {**_plain(setting)}, "peak_gflops": round(peak / 1e9, 1),
        "peak_shape": list(peak_shape), "sides": {s.name: {"what": s.what, "loading_s": s.ready} for s in sides}, "calls": rows,
    }  # fmt: skip


def _row(figures: Figures, against: Sequence[str], flops: object, peak: float) -> dict[str, JSON]:
    seconds, latencies = figures.median(OURS), sorted(figures.latencies[OURS])
    counts = figures.counts[OURS]
    needed = flops(counts["computed"], counts["finals"])  # type: ignore[operator]
    row: dict[str, JSON] = {
        "call": figures.call.name, "pairs": len(figures.call.rows), "tokens": figures.tokens, **counts,
        "saved": counts["asked"] - counts["computed"],
        "seconds": _spread(figures.seconds[OURS]), "pairs_per_s": round(len(figures.call.rows) / seconds, 1),
        "tokens_per_s": round(figures.tokens / seconds), "requests_per_s": round(figures.call.requests / seconds, 2),
        "latency_s": {"mean": round(statistics.mean(latencies), 4), "median": round(statistics.median(latencies), 4),
                      "p99": round(latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))], 4)},
        "share_of_peak": round(needed / seconds / peak, 3) if counts["computed"] else None, "peak_mib": figures.peaks[OURS],
    }  # fmt: skip
    for name in against:
        row[name] = {"seconds": _spread(figures.seconds[name]), "ratio": _spread(figures.ratios(name, OURS))}
    if against:
        taus = {name: round(tau, 4) for name, tau in figures.taus.items()}
        row["logits"] = {"largest_difference": figures.apart, "spread": round(figures.spread, 4), "kendall_tau": taus}
    return row


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def _pictures(folder: Path, work: Workload) -> str:
    if not work.pictures:
        return ""
    folder.mkdir()
    for i, data in enumerate(work.pictures):
        (folder / f"{i:04}.bmp").write_bytes(data)
    return str(folder)


def _machine() -> dict[str, JSON]:
    from importlib.metadata import version

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    named = {name: version(name) for name in ("torch", "transformers")}
    return {"processor": _processor(), "cores": cores, **named}


def _processor() -> str:
    """Its name, where the system tells (Linux), or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _plain(setting: Setting) -> dict[str, JSON]:
    values = {name: getattr(setting, name) for name in setting.__slots__}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if k not in ("weights", "peer_python")}


# Heading, width, and what stands there. `saved`: tokens that fronts spared; `hits`: scores that were remembered.
COLUMNS: tuple[tuple[str, int, Callable[[Mapping[str, JSON]], str]], ...] = (
    ("pairs", 6, lambda row: str(row["pairs"])), ("tokens", 8, lambda row: str(row["tokens"])),
    ("saved", 8, lambda row: str(row["saved"])), ("hits", 6, lambda row: str(row["remembered"])),
    ("computed", 9, lambda row: str(row["computed"])), ("forwards", 9, lambda row: str(row["forwards"])),
    ("seconds", 9, lambda row: f"{row['seconds']['median']:.3f}"), ("pairs/s", 10, lambda row: f"{row['pairs_per_s']:.1f}"),
    ("tokens/s", 10, lambda row: str(row["tokens_per_s"])), ("requests/s", 11, lambda row: f"{row['requests_per_s']:.1f}"),
    ("mean ms", 9, lambda row: f"{1000 * row['latency_s']['mean']:.1f}"),
    ("median", 9, lambda row: f"{1000 * row['latency_s']['median']:.1f}"),
    ("p99", 9, lambda row: f"{1000 * row['latency_s']['p99']:.1f}"),
    ("of peak", 8, lambda row: "" if row["share_of_peak"] is None else f"{row['share_of_peak']:.2f}"),
    ("MiB", 7, lambda row: f"{row['peak_mib'].get('process', 0):.0f}"),
)  # fmt: skip


def table(found: dict[str, JSON]) -> str:
    """The same figures for people."""
    shape = " × ".join(map(str, found["peak_shape"][::-1]))
    lines = [f"best product here: {found['peak_gflops']} GFLOP/s ({shape})"]
    lines.append(f"{'':26}" + "".join(f"{head:>{width}}" for head, width, _ in COLUMNS))
    for row in found["calls"]:
        lines.append(f"{row['call']:26}" + "".join(f"{said(row):>{width}}" for _, width, said in COLUMNS))
        for name in found["setting"]["against"]:
            peer, taus = row[name], row["logits"]["kendall_tau"]
            ratio = peer["ratio"]
            lines.append(
                f"  {name[:24]:24}{'':46}{peer['seconds']['median']:9.3f}   × {ratio['median']:.2f}"
                f" ({ratio['min']:.2f} to {ratio['max']:.2f}), τ {taus[name]:.3f} (ours {taus[OURS]:.3f})"
            )
    return "\n".join(lines)


__all__ = ["WORKLOADS", "Call", "Setting", "bench", "table"]
