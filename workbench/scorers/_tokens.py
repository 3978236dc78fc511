"""Text to token ids with the characters behind each token, control tokens of user text kept harmless, and the cuts.

Knows nothing of models, pixels or relevance: it holds one checkpoint's fast tokenizer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from workbench.types import ModelUnavailable

Span = tuple[int, int]


class Tokens:
    """One checkpoint's tokenizer.

    `control` maps every added token (special or not: `<|im_start|>`, `<think>`, …) to its id: text that spells one becomes
    that id wherever a plain tokenizer meets it, which is how a document can forge a turn.
    """

    def __init__(self, folder: Path) -> None:
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise ModelUnavailable(f"has no tokenizer that can be read ({error})", where=str(folder)) from error
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise ModelUnavailable("has no fast tokenizer (tokenizer.json)", where=str(folder))
        self._fast = tokenizer
        self.control: dict[str, int] = {str(t): int(i) for i, t in tokenizer.added_tokens_decoder.items()}
        self.control_ids = frozenset(self.control.values())
        self._match = re.compile("|".join(re.escape(t) for t in sorted(self.control, key=len, reverse=True)) or r"(?!)")
        self.special_tokens = {k: str(v) for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)

    @cached_property
    def _plain(self) -> Tokenizer:
        """The same tokenizer without its added tokens: everything is ordinary text to it."""
        state = json.loads(self._fast.backend_tokenizer.to_str())
        state["added_tokens"], state["post_processor"] = [], None
        return Tokenizer.from_str(json.dumps(state))

    @cached_property
    def _frame(self) -> tuple[list[int], list[int]]:
        """Ids that the tokenizer puts before and after every text (a BOS, say)."""
        bare, framed = self._ids("a", False)[0], self._ids("a", True)[0]
        at = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), 0)
        return framed[:at], framed[at + len(bare) :]

    def _ids(self, text: str, specials: bool) -> tuple[list[int], list[Span]]:
        out = self._fast(text, add_special_tokens=specials, return_offsets_mapping=True, truncation=False)
        return list(out["input_ids"]), [(int(a), int(b)) for a, b in out["offset_mapping"]]

    def id(self, token: str) -> int:
        """The id of a label or control token; ModelUnavailable where the vocabulary has no such single token."""
        ids = self._ids(token, False)[0]
        if len(ids) != 1:
            raise ModelUnavailable(
                f"its tokenizer writes {token!r} as {len(ids)} tokens, so it cannot be a label",
                hint="Choose the family that this checkpoint was trained as.",
            )
        return ids[0]

    def text(self, token_id: int) -> str:
        """A token's own characters; fragments of a character as `�`."""
        return str(self._fast.decode([token_id]))

    def plain(self, text: str, specials: bool) -> list[int]:
        """A text's ids as the tokenizer makes them; `specials`: with what it puts around a text."""
        return self._ids(text, specials)[0]

    def names(self, ids: Sequence[int]) -> list[str]:
        """Each id as the vocabulary writes it (a leading space as Ġ, say); "" for an id it has no token for."""
        return [str(name or "") for name in self._fast.convert_ids_to_tokens(list(ids))]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, control tokens written out."""
        return str(self._fast.decode(list(ids), clean_up_tokenization_spaces=False))

    def find_control(self, text: str) -> list[Span]:
        return [m.span() for m in self._match.finditer(text)]

    def encode(self, text: str, untrusted: Sequence[Span] = ()) -> tuple[list[int], list[Span], tuple[Span, ...]]:
        """(ids, characters behind each id, control tokens encoded as plain text).

        A control token that touches an `untrusted` stretch is encoded as ordinary text. Where there is none the ids are the
        tokenizer's own, so text without control tokens has identical ids either way.
        """
        found = self.find_control(text) if untrusted else []
        forged = tuple(s for s in found if any(s[0] < b and s[1] > a for a, b in untrusted))
        if not forged:
            ids, spans = self._ids(text, True)
            return ids, spans, ()
        before, after = self._frame
        ids, spans = list(before), [(0, 0)] * len(before)
        start = 0
        for a, b in [s for s in found if s not in set(forged)] + [(len(text), len(text))]:
            piece = self._plain.encode(text[start:a], add_special_tokens=False)
            ids += piece.ids
            spans += [(x + start, y + start) for x, y in piece.offsets]
            if b > a:
                ids.append(self.control[text[a:b]])
                spans.append((a, b))
            start = b
        return ids + after, spans + [(len(text), len(text))] * len(after), forged

    def cut_text(self, text: str, tokens: int) -> str:
        """The head of `text` that is at most `tokens` tokens long, cut as vLLM cuts max_tokens_per_query/doc.

        Tokenized without special tokens; while longer, cut at the earlier of the last kept token's end and the first dropped
        token's start, and look again, since the cut text may tokenize otherwise.
        """
        while True:
            ids, spans = self._ids(text, False)
            if len(ids) <= tokens:
                return text
            shorter = text[: min(spans[tokens - 1][1], spans[tokens][0])] if tokens > 0 else ""
            if shorter == text:  # one character made of several tokens: give it up whole
                shorter = text[:-1]
            text = shorter
