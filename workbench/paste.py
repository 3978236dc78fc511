"""Recognises pasted text: a /rerank or /score body, a curl line, a table, JSON lines, plain lines.

Knows nothing of the screen: it returns the query, the documents, their grades and the instruction that were in the text.
"""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workbench import wire
from workbench.errors import RequestInvalid, WorkbenchError
from workbench.media import read_content
from workbench.pool import Bench
from workbench.tables import TEXTS, columns, read_table
from workbench.types import JSON, Document, Query, Row, Text

DATA_FLAGS = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
DOCUMENT_KEYS = ("document", "text", "passage", "content", "doc")
GRADE_KEYS = ("grade", "relevance", "label")
ANSI_QUOTED = re.compile(r"(?<=\s)\$'((?:[^'\\]|\\.)*)'", re.S)
MAX_PASTE, MAX_ROWS = 64 << 20, 1000
LABEL = 200  # characters


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a text turned out to be. `query` and `instruction` None: the text has none, the fields stay as they are."""

    kind: str
    rows: tuple[Row, ...]
    query: Query | None = None
    grades: tuple[int | None, ...] = ()
    labels: tuple[str, ...] = ()
    instruction: str | None = None
    template: str | None = None
    notes: tuple[str, ...] = field(default=())


def read_paste(text: str, bench: Bench, *, table: bool = False) -> Pasted:
    """The first reading that fits. RequestInvalid when there is nothing in it, or when what it claims to be is broken.

    `table`: it comes from a file that says it is one, so without a text column it is not taken for plain lines.
    """
    text = text.strip().lstrip("\ufeff")
    if not text:
        raise RequestInvalid("the paste is empty", hint="Paste a /rerank body, a curl line, or one document per line.")
    if len(text) > MAX_PASTE:
        raise RequestInvalid("the paste is longer than 64 MB")
    if re.match(r"(\$\s*)?curl\s", text):
        return _body(_curl_body(text), bench, "curl line")
    if text[0] in "{[":
        return _json(text, bench)
    if (found := read_table(text)) is not None:
        return _titled(found.rows, bench)
    lines = [line for line in text.splitlines() if line.strip()]
    if all("\t" in line for line in lines):
        return _table(lines, bench)
    if table and len(columns(text)) > 1:
        names = ", ".join(repr(name) for name in columns(text)[:6])
        raise RequestInvalid(f"has no column of texts, but {names}", hint=f"Name one of its columns {' or '.join(TEXTS[:2])}.")
    return _documents("lines", [{"text": line.strip()} for line in lines], bench)


def _json(text: str, bench: Bench) -> Pasted:
    try:
        value = wire.parse(text)
    except WorkbenchError as whole:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip()[0] in '{["' for line in lines):
            raise RequestInvalid(f"this looks like JSON, but {whole.message}", where=whole.where) from whole
        return _json_lines(lines, bench)
    if isinstance(value, dict) and _is_body(value):
        return _body(value, bench, "request body")
    return _documents("JSON", value if isinstance(value, list) else [value], bench)


def _json_lines(lines: Sequence[str], bench: Bench) -> Pasted:
    values: list[JSON] = []
    for number, line in enumerate(lines, 1):
        try:
            values.append(wire.parse(line))
        except WorkbenchError as error:
            values.append(RequestInvalid(f"is not JSON ({error.message})", where=f"line {number}"))
    if isinstance(values[0], dict) and _is_body(values[0]):
        note = f"{len(values)} requests; the first was taken" if len(values) > 1 else ""
        return _body(values[0], bench, "request line", note)
    return _documents("JSON lines", values, bench)


def _is_body(value: dict[str, JSON]) -> bool:
    return "documents" in value or any(a in value and b in value for a, b in _pairs())


def _pairs() -> tuple[tuple[str, str], ...]:
    return (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2"))


def _body(value: JSON, bench: Bench, kind: str, note: str = "") -> Pasted:
    if isinstance(value, dict) and "query" in value:
        request = wire.read_rerank(value, bench)
        variant, query, rows, kind = request.variant, request.query, request.rows, f"/rerank {kind}"
    else:
        score = wire.read_score(value, bench)
        variant, query, rows, kind = score.variant, score.queries[0], score.rows, f"/score {kind}"
        if any(q.content != query.content for q in score.queries):
            rows = tuple(r for r, q in zip(rows, score.queries, strict=True) if q.content == query.content)
            note = note or "several queries; the first was taken"
    instruction = variant.variables.get("instruction", variant.instruction)
    other = sorted(set(variant.variables) - {"instruction"})
    notes = [note] if note else []
    if other:
        notes.append(f"left out: {', '.join(other)}")
    template = variant.template.body if "template" in value and variant.template else None
    return Pasted(
        kind, rows, Query("query", query.content), grades_of(value, len(rows)), labels_of(value, len(rows)),
        instruction if isinstance(instruction, str) else None, template, tuple(notes),
    )  # fmt: skip


def grades_of(value: JSON, count: int) -> tuple[int | None, ...]:
    """The `grades` beside a body's documents, as this page saves them; none where they are not one for each."""
    given = value.get("grades") if isinstance(value, dict) else None
    if not isinstance(given, list) or len(given) != count:
        return (None,) * count
    return tuple(_grade({"grade": grade}) for grade in given)


