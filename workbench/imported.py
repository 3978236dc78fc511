"""Templates that come back: from a bundle, a file, a checkpoint's folder, or a server that shows what it renders.

Knows nothing of models' weights or of doors. Text comes back byte for byte; what cannot be known exactly is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.scorers._answers import token_ids
from workbench.scorers._checkpoint import declared_template
from workbench.template import Renderer
from workbench.types import JSON, ScoreTemplate

if TYPE_CHECKING:
    from workbench.scorers._endpoints import Endpoints

QUERY, DOCUMENT, INSTRUCTION = "qvzkxw", "dwjqzk", "ikzvqj"  # words no template says
OURS = ("template.jinja", "manifest.json")
HEAD = """{%- set query = (messages | selectattr('role', 'eq', 'query') | first).content -%}
{%- set document = (messages | selectattr('role', 'eq', 'document') | first).content -%}
"""
TRIED = (
    ("one two", "three\n\nfour", None), ("a", "b", ""), ("漢字 é", "{{ x }} <b> ", "Only law."),
    ("  q ", "long " * 40, " spaced "),
)  # fmt: skip


def from_place(path: Path) -> str | None:
    """The template of a bundle (folder or zip), a checkpoint's folder or a file; None where the path is none of them.

    Raises RequestInvalid: a bundle whose template is not the one its manifest names, a folder that declares none.
    """
    if path.is_dir() and (path / "template.jinja").is_file():
        return _of_bundle({p.name: p.read_bytes() for p in path.iterdir() if p.name in OURS}, path)
    if path.is_dir() and (path / "manifest.json").is_file() and (path / "golden.jsonl").is_file():
        return _of_bundle({"manifest.json": (path / "manifest.json").read_bytes()}, path)
    if path.is_dir():
        if (found := declared_template(path)) is None:
            hint = "Only the Sentence-Transformers config of a CrossEncoder declares one; chat templates are for chatting."
            raise RequestInvalid("declares no score template", where=str(path), hint=hint)
        return found
    if not path.is_file():
        return None
    if zipfile.is_zipfile(path):
        return _of_bundle(_unzipped(path), path)
    return _text(path.read_bytes(), path)


def _unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        sizes = {i.filename: i.file_size for i in archive.infolist()}
        return {n: archive.read(n) for n in OURS if sizes.get(n, 1 << 30) <= 1 << 20}


def _of_bundle(files: Mapping[str, bytes], path: Path) -> str:
    try:
        facts = json.loads(files["manifest.json"]) if "manifest.json" in files else {"template_sha256": None}
        wanted = facts["template_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise RequestInvalid(f"has a manifest that cannot be read ({error})", where=str(path)) from error
    if "template.jinja" not in files:
        pair = "manifest.json" in files and wanted is None
        hint = "Its model reads query and document as its tokenizer's pair: choose the model alone." if pair else ""
        raise RequestInvalid("holds no template.jinja", where=str(path), hint=hint)
    source = files["template.jinja"]
    if wanted is not None and wanted != hashlib.sha256(source).hexdigest():
        raise RequestInvalid(
            "was changed since it was exported: its template is not the one that manifest.json names", where=str(path),
            hint="Give template.jinja itself if the change is meant.",
        )  # fmt: skip
    return _text(source, path)


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RequestInvalid(f"cannot be read ({error})", where=str(path)) from error


# ---------------------------------------------------------------- a server
def from_server(endpoints: Endpoints, renderer: Renderer, model: str = "") -> str:
    """A template that renders what the server renders, found out through /tokenize and proved on further pairs.

    Raises RequestInvalid where its prompt is no fixed text around the values, ModelUnavailable where it cannot be asked.
    """
    plain = _shown(endpoints, model, QUERY, DOCUMENT, None)
    asked = _shown(endpoints, model, QUERY, DOCUMENT, INSTRUCTION)
    for blank in (", true", ""):  # a blank instruction is the template's own, or blank
        source = _written(plain, asked, blank)
        if all(_same(endpoints, renderer, model, source, *tried) for tried in TRIED):
            return source
    raise RequestInvalid(
        "changes or chooses by its values, so that its template cannot be told from outside", where=endpoints.name,
        hint="Give the file that it was started with.",
    )  # fmt: skip


def _shown(endpoints: Endpoints, model: str, query: str, document: str, instruction: str | None) -> str:
    from workbench.scorers._probe import named

    ids = _ids(endpoints, model, query, document, instruction)
    return str(endpoints.ask("/detokenize", {**named(model), "tokens": ids}).get("prompt", ""))


def _ids(endpoints: Endpoints, model: str, query: str, document: str, instruction: str | None) -> list[int]:
    from workbench.scorers._probe import messages

    variables: dict[str, JSON] = {} if instruction is None else {"instruction": instruction}
    body = {**messages(model, query, document, variables), "add_special_tokens": False}
    try:
        return list(token_ids(endpoints.ask("/tokenize", body)).ids)
    except WorkbenchError as error:
        hint = "Start it with --chat-template, or give the template's file."
        raise RequestInvalid(f"shows no template ({error.message})", where=endpoints.name, hint=hint) from error


def _written(plain: str, asked: str, blank: str) -> str:
    """The template that makes `plain` without an instruction and `asked` with one."""
    before, mark, after = asked.partition(INSTRUCTION)
    if not mark:
        return HEAD + "".join(_pieces(asked))
    if len(plain) >= len(before + after) and plain.startswith(before) and plain.endswith(after):
        default = plain[len(before) : len(plain) - len(after)]
        inserted = f"instruction | default({default!r}{blank})"
    else:  # words around it come and go with it
        start = _shared(plain, asked)
        end = _shared(plain[start:][::-1], asked[start:][::-1])
        words, _, rest = asked[start : len(asked) - end].partition(INSTRUCTION)
        before, after = asked[:start], asked[len(asked) - end :]
        inserted = f"({words!r} ~ instruction ~ {rest!r}) if instruction else {plain[start : len(plain) - end]!r}"
    return HEAD + "".join((*_pieces(before), "{{- " + inserted + " -}}\n", *_pieces(after)))


def _shared(a: str, b: str) -> int:
    """How many characters both begin with."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _pieces(text: str) -> Iterator[str]:
    values = {QUERY: "query", DOCUMENT: "document"}
    for piece in re.split(f"({QUERY}|{DOCUMENT})", text):
        if piece:
            yield "{{- " + (values.get(piece) or repr(piece)) + " -}}\n"


def _same(
    endpoints: Endpoints, renderer: Renderer, model: str, source: str, query: str, document: str, instruction: str | None
) -> bool:
    from workbench.scorers._probe import named

    text = renderer.render(ScoreTemplate(source), query, document, instruction=instruction).text
    body = {**named(model), "prompt": text, "add_special_tokens": False}
    ours = list(token_ids(endpoints.ask("/tokenize", body)).ids)
    return ours == _ids(endpoints, model, query, document, instruction)
