"""The most memory this process held since it was asked to forget what it held before.

Knows nothing of what is measured. On Linux `VmHWM` of /proc/self/status, which writing 5 to clear_refs resets (proc(5)); beside a
CUDA device its allocator's own peak.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROCESS = Path("/proc/self")


def reset() -> None:
    """From here on the peak counts anew, where the system can do that."""
    try:
        (PROCESS / "clear_refs").write_text("5")
    except OSError:
        return
    if (cuda := _cuda()) is not None:
        cuda.reset_peak_memory_stats()


def peak() -> dict[str, float]:
    """MiB: `process`, and `device` where CUDA is in use; empty where the system does not tell."""
    try:
        lines = (PROCESS / "status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    held = next(line for line in lines if line.startswith("VmHWM"))
    found = {"process": round(int(held.split()[1]) / 1024, 1)}
    if (cuda := _cuda()) is not None:
        found["device"] = round(cuda.max_memory_allocated() / (1 << 20), 1)
    return found


def _cuda() -> Any:
    import torch

    cuda: Any = torch.cuda
    return cuda if cuda.is_initialized() else None