def labels_of(value: JSON, count: int) -> tuple[str, ...]:
    """The `labels` beside a body's documents, in the same way."""
    given = value.get("labels") if isinstance(value, dict) else None
    if not isinstance(given, list) or len(given) != count:
        return ()
    return tuple(label[:LABEL] if isinstance(label, str) else "" for label in given)


def _curl_body(text: str) -> JSON:
    """The JSON behind -d, --data… or --json of a curl command copied from a shell or a browser."""
    try:
        words = shlex.split(ANSI_QUOTED.sub(_plain_quotes, re.sub(r"\\\r?\n", " ", text)))
    except ValueError as error:
        raise RequestInvalid(f"the curl line is cut off ({error})", hint="Copy all of it.") from error
    data = [_data(word, following) for word, following in zip(words, [*words[1:], ""], strict=True)]
    found = next((d for d in data if d is not None), None)
    if found is None:
        raise RequestInvalid("the curl line sends no body", hint="It needs -d '{…}' or --json '{…}'.")
    if found.startswith("@"):
        raise RequestInvalid(f"the curl line reads its body from {found[1:]}", hint="Paste that file's text instead.")
    try:
        return wire.parse(found)
    except WorkbenchError as error:
        raise RequestInvalid(f"the curl line's body is not JSON: {error.message}") from error


def _plain_quotes(match: re.Match[str]) -> str:
    """A browser's "copy as cURL" writes $'…' where the body has an apostrophe; `\\uXXXX` is left to JSON."""
    inner = re.sub(r"\\([^u])", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), match[1])
    return shlex.quote(inner)


def _data(word: str, following: str) -> str | None:
    if word in DATA_FLAGS:
        return following
    name, equals, value = word.partition("=")
    if equals and name in DATA_FLAGS:
        return value
    return word[2:] if word.startswith("-d") and word[2:3] in ("{", "@") else None


def _titled(rows: Sequence[tuple[str, str, str]], bench: Bench) -> Pasted:
    """A table with a heading. Where it has queries, the rows of the first one are taken."""
    if not rows:
        raise RequestInvalid("the table has a heading and no rows")
    query = rows[0][0]
    mine = [row for row in rows if row[0] == query]
    notes = (f"{len({row[0] for row in rows})} queries; the first was taken",) if len(mine) < len(rows) else ()
    pasted = _documents("table", [{"text": text, "grade": grade or None} for _, text, grade in mine], bench, notes)
    return replace(pasted, query=Query("query", (Text(query),)) if query else None)


def _table(lines: Sequence[str], bench: Bench) -> Pasted:
    """Tab-separated, without a heading: query, document and perhaps a grade. The rows of the first query are taken."""
    table = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)]
    query = table[0][0]
    mine = [row for row in table if row[0] == query]
    others = len({row[0] for row in table}) - 1
    pasted = _documents(
        "table",
        [{"text": r[1], "grade": r[2] if len(r) > 2 else None} for r in mine],
        bench,
        notes=(f"{others + 1} queries; the first was taken",) if others else (),
    )
    return Pasted(
        pasted.kind, pasted.rows, Query("query", (Text(query),)) if query else None, pasted.grades, notes=pasted.notes
    )


def _documents(kind: str, values: Sequence[JSON], bench: Bench, notes: tuple[str, ...] = ()) -> Pasted:
    if len(values) > MAX_ROWS:
        notes = (*notes, f"{len(values):,} rows; the first {MAX_ROWS:,} were taken")
    values = values[:MAX_ROWS]
    return Pasted(
        kind, tuple(_row(v, i, bench) for i, v in enumerate(values)), grades=tuple(map(_grade, values)), notes=notes
    )


def _row(value: JSON, index: int, bench: Bench) -> Row:
    where = f"document {index + 1}"
    if isinstance(value, WorkbenchError):
        return value
    if isinstance(value, dict) and "type" not in value:
        value = next((value[key] for key in DOCUMENT_KEYS if key in value), None)
    if value is None or value == "":
        return RequestInvalid("has no text", where=where, hint=f"Name it {', '.join(DOCUMENT_KEYS[:3])} or content.")
    try:
        return Document(f"d{index + 1}", read_content(value, bench.library, where=where))
    except WorkbenchError as error:
        return error


def _grade(value: JSON) -> int | None:
    """0 to 3, else None: a file whose `label` is a word is not judged."""
    raw = next((value[key] for key in GRADE_KEYS if key in value), None) if isinstance(value, dict) else None
    try:
        number = float(json.loads(raw) if isinstance(raw, str) else raw)  # type: ignore[arg-type]  # None raises TypeError
    except (TypeError, ValueError):
        return None
    return int(number) if number in (0, 1, 2, 3) and not isinstance(raw, bool) else None
