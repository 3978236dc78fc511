"""Templates come back byte for byte: from a bundle, its zip, a file, a checkpoint's folder, and a server that shows prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.errors import RequestInvalid
from workbench.export import Outgoing, compatibility, files_of, prove, zip_bundle
from workbench.imported import from_server
from workbench.named import template_text
from workbench.pool import Bench
from workbench.scorers._endpoints import Endpoints
from workbench.template import Renderer, template_of
from workbench.types import JSON, Document, Query, ScoreTemplate, Text, Variant

QUERY, ROWS = Query("q", (Text("q"),)), [Document("d", (Text("d"),))]


@pytest.fixture(scope="module")
def bundle(bench: Bench, exported: Outgoing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bundle")
    files = files_of(bench, exported, compatibility(bench, exported)[:1])
    for name, data in files.items():
        (place / name).write_bytes(data)
    (place.parent / "bundle.zip").write_bytes(zip_bundle(files))
    return place


def test_a_bundle_comes_back_byte_for_byte_and_leaves_as_it_came(bench: Bench, exported: Outgoing, bundle: Path) -> None:
    for place in (bundle, bundle.parent / "bundle.zip", bundle / "template.jinja"):
        text = template_text(str(place))
        assert text.encode() == (bundle / "template.jinja").read_bytes() == exported.template.encode()
        _, again = prove(bench, Variant(exported.scorer.name, template_of(text)), QUERY, ROWS)
        assert again == exported.template


def test_line_ends_of_a_file_stay(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_bytes("{{- 'a' -}}\r\n\tü\r\n".encode())
    assert template_text(str(tmp_path / "t.jinja")) == "{{- 'a' -}}\r\n\tü\r\n"
    assert template_text("qwen3-reranker") == "qwen3-reranker"


def test_a_bundle_that_was_changed_is_refused(bundle: Path, tmp_path: Path) -> None:
    for name in ("template.jinja", "manifest.json"):
        (tmp_path / name).write_bytes((bundle / name).read_bytes())
    assert template_text(str(tmp_path))
    (tmp_path / "template.jinja").write_bytes((bundle / "template.jinja").read_bytes() + b"\n")
    with pytest.raises(RequestInvalid, match="was changed since it was exported"):
        template_text(str(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(RequestInvalid, match="manifest that cannot be read"):
        template_text(str(tmp_path))


def test_a_checkpoint_gives_what_it_declares(exported: Outgoing, tiny_qwen3: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="declares no score template"):
        template_text(str(tiny_qwen3))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text(exported.template, encoding="utf-8")
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps({"model_type": "CrossEncoder"}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"modality_config": {"message": {"format": "flat"}}}))
    assert template_text(str(tmp_path)) == exported.template
    with pytest.raises(RequestInvalid, match="cannot be read"):
        template_text(str(tmp_path / "none"))


# ---------------------------------------------------------------- a server
class Shows(Endpoints):
    """A server that renders one template and tokenizes with the tiny checkpoint's tokenizer."""

    def __init__(self, exported: Outgoing, renderer: Renderer, template: str) -> None:
        self.scorer, self.renderer, self.template = exported.scorer, renderer, template

    @property
    def name(self) -> str:
        return "http://server"

    def ask(self, path: str, body: JSON = None, **_: object) -> dict[str, JSON]:
        scorer: JSON = self.scorer
        if path == "/detokenize":
            return {"prompt": scorer.detokenize(body["tokens"])}
        text = body.get("prompt")
        if text is None:
            query, document = (m["content"] for m in body["messages"])
            given = body["chat_template_kwargs"]
            text = self.renderer.render(ScoreTemplate(self.template), query, document, variables=given).text
        ids = scorer.tokenize(text, body["add_special_tokens"])
        return {"tokens": ids, "count": len(ids), "max_model_len": 8192}


@pytest.mark.parametrize("name", ["baked", "qwen3-reranker", "mxbai-rerank-v2", "bge-reranker-v2-gemma"])
def test_a_server_shows_the_template_it_renders(exported: Outgoing, renderer: Renderer, root: Path, name: str) -> None:
    own = exported.template if name == "baked" else (root / "templates" / f"{name}.jinja").read_text(encoding="utf-8")
    found = from_server(Shows(exported, renderer, own), renderer)
    for query, document, instruction in (("q", "d", None), ("x\ny", "漢 <b>", "Only law."), ("a", "b", "")):
        ours, theirs = (
            renderer.render(ScoreTemplate(body), query, document, instruction=instruction).text for body in (found, own)
        )
        assert ours == theirs
    again = from_server(Shows(exported, renderer, found), renderer)
    assert again == found


def test_a_template_that_chooses_by_its_values_is_refused(exported: Outgoing, renderer: Renderer) -> None:
    sly = "{{- messages[0].content | upper ~ messages[1].content -}}"
    long = "{{- messages[0].content ~ (messages[1].content | truncate(60)) -}}"
    for body in (sly, long):
        with pytest.raises(RequestInvalid, match="cannot be told from outside"):
            from_server(Shows(exported, renderer, body), renderer)
