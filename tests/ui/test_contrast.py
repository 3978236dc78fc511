"""Text can be read in both themes: WCAG's 4.5 to 1, worked out of the style sheet's own variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).resolve().parents[2] / "assets" / "style.css").read_text(encoding="utf-8")
AA = 4.5
# (text, what it stands on) as the sheets use them
PAIRS = [
    *((text, ground) for text in ("text", "muted", "a", "b", "ok", "warn", "bad") for ground in ("panel", "bg")),
    ("a", "a-soft"), ("b", "b-soft"), ("warn", "warn-soft"), ("bg", "text"), ("chip-text", "chip"),
    *(("text", ground) for ground in ("sys", "ins", "qry", "doc", "sfx", "a-soft", "b-soft", "warn-soft")),
]  # fmt: skip


def variables(theme: str) -> dict[str, str]:
    """Colours by name; the dark theme lies over the light one."""
    found: dict[str, str] = {}
    for selector in [":root"] + ([".dark"] if theme == "dark" else []):
        block = re.search(rf"^{re.escape(selector)}\{{(.*?)\}}", STYLE, re.M | re.S)
        assert block, selector
        found |= dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})\b", block[1]))
    return found


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2, of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * d for d in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_the_published_one() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(theme: str) -> None:
    colours = variables(theme)
    found = {f"{text} on {ground}": contrast(colours[text], colours[ground]) for text, ground in PAIRS}
    assert not {pair: round(value, 2) for pair, value in found.items() if value < AA}
