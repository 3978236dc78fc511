"""What one picture or clip asks for itself: its frames and pixels change, its neighbour's do not, and no cache mixes them up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workbench.errors import PromptInvalid
from workbench.media import MediaFacts
from workbench.pool import Bench
from workbench.ranking import ranking
from workbench.scorers._jobs import asked_of
from workbench.scorers._sight import name
from workbench.scorers._vision import PixelRecipe, plan
from workbench.types import ClipSampling, Document, Encoding, Image, Parity, PixelLimits, Query, Text, Video

FLIP = Path(__file__).resolve().parents[2] / "assets" / "scenarios" / "flip"
LONG = MediaFacts(640, 480, frames=240, fps=24.0, seconds=10.0)
CLIP, PICTURE = Video("0" * 64, "c.mp4"), Image("1" * 64, "p.png")


def rules(parity: Parity) -> PixelRecipe:
    return PixelRecipe(parity, PixelLimits(4096, 1843200), ClipSampling(1, 4, 64, 4096, 786432, 7864320))


@pytest.mark.parametrize("parity", ["reference", "vllm"])
def test_a_clip_may_ask_for_its_rate_or_its_frames(parity: Parity) -> None:
    def frames(**own: float) -> int:
        return len(plan(replace(CLIP, **own), LONG, rules(parity)).frames)  # type: ignore[arg-type]

    assert (frames(), frames(fps=2), frames(frames=6), frames(fps=2, frames=6)) == (10, 20, 6, 6)
    assert frames(fps=60) == 64 and frames(frames=500) == 64  # no further than the family goes
    assert frames(frames=2) == 2  # fewer than the recipe's least


def test_a_picture_may_ask_for_its_bounds_within_the_recipe() -> None:
    def area(**own: int) -> int:
        item = plan(replace(PICTURE, **own), MediaFacts(640, 480), rules("reference"))
        return item.width * item.height

    assert area(max_pixels=64 * 64) <= 64 * 64 < area()
    assert area(min_pixels=1_000_000) >= 1_000_000 and area(max_pixels=1 << 26, min_pixels=1 << 26) <= 1843200
    assert area(min_pixels=500_000, max_pixels=100_000) <= 100_000


def test_features_are_kept_by_what_was_sampled() -> None:
    made = [plan(replace(CLIP, fps=fps), LONG, rules("reference")) for fps in (0, 2, 3)]
    assert len({name(item, rules("reference")) for item in made}) == 3


def test_a_changed_rate_is_scored_anew_and_the_old_one_remembered(bench: Bench, tiny_qwen3_vl: Path) -> None:
    model, clip = str(tiny_qwen3_vl), bench.library.add_file(next(FLIP.glob("*.mp4")))
    picture = bench.library.add_file(next(FLIP.glob("*.png")))
    query = Query("q", (Text("a red star"),))
    assert isinstance(clip, Video)

    def scored(part: Video) -> tuple[list[int], list[float], list[bool]]:
        rows = [Document("clip", (part,)), Document("picture", (picture,))]
        done = ranking(variant := bench.variant(model=model), query, list(bench.rank(variant, query, rows)))
        found = sorted(done.ranked, key=lambda r: r.index)
        assert len(found) == 2 and all(r.score and r.encoding for r in found)
        return (
            [sum(m.tokens for m in r.encoding.media) for r in found if r.encoding],
            [r.score.logit for r in found if r.score], [r.score.cached for r in found if r.score],
        )  # fmt: skip

    tokens, logits, _ = scored(clip)
    fewer, others, cached = scored(replace(clip, frames=2))
    assert fewer[0] < tokens[0] and fewer[1] == tokens[1]
    assert others[0] != logits[0] and cached == [False, True]  # its neighbour was not touched
    assert scored(clip)[1:] == (logits, [True, True])


def test_equal_ids_of_other_frames_are_other_prompts(bench: Bench, tiny_qwen3_vl: Path) -> None:
    """Two samplings of as many frames differ in their frames alone; the encoding says so."""
    model, clip = str(tiny_qwen3_vl), bench.library.add_file(next(FLIP.glob("*.mp4")))
    query, documents = Query("q", (Text("x"),)), [Document("a", (clip,)), Document("b", (replace(clip, frames=2),))]
    a, b = bench.preview(bench.variant(model=model), query, documents)
    assert isinstance(a, Encoding) and isinstance(b, Encoding)
    assert a.media[0].frames != b.media[0].frames


def test_one_request_carries_one_sampling() -> None:
    assert asked_of((Text("x"), PICTURE, CLIP)) == {}
    assert asked_of((replace(CLIP, fps=2.0), PICTURE)) == {"fps": 2.0}
    assert asked_of((replace(CLIP, frames=8),)) == {"num_frames": 8}
    assert asked_of((replace(PICTURE, max_pixels=4096), replace(PICTURE, max_pixels=4096))) == {"max_pixels": 4096}
    for content in ((replace(CLIP, fps=2.0), CLIP), (replace(PICTURE, max_pixels=4096), CLIP)):
        with pytest.raises(PromptInvalid, match="samples all of a request alike"):
            asked_of(content)
