"""README's table of families is the one the family files give, and every family says what it is and how it was checked."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from workbench import scorers
from workbench.template import families_table, read_families

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = read_families(ROOT / "templates")
OPENING, CLOSING = "<!-- families:", "<!-- /families -->"


def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin = text.index("\n", text.index(OPENING)) + 1
    return text[begin : text.index(CLOSING)]


def test_readme_has_the_table_of_the_family_files() -> None:
    assert section() == families_table(FAMILIES.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_scored_by_a_kind_there_is_or_says_why_not(name: str) -> None:
    family = FAMILIES[name]
    assert family.remote or family.scorer in scorers.kinds()
    assert family.recipe and family.checked and family.max_length > 0
    assert family.models or family.architectures
    if not family.remote:
        assert callable(importlib.import_module(f"workbench.scorers.{family.scorer}").load)


def test_no_checkpoint_is_claimed_by_two_families() -> None:
    models = [m for f in FAMILIES.values() for m in f.models]
    assert len(models) == len(set(models))


def test_an_instruction_is_said_to_do_nothing_exactly_where_no_template_reads_one() -> None:
    for family in FAMILIES.values():
        body = family.source.split("#}", 1)[1]
        if family.remote:
            continue
        assert (family.instruction == "template") == ("instruction" in body), family.name
