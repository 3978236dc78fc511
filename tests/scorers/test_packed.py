"""Sharing, packing and remembering change no score: against transformers' plain forward pass, and counted in tokens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

from tests.scorers.conftest import Maker, document, query
from workbench.media import Library
from workbench.pool import Bench
from workbench.ranking import make_pair
from workbench.scorers import _engine
from workbench.scorers._packed import Counts
from workbench.types import Document, Encoding, Query, Score, Variant

WORDS = "bees find flowers by smell and by colours that people cannot see while flies follow other signs".split()
BUDGETS = [13, 64, 2048]


def texts(count: int) -> list[Document]:
    return [document(" ".join(WORDS[i % 5 : i % 5 + 1 + i % 12]) + f" {i}", id=f"d{i}") for i in range(count)]


@pytest.fixture(scope="module")
def fresh(bench: Bench, tiny_qwen3: Path) -> Any:
    return bench.pool._load(str(tiny_qwen3), lambda _: None)


@pytest.fixture(scope="module")
def fresh_vl(bench: Bench, tiny_qwen3_vl: Path) -> Any:
    return bench.pool._load(str(tiny_qwen3_vl), lambda _: None)


@pytest.fixture(autouse=True)
def forgotten(fresh: Any, fresh_vl: Any) -> Iterator[None]:
    fresh.forget()
    fresh_vl.forget()
    yield


def encode(bench: Bench, scorer: Any, queries: list[Query], documents: list[Document], **fields: Any) -> list[Encoding]:
    variant = Variant(scorer.name, **fields)
    return [scorer.encode(make_pair(bench.renderer, scorer, variant, q, d)) for q in queries for d in documents]


def margins(scorer: Any, batch: list[Encoding]) -> list[float]:
    found = dict(scorer.score(batch))
    return [s.logit if isinstance(s := found[i], Score) else pytest.fail(str(s)) for i in range(len(batch))]


def plain(folder: Path, scorer: Any, batch: list[Encoding]) -> list[float]:
    """One pair at a time through the stock model, with its own head."""
    kind = AutoModelForImageTextToText if "vl" in folder.name else AutoModelForCausalLM
    model = kind.from_pretrained(folder).eval()
    true, false = scorer._labels
    found = []
    for encoding in batch:
        row = scorer._row(encoding)
        encoder = scorer._encoder
        hidden = _engine.last_hidden(model.model, [row], 0, encoder.image_id, encoder.video_id)[0]
        rows = model.get_output_embeddings().weight.detach()
        found.append(float(hidden @ rows[true] - hidden @ rows[false]))
    return found


def counts(scorer: Any) -> Counts:
    packed = scorer._decoder.packed
    packed.counts, before = Counts(), packed.counts
    return before  # type: ignore[no-any-return]


@pytest.mark.parametrize("budget", BUDGETS)
def test_text_packed_equals_plain(
    bench: Bench, fresh: Any, tiny_qwen3: Path, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_engine.TOKEN_BUDGET, "cpu", budget)
    long = document("word " * 300, id="long")
    batch = encode(bench, fresh, [query("how do bees find flowers"), query("bees")], [*texts(9), long])
    batch += encode(bench, fresh, [query("bees")], texts(4), instruction="Only colours count.")
    assert margins(fresh, batch) == pytest.approx(plain(tiny_qwen3, fresh, batch), abs=1e-4)


@pytest.mark.parametrize("budget", BUDGETS)
def test_pictures_and_clips_packed_equal_plain(
    bench: Bench, fresh_vl: Any, tiny_qwen3_vl: Path, picture: Maker, clip: Maker, budget: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(_engine.TOKEN_BUDGET, "cpu", budget)
    documents = [
        document(picture(64, 96, 1), id="a"), document(picture(64, 96, 2), id="b"), document("words", id="c"),
        document(clip(seed=4), id="d"), document(picture(64, 96, 1), "a caption", id="e"),
        document(clip(frames=4, fps=1, height=64, width=64, seed=2), picture(64, 64, 3), "both", id="f"),
    ]  # fmt: skip
    queries = [query("a landscape"), query(picture(96, 64, 5), "like this")]
    batch = encode(bench, fresh_vl, queries, documents)
    assert margins(fresh_vl, batch) == pytest.approx(plain(tiny_qwen3_vl, fresh_vl, batch), abs=1e-4)


def test_pictures_of_one_size_are_not_taken_for_each_other(bench: Bench, fresh_vl: Any, picture: Maker) -> None:
    batch = encode(bench, fresh_vl, [query("x")], [document(picture(64, 96, s), id=f"{s}") for s in (1, 2, 3)])
    assert len({e.token_ids for e in batch}) == 1
    assert len({round(m, 4) for m in margins(fresh_vl, batch)}) == 3


def test_a_shared_front_is_computed_once(bench: Bench, fresh: Any) -> None:
    batch = encode(bench, fresh, [query("how do bees find flowers")], texts(20))
    margins(fresh, batch[:1])
    fresh.forget()
    counts(fresh)
    margins(fresh, batch)
    seen, rows = counts(fresh), [e.token_ids for e in batch]
    assert seen.asked == sum(map(len, rows))
    head = next(i for i, tokens in enumerate(zip(*rows, strict=False)) if len(set(tokens)) > 1)
    assert seen.computed <= head + sum(len(r) - head for r in rows)


def test_variants_in_one_pass_equal_variants_apart(bench: Bench, fresh: Any) -> None:
    documents, asked = texts(6), [query("bees")]
    each = [encode(bench, fresh, asked, documents, instruction=i) for i in ("Colours.", "Smells.", "Only signs.")]
    apart = []
    for batch in each:
        fresh.forget()
        apart += margins(fresh, batch)
    fresh.forget()
    assert margins(fresh, [e for batch in each for e in batch]) == pytest.approx(apart, abs=1e-5)


def test_the_same_again_needs_no_forward(bench: Bench, fresh: Any) -> None:
    batch = encode(bench, fresh, [query("bees")], texts(12))
    first = margins(fresh, batch)
    counts(fresh)
    again = dict(fresh.score(batch))
    assert counts(fresh).forwards == 0
    assert [again[i].logit for i in range(12)] == first
    assert all(again[i].cached for i in range(12))


def test_one_edited_document_costs_its_own_tokens(bench: Bench, fresh: Any, tiny_qwen3: Path) -> None:
    documents = texts(12)
    batch = encode(bench, fresh, [query("bees")], documents)
    margins(fresh, batch)
    edited = encode(bench, fresh, [query("bees")], [*documents[:3], document("another thing", id="d3"), *documents[4:]])
    counts(fresh)
    got = margins(fresh, edited)
    rows = [e.token_ids for e in batch]
    head = next(i for i, tokens in enumerate(zip(*rows, strict=False)) if len(set(tokens)) > 1)
    seen = counts(fresh)
    assert (seen.forwards, seen.computed) == (1, len(edited[3].token_ids) - head)
    assert got == pytest.approx(plain(tiny_qwen3, fresh, edited), abs=1e-4)


def test_equal_documents_are_scored_once_and_tie_exactly(bench: Bench, fresh: Any) -> None:
    batch = encode(bench, fresh, [query("bees")], [document("the same", id=f"{i}") for i in range(5)])
    margins(fresh, batch[:1])
    fresh.forget()
    counts(fresh)
    assert len(set(margins(fresh, batch))) == 1
    assert counts(fresh).computed == len(batch[0].token_ids)


def test_an_edited_instruction_looks_at_no_picture_again(
    bench: Bench, fresh_vl: Any, picture: Maker, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [document(picture(64, 96, s), id=f"{s}") for s in range(20, 24)]
    margins(fresh_vl, encode(bench, fresh_vl, [query("x")], documents[:1]))
    before = fresh_vl._decoder.sight.looks
    margins(fresh_vl, encode(bench, fresh_vl, [query("x")], documents))
    looks = fresh_vl._decoder.sight.looks
    assert looks == before + 3
    monkeypatch.setattr(library, "picture", lambda *_: pytest.fail("decoded again"))
    margins(fresh_vl, encode(bench, fresh_vl, [query("x")], documents, instruction="Only the colour."))
    assert fresh_vl._decoder.sight.looks == looks


def test_nothing_is_held_behind(bench: Bench, fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and values live in the kept fronts alone, never in a tree that was walked."""
    monkeypatch.setitem(_engine.TOKEN_BUDGET, "cpu", 32)
    import workbench.scorers._packed as module

    roots, real = [], module.tree
    monkeypatch.setattr(module, "tree", lambda rows: roots.append(real(rows)) or roots[-1])
    margins(fresh, encode(bench, fresh, [query("bees")], texts(12)))
    assert roots and not any(n.kept for root in roots for n in root.walk())


