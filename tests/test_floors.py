"""The house keeps its floors: imports go down or left, each heavy library lives where it belongs, files stay readable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Lowest first; within a floor a module may import from those left of it.
FLOORS: list[list[str]] = [
    ["errors", "types", "marks", "tables", "worker", "sandbox", "decoder"],
    ["template", "media", "metrics"],
    ["scorers", "scenario", "world", "recipes", "store"],
    ["noise", "ranking", "snapshot", "pool", "lint", "occlusion", "imported", "named", "export", "bench"],
    ["wire", "paste"],
    ["api", "commands", "offline", "ui", "__main__"],
]
DOORS = {"api", "ui", "commands", "offline"}
HOMES = {
    "jinja2": {"sandbox"},
    "PIL": {"decoder", "demo"},
    "av": {"decoder", "demo"},
    "torch": {"scorers", "demo"},
    "sentence_transformers": {"bench"},
    "transformers": {"scorers", "demo"},
    "tokenizers": {"scorers", "demo"},
    "safetensors": {"scorers", "demo"},
    "huggingface_hub": {"scorers"},
    "sqlite3": {"store"},
    "httpx": {"scorers", "media"},
    "pydantic": {"wire"},
    "fastapi": {"api", "app"},
    "starlette": {"api", "app"},
    "uvicorn": {"app"},
    "gradio": {"ui", "app"},
    "pandas": {"ui"},
    "plotly": {"ui"},
}
PLACE = {name: (floor, at) for floor, names in enumerate(FLOORS) for at, name in enumerate(names)}


def sources() -> list[Path]:
    return sorted(p for p in [*(ROOT / "workbench").rglob("*.py"), ROOT / "app.py"] if p.is_file())


def module_of(path: Path) -> str:
    """The room a file belongs to: `scorers` for everything in that folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "workbench" and len(parts) > 1 else parts[0]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "workbench")
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{path}: relative import")


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    here = module_of(path)
    if here in ("app", "__init__", "demo"):
        return
    assert here in PLACE, f"{here} stands on no floor: give it one here and in README"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "workbench" or len(parts) < 2 or parts[1] == here:
            continue
        there = parts[1]
        if there == "demo":
            assert here == "__main__", f"{path.name} imports the demo wing"
            continue
        assert PLACE[there] < PLACE[here], f"{here} imports {there}, which is not below or left of it"
        assert not (here in DOORS and there in DOORS), f"{here} imports {there}: no door knows another"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_stay_home(path: Path) -> None:
    for name in imports(path):
        homes = HOMES.get(name.split(".")[0])
        assert homes is None or module_of(path) in homes, f"{name} belongs to {sorted(homes or ())}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= (290 if path.name == "types.py" else 270), "split this file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, f"{node.name} is too long"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_what_it_does(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "no opening docstring"


def test_flags_and_environment_are_read_at_the_roof() -> None:
    readers = {"app", "__main__", "commands", "demo"}
    for path in sources():
        if module_of(path) not in readers and path.name != "check.py":  # export/check.py is a program of its own in a bundle
            text = path.read_text(encoding="utf-8")
            assert "os.environ" not in text and "getenv" not in text and "argparse.ArgumentParser" not in text, path
