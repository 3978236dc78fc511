"""Where in its line a syntax error lies. Jinja says the line alone, so the template is cut into tokens once more.

Knows nothing of what is wrong there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import ignored_tokens
from jinja2.parser import Parser

AT = re.compile(r" at (\d+)$")  # how the lexer ends its messages: an offset in the text
NEWLINE = re.compile(r"\r\n|\r")
SILENT = {*ignored_tokens, "raw_begin", "raw_end"}  # tokens a parser is never given


def column_of(environment: Environment, source: str, error: TemplateSyntaxError, parser: Parser | None) -> int:
    """From 1; 0 where the place is not known exactly. The parser stands at the token that it could not take."""
    source = NEWLINE.sub("\n", source)  # as the lexer does first
    if found := AT.search(str(error.message)):
        return _column(source, int(found[1]), error.lineno)
    if parser is None or parser.stream.current.lineno != error.lineno:
        return 0
    try:
        left = sum(1 for _ in parser.stream)
        offsets = list(_offsets(environment, source))
    except TemplateSyntaxError:  # what follows cannot be cut into tokens either
        return 0
    return _column(source, offsets[-left], error.lineno) if 0 < left <= len(offsets) else 0


def _offsets(environment: Environment, source: str) -> Iterator[int]:
    """Where each token of the parser begins."""
    at = 0
    for _, kind, text in environment.lexer.tokeniter(source, None):
        found = source.find(text, at)
        if found < 0:
            return
        if kind not in SILENT:
            yield found
        at = found + len(text)


def _column(source: str, offset: int, line: int) -> int:
    before = source[:offset]
    return offset - before.rfind("\n") if before.count("\n") == line - 1 else 0
