"""JSON files beside a checkpoint's weights, read so that a missing one and a damaged one are told apart.

Knows nothing of what they say.
"""

from __future__ import annotations

import json
from pathlib import Path

from workbench.errors import ModelUnavailable
from workbench.types import JSON


def read_json(path: Path) -> dict[str, JSON] | None:
    """The object in a file, None where there is no file; ModelUnavailable where it is damaged."""
    value = read_any(path)
    if value is not None and not isinstance(value, dict):
        raise ModelUnavailable(f"{path.name} holds no JSON object", where=str(path.parent))
    return value


def read_any(path: Path) -> JSON:
    """The value in a file, None where there is no file; ModelUnavailable where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{path.name} cannot be read ({error})", where=str(path.parent)) from error
