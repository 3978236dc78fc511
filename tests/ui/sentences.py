"""Reads the sentences a reader can meet out of the source: what errors say, what the linter says, what our HTML holds.

Put-in values become {}; `count(n, "noun")` becomes "{} noun(s)". Knows nothing of any language beside the source's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import islice, product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 64  # readings of one expression
SLOT = "{}"
READ_AS_SLOT = (ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.FormattedValue, ast.Compare, ast.BinOp)
Defined = Mapping[str, list[ast.expr]]


@dataclass
class Source:
    """One module: what its names are bound to, everywhere and by function."""

    path: Path
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def sources(*folders: str, only: str = "") -> list[Source]:
    """All modules below workbench/ but those of the folders named; `only` those of one folder."""
    every = [(p, p.relative_to(ROOT / "workbench").parts[0]) for p in sorted((ROOT / "workbench").rglob("*.py"))]
    return [Source(p) for p, folder in every if folder not in folders and only in ("", folder)]


def bound(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Name → every expression it is given by `=`, `:=` or `+=` directly in a scope."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            pairs = [(t, node.value) for t in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(value)
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                for t, v in zip(target.elts, value.elts, strict=False):
                    if isinstance(t, ast.Name):
                        found.setdefault(t.id, []).append(v)
    return found


def readings(node: ast.expr, names: Defined, depth: int = 0) -> list[str]:
    """What an expression may say, {} for what is put in."""
    return list(dict.fromkeys(islice(_read(node, names, depth), MOST))) or [SLOT]


def _read(node: ast.expr, names: Defined, depth: int) -> Iterator[str]:
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Constant():
            yield SLOT
        case ast.JoinedStr(values=values):
            yield from map("".join, product(*(readings(v, names, depth) for v in values)))
        case ast.FormattedValue(value=value):
            inner = readings(value, names, depth + 1)
            yield from inner
        case ast.IfExp(body=body, orelse=orelse):
            yield from readings(body, names, depth)
            yield from readings(orelse, names, depth)
        case ast.BoolOp(values=values):
            for value in values:
                yield from readings(value, names, depth)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from map("".join, product(readings(left, names, depth), readings(right, names, depth)))
        case ast.BinOp(left=left, op=ast.Mult()) if not isinstance(left, ast.Constant | ast.JoinedStr):
            yield SLOT
        case ast.BinOp(left=left, op=ast.Mult()):
            yield ""
            yield from readings(left, names, depth)
        case ast.Call(func=ast.Name(id="count"), args=[_, noun]):
            yield from (f"{SLOT} {n}(s)" for n in readings(noun, names, depth))
        case ast.Call(func=ast.Attribute(attr="join"), args=[_]):
            yield SLOT
        case ast.Subscript(value=ast.Name(id=name)) if isinstance(_only(names, name), ast.Dict):
            for value in _only(names, name).values:  # type: ignore[union-attr]
                yield from readings(value, names, depth + 1)
        case ast.Name(id=name) if name in names and depth < 4:
            for value in names[name]:
                yield from readings(value, names, depth + 1)
        case ast.Subscript(value=ast.Dict(values=values)):
            for value in values:
                yield from readings(value, names, depth + 1)
        case _:
            yield SLOT


def _only(names: Defined, name: str) -> ast.expr | None:
    values = names.get(name, [])
    return values[0] if len(values) == 1 else None


# ---------------------------------------------------------------- errors and findings
def errors(every: list[Source]) -> set[str]:
    """WorkbenchError and all that inherit from it."""
    known, grew = {"WorkbenchError"}, True
    while grew:
        grew = False
        for source in every:
            for node in ast.walk(source.tree):
                bases = {b.id for b in getattr(node, "bases", []) if isinstance(b, ast.Name)}
                if isinstance(node, ast.ClassDef) and node.name not in known and bases & known:
                    known.add(node.name)
                    grew = True
    return known


def scopes(tree: ast.Module) -> Iterator[tuple[ast.AST, dict[str, list[ast.expr]]]]:
    """Each outermost function with the names it sees, and the module itself."""
    outer: dict[str, list[ast.expr]] = {}
    functions: list[ast.AST] = []
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(node)
        elif isinstance(node, ast.ClassDef):
            stack += node.body
        else:
            outer.update(bound(node))
            functions.append(node)
    for function in functions:
        yield function, {**outer, **bound(function)}


def said(every: list[Source]) -> Iterator[tuple[str, str]]:
    """(place, sentence) of every message, hint and finding."""
    kinds = errors(every)
    for source in every:
        for scope, names in scopes(source.tree):
            for node in ast.walk(scope):
                if not isinstance(node, ast.Call):
                    continue
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                for value in _told(node, called, kinds):
                    for text in readings(value, names):
                        yield f"{source.name}:{node.lineno}", text


def _told(node: ast.Call, called: str, kinds: set[str]) -> list[ast.expr]:
    by_name = {k.arg: k.value for k in node.keywords}
    if called in kinds:
        return [*node.args[:1], *(by_name[k] for k in ("message", "hint") if k in by_name)]
    if called == "Finding":
        return [*node.args[1:2], *(by_name[k] for k in ("sentence",) if k in by_name)]
    if called == "Fix":
        return [*node.args[:1], *(by_name[k] for k in ("label",) if k in by_name)]
    return []


# ---------------------------------------------------------------- our own HTML
class _Texts(HTMLParser):
    """Text nodes and the attributes that are read, outside translate="no"."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.shut: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        closed = self.shut or given.get("translate") == "no" or tag in ("script", "style")
        if closed and tag not in ("img", "br", "input", "hr", "use", "path"):
            self.shut.append(tag)
        self.found += [v for k, v in attrs if k in ("title", "aria-label", "placeholder", "alt") and v]

    def handle_endtag(self, tag: str) -> None:
        if self.shut:
            self.shut.pop()

    def handle_data(self, data: str) -> None:
        if not self.shut:
            self.found.append(data)


