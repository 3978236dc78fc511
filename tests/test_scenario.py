"""Scenario files become nouns; what is wrong in one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.errors import RequestInvalid, WorkbenchError
from workbench.media import Library
from workbench.scenario import read_scenario, titles
from workbench.types import Document, Image, Text, Video

SHIPPED = Path(__file__).resolve().parent.parent / "assets" / "scenarios"


def write(folder: Path, name: str = "one", **fields: object) -> Path:
    body = {"title": "One", "query": "q", "documents": [{"id": "x", "content": "text", "grade": 2}], **fields}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(body))
    return path


def test_a_scenario_is_read(tmp_path: Path, library: Library) -> None:
    path = write(
        tmp_path, need="n", look="l", a={"instruction": "one"}, b={"instruction": "two", "template": "{{ x }}"},
        query={"content": [{"type": "text", "text": "a red star"}]},
    )  # fmt: skip
    scenario = read_scenario(path, library)
    assert (scenario.name, scenario.title, scenario.need, scenario.look) == ("one", "One", "n", "l")
    assert scenario.query.content == (Text("a red star"),)
    assert scenario.rows == (Document("x", (Text("text"),)),)
    assert scenario.grades == (2,) and scenario.labels == ("",)
    assert (scenario.a.instruction, scenario.a.template) == ("one", None)
    assert (scenario.b.instruction, scenario.b.template) == ("two", "{{ x }}")


def test_media_are_found_beside_the_file_and_a_bad_one_is_a_row(tmp_path: Path, library: Library) -> None:
    picture = next((SHIPPED / "flip").glob("*.png"))
    (tmp_path / "p.png").write_bytes(picture.read_bytes())
    parts = [{"type": "image_url", "image_url": {"url": u}} for u in ("p.png", "gone.png", "../../etc/passwd")]
    documents = [{"content": [p]} for p in parts]
    rows = read_scenario(write(tmp_path, documents=documents), library).rows
    assert isinstance(rows[0], Document) and isinstance(rows[0].content[0], Image)
    assert isinstance(rows[1], WorkbenchError) and isinstance(rows[2], WorkbenchError)


@pytest.mark.parametrize(
    "fields",
    [
        {"documents": "x"},
        {"documents": ["x"]},
        {"documents": [{"content": "x", "grade": 4}]},
        {"documents": [{"content": "x", "grade": True}]},
        {"a": "text"},
        {"title": 3},
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, library: Library, fields: dict[str, object]) -> None:
    with pytest.raises(RequestInvalid):
        read_scenario(write(tmp_path, **fields), library)


def test_a_template_may_be_a_file_of_its_own_taken_byte_for_byte(tmp_path: Path, library: Library) -> None:
    (tmp_path / "t.jinja").write_bytes(b"{{ x }} \r\n\n")
    path = write(tmp_path, b={"template_file": "t.jinja"})
    assert read_scenario(path, library).b.template == "{{ x }} \r\n\n"
    with pytest.raises(RequestInvalid, match=r"one\.json: b: gone\.jinja"):
        read_scenario(write(tmp_path, b={"template_file": "gone.jinja"}), library)
    with pytest.raises(RequestInvalid, match="both"):
        read_scenario(write(tmp_path, b={"template_file": "t.jinja", "template": "x"}), library)


def test_the_menu_follows_order_then_name(tmp_path: Path) -> None:
    for name, order in {"a": None, "b": 2, "c": 1, "d": None, "e": True}.items():
        write(tmp_path, name, title=name.upper(), **({} if order is None else {"order": order}))
    assert list(titles(tmp_path)) == ["c", "b", "a", "d"]  # an order that is no number is a broken file


def test_the_shipped_menu() -> None:
    first = ["flip", "motion", "picture-query", "nothing-changed", "page-you-followed"]
    assert list(titles(SHIPPED))[:5] == first


def test_a_broken_file_is_left_out_of_the_menu(tmp_path: Path) -> None:
    write(tmp_path, "b", title="B")
    (tmp_path / "a.json").write_text("{")
    assert titles(tmp_path) == {"b": "B"}


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda p: p.stem)
def test_shipped_scenarios_are_whole(path: Path, library: Library) -> None:
    scenario = read_scenario(path, library)
    assert scenario.title and scenario.need and scenario.look
    assert all(isinstance(row, Document) for row in scenario.rows) and len(scenario.rows) >= 5
    assert all(grade is not None for grade in scenario.grades) and all(scenario.labels)
    assert scenario.a != scenario.b


def test_flip_mixes_pictures_a_clip_and_captions(library: Library) -> None:
    rows = read_scenario(SHIPPED / "flip.json", library).rows
    kinds = [type(r.content[0]) for r in rows if isinstance(r, Document)]
    assert {Image, Video, Text} <= set(kinds)
