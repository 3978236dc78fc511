"""Which template a model is asked with, which models a page offers, and what a name may be."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.errors import ModelUnavailable
from workbench.pool import LEXICAL, Bench, Pool
from workbench.template import template_of
from workbench.types import Document, Query, Text, Variant

DECLARED = "{{- 'declared ' ~ messages[0].content ~ messages[1].content -}}"
CHAT = "{{- 'a chat template that scoring must never use' -}}"


@pytest.fixture
def pool(bench: Bench) -> Pool:
    return Pool(bench.families, bench.library, device="cpu")


@pytest.fixture
def folder(tiny_qwen3: Path, tmp_path: Path) -> Path:
    """A copy without weights: names, templates and prompts need none."""
    for file in tiny_qwen3.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, tmp_path / file.name)
    (tmp_path / "chat_template.jinja").write_text(CHAT)
    return tmp_path


def declare(folder: Path, named: str | None = None, kind: str = "CrossEncoder", layout: str = "flat") -> None:
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"model_type": kind}))
    wanted = {"chat_template": {"chat_template": named}} if named else {}
    module = {"modality_config": {"message": {"format": layout}}, "processing_kwargs": wanted}
    (folder / "sentence_bert_config.json").write_text(json.dumps(module))


def test_a_tokenizers_chat_template_is_never_used(pool: Pool, folder: Path) -> None:
    assert pool.template(str(folder)) == pool.get(str(folder)).family.template


@pytest.mark.parametrize("change", [{"kind": "SentenceTransformer"}, {"layout": "structured"}])
def test_only_a_cross_encoder_with_flat_messages_declares_one(pool: Pool, folder: Path, change: dict[str, str]) -> None:
    declare(folder, **change)
    assert CHAT not in pool.template(str(folder)).body


def test_a_declared_template_comes_before_the_family(pool: Pool, folder: Path) -> None:
    declare(folder, "score")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "score.jinja").write_text(DECLARED)
    assert pool.template(str(folder)).body == DECLARED


def test_without_a_name_the_declared_template_is_the_default_one(pool: Pool, folder: Path) -> None:
    declare(folder)
    (folder / "chat_template.jinja").write_text(DECLARED)
    assert pool.template(str(folder)).body == DECLARED


def test_a_declared_name_that_does_not_exist_is_an_error(pool: Pool, folder: Path) -> None:
    declare(folder, "score")
    with pytest.raises(ModelUnavailable, match="'score'"):
        pool.get(str(folder))


def test_a_given_template_comes_first(bench: Bench, folder: Path) -> None:
    given = template_of("{{- 'given' -}}")
    own = replace(bench, given_template=given)
    assert own.template_for(own.variant(model=str(folder))) == given
    mine = template_of("{{- 'mine' -}}")
    assert own.template_for(own.variant(template=mine)) == mine
    assert bench.template_for(Variant(str(folder))).body.rstrip().endswith("-}}")


def test_a_hosted_page_opens_what_it_offers_and_nothing_else(bench: Bench, folder: Path) -> None:
    pool = Pool(bench.families, bench.library, shipped=folder, device="cpu", offered_only=True)
    assert pool.offered()[0] == folder.name and LEXICAL in pool.offered()
    assert pool.get(folder.name).name
    for name in (str(folder), "/etc", "https://example.org/model", "somebody/else"):
        with pytest.raises(ModelUnavailable, match="not offered"):
            pool.get(name)


@pytest.mark.parametrize("name", ["", "  ", "nonsense", "../..", "a/b/c", "https://x.y/z"])
def test_a_name_that_is_nothing_says_what_would_be(pool: Pool, name: str) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        pool.get(name)
    assert caught.value.hint


def test_a_model_that_fails_to_open_leaves_the_one_before_awake(pool: Pool) -> None:
    before = pool.get(LEXICAL)
    with pytest.raises(ModelUnavailable):
        pool.get("nonsense")
    assert pool.get(LEXICAL) is before


def test_a_large_model_gives_its_weights_back_before_the_next_scores(
    bench: Bench, tiny_qwen3: Path, tiny_qwen3_vl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.pool.SMALL", 0)
    own = replace(bench, pool=Pool(bench.families, bench.library, device="cpu"))
    query, rows = Query("q", (Text("q"),)), [Document("d", (Text("d"),))]

    def logit(folder: Path) -> float:
        (result,) = own.rank(own.variant(model=str(folder)), query, rows)
        assert result.score is not None, result.error
        return result.score.logit

    first = logit(tiny_qwen3)
    assert own.pool.get(str(tiny_qwen3)).facts().loaded
    logit(tiny_qwen3_vl)
    assert not own.pool.get(str(tiny_qwen3)).facts().loaded
    assert logit(tiny_qwen3) == first


def test_a_name_stands_for_a_folder_only_where_folders_may_be_read(bench: Bench, tmp_path: Path) -> None:
    (shipped := tmp_path / "mine").mkdir()
    for hosted in (False, True):
        pool = Pool(bench.families, bench.library, shipped, offered_only=hosted)
        assert pool.folder("mine") == pool.folder(" mine ") == shipped
        assert pool.folder(str(tmp_path)) == (None if hosted else tmp_path)
        assert pool.folder("Qwen/Qwen3-Reranker-0.6B") is None and pool.folder("") is None


def test_word_overlap_is_prompted_as_a_family_that_takes_pictures_and_clips(bench: Bench) -> None:
    assert bench.pool.get(LEXICAL).family.name == "qwen3-vl-reranker"
