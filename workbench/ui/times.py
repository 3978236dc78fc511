"""Moments as the page carries them: exact and in UTC, for the page's script to write in the reader's own time zone.

Knows nothing of what happened then. Without a script the UTC stays, and says that it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from workbench.ui.figures import esc

Form = Literal["short", "day", "long", "clock"]  # short: the time alone where it was today


def time_html(at: float, form: Form = "short") -> str:
    """`at` in seconds since 1970."""
    return f'<time datetime="{_exact(at)}" data-form="{form}">{esc(utc(at, form))}</time>'


def timed(at: float, form: Form) -> str:
    """The attributes of another element in whose text `utc` stands, perhaps among other words."""
    return f'data-time="{_exact(at)}" data-form="{form}"'


def utc(at: float, form: Form = "short") -> str:
    moment = datetime.fromtimestamp(at, UTC)
    clock = f"{moment:%H:%M} UTC"
    if form == "clock":
        return clock
    year = f" {moment.year}" if form == "long" else ""
    return f"{moment.day} {moment:%b}{year} {clock}"


def _exact(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
