"""Which characters of a text stand behind each token, from the way a vocabulary writes its tokens.

Knows nothing of servers or models; a vocabulary it cannot follow gives no places at all rather than wrong ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

Span = tuple[int, int]


def places(names: Sequence[str], text: str) -> tuple[Span, ...] | None:
    """Characters [start, end) behind each token, None where names and text do not fit together.

    A token that holds part of a character gets the whole of it, as fast tokenizers say it too. Byte-level vocabularies
    write a space as Ġ and the bytes of é as Ã ©; SentencePiece writes a space as ▁.
    """
    plain, origin = _composed(text)
    spans = _of_bytes(names, text) or _of_bytes(names, plain) or _of_pieces(names, text)
    if spans is None or plain == text or len(spans) == 0 or spans == _of_bytes(names, text):
        return spans
    return tuple((origin[a][0], origin[b - 1][1] if b > a else origin[a][0]) for a, b in spans)


def _composed(text: str) -> tuple[str, list[Span]]:
    """The text as tokenizers of NFC see it, and for each of its characters the place of the original that it stands for.

    A composed character stands for its first one: fast tokenizers place it so, and vLLM cuts there.
    """
    out, origin = "", []
    for match in re.finditer(r".[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]*", text, re.S):
        piece = unicodedata.normalize("NFC", match.group())
        out += piece
        last = match.end() - len(piece)  # marks that stay apart keep their own places
        origin += [(at, at + 1) for at in (match.start(), *range(last + 1, match.end()))]
    return out, [*origin, (len(text), len(text))]


def readable(name: str) -> str:
    """A token's own characters; fragments of a character as `�`."""
    table = _bytes()
    if all(c in table for c in name):
        return bytes(table[c] for c in name).decode(errors="replace")
    return name.replace("▁", " ")


def _of_bytes(names: Sequence[str], text: str) -> tuple[Span, ...] | None:
    table = _bytes()
    raw = text.encode()
    starts = [i for i, b in enumerate(raw) if b & 0xC0 != 0x80]  # where characters begin
    index = {b: i for i, b in enumerate(starts)} | {len(raw): len(starts)}
    spans: list[Span] = []
    at = 0
    for name in names:
        if any(c not in table for c in name):
            return None
        piece = bytes(table[c] for c in name)
        if raw[at : at + len(piece)] != piece:
            return None
        spans.append((_down(at, index), _up(at + len(piece), index, len(raw))))
        at += len(piece)
    return tuple(spans) if at == len(raw) else None


def _down(byte: int, index: dict[int, int]) -> int:
    while byte not in index:
        byte -= 1
    return index[byte]


def _up(byte: int, index: dict[int, int], end: int) -> int:
    while byte not in index and byte < end:
        byte += 1
    return index[byte]


def _of_pieces(names: Sequence[str], text: str) -> tuple[Span, ...] | None:
    spans: list[Span] = []
    at = 0
    for i, name in enumerate(names):
        piece = name.replace("▁", " ")
        if not text.startswith(piece, at):
            piece = piece[1:] if not spans or i < 2 else piece  # the space put in front of a text
            if name.startswith("<") and name.endswith(">") and not text.startswith(name, at):
                spans.append((at, at))  # a token that stands before or behind the text
                continue
            if not text.startswith(piece, at):
                return None
        spans.append((at, at + len(piece)))
        at += len(piece)
    return tuple(spans) if at == len(text) else None


@cache
def _bytes() -> dict[str, int]:
    """The printable stand-in of each byte in a byte-level vocabulary (GPT-2's table), turned round."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return {chr(b if b in plain else next(spare)): b for b in range(256)}
