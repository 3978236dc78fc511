"""The files of a media library as its keeper sees them: their digest, size, and when somebody last brought them.

Knows nothing of what is in them or of who refers to them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"([0-9a-f]{64})\.(image|video)")


@dataclass(frozen=True, slots=True)
class Stored:
    """`size` in bytes; `at` in seconds since 1970."""

    path: Path
    digest: str
    size: int
    at: float


def listed(folder: Path) -> list[Stored]:
    """Whole files only: what is being written has another name."""
    found = list[Stored]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if named := NAME.fullmatch(entry.name):
                    facts = entry.stat()
                    found.append(Stored(Path(entry.path), named[1], facts.st_size, facts.st_mtime))
    except OSError:  # nothing was ever kept, or a file went while this looked
        return found
    return found


def drop(file: Stored) -> bool:
    """Deletes it unless it was brought again since it was listed; whether it is gone."""
    try:
        if file.path.stat().st_mtime != file.at:
            return False
        file.path.unlink()
    except OSError:
        return False
    return True
