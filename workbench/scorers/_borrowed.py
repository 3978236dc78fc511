"""A tokenizer on this disk for a model that is served elsewhere: used only where it gives the server's own ids.

Knows nothing of endpoints or scores: it is told how to ask for the ids of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.media import Library
from workbench.scorers._encode import Encoder
from workbench.scorers._hub import at_hand
from workbench.scorers._tokens import Tokens
from workbench.types import Family, ModelUnavailable

# Words, digits, blanks, composed and decomposed characters, an emoji, other scripts, and what Qwen and BERT call control tokens.
SAMPLE = "The bee's 3,141 FLOWERS\n\n  \té e\u0301 🐝 漢字 ﬁ <|im_start|>[SEP]</s> <think>\n"


def borrow(
    served: str, window: int, family: Family, library: Library, ask: Callable[[str], Sequence[int]]
) -> tuple[Encoder | None, str]:
    """(an encoder with the served model's own tokenizer, ""), or (None, why there is none) where that is worth saying.

    `served`: what the server says it has loaded, a folder or a hub name; `ask` gives its ids of a text.
    """
    folder = at_hand(served)
    if folder is None:
        return None, ""
    try:
        tokens = Tokens(folder)
    except ModelUnavailable:
        return None, ""
    if tokens.plain(SAMPLE, True) != list(ask(SAMPLE)):
        return None, "The tokenizer of that name on this disk is not the server's: its own /tokenize is used."
    return Encoder(tokens, family, library, {}, {}, window, window), ""