WORDY = re.compile(r"[A-Za-z]{2,}")


def texts(html: str) -> list[str]:
    """What a reader reads of a piece of HTML."""
    parser = _Texts()
    parser.feed(html)
    parser.close()
    return [t for t in (" ".join(t.split()) for t in parser.found) if WORDY.search(t)]


PROSE = re.compile(r"[A-Za-z]{2,},? [a-z]{2,}|^[A-Z][a-z]+( [A-Za-z]+)*$")
NO_PROSE = re.compile(r"[;{}\\[=]|^\W*--|\w\(|^[a-z-]+( [a-z]+-[a-z-]+)+$")
SAID = ("label", "placeholder", "info", "title")  # arguments that are shown
BUTTONS = ("button", "Button", "DownloadButton", "Tab", "_tool", "_level", "_button", "_step")


def drawn(every: list[Source]) -> Iterator[tuple[str, str]]:
    """(place, text) of every text node in a string of ours that is HTML, and of every string that reads like a sentence."""
    for source in every:
        skipped = _docstrings(source.tree) | _pieces(source.tree)
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
                for text in _shown(node):
                    yield f"{source.name}:{node.lineno}", text
            if isinstance(node, ast.Call):
                for value in _labels(node):
                    for text in readings(value, {}):
                        if WORDY.search(text) and "<" not in text:
                            yield f"{source.name}:{node.lineno}", " ".join(text.split())


def _docstrings(tree: ast.Module) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def _pieces(tree: ast.Module) -> set[int]:
    """The parts of f-strings, which are read with the whole."""
    return {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}


def _shown(node: ast.expr) -> Iterator[str]:
    for text in readings(node, {}):
        if "<" in text and ">" in text:
            yield from texts(text)
        elif PROSE.search(text) and not NO_PROSE.search(text.replace(SLOT, "").replace("(s)", "")):
            yield " ".join(text.split())


def _labels(node: ast.Call) -> Iterator[ast.expr]:
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    yield from (k.value for k in node.keywords if k.arg in SAID and isinstance(k.value, ast.Constant | ast.JoinedStr))
    if called in BUTTONS:
        yield from (a for a in node.args if isinstance(a, ast.Constant | ast.JoinedStr))


# ---------------------------------------------------------------- everything
def written(every: list[Source]) -> set[str]:
    """Every string that the source holds or can put together, blanks counted as one: far more than is ever shown."""
    found = set[str]()
    for source in every:
        for scope, names in scopes(source.tree):
            for node in ast.walk(scope):
                if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call):
                    found.update(" ".join(text.split()) for text in readings(node, names) if WORDY.search(text))
    return found
