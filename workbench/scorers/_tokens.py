"""Text to token ids with the characters behind each token, control tokens of user text kept harmless, and the cuts.

Knows nothing of models, pixels or relevance: it holds one checkpoint's fast tokenizer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from workbench.errors import ModelUnavailable

Span = tuple[int, int]
SANE = 1 << 20  # tokenizers without a limit of their own say 10^30


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer puts around the texts it is given: ids before the first, between both, after the last.

    `types`: token types of before, first text, middle, second text, after; () where the tokenizer gives none.
    """

    before: tuple[int, ...]
    middle: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[tuple[int, ...], ...] = ()


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
        self._fast, self._folder = tokenizer, folder
        self.control: dict[str, int] = {str(t): int(i) for i, t in tokenizer.added_tokens_decoder.items()}
        self.control_ids = frozenset(self.control.values())
        self._match = re.compile("|".join(re.escape(t) for t in sorted(self.control, key=len, reverse=True)) or r"(?!)")
        self.special_tokens = {k: str(v) for k, v in tokenizer.special_tokens_map.items() if isinstance(v, str)}
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
        self.mask_id, self.eos_id = tokenizer.mask_token_id, tokenizer.eos_token_id
        self.longest = int(tokenizer.model_max_length) if tokenizer.model_max_length < SANE else 0  # 0 = says nothing
        self.pads_left = tokenizer.padding_side == "left"
        self.cuts_left = tokenizer.truncation_side == "left"

    @cached_property
    def _plain(self) -> Tokenizer:
        """The same tokenizer without its added tokens: everything is ordinary text to it."""
        state = json.loads(self._fast.backend_tokenizer.to_str())
        state["added_tokens"], state["post_processor"] = [], None
        if state["model"]["type"] == "Unigram":  # its vocabulary spells control tokens out, and would find them in a text
            for i in self.control_ids & set(range(len(state["model"]["vocab"]))):
                state["model"]["vocab"][i] = [f"\ufdd0{i}", -1e4]
        return Tokenizer.from_str(json.dumps(state))

    @cached_property
    def frame(self) -> Frame:
        """Around one text; `middle` is empty."""
        return self._probe(("a",))

    @cached_property
    def pair_frame(self) -> Frame:
        """Around a pair of texts."""
        return self._probe(("a", "a"))

    def _probe(self, texts: tuple[str, ...]) -> Frame:
        out = self._fast(*texts, add_special_tokens=True, truncation=False)
        ids, types, sides = out["input_ids"], out.get("token_type_ids"), out.sequence_ids(0)
        own = [i for i, side in enumerate(sides) if side is not None]
        second = sides.index(1) if 1 in sides else len(ids)
        gap = [i for i in range(own[0], second) if sides[i] is None and second < len(ids)]
        parts = [range(own[0]), [own[0]], gap, [own[-1]], range(own[-1] + 1, len(ids))]
        before, _, middle, _, after = (tuple(int(ids[i]) for i in part) for part in parts)
        return Frame(before, middle, after, tuple(tuple(int(types[i]) for i in p) for p in parts) if types else ())

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

    def known_ids(self, words: Sequence[str]) -> frozenset[int]:
        """Ids of those words that are single tokens of the vocabulary."""
        found = (self._fast.backend_tokenizer.token_to_id(w) for w in words)
        return frozenset(int(i) for i in found if i is not None)

    def pair(self, first: str, second: str, *, from_file: bool = False) -> tuple[list[int], list[int]]:
        """(ids, token types) of two texts as one input, uncut; no types where the tokenizer's settings name none.

        `from_file`: as programs make it that read tokenizer.json and nothing else; they always have types.
        """
        if from_file:
            made = self._file.encode(first, second)
            return list(made.ids), list(made.type_ids)
        out = self._fast(first, second, truncation=False)
        return list(out["input_ids"]), list(out.get("token_type_ids") or ())

    @cached_property
    def _file(self) -> Tokenizer:
        path = self._folder / "tokenizer.json"
        if not path.is_file():
            raise ModelUnavailable("has no tokenizer.json", where=str(self._folder))
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

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

    def encode(
        self, text: str, untrusted: Sequence[Span] = (), breaks: Sequence[int] = (), framed: bool = True
    ) -> tuple[list[int], list[Span], tuple[Span, ...]]:
        """(ids, characters behind each id, control tokens encoded as plain text).

        A control token that touches an `untrusted` stretch is encoded as ordinary text. Where there is none the ids are the
        tokenizer's own, so text without control tokens has identical ids either way. The text between two `breaks` is
        tokenized by itself, as scripts do that join ids. `framed`: with what the tokenizer adds around a text.
        """
        if not breaks and not self._forged(text, untrusted)[1]:
            return (*self._ids(text, framed), ())
        before, after = (self.frame.before, self.frame.after) if framed else ((), ())
        ids: list[int] = list(before)
        spans: list[Span] = [(0, 0)] * len(before)
        forged: tuple[Span, ...] = ()
        for a, b in pairwise([0, *breaks, len(text)]):
            own = [(max(x, a) - a, min(y, b) - a) for x, y in untrusted if x < b and y > a]
            piece, places, harmless = self.content(text[a:b], own)
            ids += piece
            spans += [(x + a, y + a) for x, y in places]
            forged += tuple((x + a, y + a) for x, y in harmless)
        return ids + list(after), spans + [(len(text), len(text))] * len(after), forged

    def content(self, text: str, untrusted: Sequence[Span] = ()) -> tuple[list[int], list[Span], tuple[Span, ...]]:
        """As `encode`, without what the tokenizer puts around a text."""
        found, forged = self._forged(text, untrusted)
        return (*(self._harmless(text, found, forged) if forged else self._ids(text, False)), forged)

    def _forged(self, text: str, untrusted: Sequence[Span]) -> tuple[list[Span], tuple[Span, ...]]:
        """All control tokens of a text, and those of them that touch an untrusted stretch."""
        found = self.find_control(text) if untrusted else []
        return found, tuple(s for s in found if any(s[0] < b and s[1] > a for a, b in untrusted))

    def _harmless(self, text: str, found: Sequence[Span], forged: Sequence[Span]) -> tuple[list[int], list[Span]]:
        """Ids of a text whose `forged` control tokens are ordinary words, while the others `found` stay what they are."""
        ids: list[int] = []
        spans: list[Span] = []
        start = 0
        for a, b in [s for s in found if s not in set(forged)] + [(len(text), len(text))]:
            piece = self._plain.encode(text[start:a], add_special_tokens=False)
            ids += piece.ids
            spans += [(x + start, y + start) for x, y in piece.offsets]
            if b > a:
                ids.append(self.control[text[a:b]])
                spans.append((a, b))
            start = b
        return ids, spans

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
