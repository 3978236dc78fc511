"""What a score stands on: pieces cover what can be left out, effects are differences of honest scores, copies are exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.errors import PromptInvalid
from workbench.media import Library
from workbench.occlusion import Effect, Piece, effects, forwards, pieces
from workbench.pool import LEXICAL, Bench
from workbench.types import Document, Image, MediaInput, Query, Text, Variant, Video

SHOTS = Path(__file__).resolve().parents[1] / "assets" / "scenarios"
QUERY = Query("q", (Text("a red star"),))


def texts(document: Document) -> list[str]:
    part = document.content[0]
    assert isinstance(part, Text)
    return [part.text[slice(*piece.at)] for piece in pieces(document)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two!  Three?", ["One. ", "Two!  ", "Three?"]),
        ("一句。另一句！", ["一句。", "另一句！"]),
        ("a red star", ["a ", "red ", "star"]),
        ("line\nline two", ["line\n", "line two"]),
        ("v1.5 is out. Yes", ["v1.5 is out. ", "Yes"]),
        ("word", []),
        ("", []),
    ],
)
def test_texts_fall_into_sentences_or_words(text: str, expected: list[str]) -> None:
    assert texts(Document("d", (Text(text),))) == expected


def test_a_long_text_has_few_pieces_and_all_of_it() -> None:
    text = "".join(f"Sentence {i}. " for i in range(1000))
    found = texts(Document("d", (Text(text),)))
    assert len(found) <= 48 and "".join(found) == text


def test_the_sentence_that_matters_is_found(bench: Bench) -> None:
    document = Document("d", (Text("The sky is blue. Here is a red star. Nothing else."),))
    found = pieces(document)
    got = list(effects(bench, Variant(LEXICAL), QUERY, document, found))
    assert forwards(found) == 4 and {e.piece for e in got} == set(found)
    assert max(got, key=lambda e: e.change).piece == found[1]
    plain = {p: next(iter(bench.rank(Variant(LEXICAL), QUERY, [document]))).score for p in found}
    left = Document("d", (Text("The sky is blue. Nothing else."),))
    without = next(iter(bench.rank(Variant(LEXICAL), QUERY, [left]))).score
    whole = plain[found[1]]
    assert whole and without and Effect(found[1], whole.logit - without.logit) in got


def test_it_stops_and_says_when_there_is_nothing(bench: Bench) -> None:
    document = Document("d", (Text("One. Two. Three."),))
    assert list(effects(bench, Variant(LEXICAL), QUERY, document, pieces(document), lambda: True)) == []
    with pytest.raises(PromptInvalid, match="left out"):
        list(effects(bench, Variant(LEXICAL), QUERY, document, []))


# ---------------------------------------------------------------- copies
def test_a_covered_tile_is_grey_and_the_rest_untouched(library: Library) -> None:
    part = library.add_file(next((SHOTS / "flip").glob("*.png")))
    assert isinstance(part, Image)
    before = library.picture(part)
    height, width, _ = before.shape
    with library.borrowed() as add:
        copy = add(library.covered(part, 4, 4, 6), "copy.png")
        assert isinstance(copy, Image)
        after, place = library.picture(copy), library.path(copy)
        assert place.is_file()
    box = (slice(height // 4, height * 2 // 4), slice(width * 2 // 4, width * 3 // 4))
    assert (after[box] == 128).all()
    same = before.copy()
    same[box] = 128
    assert np.array_equal(after, same)
    assert not place.exists() and library.path(part).exists()


def test_what_was_there_before_stays(library: Library) -> None:
    path = next((SHOTS / "flip").glob("*.png"))
    part = library.add_file(path)
    with library.borrowed() as add:
        assert add(path.read_bytes(), "again.png") == Image(part.digest, "again.png")
    assert library.path(part).exists()


def test_grey_frames_are_grey_and_the_others_exact(library: Library) -> None:
    part = library.add_file(next((SHOTS / "flip").glob("*.mp4")))
    assert isinstance(part, Video)
    facts = library.probe(part)
    with library.borrowed() as add:
        copy = add(library.greyed(part, [0, 3]), "copy.mkv")
        assert isinstance(copy, Video)
        told = library.probe(copy)
        every = list(range(facts.frames))
        before, after = library.frames(part, every), library.frames(copy, every)
    assert (told.frames, told.width, told.height) == (facts.frames, facts.width, facts.height)
    assert told.fps == pytest.approx(facts.fps, rel=1e-3) and told.seconds == pytest.approx(facts.seconds, abs=0.2)
    for i in every:
        assert (after[i] == 128).all() if i in (0, 3) else np.array_equal(after[i], before[i])


def test_pictures_are_tiles_and_clips_are_groups_of_frames() -> None:
    picture, clip = Image("0" * 64, "a.png"), Video("1" * 64, "a.mp4")
    given = MediaInput(clip, 64, 64, (2, 4, 4), 8, (0, 5, 10, 15), (0.3, 1.6))
    found = pieces(Document("d", (Text("word"), picture, clip)), [given])
    assert [p for p in found if p.kind == "text"] == [Piece("text", 0, (0, 4))]
    assert [p.at for p in found if p.kind == "tile"] == [(i, i + 1) for i in range(16)]
    assert [(p.at, p.frames) for p in found if p.kind == "frames"] == [((0, 2), (0, 5)), ((2, 4), (10, 15))]


def test_pictures_and_clips_have_effects_of_a_real_model(bench: Bench, tiny_qwen3_vl: Path) -> None:
    """Every piece's effect is finite, and the pieces' copies are gone afterwards."""
    variant = Variant(str(tiny_qwen3_vl))
    parts = [bench.library.add_file(next((SHOTS / "flip").glob(kind))) for kind in ("*.png", "*.mp4")]
    for part in parts:
        document = Document("d", (part,))
        (encoding,) = bench.preview(variant, QUERY, [document])
        found = pieces(document, encoding.media)  # type: ignore[union-attr]
        folder = bench.library.path(part).parent
        before = set(folder.iterdir())
        got = list(effects(bench, variant, QUERY, document, found))
        assert len(got) == len(found) > 1 and set(folder.iterdir()) == before
        assert all(np.isfinite(e.change) for e in got) and any(e.change for e in got)
