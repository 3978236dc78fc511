"""The packed forward is transformers' own, pair by pair; training steps, stops and goes on where it stopped."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from workbench.demo import model, tokenizer
from workbench.demo.forward import margins, read, see
from workbench.demo.muon import orthogonal
from workbench.demo.packing import Packer, media_text, pack
from workbench.demo.plan import Plan
from workbench.demo.pool import UNSEEN, Item, Pool, clip, patches, picture, units
from workbench.demo.pool import scenes as all_scenes
from workbench.demo.prompts import CLOSE, OPEN, ask
from workbench.demo.scenes import Scene
from workbench.demo.train import Trainer, train

TINY = {"hidden": 64, "layers": 2, "depth": 2, "vision": 64}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tokenizer.train(tmp_path_factory.mktemp("tokenizer"), count=300)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return stand_ins()


def stand_ins() -> Pool:
    """One small item for every scene there is: a picture and a clip, drawn once, stand for all of their kind."""
    still = picture(Scene("red", "star"), 1, (64, 64))
    film = clip(Scene("red", "star", motion="left"), 1, (64, 64), coded=False)
    return Pool(replace(still if kind == "picture" else film, scene=scene) for kind, scene, _ in all_scenes())


def test_a_branch_has_the_ids_of_the_whole_prompt(words: Any) -> None:
    packer = Packer(words)
    film = clip(Scene("red", "star", motion="up"), UNSEEN, (64, 96), coded=False)
    for query, document in (("a red star", "a crimson disc"), (film, film), ("anything", film)):
        row = packer.question("Only the colour matters.", query, [document])
        shown = [media_text(s) if isinstance(s, Item) else s for s in (query, document)]
        whole = OPEN + ask("Only the colour matters.", shown[0]) + shown[1] + CLOSE
        assert list(row.trunk.ids + row.branches[0].ids) == words.encode(whole, add_special_tokens=False)


def test_the_packed_forward_is_that_of_transformers(words: Any) -> None:
    made = model.fresh(words, 3, **TINY).eval()
    packer, yes, no = Packer(words), *words.convert_tokens_to_ids(["yes", "no"])
    documents = [picture(Scene("red", "star"), 1, (96, 64)), "a red star",
                 clip(Scene("blue", "ring", motion="left"), 2, (64, 64), coded=False)]  # fmt: skip
    query = picture(Scene("green", "cross"), 3, (64, 64))
    row = packer.question("Same shape.", query, documents)
    with torch.inference_mode():
        packed = pack([row])
        features = see(made.model.visual, packed.items)[0]
        mine = margins(made, read(made, packed, features, packer.pads), packed.ends, yes, no)
        for at, document in enumerate(documents):
            ids = torch.tensor([row.trunk.ids + row.branches[at].ids])
            theirs = plain(made, ids, [query, *([document] if isinstance(document, Item) else [])])
            assert torch.allclose(theirs @ (weight(made)[yes] - weight(made)[no]), mine[at], atol=1e-4)


def weight(made: Any) -> torch.Tensor:
    rows: torch.Tensor = made.model.language_model.embed_tokens.weight
    return rows


def plain(made: Any, ids: torch.Tensor, items: list[Item]) -> torch.Tensor:
    """The last hidden state as transformers computes it for one pair."""
    kinds = (ids == made.config.image_token_id).int() + 2 * (ids == made.config.video_token_id).int()
    given: dict[str, torch.Tensor] = {}
    for pixels, grid, chosen in (("pixel_values", "image_grid_thw", [i for i in items if not i.seconds]),
                                 ("pixel_values_videos", "video_grid_thw", [i for i in items if i.seconds])):  # fmt: skip
        if chosen:
            given[pixels] = torch.cat([patches(units(i)).flatten(0, 1) for i in chosen])
            given[grid] = torch.tensor([[i.groups, i.size[0] // 16, i.size[1] // 16] for i in chosen])
    out = made.model(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds, **given)
    return out.last_hidden_state[0, -1]


def test_training_stops_resumes_and_saves(words: Any, pool: Pool, tmp_path: Path) -> None:
    plan = Plan(steps=5, rows=4, length=160, warmup=2, looks=2, looked=8, processes=1)
    whole = Trainer(plan, words, pool, **TINY)
    assert train(whole, tmp_path, lambda line: None, lambda: False)

    halves = Trainer(plan, words, pool, **TINY)
    assert not train(halves, tmp_path, lambda line: None, lambda: halves.step >= 2)
    resumed = Trainer(plan, words, pool, **TINY)
    resumed.resume(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    assert (resumed.step, resumed.looked) == (2, 2)
    assert train(resumed, tmp_path, lambda line: None, lambda: False)
    for one, other in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)

    model.save(resumed.model, words, tmp_path / "out")
    loaded = model.load(tmp_path / "out")
    assert loaded.config.text_config.tie_word_embeddings and loaded.config.tie_word_embeddings
    assert torch.allclose(weight(loaded), weight(resumed.model), atol=1e-3)


def test_questions_fill_rows_with_both_answers(words: Any, pool: Pool) -> None:
    from workbench.demo.batches import Batches
    from workbench.demo.questions import Mix

    batch = Batches(Packer(words), pool, 256).make(random.Random(1), Mix(), rows=8, captions=True)
    assert batch.packed.ids.shape == (8, 256)
    assert 0.3 < batch.labels.mean() < 0.7 and len(batch.labels) == len(batch.ends)
    row, at = batch.caption_at[0]
    assert batch.packed.ids[row, at + 1] == batch.caption_ids[0]


def test_an_inner_update_is_orthogonal() -> None:
    for shape in ((24, 64), (64, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(*shape, generator=torch.Generator().manual_seed(1))))
        assert values.min() > 0.5 and values.max() < 1.3


def side_by_side(rank: int, folder: Path) -> None:
    """One of two processes: a few looks and steps, then its weights go to a file."""
    import torch.distributed as dist

    torch.set_num_threads(1)
    words = PreTrainedTokenizerFast.from_pretrained(folder / "words")
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    plan = Plan(steps=2, rows=4, length=160, warmup=2, looks=1, looked=8, processes=2)
    trainer = Trainer(plan, words, stand_ins(), rank, **TINY)
    assert train(trainer, folder, lambda line: None, lambda: False)
    torch.save(trainer.model.state_dict(), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_end_with_the_same_weights(words: Any, tmp_path: Path) -> None:
    words.save_pretrained(tmp_path / "words")
    torch.multiprocessing.spawn(side_by_side, (tmp_path,), 2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    fresh = model.fresh(words, Plan().seed, **TINY).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], fresh[name]) for name in first)
    kept = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert kept["step"] == 2 and kept["looked"] == 1
