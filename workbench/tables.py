"""A table with a heading, separated by commas, semicolons or tabs: which column is the document's text, which its grade.

Knows nothing of documents: texts in, texts out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.errors import RequestInvalid

TEXTS = ("document", "text", "passage", "content", "doc", "body")
GRADES = ("grade", "relevance", "label", "score")
SEPARATORS = ",;\t"
CELL = 2_000_000  # characters of one cell: the most a document may have


@dataclass(frozen=True, slots=True)
class Table:
    """`rows`: (query, text, grade) as they are written; "" for a column that is not there."""

    rows: tuple[tuple[str, str, str], ...]


def read_table(text: str) -> Table | None:
    """None where the first line is no heading that names a text column. RequestInvalid where the table is broken."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    for separator in SEPARATORS:
        names = [cell.strip().strip('"').lower() for cell in first.split(separator)]
        if len(names) > 1 and (column := _column(names, TEXTS)) is not None:
            return _read(text, separator, names, column)
    return None


def columns(text: str) -> list[str]:
    """The heading of a table as it is written, by the separator that occurs most."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    return [cell.strip() for cell in first.split(max(SEPARATORS, key=first.count))]


def _column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _read(text: str, separator: str, names: Sequence[str], column: int) -> Table:
    places = _column(names, ("query",)), column, _column(names, GRADES)
    csv.field_size_limit(CELL)
    try:
        file, plain = io.StringIO(text, newline=""), separator == "\t"  # in tab-separated files a quote is a quote
        found = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
        lines = [line for line in found if any(line)]
    except csv.Error as error:
        raise RequestInvalid(f"cannot be read as a table ({error})", hint="Check its quotes.") from error
    return Table(tuple((_cell(line, places[0]), _cell(line, column), _cell(line, places[2])) for line in lines[1:]))


def _cell(line: Sequence[str], at: int | None) -> str:
    return line[at].strip() if at is not None and at < len(line) else ""