def test_calls_at_once_do_not_disturb_each_other(bench: Bench, fresh: Any) -> None:
    batches = [encode(bench, fresh, [query(f"bees {i}")], texts(10 + i)) for i in range(4)]
    apart = [margins(fresh, b) for b in batches]
    fresh.forget()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda b: margins(fresh, b), batches)) == [pytest.approx(a, abs=1e-5) for a in apart]
            fresh._memory.clear()


def test_half_precision_keeps_the_order(bench: Bench, tiny_qwen3: Path, fresh: Any) -> None:
    from workbench import scorers
    from workbench.scorers._checkpoint import open_checkpoint

    opened = open_checkpoint(str(tiny_qwen3), bench.families)
    half: Any = scorers.load(opened, bench.library, device="cpu", dtype="bfloat16")
    batch = encode(bench, fresh, [query("bees")], texts(20))
    exact, rough = torch.tensor(margins(fresh, batch)), torch.tensor(margins(half, batch))
    assert float((exact - rough).abs().max()) < 0.1
    assert torch.corrcoef(torch.stack([exact, rough]))[0, 1] > 0.99


def test_the_stock_model_is_half_precision_throughout(bench: Bench, tiny_qwen3: Path) -> None:
    """What a server in half precision computes: the noise of exported scores is measured with it."""
    from workbench import scorers
    from workbench.scorers._checkpoint import open_checkpoint

    half: Any = scorers.load(open_checkpoint(str(tiny_qwen3), bench.families), bench.library, device="cpu", dtype="bfloat16")
    half.stock()
    batch = encode(bench, half, [query("bees")], texts(6))
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen3, dtype=torch.bfloat16).eval()
    rows, (true, false) = model.get_output_embeddings().weight.detach().float(), half._labels
    with torch.inference_mode():
        states = [model.model(torch.tensor([e.token_ids])).last_hidden_state[0, -1].float() for e in batch]
    expected = [float(h @ (rows[true] - rows[false])) for h in states]
    assert margins(half, batch) == pytest.approx(expected, abs=0.02)
    assert half._decoder is None


def test_a_forward_is_left_between_two_layers(bench: Bench, fresh: Any) -> None:
    """Stop acts within a layer's time: the pack on its way is dropped, what was finished stays, and nothing is broken."""
    batch = encode(bench, fresh, [query("bees")], texts(12))
    expected = margins(fresh, batch)
    fresh.forget()
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    assert dict(fresh.score(batch, stop)) == {}
    assert asked <= 6  # the layers behind the one that was left are not asked any more
    assert margins(fresh, batch) == pytest.approx(expected, abs=1e-5)
