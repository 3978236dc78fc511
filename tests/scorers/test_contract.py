"""Promises every scorer keeps: what encode returns is scored, a batch scores like its members, order changes nothing."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.scorers.conftest import Maker, document, query
from workbench import scorers
from workbench.errors import MediaInvalid, ModelUnavailable, ScoreFailed, WorkbenchError
from workbench.media import Library
from workbench.pool import Bench
from workbench.ranking import encode_rows, ranking, rerank
from workbench.scorers import Scorer, _engine
from workbench.scorers._packed import Packed
from workbench.types import Document, Encoding, Row, Score, Variant

DOCUMENTS = [
    document(t, id=f"d{i}") for i, t in enumerate(["bees", "how do bees find flowers", "word " * 70, "é" * 30, "x"])
]


TINY = {  # checkpoints for every kind that has weights; servers have tests of their own
    "yes_no": ["qwen3-vl", "jina-m0"], "cross_encoder": ["bert-pairs"], "sparse": ["splade"],
    "bi_encoder": ["st-mean", "clip", "siglip", "qwen3-vl-embedding"], "late_interaction": ["pylate", "colpali", "colqwen2"],
    "reward": ["reward", "prm"], "lexical": ["word-overlap"],
}  # fmt: skip


@pytest.fixture(params=[name for names in TINY.values() for name in names])
def scorer(request: pytest.FixtureRequest, bench: Bench, open_tiny: Callable[[str], Scorer]) -> Scorer:
    name: str = request.param
    return bench.pool._load(name, lambda _: None) if name == "word-overlap" else open_tiny(name)


def test_every_kind_is_held_to_its_promises(open_tiny: Callable[[str], Scorer]) -> None:
    assert set(TINY) == set(scorers.kinds()) - {"vllm"}
    found = {name: open_tiny(name).family.scorer for names in TINY.values() for name in names if name != "word-overlap"}
    assert found == {name: kind for kind, names in TINY.items() for name in names if name != "word-overlap"}


def encodings(bench: Bench, scorer: Scorer, documents: list[Document]) -> list[Encoding]:
    found = list(
        encode_rows(bench.renderer, scorer, Variant(scorer.name), query("how do bees find flowers"), documents)
    )
    assert all(isinstance(e, Encoding) for e in found), found
    return found  # type: ignore[return-value]


def logits(scorer: Scorer, batch: list[Encoding]) -> list[float]:
    """Computed afresh: nothing that was remembered counts."""
    scorer.forget()
    got = dict(scorer.score(batch))
    assert sorted(got) == list(range(len(batch)))
    return [s.logit if isinstance(s, Score) else pytest.fail(str(s)) for _, s in sorted(got.items())]


def documents_for(scorer: Scorer, picture: Maker, clip: Maker) -> list[Document]:
    marks = scorer.family.template.placeholders
    if scorer.name == "word-overlap":
        return DOCUMENTS
    pictures = [document(picture(seed=11), id="p"), document(picture(32, 64, 4))] if marks.image else []
    return [*DOCUMENTS, *pictures, *([document(clip(seed=3), "words", id="c")] if marks.video else [])]


def test_a_batch_scores_like_its_members(bench: Bench, scorer: Scorer, picture: Maker, clip: Maker) -> None:
    batch = encodings(bench, scorer, documents_for(scorer, picture, clip))
    alone = [logits(scorer, [e])[0] for e in batch]
    assert logits(scorer, batch) == pytest.approx(alone, rel=1e-6, abs=1e-5)


def test_order_changes_no_score(bench: Bench, scorer: Scorer, picture: Maker, clip: Maker) -> None:
    batch = encodings(bench, scorer, documents_for(scorer, picture, clip))
    assert logits(scorer, batch[::-1])[::-1] == pytest.approx(logits(scorer, batch), rel=1e-6, abs=1e-5)


def test_an_empty_batch_is_nothing(scorer: Scorer) -> None:
    assert list(scorer.score([])) == []


def test_stop_ends_early(bench: Bench, scorer: Scorer) -> None:
    assert list(scorer.score(encodings(bench, scorer, DOCUMENTS), lambda: True)) == []


def test_stop_keeps_the_micro_batches_that_are_done(
    bench: Bench, qwen3: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_engine.TOKEN_BUDGET, "cpu", 1)  # one row a micro-batch
    batch, seen = encodings(bench, qwen3, DOCUMENTS), []
    for result in qwen3.score(batch, lambda: len(seen) >= 2):
        seen.append(result)
    assert len(seen) == 2


def test_a_row_that_fails_leaves_the_others(bench: Bench, qwen3_vl: Scorer, library: Library, picture: Maker) -> None:
    torn = library.add(library.path(picture(seed=12)).read_bytes()[:200], "torn.png")
    missing = MediaInvalid("cannot be found", where="documents[1]")
    rows: list[Row] = [document("one"), missing, document(torn), document("two"), Document("e", ())]
    results = list(rerank(bench.renderer, qwen3_vl, Variant(qwen3_vl.name), query("q"), rows))
    done = ranking(Variant(qwen3_vl.name), query("q"), results)
    assert sorted(r.index for r in done.ranked) == [0, 3]
    assert [(r.index, r.error.kind) for r in done.failed if r.error] == [
        (1, "media_invalid"), (2, "media_invalid"), (4, "prompt_invalid"),
    ]  # fmt: skip
    assert "torn.png" in str(done.failed[1].error)


def test_rows_that_fail_leave_the_others_in_every_kind(
    bench: Bench, scorer: Scorer, library: Library, picture: Maker
) -> None:
    torn = library.add(library.path(picture(seed=12)).read_bytes()[:200], "torn.png")
    rows: list[Row] = [document("one"), MediaInvalid("is gone"), document("two"), Document("e", ()), document(torn)]
    results = sorted(rerank(bench.renderer, scorer, Variant(scorer.name), query("q"), rows), key=lambda r: r.index)
    failed = [r.index for r in results if r.error]
    assert failed == ([1, 3] if scorer.name == "word-overlap" else [1, 3, 4])  # words are counted, pictures are not opened
    alone = list(rerank(bench.renderer, scorer, Variant(scorer.name), query("q"), [rows[0], rows[2]]))
    expected = [r.score.logit for r in sorted(alone, key=lambda r: r.index) if r.score]
    assert [results[i].score.logit for i in (0, 2)] == pytest.approx(expected, abs=1e-5)  # type: ignore[union-attr]


def test_a_number_that_is_none_is_an_error(bench: Bench, qwen3: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = encodings(bench, qwen3, DOCUMENTS[:2])
    nan = lambda self, pack, rows, stop: torch.full((len(pack.finals()), 64), float("nan"))  # noqa: E731
    monkeypatch.setattr(Packed, "_forward", nan)
    qwen3.forget()
    assert all(isinstance(s, ScoreFailed) for _, s in qwen3.score(batch))


def test_out_of_memory_halves_with_the_same_scores(
    bench: Bench, qwen3: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, real = encodings(bench, qwen3, DOCUMENTS), Packed._forward
    expected = logits(qwen3, batch)
    fits: list[int] = []

    def small(self: Any, pack: Any, rows: Any, stop: Any) -> torch.Tensor:
        if len(pack) > 50:
            raise torch.OutOfMemoryError("CUDA out of memory")
        fits.append(len(pack))
        return real(self, pack, rows, stop)

    monkeypatch.setattr(Packed, "_forward", small)
    assert logits(qwen3, batch) == pytest.approx(expected, abs=1e-5)
    assert len(fits) > 2


def test_memory_that_never_suffices_is_each_rows_error(
    bench: Bench, qwen3: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Any, pack: Any, rows: Any, stop: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Packed, "_forward", never)
    qwen3.forget()
    found = dict(qwen3.score(encodings(bench, qwen3, DOCUMENTS)))
    assert sorted(found) == list(range(len(DOCUMENTS)))
    assert all(isinstance(e, ScoreFailed) and "does not fit" in str(e) for e in found.values())


def test_micro_batches_keep_the_budget_and_lose_nothing() -> None:
    lengths = [5, 900, 30, 30, 31, 2000, 7]
    batches = list(_engine.micro_batches(lengths, lambda: 100))
    assert sorted(i for b in batches for i in b) == list(range(7))
    assert all(len(b) == 1 or max(lengths[i] for i in b) * len(b) <= 100 for b in batches)


def test_the_pace_follows_the_machine() -> None:
    pace = _engine.Pace(torch.device("cpu"))
    assert pace.budget() == 256
    pace.note(1000, 2.0)
    assert pace.budget() == 350
    pace.note(1_000_000, 1.0)
    assert pace.budget() == _engine.TOKEN_BUDGET["cpu"]


def test_an_accelerator_that_computes_wrong_is_said(bench: Bench, tiny_qwen3: Path) -> None:
    scorer: Any = bench.pool._load(str(tiny_qwen3), lambda _: None)
    (encoding,) = encodings(bench, scorer, DOCUMENTS[:1])
    slow = scorer._on_cpu(scorer._open(), sample := scorer._sample(encoding))
    list(scorer.score([encoding]))
    fast = scorer._fast(scorer._backbone, sample)
    scorer._compare(fast, slow)
    assert not scorer.facts().note
    scorer._compare(fast * 2, slow)
    assert "do not trust this device" in scorer.facts().note


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no config.json"),
        ({"config.json": "{"}, "cannot be read"),
        ({"config.json": json.dumps({"architectures": ["T5ForConditionalGeneration"]})}, "no family here serves"),
        ({"config.json": json.dumps({"architectures": ["Qwen3ForCausalLM"]})}, "tokenizer"),
    ],
)
def test_a_folder_that_is_no_checkpoint_says_why(
    bench: Bench, tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelUnavailable, match=says):
        bench.pool.get(str(tmp_path))


def test_weights_that_are_pickles_are_refused(bench: Bench, tiny_qwen3: Path, tmp_path: Path) -> None:
    for file in tiny_qwen3.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    scorer = bench.pool._load(str(tmp_path), lambda _: None)
    with pytest.raises(WorkbenchError, match="safetensors"):
        list(scorer.score(encodings(bench, scorer, DOCUMENTS[:1])))


HUB = """
import sys, time
from pathlib import Path
from workbench.scorers._checkpoint import open_checkpoint
from workbench.template import read_families
import huggingface_hub
started = time.monotonic()
try:
    open_checkpoint("Qwen/Qwen3-Reranker-0.6B", read_families(Path("templates")))
except Exception as error:
    print(type(error).__name__, error)
print(time.monotonic() - started)
"""


@pytest.mark.clock
@pytest.mark.parametrize("answers", [False, True], ids=["silent", "refused"])
def test_a_hub_that_cannot_be_reached_is_one_sentence_in_time(answers: bool, root: Path, tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))  # accepts and never says a word
    port = listener.getsockname()[1]
    if answers:
        listener.close()  # refused at once
    env = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", HUB], cwd=root, env=env, capture_output=True, text=True, timeout=60)
    listener.close()
    said, seconds = out.stdout.strip().rsplit("\n", 1)
    assert float(seconds) < 5, out.stdout
    assert said.startswith("ModelUnavailable Qwen/Qwen3-Reranker-0.6B: "), out.stdout + out.stderr
    assert "HF_ENDPOINT" in said and "folder" in said and "\n" not in said
