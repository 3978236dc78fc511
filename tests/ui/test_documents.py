"""The Documents tab as plain functions: rows changed, undone, built from parts, told in tokens."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.errors import RequestInvalid
from workbench.pool import LEXICAL, Bench
from workbench.types import Document, Image, Text, Video
from workbench.ui import desk, edits
from workbench.ui.documents_handlers import Documents
from workbench.ui.documents_view import PAGE
from workbench.ui.intake import Intake
from workbench.ui.loop import Loop
from workbench.ui.quota import Quota
from workbench.ui.rows import content_of, face_of, parts_of, plain_rows, row_of
from workbench.ui.uploads import MOST, Uploads, take

ROOT = Path(__file__).resolve().parents[2]
FLIP = ROOT / "assets" / "scenarios" / "flip"
PNG, MP4 = next(FLIP.glob("*.png")), next(FLIP.glob("*.mp4"))


def texts(*words: str) -> list[Any]:
    return plain_rows([Document(f"d{i}", (Text(word),)) for i, word in enumerate(words, 1)])


def ids(items: list[Any]) -> str:
    return " ".join(item["id"] for item in items)


def event(**data: object) -> Any:
    return SimpleNamespace(_data=data)


def request(session: str = "s") -> Any:
    return SimpleNamespace(session_hash=session)


@pytest.fixture(scope="module")
def loop(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    return Loop(bench, tmp_path_factory.mktemp("none"))


@pytest.fixture(scope="module")
def tab(loop: Loop) -> Documents:
    return Documents(loop)


def do(tab: Documents, items: list[Any], undo: list[Any] | None = None, page: int = 0, **data: object) -> tuple[Any, ...]:
    return tab.on_list(event(**data), items, undo or [], page, LEXICAL)


# ---------------------------------------------------------------- rows
def test_rows_move_as_a_block_and_stay_at_the_ends() -> None:
    items = texts("a", "b", "c", "d")
    assert ids(edits.stepped(items, {"d2"}, -1)) == "d2 d1 d3 d4"
    assert ids(edits.stepped(items, {"d1", "d2"}, -1)) == "d1 d2 d3 d4"
    assert ids(edits.stepped(items, {"d2", "d3"}, 1)) == "d1 d4 d2 d3"
    assert ids(edits.moved(items, {"d1", "d3"}, "d4")) == "d2 d1 d3 d4"
    assert ids(edits.moved(items, {"d1"}, "")) == "d2 d3 d4 d1"


def test_a_drop_lands_before_or_behind_a_row(tab: Documents) -> None:
    items = texts("a", "b", "c")
    assert ids(do(tab, items, do="move", ids='["d1"]', after="d2")[0]) == "d2 d1 d3"
    assert ids(do(tab, items, do="move", ids='["d3"]', before="d1")[0]) == "d3 d1 d2"
    assert ids(do(tab, items, do="move", ids='["d1"]', after="d3")[0]) == "d2 d3 d1"
    for nonsense in ({"before": "no"}, {"after": "no"}, {}):
        assert isinstance(do(tab, items, do="move", ids='["d1"]', **nonsense)[0], dict)


def test_rows_are_named_by_their_ids_however_late_a_click_comes(tab: Documents) -> None:
    items = texts(*"abcdefg")
    for name in ("d1", "d2", "d3", "d4", "d5"):
        items = do(tab, items, do="remove", id=name)[0]
    assert ids(items) == "d6 d7"
    for nonsense in ({"id": "d1"}, {"ids": "{"}, {"ids": "3"}, {}):
        assert isinstance(do(tab, items, do="remove", **nonsense)[0], dict)
    assert isinstance(tab.on_list(SimpleNamespace(_data=None), items, [], 0, LEXICAL)[0], dict)  # type: ignore[arg-type]


def test_every_change_can_be_taken_back_and_what_came_since_stays(tab: Documents) -> None:
    items, undo = texts("a", "b", "c"), []
    items, undo, *_ = do(tab, items, undo, do="remove", ids='["d1", "d3"]')
    items, undo, *_ = do(tab, items, undo, do="duplicate", id="d2")
    assert ids(items) == "d2 d2-2"
    items = [*items, *plain_rows([Document("new", (Text("since"),))])]
    items, undo, *_ = do(tab, items, undo, do="undo")
    assert ids(items) == "d2 new"
    items, undo, _, drawn, said = do(tab, items, undo, do="undo")
    assert ids(items) == "d1 d2 d3 new" and "deleted 2 rows" in said and undo == []
    assert 'data-do="undo"' not in drawn
    cleared, undo, *_ = do(tab, items, do="clear")
    assert cleared == [] and ids(do(tab, cleared, undo, do="undo")[0]) == "d1 d2 d3 new"


def test_a_grade_is_given_and_taken(tab: Documents) -> None:
    items = do(tab, texts("a"), do="grade", id="d1", grade="3")[0]
    assert items[0]["grade"] == 3 and do(tab, items, do="grade", id="d1", grade="3")[0][0]["grade"] is None
    assert isinstance(do(tab, items, do="grade", id="d1", grade="9")[0], dict)


# ---------------------------------------------------------------- parts
def test_a_row_is_built_from_parts(tab: Documents) -> None:
    items = texts("a")
    items[0] |= {"grade": 2, "label": "old"}
    items = edits.part_added(items, "d1", [["image", "0" * 64, "p.png"]])
    assert row_of(items[0]) == Document("d1", (Text("a"), Image("0" * 64, "p.png"))) and items[0]["grade"] is None
    items = do(tab, items, do="part-step", id="d1", at="0", by="1")[0]
    items = do(tab, items, do="words", id="d1")[0]
    items = tab.on_type(event(id="d1", edit="2", text="caption"), items)
    assert [p[:2] for p in items[0]["parts"]] == [["image", "0" * 64], ["text", "a"], ["text", "caption"]]
    assert tab.on_type(event(id="d1", edit="0", text="over a picture"), items) == items
    assert tab.on_type(event(id="d1", edit="9", text="nowhere"), items) == items
    items = do(tab, items, do="part-remove", id="d1", at="1")[0]
    assert len(items[0]["parts"]) == 2


def test_a_caption_is_a_text_behind_the_picture(tab: Documents) -> None:
    items = plain_rows([Document("d1", (Image("0" * 64, "p.png"),))])
    for text in ("w", "wo", "word"):
        items = tab.on_type(event(id="d1", edit="1", text=text), items)
    assert content_of(items[0]["parts"]) == (Image("0" * 64, "p.png"), Text("word"))


def test_a_row_is_called_what_somebody_writes(tab: Documents) -> None:
    items = texts("one", "two")
    items = tab.on_type(event(edit="label", id="d1", text="  <b>the\n first "), items)
    assert [i["label"] for i in items] == ["<b>the first", ""] and items[0]["parts"] == texts("one", "two")[0]["parts"]
    drawn = tab.on_show(items, [], 0, LEXICAL)
    assert 'value="&lt;b&gt;the first"' in drawn and drawn.count('class="d-label"') == 2
    items = tab.on_type(event(edit="0", id="d1", text="another text"), items)
    assert items[0]["label"] == "<b>the first"  # what somebody wrote stays with the row
    assert face_of(items[0], desk.no_thumb).label == "<b>the first"
    items = tab.on_type(event(edit="label", id="d1", text=" "), items)
    assert face_of(items[0], desk.no_thumb).label == "another text"
    assert tab.on_type(event(edit="label", id="nobody", text="x"), items) == items
    bad = [{"id": "d9", "label": "f.png", "grade": None, "parts": [], "error": ["is bad", "f.png", ""]}]
    assert tab.on_type(event(edit="label", id="d9", text="x"), bad) == bad
    assert len(tab.on_type(event(edit="label", id="d1", text="x" * 999), items)[0]["label"]) == 200


def test_what_a_clip_asks_for_itself_travels_with_the_row(tab: Documents) -> None:
    items = plain_rows([Document("d1", (Video("0" * 64, "c.mp4"),))])
    items[0]["grade"] = 3
    items = do(tab, items, do="own", id="d1", at="0", what="fps", value="2.5")[0]
    items = json.loads(json.dumps(do(tab, items, do="own", id="d1", at="0", what="frames", value="8")[0]))
    assert row_of(items[0]) == Document("d1", (Video("0" * 64, "c.mp4", 2.5, 8),)) and items[0]["grade"] == 3
    assert parts_of(content_of(items[0]["parts"])) == items[0]["parts"]
    items = do(tab, items, do="own", id="d1", at="0", what="fps", value="")[0]
    assert row_of(items[0]) == Document("d1", (Video("0" * 64, "c.mp4", 0, 8),))
    for what, value in (("fps", "x"), ("fps", "-1"), ("frames", "1e9"), ("digest", "1"), ("fps", "nan")):
        changed, *_, said = do(tab, items, do="own", id="d1", at="0", what=what, value=value)
        assert isinstance(changed, dict) and ("out of range" in said or "no number" in said)


# ---------------------------------------------------------------- equal rows
def test_equal_rows_are_marked_and_removed(tab: Documents) -> None:
    picture = Image("1" * 64, "a.png")
    items = plain_rows([
        Document("d1", (Text("one"),)), Document("d2", (picture,)), Document("d3", (Text(" one \n"),)),
        Document("d4", (Image("1" * 64, "other name.png"), Text(""))), Document("d5", (Text("o ne"),)),
        Document("d6", (Text(""),)), Document("d7", (Text(" "),)), Document("d8", (Image("1" * 64, "a.png", 0, 9000),)),
        RequestInvalid("is bad", where="x"), RequestInvalid("is bad", where="x"),
    ])  # fmt: skip
    assert edits.twins(items) == {"d3": "d1", "d4": "d2"}
    assert "same as row 1" in tab.on_show(items, [], 0, LEXICAL)
    left = do(tab, items, do="twins")[0]
    assert [i["id"] for i in left if i["id"]] == ["d1", "d2", "d5", "d6", "d7", "d8"]


# ---------------------------------------------------------------- files
def upload(loop: Loop, files: list[Path], session: str = "s", *, folder: bool = False) -> list[Any]:
    uploads = Uploads(loop)
    read = uploads.on_folder if folder else uploads.on_files
    return read([str(f) for f in files], [], [], request(session))


def test_a_folder_comes_in_by_name_with_texts_whole(loop: Loop, tmp_path: Path) -> None:
    for name, data in {
        "b.txt": b"two\nlines\n", "A.png": PNG.read_bytes(), "c.md": b"# head", ".DS_Store": b"x", "bad.mp4": b"no clip",
        "d.csv": b'id,text,grade\n1,"a, b",3\n2,c,\n',
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    batches = upload(loop, list(tmp_path.iterdir()), folder=True)
    items, taken, said = take([], batches, [])
    assert [i["label"] for i in items] == ["", "b.txt", "bad.mp4", "c.md", "", ""]
    assert [i["parts"][0][1] for i in items[1:] if i["parts"]] == ["two\nlines", "# head", "a, b", "c"]
    assert items[2]["error"] and items[4]["grade"] == 3 and "1 hidden file left out" in said
    assert not list(tmp_path.iterdir()) and take(items, batches, taken)[0] == items  # nothing is put in twice


def test_uploads_that_overlap_lose_nothing(loop: Loop, tmp_path: Path) -> None:
    uploads = Uploads(loop)
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name)
    incoming = uploads.on_files([str(tmp_path / "a.txt")], [], [], request())
    incoming = uploads.on_files([str(tmp_path / "b.txt")], incoming, [], request())  # the first still waits
    items, taken, _ = take(texts("typed"), incoming, [])
    assert [i["parts"][0][1] for i in items] == ["typed", "a", "b"]
    assert take(items, incoming, taken)[0] == items


def test_a_picture_for_a_row_becomes_its_part(loop: Loop, tab: Documents, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(PNG.read_bytes())
    (tmp_path / "q.png").write_bytes(b"nothing")
    batches = upload(loop, [tmp_path / "p.png", tmp_path / "q.png"])
    items, *_, taken = tab.on_part(texts("a", "b"), [], 0, LEXICAL, batches, [], "d2")
    assert [p[0] for p in items[1]["parts"]] == ["text", "image"] and items[2]["error"] and len(taken) == 1
    items, *_, taken = tab.on_part(texts("a", "b"), [], 0, LEXICAL, batches, [], "gone")
    assert [i["parts"][0][0] for i in items[:3]] == ["text", "text", "image"] and items[3]["error"] and len(taken) == 1


def test_a_session_may_send_so_much_and_is_told(bench: Bench, tmp_path: Path) -> None:
    loop = Loop(bench, tmp_path, quota=Quota(len(PNG.read_bytes()) + 10))
    sent = []
    for name, session in (("a.png", "one"), ("b.png", "one"), ("c.png", "two")):
        (tmp_path / name).write_bytes(PNG.read_bytes())
        sent.append(take([], upload(loop, [tmp_path / name], session), [])[0][0])
    assert [bool(item["error"]) for item in sent] == [False, True, False]
    assert "b.png" in str(row_of(sent[1])) and "--upload-quota" in str(row_of(sent[1]))
    Uploads(loop).on_leave(request("one"))
    (tmp_path / "b.png").write_bytes(PNG.read_bytes())
    assert not take([], upload(loop, [tmp_path / "b.png"], "one"), [])[0][0]["error"]


def test_what_is_pasted_counts_as_what_is_sent(bench: Bench, tmp_path: Path) -> None:
    url = "data:image/png;base64," + base64.b64encode(PNG.read_bytes()).decode()
    body = json.dumps({"query": "q", "documents": [[{"type": "image_url", "image_url": {"url": url}}], "a text of no account"]})
    intake = Intake(Loop(bench, tmp_path, quota=Quota(len(url) + 10)))
    assert len(intake.on_paste(body, [], request("one"))[0]) == 2
    _, _, said, *_ = intake.on_paste(body, [], request("one"))
    assert "error" in said and "the paste" in said and "--upload-quota" in said
    assert len(intake.on_paste("a line\nand another: data:, of no kind", [], request("one"))[0]) == 2
    assert len(intake.on_paste(body, [], request("two"))[0]) == 2


def test_there_may_be_so_many_rows_and_the_rest_is_told(tab: Documents) -> None:
    full = texts(*map(str, range(MOST)))
    assert f"{MOST:,}" in do(tab, full, do="duplicate", id="d1")[-1]
    batch = {"key": "k", "rows": texts("x", "y"), "said": ""}
    items, _, said = take(full[:-1], [batch], [])
    assert len(items) == MOST and "1 row left out" in said


def test_a_thousand_rows_stay_quick(tab: Documents) -> None:
    """One change of a full list: the median of nine, so that a busy machine's worst moment is not what is measured."""
    items, seconds = texts(*(f"text number {i} " * 8 for i in range(MOST))), []
    for _ in range(9):
        began = time.process_time()
        items, *_, drawn, _ = do(tab, items, do="step", ids='["d500"]', by="1", page=9)
        seconds.append(time.process_time() - began)
    assert drawn.count("<textarea") == PAGE and "451–500 of 1,000" in drawn
    assert sorted(seconds)[4] < 0.3, seconds


# ---------------------------------------------------------------- figures
def test_figures_tell_tokens_sizes_and_frames(bench: Bench, loop: Loop, tab: Documents, tiny_qwen3_vl: Path) -> None:
    model = str(tiny_qwen3_vl)
    picture, clip = (bench.library.add_file(path) for path in (PNG, MP4))
    items = plain_rows([
        Document("d1", (Text("words"),)), Document("d2", (Text("mixed"), picture, clip)), RequestInvalid("bad", where="x"),
    ])  # fmt: skip
    body = bench.pool.get(model).family.template.body

    def figures(items: list[Any]) -> str:
        return tab.on_figures(0, model, "reference", "q", [], items, body, "", body, "")

    told = figures(items)
    assert 'data-of="d1"' in told and 'data-of="d2/1"' in told and 'data-of="d2/2"' in told and 'data-of="d2/0"' not in told
    asked = edits.part_asked(items, "d2", 2, "frames", 2)
    assert "<b>2</b> frames" in figures(asked) and "<b>2</b> frames" not in told
    assert "does not render" in tab.on_figures(0, model, "reference", "q", [], items, "{{", "", "{{", "")
