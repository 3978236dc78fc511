"""A template rewritten so that its whitespace is in string literals: no trimming, no lost newline, no line ends to convert.

Knows nothing of prompts: what the template's own settings leave of its words is what it says from then on.
"""

from __future__ import annotations

import jinja2

EDGES = {
    "variable_begin": "{{-", "variable_end": "-}}", "block_begin": "{%-", "block_end": "-%}",
    "comment_begin": "{#-", "comment_end": "-#}",
}  # fmt: skip
DROPPED = ("raw_begin", "raw_end")  # their words come as data, and data is quoted


def rewrite(environment: jinja2.Environment, source: str) -> str:
    """From `{{-` to `-}}`: every piece of text as a literal, every tag with both dashes; code within tags as it was.

    Python's way to write a string is one that Jinja reads: on one line, with what editors hide or change spelled out.
    """
    out = ""
    for _, kind, value in environment.lexer.tokeniter(source, None):
        if kind in DROPPED:
            continue
        if kind == "data":
            out += "{{- " + repr(value) + " -}}\n"
        else:
            out += EDGES.get(kind, value)
            out += "\n" if kind in ("variable_end", "block_end", "comment_end") else ""
    return out
