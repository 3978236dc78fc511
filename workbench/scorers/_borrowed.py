"""What lies on this disk of a model that is served elsewhere: its family, and its tokenizer where that gives the server's ids.

Knows nothing of endpoints or scores: it is told how to ask for the ids of a text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workbench.errors import ModelUnavailable
from workbench.media import Library
from workbench.scorers._encode import Encoder
from workbench.scorers._hub import at_hand
from workbench.scorers._json import read_json
from workbench.scorers._tokens import Tokens
from workbench.types import Family

# Words, digits, blanks, composed and decomposed characters, an emoji, other scripts, and what Qwen and BERT call control tokens.
SAMPLE = "The bee's 3,141 FLOWERS\n\n  \té e\u0301 🐝 漢字 ﬁ <|im_start|>[SEP]</s> <think>\n"


def family_of(names: Sequence[str], families: Mapping[str, Family]) -> Family | None:
    """The family that lists one of these names, else the one of the architecture in the folder that one of them is."""
    for family in families.values():
        if set(names) & set(family.models):
            return family
    folders = [folder for name in names if (folder := at_hand(name)) is not None]
    found = {a for folder in folders for a in (read_json(folder / "config.json") or {}).get("architectures") or ()}
    return next((family for family in families.values() if found & set(family.architectures)), None)


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
