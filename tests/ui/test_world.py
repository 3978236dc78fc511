"""The notice beside the scores and the scenes to add, as plain handlers: fields in, panels out."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.pool import LEXICAL, Bench, open_bench
from workbench.ui import build
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.rows import content_of
from workbench.ui.uploads import Uploads
from workbench.ui.world import Border

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS, SCENES = ROOT / "assets" / "scenarios", ROOT / "assets" / "scenes"
PHOTO = ROOT / "assets" / "screenshot-light.png"


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("world")
    model, families = ROOT / "assets" / "demo-reranker", ROOT / "templates"
    bench = open_bench(model=model.name, data=folder / "data", families=families, shipped=model, device="cpu")
    yield Loop(bench, SCENARIOS, SCENES)
    bench.close()


def fields(loop: Loop, scenario: str = "flip") -> list[Any]:
    """model, target, query, query parts, items, template A, instruction A, template B, instruction B"""
    model = loop.bench.model
    _, query, parts, _, items, _, *sides, _ = loop.on_scenario(scenario, model)
    return [model, "reference", query, parts, items, *sides]


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


# ---------------------------------------------------------------- the notice
@pytest.mark.parametrize("name", sorted(p.stem for p in SCENARIOS.glob("*.json")))
def test_no_shipped_scenario_is_foreign(loop: Loop, name: str) -> None:
    assert Border(loop).on_judge(*fields(loop, name)) == ""


@pytest.mark.parametrize("name", sorted(p.stem for p in SCENARIOS.glob("*.json")))
def test_every_shipped_scenario_says_what_to_look_at(loop: Loop, name: str) -> None:
    told = json.loads((SCENARIOS / f"{name}.json").read_text())
    shown = html.unescape(loop.on_scenario(name, loop.bench.model)[0])
    assert told["need"] in shown and told["look"] in shown


def test_the_notice_names_what_is_foreign_and_offers_models_with_their_size(loop: Loop) -> None:
    values = fields(loop)
    values[2], values[8] = "a dog in the snow", "Prefer recent news articles."
    values[4] = Intake(loop).on_text(values[4])[0]
    values[4][-1]["parts"] = [["text", "Der Hund", ""]]
    said = Border(loop).on_judge(*values)
    assert 'data-foreign="query b d8"' in said
    assert "The query, instruction B and 1 document (Der Hund) are outside" in said
    assert "It has no idea of “dog”, “snow”, “prefer”, “recent”, “news” and more." in said and "All it ever saw:" in said
    assert 'data-model="Qwen/Qwen3-VL-Reranker-2B"' in said and "4.3 GB" in said and "8.5 GB" in said
    assert "Qwen3-Reranker-0.6B" not in said  # there are pictures in the list
    values[4] = values[4][-1:]
    assert 'data-model="Qwen/Qwen3-Reranker-0.6B"' in Border(loop).on_judge(*values)


def test_a_picture_from_elsewhere_is_foreign(loop: Loop, tmp_path: Path) -> None:
    values, upload = fields(loop), tmp_path / "page.png"
    upload.write_bytes(PHOTO.read_bytes())
    [item] = Uploads(loop).items(upload, "a session")
    values[4] = [*values[4], {**item, "id": "sent"}]
    assert "1 document (page.png) is outside" in Border(loop).on_judge(*values)


def test_a_model_without_a_world_is_never_told_off(loop: Loop) -> None:
    values = fields(loop)
    values[0], values[2] = LEXICAL, "a dog in the snow"
    assert Border(loop).on_judge(*values) == ""


def test_a_broken_world_is_said(loop: Loop, tmp_path: Path, bench: Bench) -> None:
    (tmp_path / "world.json").write_text("{")
    values = fields(loop)
    values[0] = str(tmp_path)
    assert "world.json" in Border(Loop(bench, SCENARIOS)).on_judge(*values)


def test_an_offered_model_is_chosen_as_from_the_menu(loop: Loop) -> None:
    name, current = "Qwen/Qwen3-VL-Reranker-2B", loop.bench.model
    steps = list(Border(loop).on_offer(event(model=name), current, "", ""))
    assert steps[0][1]["value"] == name
    assert steps[-1][1]["value"] == current and name in steps[-1][3]  # it cannot be had without a network: said, and undone
    (only,) = Border(loop).on_offer(event(model="somebody/else"), current, "", "")
    assert len(only) == 9 and all(isinstance(part, dict) and "value" not in part for part in only)


# ---------------------------------------------------------------- scenes to add
def test_the_gallery_is_drawn_once(loop: Loop) -> None:
    gallery, drawn = Intake(loop).on_gallery(False)
    index = json.loads((Path(str(loop.scenes)) / "index.json").read_text())
    assert drawn and gallery.count('data-do="scene"') == len(index) > 1
    assert gallery.count("<img") == len(index) and gallery.count("th-clip") == sum(e["kind"] == "clip" for e in index)
    assert all(isinstance(part, dict) for part in Intake(loop).on_gallery(True))


def test_a_scene_is_a_row_as_an_upload_makes_it(loop: Loop, tmp_path: Path) -> None:
    intake, folder = Intake(loop), Path(str(loop.scenes))
    index, items = json.loads((folder / "index.json").read_text()), list[Any]()
    for i in (0, 2, 2):
        items, tray, said = intake.on_scene(event(index=str(i)), items)
        assert index[i]["label"] in said and tray.count("doc-row") == len(items)
    assert [i["label"] for i in items] == [index[i]["label"] for i in (0, 2, 2)]
    assert len({i["id"] for i in items}) == 3 and {i["grade"] for i in items} == {None}
    upload = tmp_path / index[0]["file"]
    upload.write_bytes((folder / index[0]["file"]).read_bytes())
    [sent] = Uploads(loop).items(upload, "a session")
    assert content_of(sent["parts"]) == content_of(items[0]["parts"])
    for nonsense in ("-1", "999", "x", None):
        assert all(isinstance(part, dict) for part in intake.on_scene(event(index=nonsense), items))


def test_scenes_that_cannot_be_read_are_said(loop: Loop, tmp_path: Path) -> None:
    intake = Intake(Loop(loop.bench, SCENARIOS, tmp_path))
    (tmp_path / "index.json").write_text('[{"file": "../secret.png", "label": "x", "kind": "picture"}]')
    assert "index.json[0]" in intake.on_gallery(False)[0] and "error" in intake.on_scene(event(index="0"), [])[2]
    (tmp_path / "index.json").write_text('[{"file": "gone.png", "label": "x", "kind": "picture"}]')
    assert "gone.png" in intake.on_gallery(False)[0]


def test_the_button_is_there_when_the_scenes_are(bench: Bench, tmp_path: Path) -> None:
    def visible(scenes: Path) -> bool:
        page = build(bench, SCENARIOS, scenes)
        (found,) = [b for b in page.blocks.values() if b.elem_id == "add-scene"]
        return bool(found.visible)

    assert not visible(tmp_path / "nowhere") and visible(SCENES)
