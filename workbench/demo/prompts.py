"""The family's prompt, cut where documents branch off: instruction and query are read once, then each document apart.
Knows nothing of pixels, labels or weights."""

from __future__ import annotations

from collections.abc import Sequence

SYSTEM = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
OPEN = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n<Instruct>:"
CLOSE = "<|im_end|>\n<|im_start|>assistant\n"


def ask(instruction: str, query: str) -> str:
    """What follows `OPEN`. Tokens never join over this seam: a colon stands before it, a space after."""
    return f" {instruction}<Query>:{query}\n<Document>:"


def picture_text(tokens: int) -> str:
    return "<|vision_start|>" + "<|image_pad|>" * tokens + "<|vision_end|>"


def clip_text(seconds: Sequence[float], group: str) -> str:
    """The reference recipe: each group of two frames behind its mean time, no outer pair."""
    return "".join(f"<{t:.1f} seconds>{group}" for t in seconds)


def clip_group(tokens: int) -> str:
    return "<|vision_start|>" + "<|video_pad|>" * tokens + "<|vision_end|>"
