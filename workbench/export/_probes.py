"""Pairs that try a prompt where prompts break: short and long, newlines, scripts, code, an instruction sent or blank.

Knows nothing of models or templates; these are our own words, so a bundle of them alone tells nobody's documents.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from workbench.types import Document, Query, Text

LONG = "Honey bees see ultraviolet light, and many flowers carry patterns that only such eyes can read. " * 12
WORDS = "amber birch cedar delta ember fjord grove heron islet jetty kelp larch mesa north otter pine quay reef shore".split()
WIDE = "山川草木花鳥風月雪雨雲星"
PIECE = re.compile(r"[A-Za-z]+|\d|[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Case:
    """One pair to replay. `instruction` None is not sent; `covers` says why the pair is there."""

    covers: str
    query: Query
    document: Document
    instruction: str | None = None


def _case(covers: str, query: str, document: str, instruction: str | None = None) -> Case:
    return Case(covers, Query("probe", (Text(query),)), Document("probe", (Text(document),)), instruction)


PROBES = (
    _case("plain", "how do bees find flowers", "Bees see ultraviolet patterns on petals."),
    _case("an instruction is sent", "how do bees find flowers", "Bees see ultraviolet patterns.", "Prefer botany."),
    _case("a blank instruction is the default", "how do bees find flowers", "Taxes are due in April.", ""),
    _case("shortest", "a", "b"),
    _case("longest", "what do bees see", LONG.strip()),
    _case("newlines", "first line\nsecond line", "one\n\ntwo\n\n\nthree"),
    _case("spaces at the edges", "  bees  ", "  petals\t"),
    _case("scripts", "蜜蜂如何找到花？", "Пчёлы видят ультрафиолет 🌼 ¿y las flores? é e\u0301"),
    _case("code and braces", "render {{ name }}", "{% if x %}{# note #}{{ y }}{% endif %} <b>&amp;</b> \\n"),
    _case("numbers", "2 + 2 = ?", "4, or 0x04; see RFC 2119 §6."),
)


def synthetic_text(text: str) -> str:
    """Words of ours with the lengths, digits, scripts, spaces and punctuation of the text."""
    taken = iter(range(1 << 30))

    def word(match: re.Match[str]) -> str:
        found = match[0]
        if found.isdigit():
            return "7"
        if not found.isascii():
            return WIDE[next(taken) % len(WIDE)] if ord(found) > 0x2E7F else "e"
        made = (WORDS[next(taken) % len(WORDS)] * (len(found) // 4 + 1))[: len(found)]
        return made.upper() if found.isupper() else made.capitalize() if found[0].isupper() else made

    return PIECE.sub(word, text)


def synthetic_picture() -> bytes:
    """A PNG of 64×64 pixels with two plain halves, for a picture that is not to leave."""
    rows = b"".join(b"\0" + b"\x30\x60\xc0" * 32 + b"\xe0\xa0\x40" * 32 for _ in range(64))
    head = struct.pack(">2I5B", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    )
