"""The programs a bundle carries, from assets/export: whole files that lint and run as they are, and the words filled in.

Knows nothing of what they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "assets" / "export"


def script(name: str, values: Mapping[str, object] | None = None) -> bytes:
    """The file with the lines `NAME = …` replaced by these values, written as Python writes them."""
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines(keepends=True)
    for key, value in (values or {}).items():
        (at,) = [i for i, line in enumerate(lines) if line.startswith(f"{key} = ")]
        lines[at] = f"{key} = {value!r}\n"
    return "".join(lines).encode()
