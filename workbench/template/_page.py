"""The families as one Markdown table, made from the family files, so that README cannot say what they do not.

Knows nothing of models or scores: it prints facts.
"""

from __future__ import annotations

from collections.abc import Iterable

from workbench.types import Family

HEAD = ("Family file", "Score type", "Checkpoints", "Recipe", "Instruction", "Checked against")


def families_table(families: Iterable[Family]) -> str:
    """One row per family: those that are scored here first, then those that only a server scores, with the reason."""
    ordered = sorted(families, key=lambda f: (bool(f.remote), f.scorer, f.name))
    rows = [HEAD, ("---",) * len(HEAD), *(_row(f) for f in ordered)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in rows)


def _row(family: Family) -> tuple[str, ...]:
    reads = "does nothing" if family.instruction == "none" else "in the prompt"
    recipe = family.recipe + (f" ({', '.join(_media(family))})" if _media(family) else "")
    where = f"server only: {family.remote}" if family.remote else f"`{family.scorer}`"
    names = ", ".join(family.models) or ", ".join(family.architectures)
    return f"`{family.name}`", where, names, _cell(recipe), reads, _cell(family.checked)


def _media(family: Family) -> list[str]:
    marks = family.template.placeholders
    return [word for word, mark in (("pictures", marks.image), ("clips", marks.video)) if mark]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
