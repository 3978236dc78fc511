"""check.py as a bundle carries it: the program and the modules it is made of in one file that imports nothing of ours.

Knows nothing of what they do.
"""

from __future__ import annotations

import ast
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ("_asking.py", "_causes.py", "check.py")  # each imports only from those before it


def check_program() -> bytes:
    """The opening docstring of check.py, every import of the standard library once, then the modules one after another."""
    docstring, imports, bodies = "", set[str](), list[str]()
    for name in PARTS:
        text = (HERE / name).read_text(encoding="utf-8")
        lines, body = text.splitlines(), ast.parse(text).body
        docstring = "\n".join(lines[: body[0].end_lineno])
        last = 0
        for node in body[1:]:
            if isinstance(node, ast.Import | ast.ImportFrom):
                last = node.end_lineno or 0
                if not ast.unparse(node).startswith(("from workbench.", "from __future__")):
                    imports.add(ast.unparse(node))
        bodies.append("\n".join(lines[last:]).strip())
    head = [docstring, "from __future__ import annotations", "\n".join(sorted(imports, key=_order))]
    return ("\n\n".join(head) + "\n\n" + "\n\n\n".join(bodies) + "\n").encode()


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line
